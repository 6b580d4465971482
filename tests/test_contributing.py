"""The how-tos of CONTRIBUTING.md, done as they say: each block of code runs where it says, and does what it says."""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest
from torch import nn

import cnn_core as cc

ROOT = Path(__file__).resolve().parent.parent
TEXT = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
BLOCKS = dict(re.findall(r"<!-- run (?:in|as): ([\w.]+) -->\n```python\n(.*?)```", TEXT, re.DOTALL))


@pytest.fixture(autouse=True)
def registries_as_before() -> Iterator[None]:
    """What a how-to registers is taken out again."""
    from cnn_core.operations import registry as operations
    from cnn_core.saliency import registry as saliency
    from cnn_core.training import experiments

    kept: list[dict[Any, Any]] = [
        operations._KINDS,
        operations._BY_MODULE,
        operations._BY_FUNCTION,
        saliency._ENTRIES,
        experiments._EXPERIMENTS,
    ]
    before = [dict(registry) for registry in kept]
    yield
    for registry, was in zip(kept, before, strict=True):
        registry.clear()
        registry.update(was)


def run_in(name: str) -> Any:
    """Run a block at the end of its module, or as the new module that it names; the value of its last expression."""
    try:
        inside = dict(vars(import_module(name)))
    except ModuleNotFoundError:
        inside = {"__name__": name, "__package__": name.rpartition(".")[0]}
    code = BLOCKS[name]
    if code.startswith("_row("):
        return eval(code, inside)
    exec(compile(code, name, "exec"), inside)
    return None


def test_there_is_a_how_to_for_each_extension_point() -> None:
    titles = re.findall(r"^### (.+)$", TEXT, re.MULTILINE)
    assert titles == ["An architecture", "An operation", "A saliency method", "An experiment", "A lesson"]
    assert len(BLOCKS) == len(titles)


def test_an_architecture(monkeypatch: pytest.MonkeyPatch) -> None:
    from cnn_core.models import families

    row = run_in("cnn_core.models.families")
    assert families.family_of("repvgg_a0") is None
    monkeypatch.setattr(families, "FAMILIES", (*families.FAMILIES, row))
    found = families.family_of("repvgg_a0")
    assert found is not None and found[0].year == 2021 and found[1] == "RepVGG-A0"


def test_an_operation() -> None:
    from cnn_core.network import build_network
    from cnn_core.operations.registry import get_kind

    run_in("cnn_core.operations.activations")
    assert get_kind("softsign").modules.keys() == {nn.Softsign}
    with pytest.raises(ValueError, match="Registered already: softsign"):
        run_in("cnn_core.operations.activations")
    module = nn.Sequential(nn.Conv2d(3, 2, 3), nn.Softsign()).eval()
    assert [operation.kind for operation in build_network(module, (3, 8, 8)).operations][-2:] == ["softsign", "softmax"]


def test_a_saliency_method() -> None:
    run_in("cnn_core.saliency.methods.energy")
    assert "energy" in {card.key for card in cc.saliency_methods()}
    model = cc.load_model("lenet5")
    picture = cc.load_image(ROOT / "assets" / "samples" / "digit_3.png")
    layer = model.network.default_layer()
    found = cc.explain(model, picture, method="energy", layer=layer, rectify=False)
    activation = cc.trace(model, model.preprocess(picture)).activation(layer).astype(np.float64)
    assert np.allclose(found.values, (activation**2).sum(axis=0), rtol=1e-5)  # sums of float32


def test_an_experiment() -> None:
    run_in("cnn_core.training.experiments")
    run = cc.train("momentum", seed=0, arm="without", steps=3, n_train=100)
    assert run.recipe.momentum == 0 and run.steps_done == 3
    assert "momentum" in {experiment.key for experiment in cc.list_experiments()}


def test_a_lesson(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import streamlit as st

    from ui import shell

    file = tmp_path / "black_white.py"
    file.write_text(BLOCKS["page"], encoding="utf-8")

    class Own(shell.Lesson):
        @property
        def page(self) -> st.Page:
            return st.Page(file, title=self.title, default=True)

    home = shell.Lesson("home", "Home", "Learn", "home", "")
    monkeypatch.setattr(shell, "PAGES", (Own("black_white", "Black and white", "Learn", "home", "", True), home))
    at = AppTest.from_file(str(ROOT / "ui" / "main.py"), default_timeout=60).run()
    assert not at.exception and at.title[0].value == "Black and white"
    assert not at.success and not at.info, "no answer before the guess"
    at.button(key="cl_guess_black_white_button_dark").click().run()
    assert not at.exception
    told = [*at.success, *at.info]
    rgb = cc.load_image(ROOT / "assets" / "samples" / "panda.jpg").rgb
    dark, bright = 100 * (rgb < 32).mean(), 100 * (rgb > 223).mean()
    assert (
        len(told) == 1 and f"{dark:.1f} % of its numbers" in told[0].value and f"{bright:.1f} % above" in told[0].value
    )
    assert told[0].value.startswith("**As you guessed.**") == bool(dark > bright)


def test_pages_import_only_what_a_page_may() -> None:
    """The page of the how-to keeps the rule that tests/test_layers.py reads of all pages."""
    assert set(re.findall(r"^(?:from|import) (\w+)", BLOCKS["page"], re.MULTILINE)) <= {"__future__", "streamlit", "ui"}
