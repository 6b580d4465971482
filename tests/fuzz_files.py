"""Real files of every kind that is taken, and how they are damaged: as bytes, as JSON, and inside a zip."""

from __future__ import annotations

import hashlib
import io
import json
import random
import struct
import zipfile
from collections.abc import Mapping
from functools import cache
from typing import Any

import numpy as np
from PIL import Image

from tests.fuzzing import NUMBERS, TEXTS
from ui import shell

File = tuple[str, bytes]


def damaged_file(rng: random.Random, file: File) -> File:
    """The file with faults: in its bytes, in a value of its JSON, or in one file of the zip that it is."""
    name, content = file
    way = rng.random()
    if zipfile.is_zipfile(io.BytesIO(content)) and way < 0.5:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            members = {one: archive.read(one) for one in archive.namelist()}
        chosen = rng.choice(list(members))
        told, members[chosen] = damaged_file(rng, (chosen, members[chosen]))
        if "run.json" in members and chosen == "run.safetensors":  # the run's own check would stop at the digest
            text = json.loads(members["run.json"]) | {"sha256": hashlib.sha256(members[chosen]).hexdigest()}
            members["run.json"] = json.dumps(text).encode()
        if rng.random() < 0.2:
            members[rng.choice((told, *TEXTS[:-1])) or "x"] = members.pop(chosen)
        methods = (zipfile.ZIP_DEFLATED,) * 4 + (zipfile.ZIP_STORED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)
        return name, zipped(members, rng.choice(methods))
    if name.endswith(".json") and way < 0.8:
        try:
            return name, json.dumps(_with_fault(rng, json.loads(content))).encode()
        except ValueError:
            pass
    return name, damaged(rng, content)


def _with_fault(rng: random.Random, value: Any) -> Any:
    """JSON in which one value, or one name, is another."""
    if isinstance(value, dict) and value and rng.random() < 0.85:
        name = rng.choice(list(value))
        return {key: _with_fault(rng, part) if key == name else part for key, part in value.items()}
    if isinstance(value, list) and value and rng.random() < 0.85:
        at = rng.randrange(len(value))
        return [_with_fault(rng, part) if i == at else part for i, part in enumerate(value)]
    simple = (None, True, [], {}, [[]], float("nan"), float("inf"), *NUMBERS)
    return rng.choice((*simple, *(text for text in TEXTS if text.isprintable())))


def damaged(rng: random.Random, content: bytes) -> bytes:
    """The file with one to six faults in it."""
    found = bytearray(content)
    for _ in range(rng.randint(1, 6)):
        at = rng.randrange(len(found) + 1)
        n = min(len(found) - at, rng.choice((1, 2, 4, 16, 256)))
        fault = rng.randrange(7)
        if fault == 0 and at < len(found):
            found[at] ^= 1 << rng.randrange(8)
        elif fault == 1:
            found[at : at + 4] = struct.pack("<I", rng.choice((0, 1, 0xFFFFFFFF, 0x7FFFFFFF, 0x80000000, 65_536)))
        elif fault == 2:
            del found[at : at + n]
        elif fault == 3:
            found[at:at] = found[at : at + n]
        elif fault == 4:
            found[at:at] = rng.randbytes(n)
        elif fault == 5:
            found[at : at + n] = rng.randbytes(n)
        else:
            del found[at:]
    return bytes(found)


def picture(seed: int, form: str, mode: str = "RGB", side: int = 24, **options: Any) -> bytes:
    rng = np.random.default_rng(seed)
    image = Image.fromarray(rng.integers(0, 256, (side, side + 5, 3), dtype=np.uint8)).convert(mode)
    buffer = io.BytesIO()
    image.save(buffer, form, **options)
    return buffer.getvalue()


