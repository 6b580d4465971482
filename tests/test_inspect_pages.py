"""Grad-CAM and the decision, opened past their guess, on every kind of head that torchvision's networks have."""

from __future__ import annotations

import re

import pytest
from streamlit.testing.v1 import AppTest

from cnn_core.decision import head_of, logit_ledger
from ui import cached, pictures
from ui.instruments.decision import CellGuess
from ui.instruments.place import Guess

from .test_pages import open_page, texts

# One of each kind of head; random weights, as none of these comes with the app.
HEADS = ["resnet18", "googlenet", "mobilenet_v3_small", "convnext_tiny", "alexnet", "efficientnet_b0"]
SHIPPED = ["mobilenet_v2", "squeezenet1_1", "lenet5"]


def opened(page: str, model: str, guess: bool, **address: str) -> AppTest:
    """The page with its guess made (or skipped), as it is after the click in the picture."""
    weights = "default" if model in SHIPPED else "random"
    at = open_page(page, model=model, weights=weights, picture="dog", **address)
    assert not at.exception
    classifier = cached.classifier(model, weights)
    seen = cached.model_input(classifier, pictures.sample_picture("dog"))
    subject = f"{classifier.key}:{seen.digest[:16]}"
    if page == "gradcam":
        at.session_state["cl_gradcam_guesses"] = {subject: Guess((20.0, 11.0) if guess else None)}
    else:
        top = cached.trace(classifier, seen).top(1)[0].index
        target = address.get("target", str(top))
        at.session_state["cl_decision_guesses"] = {f"{subject}:{target}": CellGuess((1, 2) if guess else None)}
    at.run()
    return at


@pytest.mark.parametrize("guess", [True, False])
@pytest.mark.parametrize("model", [*SHIPPED, *HEADS])
@pytest.mark.parametrize("page", ["gradcam", "decision"])
def test_page_goes_on_after_the_guess(page: str, model: str, guess: bool) -> None:
    at = opened(page, model, guess)
    assert not at.exception
    assert not at.error
    found = texts(at)
    if page == "gradcam":
        assert "The same class, layer by layer" in found
        assert ("Where you clicked the map reads" in found or "The map cannot answer" in found) == guess
    else:
        classifier = cached.classifier(model, "default" if model in SHIPPED else "random")
        head = head_of(classifier.network)
        assert head.sentence in found
        exact = head.kind in {"pool+linear", "class maps"}
        assert ("The test: grey that cell" in found) == exact
        assert ("Greying row" in found) == (not exact)


@pytest.mark.parametrize("model", ["mobilenet_v2", "squeezenet1_1"])
def test_the_answer_names_the_ledgers_own_cells(model: str) -> None:
    at = opened("decision", model, True)
    classifier = cached.classifier(model, "default")
    seen = cached.model_input(classifier, pictures.sample_picture("dog"))
    trace = cached.trace(classifier, seen)
    ledger = logit_ledger(classifier, trace, trace.top(1)[0].index)
    assert ledger.cells is not None
    said = re.search(r"strongest cell is row (\d+), column (\d+).*rank (\d+) of (\d+)", texts(at), re.DOTALL)
    if said is None:  # a right guess is answered in a green box, which `texts` leaves out
        said = re.search(
            r"strongest cell is row (\d+), column (\d+).*rank (\d+) of (\d+)",
            "\n".join(str(element.value) for element in at.success),
            re.DOTALL,
        )
    assert said is not None
    ranking = ledger.cell_ranking()
    assert tuple(map(int, said.groups())) == (*ranking[0], ranking.index((1, 2)) + 1, ledger.cells.size)


def test_an_untrained_network_is_put_on_trial_too() -> None:
    at = opened("gradcam", "resnet18", False)
    button = next(button for button in at.button if button.label == "Run the trial")
    if not button.disabled:
        button.click().run()
        assert not at.exception
        verdicts = [str(element.value) for element in [*at.success, *at.warning]]
        assert any(re.match(r"\*\*(Supported|Not supported|No better than edges)\.\*\*", text) for text in verdicts)
    else:
        assert "There is no claim to put on trial" in texts(at)


def test_early_layers_and_the_input_itself_can_be_explained() -> None:
    for layer in ("input", "features.0.0", "features.2"):
        at = opened("gradcam", "mobilenet_v2", False, layer=layer)
        assert not at.exception
        assert not at.error
