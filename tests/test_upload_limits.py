"""Uploads are turned away, before they are read, where a session or the server holds enough."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any

import httpx2 as httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from ui import upload_limits
from ui.upload_limits import UploadLimits


class Server:
    """Stands for Streamlit: it keeps what comes, and may be told to be slow."""

    def __init__(self) -> None:
        self.held: dict[str, dict[str, Any]] = {}
        self.slow = asyncio.Event()
        self.slow.set()
        self.reads = 0

    async def keep(self, request: Request) -> Response:
        await self.slow.wait()
        data = await request.body()
        self.reads += 1
        where = self.held.setdefault(request.path_params["session"], {})
        where[request.path_params["file"]] = SimpleNamespace(data=data)
        return Response(status_code=204)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Server:
    # Kilobytes for megabytes.
    monkeypatch.setattr(upload_limits, "MEGABYTE", 1_024)
    monkeypatch.setenv("CONVLENS_UPLOADS_MB", "1000")
    return Server()


def client(server: Server) -> httpx.AsyncClient:
    routes = [Route("/_stcore/upload_file/{session}/{file}", server.keep, methods=["PUT", "DELETE"])]
    app = UploadLimits(Starlette(routes=routes), lambda: server.held)
    return httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://here")


def run(visit: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """In a thread of its own: after a browser test, this one already has Playwright's loop."""
    with ThreadPoolExecutor(1) as thread:
        thread.submit(lambda: asyncio.run(visit())).result()


def put(browser: httpx.AsyncClient, session: str, file: str, kilobytes: int) -> Any:
    return browser.put(f"/_stcore/upload_file/{session}/{file}", content=bytes(1_024 * kilobytes))


def test_a_session_and_all_of_them_together_are_bounded(server: Server) -> None:
    async def visit() -> None:
        async with client(server) as browser:
            assert (await put(browser, "a", "1", 300)).status_code == 204
            refused = await put(browser, "a", "2", 300)
            assert refused.status_code == 413 and "One visitor may hold 512 MB" in refused.text
            assert (await put(browser, "a", "2", 212)).status_code == 204  # to the last byte
            assert (await put(browser, "b", "1", 400)).status_code == 204
            refused = await put(browser, "c", "1", 400)
            assert refused.status_code == 503 and "as many uploads as it can" in refused.text
            assert server.reads == 3
            del server.held["a"]  # the session ended
            assert (await put(browser, "c", "1", 400)).status_code == 204

    run(visit)


def test_what_is_on_its_way_counts(server: Server) -> None:
    async def visit() -> None:
        async with client(server) as browser:
            server.slow.clear()
            first = asyncio.create_task(put(browser, "a", "1", 400))
            await asyncio.sleep(0.05)
            assert (await put(browser, "a", "2", 400)).status_code == 413
            server.slow.set()
            assert (await first).status_code == 204

    run(visit)


def test_the_number_of_files_is_bounded(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upload_limits, "SESSION_FILES", 3)

    async def visit() -> None:
        async with client(server) as browser:
            found = [(await put(browser, "a", str(i), 0)).status_code for i in range(4)]
            assert found == [204, 204, 204, 413]

    run(visit)


def test_a_file_of_unsaid_size_is_not_taken(server: Server) -> None:
    async def parts() -> AsyncIterator[bytes]:
        yield b"x"

    async def visit() -> None:
        async with client(server) as browser:
            answer = await browser.put("/_stcore/upload_file/a/1", content=parts())
            assert answer.status_code == 411 and server.held == {}

    run(visit)
