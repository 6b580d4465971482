"""A link reproduces what is seen: five settings on each page, made by its own controls, opened on another server."""

from __future__ import annotations

import json
import re
import struct
import time
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import parse_qs

import pytest

import cnn_core as cc
from tests import fuzz_files
from tests.server import running
from tests.visitors import Visitor
from ui import shell

Act = Callable[[Visitor], object]


def pick(component: str, value: Any, event: str = "pick") -> Act:
    """Click in a component."""
    return lambda visitor: visitor.tell(component, event, value)


def choose(kind: str, label: str, value: Any) -> Act:
    """Set a native control."""
    return lambda visitor: visitor.give(visitor.find(kind, label), value)


def press(label: str) -> Act:
    return lambda visitor: visitor.press(label)


def layer(page: str, name: str) -> Act:
    """Pick a layer in the strip."""
    return lambda visitor: visitor.tell(strip(visitor, page), "pick", name)


def strip(visitor: Visitor, page: str) -> str:
    (found,) = {one.id for one in visitor.elements("bidi_component") if f"-cl_layers_{page}_" in one.id}
    return str(found).split("-", 2)[2]


def guess(question: str, option: str) -> Act:
    """Commit a guess, without which a page keeps its answers back. A link does not carry it."""

    def commit(visitor: Visitor) -> None:
        (button,) = [
            one for one in visitor.elements("button") if one.id.endswith(f"-cl_guess_{question}_button_{option}")
        ]
        visitor.give(button, True)

    return commit


def looked(component: str) -> Act:
    """Look at a map without a guess."""

    def look(visitor: Visitor) -> None:
        subject = payloads(visitor)[component][0]["subject"]
        visitor.tell(component, "guess", {"subject": subject, "skip": True})

    return look


def settings_of_kernel(**changed: Any) -> dict[str, Any]:
    region = {"top": 3, "left": 4, "rows": 40, "columns": 48, "zoom": 2}
    weights = [0.5, -1.25, 0, 2, -3, 0.125, 1, 0, -0.5]
    plain = {"region": region, "kernel": weights, "preset": "", "source": "picture", "digit": 3, "bias": 0.75}
    return plain | {"stride": 2, "padding": 1, "dilation": 2} | changed


KOALA = pick("cl_picture_picker", "koala")
SQUEEZE = pick("cl_model_picker", "squeezenet1_1")


def skip(visitor: Visitor) -> None:
    """Have an experiment shown without a guess, where it is not shown yet."""
    if any(button.label == SKIP for button in visitor.elements("button")):
        visitor.press(SKIP)


