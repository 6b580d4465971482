"""Download trained weights, only when somebody asks: torchvision's own file into torch's own folder."""

from __future__ import annotations

import hashlib
import http.client
import os
import re
import urllib.request
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO, Final

from ..errors import WeightsUnavailable
from .catalogue import card_of
from .weights import download_folder, file_name, find, preferred_entry

_CHUNK: Final = 2**18
_TIMEOUT_SECONDS: Final = 30.0
# torchvision puts the beginning of the file's SHA-256 into its name.
_HASH: Final = re.compile(r"-([0-9a-f]{8,})\.\w+$")


def fetch_weights(
    key: str,
    *,
    on_progress: Callable[[int, int], None] | None = None,
    should_stop: Callable[[], bool] | None = None,
) -> Path:
    """The path of a model's trained weights, downloaded where they are not on this machine yet.

    on_progress(done, total) is told bytes, total being 0 where the server does not say; should_stop() ends the
    download when it returns True. The file's SHA-256 is compared with the one that torchvision names, and an
    incomplete file is never left behind.
    Raises UnknownModel, or WeightsUnavailable where nothing came, the wrong thing came, or the download was stopped.
    """
    title = card_of(key).title
    found = find(key)
    if found is not None:
        return found.path
    entry = preferred_entry(key)
    folder = download_folder()
    partial: Path | None = None
    try:
        folder.mkdir(parents=True, exist_ok=True)
        # A name of its own, so that two downloads side by side do not mix. Not from tempfile, whose files only their
        # owner may read: the folder is often shared.
        path = folder / f"{file_name(entry)}.{uuid.uuid4().hex}.partial"
        with path.open("xb") as file:
            partial = path
            digest = _download(str(entry.url), file, title, on_progress, should_stop)
        expected = _HASH.search(file_name(entry))
        if expected is None or not digest.startswith(expected[1]):
            raise WeightsUnavailable(
                f"What came for {title} is not the file that torchvision published (its SHA-256 differs). Try again."
            )
        target = folder / file_name(entry)
        os.replace(partial, target)
        return target
    except OSError as error:
        raise WeightsUnavailable(
            f"The weights of {title} could not be stored in {folder} ({error.strerror or error})."
        ) from error
    finally:
        if partial is not None:
            partial.unlink(missing_ok=True)


def _download(
    url: str,
    file: BinaryIO,
    title: str,
    on_progress: Callable[[int, int], None] | None,
    should_stop: Callable[[], bool] | None,
) -> str:
    """Write what the address gives into a file; returns its SHA-256 in hexadecimal."""
    digest, done = hashlib.sha256(), 0
    try:
        response: BinaryIO = urllib.request.urlopen(url, timeout=_TIMEOUT_SECONDS)
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise _unreachable(url, title, error) from error
    with response:
        total = _length(response)
        while True:
            if should_stop is not None and should_stop():
                raise WeightsUnavailable(f"The download of {title} was stopped; nothing was kept.")
            try:
                chunk = response.read(_CHUNK)
            except (OSError, http.client.HTTPException) as error:
                raise _unreachable(url, title, error) from error
            if not chunk:
                break
            file.write(chunk)
            digest.update(chunk)
            done += len(chunk)
            if on_progress is not None:
                on_progress(done, total)
    if total and done != total:
        raise WeightsUnavailable(f"The download of {title} ended early ({done} of {total} bytes). Try again.")
    return digest.hexdigest()


def _length(response: Any) -> int:
    value = response.headers.get("Content-Length") or ""
    return int(value) if value.isdecimal() else 0


def _unreachable(url: str, title: str, error: Exception) -> WeightsUnavailable:
    reason = getattr(error, "reason", None) or getattr(error, "strerror", None) or error
    host = url.split("/")[2] if url.count("/") > 1 else url
    return WeightsUnavailable(
        f"The weights of {title} could not be fetched from {host or 'this machine'} ({reason}). "
        f"Check the internet connection, or open the model with random weights."
    )
