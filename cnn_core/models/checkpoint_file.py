"""Read a file of weights: names and tensors, and what it tells of its network; no code in it is ever run."""

from __future__ import annotations

import io
import json
import pickle
import pickletools
import re
import struct
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final

import safetensors
import safetensors.torch
import torch
from torch import Tensor

from ..errors import InvalidCheckpoint
from .class_names import tidy_names

# What training scripts call the weights inside a larger dictionary, and what wrappers put before every name.
_NESTED: Final = ("state_dict", "model_state_dict", "model_state", "model", "net", "network", "weights", "module")
_WRAPPERS: Final = ("module.", "_orig_mod.", "model.", "net.")
_CLASSES: Final = ("class_names", "classes", "class_to_idx", "labels")
_ARCHITECTURES: Final = ("architecture", "arch", "model_name", "backbone")
# Everything that torch's reader raises when a file's content contradicts itself.
_DAMAGE: Final = (
    RuntimeError, EOFError, ValueError, KeyError, TypeError, AttributeError, IndexError, AssertionError,
    OverflowError, MemoryError, RecursionError, struct.error,
)  # fmt: skip
# What other files begin with, so that the refusal can say what was brought.
_OTHER_FILES: Final = (
    (rb"\x89PNG\r\n", "a PNG picture"),
    (rb"\xff\xd8\xff", "a JPEG picture"),
    (rb"GIF8[79]a", "a GIF picture"),
    (rb"RIFF....WEBP", "a WebP picture"),
    (rb"BM....\0\0\0\0", "a BMP picture"),
    (rb"II\*\0|MM\0\*", "a TIFF picture"),
    (rb"\x89HDF\r\n", "an HDF5 file (Keras writes those)"),
    (rb"%PDF-", "a PDF document"),
    (rb"\x1f\x8b|BZh|\xfd7zXZ|7z\xbc\xaf", "a packed archive"),
    (rb"\x08[\x01-\x0f]\x12.{0,40}(?:pytorch|tf2onnx|skl2onnx|onnx)", "an ONNX file"),
)
_SAVE_SO: Final = "Save the weights alone: torch.save(model.state_dict(), path)."
# A pickle lists tensors and never holds their numbers: even the largest network's takes less than one megabyte.
_MAX_PICKLE_BYTES: Final = 32 * 2**20
# The names that such a list needs. torch's own list is longer, and some of it (a byte array of any length, a codec that
# doubles its text) lets a file of a hundred bytes fill the memory.
_HARMLESS: Final = re.compile(
    r"collections (OrderedDict|Counter)|builtins (set|complex)|__builtin__ (set|complex)"
    r"|torch(\.cuda|\.storage)? \w*Storage|torch (Size|device|u?int\d+|b?float\d+|bool|complex\d+|half|double|long)"
    r"|torch\.serialization _get_layout|torch\.nn\.parameter Parameter|torch\.float8_\w+"
    r"|torch\._utils _rebuild_(tensor|tensor_v2|tensor_v3|parameter|parameter_with_state|qtensor|sparse_tensor)"
    r"|torch\._utils _rebuild_meta_tensor_no_storage|torch\._tensor _rebuild_from_type_v2|torch Tensor"
)


@dataclass(frozen=True, eq=False)
class CheckpointFile:
    """What was in a file. Names of wrappers that stand before every tensor are taken off."""

    state: Mapping[str, Tensor]
    class_names: tuple[str, ...] | None
    """In the order of the logits, where the file tells them ("class_names", "classes", "class_to_idx", "labels")."""
    architecture: str | None
    """What the file calls its network ("architecture", "arch"); it may be no network that is known here."""


def read_checkpoint(source: Path | bytes | BinaryIO, max_bytes: int) -> CheckpointFile:
    """The weights of a safetensors file, of a state dict saved by torch, or of a training script's larger dictionary.

    Raises InvalidCheckpoint where the file is larger than max_bytes (packed or unpacked), damaged, something else, or
    holds Python objects other than tensors and plain values.
    """
    try:
        if isinstance(source, Path):
            with source.open("rb") as file:
                return _read(file, max_bytes)
        return _read(io.BytesIO(source) if isinstance(source, bytes) else source, max_bytes)
    except FileNotFoundError:
        raise InvalidCheckpoint(f"There is no file {str(source)!r}. Give the path of a weights file.") from None
    except OSError as error:
        raise InvalidCheckpoint(f"The weights file cannot be read ({error.strerror or error}).") from error


def _read(file: BinaryIO, limit: int) -> CheckpointFile:
    size = file.seek(0, io.SEEK_END)
    file.seek(0)
    if size > limit:
        raise InvalidCheckpoint(f"The weights file is larger than {limit / 2**20:.0f} MB, the most that is read here.")
    if size == 0:
        raise InvalidCheckpoint("The weights file is empty.")
    head = file.read(64)
    file.seek(0)
    # A safetensors file begins with the length of its JSON header (8 bytes, little-endian) and an opening brace.
    if head[8:9] == b"{" and int.from_bytes(head[:8], "little") <= size:
        return _read_safetensors(file.read())
    for begins, what in _OTHER_FILES:
        if re.match(begins, head, re.DOTALL):
            raise InvalidCheckpoint(
                f"The file is {what}, not weights. Bring a state dict saved by torch, or a safetensors file."
            )
    is_zip = _check_unpacked_size(file, limit)
    try:
        _check_names(file, is_zip)
        file.seek(0)
        return _plain(torch.load(file, map_location="cpu", weights_only=True))
    except pickle.UnpicklingError as error:
        if is_zip or head[:1] == b"\x80":  # a pickle begins with this byte
            raise InvalidCheckpoint(
                "The file holds Python objects besides tensors, which are not opened, or it is damaged. " + _SAVE_SO
            ) from error
        raise InvalidCheckpoint("The file is neither a state dict saved by torch nor a safetensors file.") from error
    except _DAMAGE as error:
        raise InvalidCheckpoint(
            "The file is neither a state dict saved by torch nor a safetensors file, or it is damaged. Save it again."
        ) from error


