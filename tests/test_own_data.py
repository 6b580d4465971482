"""A learner's own pictures: what is taken, what is refused in a sentence, how it is split, and that it is let go."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import cnn_core as cc
from cnn_core.training import own_data
from cnn_core.training.data import data_set, load_data_set
from cnn_core.training.own_data import File, OwnData, prepare, unzip
from tests.fuzz_files import zipped


def picture(seed: int, colour: int = 0, size: tuple[int, int] = (50, 70)) -> bytes:
    pixels = np.random.default_rng(seed).integers(0, 80, (*size, 3), dtype=np.uint8)
    pixels[..., colour] += 150
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def files(reds: int = 5, blues: int = 5) -> list[File]:
    return [File("red", f"r{i}.png", picture(i)) for i in range(reds)] + [
        File("blue", f"b{i}.png", picture(100 + i, 2)) for i in range(blues)
    ]


def folders(**more: bytes) -> dict[str, bytes]:
    return {f"pets/{file.label}/{file.name}": file.content for file in files()} | more


def made(given: list[File]) -> OwnData:
    found = prepare(given)
    assert found is not None
    return found


@pytest.fixture
def held() -> Iterator[OwnData]:
    own = made(files())
    own_data.hold(own)
    yield own
    own_data.release(own.key)


def test_two_classes_of_five_train(held: OwnData) -> None:
    """Point 6 of the issue: red against blue is learned from four pictures each, and the fifth is named right."""
    run = cc.train(
        "build", seed=0, network="build:conv8k3s2-relu-conv8k3s2-relu-gap-linear", data=held.key,
        n_train=8, batch_size=8, steps=60, learning_rate=0.02,
    )  # fmt: skip
    assert held.counts() == (("blue", 4, 1), ("red", 4, 1))
    assert run.state == "finished" and run.train_accuracy == run.test_accuracy == 1.0
    classifier = run.classifier()
    assert classifier.class_names == ("blue", "red")
    assert cc.trace(classifier, cc.load_image(picture(999))).top(1)[0].name == "red"


def test_a_zip_with_class_folders_is_read_and_clutter_is_not() -> None:
    clutter = {"__MACOSX/pets/red/._r0.png": b"x", "pets/red/.DS_Store": b"x", "pets/red/Thumbs.db": b"x"}
    found = unzip(zipped(folders(**clutter, **{"pets/notes.txt": b"hello"})))
    assert sorted((file.label, file.name) for file in found) == sorted((f.label, f.name) for f in files())


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"no zip at all", "not a zip that can be read"),
        (zipped(folders())[:-40], "not a zip that can be read"),
        (zipped({}), "holds no pictures"),
        (zipped({"a.txt": b"x"}), "holds no pictures"),
        (zipped({"1.png": picture(1)}), "lies in no folder"),
        (zipped(folders(**{"../evil/1.png": picture(1)})), "leads out of it"),
        (zipped(folders(**{"/etc/1.png": picture(1)})), "leads out of it"),
        (zipped(folders(**{"..\\evil\\1.png": picture(1)})), "leads out of it"),
        (zipped(folders(**{"C:/evil/1.png": picture(1)})), "leads out of it"),
        (zipped(folders(**{"pets/green/": b""})), "The class 'green' is empty"),
        (zipped(folders(**{"pets/green/notes.txt": b"x"})), "The class 'green' is empty"),
        (zipped(folders(**{"pets/red/huge.png": bytes(own_data.MAX_FILE_BYTES + 1)})), "more than 10 MB"),
    ],
)
def test_a_zip_that_is_no_good_is_refused_in_a_sentence(content: bytes, words: str) -> None:
    with pytest.raises(cc.InvalidImage) as caught:
        unzip(content)
    assert words in str(caught.value)


def test_a_zip_bomb_is_not_unpacked() -> None:
    """40 files of 9 MB of zeros are a zip of 360 kB; neither what they say of themselves nor a lie gets them in."""
    many = zipped({f"a/{i}.png": bytes(9 * 2**20) for i in range(40)})
    assert len(many) < 2**20
    with pytest.raises(cc.InvalidImage, match="larger than the 300 MB"):
        unzip(many)
    true, said = ((n).to_bytes(4, "little") for n in (11 * 2**20, 5))
    one = zipped({"a/1.png": bytes(11 * 2**20)})
    assert one.count(true) == 2, "what the entry says of its size, in both headers"
    with pytest.raises(cc.InvalidImage):
        unzip(one.replace(true, said))


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ([], "There are no pictures"),
        (files(blues=0), "of one class, 'red'"),
        (files(blues=4), "The class 'blue' has 4 pictures that can be used; it needs at least 5"),
        ([*files(blues=4), File("blue", "bad.png", b"not a picture")], "'bad.png' cannot be read as a picture"),
        ([*files(), File("red", "again.png", picture(100, 2))], "a picture can have one class only"),
        ([File(str(i), "x.png", b"") for i in range(13)], "at most 12 are taken"),
        ([File("a" * 41, "x.png", b"")], "cannot be a class's name"),
        ([File("red", "x.png", b"")] * 1_201, "at most 1,200 are taken"),
    ],
    ids=["none", "one class", "too few", "broken", "two classes", "many classes", "name", "many"],
)
def test_pictures_that_are_no_data_set_are_refused_in_a_sentence(given: list[File], words: str) -> None:
    with pytest.raises(cc.InvalidImage) as caught:
        prepare(given)
    assert words in str(caught.value)


def test_a_broken_picture_and_a_double_one_are_left_out_and_told() -> None:
    own = made([*files(6), File("red", "bad.png", b"junk"), File("blue", "copy.png", picture(100, 2))])
    assert own.counts() == (("blue", 4, 1), ("red", 5, 1))
    assert "'bad.png'" in own.notes[0] and "twice" in own.notes[1]


def test_the_split_is_fixed_disjoint_and_holds_every_class() -> None:
    first, again = made(files(12, 30)), made(files(12, 30))
    assert first.key == again.key and np.array_equal(first.test.pictures, again.test.pictures)
    assert first.counts() == (("blue", 24, 6), ("red", 10, 2))
    both = {p.tobytes() for p in first.train.pictures} & {p.tobytes() for p in first.test.pictures}
    assert not both
    assert first.mean == pytest.approx(float(first.train.pictures.mean()) / 255, abs=1e-4)


def test_the_middle_square_is_kept() -> None:
    """Left third red, middle third green, right third blue: a picture three times as wide as high becomes green."""
    pixels = np.zeros((60, 180, 3), np.uint8)
    for i in range(3):
        pixels[:, 60 * i : 60 * (i + 1), i] = 255
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    own = made([*files(), File("red", "wide.png", buffer.getvalue())])
    whole = np.concatenate([own.train.pictures, own.test.pictures])
    assert whole.shape[1:] == (48, 48, 3)
    assert any((p == (0, 255, 0)).all() for p in whole)


def test_it_can_be_stopped_and_tells_how_far_it_is() -> None:
    told: list[tuple[int, int]] = []
    assert (
        prepare(files(), on_progress=lambda done, of: told.append((done, of)), should_stop=lambda: len(told) == 3)
        is None
    )
    assert told == [(0, 10), (1, 10), (2, 10)]


def test_a_set_is_there_as_long_as_somebody_holds_it(held: OwnData, tmp_path: Path) -> None:
    own_data.hold(held)  # a second visitor with the same folder
    own_data.release(held.key)
    assert data_set(held.key).n_train == 8 and not load_data_set(held.key)[0].pictures.flags.writeable
    own_data.save_own(held.key, tmp_path / "own.npz")
    own_data.release(held.key)
    with pytest.raises(cc.InvalidOption, match="not here"):
        data_set(held.key)
    assert own_data.load_own(tmp_path / "own.npz") == held.key
    again = own_data.held(held.key)
    assert again.class_names == held.class_names and np.array_equal(again.test.pictures, held.test.pictures)


def test_all_learners_together_are_bounded(held: OwnData, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(own_data, "MAX_STORED_BYTES", held.nbytes + 10)
    with pytest.raises(cc.InvalidOption, match="too many learners' pictures"):
        own_data.hold(made(files(6)))
    own_data.hold(held)  # what is there already takes no more room
    own_data.release(held.key)
