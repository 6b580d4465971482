"""What happens once, when the server starts: torch and the default model are loaded behind the first screen."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import threading
from collections.abc import AsyncIterator
from typing import Any

from ui import cached, engine, pictures, session

logger = logging.getLogger("convlens")


def _warm_up() -> None:
    # In this thread, behind the first screen, which must not wait for torch.
    engine.load()
    model = cached.classifier(session.PARAMETERS["model"].default)
    picture = pictures.sample_picture(session.PARAMETERS["picture"].default)
    cached.trace(model, cached.model_input(model, picture))
    pictures.thumbnails()
    # Streamlit collects garbage after every run, holding the interpreter; with torch loaded and nothing frozen
    # that takes about 160 ms for the whole server.
    gc.collect()
    gc.freeze()
    logger.info("The default model is ready.")


def _guarded() -> None:
    try:
        _warm_up()
    except Exception:
        # The pages load what they need themselves and say what is wrong; the log keeps the cause.
        logger.exception("The default model could not be loaded in advance.")


@contextlib.asynccontextmanager
async def lifespan(app: Any) -> AsyncIterator[None]:
    """Start warming when the server starts; the server answers at once."""
    await asyncio.sleep(0)
    threading.Thread(target=_guarded, name="convlens-warm", daemon=True).start()
    yield
