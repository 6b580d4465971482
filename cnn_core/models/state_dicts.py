"""Weights files: read them without running any code in them, and fit them to a network."""

from __future__ import annotations

import io
import pickle
import re
import struct
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO, Final

import safetensors
import safetensors.torch
import torch
from torch import Tensor, nn

from ..errors import InvalidCheckpoint
from .architectures import TRAINING_ONLY_PREFIXES

# What training scripts call the weights inside a larger dictionary, and what wrappers put before every name.
_NESTED: Final = ("state_dict", "model_state_dict", "model", "net", "weights")
_WRAPPERS: Final = ("module.", "_orig_mod.", "model.", "net.")
# Everything that torch's reader raises when a file's content contradicts itself.
_DAMAGE: Final = (
    RuntimeError, EOFError, ValueError, KeyError, TypeError, AttributeError, IndexError, AssertionError,
    OverflowError, MemoryError, struct.error,
)  # fmt: skip
# DenseNet's published files still have the names of an early torchvision: norm.1 for norm1.
_OLD_DENSENET: Final = re.compile(r"^(.*denselayer\d+\.(?:norm|relu|conv))\.([12]\.\w+)$")


def read_state_dict(source: Path | bytes, max_bytes: int) -> dict[str, Tensor]:
    """Names and tensors of a safetensors file or of a state dict saved by torch; never any other object.

    Raises InvalidCheckpoint where the file is larger than max_bytes (packed or unpacked), damaged, or holds anything
    but tensors by name.
    """
    try:
        with source.open("rb") if isinstance(source, Path) else io.BytesIO(source) as file:
            size = file.seek(0, io.SEEK_END)
            file.seek(0)
            return _read(file, size, max_bytes)
    except FileNotFoundError:
        raise InvalidCheckpoint(f"There is no file {str(source)!r}. Give the path of a weights file.") from None
    except OSError as error:
        raise InvalidCheckpoint(f"The weights file cannot be read ({error.strerror or error}).") from error


def _read(file: BinaryIO, size: int, limit: int) -> dict[str, Tensor]:
    if size > limit:
        raise InvalidCheckpoint(f"The weights file is larger than {limit / 2**20:.0f} MB, the most that is read here.")
    if size == 0:
        raise InvalidCheckpoint("The weights file is empty.")
    head = file.read(9)
    file.seek(0)
    # A safetensors file begins with the length of its JSON header (8 bytes, little-endian) and an opening brace.
    if head[8:] == b"{" and int.from_bytes(head[:8], "little") <= size:
        try:
            return _plain(safetensors.torch.load(file.read()))
        except (safetensors.SafetensorError, ValueError, KeyError) as error:
            raise InvalidCheckpoint("The safetensors file is damaged. Save or download it again.") from error
    is_zip = _check_unpacked_size(file, limit)
    file.seek(0)
    try:
        return _plain(torch.load(file, map_location="cpu", weights_only=True))
    except pickle.UnpicklingError as error:
        if is_zip or head[:1] == b"\x80":  # a pickle begins with this byte
            raise InvalidCheckpoint(
                "The file holds Python objects besides tensors, which are not opened, or it is damaged. "
                "Save the weights alone: torch.save(model.state_dict(), path)."
            ) from error
        raise InvalidCheckpoint("The file is neither a state dict saved by torch nor a safetensors file.") from error
    except _DAMAGE as error:
        raise InvalidCheckpoint(
            "The file is neither a state dict saved by torch nor a safetensors file, or it is damaged. Save it again."
        ) from error


def _check_unpacked_size(file: BinaryIO, limit: int) -> bool:
    """Whether it is a zip archive, as torch's newer files are; a small one could unpack to any size."""
    try:
        if not zipfile.is_zipfile(file):
            return False
        with zipfile.ZipFile(file) as archive:
            size = sum(item.file_size for item in archive.infolist())
    except (zipfile.BadZipFile, NotImplementedError, ValueError) as error:
        raise InvalidCheckpoint("The weights file is damaged or cut short. Save or download it again.") from error
    if size > limit:
        raise InvalidCheckpoint(f"The weights file unpacks to more than {limit / 2**20:.0f} MB, the most that is read.")
    return True


