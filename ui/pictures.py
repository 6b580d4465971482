"""The pictures that a visitor can choose: the shipped samples, and their own uploads, which stay in their session."""

from __future__ import annotations

import io
from dataclasses import dataclass
from functools import cache

import streamlit as st
from PIL import Image

import cnn_core as cc
from cnn_core.samples import Sample, list_samples
from ui import cached

UPLOAD_PREFIX = "upload-"
MAX_UPLOADS = 6  # the oldest is let go; each is at most images.MAX_BYTES
_UPLOADS = "cl_uploads"
_THUMBNAIL = 72


@dataclass(frozen=True)
class Upload:
    """One picture that the visitor brought, as the file that it came in."""

    name: str
    content: bytes
    thumbnail: bytes


@cache
def samples() -> dict[str, Sample]:
    """The shipped pictures by key, in their order."""
    return {sample.key: sample for sample in list_samples()}


def sample_picture(key: str) -> cc.Picture:
    """A shipped picture, decoded once for everybody."""
    return cached.memo(
        "picture", (key,), lambda: cc.load_image(samples()[key].path), lambda picture: picture.rgb.nbytes
    )


def uploads() -> dict[str, Upload]:
    """This visitor's own pictures by reference, newest last."""
    own: dict[str, Upload] = st.session_state.setdefault(_UPLOADS, {})
    return own


def add_upload(name: str, content: bytes) -> str:
    """Check and keep a visitor's picture; returns its reference. Raises InvalidImage, and then nothing changes."""
    picture = cc.load_image(content, name=name)
    reference = f"{UPLOAD_PREFIX}{picture.digest[:16]}"
    own = uploads()
    own.pop(reference, None)
    own[reference] = Upload(name, content, _jpeg(Image.fromarray(picture.thumbnail(2 * _THUMBNAIL))))
    while len(own) > MAX_UPLOADS:
        own.pop(next(iter(own)))
    return reference


def open_picture(reference: str) -> cc.Picture | None:
    """The picture of a reference, or None where this visitor has no such picture (any more)."""
    if reference in samples():
        return sample_picture(reference)
    upload = uploads().get(reference)
    if upload is None:
        return None
    # The key carries the content's digest, so that one visitor's reference never opens another's picture.
    return cached.memo(
        "upload",
        (reference, upload.name),
        lambda: cc.load_image(upload.content, name=upload.name),
        lambda picture: picture.rgb.nbytes,
    )


@cache
def thumbnails() -> dict[str, bytes]:
    """Small square JPEGs of the samples by key."""
    return {key: _jpeg(Image.open(sample.path)) for key, sample in samples().items()}


def _jpeg(picture: Image.Image) -> bytes:
    side = min(picture.size)
    left, top = (picture.width - side) // 2, (picture.height - side) // 2
    square = picture.convert("RGB").crop((left, top, left + side, top + side))
    buffer = io.BytesIO()
    square.resize((_THUMBNAIL, _THUMBNAIL), Image.Resampling.LANCZOS).save(buffer, "JPEG", quality=82)
    return buffer.getvalue()