SKIP = "Show it without a guess"
# By page: what is done on both servers, since guesses are not in a link; the settings; how many the link holds.
LINKS: dict[str, tuple[list[Act], list[Act], int]] = {}
PUSHES = "The part that pushes most its way"
OFF = {"layer": "features.14.conv.3", "channels": [3, 5, 6], "to": "zero"}
SOFTMAX = pick("cl_decision_softmax", 384)
LINKS |= {
    "pixels": (
        [guess("pixels_black", "negative"), guess("pixels_sabotage", "levels")],
        [KOALA, SQUEEZE, pick("pixels", {"row": 100, "column": 90}, "pin")],
        4,
    ),
    "kernel": (
        [],
        [
            KOALA,
            pick("cl_convolution", settings_of_kernel(), "settings"),
            choose("slider", "Move the picture down and to the right by", [7]),
            choose("checkbox", "Move it", True),
            choose("slider", "Put the same pixels in a random order, draw", [5]),
            choose("checkbox", "Shuffle them", True),
        ],
        9,
    ),
    "pooling": (
        [],
        [
            KOALA,
            SQUEEZE,
            layer("activations", "features.4.squeeze_activation"),
            pick("activation", 9, "channel"),
            choose("button_group", "Pooling layer", ["Max pool 3×3 /2 · features.8"]),
        ],
        5,
    ),
    "network": (
        [choose("checkbox", "Show the costs without guessing", True)],
        [KOALA, SQUEEZE, pick("cl_networkmap", "features.3.squeeze", "open"),
         choose("number_input", "Channel, 0 to 15", 7), choose("number_input", "Row, 0 to 54", 20)],
        6,
    ),
    "features": (
        [],
        [KOALA, layer("features", "features.7.conv.0.0"),
         pick("cl_featuremaps", {"layer": "features.7.conv.0.0", "channel": 17, "row": 5, "column": 9}, "unit")],
        5,
    ),
    "channel": (
        [guess("channel", "shape")],
        [KOALA, SQUEEZE, layer("channel", "features.4.squeeze"),
         pick("cl_channel_pick", {"layer": "features.4.squeeze", "channel": 13})],
        4,
    ),
    "depth": (
        [],
        [KOALA, SQUEEZE, layer("depth", "features.6.expand3x3"), choose("number_input", "Channel, 0 to 127", 77)],
        6,
    ),
    "trail": (
        [],
        [KOALA, choose("button_group", "At each step follow", [PUSHES]), press("indri < .01")],
        2,
    ),
    "decision": (
        [guess("nearest", "none")],
        [KOALA, choose("selectbox", "Rather than", "guenon"), press("indri < .01"), SOFTMAX],
        3,
    ),
    "gradcam": (
        [KOALA, looked("cl_gradcam")],
        [
            layer("gradcam", "features.14.conv.3"),
            press("indri < .01"),
            choose("selectbox", "Rather than", "guenon"),
            choose("button_group", "What the map explains", ["Probability"]),
            choose("slider", "Area to remove", [25]),
            choose("button_group", "Fill with", ["blur"]),
        ],
        7,
    ),
    "saliency": (
        [],
        [
            KOALA,
            choose("selectbox", "Rather than", "indri"),
            press("Occlusion"),
            choose("button_group", "What the maps explain", ["Probability"]),
            choose("multiselect", "Fuse features\\.18\\.2 with", ["features.14.conv.0.2"]),
            choose("button_group", "Join by", ["Largest"]),
            choose("selectbox", "Channels", "sum"),
            pick("cl_saliency", {"place": "naive"}, "place"),
        ],
        7,
    ),
    "interventions": (
        [],
        [
            KOALA,
            layer("interventions_channels", "features.14.conv.3"),
            pick("cl_interventions_channels", OFF, "act"),
            choose("button_group", "What do you want to change?", ["Sabotage the preprocessing"]),
            press("indri < .01"),
        ],
        5,
    ),
    "machines": (
        [guess("machines_shift", "cnn"), guess("machines_shuffle", "mlp"), guess("machines_explode", "64")],
        [choose("number_input", "Test picture", 27), pick("cl_machines_hand", [3, -2, True], "keep"),
         choose("slider", "Side of the picture, in pixels", [96]), choose("button_group", "Channels", ["greys"])],
        4,
    ),
    "landmarks": (
        [choose("checkbox", "Show the counts without guessing", True)],
        [pick("cl_landmarks", "resnet"), choose("number_input", "Test picture, 0 to 1,999", 1_234),
         choose("button_group", "Network", ["Small GoogLeNet"]), choose("button_group", "Block", ["block4"])],
        4,
    ),
    "imagenet": (
        [guess("imagenet_drop", "2012"), guess("imagenet_size", "yes")],
        [pick("cl_imagenet_history", "2014-googlenet"),
         choose("slider", "Move the test pictures down and right by", ["2 px"]),
         choose("button_group", "Pictures in the test", ["500"])],
        3,
    ),
    "resnet": (
        [skip],
        [KOALA, choose("selectbox", "Block", "3 of 10: features.6.add"),
         choose("number_input", "Seed", 7), choose("number_input", "Steps", 40)],
        4,
    ),
    "insights": (
        [choose("button_group", "Section", ["Why batch norm"]), skip],
        [choose("number_input", "Seed", 7), choose("number_input", "Steps", 40),
         choose("number_input", "Batch size", 16)],
        3,
    ),
    "build": (
        [],
        [choose("button_group", "What it learns from", ["Clothing"]), choose("number_input", "Epochs", 2),
         choose("selectbox", "Optimiser", "SGD"), choose("number_input", "Seed", 9),
         pick("cl_builder", {"layers": [{"kind": "flatten"}, {"kind": "linear", "units": 10}]}, "change")],
        4,
    ),
    "grass": (
        [],
        [choose("slider", "Cows on grass, camels on sand: in how many of the training pictures", ["90 %"]),
         choose("number_input", "Seed", 5), choose("button_group", "Section", ["Repair it"])],
        3,
    ),
    "swap": (
        [],
        [KOALA, choose("selectbox", "Rather than", "indri"), choose("selectbox", "Read by", "Grad-CAM++")],
        3,
    ),
    "audit": ([], [press("40 drawn cows and camels")], 2),
}  # fmt: skip
IN_THE_GATE = ("kernel", "features", "gradcam", "audit")
# What a component holds by itself and is told only where it changes elsewhere: where it opened, what it sent last.
ITS_OWN = {"selected", "turn", "told", "answers", "opened", "pin", "place"}


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    logs = tmp_path_factory.mktemp("links")
    with running(logs / "teacher.log") as teacher, running(logs / "learner.log") as learner:
        yield teacher, learner


