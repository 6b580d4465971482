"""Headers, origins, health and log of the server, without a server: the middleware and the routes as an ASGI client
sees them."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator

import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route, WebSocketRoute
from starlette.testclient import TestClient
from starlette.websockets import WebSocket, WebSocketDisconnect

from ui import guard, health, logs

OWN = "http://testserver"


async def _answer(request: Request) -> PlainTextResponse:
    return PlainTextResponse("reached")


async def _stream(websocket: WebSocket) -> None:
    await websocket.accept()
    await websocket.send_text("reached")
    await websocket.close()


@pytest.fixture
def client() -> Iterator[TestClient]:
    routes = [
        Route("/page", _answer),
        Route("/upload", _answer, methods=["PUT", "DELETE"]),
        WebSocketRoute("/stream", _stream),
        *health.ROUTES,
    ]
    with TestClient(Starlette(routes=routes, middleware=[Middleware(guard.Guard)]), base_url=OWN) as client:
        yield client


def _policy(client: TestClient, path: str = "/page") -> dict[str, str]:
    told = client.get(path).headers["content-security-policy"]
    return dict(part.strip().split(" ", 1) for part in told.split(";"))


@pytest.mark.parametrize("path", ["/page", "/healthz", "/nowhere"])
def test_every_answer_binds_the_browser(client: TestClient, path: str) -> None:
    told = client.get(path).headers
    assert told["x-content-type-options"] == "nosniff"
    assert told["x-frame-options"] == "SAMEORIGIN"
    assert told["referrer-policy"] == "same-origin"
    assert "microphone=()" in told["permissions-policy"] and "camera=(self)" in told["permissions-policy"]


def test_nothing_is_loaded_from_another_host(client: TestClient) -> None:
    policy = _policy(client)
    assert policy["default-src"] == "'self'" and policy["object-src"] == "'none'"
    allowed = {source for sources in policy.values() for source in sources.split()}
    hosts = {source for source in allowed if not source.startswith("'") and source not in ("data:", "blob:")}
    assert hosts == set()
    assert "'unsafe-eval'" not in allowed and "'unsafe-inline'" not in policy["script-src"]


def test_streamlits_own_inline_script_is_named() -> None:
    from base64 import b64encode
    from hashlib import sha256
    from html.parser import HTMLParser
    from pathlib import Path

    import streamlit

    class Inline(HTMLParser):
        """Another reader than the one under test."""

        def __init__(self) -> None:
            super().__init__()
            self.inside, self.found = False, list[str]()

        def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
            self.inside = tag == "script" and "src" not in dict(attributes)

        def handle_data(self, data: str) -> None:
            if self.inside:
                self.found.append(data)

        def handle_endtag(self, tag: str) -> None:
            self.inside = False

    page = Inline()
    page.feed((Path(streamlit.__file__).parent / "static" / "index.html").read_text(encoding="utf-8"))
    assert page.found
    for script in page.found:
        digest = b64encode(sha256(script.encode()).digest()).decode()
        assert f"'sha256-{digest}'" in guard.headers()["content-security-policy"]


def test_only_the_named_sites_may_frame_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(guard.EMBED, "https://course.example nonsense https://x.example; script-src *")
    told = guard.headers()
    assert told["content-security-policy"].endswith("frame-ancestors 'self' https://course.example")
    assert "x-frame-options" not in told


@pytest.mark.parametrize(
    "origin", ["http://evil.example", "http://localhost:9999", "null", "http://testserver.evil.example"]
)
def test_pages_of_other_sites_are_turned_away(client: TestClient, origin: str) -> None:
    for method in ("PUT", "DELETE"):
        refused = client.request(method, "/upload", headers={"origin": origin})
        assert refused.status_code == 403 and "reached" not in refused.text
        assert refused.headers["x-content-type-options"] == "nosniff"
    with pytest.raises(WebSocketDisconnect) as closed, client.websocket_connect("/stream", headers={"origin": origin}):
        pass
    assert closed.value.code == 1008


@pytest.mark.parametrize("origin", [OWN, None])
def test_its_own_pages_and_programs_enter(client: TestClient, origin: str | None) -> None:
    headers = {"origin": origin} if origin else {}
    assert client.put("/upload", headers=headers).text == "reached"
    with client.websocket_connect("/stream", headers=headers) as stream:
        assert stream.receive_text() == "reached"


def test_origins_that_the_settings_list_enter(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    import streamlit as st

    listed = {"server.corsAllowedOrigins": ["https://lab.example"]}
    monkeypatch.setattr(st, "get_option", lambda name: listed[name])
    assert client.put("/upload", headers={"origin": "https://lab.example"}).text == "reached"
    assert client.put("/upload", headers={"origin": "https://lab.example.evil"}).status_code == 403


def test_reading_stays_open_but_not_to_other_sites_scripts(client: TestClient) -> None:
    told = client.get("/page", headers={"origin": "http://evil.example"})
    assert told.text == "reached"
    assert "access-control-allow-origin" not in told.headers
    assert told.headers["cross-origin-resource-policy"] == "same-origin"


def test_health_and_readiness(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "ready", health.threading.Event())
    monkeypatch.setattr(health, "stopping", health.threading.Event())
    assert (client.get("/healthz").status_code, client.get("/readyz").status_code) == (200, 503)
    assert client.get("/readyz").json()["status"] == "starting"
    health.ready.set()
    told = client.get("/readyz")
    assert told.status_code == 200 and told.json()["status"] == "ok"
    assert set(told.json()) == {"status", "seconds_up", "memory_megabytes", "sessions", "training"}
    assert 10 < told.json()["memory_megabytes"] < 100_000
    health.stopping.set()
    assert (client.get("/healthz").status_code, client.get("/readyz").status_code) == (200, 503)


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch) -> Iterator[io.StringIO]:
    """What the log says; the loggers are as they were afterwards."""
    names = ("convlens", "ui", "cnn_core", "streamlit.error_util", "streamlit.some_module")
    before = {
        name: (log.handlers[:], log.propagate, log.level, log.filters[:])
        for name in names
        if (log := logging.getLogger(name))
    }
    written = io.StringIO()
    monkeypatch.setattr(logs._own_handler, "stream", written)
    yield written
    for name, (handlers, propagate, level, filters) in before.items():
        logger = logging.getLogger(name)
        logger.handlers, logger.propagate, logger.filters = handlers, propagate, filters
        logger.setLevel(level)


def test_a_log_line_is_json_with_the_events_fields(lines: io.StringIO, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(logs.KIND, "json")
    logs.set_up()
    try:
        raise ValueError("odd\nthing")
    except ValueError as error:
        logs.event(logging.getLogger("ui.x"), "A “page” failed", level=logging.ERROR, error=error, page="kernel", n=3)
    (line,) = lines.getvalue().splitlines()
    told = json.loads(line)
    assert told["message"] == "A “page” failed" and told["page"] == "kernel" and told["n"] == 3
    assert told["level"] == "ERROR" and told["time"].endswith("+00:00")
    assert "ValueError: odd" in told["traceback"]


def test_streamlits_own_loggers_speak_the_same(lines: io.StringIO, monkeypatch: pytest.MonkeyPatch) -> None:
    from streamlit.logger import get_logger

    late, doubled = get_logger("streamlit.some_module"), get_logger("streamlit.error_util")
    monkeypatch.setenv(logs.KIND, "json")
    logs.set_up()
    logs.set_up()
    late.warning("said once")
    doubled.error("Uncaught app execution")
    assert [json.loads(line)["message"] for line in lines.getvalue().splitlines()] == ["said once"]


def test_a_log_line_for_people(lines: io.StringIO, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(logs.KIND, "text")
    monkeypatch.setenv(logs.LEVEL, "warning")
    logs.set_up()
    logs.event(logging.getLogger("convlens"), "Not heard")
    logs.event(logging.getLogger("convlens"), "Heard", level=logging.WARNING, seconds=1.5)
    assert lines.getvalue().endswith(" WARNING Heard (seconds=1.5)\n") and "Not heard" not in lines.getvalue()
