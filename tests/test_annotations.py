"""Boxes and masks to and from COCO, VOC, CSV and PNG: what is read, whose it is, and what is refused."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image, ImageDraw
from pycocotools import mask as coco_mask

import cnn_core as cc
from cnn_core.bias import run_lengths
from cnn_core.bias.annotations import FORMATS, Format, read, read_annotations, write_annotations
from cnn_core.bias.herds import herd_boxes, write_herd
from cnn_core.bias.regions import Box, Region
from cnn_core.training.cow_camel import draw_herd

SIZES = {"cows/1.png": (40, 60), "cows/2.png": (40, 60), "camels/1.png": (30, 20)}


def coco(bbox: list[float], *, name: str = "cows/2.png", size: tuple[int, int] = (40, 60), **more: Any) -> bytes:
    image = {"id": 7, "file_name": name, "height": size[0], "width": size[1]}
    return json.dumps({"images": [image], "annotations": [{"image_id": 7, "bbox": bbox, **more}]}).encode()


def voc(*edges: int, name: str = "2.png", before: str = "") -> bytes:
    xmin, ymin, xmax, ymax = edges
    box = f"<xmin>{xmin}</xmin><ymin>{ymin}</ymin><xmax>{xmax}</xmax><ymax>{ymax}</ymax>"
    return (
        f"{before}<annotation><filename>{name}</filename><size><width>60</width><height>40</height></size>"
        f"<object><name>cow</name><bndbox>{box}</bndbox></object></annotation>"
    ).encode()


def png(mask: np.ndarray, mode: str = "L") -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(mask).convert(mode).save(buffer, "PNG")
    return buffer.getvalue()


def said(source: Any, pictures: Mapping[str, tuple[int, int]] = SIZES) -> str:
    with pytest.raises(cc.InvalidOption) as refused:
        read(source, pictures)
    return str(refused.value)


# --- one picture in each form, with edges worked out by hand: x 10 to 30, y 5 to 25

WANTED = Box(5, 10, 25, 30)


@pytest.mark.parametrize(
    "content",
    [
        coco([10, 5, 20, 20]),
        voc(11, 6, 30, 25),  # from 1, the last pixel included
        b"picture,top,left,bottom,right\ncows/2.png,5,10,25,30\n",
        b"filename;width;height;class;xmin;ymin;xmax;ymax\r\ncows/2.png;60;40;cow;10;5;30;25\r\n",
        b"\xef\xbb\xbfimage\tx\ty\twidth\theight\n2.png\t10\t5\t20\t20\n",
    ],
    ids=["coco", "voc", "csv", "csv of edges", "csv of sizes"],
)
def test_the_same_box_in_every_form(content: bytes) -> None:
    found = read_annotations(content, SIZES)
    assert list(found) == ["cows/2.png"]
    assert found["cows/2.png"].boxes == (WANTED,)


@pytest.mark.parametrize("kind", list(FORMATS))
def test_what_is_written_is_read_back(kind: Format) -> None:
    mask = np.zeros((40, 60), bool)
    mask[3:20, 8:33] = True
    mask[10:14, 20:24] = False
    mask[-1, -1] = True
    regions = {
        "cows/1.png": Region((), mask),
        "cows/2.png": Region((Box(1, 2, 30, 40), Box(20.5, 30.25, 40, 60))),
        "camels/1.png": Region((Box(0, 0, 30, 20),)),
    }
    content, file = write_annotations(regions, SIZES, kind, labels={"cows/1.png": "cow"})
    back = read(content, SIZES, name=file)
    assert back.formats == (kind,) and set(back.regions) == set(regions) and back.unknown == ()
    for name, region in regions.items():
        boxes = back.regions[name].boxes
        if kind == "coco":
            assert boxes == region.boxes
            assert (back.regions[name].mask is None) == (region.mask is None)
        if kind in ("voc", "csv"):
            assert boxes == (region.boxes or (Box(3, 8, 40, 60),))
        if kind in ("coco", "png"):
            np.testing.assert_array_equal(back.regions[name].mask_of(*SIZES[name]), region.mask_of(*SIZES[name]))


def test_an_exported_coco_file_is_what_pycocotools_reads(tmp_path: Path) -> None:
    from pycocotools.coco import COCO

    rng = np.random.default_rng(0)
    mask = rng.random((40, 60)) > 0.6
    content, _ = write_annotations({"cows/1.png": Region((Box(1, 2, 9, 12),), mask)}, SIZES, "coco")
    path = tmp_path / "boxes.json"
    path.write_bytes(content)
    read_there = COCO(path)
    boxed, painted = read_there.loadAnns(read_there.getAnnIds())
    assert boxed["bbox"] == [2, 1, 10, 8] and boxed["area"] == 80
    np.testing.assert_array_equal(read_there.annToMask(painted).astype(bool), mask)
    assert painted["area"] == mask.sum()


@settings(max_examples=60, deadline=None)
@given(hnp.arrays(bool, st.tuples(st.integers(1, 9), st.integers(1, 9))))
def test_run_lengths_are_those_of_pycocotools(mask: np.ndarray) -> None:
    height, width = mask.shape
    packed = coco_mask.encode(np.asfortranarray(mask.astype(np.uint8)))["counts"].decode()
    np.testing.assert_array_equal(run_lengths.decode(packed, height, width), mask)
    listed = run_lengths.encode(mask)
    assert listed == run_lengths.unpacked(packed)
    np.testing.assert_array_equal(run_lengths.decode(listed, height, width), mask)


def test_packed_run_lengths_of_long_runs() -> None:
    """Differences to the run before the last need several letters, and a sign."""
    mask = np.zeros((400, 300), np.uint8)
    mask[20:390, 10:30] = mask[5:9, 200:] = 1
    packed = coco_mask.encode(np.asfortranarray(mask))["counts"].decode()
    np.testing.assert_array_equal(run_lengths.decode(packed, 400, 300), mask.astype(bool))


def test_a_polygon_is_drawn_at_pixel_centres() -> None:
    content = coco([0, 0, 1, 1], segmentation=[[10, 5, 30, 5, 30, 25, 10, 25]])
    mask = read_annotations(content, SIZES)["cows/2.png"].mask_of(40, 60)
    wanted = np.zeros((40, 60), bool)
    wanted[5:25, 10:30] = True
    np.testing.assert_array_equal(mask, wanted)
    assert "does not lie in the picture" in said(coco([0, 0, 1, 1], segmentation=[[10, 5, 30, 5, 30, 45, 10, 25]]))


# --- masks as pictures


def disc(value: int = 255) -> Image.Image:
    image = Image.new("L", (60, 40))
    ImageDraw.Draw(image).ellipse((10, 5, 30, 25), fill=value)
    return image


@pytest.mark.parametrize("mode", ["L", "1", "RGB", "P", "I;16"])
@pytest.mark.parametrize("value", [255, 1])
def test_masks_of_any_mode(mode: str, value: int) -> None:
    if value == 1 and mode in ("1", "I;16"):
        value = 255  # these have no such dark grey
    image = disc(value)
    made = Image.new("P", image.size) if mode == "P" else image.convert("I;16" if mode == "I;16" else mode)
    if mode == "P":
        made.putdata(np.asarray(image).ravel().clip(0, 1).tolist())
        made.putpalette([0, 0, 0, 64, 0, 0])
    if mode == "I;16":
        made = Image.fromarray(np.asarray(image).astype(np.uint16) * 257)
    buffer = io.BytesIO()
    made.save(buffer, "PNG")
    for name in ("cows/2.png", "elsewhere/cows/2_mask.png"):
        found = read({name: buffer.getvalue()}, SIZES).regions["cows/2.png"]
        np.testing.assert_array_equal(found.mask, np.asarray(image) > 0)


def test_masks_of_a_herd_and_its_boxes_are_recognised_by_folder(tmp_path: Path) -> None:
    herd = draw_herd(4, seed=1)
    write_herd(tmp_path / "herd", herd, masks=tmp_path / "masks", boxes=tmp_path / "boxes.json")
    sizes = dict.fromkeys(herd_boxes(herd), (48, 48))
    boxes = read_annotations(tmp_path / "boxes.json", sizes)
    assert {name: region.boxes for name, region in boxes.items()} == {
        name: (Box(box.top, box.left, box.bottom, box.right),) for name, box in herd_boxes(herd).items()
    }
    masks = read_annotations(tmp_path / "masks", sizes)
    for region, mask in zip((masks[name] for name in sizes), herd.masks, strict=True):
        np.testing.assert_array_equal(region.mask, mask >= 0.5)


# --- whose they are


def test_pictures_are_recognised_by_the_end_of_their_path() -> None:
    for name in ("2.png", "COWS/2.PNG", "data\\cows\\2.png", "./cows/2.png"):
        assert list(read_annotations(coco([1, 1, 5, 5], name=name), SIZES)) == ["cows/2.png"]
    assert "Several pictures are called '1.png'" in said(coco([1, 1, 5, 5], name="1.png"))
    # A file for one picture says by its own place whose it is.
    found = read_annotations({"x/cows/1.xml": voc(1, 1, 9, 9, name="1.png")}, SIZES)
    assert list(found) == ["cows/1.png"]
    assert "could both be the picture '1.png'" in said(
        b"picture,top,left,bottom,right\na/1.png,0,0,9,9\nb/1.png,0,0,9,9\n", {"1.png": (40, 60)}
    )


def test_what_belongs_to_no_picture_is_told() -> None:
    content = b"picture,top,left,bottom,right\ncows/2.png,5,10,25,30\nsheep/1.png,0,0,9,9\ncows/9.png,0,0,9,9\n"
    found = read(content, SIZES)
    assert list(found.regions) == ["cows/2.png"] and found.unknown == ("sheep/1.png", "cows/9.png")
    assert found.sentence == (
        "1 picture has boxes or a mask now, from CSV. Not among these pictures: 'sheep/1.png', 'cows/9.png'."
    )
    assert "None of the annotations belongs to one of these pictures, such as 'z.png'" in said(
        coco([1, 1, 5, 5], name="z.png")
    )


def test_without_sizes_only_the_file_tells_them() -> None:
    assert read_annotations(coco([10, 5, 20, 20]), ["cows/2.png"])["cows/2.png"].boxes == (WANTED,)
    assert "does not lie in the picture" in said_of_names(coco([10, 5, 20, 60]))


def said_of_names(content: bytes) -> str:
    with pytest.raises(cc.InvalidOption) as refused:
        read(content, ["cows/2.png"])
    return str(refused.value)


# --- refused


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (coco([50, 5, 20, 20]), "'cows/2.png': The box from row 5, column 50 to row 25, column 70 does not lie"),
        (coco([-3, 5, 20, 20]), "does not lie in the picture"),
        (coco([10, 5, 0, 20]), "encloses nothing"),
        (coco([10, 5, -4, 20]), "encloses nothing"),
        (coco([1e999, 5, 4, 20]), "finite"),
        (coco([10, 5, 20]), "another form than COCO's"),
        (coco(["x", 5, 20, 20]), "another form than COCO's"),  # type: ignore[list-item]
        (coco([10, 5, 20, 20], size=(400, 600)), "for a picture of 400 × 600 pixels"),
        (coco([0, 0, 1, 1], segmentation={"size": [40, 60], "counts": [5, 5]}), "do not add up"),
        (coco([0, 0, 1, 1], segmentation={"size": [40, 60], "counts": "zz\x01"}), "damaged"),
        (coco([0, 0, 1, 1], segmentation={"size": [4000, 6000], "counts": [0, 24_000_000]}), "mask is of 4000 × 6000"),
        (coco([0, 0, 1, 1], segmentation=[[1, 1, 5, float("nan"), 9, 9]]), "another form than COCO's"),
        (b'{"images": [], "annotations": [{"image_id": 3, "bbox": [1, 2, 3, 4]}]}', "'3' is missing or names no pic"),
        (b'{"shapes": []}', "the lists 'images' and 'annotations'"),
        (b"[" * 100_000, "damaged or not JSON"),
        (b'{"images": [', "damaged or not JSON"),
        (voc(11, 6, 90, 25), "does not lie in the picture"),
        (voc(30, 6, 11, 25), "encloses nothing"),
        (b"<html></html>", "begins with <annotation>"),
        (b"<annotation></annotation>", "no object with a bndbox"),
        (b"<annotation><object>", "XML is damaged"),
        (b"picture,top,left\na,1,2\n", "must name the columns"),
        (b"picture,top,left,bottom,right\ncows/2.png,1,2,x,9\n", "Line 2 of the CSV"),
        (b"picture,top,left,bottom,right\ncows/2.png,1,2\n", "Line 2 of the CSV"),
        (b'picture,top,left,bottom,right\n"cows/2.png,1,2\n', "CSV is damaged"),
        ("picture,top,left,bottom,right\nkühe,1,2,3,4\n".encode("latin-1"), "not written in UTF-8"),
        (b"\x89PNG\r\n\x1a\nnothing", "cannot be read"),
        (b"GIF89a", "not an annotation file"),
        (b"", "not an annotation file"),
    ],
)  # fmt: skip
def test_what_cannot_be_taken_is_refused_in_a_sentence(content: bytes, words: str) -> None:
    refusal = said({"cows/2.png": content} if content.startswith(b"\x89") else content)
    assert words in refusal
    assert refusal.endswith(".") and "\n" not in refusal


def test_xml_opens_no_entities() -> None:
    laughs = "".join(f'<!ENTITY l{i} "{f"&l{i - 1};" * 10 if i else "ha"}">' for i in range(10))
    bomb = voc(1, 1, 9, 9, name="&l9;", before=f"<!DOCTYPE a [{laughs}]>")
    outside = voc(1, 1, 9, 9, name="&x;", before='<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]>')
    for content in (bomb, outside):
        assert "defines entities or a document type" in said(content)


def test_masks_that_do_not_fit() -> None:
    assert "for a picture of 41 × 60" in said({"cows/2.png": png(np.full((41, 60), 255, np.uint8))})
    assert "black everywhere" in said({"cows/2.png": png(np.zeros((40, 60), np.uint8))})
    clear = np.zeros((40, 60, 4), np.uint8)
    clear[5:9, 5:9] = 255
    assert "transparent parts" in said({"cows/2.png": png(clear, "RGBA")})


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cnn_core.bias.annotations.MAX_MASK_PIXELS", 3_000)
    white = png(np.full((40, 60), 255, np.uint8))
    assert "million pixels together" in said({"cows/1.png": white, "cows/2.png": white})
    monkeypatch.setattr("cnn_core.bias.annotations.MAX_BYTES", 1_000)
    assert "at most 20,000 files" in said({f"{i}.csv": b"a,b\n" * 100 for i in range(4)})
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("boxes.csv", b"picture,top\n" * 10_000)
    assert "larger than" in said(buffer.getvalue())


def test_a_zip_that_climbs_is_not_opened() -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("../boxes.json", coco([1, 1, 5, 5]))
    assert "leads out of it" in said(buffer.getvalue())


def test_wrong_requests() -> None:
    with pytest.raises(cc.InvalidOption, match="no format 'yolo'"):
        write_annotations({"a": Region((WANTED,))}, {"a": (40, 60)}, "yolo")  # type: ignore[arg-type]
    with pytest.raises(cc.InvalidOption, match="no boxes or masks to write"):
        write_annotations({}, {}, "coco")
    with pytest.raises(cc.InvalidOption, match="cannot be read"):
        read_annotations("no/such/file.json", SIZES)
