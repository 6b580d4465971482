"""The shipped pictures: all there, readable, attributed, and listed without torch."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from cnn_core.assets import ASSETS
from cnn_core.images import load_image
from cnn_core.samples import SAMPLES_FOLDER, Sample, list_samples
from cnn_core.training.data import data_set, load_digits, load_fashion


def test_every_picture_in_the_folder_is_listed_once() -> None:
    files = {path.name for path in SAMPLES_FOLDER.iterdir() if path.suffix in (".jpg", ".png")}
    samples = list_samples()
    assert {sample.path.name for sample in samples} == files and len(samples) == len(files)
    assert len({sample.key for sample in samples}) == len({sample.title for sample in samples}) == len(samples)
    assert [s.kind for s in samples].count("photo") == 24
    assert samples[0].key == "panda"


@pytest.mark.parametrize("sample", list_samples(), ids=lambda sample: sample.key)
def test_a_sample_opens_without_any_change_and_is_attributed(sample: Sample) -> None:
    picture = load_image(sample.path)
    assert sample.author and sample.licence and sample.source
    if sample.kind == "photo":
        assert max(picture.width, picture.height) == 512 and picture.notes == ()
    else:
        assert (picture.width, picture.height) == (28, 28)


def test_sample_digits_are_test_digits_of_the_class_they_claim() -> None:
    _, test = load_digits()
    digits = [sample for sample in list_samples() if sample.kind == "digit"]
    assert sorted(sample.key for sample in digits) == [f"digit_{k}" for k in range(10)]
    for sample in digits:
        grey = load_image(sample.path).rgb[:, :, 0]
        (matches,) = np.nonzero((test.pictures == grey).all(axis=(1, 2)))
        assert len(matches) == 1 and test.labels[matches[0]] == int(sample.key[-1])
        assert f"number {test.indices[matches[0]]} " in sample.source


def test_sample_clothes_are_test_pictures_of_the_class_they_claim() -> None:
    _, test = load_fashion()
    clothes = [sample for sample in list_samples() if sample.kind == "clothing"]
    found = []
    for sample in clothes:
        grey = load_image(sample.path).rgb[:, :, 0]
        (matches,) = np.nonzero((test.pictures == grey).all(axis=(1, 2)))
        assert len(matches) == 1 and f"number {matches[0]} " in sample.source
        name = data_set("fashion").class_names[test.labels[matches[0]]]
        assert sample.title.lower().startswith(name.removesuffix("/top").lower())
        found.append(int(test.labels[matches[0]]))
    assert found == list(range(10))


def test_every_shipped_file_has_its_licence() -> None:
    text = (ASSETS / "LICENSES.md").read_text(encoding="utf-8")
    for folder in ("samples", "weights", "data"):
        for path in (ASSETS / folder).iterdir():
            if path.suffix in (".jpg", ".png", ".safetensors", ".npz"):
                assert f"`{path.name}`" in text, path.name
    for sample in list_samples():
        row = next(line for line in text.splitlines() if line.startswith(f"| `{sample.path.name}` |"))
        assert sample.author in row and sample.source in row


def test_pictures_are_listed_and_read_without_torch() -> None:
    code = (
        "import sys, cnn_core as cc; from cnn_core.samples import list_samples;"
        "cc.load_image(list_samples()[0].path).thumbnail(64); sys.exit('torch' in sys.modules)"
    )
    root = Path(__file__).resolve().parents[1]
    assert subprocess.run([sys.executable, "-c", code], cwd=root, check=False).returncode == 0
