"""The first half of the kernel page: a kernel of your own on your picture, with a guess before and two tests after."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Any, Final

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from cnn_core import kernels
from cnn_core.kernel_lessons import Place, candidate_places, move_picture, shuffle_pixels
from ui import cached, lesson, session, widgets
from ui.instruments import map_pictures
from ui.instruments.convolution import (
    CELLS,
    Settings,
    default_settings,
    kernel_instrument,
    read_settings,
    working_picture,
)

_KEPT = "cl_kernel_settings"
ADDRESS: Final = ("kernel", "stride", "padding", "dilation", "frame", "bias", "move", "shuffle")
# The instrument opens on another kernel, so that the answer is not in sight before the guess.
_GUESSED, _OPENED = "horizontal-edge", "vertical-edge"
_WEIGHTS = "weights"
_WIDE: Final = 210  # pixels, of a picture of the guess


def run() -> None:
    """Draw the lesson."""
    picture = widgets.picture_bench()
    rgb = cached.memo("working", (picture.digest,), lambda: working_picture(picture), lambda made: made.nbytes)
    _guess(rgb, picture.digest)
    _instrument(rgb, picture.digest)
    lesson.why(
        "The same few weights are used at every place, so the kernel finds its pattern **wherever it is**, and needs "
        "only 9 numbers for the whole picture. Each output looks at a small window only, so a pattern made of "
        "neighbouring pixels is all that it can see. Networks call this operation convolution; they do not flip the "
        "kernel first, as the mathematical convolution would, because the weights are learned anyway."
    )
    lesson.try_this(
        [
            "Pick *Vertical edge*, then type the weights of the left and the right column with swapped signs. What "
            "happens to the colours of the map?",
            "Make all nine weights 1/9 (you can type it like that), then set the middle one to 1.",
            "Put the frame of 12 × 12 cells on an eye, and follow three stops with pencil and paper.",
            "Set padding 1 and stride 1: the map is as large as the picture. Which cells does the padding change?",
            "Choose a digit and the corner kernel. Where are its strongest answers?",
        ]
    )


def kernel_to_text(settings: Settings) -> str | None:
    """A kernel for the address: a preset's key, or its weights; None where they do not fit into an address."""
    if settings.preset:
        return settings.preset
    texts = [f"{weight:.6g}" for weight in settings.kernel]
    return None if any("e" in text for text in texts) else ":".join([_WEIGHTS, *texts])


def frame_to_text(settings: Settings, rgb: NDArray[np.uint8]) -> str | None:
    """What the kernel slides over, for the address; None for the middle of the picture."""
    if settings.source == "digit":
        return f"digit~{settings.digit}"
    region = settings.region
    if region == default_settings(rgb).region:
        return None
    return "~".join(str(edge) for edge in (region.top, region.left, region.rows, region.columns, region.zoom))


def _with_frame(text: str, settings: Settings, rgb: NDArray[np.uint8]) -> Settings:
    """The settings with the frame of an address, where it fits into this picture."""
    source, *edges = text.split("~")
    if source == "digit":
        return replace(settings, source="digit", digit=int(edges[0]))
    region = kernels.Region(*(int(edge) for edge in (source, *edges)))
    framed = replace(settings, region=region)
    return read_settings(asdict(framed) | {"kernel": list(framed.kernel)}, rgb) or settings


def settings_from_address(rgb: NDArray[np.uint8]) -> Settings:
    """What the address says, with the middle of the picture; what it does not say, or says wrongly, is the default."""
    settings = default_settings(rgb, _OPENED)
    plain: dict[str, Any] = {
        "region": settings.region.__dict__,
        "kernel": settings.kernel,
        "preset": settings.preset,
        "source": settings.source,
        "digit": settings.digit,
        "bias": session.get("bias"),
        **{name: session.get(name) for name in ("stride", "padding", "dilation")},
    }
    text = session.get("kernel")
    if text and text.startswith(f"{_WEIGHTS}:"):
        plain |= {"kernel": text.split(":")[1:], "preset": ""}
    elif text in {preset.key for preset in kernels.list_presets()}:
        chosen = default_settings(rgb, text)
        plain |= {"kernel": chosen.kernel, "preset": chosen.preset}
    found = read_settings(plain, rgb) or settings
    frame = session.get("frame")
    return _with_frame(frame, found, rgb) if frame else found


