"""Two replicas behind nginx on this machine, with the very configuration that docs/deploy.md offers."""

from __future__ import annotations

import http.client
import re
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from http.cookiejar import CookieJar
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests import server
from tests.e2e.test_teaching import FIRST, SECOND, answered, bars
from tests.visitors import Visitor

pytestmark = pytest.mark.long
CONFIGURATION = server.ROOT / "deploy" / "nginx.conf"


def nginx() -> str:
    """The path of nginx, installed where there is none."""
    found = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin:/opt/homebrew/bin")
    if found is None and shutil.which("apt-get"):
        for command in (["apt-get", "update"], ["apt-get", "install", "-y", "nginx-light"]):
            subprocess.run(command, check=False, timeout=600, stdin=subprocess.DEVNULL)
        found = shutil.which("nginx", path="/usr/sbin")
    assert found, "No nginx on this machine: install it to test the configuration."
    return found


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def configuration(listen: int, replicas: dict[str, str], folder: Path) -> str:
    """The shipped configuration with this test's ports and folders, and nothing else changed."""
    text = CONFIGURATION.read_text()
    changes = {
        r"listen 8080;": f"listen 127.0.0.1:{listen};",
        r"root deploy;": f"root {CONFIGURATION.parent};",
        r"access_log off;": f"access_log off; error_log {folder}/error.log;"
        + "".join(
            f"{kind}_temp_path {folder}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        ),
        **{
            rf"upstream {name} {{ server [\d.:]+; }}": f"upstream {name} {{ server {at}; }}"
            for name, at in replicas.items()
        },
    }
    for pattern, new in changes.items():
        text, count = re.subn(pattern, new, text)
        assert count == 1, pattern
    # A worker of its own user could not read this checkout where only root may.
    return f"pid {folder}/nginx.pid; daemon off; user root;\n" + text.replace(
        "worker_processes auto", "worker_processes 1"
    )


@dataclass
class Proxy:
    url: str
    replicas: dict[str, str]
    stop: Callable[[str], None]


@pytest.fixture(scope="module")
def proxy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxy]:
    folder = tmp_path_factory.mktemp("nginx")
    shared = {"CONVLENS_LOG": "json", "CONVLENS_ROOMS": str(folder / "rooms.db")}
    with ExitStack() as stack:
        each = {name: stack.enter_context(ExitStack()) for name in ("a", "b")}
        replicas = {
            name: own.enter_context(server.running(folder / f"{name}.log", shared)) for name, own in each.items()
        }
        port = _free_port()
        file = folder / "nginx.conf"
        file.write_text(
            configuration(port, {name: url.removeprefix("http://") for name, url in replicas.items()}, folder)
        )
        process = subprocess.Popen([nginx(), "-p", str(folder), "-c", str(file)])
        try:
            url = f"http://127.0.0.1:{port}"
            _until(lambda: _status(url) == 200)
            yield Proxy(url, replicas, lambda name: each[name].close())
        finally:
            process.terminate()
            process.wait(timeout=20)


def _until(true: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def _status(url: str) -> int:
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code
    except urllib.error.URLError:
        return 0


def visitor() -> tuple[urllib.request.OpenerDirector, Callable[[], str]]:
    """Somebody who keeps cookies, and the replica that theirs names."""
    jar = CookieJar()
    opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(jar))
    return opener, lambda: next(cookie.value or "" for cookie in jar if cookie.name == "convlens_replica")


def sessions(url: str) -> int:
    """How many visitors a replica serves now, asked of the replica itself."""
    import json

    with urllib.request.urlopen(f"{url}/healthz", timeout=10) as answer:
        return int(json.load(answer)["sessions"])


def _open(chrome: Browser, proxy: Proxy, replica: str, path: str) -> Page:
    context = chrome.new_context()
    context.add_cookies([{"name": "convlens_replica", "value": replica, "url": proxy.url}])
    page = context.new_page()
    page.goto(f"{proxy.url}/{path}")
    return page


def test_visitors_stay_where_they_were_met_and_are_spread(proxy: Proxy) -> None:
    met = []
    for _ in range(12):
        opener, replica = visitor()
        for path in ("", "kernel", "_stcore/health"):
            opener.open(f"{proxy.url}/{path}", timeout=10).read()
            met.append(replica())
        assert len(set(met[-3:])) == 1
    assert {"a", "b"} == set(met)


