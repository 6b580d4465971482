"""After a run: what it confuses, its worst mistakes, other grounds; keep it, open it elsewhere, export, save, go on."""

from __future__ import annotations

import io
import tempfile
import zipfile
from pathlib import Path
from typing import Final

import numpy as np
import streamlit as st

import cnn_core as cc
from cnn_core.training.built_modules import export_zip
from cnn_core.training.cow_camel import KINDS, Herd, Kind, trial_herd
from cnn_core.training.report import Report, on_other_grounds, report_on
from ui import build_training, cached, session, shell, training
from ui.instruments.trained import confusion

_ELSEWHERE: Final = ("features", "network", "decision", "gradcam", "interventions")
_MOST_BYTES: Final = 64 * 2**20


def report_of(run: cc.TrainingRun) -> Report:
    return cached.memo("build_report", (run.digest,), lambda: report_on(run), lambda made: made.nbytes)


def results(run: cc.TrainingRun) -> None:
    """The confusion matrix and the worst mistakes; for cow and camel, the three kinds of ground."""
    st.header("What it confuses", anchor=False, divider="gray")
    with st.spinner("Asking about every test picture…"):
        found = report_of(run)
    confusion(found, key="cl_build_report")
    most = found.most_confused
    if most is not None:
        label, named, times = most
        names = found.class_names
        st.caption(f"The commonest mistake: {times} times “{names[label]}” is taken for “{names[named]}”.")
    if run.recipe.data.startswith("cow_camel"):
        _grounds(run)


def _grounds(run: cc.TrainingRun) -> None:
    st.markdown("**The same animals on other grounds.** What does it look at: the animal, or the ground?")
    found = cached.memo("build_grounds", (run.digest,), lambda: on_other_grounds(run), lambda made: 256)
    for column, kind in zip(st.columns(3), KINDS, strict=True):
        with column:
            herd = _herd(kind)
            st.image(np.concatenate(list(herd.pictures[:4]), axis=1), width="stretch", alt="Four of the animals")
            st.metric(KINDS[kind].capitalize(), f"{100 * found[kind]:.1f} %", border=True)
    fall = found["biased"] - found["counter"]
    if found["biased"] < 0.7:
        st.info(
            f"It names {100 * found['biased']:.0f} % right on the usual ground, and chance is 50 %: it has learned too "
            "little to say what it looks at. Train longer.",
            icon=":material/info:",
        )
    elif fall > 0.2:
        st.warning(
            f"On the other ground it loses {100 * fall:.0f} points: much of what it knows is the ground.",
            icon=":material/grass:",
        )
    else:
        st.success(
            f"On the other ground it loses {100 * fall:.0f} points: most of what it knows is the animal.",
            icon=":material/check:",
        )


def _herd(kind: Kind) -> Herd:
    """A few animals on grounds of one kind, to be looked at."""
    return cached.memo("build_herd", (kind,), lambda: trial_herd(kind, 8), lambda made: made.pictures.nbytes)


def _go_on(run: cc.TrainingRun) -> None:
    training.start(build_training.MAIN, "build", seed=run.seed, resume=run)


def keep_and_save(run: cc.TrainingRun) -> None:
    """Where else the run can be opened, and its files."""
    st.header("Keep it", anchor=False, divider="gray")
    name = run.digest[:16]
    with st.container(horizontal=True, gap="small"):
        if build_training.is_built(run):
            st.download_button(
                "PyTorch code and weights (.zip)",
                lambda: export_zip(run),
                file_name="network.zip",
                mime="application/zip",
                icon=":material/code:",
                key="cl_build_export",
                on_click="ignore",
            )
        st.download_button(
            "The run (.zip)",
            lambda: zipped(build_training.save_files(run)),
            file_name="run.zip",
            mime="application/zip",
            icon=":material/save:",
            key="cl_build_save",
            help="Weights, optimiser and every step: open it again below, or with cnn_core.load_run.",
            on_click="ignore",
        )
        st.download_button(
            "Its curves (.csv)",
            build_training.numbers_of(run),
            file_name="run.csv",
            mime="text/csv",
            icon=":material/table:",
            key="cl_build_csv",
            on_click="ignore",
        )
        if run.state == "stopped":
            st.button(
                "Train on to the end",
                key="cl_build_resume",
                icon=":material/resume:",
                on_click=_go_on,
                args=(run,),
                help="It ends where it would have ended without the stop.",
            )
    st.caption("The network is kept for this session as a model like any other. Open it in:")
    with st.container(horizontal=True, gap="small"):
        for key in _ELSEWHERE:
            lesson = shell.lesson(key)
            if st.button(lesson.title, key=f"cl_build_to_{key}", icon=f":material/{lesson.icon}:"):
                _open(name, key)


def _open(name: str, page: str) -> None:
    session.set("model", f"{training.PREFIX}{name}")
    for value in ("weights", "layer", "channel", "row", "column", "target", "rival"):
        session.set(value, None)
    st.switch_page(shell.lesson(page).page)


def zipped(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def read_files(files: dict[str, bytes]) -> cc.TrainingRun:
    """A run from its zip, or from its two files. Raises InvalidCheckpoint in a sentence."""
    contents: dict[str, bytes] = {}
    for name, content in files.items():
        if name.lower().endswith(".zip"):
            contents |= _unzipped(content)
        else:
            contents[Path(name).suffix] = content
    if set(contents) != {".safetensors", ".json"}:
        raise cc.InvalidCheckpoint("A saved run is two files, .safetensors and .json, or the zip with both.")
    with tempfile.TemporaryDirectory() as folder:
        for suffix, content in contents.items():
            (Path(folder) / f"run{suffix}").write_bytes(content)
        return cc.load_run(Path(folder) / "run")


def _unzipped(content: bytes) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            for entry in archive.infolist():
                suffix = Path(entry.filename).suffix
                if suffix not in (".safetensors", ".json"):
                    continue
                with archive.open(entry) as file:
                    found[suffix] = file.read(_MOST_BYTES + 1)
                if len(found[suffix]) > _MOST_BYTES:
                    raise cc.InvalidCheckpoint("The zip holds a file that is larger than any run of ConvLens.")
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, OSError, EOFError) as error:
        raise cc.InvalidCheckpoint("This file is not a zip that can be read: save the run again.") from error
    return found
