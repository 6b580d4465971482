"""Networks that visitors bring: seen by their owner only, bounded for each and for all, freed with the session."""

from __future__ import annotations

import gc
import io
import threading
import time
import weakref
from collections.abc import Callable, Iterator

import pytest
import torch

import cnn_core as cc
from cnn_core.training.networks import fresh_network
from tests.test_pages import open_page, texts
from ui import cached, own_models, own_models_dialog, pictures
from ui.own_models import Own, Shelf, everybody, reference_of


def network(seed: int, classes: list[str] | None = None) -> cc.Classifier:
    buffer = io.BytesIO()
    torch.save(fresh_network("small_cnn", seed).state_dict(), buffer)
    return cc.load_checkpoint(buffer.getvalue(), architecture="small_cnn", class_names=classes, device="cpu")


@pytest.fixture(scope="module")
def networks() -> list[cc.Classifier]:
    return [network(seed) for seed in range(6)]


@pytest.fixture(autouse=True)
def nothing_left() -> Iterator[None]:
    yield
    until(lambda: everybody.nbytes == 0)


def until(holds: Callable[[], bool]) -> None:
    """What a thread of its own does is done within seconds."""
    end = time.monotonic() + 20
    while not holds():
        gc.collect()
        assert time.monotonic() < end
        time.sleep(0.01)


def test_a_network_is_found_by_its_owner_alone(networks: list[cc.Classifier]) -> None:
    mine, theirs = Shelf(), Shelf()
    reference = mine.add(Own("cow.pt", networks[0]))
    assert reference == reference_of(networks[0]) and reference.startswith("own:")
    own = mine.get(reference)
    assert own is not None and own.model is networks[0] and theirs.get(reference) is None
    assert own_models.detail(own) == "Small CNN · 10 classes · 20,490 parameters"
    assert "28 × 28 pixels in greys" in own_models.feeding(own) and "subtracts 0.1307" in own_models.feeding(own)


def used(shelf: Shelf) -> tuple[str, weakref.ref[cc.Classifier]]:
    """Bring a network, and compute with it as pages do; its key, and a reference that does not keep it."""
    own = Own("mine.pt", network(7))
    shelf.add(own)
    opened = own_models.open_own(own)
    seen = cached.model_input(opened, pictures.sample_picture("panda"))
    assert cached.trace(opened, seen) is cached.trace(opened, seen)
    cached.memo("lesson", ("deep", (opened.key, 3)), lambda: [opened], lambda _: 10)
    assert everybody.nbytes == own.nbytes
    return opened.key, weakref.ref(opened)


def test_all_is_let_go_with_the_session() -> None:
    shelf = Shelf()
    name, alive = used(shelf)
    assert alive() is not None
    del shelf
    until(lambda: alive() is None)
    for cache in (cached._models, cached._traces, cached._small):
        assert not any(name in cached._flat(key) for key in cache._items)


def test_a_file_that_two_brought_stays_for_the_second() -> None:
    first, second = Shelf(), Shelf()
    own = Own("a.pt", network(8))
    reference = first.add(own)
    second.add(Own("b.pt", network(8)))
    opened = own_models.open_own(own)
    assert everybody.nbytes == own.nbytes  # equal files count once
    first.forget(reference)
    assert first.get(reference) is None and second.get(reference) is not None
    assert cached._is_kept(opened)
    second.forget(reference)
    assert not cached._is_kept(opened) and everybody.nbytes == 0


def test_the_oldest_makes_room(networks: list[cc.Classifier]) -> None:
    shelf = Shelf()
    references = [shelf.add(Own(f"{i}.pt", model)) for i, model in enumerate(networks)]
    assert list(shelf.all()) == references[: -own_models.MAX_MODELS - 1 : -1]  # newest first
    assert everybody.nbytes == sum(own.nbytes for own in shelf.all().values())


def test_a_full_server_says_so_and_keeps_what_it_has(
    networks: list[cc.Classifier], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CONVLENS_OWN_MODELS_MB", "0.1")  # one of these takes 0.08
    first, second = Shelf(), Shelf()
    kept = first.add(Own("a.pt", networks[0]))
    with pytest.raises(cc.InvalidOption, match="as many visitors' networks as it can"):
        second.add(Own("b.pt", networks[1]))
    assert first.get(kept) is not None and not second.all()
    monkeypatch.setattr(own_models, "_MAX_OF_ONE", 1000)
    with pytest.raises(cc.InvalidOption, match=r"at most 0 MB are opened in the app\. On your own machine"):
        second.add(Own("c.pt", networks[2]))


def test_a_page_opens_it_for_its_owner_and_says_so_to_others() -> None:
    app = open_page("decision", model="own:0123456789abcdef")
    assert not app.exception
    assert "somebody brought in another session" in texts(app)
    assert "model" not in app.query_params  # the default one
    model = network(9, [f"kind {i}" for i in range(10)])
    shelf = Shelf()
    app.session_state["cl_own_models"] = shelf
    app.query_params["model"] = shelf.add(Own("mine_$x$.pt", model))
    app.run()
    assert not app.exception
    assert "somebody brought" not in texts(app) and "28 × 28 pixels in greys" in texts(app)
    assert any(button.label.startswith("kind ") for button in app.button)
    next(button for button in app.button if button.label == "Forget this network").click()
    app.run()
    assert not app.exception and "model" not in app.query_params and not shelf.all()


def test_what_was_chosen_stays_while_a_file_is_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    go_on = threading.Event()

    def slow(*_: object, **__: object) -> None:
        go_on.wait(60)
        raise cc.InvalidCheckpoint("It does not fit.")

    monkeypatch.setattr(cc, "load_checkpoint", slow)
    monkeypatch.setattr(own_models_dialog, "_QUICK", 0.0)
    app = open_page("audit")
    app.button(key="cl_own_bring").click().run()
    app.file_uploader(key="cl_own_weights").upload("mine.pt", b"weights").run()
    app.selectbox(key="cl_own_normalisation").select("numbers").run()
    app.text_input(key="cl_own_mean").set_value("0.4").run()
    app.button(key="cl_own_go").click().run()
    assert any(button.key == "cl_own_cancel" for button in app.button)
    for opening in (True, False):
        if not opening:
            go_on.set()
            end = time.monotonic() + 20
            while "It does not fit" not in texts(app) and time.monotonic() < end:
                app.run()
        assert not app.exception and ("It does not fit" in texts(app)) is not opening
        held = app.file_uploader(key="cl_own_weights").value
        assert held is not None and held.name == "mine.pt"
        assert app.text_input(key="cl_own_mean").value == "0.4"
    assert not app.button(key="cl_own_go").disabled


@pytest.mark.parametrize(
    ("typed", "key"),
    [
        ("ResNet-18", "resnet18"),
        ("resnet18", "resnet18"),
        ("VGG-11 with batch norm (2014)", "vgg11_bn"),
        ("squeezenet 1.1", "squeezenet1_1"),
        ("build:conv16k3-relu-gap-linear", "build:conv16k3-relu-gap-linear"),
        ("nonsense", "nonsense"),
    ],
)
def test_an_architecture_may_be_typed_by_its_title(typed: str, key: str) -> None:
    from cnn_core.models.recognise import architecture_titles

    assert own_models_dialog.meant(typed, architecture_titles()) == key
