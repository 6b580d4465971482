"""Bringing a network: its weights, which architecture it is, its classes' names, how it was fed; opened in the
background, refused with a sentence."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from pathlib import PurePosixPath
from typing import Any, Final

import streamlit as st
from streamlit.runtime.memory_uploaded_file_manager import MemoryUploadedFileManager
from streamlit.runtime.scriptrunner import get_script_run_ctx

import cnn_core as cc
from ui import engine, jobs, own_models
from ui.text import plain

_SLOT: Final = "own_model"
_OPEN: Final = "cl_own_open"
_SEEN: Final = "cl_own_seen"
_ENDINGS: Final = ["pt", "pth", "ckpt", "bin", "tar", "safetensors"]
_FIND_OUT: Final = "Find out from the file"
_OWN_NUMBERS: Final = "numbers"
_QUICK: Final = 1.0  # seconds to wait before a bar is drawn


def button() -> None:
    """What opens the dialog, and the dialog while it is open."""
    st.button(
        "Bring your own network",
        key="cl_own_bring",
        icon=":material/upload_file:",
        on_click=_show,
        width="stretch",
        help="A state dict saved by torch, or a safetensors file. It stays in your session.",
    )
    if st.session_state.get(_OPEN):
        _dialog()


def arrived() -> str | None:
    """The reference of a network that has just been opened, once; the dialog is then closed."""
    job = _news()
    if job is None or job.state != "done":
        return None
    st.session_state[_SEEN] = job
    st.session_state[_OPEN] = False
    _drop_upload(str(job.key))
    reference: str = job.result
    return reference


def _news() -> jobs.Job | None:
    """The last job, where the visitor was not yet told how it ended."""
    job = jobs.mine().job(_SLOT)
    return None if job is st.session_state.get(_SEEN) else job


def _drop_upload(file_id: str) -> None:
    """The network is open, so the file need not be held any longer; Streamlit would until the session ends."""
    context = get_script_run_ctx()
    if context is not None and isinstance(context.uploaded_file_mgr, MemoryUploadedFileManager):
        context.uploaded_file_mgr.remove_file(session_id=context.session_id, file_id=file_id)


def _show() -> None:
    st.session_state[_SEEN] = jobs.mine().job(_SLOT)
    st.session_state[_OPEN] = True


def _dismissed() -> None:
    st.session_state[_OPEN] = False
    jobs.mine().stop(_SLOT)


@st.dialog("Your own network", width="medium", on_dismiss=_dismissed)
def _dialog() -> None:
    st.markdown(
        "Weights of a network that you trained: any torchvision CNN, or a small network of this course, with any "
        "number of classes. No code in the file is run. Only you see it, and it is freed when you leave."
    )
    weights = st.file_uploader(
        "Weights",
        type=_ENDINGS,
        key="cl_own_weights",
        max_upload_size=own_models.MAX_UPLOAD_MB,
        help="`torch.save(model.state_dict(), path)` or safetensors. Wrappers are taken off: `state_dict`, `model`, "
        "`module.`, the prefix of a Lightning module.",
    )
    architecture = _architecture()
    names = st.file_uploader(
        "Class names (if you like)",
        type=["txt", "json"],
        key="cl_own_names",
        max_upload_size=4,
        help='A name on each line, or JSON: `["cow", "camel"]`, `{"0": "cow"}`, `{"cow": 0}`.',
    )
    preprocessing = _preprocessing()
    job = _news()
    if job is not None and job.is_active:
        # Below what was chosen, which stays: a widget that is not drawn for once forgets its file.
        jobs.watch(_SLOT, "Opening the weights", key="cl_own_cancel")
        return
    _say(job)
    if st.button("Open it", key="cl_own_go", type="primary", disabled=weights is None) and weights is not None:
        _begin(weights, architecture, None if names is None else names.getvalue(), preprocessing)
        st.rerun()


def _say(job: jobs.Job | None) -> None:
    if job is not None and job.state == "failed":
        st.error(plain(job.message), icon=":material/broken_image:")
    elif job is not None and job.state == "stopped":
        st.caption("Cancelled; nothing was opened.")


def _architecture() -> str | None:
    titles = _titles()
    chosen = st.selectbox(
        "Architecture",
        [_FIND_OUT, *titles],
        format_func=lambda key: titles.get(key, key),
        key="cl_own_architecture",
        accept_new_options=True,
        help="Found out from the names and shapes in the file where only one fits. For a network that was built layer "
        "by layer in ConvLens, type its specification: build:conv16k3-bn-relu-gap-linear.",
    )
    return None if chosen in (None, _FIND_OUT) else meant(str(chosen), titles)


def meant(typed: str, titles: Mapping[str, str]) -> str:
    """The architecture that somebody typed by its title, as "ResNet-18"; anything else as it was typed."""

    def letters(words: str) -> str:
        return "".join(c for c in words.casefold() if c.isalnum())

    known = {letters(title.rpartition(" (")[0] or title): key for key, title in titles.items()}
    known |= {letters(title): key for key, title in titles.items()} | {letters(key): key for key in titles}
    return known.get(letters(typed), typed)


@st.cache_data(show_spinner=False)
def _titles() -> dict[str, str]:
    from cnn_core.models.recognise import architecture_titles

    return architecture_titles()


def _preprocessing() -> Callable[[cc.Preprocessing], cc.Preprocessing]:
    from cnn_core.models.normalisations import LARGEST_SIDE, OWN, SMALLEST_SIDE, list_normalisations, preprocessing_like

    titles = {OWN: "As its architecture is usually fed"}
    titles |= {preset.key: preset.title for preset in list_normalisations()} | {_OWN_NUMBERS: "My own numbers"}
    left, right = st.columns([2, 1])
    with left:
        chosen = st.selectbox(
            "Pixels are normalised",
            titles,
            format_func=titles.__getitem__,
            key="cl_own_normalisation",
            help="As in your training. Wrong numbers here make a good network look bad.",
        )
    with right:
        side = st.number_input(
            "Side (pixels)",
            min_value=SMALLEST_SIDE,
            max_value=min(512, LARGEST_SIDE),
            value=None,
            step=1,
            placeholder="usual",
            key="cl_own_side",
            help="The square that the network sees; the usual one of its architecture where it is left empty.",
        )
    mean = std = None
    if chosen == _OWN_NUMBERS:
        left, right = st.columns(2)
        mean = left.text_input("Mean", "0.5, 0.5, 0.5", key="cl_own_mean", help="Of pixels from 0 to 1.")
        std = right.text_input("Deviation", "0.25, 0.25, 0.25", key="cl_own_std", help="Of pixels from 0 to 1.")

    def like(own: cc.Preprocessing) -> cc.Preprocessing:
        return preprocessing_like(
            own,
            OWN if chosen == _OWN_NUMBERS else chosen,
            side=None if side is None else int(side),
            mean=None if mean is None else _numbers("mean", mean),
            std=None if std is None else _numbers("deviation", std),
        )

    return like


def _numbers(name: str, text: str) -> list[float]:
    try:
        return [float(part) for part in text.replace(";", ",").split(",")]
    except ValueError:
        raise cc.InvalidOption(
            f"The {name} “{text[:40]}” is no number, and no three of them: write 0.5, or 0.485, 0.456, 0.406."
        ) from None


def _begin(
    weights: Any, architecture: str | None, names: bytes | None, like: Callable[[cc.Preprocessing], cc.Preprocessing]
) -> None:
    shelf = own_models.shelf()
    name = PurePosixPath(str(weights.name).replace("\\", "/")).name[:80]
    content: bytes = weights.getvalue()

    def work(job: jobs.Job) -> str:
        engine.load()
        model = cc.load_checkpoint(
            io.BytesIO(content),
            architecture=architecture,
            class_names=None if names is None else cc.read_class_names(names),
            preprocessing=like,
            name=name,
            max_bytes=own_models.MAX_UPLOAD_MB * own_models.MEGABYTE,
        )
        job.check()
        return shelf.add(own_models.Own(name, model))

    job = jobs.mine().start(_SLOT, weights.file_id, work)
    if job.thread is not None:
        job.thread.join(_QUICK)
