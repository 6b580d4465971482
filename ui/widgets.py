"""The pickers that every page shares: the picture, the network, a layer, a class."""

from __future__ import annotations

from dataclasses import dataclass

import streamlit as st

import cnn_core as cc
from ui import cached, models, pictures, session
from ui.instruments.layers import layer_strip
from ui.instruments.picker import Option, picker
from ui.text import plain

FORMATS = ["jpg", "jpeg", "png", "webp", "gif", "bmp", "tif", "tiff"]
_REFUSED = "cl_picture_refused"


@dataclass(frozen=True)
class Bench:
    """What a page works with: a picture, a network, and what the network sees of the picture."""

    picture: cc.Picture
    classifier: cc.Classifier
    model_input: cc.ModelInput

    @property
    def trace(self) -> cc.Trace:
        """The shared forward pass; not held here, since a page's fragments live as long as the visit."""
        return cached.trace(self.classifier, self.model_input)


def bench() -> Bench:
    """Draw the pickers in the side bar and return what was chosen; stops the page where the weights are missing."""
    with st.sidebar:
        picture = _picture_picker()
        models.model_picker()
    classifier = models.open_chosen()
    with st.sidebar:
        _device_note(classifier)
    seen = cached.model_input(classifier, picture)
    if classifier.weights == "random":
        st.warning(
            f"{classifier.card.title} has **random weights** here: the arithmetic is exact, what it says about your "
            "picture means nothing.",
            icon=":material/casino:",
        )
    return Bench(picture, classifier, seen)


def picture_bench() -> cc.Picture:
    """Draw only the picture's picker, for pages that need no network; torch is not loaded."""
    with st.sidebar:
        return _picture_picker()


def said(name: str, icon: str) -> None:
    """The sentence about a value that did not fit, as long as nothing else was chosen."""
    if words := session.refused(name):
        st.info(words, icon=icon)


def _choose_picture(reference: str) -> None:
    session.set("picture", reference)


def _take_file(widget: str) -> None:
    """A file came from the uploader or the camera: keep it and choose it, or say in a sentence what is wrong."""
    file = st.session_state.get(widget)
    if file is None:
        return
    try:
        session.set("picture", pictures.add_upload(file.name, file.getvalue()))
        st.session_state.pop(_REFUSED, None)
    except cc.InvalidImage as error:
        st.session_state[_REFUSED] = f"{plain(str(error))} The picture before stays."


def _forget_uploads() -> None:
    pictures.uploads().clear()
    session.set("picture", None)


def _picture_picker() -> cc.Picture:
    reference = session.get("picture")
    picture = pictures.open_picture(reference)
    if picture is None:
        reference = session.PARAMETERS["picture"].default
        missing, picture = session.get("picture"), pictures.sample_picture(reference)
        session.refuse("picture", f"There is no picture “{missing}” in this session, so here is the panda.")
    said("picture", ":material/image:")
    if session.locked():
        st.markdown("**Picture** :material/lock:")
        st.image(picture.thumbnail(220), width=110, alt="The picture that the teacher chose")
        st.caption(plain(pictures.samples()[reference].title if reference in pictures.samples() else picture.name))
        return picture
    own = [Option(key, upload.name, picture=upload.thumbnail) for key, upload in reversed(pictures.uploads().items())]
    thumbnails = pictures.thumbnails()
    shipped = [Option(key, sample.title, picture=thumbnails[key]) for key, sample in pictures.samples().items()]
    st.markdown("**Picture**")
    picker(
        [*own, *shipped],
        reference,
        key="cl_picture_picker",
        label="Picture",
        layout="thumbs",
        on_pick=_choose_picture,
    )
    title = pictures.samples()[reference].title if reference in pictures.samples() else plain(picture.name)
    st.caption(f"{title}, {picture.width} × {picture.height} pixels")
    for note in picture.notes:
        st.caption(f"It was {note}." if note[:1].islower() else note)
    st.file_uploader(
        "Your own picture",
        type=FORMATS,
        key="cl_upload",
        on_change=_take_file,
        args=("cl_upload",),
        max_upload_size=10,
        help="JPEG, PNG, WebP, GIF, BMP or TIFF, at most 10 MB and 24 megapixels. It stays in your session.",
    )
    if st.toggle("Use the camera", key="cl_camera_on"):
        st.camera_input(
            "Camera", key="cl_camera", on_change=_take_file, args=("cl_camera",), label_visibility="collapsed"
        )
    if refused := st.session_state.pop(_REFUSED, None):
        st.error(refused, icon=":material/broken_image:")
    if own:
        st.button("Forget my pictures", on_click=_forget_uploads, type="tertiary", icon=":material/delete:")
    return picture


