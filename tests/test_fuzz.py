"""Damaged files, mutated addresses and any value for any widget: no traceback, no hang, and the right numbers after."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import cnn_core as cc
from cnn_core.bias.annotations import read as read_annotations
from cnn_core.bias.uploads import PictureFolder
from cnn_core.change_text import from_json, from_text
from cnn_core.training import built, own_data
from cnn_core.training.storage import unzip_run
from tests import fuzz_files, fuzz_pages, fuzzing
from tests.server import running
from tests.visitors import Visitor
from ui import progress, session, shell
from ui.widgets import share

# Damaged pictures make Pillow warn of what is wrong with them.
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")

MOST_SECONDS = 10.0
PAGES = ["" if lesson.default else lesson.key for lesson in shell.PAGES]


# --- files, read as the pages read them


def _folder(name: str, content: bytes) -> object:
    folder = PictureFolder()
    try:
        return folder.add_zip(content)
    finally:
        folder.close()


READERS: dict[str, tuple[Callable[[], Sequence[fuzz_files.File]], Callable[[str, bytes], object]]] = {
    "pictures": (fuzz_files.pictures, lambda name, content: cc.load_image(content, name=name)),
    "a zip to audit": (fuzz_files.zips, _folder),
    "a zip to learn from": (fuzz_files.zips, lambda name, content: own_data.prepare(own_data.unzip(content))),
    "boxes and masks": (
        fuzz_files.annotations,
        lambda name, content: read_annotations({name: content}, {"cow/1.png": (24, 29), "cow/2.png": (24, 29)}),
    ),
    "weights": (
        fuzz_files.checkpoints,
        lambda name, content: cc.load_checkpoint(content, architecture="lenet5", device="cpu"),
    ),
    "a saved run": (lambda: fuzz_files.runs()[:1], lambda name, content: unzip_run(content)),
    "changes": (lambda: fuzz_files.texts("changes"), lambda name, content: from_json(content)),
    "progress": (lambda: fuzz_files.texts("progress"), lambda name, content: progress.from_json(content)),
}


def read_damaged(kind: str, seeds: range) -> None:
    files, read = READERS[kind]
    for file in files():
        read(*file)  # whole, each is taken
    for seed in seeds:
        rng = random.Random(f"{kind} {seed}")
        name, content = fuzz_files.damaged_file(rng, rng.choice(files()))
        begun = time.perf_counter()
        try:
            read(name, content)
        except cc.ConvLensError as refusal:
            assert 10 < len(str(refusal)) < 1000, f"{kind} {seed}: {refusal}"
        except Exception as error:
            raise AssertionError(f"{kind}, seed {seed}, file {name!r}: {error!r}") from error
        assert time.perf_counter() - begun < MOST_SECONDS, f"{kind}, seed {seed}"


@pytest.mark.parametrize("kind", READERS)
def test_a_damaged_file_is_read_or_refused_in_a_sentence(kind: str) -> None:
    read_damaged(kind, range(25))


@pytest.mark.long
@pytest.mark.parametrize("kind", READERS)
def test_two_thousand_damaged_files_of_each_kind(kind: str) -> None:
    read_damaged(kind, range(25, 2_025))


# --- texts of an address

TEXT = st.one_of(
    st.text(max_size=60),
    st.text(alphabet="0123456789abcx~,.:-_+e∞٣ \n", max_size=60),
    st.sampled_from(fuzzing.TEXTS),
    st.builds(
        lambda seed, good: fuzzing.damaged_text(random.Random(seed), good),
        st.integers(0, 2**32),
        st.sampled_from([text for texts in fuzzing.ADDRESSES.values() for text in texts]),
    ),
)


@settings(max_examples=150, deadline=None)
@given(TEXT)
def test_any_text_in_an_address_is_read_or_refused(text: str) -> None:
    for parameter in session.PARAMETERS.values():
        try:
            value = parameter.parse(text)
        except ValueError:
            continue
        # What is taken stands in the address again as it is, and a link that is passed on says the same.
        assert parameter.parse(str(value)) == value
    for read in (from_text, built.parse):
        try:
            read(text)
        except cc.InvalidOption as refusal:
            assert str(refusal)


# --- the running server


class Siege:
    """Visitors that send nonsense, one input after another, and what came of it."""

    def __init__(self, url: str, log: Path, seed: int) -> None:
        self._url, self._log, self._rng = url, log, random.Random(seed)
        self._visitor = self._fresh()
        self.n, self.slowest, self.stale = 0, 0.0, 0
        self._last: Any = None

    def _fresh(self) -> Visitor:
        return Visitor(self._url, timeout=60)

    def run(self, n: int) -> None:
        """Send at least `n` inputs."""
        while self.n < n:
            if self.n % 50 > 45:
                self._visitor.close()
                self._visitor = self._fresh()
            if self._rng.random() < 0.1:
                self._play()
                continue
            page = self._rng.choice(PAGES)
            plain = self._rng.random() < 0.4
            self._send(self._visitor.open, page if plain else fuzzing.address(self._rng, page))
            for _ in range(self._rng.choice((1, 3, 6))):
                if self._rng.random() < 0.15:
                    self._send(self._upload)
                else:
                    self._send(fuzzing.poke, self._rng, self._visitor)
        self._visitor.close()

    def _play(self) -> None:
        """Bring a network, or boxes, through the page."""
        visitor = self._visitor
        for act, *how in fuzz_pages.scene(self._rng, visitor):
            self._send(act, *how)
            if visitor is not self._visitor:
                return  # a message was dropped, and a newcomer stands where the scene began

    def _send(self, act: Callable[..., Any], *how: Any) -> None:
        begun, read = time.monotonic(), self._log.stat().st_size
        try:
            self._last = act(*how)
        except AssertionError as error:
            # A fragment that went while its widget was told something: the server drops such a message, and says so.
            if "No answer" not in str(error) or b"does not exist anymore" not in self._log.read_bytes()[read:]:
                raise AssertionError(f"Input {self.n}, {how[:1]}, after {self._last}: {error}") from error
            self.stale += 1
            self._visitor.close()
            self._visitor = self._fresh()
            return
        self.n += 1
        self.slowest = max(self.slowest, time.monotonic() - begun)
        assert self._visitor.broken == [], f"Input {self.n}, {how[:1]}, {self._last}: {self._visitor.broken}"

    def _upload(self) -> str:
        """Give a damaged file to one of the page's uploaders."""
        places = self._visitor.elements("file_uploader")
        if not places:
            return ""
        place = self._rng.choice(places)
        kinds = set(place.type)
        if ".png" in kinds:
            files: Sequence[fuzz_files.File] = fuzz_files.pictures()
        elif ".json" in kinds:
            files = (*fuzz_files.texts("changes"), *fuzz_files.texts("progress"), *fuzz_files.runs()[1:])
        else:
            files = (*fuzz_files.zips(), *fuzz_files.runs()[:1])
        name, content = fuzz_files.damaged_file(self._rng, self._rng.choice(files))
        return fuzz_pages.upload(self._visitor, place.label, name, content)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    log = tmp_path_factory.mktemp("fuzz") / "server.log"
    with running(log) as url:
        Visitor(url, "gradcam", timeout=90).close()  # the default network is loaded
        yield url, log


