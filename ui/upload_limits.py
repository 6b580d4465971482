"""How much of what visitors upload the server holds: for each session, and for all of them together."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from ui import logs

MEGABYTE: Final = 2**20
SESSION_MB: Final = 512
"""What one session may hold: a zip to audit, weights, and the pictures of every uploader on the pages."""
SESSION_FILES: Final = 4_000
_PLACE: Final = re.compile(r"/_stcore/upload_file/([^/]+)/[^/]+$")

_log = logging.getLogger(__name__)


def all_megabytes() -> float:
    """What all sessions may hold together."""
    return float(os.environ.get("CONVLENS_UPLOADS_MB", "2000"))


Held = Mapping[str, Mapping[str, Any]]


def _held_now() -> Held:
    """By session, by file: what Streamlit holds, each with its bytes as `data`."""
    from streamlit.runtime import get_instance

    held: Held = get_instance().uploaded_file_mgr.file_storage  # type: ignore[attr-defined]
    return held


class UploadLimits:
    """Middleware that turns an upload away before a byte of it is read, where there is no room for it.

    Streamlit bounds one file, and holds every file until its session ends, in memory, whether a page asked for it or
    not. What is on its way counts, so that many uploads at once do not all find the same room.
    """

    def __init__(self, app: ASGIApp, held: Callable[[], Held] = _held_now) -> None:
        self._app, self._held = app, held
        self._coming: dict[str, list[int]] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        place = _PLACE.search(scope["path"]) if scope["type"] == "http" and scope["method"] == "PUT" else None
        if place is None:
            await self._app(scope, receive, send)
            return
        session, length = place[1], Headers(scope=scope).get("content-length", "")
        if not length.isascii() or not length.isdecimal():
            await PlainTextResponse("Say how large the file is (Content-Length).", 411)(scope, receive, send)
            return
        if refusal := self._refusal(session, int(length)):
            status, sentence = refusal
            logs.event(_log, "An upload was turned away", level=logging.WARNING, why=sentence, bytes=int(length))
            await PlainTextResponse(sentence, status)(scope, receive, send)
            return
        self._coming.setdefault(session, []).append(int(length))
        try:
            await self._app(scope, receive, send)
        finally:
            self._coming[session].remove(int(length))
            if not self._coming[session]:
                del self._coming[session]

    def _refusal(self, session: str, n: int) -> tuple[int, str] | None:
        held, own = self._held(), list(self._coming.get(session, ()))
        own += [len(file.data) for file in list(held.get(session, {}).values())]
        if len(own) >= SESSION_FILES:
            return 413, f"One visitor may hold {SESSION_FILES:,} uploaded files: take some out of the lists first."
        if sum(own) + n > SESSION_MB * MEGABYTE:
            return 413, f"One visitor may hold {SESSION_MB} MB of uploads: take some out of the lists first."
        everybody = sum(len(file.data) for files in list(held.values()) for file in list(files.values()))
        if everybody + sum(map(sum, self._coming.values())) + n > all_megabytes() * MEGABYTE:
            return 503, "This server holds as many uploads as it can at the moment. Try again later."
        return None
