"""Home before Streamlit: its scripts take a second to load, and the first screen stands, and moves, meanwhile.

The answer to `/` is Streamlit's own page with one element more, made of the texts, colours and numbers that Home has.
Its links are real. The living picture takes it away once it has drawn (assets/components/hero); where it never does,
because another page was opened or this one failed, the style sheet does.
"""

from __future__ import annotations

import base64
import io
import re
from functools import cache
from pathlib import Path
from typing import Final
from urllib.parse import urlencode

import jinja2
import numpy as np
from PIL import Image
from starlette.requests import Request
from starlette.responses import HTMLResponse

from cnn_core import palette
from ui import hero_data, shell, tour, welcome

_TEMPLATE: Final = shell.ROOT / "assets" / "first_screen.html"
_ROOT_ELEMENT: Final = '<div id="root"></div>'
_NAME: Final = "<title>ConvLens</title>"


def answer(request: Request) -> HTMLResponse:
    """Streamlit's page; with the first screen, where the address asks for Home as a newcomer finds it."""
    page = _streamlits_page() if request.query_params else with_first_screen()
    # As Streamlit's own: the names of the scripts in it change with its version.
    return HTMLResponse(page, headers={"cache-control": "no-cache"})


@cache
def with_first_screen() -> str:
    """The whole page. It is Streamlit's own where that has no place for more, as a later version's might."""
    page = _streamlits_page()
    return page.replace(_ROOT_ELEMENT, f"{_ROOT_ELEMENT}\n{_drawn(page)}")


@cache
def _streamlits_page() -> str:
    import streamlit

    page = (Path(streamlit.__file__).parent / "static" / "index.html").read_text(encoding="utf-8")
    return re.sub(r"<title>.*?</title>", _NAME, page)


def _drawn(page: str) -> str:
    arrays = hero_data.load()
    limit = float(np.abs(arrays["map"]).max())
    maps = {
        "light": palette.colourise(arrays["map"], palette.DIVERGING_LIGHT, -limit, limit),
        "dark": palette.colourise(arrays["map"], palette.DIVERGING_DARK, -limit, limit),
    }
    course: dict[str, list[tuple[int, shell.Lesson]]] = {}
    for number, entry in enumerate(shell.course(), 1):
        course.setdefault(entry.group, []).append((number, entry))
    step = tour.STEPS[0]
    said = {tour.ADDRESS: 1, **step.settings}
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True)
    font = re.search(r'href="(\./static/media/SourceSans[^"]*)"', page)
    return environment.from_string(_TEMPLATE.read_text(encoding="utf-8")).render(
        colours=palette.COLOURS,
        font=font.group(1) if font else None,
        logo=shell.looks()[1],
        photograph=_picture(arrays["photograph"], "JPEG"),
        maps={mode: _picture(drawn, "PNG") for mode, drawn in maps.items()},
        groups=list(dict.fromkeys(entry.group for entry in shell.PAGES)),
        course=course,
        first=shell.course()[0],
        tour=f"{step.page}?{urlencode(said)}",
        words=welcome,
    )


def _picture(rgb: np.ndarray, kind: str) -> str:
    buffer = io.BytesIO()
    Image.fromarray(rgb).save(buffer, kind, quality=88, optimize=True)
    return f"data:image/{kind.lower()};base64,{base64.b64encode(buffer.getvalue()).decode()}"
