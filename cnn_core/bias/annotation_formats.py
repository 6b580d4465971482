"""One annotation file at a time: COCO JSON, Pascal VOC XML, CSV and PNG masks, as what they say of each picture."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NoReturn
from xml.etree import ElementTree

import numpy as np
from defusedxml import DefusedXmlException
from defusedxml.ElementTree import fromstring
from numpy.typing import NDArray
from PIL import Image

from ..errors import InvalidImage, InvalidOption, quote
from ..images import MAX_PIXELS, load_image
from .regions import Box, Region
from .run_lengths import decode, encode

Size = tuple[int, int]
Named = Sequence[tuple[str, Region, Size, str]]
"""(picture, region, (height, width), what the object is) of each picture."""

MAX_JSON: Final = 10 * 2**20
"""Bytes of one JSON, CSV or XML file: unpacked into Python's values it takes some twenty times as much."""
_MAX_XML: Final = 2**20
_MIDDLE: Final = 128
_Edges = tuple[float, float, float, float]


@dataclass(frozen=True, eq=False)
class Outline:
    """A mask that is drawn once the picture's size is known: polygons (N, 2) of (row, column), or run lengths."""

    polygons: tuple[NDArray[np.float64], ...] = ()
    counts: Sequence[int] | str | None = None
    size: Size | None = None

    def drawn(self, height: int, width: int) -> NDArray[np.bool_]:
        if self.counts is not None:
            if self.size != (height, width):
                raise InvalidOption(
                    f"its mask is of {_pixels(self.size)}, and the picture of {_pixels((height, width))}."
                )
            return decode(self.counts, height, width)
        from skimage.draw import polygon2mask  # here: scikit-image takes half a second to import

        found = np.zeros((height, width), dtype=np.bool_)
        for points in self.polygons:
            # The same sentence as for a box, where a corner lies outside the picture.
            Box(*points.min(0), *points.max(0)).cut_to(height, width)
            # scikit-image looks at whole numbers; a pixel's centre lies half a pixel further.
            found |= polygon2mask((height, width), points - 0.5)
        return found


@dataclass(frozen=True, eq=False)
class Found:
    """What a file says of one picture.

    pictures: how it may be called, the best first. size: (height, width) that the file states, or None. edges: (top,
    left, bottom, right) of each box. outlines: masks that are still to be drawn; mask: one that is.
    """

    pictures: tuple[str, ...]
    size: Size | None = None
    edges: tuple[_Edges, ...] = ()
    outlines: tuple[Outline, ...] = ()
    mask: NDArray[np.bool_] | None = None

    @property
    def has_mask(self) -> bool:
        return self.mask is not None or bool(self.outlines)

    def sized(self, size: Size | None) -> Size | None:
        """The picture's size, from itself or from the file; raises InvalidOption where the two differ."""
        if size is not None and self.size is not None and size != self.size:
            raise InvalidOption(
                f"the annotations are for a picture of {_pixels(self.size)}, and it has {_pixels(size)}."
            )
        return size or self.size

    def region(self, size: Size | None) -> Region:
        """As a region of a picture of this size (None: unknown). Raises InvalidOption for what does not fit it."""
        size = self.sized(size)
        boxes = tuple(Box(*edges) for edges in self.edges)
        if size is not None:
            boxes = tuple(box.cut_to(*size) for box in boxes)
        mask = self.mask
        if self.outlines:
            if size is None or size[0] * size[1] > MAX_PIXELS or min(size) < 1:
                raise InvalidOption("the file does not say the picture's size, which its mask needs.")
            for outline in self.outlines:
                drawn = outline.drawn(*size)
                mask = drawn if mask is None else mask | drawn
        return Region(boxes, mask)


def _pixels(size: Size | None) -> str:
    return "unknown size" if size is None else f"{size[0]} × {size[1]} pixels (height × width)"


def _no(what: str, why: str) -> NoReturn:
    raise InvalidOption(f"This {what} cannot be read: {why}.")


# --- COCO JSON: https://cocodataset.org/#format-data


def read_coco(content: bytes) -> list[Found]:
    """Every picture with annotations: bounding boxes [x, y, width, height], or masks where there is a segmentation."""
    told = _json(content)
    if not isinstance(told, dict) or not isinstance(told.get("images"), list):
        _no("JSON", "COCO's form has the lists 'images' and 'annotations'")
    try:
        images = {image["id"]: image for image in told["images"]}
        found: dict[Any, list[Mapping[str, Any]]] = {}
        for one in told.get("annotations") or []:
            found.setdefault(one["image_id"], []).append(one)
        return [_of_image(images[key], own) for key, own in found.items()]
    except KeyError as error:
        _no("COCO file", f"{quote(error.args[0])} is missing or names no picture")
    except (TypeError, ValueError, AttributeError, OverflowError) as error:
        _no("COCO file", f"a value in it has another form than COCO's ({quote(error)})")