def _device_note(classifier: cc.Classifier) -> None:
    where = "the processor (CPU)" if classifier.device.type == "cpu" else f"the graphics card ({classifier.device})"
    st.caption(f"Computed on {where}.")


def layer_picker(
    bench: Bench,
    *,
    key: str,
    only_maps: bool = True,
    kinds: tuple[str, ...] = (),
    default: str | None = None,
    address: bool = True,
) -> cc.Operation:
    """The depth strip; returns the chosen operation, which the address keeps as `layer`.

    `kinds` narrows the choice to some kinds of operation ("conv2d"). A layer that this network does not have (any
    more) gives way to `default`, or to the network's last maps. `address` as in `session.set`.
    """
    network = bench.classifier.network
    operations = network.map_layers() if only_maps else network.operations
    if kinds:
        operations = tuple(operation for operation in operations if operation.kind in kinds)
    names = {operation.name for operation in operations}
    wanted = session.get("layer")
    chosen = default if default in names else network.default_layer()
    if chosen not in names:
        chosen = operations[-1].name
    if wanted is not None:
        try:
            resolved = network[wanted].name
        except cc.InvalidLayer as error:
            session.refuse("layer", f"{plain(str(error))} Shown instead: {chosen}.")
        else:
            if resolved in names:
                chosen = resolved
    said("layer", ":material/layers:")
    layer_strip(
        operations,
        chosen,
        key=f"cl_layers_{key}_{bench.classifier.key}",
        label="Layer, from the picture to the last maps",
        on_pick=lambda name: session.set("layer", name, address=address),
    )
    return network[chosen]


def class_picker(bench: Bench, *, key: str = "target", label: str = "Class", n: int = 5) -> int:
    """Chips of the top predictions, and any other class by name; returns the class index, kept as `key`."""
    names = bench.classifier.class_names
    top = bench.trace.top(n)
    chosen: int | None = None
    wanted = session.get(key)
    if wanted is not None:
        try:
            chosen = bench.classifier.class_index(int(wanted) if str(wanted).isdecimal() else wanted)
        except cc.UnknownClass as error:
            session.refuse(key, f"{plain(str(error))} Shown instead: {top[0].name}.")
    said(key, ":material/label_off:")
    if chosen is None:
        chosen = top[0].index

    def choose(index: int) -> None:
        session.set(key, index)

    def search() -> None:
        session.take(key, f"cl_class_search_{key}")
        st.session_state[f"cl_class_search_{key}"] = None

    with st.container(horizontal=True, gap="small", vertical_alignment="bottom"):
        shown = [prediction.index for prediction in top]
        if chosen not in shown:
            shown.append(chosen)
        for index in shown:
            probability = float(bench.trace.probabilities[index])
            st.button(
                f"{names[index]}{' ·' * names[index].isdigit()} {share(probability)}",  # "2 · .74" is no 2.74
                key=f"cl_class_{key}_{index}",
                type="primary" if index == chosen else "secondary",
                on_click=choose,
                args=(index,),
                disabled=session.locked(),
            )
        st.selectbox(
            label,
            range(len(names)),
            index=None,
            format_func=lambda index: names[index],
            key=f"cl_class_search_{key}",
            on_change=search,
            placeholder="Another class",
            label_visibility="collapsed",
            width=220,
        )
    return chosen


def wanted_rival(bench: Bench, target: int) -> int | None:
    """The class that `target` is compared with, as the address says it; one that cannot be is said, and dropped."""
    n = len(bench.classifier.class_names)
    rival: int | None = session.get("rival")
    if rival is not None and rival >= n:
        words = f"This network has {n} classes, numbered from 0; there is no class {rival} to compare with."
        session.refuse("rival", words)
    elif rival is not None and rival == target:
        session.set("rival", None)
    said("rival", ":material/label_off:")
    wanted: int | None = session.get("rival")
    return wanted


def rival_picker(bench: Bench, target: int, rival: int | None, *, key: str, words: str | None = None) -> None:
    """Any other class to compare with, the likeliest first; kept as `rival`. words: what it is good for."""
    names = bench.classifier.class_names
    top = [prediction.index for prediction in bench.trace.top(5)]
    others = [index for index in [*top, *(i for i in range(len(names)) if i not in top)] if index != target]
    st.session_state[key] = rival
    st.selectbox(
        "Rather than",
        others,
        index=None,
        format_func=lambda index: names[index],
        placeholder="Rather than … (no other class)",
        key=key,
        on_change=session.take,
        args=("rival", key),
        width=280,
        label_visibility="collapsed",
        help=words,
    )


def share(probability: float) -> str:
    """A probability in two digits, for a label: ".72", "1.00", "< .01"."""
    if probability < 0.005:
        return "< .01"
    return f"{probability:.2f}".removeprefix("0")