def _plain(loaded: Any) -> dict[str, Tensor]:
    """The names and tensors inside whatever a training script saved."""
    for key in _NESTED:
        if isinstance(loaded, Mapping) and isinstance(loaded.get(key), Mapping):
            loaded = loaded[key]
    if not isinstance(loaded, Mapping) or not loaded:
        raise InvalidCheckpoint(
            "The file holds no weights by name. Save them with torch.save(model.state_dict(), path)."
        )
    if not all(isinstance(k, str) and isinstance(v, Tensor) for k, v in loaded.items()):
        wrong = next(k for k, v in loaded.items() if not (isinstance(k, str) and isinstance(v, Tensor)))
        raise InvalidCheckpoint(
            f"The file holds {str(wrong)[:60]!r}, which is no tensor. Save model.state_dict() alone."
        )
    state = dict(loaded)
    for prefix in (p for _ in _WRAPPERS for p in _WRAPPERS):  # wrappers of wrappers, in any order
        if all(name.startswith(prefix) for name in state):
            state = {name.removeprefix(prefix): tensor for name, tensor in state.items()}
    return state


def fit(module: nn.Module, state: Mapping[str, Tensor]) -> None:
    """Give a network built by `build_architecture` these weights, as float32, every one of them and no others.

    `num_batches_tracked` may be missing (evaluation does not use it), and heads that only training uses may be there.
    Raises InvalidCheckpoint naming a few of the names or shapes that do not fit.
    """
    expected = module.state_dict()
    given: dict[str, Tensor] = {}
    for name, tensor in state.items():
        modern = _OLD_DENSENET.sub(r"\1\2", name)
        if modern in expected or not modern.startswith(TRAINING_ONLY_PREFIXES):
            given[modern] = tensor
    counters = {name for name in expected if name.endswith("num_batches_tracked")}
    missing = [name for name in expected if name not in given and name not in counters]
    unexpected = [name for name in given if name not in expected]
    if missing or unexpected:
        raise InvalidCheckpoint(
            "The weights do not fit this architecture: "
            + "; ".join(
                _few(what, names) for what, names in (("missing", missing), ("unexpected", unexpected)) if names
            )
            + "."
        )
    ready: dict[str, Tensor] = {}
    for name, wanted in expected.items():
        if name in counters:
            ready[name] = torch.zeros((), dtype=torch.long)
            continue
        tensor = given[name]
        if tensor.shape != wanted.shape:
            raise InvalidCheckpoint(
                f"The weights do not fit this architecture: {name} has the shape {tuple(tensor.shape)}, "
                f"and {tuple(wanted.shape)} is needed."
            )
        if not tensor.is_floating_point() or tensor.layout != torch.strided:
            raise InvalidCheckpoint(
                f"{name} holds {str(tensor.dtype).removeprefix('torch.')}, not plain decimal numbers."
            )
        # A copy of its own: half precision becomes float32, and no tensor shares memory with another or with the file.
        ready[name] = tensor.detach().to(torch.float32, copy=True, memory_format=torch.contiguous_format)
        if not torch.isfinite(ready[name]).all():
            raise InvalidCheckpoint(f"{name} holds infinite numbers or NaN; the training had broken down.")
    # The dictionary of the module itself carries the version of its layout: MnasNet would rebuild its first layers for
    # weights without one.
    expected.update(ready)
    module.load_state_dict(expected, strict=True, assign=True)


def _few(what: str, names: list[str], limit: int = 3) -> str:
    rest = f" and {len(names) - limit} more" if len(names) > limit else ""
    return f"{what} " + ", ".join(name[:80] for name in names[:limit]) + rest