def _json(content: bytes) -> Any:
    if len(content) > MAX_JSON:
        _no("JSON", f"it has more than {MAX_JSON // 2**20} MB")
    try:
        return json.loads(content.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise InvalidOption("This JSON is damaged or not JSON at all: export it again as COCO JSON.") from error


def _of_image(image: Mapping[str, Any], own: Sequence[Mapping[str, Any]]) -> Found:
    height, width = image.get("height"), image.get("width")
    size = (int(height), int(width)) if height and width else None
    edges: list[_Edges] = []
    outlines: list[Outline] = []
    for one in own:
        outline = _outline(one.get("segmentation"))
        if outline is not None:
            outlines.append(outline)
        else:
            x, y, w, h = (float(value) for value in one["bbox"])
            edges.append((y, x, y + h, x + w))
    return Found((str(image["file_name"]),), size, tuple(edges), tuple(outlines))


def _outline(told: Any) -> Outline | None:
    if isinstance(told, Mapping):
        height, width = (int(side) for side in told["size"])
        counts = told["counts"]
        return Outline(counts=counts if isinstance(counts, str) else [int(n) for n in counts], size=(height, width))
    polygons = []
    for flat in told or ():
        points = np.array(flat, dtype=np.float64).reshape(-1, 2)[:, ::-1]
        if len(points) >= 3:
            if not np.isfinite(points).all():
                raise ValueError("a corner that is no finite number")
            polygons.append(points)
    return Outline(tuple(polygons)) if polygons else None


def write_coco(named: Named) -> dict[str, Any]:
    """COCO's dictionary; a mask is written as run lengths, column by column, as COCO does."""
    categories = {label: i for i, label in enumerate(sorted({label for *_, label in named}), start=1)}
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for i, (name, region, (height, width), label) in enumerate(named, start=1):
        images.append({"id": i, "file_name": name, "height": height, "width": width})
        shapes: list[tuple[Box, Any, float | None]] = [(box, [], None) for box in region.boxes]
        if region.mask is not None:
            lengths = {"size": [height, width], "counts": encode(region.mask)}
            shapes.append((box_round(region.mask), lengths, float(np.count_nonzero(region.mask))))
        for box, segmentation, area in shapes:
            bbox = [box.left, box.top, box.right - box.left, box.bottom - box.top]
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": i,
                    "category_id": categories[label],
                    "bbox": bbox,
                    "area": bbox[2] * bbox[3] if area is None else area,
                    "segmentation": segmentation,
                    "iscrowd": int(bool(segmentation)),
                }
            )
    return {
        "images": images,
        "annotations": annotations,
        "categories": [{"id": i, "name": label} for label, i in categories.items()],
    }


def box_round(mask: NDArray[np.bool_]) -> Box:
    """The smallest box round a mask bool (H, W) that is not empty."""
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    return Box(float(rows[0]), float(columns[0]), float(rows[-1] + 1), float(columns[-1] + 1))


def _boxes(region: Region) -> tuple[Box, ...]:
    return region.boxes if region.mask is None else (*region.boxes, box_round(region.mask))


# --- Pascal VOC XML: pixels count from 1, and the last one belongs to the box


def read_voc(content: bytes, file: str) -> Found:
    """The boxes of one picture. The XML is read without entities, document types or anything from elsewhere."""
    if len(content) > _MAX_XML:
        _no("XML", "it has more than 1 MB, and is for one picture")
    try:
        root = fromstring(content, forbid_dtd=True)
        name, size = (root.findtext("filename") or "").strip(), root.find("size")
        height, width = (
            (0, 0) if size is None else (int(float(size.findtext(side) or 0)) for side in ("height", "width"))
        )
        edges = []
        for box in root.iterfind("object/bndbox"):
            left, top, right, bottom = (_edge(box, side) for side in ("xmin", "ymin", "xmax", "ymax"))
            edges.append((top - 1, left - 1, bottom, right))
    except DefusedXmlException as error:
        raise InvalidOption(
            "This XML defines entities or a document type, which are not opened: export it again."
        ) from error
    except ElementTree.ParseError as error:
        raise InvalidOption("This XML is damaged: export it again as Pascal VOC.") from error
    except (ValueError, OverflowError, LookupError) as error:
        _no("Pascal VOC file", f"a size or an edge in it is no number, or its encoding is unknown ({quote(error)})")
    if root.tag != "annotation":
        _no("XML", f"Pascal VOC's form begins with <annotation>, not <{root.tag[:40]}>")
    if not edges:
        _no("Pascal VOC file", f"{quote(file or name)} has no object with a bndbox")
    stated = (height, width) if height > 0 and width > 0 else None
    return Found(tuple(one for one in (file, name) if one), stated, tuple(edges))


def _edge(box: ElementTree.Element, side: str) -> float:
    text = box.findtext(side)
    if text is None:
        raise ValueError(f"{side} is missing")
    return float(text)


def write_voc(name: str, region: Region, size: Size, label: str) -> bytes:
    """One picture's boxes; of a mask, the box round it."""
    root = ElementTree.Element("annotation")
    ElementTree.SubElement(root, "filename").text = name
    sizes = ElementTree.SubElement(root, "size")
    for side, value in (("width", size[1]), ("height", size[0]), ("depth", 3)):
        ElementTree.SubElement(sizes, side).text = str(value)
    for box in _boxes(region):
        thing = ElementTree.SubElement(root, "object")
        ElementTree.SubElement(thing, "name").text = label
        edges = ElementTree.SubElement(thing, "bndbox")
        for side, edge in (("xmin", box.left + 1), ("ymin", box.top + 1), ("xmax", box.right), ("ymax", box.bottom)):
            ElementTree.SubElement(edges, side).text = _plain(edge)
    ElementTree.indent(root)
    return bytes(ElementTree.tostring(root, encoding="utf-8"))


