"""A visitor's folder of pictures: what is kept and under which labels, what hostile zips meet, and that it all goes."""

from __future__ import annotations

import gc
import io
import stat
import struct
import threading
import tracemalloc
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import cnn_core as cc
from cnn_core.bias.uploads import Limits, PictureFolder, disk
from cnn_core.training.own_data import unzip
from tests.fuzz_files import zipped


def png(seed: int = 0, side: int = 12) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(np.random.default_rng(seed).integers(0, 256, (side, side, 3), dtype=np.uint8)).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[PictureFolder]:
    made = PictureFolder(root=tmp_path)
    yield made
    made.close()
    assert list(tmp_path.iterdir()) == []
    assert disk.used == 0


def on_disk(root: Path) -> list[Path]:
    return sorted(path for path in root.rglob("*") if path.is_file())


def names(folder: PictureFolder) -> list[tuple[str, str | None]]:
    return [(item.name, item.label) for item in folder.items()]


def test_subfolders_are_labels_and_names_are_kept_off_the_disk(folder: PictureFolder) -> None:
    content = zipped(
        {
            "farm/cows/1.png": png(1), "farm/cows/2.JPG": png(2), "farm/camels/1.png": png(3),
            "farm/readme.txt": b"hello", "farm/.hidden.png": png(4), "__MACOSX/farm/cows/1.png": b"?",
        }
    )  # fmt: skip
    added = folder.add_zip(content)
    assert added is not None and added.n == 3 and added.left_out == () and added.annotations == {}
    assert names(folder) == [("camels/1.png", "camels"), ("cows/1.png", "cows"), ("cows/2.JPG", "cows")]
    assert [path.name for path in on_disk(folder.path)] == ["000000.png", "000001.jpg", "000002.png"]
    assert {item.path.read_bytes() for item in folder.items()} == {png(1), png(2), png(3)}
    assert disk.used == folder.nbytes == sum(len(png(seed)) for seed in (1, 2, 3))


def test_one_folder_is_no_label_and_more_can_be_brought(folder: PictureFolder) -> None:
    folder.add_zip(zipped({"photos/a.png": png(1), "photos/b.png": png(2)}))
    assert names(folder) == [("a.png", None), ("b.png", None)]
    assert folder.add_pictures([("a.png", png(3)), ("again.png", png(2))]).n == 1  # one of them is there already
    assert names(folder) == [("a (2).png", None), ("a.png", None), ("b.png", None)]
    folder.clear()
    assert len(folder) == 0 and on_disk(folder.path) == [] and disk.used == 0
    assert folder.add_pictures([("c.png", png(1))]).n == 1


def test_annotations_beside_the_pictures_come_along(folder: PictureFolder) -> None:
    added = folder.add_zip(
        zipped({"cows/1.png": png(1), "boxes.json": b"{}", "masks/cows/1.png": png(2), "t.csv": b"a,b"})
    )
    assert added is not None and added.n == 1
    assert added.annotations == {"boxes.json": b"{}", "masks/cows/1.png": png(2), "t.csv": b"a,b"}


def test_cancelled_half_way_nothing_is_kept(folder: PictureFolder) -> None:
    seen: list[tuple[int, int]] = []
    content = zipped({f"{i}.png": png(i) for i in range(6)})
    stopped = folder.add_zip(content, on_progress=lambda *at: seen.append(at), should_stop=lambda: len(seen) == 3)
    assert stopped is None and seen == [(0, 6), (1, 6), (2, 6)]
    assert on_disk(folder.path) == [] and disk.used == 0 and len(folder) == 0


# --- hostile uploads: each is refused in a sentence, nothing of it stays, nothing lands outside


def refused(folder: PictureFolder, content: bytes) -> str:
    before = folder.items()
    with pytest.raises(cc.ConvLensError) as error:
        folder.add_zip(content)
    assert folder.items() == before and disk.used == folder.nbytes
    assert len(on_disk(folder.path)) == len(before) and on_disk(folder.path.parent) == on_disk(folder.path)
    return str(error.value)


@pytest.mark.parametrize("name", ["../evil.png", "a/../../evil.png", "/etc/evil.png", "C:\\evil.png", "..\\evil.png"])
def test_paths_that_climb_out(folder: PictureFolder, name: str) -> None:
    assert "leads out of it" in refused(folder, zipped({"good.png": png(), name: png(1)}))


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFIFO, stat.S_IFCHR])
def test_links_and_devices(folder: PictureFolder, kind: int) -> None:
    entry = zipfile.ZipInfo("link.png")
    entry.create_system = 3
    entry.external_attr = (kind | 0o777) << 16
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(entry, "/etc/passwd")
    assert "holds a link, 'link.png'" in refused(folder, buffer.getvalue())
    with pytest.raises(cc.InvalidImage, match="holds a link"):
        unzip(buffer.getvalue())