def besiege(server: tuple[str, Path], n: int, seed: int) -> Siege:
    url, log = server
    begun, read = time.monotonic(), log.stat().st_size
    siege = Siege(url, log, seed)
    siege.run(n)
    told = log.read_bytes()[read:].decode(errors="replace")
    assert "Traceback" not in told and "A page failed" not in told, told[-3000:]
    right_afterwards(url)
    print(f"{siege.n} inputs in {time.monotonic() - begun:.0f} s, slowest {siege.slowest:.2f} s, {siege.stale} dropped")
    return siege


def right_afterwards(url: str) -> None:
    """A newcomer sees the very numbers that the library computes here."""
    classifier = cc.load_model("mobilenet_v2")
    picture = cc.load_image(shell.ROOT / "assets" / "samples" / "panda.jpg")
    top = cc.trace(classifier, picture).top(5)
    with Visitor(url, "gradcam?picture=panda", timeout=30) as newcomer:
        chips = [button.label for button in newcomer.elements("button") if "-cl_class_target_" in button.id]
    assert chips == [f"{one.name} {share(one.probability)}" for one in top]


def test_a_server_under_nonsense_answers_and_stays_right(server: tuple[str, Path]) -> None:
    besiege(server, 60, seed=1)


@pytest.mark.long
def test_two_thousand_inputs(server: tuple[str, Path]) -> None:
    with Visitor(server[0], timeout=90) as first:
        for page in PAGES:
            first.open(page)  # what is loaded once and kept is no matter of the inputs
    siege = besiege(server, 2_000, seed=2)
    assert siege.slowest < MOST_SECONDS and siege.stale < 20