def _guess(rgb: NDArray[np.uint8], digest: str) -> None:
    preset = kernels.kernel_preset(_GUESSED)

    def make() -> tuple[kernels.Grid, tuple[Place, ...]]:
        values = kernels.Region.centred(rgb.shape[0], rgb.shape[1], CELLS).values(kernels.luminance(rgb))
        return values, candidate_places(values, preset.weights)

    values, places = cached.memo("kernel_places", (digest,), make, lambda made: made[0].nbytes)
    if not places:
        return
    with st.container(horizontal=True, gap="medium", vertical_alignment="center", key="cl-kernel-guess"):
        pictures = st.container(width="content", horizontal=True, key="cl-pair-kernel-guess")
        with st.container(width=420):
            chosen = lesson.guess(
                "kernel_places",
                f"The *{preset.title.lower()}* kernel takes below minus above. Where will it light up most?",
                {letter: letter for letter in "ABC"},
                about=digest[:12],
            )
            if chosen is not None:
                strengths = dict(zip("ABC", places, strict=True))
                best = max(strengths, key=lambda letter: strengths[letter].strength)
                lesson.reveal(chosen, best, _because(strengths, best))
    answered = chosen is not None

    def draw() -> list[bytes]:
        grids = [(values, map_pictures.grey_picture(values))]
        if answered:
            answers = kernels.convolve(values, preset.weights, padding=1)
            grids.append((answers, map_pictures.map_picture(answers)))
        marked = (map_pictures.with_places(drawn, grid.shape[0], places, answered) for grid, drawn in grids)
        return [map_pictures.png(picture, _WIDE) for picture in marked]

    words = (
        "Your picture in grey, with the places A, B and C marked",
        "What the kernel answers, with the same places marked",
    )
    of = (digest, answered, map_pictures.mode())
    for file, alt in zip(cached.memo("kernel_guess", of, draw, lambda made: sum(map(len, made))), words, strict=False):
        pictures.image(file, width=_WIDE, output_format="PNG", alt=alt)


def _because(places: dict[str, Place], best: str) -> str:
    sizes = ", ".join(f"{letter} {place.strength:.3f}" for letter, place in places.items())
    return (
        f"Mean size of its answers: {sizes}. In {best} the brightness changes most from row to row; flat areas and "
        "upright edges leave this kernel at zero."
    )


@st.fragment
def _instrument(rgb: NDArray[np.uint8], digest: str) -> None:
    settings = _settings(rgb, digest)

    def keep(raw: Any) -> None:
        checked = read_settings(raw, rgb)
        if checked is None or session.locked():
            return
        text = kernel_to_text(checked)
        session.set("kernel", None if text == _OPENED else text)
        session.set("frame", frame_to_text(checked, rgb))
        for name in ("bias", "stride", "padding", "dilation"):
            session.set(name, getattr(checked, name))
        _hold(digest, checked)

    kernel_instrument(rgb, digest, settings, key="cl_convolution", on_settings=keep)
    with lesson.test("Test it: what if the picture changes?"):
        values = settings.values(rgb)
        moving, shuffling = st.columns(2, gap="large")
        with moving:
            _move(values, settings)
        with shuffling:
            _shuffle(values, settings)


def _settings(rgb: NDArray[np.uint8], digest: str) -> Settings:
    """What the instrument was last set to; another picture keeps the kernel and puts the frame in its middle."""
    kept: tuple[str, Settings, tuple[Any, ...]] | None = st.session_state.get(_KEPT)
    if kept is None or kept[2] != _told():
        return settings_from_address(rgb)  # a link was opened, or the browser went back
    if kept[0] == digest:
        return kept[1]
    session.set("frame", None)
    settings = replace(kept[1], region=default_settings(rgb).region, source="picture")
    _hold(digest, settings)
    return settings


def _hold(digest: str, settings: Settings) -> None:
    st.session_state[_KEPT] = (digest, settings, _told())