def test_a_bomb_that_says_how_large_it_is(tmp_path: Path) -> None:
    folder = PictureFolder(limits=Limits(bytes=2**20), root=tmp_path)
    zeros = bytes(8 * 2**20)
    assert "larger than the 51 MB" in refused(folder, zipped({f"{i}.png": zeros for i in range(7)}))
    folder.close()


def test_a_bomb_that_lies_about_its_size(folder: PictureFolder) -> None:
    content = bytearray(zipped({"bomb.png": bytes(64 * 2**20)}))
    for mark, at in ((b"PK\1\2", 24), (b"PK\3\4", 22)):  # the sizes that table and entry give
        struct.pack_into("<L", content, content.index(mark) + at, 100)
    bomb = bytes(content)
    tracemalloc.start()
    words = refused(folder, bomb)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert "not a zip that can be read" in words
    assert peak < 24 * 2**20  # the 10 MB that a picture may have, and once more while its pieces are joined


def test_many_pictures_that_are_too_much_together(tmp_path: Path) -> None:
    folder = PictureFolder(limits=Limits(bytes=2_000), root=tmp_path)
    assert folder.add_pictures([("first.png", png(99))]).n == 1
    assert "more than 0 MB together" in refused(folder, zipped({f"{i}.png": png(i) for i in range(9)}))
    folder.close()


def hundred_thousand() -> bytes:
    """A zip of 100,000 empty pictures as Python's zipfile writes it, in a tenth of its time."""
    files, table = bytearray(), bytearray()
    for i in range(100_000):
        name = b"%06d.png" % i
        table += (
            struct.pack("<4s6H3L5H2L", b"PK\1\2", 20, 20, 0, 0, 0, 33, 0, 0, 0, 10, 0, 0, 0, 0, 0, len(files)) + name
        )
        files += struct.pack("<4s5H3L2H", b"PK\3\4", 20, 0, 0, 0, 33, 0, 0, 0, 10, 0) + name
    sizes = (100_000, 100_000, len(table), len(files))
    end = struct.pack("<4sQ2H2L4Q", b"PK\6\6", 44, 45, 45, 0, 0, *sizes)
    end += struct.pack("<4sLQL", b"PK\6\7", 0, len(files) + len(table), 1)
    end += struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 65535, 65535, len(table), len(files), 0)
    return bytes(files + table + end)


def test_a_hundred_thousand_tiny_files(folder: PictureFolder) -> None:
    """The table of such a zip is never read: 100,000 entries as Python's objects would take some 60 MB."""
    content = hundred_thousand()
    assert len(zipfile.ZipFile(io.BytesIO(content)).infolist()) == 100_000
    tracemalloc.start()
    words = refused(folder, content)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert "more than 65,000 entries; at most 8,000" in words
    assert peak < 2**20
    lying = bytearray(content)  # the end of the file says that there are five
    struct.pack_into("<2H", lying, content.rindex(b"PK\5\6") + 8, 5, 5)
    assert "10,937 or more entries; at most 8,000" in refused(folder, bytes(lying))
    assert "2,001 pictures" in refused(folder, zipped({f"{i}.png": b"" for i in range(2_001)}, zipfile.ZIP_STORED))


def test_other_packings_and_passwords(folder: PictureFolder) -> None:
    """Four kilobytes of bzip2 may be gigabytes, and are unpacked at once."""
    for method in (zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA):
        assert "packed in an unusual way" in refused(folder, zipped({"a.png": bytes(10**6)}, method))
    content = bytearray(zipped({"a.png": png()}))
    for mark, at in ((b"PK\1\2", 8), (b"PK\3\4", 6)):
        content[content.index(mark) + at] |= 1
    assert "has a password" in refused(folder, bytes(content))


@pytest.mark.parametrize(
    "content", [b"", b"PK\3\4", b"GIF89a", b"PK\5\6" + bytes(10), png(), zipped({"a.png": png()})[:-9]]
)
def test_what_is_no_zip(folder: PictureFolder, content: bytes) -> None:
    assert "not a zip that can be read" in refused(folder, content)


def test_a_zip_without_pictures(folder: PictureFolder) -> None:
    assert "holds no pictures" in refused(folder, zipped({"a.txt": b"x", "masks/a.png": png()}))


