"""Every page runs, with every shipped network, with odd pictures and odd addresses, and never shows a traceback."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from streamlit.testing.v1 import AppTest

from ui import session, shell

ROOT = Path(__file__).resolve().parent.parent
WITH_BENCH = [entry.key for entry in shell.PAGES if not entry.default]
# What trains its own networks needs neither a picture nor a network from the side bar.
WITHOUT_PICTURE = {"machines", "imagenet", "insights", "build", "grass", "audit", "teach"}
WITH_PICTURE = [key for key in WITH_BENCH if key not in WITHOUT_PICTURE]
WITH_NETWORK = {"features", "channel", "depth", "trail", "gradcam", "network", "decision"}


@pytest.fixture(autouse=True)
def _few_threads() -> Iterator[None]:
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def open_page(key: str, **address: str) -> AppTest:
    """The page after its first run, opened by an address as a visitor would."""
    at = AppTest.from_file(str(ROOT / "ui" / "main.py"), default_timeout=120)
    at.run()
    for name, value in address.items():
        at.query_params[name] = value
    if key != "home":
        at.switch_page(f"../pages/{key}.py")
    at.run()
    return at


def png(array: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(array).save(buffer, "PNG")
    return buffer.getvalue()


def texts(at: AppTest) -> str:
    elements = [*at.markdown, *at.error, *at.info, *at.warning, *at.caption, *at.title, *at.header]
    return "\n".join(str(element.value) for element in elements)


@pytest.mark.parametrize("key", [entry.key for entry in shell.PAGES])
def test_page_opens(key: str) -> None:
    at = open_page(key)
    assert not at.exception
    assert not at.error
    assert len(at.title) == 1


@pytest.mark.parametrize("model", ["squeezenet1_1", "lenet5"])
@pytest.mark.parametrize("key", WITH_PICTURE)
def test_page_opens_with_the_other_shipped_networks(key: str, model: str) -> None:
    at = open_page(key, model=model, picture="dog")
    assert not at.exception
    assert not at.error
    assert len(at.title) == 1


@pytest.mark.parametrize("key", WITH_BENCH)
def test_page_survives_an_address_of_nonsense(key: str) -> None:
    address = dict.fromkeys(session.PARAMETERS, "no-such-thing")
    at = open_page(key, **address)
    assert not at.exception
    assert len(at.title) == 1


@pytest.mark.parametrize("key", [key for key in WITH_BENCH if key in WITH_NETWORK])
def test_missing_weights_are_a_choice(key: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    at = open_page(key, model="resnet18")
    assert not at.exception
    assert "not on this machine" in texts(at)
    random = next(button for button in at.button if button.label == "Open with random weights")
    random.click()
    at.run()
    assert not at.exception
    assert "random weights" in texts(at)
    assert at.query_params["weights"] == "random"


ODD = {
    "one pixel": png(np.array([[[200, 30, 30]]], dtype=np.uint8)),
    "very wide": png(np.tile(np.arange(256, dtype=np.uint8), (3, 8))),
    "all black": png(np.zeros((40, 30), dtype=np.uint8)),
    "transparent": png(np.dstack([np.full((50, 50, 3), 90, np.uint8), np.zeros((50, 50), np.uint8)])),
}


@pytest.mark.parametrize("key", WITH_PICTURE)
def test_odd_uploads_work_on_every_page(key: str) -> None:
    at = open_page(key)
    seen = set()
    for kind, content in ODD.items():
        at.file_uploader(key="cl_upload").set_value([]).upload(f"{kind}.png", content, "image/png")
        at.run()
        assert not at.exception, kind
        assert not at.error, kind
        assert session.PARAMETERS["picture"].default not in at.query_params.get("picture", [])
        assert at.session_state["cl_picture"].startswith("upload-")
        seen.add(at.session_state["cl_picture"])
    assert len(seen) == len(ODD)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("notes.png", b"this is not a picture"),
        ("cut.png", png(np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8))[:400]),
        ("empty.png", b""),
    ],
)
def test_bad_uploads_get_one_sentence_and_nothing_is_lost(name: str, content: bytes) -> None:
    at = open_page("pixels", picture="koala")
    at.file_uploader(key="cl_upload").upload(name, content, "image/png")
    at.run()
    assert not at.exception
    assert len(at.error) == 1
    assert "The picture before stays." in at.error[0].value
    assert at.session_state["cl_picture"] == "koala"
    at.run()
    assert not at.error, "said once, not for ever"


def test_an_address_reproduces_the_choice_and_follows_it() -> None:
    at = open_page("features", picture="koala", model="squeezenet1_1", layer="features.3")
    assert at.session_state["cl_picture"] == "koala"
    assert at.session_state["cl_model"] == "squeezenet1_1"
    # A module's path is kept as the operation that ends it.
    assert at.query_params["model"] == "squeezenet1_1"
    assert "koala" in at.query_params["picture"]


def test_defaults_are_left_out_of_the_address() -> None:
    at = open_page("features")
    assert "picture" not in at.query_params and "model" not in at.query_params


def test_an_upload_never_stands_in_the_address() -> None:
    at = open_page("pixels", picture="koala")
    at.file_uploader(key="cl_upload").upload("mine.png", ODD["very wide"], "image/png")
    at.run()
    assert "picture" not in at.query_params


def test_another_visitors_upload_cannot_be_opened() -> None:
    mine = open_page("pixels")
    mine.file_uploader(key="cl_upload").upload("mine.png", ODD["very wide"], "image/png")
    mine.run()
    reference = mine.session_state["cl_picture"]
    other = open_page("pixels", picture=reference)
    assert not other.exception
    assert "no picture" in texts(other)
    assert "cl_picture" not in other.session_state


def test_a_class_can_be_named_in_the_address() -> None:
    at = open_page("gradcam", picture="dog", target="tabby")
    chosen = [button.label for button in at.button if button.label.startswith("tabby")]
    assert chosen and not at.exception and not at.error


def test_an_unknown_class_gets_one_sentence() -> None:
    at = open_page("gradcam", target="unicorn [x](http://example.org)")
    assert not at.exception
    said = [info.value for info in at.info if "There is no class" in info.value]
    assert len(said) == 1 and "giant panda" in said[0]
    assert "[x](" not in said[0], "a visitor's words are never read as Markdown"
    at.run()
    assert "There is no class" in texts(at), "it stays until something else is chosen"
    at.button(key="cl_class_target_388").click().run()
    assert "There is no class" not in texts(at)


def test_what_cannot_be_read_in_an_address_is_said_until_the_page_is_left() -> None:
    at = open_page("kernel", stride="99")
    assert not at.exception
    assert [info.value for info in at.info if "The address says stride=99, which cannot be read" in info.value]
    assert "stride" not in at.query_params
    at.run()
    assert "stride=99" in texts(at)


@pytest.mark.parametrize("key", ["features", "depth", "channel"])
def test_a_unit_that_a_layer_does_not_have_gets_one_sentence(key: str) -> None:
    at = open_page(key, layer="features.18", channel="1280", row="3", column="3")
    assert not at.exception
    said = [info.value for info in at.info if "there is no channel 1280" in info.value]
    assert len(said) == 1 and "channels 0 to 1279" in said[0]
    at.run()
    assert "there is no channel 1280" in texts(at), "it stays until another is chosen"


def test_the_unit_goes_along_from_page_to_page() -> None:
    at = open_page("features", layer="features.8.conv.0.2", channel="12", row="4", column="9")
    for key in ("depth", "network", "features"):
        at.switch_page(f"../pages/{key}.py").run()
        assert not at.exception
        assert [at.session_state[f"cl_{name}"] for name in ("channel", "row", "column")] == [12, 4, 9]


def test_a_layer_without_maps_gets_one_sentence() -> None:
    at = open_page("gradcam", layer="no.such.layer")
    assert not at.exception
    assert "no operation or module" in texts(at)
