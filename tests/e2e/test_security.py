"""The running app as an attacker meets it: forged requests, other sites' pages, uploads past the bounds."""

from __future__ import annotations

import http.client
import json
import re
from urllib.parse import urlsplit

import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from tests.visitors import Visitor

BOUNDARY = "----convlens"


def ask(url: str, method: str, path: str, body: bytes = b"", **headers: str) -> http.client.HTTPResponse:
    """One request; the answer with its body read."""
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=20)
    connection.request(method, path, body or None, {name.replace("_", "-"): value for name, value in headers.items()})
    answer = connection.getresponse()
    answer.body = answer.read().decode(errors="replace")  # type: ignore[attr-defined]
    connection.close()
    return answer


def multipart(content: bytes) -> tuple[bytes, str]:
    """A form with one file, and its content type."""
    head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="f"; filename="x.png"\r\n\r\n'
    return head.encode() + content + f"\r\n--{BOUNDARY}--\r\n".encode(), f"multipart/form-data; boundary={BOUNDARY}"


def token(url: str) -> str:
    """The token that a browser gets with its first answer."""
    cookies = ask(url, "GET", "/_stcore/health").getheader("set-cookie") or ""
    (found,) = re.findall(r"_streamlit_xsrf=([^;]+)", cookies)
    assert "SameSite=Lax" in cookies
    return str(found)


def test_an_upload_needs_the_token_a_session_and_an_honest_size(server_url: str) -> None:
    body, kind = multipart(b"content")
    good = token(server_url)
    path = "/_stcore/upload_file/no-such-session/no-such-file"
    cookie = f"_streamlit_xsrf={good}"
    refused = {
        "no token": ask(server_url, "PUT", path, body, Content_Type=kind),
        "a cookie and no token": ask(server_url, "PUT", path, body, Content_Type=kind, Cookie=cookie),
        "another's token": ask(
            server_url, "PUT", path, body, Content_Type=kind, Cookie=cookie, X_Xsrftoken=token(server_url)
        ),
        "a deletion without a token": ask(server_url, "DELETE", path),
        "another site": ask(
            server_url,
            "PUT",
            path,
            body,
            Content_Type=kind,
            Cookie=cookie,
            X_Xsrftoken=good,
            Origin="http://evil.example",
        ),
    }
    assert {why: answer.status for why, answer in refused.items()} == dict.fromkeys(refused, 403)
    # With the token, a session that is not there.
    told = ask(server_url, "PUT", path, body, Content_Type=kind, Cookie=cookie, X_Xsrftoken=good)
    assert told.status == 400 and "session" in told.body  # type: ignore[attr-defined]
    for answer in (*refused.values(), told):
        assert "Traceback" not in answer.body  # type: ignore[attr-defined]
        assert answer.getheader("x-content-type-options") == "nosniff"
        assert answer.getheader("access-control-allow-origin") != "http://evil.example"


@pytest.mark.parametrize("origin", ["http://evil.example", "http://localhost:1", "null"])
def test_another_sites_page_gets_no_session(server_url: str, origin: str) -> None:
    address = server_url.replace("http", "ws", 1) + "/_stcore/stream"
    with pytest.raises(InvalidStatus) as refused:
        connect(address, origin=origin, subprotocols=["streamlit"])  # type: ignore[arg-type]
    assert refused.value.response.status_code == 403


def test_the_page_and_its_files_bind_the_browser(server_url: str) -> None:
    page = ask(server_url, "GET", "/")
    script = re.search(r'src="\./(static/js/index[^"]+)"', page.body)  # type: ignore[attr-defined]
    assert script
    for path in (
        "/",
        "/kernel?stride=2",
        f"/{script[1]}",
        "/_stcore/health",
        "/media/nothing.png",
        "/../../etc/passwd",
    ):
        told = ask(server_url, "GET", path)
        policy = told.getheader("content-security-policy") or ""
        assert "default-src 'self'" in policy and "unsafe-eval" not in policy, path
        assert told.getheader("x-frame-options") == "SAMEORIGIN"
        assert "root:x:0" not in told.body  # type: ignore[attr-defined]


def test_no_program_drives_the_app(server_url: str) -> None:
    """Streamlit's agent interface, which is off by default, stays off."""
    told = ask(server_url, "POST", "/_stcore/agent/interact", b"{}", Content_Type="application/json")
    assert told.status == 403
    assert json.loads(told.body)  # type: ignore[attr-defined]


def test_odd_addresses_get_a_sentence_and_no_markup(server_url: str) -> None:
    """What an address says reaches the page as text."""
    with Visitor(server_url, "kernel?stride=<script>alert(1)</script>&model=../../etc&picture=%00") as visitor:
        told = [element.body for element in visitor.elements("alert")]
        assert any("stride" in sentence and "cannot be read" in sentence for sentence in told)
        assert not any("<script>" in sentence for sentence in told), "escaped, or not there"
        assert not visitor.broken
