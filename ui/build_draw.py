"""The drawing board: draw, or take a test picture, and watch the trained network take it apart."""

from __future__ import annotations

import io
from typing import Any, Final

import numpy as np
import streamlit as st
from numpy.typing import NDArray
from PIL import Image

import cnn_core as cc
from cnn_core.training.data import DataSet, load_data_set
from cnn_core.training.run import rgb_of
from ui import cached, pictures, session, shell, training
from ui.instruments.drawing import Layer, drawing

_ASKED: Final = "cl_build_asked"
_MODEL: Final = "cl_build_classifier"
_HIDDEN: Final = frozenset({"input", "flatten", "view", "dropout", "identity", "softmax"})
_MOST_MAPS: Final = 16
_ELSEWHERE: Final = ("features", "trail", "decision", "gradcam")


def board(run: cc.TrainingRun, data: DataSet) -> None:
    """Draw and see; drawings suit data of light strokes on black, test pictures suit all."""
    can_draw = data.light_on_black
    st.header("Draw, and watch it decide" if can_draw else "Watch it decide", anchor=False, divider="gray")
    model = classifier_of(run)
    asked = _asked(run, data)
    seen = _seen(asked, data)
    _test_picture(data, asked)
    if seen is None:
        drawing(
            None, (), None, data.class_names, side=data.side, can_draw=can_draw, key="cl_build_board", on_draw=_keep
        )
        return
    entered = model.card.preprocessing.from_rgb(rgb_of(seen))
    trace = cached.memo(
        "build_trace", (model.key, entered.digest), lambda: cc.trace(model, entered), lambda made: made.nbytes
    )
    drawing(
        seen,
        _layers(model, trace),
        trace.probabilities,
        data.class_names,
        side=data.side,
        can_draw=can_draw,
        truth=None if asked is None or asked["kind"] == "drawn" else asked["label"],
        key="cl_build_board",
        on_draw=_keep,
    )
    _links(run, seen)


def classifier_of(run: cc.TrainingRun) -> cc.Classifier:
    """The run as a model; opened once for as long as the page is about it."""
    kept = st.session_state.get(_MODEL)
    if kept is None or kept[0] != run.digest:
        kept = (run.digest, run.classifier())
        st.session_state[_MODEL] = kept
    model: cc.Classifier = kept[1]
    return model


def _keep(pixels: NDArray[np.uint8] | None, centre: bool) -> None:
    """A stroke has ended, or the board was wiped."""
    if pixels is None:
        st.session_state.pop(_ASKED, None)
    else:
        st.session_state[_ASKED] = {"kind": "drawn", "pixels": pixels, "centre": centre}


def _asked(run: cc.TrainingRun, data: DataSet) -> dict[str, Any] | None:
    """What the network is asked about: a drawing, a test picture, or nothing yet."""
    asked: dict[str, Any] | None = st.session_state.get(_ASKED)
    if asked is not None and asked["kind"] == "drawn" and not data.light_on_black:
        asked = None
    if asked is not None and asked["kind"] == "test" and asked["data"] != data.key:
        asked = None
    if asked is None and not data.light_on_black:
        asked = _test(data, 0)
    return asked


def _test(data: DataSet, index: int) -> dict[str, Any]:
    _, test = load_data_set(data.key)
    return {"kind": "test", "data": data.key, "index": index, "label": int(test.labels[index])}


def _seen(asked: dict[str, Any] | None, data: DataSet) -> NDArray[np.uint8] | None:
    if asked is None:
        return None
    if asked["kind"] == "test":
        return load_data_set(data.key)[1].pictures[asked["index"]]
    return centred(asked["pixels"]) if asked["centre"] else asked["pixels"]


def centred(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A drawing as MNIST's digits are: its longer side 20 pixels, its centre of mass in the middle of 28 x 28."""
    rows, columns = np.nonzero(pixels > 20)
    if not len(rows):
        return pixels
    box = (int(columns.min()), int(rows.min()), int(columns.max()) + 1, int(rows.max()) + 1)
    cut = Image.fromarray(pixels).crop(box)
    scale = 20 / max(cut.size)
    size = (max(1, round(cut.width * scale)), max(1, round(cut.height * scale)))
    small = np.asarray(cut.resize(size, Image.Resampling.BILINEAR)).astype(np.float64)
    weight = small.sum()
    row = (small.sum(1) @ (np.arange(size[1]) + 0.5)) / weight
    column = (small.sum(0) @ (np.arange(size[0]) + 0.5)) / weight
    top, left = (int(np.clip(round(14 - at), 0, 28 - n)) for at, n in ((row, size[1]), (column, size[0])))
    made = np.zeros((28, 28), np.uint8)
    made[top : top + size[1], left : left + size[0]] = small
    return made


def _test_picture(data: DataSet, asked: dict[str, Any] | None) -> None:
    def take() -> None:
        index = st.session_state["cl_build_test_index"]
        if index is not None:
            st.session_state[_ASKED] = _test(data, int(index))

    current = asked["index"] if asked is not None and asked["kind"] == "test" else None
    st.session_state["cl_build_test_index"] = current
    st.number_input(
        "Or a test picture, by its number" if data.light_on_black else "Test picture",
        0,
        data.n_test - 1,
        value=None,
        step=1,
        key="cl_build_test_index",
        on_change=take,
        placeholder=f"0 to {data.n_test - 1:,}",
        width=260,
    )


def _layers(model: cc.Classifier, trace: cc.Trace) -> tuple[Layer, ...]:
    found = []
    for operation in model.network.operations:
        if operation.kind in _HIDDEN:
            continue
        values = trace.activation(operation.name)
        shown = values[:_MOST_MAPS] if values.ndim == 3 else values
        found.append(Layer(operation.name, operation.short_title, values.shape, np.asarray(shown, dtype=np.float32)))
    return tuple(found)


def _links(run: cc.TrainingRun, seen: NDArray[np.uint8]) -> None:
    st.caption("Take this picture and this network along to:")
    with st.container(horizontal=True, gap="small"):
        for key in _ELSEWHERE:
            lesson = shell.lesson(key)
            if st.button(lesson.title, key=f"cl_build_draw_to_{key}", icon=f":material/{lesson.icon}:"):
                buffer = io.BytesIO()
                Image.fromarray(rgb_of(seen)).save(buffer, "PNG")
                session.set("picture", pictures.add_upload("drawing.png", buffer.getvalue()))
                session.set("model", f"{training.PREFIX}{training.keep(run)}")
                for value in ("weights", "layer", "channel", "row", "column", "target", "rival"):
                    session.set(value, None)
                st.switch_page(lesson.page)
