"""Weights are downloaded whole and checked, or not at all; every test serves its own file."""

from __future__ import annotations

import hashlib
import http.server
import os
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
import torchvision.models as tvm

import cnn_core as cc
from cnn_core.models import fetch

KEY = "shufflenet_v2_x0_5"
CONTENT = bytes(range(256)) * 4000  # 1,024,000 bytes: several chunks


class Server:
    """Serves one file, and can claim another length for it."""

    def __init__(self) -> None:
        self.claimed_length: int | None = len(CONTENT)
        self.requests = 0
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.requests += 1
                if "missing" in self.path:
                    self.send_error(404)
                    return
                self.send_response(200)
                if outer.claimed_length is not None:
                    self.send_header("Content-Length", str(outer.claimed_length))
                self.end_headers()
                self.wfile.write(CONTENT)

            def log_message(self, format: str, *args: object) -> None:
                pass

        self.http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self.http.server_port}"
        self.thread = threading.Thread(target=self.http.serve_forever, kwargs={"poll_interval": 0.02})
        self.thread.start()

    def stop(self) -> None:
        self.http.shutdown()
        self.thread.join()
        self.http.server_close()


@pytest.fixture
def server() -> Iterator[Server]:
    serving = Server()
    yield serving
    serving.stop()


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.delenv("CONVLENS_WEIGHTS", raising=False)
    for proxy in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(proxy, raising=False)
    return tmp_path / "hub" / "checkpoints"