def _plain(edge: float) -> str:
    return str(int(edge)) if edge == int(edge) else repr(float(edge))


# --- CSV: one line a box

_COLUMNS: Final = ("picture", "label", "top", "left", "bottom", "right")
_ALIASES: Final[dict[str, tuple[str, ...]]] = {
    "picture": ("picture", "image", "filename", "file_name", "file", "path", "name", "image_path", "image_id"),
    "top": ("top", "ymin", "y_min", "y1"),
    "left": ("left", "xmin", "x_min", "x1"),
    "bottom": ("bottom", "ymax", "y_max", "y2"),
    "right": ("right", "xmax", "x_max", "x2"),
}
_SIZED: Final = {"x": ("x", "bbox_x"), "y": ("y", "bbox_y"), "w": ("w", "width", "bbox_width"),
                 "h": ("h", "height", "bbox_height")}  # fmt: skip


def read_csv(content: bytes) -> list[Found]:
    """Every picture's boxes, from a table with a heading: edges in pixels, half-open, or x, y, width and height."""
    if len(content) > MAX_JSON:
        _no("CSV", f"it has more than {MAX_JSON // 2**20} MB")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InvalidOption("This CSV is not written in UTF-8: export it again.") from error
    heading = text.partition("\n")[0]
    delimiter = max(",;\t", key=heading.count)
    edges: dict[str, list[_Edges]] = {}
    try:
        reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
        columns = {str(name).strip().lower(): name for name in reader.fieldnames or ()}
        places = _places(columns)
        for line, row in enumerate(reader, start=2):
            name = (row[places["picture"]] or "").strip()
            if name:
                edges.setdefault(name, []).append(_csv_box(row, places, line))
    except csv.Error as error:
        raise InvalidOption(f"This CSV is damaged ({quote(error)}): export it again.") from error
    return [Found((name,), None, tuple(boxes)) for name, boxes in edges.items()]


def _places(columns: Mapping[str, str]) -> dict[str, str]:
    for wanted in (_ALIASES, {"picture": _ALIASES["picture"], **_SIZED}):
        found = {key: next((columns[name] for name in names if name in columns), None) for key, names in wanted.items()}
        if all(found.values()):
            return {key: str(name) for key, name in found.items()}
    _no("CSV", "its first line must name the columns " + ", ".join(_ALIASES) + " (or picture, x, y, width, height)")


def _csv_box(row: Mapping[str, str | None], places: Mapping[str, str], line: int) -> _Edges:
    try:
        number = {key: float(row[name] or "") for key, name in places.items() if key != "picture"}
    except (ValueError, TypeError) as error:
        raise InvalidOption(
            f"Line {line} of the CSV has an edge that is no number: write pixels, as in 12 or 12.5."
        ) from error
    if "x" in number:
        return number["y"], number["x"], number["y"] + number["h"], number["x"] + number["w"]
    return number["top"], number["left"], number["bottom"], number["right"]


def write_csv(named: Named) -> str:
    """Every box on a line of its own; of a mask, the box round it."""
    buffer = io.StringIO(newline="")
    table = csv.writer(buffer)
    table.writerow(_COLUMNS)
    for name, region, _, label in named:
        for box in _boxes(region):
            table.writerow((name, label, *(_plain(edge) for edge in (box.top, box.left, box.bottom, box.right))))
    return buffer.getvalue()


# --- PNG: the object is what is not black


def read_mask(content: bytes, file: str) -> Found:
    """One picture's mask. In a grey or coloured PNG the object is at least half as bright as white (where nothing is,
    as in label maps, whatever is not black); in one with a palette, everything but black."""
    try:
        picture = load_image(content, name=file)
        mode = Image.open(io.BytesIO(content), formats=("PNG",)).mode
    except (InvalidImage, OSError) as error:
        raise InvalidOption(f"The mask {quote(file, limit=40)} cannot be read: {error}") from error
    if any("transparent" in note for note in picture.notes):
        raise InvalidOption(f"The mask {quote(file, limit=40)} has transparent parts: save it as black and white.")
    brightest = picture.rgb.max(axis=2)
    mask = brightest > 0 if mode == "P" or brightest.max() < _MIDDLE else brightest >= _MIDDLE
    if not mask.any():
        raise InvalidOption(f"The mask {quote(file, limit=40)} is black everywhere: paint the object white.")
    return Found((file,), (picture.height, picture.width), mask=mask)


def write_mask(region: Region, size: Size) -> bytes:
    """White where the object is, black elsewhere."""
    buffer = io.BytesIO()
    Image.fromarray(region.mask_of(*size).astype(np.uint8) * 255).save(buffer, "PNG")
    return buffer.getvalue()