def _read_safetensors(content: bytes) -> CheckpointFile:
    try:
        state = safetensors.torch.load(content)
        header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
    except (safetensors.SafetensorError, ValueError, KeyError, RecursionError) as error:
        raise InvalidCheckpoint("The safetensors file is damaged. Save or download it again.") from error
    return _plain(state, header.get("__metadata__"))


def _check_unpacked_size(file: BinaryIO, limit: int) -> bool:
    """Whether it is a zip archive, as torch's newer files are; a small one could unpack to any size."""
    try:
        if not zipfile.is_zipfile(file):
            return False
        with zipfile.ZipFile(file) as archive:
            members = archive.infolist()
    except (zipfile.BadZipFile, NotImplementedError, ValueError) as error:
        raise InvalidCheckpoint("The weights file is damaged or cut short. Save or download it again.") from error
    if sum(member.file_size for member in members) > limit:
        raise InvalidCheckpoint(f"The weights file unpacks to more than {limit / 2**20:.0f} MB, the most that is read.")
    names = [member.filename.rsplit("/", 1)[-1] for member in members]
    if "constants.pkl" in names:
        raise InvalidCheckpoint("The file is a TorchScript program, and programs are not run here. " + _SAVE_SO)
    if "data.pkl" not in names:
        raise InvalidCheckpoint(
            "The file is a zip archive without weights of torch in it. Bring a state dict saved by torch, or a "
            "safetensors file."
        )
    return True


def _check_names(file: BinaryIO, is_zip: bool) -> None:
    """Refuse a pickle that names more than a list of tensors needs, before anything in it is built."""
    file.seek(0)
    strange: dict[str, None] = {}
    if is_zip:
        # torch's own reader, so that this looks at the very bytes that will be loaded.
        content = torch._C.PyTorchFileReader(file).get_record("data.pkl")
        parts: Iterator[str] = _globals_of(io.BytesIO(content), len(content))
    else:
        parts = _globals_of_all(file)
    for name in parts:
        if not _HARMLESS.fullmatch(name):
            strange[name.replace(" ", ".")[:60]] = None
    if strange:
        some = ", ".join(list(strange)[:3]) + (f" and {len(strange) - 3} more" if len(strange) > 3 else "")
        raise InvalidCheckpoint(
            f"The file holds Python objects besides tensors ({some}), which are not opened: they could run any code. "
            + _SAVE_SO
        )


def _globals_of_all(file: BinaryIO) -> Iterator[str]:
    """torch's older format is several pickles in a row: a magic number, versions, the weights, the storages' names."""
    for _ in range(5):
        if file.read(1) in (b"", b"\0"):
            return
        file.seek(-1, io.SEEK_CUR)
        yield from _globals_of(file, _MAX_PICKLE_BYTES)


def _globals_of(file: BinaryIO, size: int) -> Iterator[str]:
    """ "module name" of every function or class that a pickle asks for."""
    if size > _MAX_PICKLE_BYTES:
        raise InvalidCheckpoint(f"The file's list of tensors is larger than {_MAX_PICKLE_BYTES / 2**20:.0f} MB.")
    begin = file.tell()
    texts = ["", ""]
    for operation, argument, _ in pickletools.genops(file):
        if operation.name in ("GLOBAL", "INST"):
            yield str(argument)
        elif operation.name == "STACK_GLOBAL":  # of the two texts before it; never written by torch
            yield f"{texts[0]}.{texts[1]}"
        elif isinstance(argument, str):
            texts = [texts[1], argument]
        if file.tell() - begin > _MAX_PICKLE_BYTES:
            raise InvalidCheckpoint(f"The file's list of tensors is larger than {_MAX_PICKLE_BYTES / 2**20:.0f} MB.")


def _plain(loaded: Any, told: Mapping[str, str] | None = None) -> CheckpointFile:
    """The names and tensors inside whatever a training script saved, and what stands beside them."""
    beside: dict[str, Any] = dict(told or {})
    for key in _NESTED:
        if isinstance(loaded, Mapping) and isinstance(loaded.get(key), Mapping):
            beside = {**loaded, **beside}
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
    if all(name.startswith(("weights.", "optimiser.")) for name in state):  # a training run that ConvLens saved
        state = {name.removeprefix("weights."): t for name, t in state.items() if name.startswith("weights.")}
    for prefix in (p for _ in _WRAPPERS for p in _WRAPPERS):  # wrappers of wrappers, in any order
        if all(name.startswith(prefix) for name in state):
            state = {name.removeprefix(prefix): tensor for name, tensor in state.items()}
    return CheckpointFile(state, _told_names(beside), _told_architecture(beside))


def _told_names(beside: Mapping[str, Any]) -> tuple[str, ...] | None:
    for key in _CLASSES:
        value = beside.get(key)
        if isinstance(value, str):
            value = value.split(",")
        if isinstance(value, Mapping | Sequence) and value:
            try:
                return tidy_names(value)
            except ValueError:
                continue  # something else by that name
    return None


def _told_architecture(beside: Mapping[str, Any]) -> str | None:
    places = [
        beside,
        *(value for key in ("hyper_parameters", "config") if isinstance(value := beside.get(key), Mapping)),
    ]
    for place in places:
        for key in _ARCHITECTURES:
            if isinstance(value := place.get(key), str) and len(value) <= 500:
                return value
    return None
