"""What happens once, when the server starts: torch and the default model are loaded behind the first screen."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import os
import threading
from collections.abc import AsyncIterator
from typing import Any

logger = logging.getLogger("convlens")


def _warm_up() -> None:
    # Imported here, in the thread: the first screen must not wait for torch.
    import torch

    from cnn_core.samples import list_samples
    from ui import cached, pictures, session

    # One thread for each visitor's computation; more visitors at once are what the cores are for.
    torch.set_num_threads(max(1, (os.cpu_count() or 1) // 2))
    model = cached.classifier(session.PARAMETERS["model"].default)
    default = next(sample for sample in list_samples() if sample.key == session.PARAMETERS["picture"].default)
    cached.trace(model, cached.model_input(model, pictures.sample_picture(default.key)))
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
