"""Audit a folder without a browser: the example from start to two networks side by side; uploads; the room."""

from __future__ import annotations

import io
import time

import numpy as np
import pytest
from PIL import Image
from streamlit.testing.v1 import AppTest

from cnn_core.bias import mystery
from cnn_core.bias.annotations import Annotations
from cnn_core.bias.regions import Box, Region
from cnn_core.bias.uploads import disk
from tests.fuzz_files import zipped
from tests.test_pages import open_page
from ui.audit_room import Room


def words(at: AppTest) -> str:
    boxes = [*at.error, *at.warning, *at.success, *at.info]
    return "\n".join(str(element.value) for element in (*at.markdown, *at.caption, *boxes)).replace("\\", "")


def until(at: AppTest, wanted: str) -> str:
    end = time.monotonic() + 60  # a machine on which other tests run, too
    while time.monotonic() < end:
        at.run()
        assert not at.exception
        if wanted in words(at):
            return words(at)
        time.sleep(0.1)
    raise AssertionError(f"{wanted!r} never came: {words(at)[:2000]}")


def press(at: AppTest, label: str) -> None:
    next(button for button in at.button if button.label.startswith(label)).click()
    at.run()
    assert not at.exception


def test_the_example_from_pictures_to_two_networks_side_by_side() -> None:
    at = open_page("audit")
    assert "Bring pictures" in words(at)
    press(at, "40 drawn cows and camels")
    assert "40 pictures, labels: camel 20, cow 20" in words(at).replace("**", "")
    press(at, "The object")
    press(at, "Look at the 40 pictures")
    looked = until(at, "looked at with Grad-CAM")
    assert "right: " in looked and "None yet. A map proposes; only swaps decide. 0 of at least 10" in looked
    press(at, "2 Group")
    press(at, "Propose")
    proposed = until(at, "proposed by a program: look at them before you believe it")
    # What was proposed is what is shown to be looked at: the grass, then the sand.
    shown = at.get("button_group")[-1]
    assert [option.content for option in shown.proto.options] == ["background 1 (21)", "background 2 (19)"]
    assert "The worst group of at least 5 pictures is “camel” on “background 1”: 0 %" in proposed
    press(at, "They make sense: use them")
    assert "proposed by a program, looked at by you" in words(at)
    at.text_input(key="cl_audit_tag_name").set_value(" green  grass ").run()
    press(at, "Name all 21 of")
    assert "“camel” on “green grass”: 0 %" in words(at)
    press(at, "Use the tags that come along")
    told = words(at)
    assert "The worst group of at least 5 pictures is “camel” on “grass”: 0 %" in told
    press(at, "3 Box")
    press(at, "Use the boxes that come along")
    assert "40 pictures have boxes or a mask now, from COCO JSON." in words(at)
    press(at, "Run the swaps with 40 boxed pictures")
    swapped = until(at, "**difference**")
    assert "Supported: it relies on the background" in swapped
    assert "Not this time." in swapped, "the guess was the object"
    truth = max(mystery.suspects(), key=lambda one: one.fall)
    assert f"names {100 * truth.biased_accuracy:.1f} % right" in swapped
    press(at, "5 Verdict")
    press(at, "Audit it, too")
    both = until(at, "| verdict |")
    assert "Not supported: no sign" in both
    assert "second example network does not lean on the background; the other one does" in both
    assert "**What they call differently**: 11 of 40 pictures" in both
    # What is older than the boxes says so.
    press(at, "3 Box")
    at.button(key="cl_audit_unbox").click().run()
    assert "Boxes, tags or the network have changed since" in words(at)
    at.button(key="cl_audit_clear").click().run()
    assert "Bring pictures" in words(at)


def test_a_zip_is_taken_or_refused_in_a_sentence() -> None:
    at = open_page("audit", step="nonsense", network="no-such-thing", versus="run:gone")
    packed = next(one for one in at.file_uploader if one.label.startswith("A zip"))
    packed.upload("evil.zip", zipped({"../evil.png": b"x"}))
    assert "leads out of it" in until(at, "What was there before stays.")
    rgb = np.random.default_rng(0).integers(0, 256, (40, 40, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(rgb).save(buffer, "PNG")
    content = {"a/1.png": buffer.getvalue(), "b/2.png": buffer.getvalue()[:-1], "a/big.png": bytes(11 * 2**20)}
    packed = next(one for one in at.file_uploader if one.label.startswith("A zip"))
    packed.upload("good.zip", zipped(content))
    told = until(at, "labels: a 1, b 1")
    assert "big.png: It has more than 10 MB." in told
    assert "There is no such example network" in told
    press(at, "Let all of this go")


def test_a_room_lets_everything_go() -> None:
    room = Room()
    assert len(room) == 0 and room.items() == ()
    before = disk.used
    added = room.folder.add_pictures([("a.png", b"not even a picture")])
    room.took(added)
    folder = room.folder.path
    room.add_boxes(Annotations({"a.png": Region((Box(0, 0, 1, 1),))}, ("csv",), ()))
    room.set_tags({"a.png": "grass"}, "given")
    assert disk.used > before and room.pictures == 1 and room.marks == 2
    room.set_box("a.png", None)
    assert dict(room.boxes) == {} and room.marks == 3
    room.clear()
    assert not folder.exists() and disk.used == before
    assert dict(room.tags) == {} and len(room) == 0
    assert room.folder.path != folder, "there is room for others"
    room.clear()


@pytest.mark.parametrize("probability", [0.004, 0.5, 0.999])
def test_short_probabilities(probability: float) -> None:
    from ui.audit_look import short

    assert short(probability) == {0.004: ".00", 0.5: ".50", 0.999: "1.00"}[probability]