def _told() -> tuple[Any, ...]:
    """What the address says of the instrument."""
    return tuple(session.get(name) for name in ADDRESS[:6])


def _move(values: kernels.Grid, settings: Settings) -> None:
    most = min(12, min(values.shape) - 1)
    if most < 2:
        st.caption("This picture is too small to be moved.")
        return
    wanted = session.get("move")
    pixels = _tested(
        "move", "Move the picture down and to the right by", most, min(wanted or 4, most), "%d cells", "Move it"
    )
    if not wanted:
        return
    moved = move_picture(values, settings.weights, pixels, settings.bias, **settings.sliding)
    _before_and_after(values, moved.before, moved.picture, moved.after, "moved")
    if not moved.compared:
        st.info("No window lies inside both pictures: move it less, or make the kernel's reach smaller.")
    elif moved.exact:
        st.success(
            f"**The map moved with it**, by {moved.shift} {'cell' if moved.shift == 1 else 'cells'}. Over the "
            f"{moved.compared} cells that see only what both pictures hold, the largest difference is "
            f"**{moved.largest_difference:.2g}** (the largest answer there is {moved.largest_answer:.3f}).",
            icon=":material/check:",
        )
    else:
        st.info(
            f"With stride {settings.stride}, a move by {pixels} falls between two stops: compared {moved.shift} "
            f"cells further, the maps differ by up to **{moved.largest_difference:.3f}** "
            f"(largest answer {moved.largest_answer:.3f}). Move by a multiple of {settings.stride} to see them agree.",
            icon=":material/lightbulb:",
        )


def _tested(name: str, label: str, most: int, shown: int, form: str, words: str) -> int:
    """A number and whether it is tried: in the address one value, 0 where it is not. Returns the number shown."""
    number, tried = f"cl_kernel_{name}_by", f"cl_kernel_{name}_it"
    st.session_state[number] = shown if session.get(name) else min(st.session_state.get(number, shown), most)
    st.session_state[tried] = bool(session.get(name))

    def keep() -> None:
        session.set(name, st.session_state[number] if st.session_state[tried] else None)

    st.slider(label, 1, most, format=form, key=number, on_change=keep, disabled=session.locked())
    st.toggle(words, key=tried, on_change=keep, disabled=session.locked())
    return shown


def _shuffle(values: kernels.Grid, settings: Settings) -> None:
    wanted = session.get("shuffle")
    seed = _tested("shuffle", "Put the same pixels in a random order, draw", 20, wanted or 1, "no. %d", "Shuffle them")
    if not wanted:
        return
    shuffled = shuffle_pixels(values, settings.weights, settings.bias, seed=seed, **settings.sliding)
    _before_and_after(values, shuffled.before, shuffled.picture, shuffled.after, "shuffled")
    if shuffled.before.size < 2:
        st.info("There is no map to compare: the kernel does not fit.")
        return
    st.success(
        "**The pattern is lost.** Neighbouring answers agreed with a correlation of "
        f"{shuffled.likeness_before:.2f}, now {shuffled.likeness_after:.2f} (windows that overlap give pure noise "
        f"{shuffled.likeness_of_noise:.2f}); the two maps correlate by {shuffled.same_map:.2f}. The pixels are the "
        f"same {values.size}, with the same mean {values.mean():.3f}: what a kernel reads is how they lie together.",
        icon=":material/check:",
    )


def _before_and_after(
    picture: kernels.Grid, before: kernels.Grid, changed: kernels.Grid, after: kernels.Grid, word: str
) -> None:
    limit = max(float(np.abs(before).max(initial=0.0)), float(np.abs(after).max(initial=0.0)))
    with st.container(horizontal=True, gap="small"):
        st.image(map_pictures.grey_picture(picture), caption="picture", width=100, alt="The picture in grey")
        st.image(map_pictures.map_picture(before, limit), caption="its map", width=100, alt="The kernel's map of it")
        st.image(map_pictures.grey_picture(changed), caption=word, width=100, alt=f"The picture, {word}")
        st.image(
            map_pictures.map_picture(after, limit), caption="its map", width=100, alt=f"The map of the picture, {word}"
        )
    st.caption(f"Maps on one shared scale, −{limit:.3g} to {limit:.3g}.")
