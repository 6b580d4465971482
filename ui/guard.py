"""What stands between the network and Streamlit: headers that bind the browser, and no page of another site let in."""

from __future__ import annotations

import logging
import os
import re
from base64 import b64encode
from hashlib import sha256
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ui import health, logs

EMBED: Final = "CONVLENS_EMBED_FROM"
"""Environment variable: origins, with spaces between, whose pages may show ConvLens in a frame (a course's site)."""

_log = logging.getLogger(__name__)

# Streamlit's page needs inline styles (its theme). Nothing is loaded from, or sent to, any other host. No script runs
# but the server's own: its files, our components' (a blob: of one line imports them, since Streamlit hands code over as
# text), and the few lines in its page that `_inline_scripts` names by their digest.
_POLICY: Final = {
    "default-src": "'self'",
    "style-src": "'self' 'unsafe-inline'",
    "img-src": "'self' data: blob:",
    "media-src": "'self' data: blob:",
    "font-src": "'self' data:",
    "connect-src": "'self' data: blob:",
    "worker-src": "'self' blob:",
    "frame-src": "'self'",
    "object-src": "'none'",
    "base-uri": "'self'",
    "form-action": "'self'",
}


def headers() -> dict[str, str]:
    """The headers that every answer carries."""
    embedding = [origin for origin in os.environ.get(EMBED, "").split() if _is_origin(origin)]
    scripts = " ".join(["'self'", "blob:", *_inline_scripts()])
    policy = {**_POLICY, "script-src": scripts, "frame-ancestors": " ".join(["'self'", *embedding])}
    told = {
        "content-security-policy": "; ".join(f"{name} {value}" for name, value in policy.items()),
        "x-content-type-options": "nosniff",
        "referrer-policy": "same-origin",
        "permissions-policy": "camera=(self), microphone=(), geolocation=(), payment=(), usb=()",
        "cross-origin-opener-policy": "same-origin",
        "cross-origin-resource-policy": "same-origin",
    }
    if not embedding:
        told["x-frame-options"] = "SAMEORIGIN"  # for browsers that do not know frame-ancestors; it knows no list
    return told


def _inline_scripts() -> list[str]:
    """The scripts that stand in Streamlit's own page, as a policy names them: 'sha256-...'."""
    import streamlit

    page = Path(streamlit.__file__).parent / "static" / "index.html"
    scripts = re.findall(r"<script>(.*?)</script>", page.read_text(encoding="utf-8"), re.DOTALL)
    return [f"'sha256-{b64encode(sha256(script.encode()).digest()).decode()}'" for script in scripts]


def _is_origin(text: str) -> bool:
    parts = urlsplit(text)
    return parts.scheme in ("http", "https") and bool(parts.netloc) and not parts.path.strip("/") and ";" not in text


class Guard:
    """Middleware round the whole server: it adds the headers, and turns away what another site's page asks for.

    A browser names the site that asks in `Origin`. Streamlit lets every port of localhost in, and looks its own public
    address up on the internet before it refuses any other; here only the address that the visitor sees is let in, and
    those that `server.corsAllowedOrigins` lists.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._headers = headers()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        if not health.is_look(scope["path"]):
            health.visited.set()
        if not self._may_enter(scope):
            logs.event(
                _log,
                "A page of another site was turned away",
                level=logging.WARNING,
                origin=Headers(scope=scope).get("origin", "")[:200],
                path=scope["path"][:200],
            )
            if scope["type"] == "websocket":
                await receive()
                await send({"type": "websocket.close", "code": 1008})
                return
            refusal = PlainTextResponse("ConvLens answers its own pages only.", status_code=403, headers=self._headers)
            await refusal(scope, receive, send)
            return

        if scope["type"] == "websocket":  # each of a page's hundred messages passes here: none has headers
            await self._app(scope, receive, send)
            return

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                kept = MutableHeaders(scope=message)
                for name, value in self._headers.items():
                    kept.setdefault(name, value)
            await send(message)

        await self._app(scope, receive, with_headers)

    def _may_enter(self, scope: Scope) -> bool:
        if scope["type"] == "http" and scope["method"] in ("GET", "HEAD", "OPTIONS"):
            return True  # it changes nothing, and without a CORS header the other site's page cannot read the answer
        asked = Headers(scope=scope)
        origin = asked.get("origin")
        if origin is None:  # no browser: a script, or a health check
            return True
        return urlsplit(origin).netloc == asked.get("host") or origin in _also_allowed()


def _also_allowed() -> frozenset[str]:
    import streamlit as st

    listed: list[str] = st.get_option("server.corsAllowedOrigins") or []
    return frozenset(origin.strip() for origin in listed)