def offer(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    """Let the model's weights entry name another address."""
    monkeypatch.setattr(fetch, "preferred_entry", lambda key: SimpleNamespace(url=url))


def right_name() -> str:
    return f"weights-{hashlib.sha256(CONTENT).hexdigest()[:8]}.pth"


def nothing_left(folder: Path) -> bool:
    return not folder.exists() or not list(folder.iterdir())


def test_the_file_arrives_whole_with_progress(server: Server, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    offer(monkeypatch, f"{server.address}/{right_name()}")
    reports: list[tuple[int, int]] = []
    path = cc.fetch_weights(KEY, on_progress=lambda done, total: reports.append((done, total)))
    assert path == folder / right_name() and path.read_bytes() == CONTENT
    assert [p.name for p in folder.iterdir()] == [right_name()]
    assert reports[-1] == (len(CONTENT), len(CONTENT)) and len(reports) > 2
    assert [done for done, _ in reports] == sorted({done for done, _ in reports})


def test_who_may_read_the_file_is_decided_by_the_umask(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    offer(monkeypatch, f"{server.address}/{right_name()}")
    before = os.umask(0o027)
    try:
        path = cc.fetch_weights(KEY)
        (tmp_path / "plain").write_bytes(b"")
    finally:
        os.umask(before)
    assert path.stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_two_downloads_side_by_side_do_not_mix(server: Server, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    offer(monkeypatch, f"{server.address}/{right_name()}")
    meeting = threading.Barrier(2, timeout=30)
    paths: list[Path] = []

    def download() -> None:
        met: list[int] = []

        def meet(done: int, total: int) -> None:
            if not met:  # both hold their first chunk before either goes on
                met.append(meeting.wait())

        paths.append(cc.fetch_weights(KEY, on_progress=meet))

    threads = [threading.Thread(target=download) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert paths == [folder / right_name()] * 2 and server.requests == 2
    assert [p.name for p in folder.iterdir()] == [right_name()] and paths[0].read_bytes() == CONTENT


def test_progress_without_a_length(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    server.claimed_length = None
    offer(monkeypatch, f"{server.address}/{right_name()}")
    totals: set[int] = set()
    cc.fetch_weights(KEY, on_progress=lambda done, total: totals.add(total))
    assert totals == {0}


def test_a_local_address_works_too(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / right_name()).write_bytes(CONTENT)
    offer(monkeypatch, (tmp_path / right_name()).as_uri())
    assert cc.fetch_weights(KEY).read_bytes() == CONTENT


def test_weights_that_are_there_are_not_fetched_again(
    server: Server, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    offer(monkeypatch, f"{server.address}/{right_name()}")
    folder.mkdir(parents=True)
    there = folder / tvm.ShuffleNet_V2_X0_5_Weights.DEFAULT.url.rsplit("/", 1)[-1]
    there.write_bytes(b"already here")
    assert cc.fetch_weights(KEY) == there
    assert cc.fetch_weights("mobilenet_v2").name == "mobilenet_v2_fp16.safetensors"
    assert server.requests == 0


def test_another_file_than_the_published_one_is_thrown_away(
    server: Server, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("weights-00000000.pth", "weights.pth"):  # a wrong hash, and none to compare with
        offer(monkeypatch, f"{server.address}/{name}")
        with pytest.raises(cc.WeightsUnavailable, match="SHA-256"):
            cc.fetch_weights(KEY)
        assert nothing_left(folder)


def test_a_download_that_ends_early_is_thrown_away(
    server: Server, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.claimed_length = len(CONTENT) + 1000
    offer(monkeypatch, f"{server.address}/{right_name()}")
    with pytest.raises(cc.WeightsUnavailable, match=r"ended early|could not be fetched"):
        cc.fetch_weights(KEY)
    assert nothing_left(folder)


def test_a_download_can_be_stopped(server: Server, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    offer(monkeypatch, f"{server.address}/{right_name()}")
    reports: list[int] = []
    with pytest.raises(cc.WeightsUnavailable, match="stopped; nothing was kept"):
        cc.fetch_weights(
            KEY, on_progress=lambda done, total: reports.append(done), should_stop=lambda: len(reports) == 2
        )
    assert len(reports) == 2 and nothing_left(folder)


class Left(Exception):
    """A page's way of stopping: the visitor went elsewhere."""


@pytest.mark.parametrize("stop", [KeyboardInterrupt, Left])
def test_an_interrupt_leaves_nothing_behind(
    stop: type[BaseException], server: Server, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    offer(monkeypatch, f"{server.address}/{right_name()}")
    partial: list[str] = []

    def interrupt(done: int, total: int) -> None:
        partial.extend(path.name for path in folder.iterdir())
        raise stop

    with pytest.raises(stop):
        cc.fetch_weights(KEY, on_progress=interrupt)
    assert len(partial) == 1 and nothing_left(folder)


def test_no_server_and_no_file_are_said_in_one_sentence(
    server: Server, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        silent = f"http://127.0.0.1:{free.getsockname()[1]}/x-12345678.pth"
    for url in (silent, f"{server.address}/missing-12345678.pth", "http://no-such-host.invalid/x-12345678.pth"):
        offer(monkeypatch, url)
        with pytest.raises(cc.WeightsUnavailable, match=r"could not be fetched from .*Check the internet") as caught:
            cc.fetch_weights(KEY)
        assert "\n" not in str(caught.value) and nothing_left(folder)


def test_a_folder_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "hub").write_text("a file stands where the folder should be")
    offer(monkeypatch, "file:///nowhere-12345678.pth")
    with pytest.raises(cc.WeightsUnavailable, match="could not be stored"):
        cc.fetch_weights(KEY)


def test_unknown_models_are_refused() -> None:
    with pytest.raises(cc.UnknownModel, match="shufflenet"):
        cc.fetch_weights("shufflenet_v2_x9_9")


def test_what_was_fetched_loads(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        torch.save(tvm.shufflenet_v2_x0_5(weights=None).state_dict(), tmp_path / "published.pth")
    # Served under the published name; only the comparison with the published hash is answered for this other file.
    name = tvm.ShuffleNet_V2_X0_5_Weights.DEFAULT.url.rsplit("/", 1)[-1]
    (tmp_path / "published.pth").rename(tmp_path / name)
    digest = hashlib.sha256((tmp_path / name).read_bytes()).hexdigest()
    offer(monkeypatch, (tmp_path / name).as_uri())
    with pytest.raises(cc.WeightsUnavailable, match="SHA-256"):
        cc.fetch_weights(KEY)
    monkeypatch.setattr(fetch, "_HASH", SimpleNamespace(search=lambda _: ["", digest[:8]]))
    assert cc.fetch_weights(KEY).name == name
    assert cc.load_model(KEY, device="cpu").weights == "default"
