"""The link that a teacher hands out: a page, its settings, and how it is taught; written, and read from a paste."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qsl, urlencode, urlsplit

import segno

from ui import session, shell, teaching
from ui.teaching import Teaching

MOST_CHARACTERS: Final = 4000
LOCAL: Final = ("localhost", "127.0.0.1", "[::1]")


@dataclass(frozen=True)
class Pasted:
    """What a pasted link says: its page, the settings that could be read, and the names of those that could not."""

    page: str
    settings: Mapping[str, str]
    unread: tuple[str, ...]


def address(page: str, settings: Mapping[str, str], taught: Teaching) -> str:
    """The part of the link after the host: "features?layer=features.3&teach=locked"."""
    said = {name: value for name, value in settings.items() if name in session.PARAMETERS}
    text = taught.to_text()
    query = urlencode({**said, **({teaching.ADDRESS: text} if text else {})}, safe=",~:")
    address = shell.lesson(page).address
    return f"{address}?{query}" if query else address


def root_of(url: str | None, page: str) -> str:
    """The app's own address, of the address of a page of it: "http://class.example:8501/"."""
    parts = urlsplit(url or "")
    path = parts.path.rstrip("/").removesuffix(f"/{page}").rstrip("/")
    return f"{parts.scheme or 'http'}://{parts.netloc or 'localhost:8501'}{path}/"


def is_local(root: str) -> bool:
    """Whether an address leads to the visitor's own machine only."""
    host = urlsplit(root).hostname or ""
    return host in LOCAL or host == "::1"


def pasted(text: str) -> Pasted | None:
    """What a pasted link says, whatever host it names; None where it is no link to a lesson."""
    if len(text) > MOST_CHARACTERS:
        return None
    try:
        parts = urlsplit(text.strip())
    except ValueError:
        return None
    key = parts.path.rstrip("/").rpartition("/")[2]
    if key not in {entry.key for entry in shell.course()}:
        return None
    settings, unread = {}, []
    for name, value in parse_qsl(parts.query):
        if name == teaching.ADDRESS:
            continue
        try:
            settings[name] = str(session.PARAMETERS[name].parse(value))
        except (KeyError, ValueError):
            unread.append(name)
    if settings.get("picture", "").startswith("upload-"):
        unread.append("picture")
        del settings["picture"]
    return Pasted(key, settings, tuple(unread))


def qr(link: str) -> str:
    """The link as a QR code: an SVG that is read on a dark page, too."""
    out = io.BytesIO()
    segno.make(link, error="m", micro=False).save(
        out, kind="svg", scale=1, border=3, dark="#10131A", light="#FFFFFF", xmldecl=False, omitsize=True
    )
    return out.getvalue().decode()