def test_a_file_that_is_too_large_is_left_out_and_told(folder: PictureFolder) -> None:
    added = folder.add_zip(zipped({"big.png": bytes(10 * 2**20 + 1), "good.png": png()}))
    assert added is not None and added.n == 1
    assert [(bad.name, bad.reason) for bad in added.left_out] == [("big.png", "It has more than 10 MB.")]
    assert folder.add_pictures([("big.png", bytes(10 * 2**20 + 1))]).left_out[0].name == "big.png"


@pytest.mark.parametrize("given", ["../../evil.png", "a/../b.png", "/root/x.png", "n\nl.png", "x" * 500 + ".png"])
def test_names_of_single_files_lead_nowhere(folder: PictureFolder, given: str) -> None:
    folder.add_pictures([(given, png())])
    (item,) = folder.items()
    assert item.path.parent == folder.path and item.path.name == "000000.png"
    assert len(item.name) <= 200 and ".." not in item.name.split("/") and item.name.isprintable()


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (["herd/cow/1.png", "herd/camel/2.png"], [("camel/2.png", "camel"), ("cow/1.png", "cow")]),
        (
            ["photos/cow/1.png", "photos/cow/2.png"],
            [("cow/1.png", None), ("cow/2.png", None)],
        ),  # one label tells nothing
        (["1.png", "2.png"], [("1.png", None), ("2.png", None)]),
        (["/1.png", "cow\\2.png"], [("1.png", None), ("cow/2.png", "cow")]),
        (["..", "//"], []),
    ],
)
def test_a_folder_is_named_without_what_all_of_it_lies_in(
    folder: PictureFolder, given: list[str], expected: list[tuple[str, str | None]]
) -> None:
    files = [(name, png(i)) for i, name in enumerate(given)]
    if not expected:
        with pytest.raises(cc.InvalidImage, match="not named as a picture"):
            folder.add_pictures(files)
        return
    folder.add_pictures(files)
    assert [(item.name, item.label) for item in folder.items()] == expected


def test_folders_that_are_brought_one_after_the_other_keep_their_labels(folder: PictureFolder) -> None:
    folder.add_pictures([("cow/1.png", png(1)), ("cow/2.png", png(2))])
    folder.add_pictures([("camel/1.png", png(3))])
    assert [item.label for item in folder.items()] == ["camel", "cow", "cow"]


def test_what_is_no_picture_by_name_is_not_taken(folder: PictureFolder) -> None:
    with pytest.raises(cc.InvalidImage, match="not named as a picture"):
        folder.add_pictures([("good.png", png(1)), ("script.py", b"import os")])
    assert len(folder) == 0 and on_disk(folder.path) == []


# --- all visitors together, and the end


def test_the_server_keeps_so_much_and_no_more(tmp_path: Path) -> None:
    limits = Limits(all_bytes=len(png()) + 10)
    first, second = (PictureFolder(limits=limits, root=tmp_path) for _ in range(2))
    first.add_pictures([("a.png", png())])
    with pytest.raises(cc.InvalidOption, match="too many visitors"):
        second.add_pictures([("a.png", png())])
    first.close()
    assert second.add_pictures([("a.png", png())]).n == 1
    second.close()
    full = PictureFolder(limits=Limits(free_bytes=2**60), root=tmp_path)
    with pytest.raises(cc.InvalidOption, match="too many visitors"):
        full.add_pictures([("a.png", png())])
    full.close()
    assert disk.used == 0 and list(tmp_path.iterdir()) == []


def test_a_folder_that_nobody_holds_is_deleted(tmp_path: Path) -> None:
    folder = PictureFolder(root=tmp_path)
    folder.add_pictures([("a.png", png())])
    folder.work.mkdir()
    (folder.work / "map").write_bytes(b"x")
    del folder
    gc.collect()
    assert list(tmp_path.iterdir()) == [] and disk.used == 0


def test_closed_while_pictures_come_in(tmp_path: Path) -> None:
    folder = PictureFolder(root=tmp_path)
    half = threading.Event()
    closed = threading.Event()

    def files() -> Iterator[tuple[str, bytes]]:
        yield "a.png", png(1)
        half.set()
        closed.wait(5)
        yield "b.png", png(2)

    errors: list[Exception] = []

    def bring() -> None:
        try:
            folder._keep(files(), 2, [], {})
        except cc.ConvLensError as error:
            errors.append(error)

    thread = threading.Thread(target=bring)
    thread.start()
    half.wait(5)
    folder.close()
    closed.set()
    thread.join(5)
    assert len(errors) == 1
    assert disk.used == 0 and list(tmp_path.iterdir()) == []
