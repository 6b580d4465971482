"""Worksheets: their answers computed again from what stands on the sheet, and a file that prints on A4."""

from __future__ import annotations

import json
import math
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.signal import correlate2d

import cnn_core as cc
from cnn_core.__main__ import main
from cnn_core.samples import list_samples
from cnn_core.worksheets import Grid, Worksheet, WorksheetKind, register

KINDS = [kind.key for kind in cc.list_worksheets()]
SEEDS = (0, 7)


def values(grid: Grid) -> NDArray[np.float64]:
    return np.array([[float(cell.replace("−", "-").rstrip("% ")) for cell in row] for row in grid.cells])


def sheet_of(kind: str, seed: int) -> Worksheet:
    return cc.make_worksheet(kind, seed=seed)


def grids(found: tuple[Grid, ...]) -> dict[str, Grid]:
    return {grid.caption.partition(" “")[0]: grid for grid in found}


@pytest.mark.parametrize("seed", SEEDS)
def test_kernel_by_hand(seed: int) -> None:
    first, whole, even, _ = sheet_of("kernel", seed).tasks
    given = grids(first.grids)
    picture, kernel = values(given["picture"]), values(given["kernel"])
    answers = correlate2d(picture, kernel, mode="valid")
    assert np.array_equal(values(whole.answer_grids[0]), answers)
    rows, columns = zip(*sorted(given["picture"].marked), strict=True)
    window = picture[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    assert window.shape == (3, 3)
    assert np.array_equal(values(first.answer_grids[0]), window * kernel)
    assert first.answer.endswith(f"= {answers[rows[0], columns[0]]:.0f}".replace("-", "−"))
    level = int(re.search(r"picture is (\d)", even.text)[1])  # type: ignore[index]
    assert even.answer.endswith(f"= {level * kernel.sum():.0f}.".replace("-", "−"))
    assert picture.min() >= 0 and picture.max() <= 9 and picture.std() > 0


@pytest.mark.parametrize("seed", SEEDS)
def test_pooling_by_hand(seed: int) -> None:
    relu, pooled, *_ = sheet_of("pooling", seed).tasks
    answers = values(relu.grids[0])
    kept = np.where(answers > 0, answers, 0)
    assert np.array_equal(values(relu.answer_grids[0]), kept)
    assert relu.answer.startswith(f"{(kept == 0).sum()} of 16")
    for r in range(2):
        for c in range(2):
            window = kept[2 * r : 2 * r + 2, 2 * c : 2 * c + 2]
            assert values(pooled.answer_grids[0])[r, c] == window.max()
            assert values(pooled.answer_grids[1])[r, c] == window.mean()


@pytest.mark.parametrize("seed", SEEDS)
def test_sizes_and_parameters(seed: int) -> None:
    import torch

    sizes, parameters, *_ = sheet_of("layers", seed).tasks
    for row in sizes.answer_grids[0].cells:
        size, kernel, stride, padding, dilation, out = map(int, row[1:])
        layer = torch.nn.Conv2d(1, 1, kernel, stride, padding, dilation)
        assert layer(torch.zeros(1, 1, size, size)).shape[-1] == out
    for row, said in zip(parameters.grids[0].cells, parameters.answer.split("; "), strict=True):
        inputs, filters, side = int(row[1]), int(row[2]), int(row[3].partition(" ")[0])
        layer = torch.nn.Conv2d(inputs, filters, side, bias=row[4] == "yes")
        assert said.rstrip(".").endswith(f"= {sum(p.numel() for p in layer.parameters()):,}")


@pytest.mark.parametrize("seed", SEEDS)
def test_receptive_field(seed: int) -> None:
    table = sheet_of("field", seed).tasks[0].answer_grids[0].cells
    sees, step = 1, 1
    for row in table:
        sees, step = sees + (int(row[2].partition(" ")[0]) - 1) * step, step * int(row[3])
        assert (int(row[4]), int(row[5])) == (sees, step)


@pytest.mark.parametrize("seed", range(8))
def test_softmax(seed: int) -> None:
    table = sheet_of("softmax", seed).tasks[0].answer_grids[0].cells
    logits = np.array([float(row[1]) for row in table])
    shares = np.array([float(row[4].rstrip(" %")) for row in table]) / 100
    assert np.isclose(shares.sum(), 1, atol=0.002)
    exact = np.exp(logits) / np.exp(logits).sum()
    # The powers of e are rounded to hundredths on paper, each share to a thousandth.
    assert np.abs(shares - exact).max() < 0.01 + 0.001
    assert logits[0] - logits[-1] <= 6.0, "further apart there is nothing to compute"
    assert math.isclose(float(table[0][3]), 1.0)


@pytest.mark.parametrize("seed", SEEDS)
def test_class_map(seed: int) -> None:
    import torch

    sums, whole, trial, _ = sheet_of("gradcam", seed).tasks
    weights, *cells = sums.answer_grids[0].cells
    factors = np.array([float(one.replace("−", "-")) for one in weights[1:-2]])
    for row in cells:
        numbers = [float(one.replace("−", "-")) for one in row[1:]]
        assert math.isclose(numbers[-2], float(factors @ np.array(numbers[:-2])), abs_tol=0.0051)
        assert numbers[-1] == max(0.0, numbers[-2])
    levels = values(whole.answer_grids[0])
    (marked,) = whole.answer_grids[0].marked
    assert levels[marked] == levels.max() == 9
    # The trial, done again: the network's own logit, and the one with 32 × 32 pixels of grey on the strongest cell.
    caption = sheet_of("gradcam", seed).caption.partition(",")[0]
    sample = next(one for one in list_samples() if one.title == caption)
    model = cc.load_model("mobilenet_v2")
    rgb = model.preprocess(cc.load_image(sample.path)).shown_rgb.copy()
    row, column = marked
    logits = []
    for covered in (False, True):
        if covered:
            rgb[32 * row : 32 * row + 32, 32 * column : 32 * column + 32] = 128
        with torch.inference_mode():
            logits.append(model.module(model.card.preprocessing.from_rgb(rgb).tensor)[0].numpy())
    best = int(logits[0].argmax())
    told = [float(one) for one in re.findall(r"from ([\d.]+) to ([\d.]+)\.", trial.answer)[0]]
    assert np.allclose(told, [logits[0][best], logits[1][best]], atol=0.0051)


@pytest.mark.parametrize("kind", KINDS)
def test_a_number_decides_the_sheet(kind: str) -> None:
    assert sheet_of(kind, 3) == sheet_of(kind, 3)
    assert sheet_of(kind, 3).tasks != sheet_of(kind, 4).tasks
    assert kind in {sheet_of(kind, 3).kind}


class _Outside(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.addresses: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.addresses += [value or "" for name, value in attrs if name in ("src", "href")]


def test_the_file_needs_nothing_else() -> None:
    html = cc.worksheets_html([sheet_of("kernel", 1), sheet_of("kernel", 2)])
    found = _Outside()
    found.feed(html)
    assert len(found.addresses) == 2 and all(one.startswith("data:image/png;base64,") for one in found.addresses)
    assert "http" not in html and "<script" not in html
    assert "answers, for the teacher" in html
    assert "answers, for the teacher" not in cc.worksheets_html([sheet_of("kernel", 1)], answers=False)


def test_refusals() -> None:
    with pytest.raises(cc.InvalidOption, match="kernel"):
        cc.make_worksheet("kernels")
    with pytest.raises(cc.InvalidOption, match="between 0"):
        cc.make_worksheet("kernel", seed=-1)
    for wrong in ([], [sheet_of("kernel", 1)] * 61):
        with pytest.raises(cc.InvalidOption, match="1 to 60"):
            cc.worksheets_html(wrong)
    with pytest.raises(ValueError, match="twice"):
        register(WorksheetKind("kernel", "", "", "kernel", 1, lambda seed: sheet_of("kernel", seed)))


def test_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["worksheet", "--json"]) == 0
    assert [one["key"] for one in json.loads(capsys.readouterr().out)] == KINDS
    file = tmp_path / "sheets.html"
    assert main(["worksheet", "field", "--seed", "5", "--copies", "2", "-o", str(file)]) == 0
    assert "sheets 5 to 6" in capsys.readouterr().out
    assert file.read_text(encoding="utf-8").count('class="sheet"') == 3
    for wrong in (["kernels"], ["kernel", "--copies", "61"], ["kernel", "-o", "sheet.pdf"], ["kernel", "--seed", "-1"]):
        assert main(["worksheet", *wrong]) == 2
        assert capsys.readouterr().err.count("\n") == 1