def zipped(members: Mapping[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()


@cache
def pictures() -> tuple[File, ...]:
    """Small pictures in every form that is taken."""
    upright = Image.Exif()
    upright[0x0112] = 6
    frames = [Image.fromarray(np.full((9, 9, 3), i * 80, np.uint8)) for i in range(3)]
    return (
        ("a.png", picture(1, "PNG")),
        ("soft.png", picture(2, "PNG", "LA")),
        ("palette.png", picture(3, "PNG", "P", transparency=0)),
        ("turned.jpg", picture(4, "JPEG", exif=upright)),
        ("print.jpg", picture(5, "JPEG", "CMYK", progressive=True)),
        ("moving.gif", picture(6, "GIF", save_all=True, append_images=frames)),
        ("a.webp", picture(7, "WEBP")),
        ("a.bmp", picture(8, "BMP")),
        ("pages.tif", picture(9, "TIFF", compression="tiff_lzw", save_all=True, append_images=frames)),
        ("packed.tiff", picture(10, "TIFF", compression="tiff_adobe_deflate")),
    )


@cache
def zips() -> tuple[File, ...]:
    shots = {f"{('cow', 'camel')[i % 2]}/{i // 2}.png": picture(i, "PNG") for i in range(12)}
    return (
        ("classes.zip", zipped(shots)),
        ("marked.zip", zipped(shots | {"boxes.json": annotations()[0][1], "masks/cow/1.png": annotations()[3][1]})),
        ("stored.zip", zipped(shots, zipfile.ZIP_STORED)),
    )


@cache
def annotations() -> tuple[File, ...]:
    image = {"id": 7, "file_name": "cow/1.png", "height": 24, "width": 29}
    marks = [
        {"image_id": 7, "bbox": [1, 2, 10, 12]},
        {"image_id": 7, "segmentation": [[1, 1, 9, 1, 9, 9]], "bbox": [1, 1, 8, 8]},
        {"image_id": 7, "segmentation": {"size": [24, 29], "counts": [3, 20, 673]}, "iscrowd": 1, "bbox": [0, 0, 3, 3]},
    ]
    coco = json.dumps({"images": [image], "annotations": marks}).encode()
    voc = (
        b"<annotation><filename>1.png</filename><size><width>29</width><height>24</height></size><object><name>cow"
        b"</name><bndbox><xmin>3</xmin><ymin>4</ymin><xmax>20</xmax><ymax>20</ymax></bndbox></object></annotation>"
    )
    table = b"file,xmin,ymin,xmax,ymax\ncow/1.png,1,2,10,12\ncow/2.png,3,4,20,21\n"
    mask = np.zeros((24, 29), np.uint8)
    mask[4:12, 5:20] = 255
    buffer = io.BytesIO()
    Image.fromarray(mask).save(buffer, "PNG")
    return (("boxes.json", coco), ("1.xml", voc), ("t.csv", table), ("1.png", buffer.getvalue()),
            ("all.zip", zipped({"boxes.json": coco, "1.xml": voc})))  # fmt: skip


@cache
def checkpoints() -> tuple[File, ...]:
    import torch
    from safetensors.torch import save

    from cnn_core.models.lenet5 import LeNet5

    weights = {name: tensor.contiguous() for name, tensor in LeNet5().state_dict().items()}
    new, old = io.BytesIO(), io.BytesIO()
    torch.save({"state_dict": weights, "epoch": 3, "class_names": list("abcdefghij")}, new)
    torch.save(weights, old, _use_new_zipfile_serialization=False)
    return (("a.pt", new.getvalue()), ("old.pth", old.getvalue()), ("a.safetensors", save(weights)))


@cache
def class_names() -> tuple[File, ...]:
    """Ten names of classes in every form that is taken, and too few."""
    names = [f"class {i}" for i in range(10)]
    forms = (
        names,
        {str(i): name for i, name in enumerate(names)},
        {name: i for i, name in enumerate(names)},
        names[:3],
    )
    return (("names.txt", "\n".join(names).encode()), *(("names.json", json.dumps(form).encode()) for form in forms))


@cache
def runs() -> tuple[File, ...]:
    """A saved training run, whole, and its two files."""
    import cnn_core as cc
    from cnn_core.training.storage import zip_run

    run = cc.train("batch_norm", arm="bn_0.03", seed=1, steps=2, n_train=20, evaluate_every=0)
    content = zip_run(run)
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return (("run.zip", content), *((name, archive.read(name)) for name in archive.namelist()))


def texts(kind: str) -> tuple[File, ...]:
    """Saved progress, or a file of changes."""
    from cnn_core.change_text import to_json
    from cnn_core.changes import ChangePicture, EditKernel, SwitchOff
    from ui.progress import Progress

    if kind == "changes":
        changes = (SwitchOff("features.3", (3, 5, 6)), EditKernel("features.0.0", (0, 0), [[0.5, -1], [2, 0]]))
        return (("changes.json", to_json((*changes, ChangePicture("blur", 2.5, 1)), network="any").encode()),)
    done = Progress()
    for lesson in shell.PAGES[1:6]:
        done.visit(lesson.key)
        done.answer(f"{lesson.key}_question", lesson.key, guessed="a", right=True)
    return (("progress.json", done.to_json().encode()),)
