"""Changes written down: what is written is read again, and anything else is refused with a sentence."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cnn_core.change_text import FORMAT, MAX_CHANGES, MAX_FILE, from_json, from_text, to_json, to_text
from cnn_core.changes import Change, ChangePicture, EditBias, EditKernel, SabotagePreprocessing, SwitchOff
from cnn_core.errors import InvalidOption
from ui import session

NAMES = st.from_regex(r"[A-Za-z0-9_.:\-]{1,40}", fullmatch=True)
SINGLE = st.floats(-1024, 1024, width=32)
CHANGES = st.one_of(
    st.builds(
        SwitchOff,
        NAMES,
        st.sets(st.integers(0, 4095), min_size=1, max_size=30).map(lambda found: tuple(sorted(found))),
        st.sampled_from(["zero", "mean"]),
    ),
    st.builds(
        lambda name, shape, seed: EditKernel(
            name, (1, 2), np.random.default_rng(seed).normal(size=shape).astype(np.float32)
        ),
        NAMES,
        st.sampled_from([(), (1,), (3, 3), (2, 1, 5)]),
        st.integers(0, 99),
    ),
    st.builds(EditBias, NAMES, st.integers(0, 999), SINGLE),
    st.builds(ChangePicture, NAMES, st.none() | st.floats(-300, 300), st.integers(0, 99)),
    st.builds(SabotagePreprocessing, NAMES),
)


@settings(max_examples=60, deadline=None)
@given(st.lists(CHANGES, max_size=5).map(tuple))
def test_what_is_written_is_read_again(changes: tuple[Change, ...]) -> None:
    text = to_text(changes)
    assert from_text(text) == changes
    assert from_json(to_json(changes, network="any")) == changes
    # A link keeps it as it is: nothing in it has a meaning of its own in an address or in HTML.
    assert all(c.isalnum() or c in "_.:~-+" for c in text)


def test_by_hand() -> None:
    changes = (SwitchOff("a.b:2", (3, 5, 6, 7, 9)), EditKernel("c", (4, 1), [[0.1, -1], [2e-7, 0]]))
    assert to_text(changes) == "off~a.b:2~3_5-7_9~zero~~kernel~c~4_1~2x2~0.1_-1_2e-07_0"
    # The weights come back as the float32 numbers that the network would compute with.
    read = from_text(to_text(changes))[1]
    np.testing.assert_array_equal(np.float32(read.values), np.float32([[0.1, -1], [2e-7, 0]]))
    assert to_text((ChangePicture("blur", 2.5, 1), SabotagePreprocessing("bgr"))) == "picture~blur~2.5~1~~mistake~bgr"
    assert from_text("") == ()


@pytest.mark.parametrize(
    "text",
    [
        "no-such-thing",
        "off~a",
        "off~a~~zero",
        "off~a~3~one",
        "off~a~3-1~zero",
        "off~a~-1~zero",
        "off~a~0-999999~zero",
        "off~<b>~3~zero",
        "off~a~3~zero~~",
        "kernel~a~0_1~3x3~1_2",
        "kernel~a~0~2~nan_1",
        "kernel~a~0~2~inf_1",
        "kernel~a~0~2~1e999_1",
        "kernel~a~0~-2~1_1",
        "kernel~a~0~1x1x1x1x1~1",
        "bias~a~1.5~0",
        "bias~a~1~0x10",
        "picture~blur~much~0",
        "picture~blur~1~-2",
        "mistake~bgr~1",
        "~~".join(["mistake~bgr"] * (MAX_CHANGES + 1)),
    ],
)
def test_other_lines_are_refused(text: str) -> None:
    with pytest.raises(InvalidOption) as refused:
        from_text(text)
    message = str(refused.value)
    assert message.endswith(".") and len(message) < 200


def file(*changes: object) -> str:
    return json.dumps({"format": FORMAT, "changes": list(changes)})


@pytest.mark.parametrize(
    "content",
    [
        b"\x00\xff not json",
        "",
        "[]",
        "{}",
        '{"format": "another", "changes": []}',
        json.dumps({"format": FORMAT, "changes": {}}),
        file("off"),
        file({"kind": "burn"}),
        file({"kind": "off", "operation": "a", "channels": [1]}),
        file({"kind": "off", "operation": "a", "channels": [], "to": "zero"}),
        file({"kind": "off", "operation": "a", "channels": [True], "to": "zero"}),
        file({"kind": "off", "operation": "a", "channels": [1.5], "to": "zero"}),
        file({"kind": "off", "operation": 3, "channels": [1], "to": "zero"}),
        file({"kind": "kernel", "operation": "a", "index": [0], "values": [[1], [2, 3]]}),
        file({"kind": "kernel", "operation": "a", "index": [0], "values": ["x"]}),
        '{"format": "' + FORMAT + '", "changes": [{"kind": "bias", "operation": "a", "index": 0, "value": NaN}]}',
        file({"kind": "bias", "operation": "a", "index": 0, "value": 10**400}),
        file({"kind": "picture", "change": "blur", "amount": "3"}),
        file(*[{"kind": "mistake", "mistake": "bgr"}] * (MAX_CHANGES + 1)),
        "[" * 100_000,
        " " * (MAX_FILE + 1),
    ],
)
def test_other_files_are_refused(content: str | bytes) -> None:
    with pytest.raises(InvalidOption) as refused:
        from_json(content)
    assert str(refused.value).endswith(".") and len(str(refused.value)) < 200


def test_an_address_takes_what_is_short_enough() -> None:
    parse = session.PARAMETERS["changes"].parse
    text = to_text([SwitchOff("features.18.2", tuple(range(0, 1280, 3)))])
    assert len(text) > 1500
    with pytest.raises(ValueError):
        parse(text)
    assert parse("off~a~1~zero") == "off~a~1~zero"
    with pytest.raises(ValueError):
        parse("off~a\n")
