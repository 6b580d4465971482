"""Which part of the picture is the object: what the visitor marked, what the address says, or the sample's own box."""

from __future__ import annotations

from typing import Final

import streamlit as st

import cnn_core as cc
from cnn_core.bias.cutting import cut_out
from cnn_core.bias.regions import Box, Region
from cnn_core.bias.sample_boxes import sample_box
from ui import cached, session
from ui.instruments.regions import MOST_BOXES, regions
from ui.text import plain
from ui.widgets import Bench

_MARKED: Final = "cl_swap_regions"  # {digest: (region or None, boxes that it was cut out of)}
_TOLD: Final = "cl_swap_boxes_told"  # what the address said when it was last read or written here
_KEPT: Final = 12  # pictures whose marks a session keeps
_TOO_MUCH: Final = 0.85
_REFUSED: Final = "cl_swap_cut_refused"

Marked = tuple[Region | None, tuple[Box, ...]]


def marked_region(bench: Bench) -> Region | None:
    """The region of the picture on the bench, or None where nothing is marked."""
    _adopt_address(bench)
    return _store().setdefault(bench.picture.digest, _opening(bench))[0]


def instrument(bench: Bench, region: Region | None) -> None:
    """The picture to mark, and the button that cuts the object out of its boxes."""
    picture = bench.picture
    rough = _store()[picture.digest][1]
    regions(
        picture,
        region,
        key="cl_swap_regions_stage",
        on_change=lambda found: _keep(bench, found, rough if found and found.mask is not None else ()),
        label=f"{picture.name or 'The picture'}, to mark the object on",
    )
    with st.container(horizontal=True, gap="small", vertical_alignment="center"):
        st.button(
            "Cut the object out of its box",
            key="cl_swap_cut",
            icon=":material/content_cut:",
            on_click=_cut,
            args=(bench,),
            disabled=region is None or not region.boxes or session.locked(),
            help="GrabCut: what differs from the surroundings of the box is the object. The box must hold all of it.",
        )
        if rough:
            st.button(
                "Back to the box",
                key="cl_swap_uncut",
                icon=":material/undo:",
                on_click=_keep,
                args=(bench, Region(rough)),
                type="tertiary",
                disabled=session.locked(),
            )
    if refused := st.session_state.pop(_REFUSED, None):
        st.info(plain(refused), icon=":material/content_cut:")


def boxes_text(picture: cc.Picture, region: Region | None) -> str | None:
    """The boxes as the address has them: the picture's digest, then top~left~bottom~right in pixels, with commas."""
    if region is None or region.mask is not None:
        return None
    told = ",".join("~".join(_short(v) for v in (b.top, b.left, b.bottom, b.right)) for b in region.boxes)
    return f"{picture.digest[:8]}:{told}"


def _short(value: float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".")


def read_boxes(picture: cc.Picture, text: str) -> Region:
    """The inverse of `boxes_text`; raises InvalidOption in a sentence."""
    digest, _, told = text.partition(":")
    if digest != picture.digest[:8]:
        raise cc.InvalidOption("The boxes in the address belong to another picture, so they were left out.")
    boxes = []
    for part in told.split(",")[: MOST_BOXES + 1]:
        try:
            top, left, bottom, right = (float(edge) for edge in part.split("~"))
        except ValueError:
            raise cc.InvalidOption(
                "The boxes in the address cannot be read: a box is top~left~bottom~right, in pixels of the picture."
            ) from None
        boxes.append(Box(top, left, bottom, right).cut_to(picture.height, picture.width))
    if len(boxes) > MOST_BOXES:
        raise cc.InvalidOption(f"The address has more than {MOST_BOXES} boxes, so they were left out.")
    return Region(tuple(boxes))


def _store() -> dict[str, Marked]:
    held: dict[str, Marked] = st.session_state.setdefault(_MARKED, {})
    return held


def _opening(bench: Bench) -> Marked:
    """A sample opens with its animal marked; any other picture with nothing."""
    box = sample_box(session.get("picture"), bench.picture.height, bench.picture.width)
    if box is None:
        return None, ()
    region = Region((box,))
    # Where the box is nearly all that the network sees, there is no ground to change: the animal's own pixels then.
    if float(region.in_input(bench.model_input).mean()) > _TOO_MUCH:
        return _cut_of(bench.picture, region.boxes), region.boxes
    return region, ()


def _keep(bench: Bench, region: Region | None, rough: tuple[Box, ...] = ()) -> None:
    if session.locked():
        return
    picture, held = bench.picture, _store()
    held.pop(picture.digest, None)
    held[picture.digest] = (region, rough)
    while len(held) > _KEPT:
        held.pop(next(iter(held)))
    text = boxes_text(picture, region)
    session.set("boxes", None if text == boxes_text(picture, _opening(bench)[0]) else text)
    st.session_state[_TOLD] = session.get("boxes")


def _adopt_address(bench: Bench) -> None:
    """Take over boxes of a link that was opened; those of a picture that was left are forgotten."""
    picture, text = bench.picture, session.get("boxes")
    if text is not None and text != st.session_state.get(_TOLD):
        try:
            _store()[picture.digest] = (read_boxes(picture, text), ())
        except cc.InvalidOption as error:
            session.refuse("boxes", plain(str(error)))
    elif text is not None and not text.startswith(picture.digest[:8]):
        session.set("boxes", boxes_text(picture, _store().get(picture.digest, (None, ()))[0]))
    elif text is None and picture.digest in _store():
        region = _store()[picture.digest][0]
        told = boxes_text(picture, region)
        if told != boxes_text(picture, _opening(bench)[0]):
            session.set("boxes", told)
    st.session_state[_TOLD] = session.get("boxes")


def _cut_of(picture: cc.Picture, boxes: tuple[Box, ...]) -> Region:
    return cached.memo(
        "cut_out",
        (picture.digest, boxes),
        lambda: cut_out(picture.rgb, boxes),
        lambda made: 0 if made.mask is None else made.mask.nbytes,
    )


def _cut(bench: Bench) -> None:
    picture = bench.picture
    region = _store()[picture.digest][0]
    if region is None or not region.boxes:
        return
    try:
        found = _cut_of(picture, region.boxes)
    except cc.InvalidOption as error:
        st.session_state[_REFUSED] = str(error)
        return
    _keep(bench, found, region.boxes)