def payloads(visitor: Visitor) -> dict[str, tuple[dict[str, Any], bytes]]:
    """What each component was given: its words and numbers, and its arrays."""
    found = {}
    for one in visitor.elements("bidi_component"):
        length = struct.unpack_from("<I", one.bytes)[0] if one.bytes else 0
        meta = json.loads(one.bytes[4 : 4 + length])["meta"] if length else {}
        told = {name: value for name, value in meta.items() if name not in ITS_OWN}
        found[one.id.split("-", 2)[2]] = (told, one.bytes[4 + length :])
    return found


def words(visitor: Visitor) -> str:
    """The page's words, without the marks of the glossary: which of several places is marked is chance."""
    return re.sub(r"</?span[^>]*>", "", visitor.text())


def quiet(visitor: Visitor) -> None:
    """Wait until what the page draws by itself is drawn: its words stay for a second."""
    said, since = visitor.text(), time.monotonic()

    def rests(one: Visitor) -> bool:
        nonlocal said, since
        if one.text() != said:
            said, since = one.text(), time.monotonic()
        return time.monotonic() - since > 1

    visitor.until(rests, "the end of what is computed behind the page")


def compare(servers: tuple[str, str], page: str) -> None:
    first, settings, n = LINKS[page]
    with Visitor(servers[0], page) as teacher:
        for act in (*first, *settings):
            act(teacher)
        link = teacher.address
        assert link.startswith(f"{page}?") and len(parse_qs(link)) == n, link
        teacher.open(link)
        with Visitor(servers[1], link) as learner:
            for visitor in (teacher, learner):
                for act in first:  # a guess is about what was chosen, and what was chosen changed
                    act(visitor)
                quiet(visitor)
                assert visitor.broken == []
            assert learner.address == link
            assert words(learner) == words(teacher)
            given, wanted = payloads(learner), payloads(teacher)
            assert list(given) == list(wanted)
            for name, payload in wanted.items():
                assert given[name] == payload, name


@pytest.mark.parametrize("page", IN_THE_GATE)
def test_a_link_shows_the_same_on_another_server(servers: tuple[str, str], page: str) -> None:
    compare(servers, page)


@pytest.mark.long
@pytest.mark.parametrize("page", [page for page in LINKS if page not in IN_THE_GATE])
def test_every_other_link_shows_the_same_on_another_server(servers: tuple[str, str], page: str) -> None:
    compare(servers, page)


def test_every_lesson_has_a_link_to_compare() -> None:
    assert set(LINKS) == {lesson.key for lesson in shell.course()}


def test_a_visitors_own_picture_is_in_no_link_and_in_no_other_session(servers: tuple[str, str]) -> None:
    content = fuzz_files.picture(11, "PNG", side=64)
    with Visitor(servers[0], "gradcam") as owner:
        owner.upload("Your own picture", "heifer.png", content)
        assert "heifer" in owner.text() and owner.broken == []
        assert "upload" not in owner.address and "picture" not in owner.address
        own = f"upload-{cc.load_image(content).digest[:16]}"
        for address in (f"gradcam?picture={own}", f"pixels?picture={own}"):
            with Visitor(servers[0], address) as other:
                assert "There is no picture" in other.text() and "heifer" not in other.text()
                assert all("heifer" not in str(one[0]) for one in payloads(other).values())
            owner.open(address)  # the owner's own address bar may say it, and never shows it on
            assert "heifer" in owner.text() and "upload" not in owner.address


def test_back_takes_back_what_was_chosen(servers: tuple[str, str]) -> None:
    """A browser that goes back asks for the page under the address that it had before."""
    with Visitor(servers[0], "gradcam?picture=koala") as visitor:
        before = payloads(visitor)["cl_gradcam"]
        visitor.press("indri < .01")
        chosen, after = visitor.address, payloads(visitor)["cl_gradcam"]
        assert chosen == "gradcam?picture=koala&target=384" and after != before
        time.sleep(1.1)  # sooner it might be a browser that was not told the new address yet
        visitor.open("gradcam?picture=koala")
        assert visitor.address == "gradcam?picture=koala" and payloads(visitor)["cl_gradcam"] == before
        visitor.open(chosen)  # and forward
        assert visitor.address == chosen and payloads(visitor)["cl_gradcam"] == after
        visitor.open("decision")  # what was chosen goes along to another page, whose address did not say it
        assert visitor.address == "decision?picture=koala&target=384"