def test_figures_about_the_server_are_not_shown_outside(proxy: Proxy) -> None:
    assert [_status(f"{proxy.url}/{path}") for path in ("_stcore/metrics", "healthz", "readyz")] == [404] * 3
    assert _status(f"{proxy.url}/_stcore/health") == 200
    assert [_status(f"{url}/readyz") in (200, 503) for url in proxy.replicas.values()] == [True, True]


def test_too_large_an_upload_is_refused_before_it_is_read(proxy: Proxy) -> None:
    connection = http.client.HTTPConnection(proxy.url.removeprefix("http://"), timeout=20)
    connection.putrequest("PUT", "/_stcore/upload_file/x/y")
    connection.putheader("Content-Length", str(300 * 2**20))
    connection.endheaders()
    assert connection.getresponse().status == 413
    connection.close()


def test_a_class_on_both_replicas_guesses_in_one_room(proxy: Proxy) -> None:
    with Visitor(proxy.replicas["a"], "teach") as teacher:
        teacher.press("Open a room")
        (code,) = re.findall(r"Room ([A-HJKMNP-Z2-9]{5})$", teacher.text(), re.MULTILINE)
        link = f"pixels?teach=hidden,room~{code}"
        with Visitor(proxy.replicas["a"], link) as here, Visitor(proxy.replicas["b"], link) as there:
            here.press(FIRST)
            there.press(SECOND)
            for words in (f"{FIRST}: **1** of 2", f"{SECOND}: **1** of 2"):
                teacher.until(lambda v, words=words: words in bars(v), words)  # type: ignore[misc]
            teacher.press("Show to the class")
            there.until(lambda v: f"{FIRST}: **1** of 2" in bars(v), "the tally at the other replica")
            assert not answered(there)
            teacher.give(teacher.find("checkbox", "The class sees the answers"), True)
            there.until(answered, "the answer at the other replica")


def test_a_dead_replicas_visitors_are_told_and_the_others_go_on(
    chrome: Browser, proxy: Proxy, say: Callable[[str], None]
) -> None:
    stays = _open(chrome, proxy, "a", "kernel?stride=2")
    loses = _open(chrome, proxy, "b", "kernel?stride=3")
    for page in (stays, loses):
        expect(page.get_by_role("heading", name="Convolution kernel", level=1)).to_be_visible(timeout=90_000)
    # Their websockets went to the replica that the cookie names, and nowhere else.
    assert [sessions(url) for url in proxy.replicas.values()] == [1, 1]

    begun = time.monotonic()
    proxy.stop("b")
    say(f"a replica with a visitor stops in {time.monotonic() - begun:.1f} s when told to")

    # The page that stands open says so in words for a visitor, none of Streamlit's for its developer.
    lost = loses.get_by_role("dialog", name="Connection error")
    expect(lost).to_be_visible()
    shown = "dialog => getComputedStyle(dialog.lastElementChild, '::before').content"
    # Streamlit fills its dialog after it has opened it.
    _until(lambda: "connects again by itself" in lost.evaluate(shown))
    assert "streamlit run" not in lost.inner_text()

    loses.reload()
    expect(loses.get_by_role("heading", name="This copy of ConvLens does not answer")).to_be_visible()
    assert "nginx" not in loses.inner_text("body")
    # The others notice nothing: the same page goes on, and new links open.
    assert "stride=2" in stays.url and sessions(proxy.replicas["a"]) == 1
    stays.goto(f"{proxy.url}/pooling")
    expect(stays.get_by_role("heading", name="ReLU and pooling", level=1)).to_be_visible(timeout=60_000)

    # Who wants to goes on elsewhere, on the page and with the settings that the address holds.
    loses.get_by_role("link", name="Go on at another copy").click()
    expect(loses.get_by_role("heading", name="Convolution kernel", level=1)).to_be_visible(timeout=60_000)
    assert loses.url == f"{proxy.url}/kernel?stride=3"
    assert {c["value"] for c in loses.context.cookies() if c["name"] == "convlens_replica"} == {"a"}
    assert sessions(proxy.replicas["a"]) == 2
