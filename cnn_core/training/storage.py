"""A run on disk: weights and optimiser state as safetensors, everything else as JSON beside it; no code in either."""

from __future__ import annotations

import hashlib
import io
import json
import os
import zipfile
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors
from torch import Tensor

from ..archives import open_zip
from ..errors import ConvLensError, InvalidCheckpoint
from .measuring import ActivationStatistics
from .networks import fresh_network
from .optimisers import state_shapes
from .recipe import Recipe
from .run import Evaluation, Step, TrainingRun
from .strict_json import from_words, to_json, to_words

_FORMAT: Final = "convlens-run-1"
_MAX_BYTES: Final = 64 * 2**20
_COUNTS: Final = ("number", "of", "n_train", "n_test")  # what is a whole number of a step
_ZIPPED: Final = ("run.safetensors", "run.json")
_MOST_ENTRIES: Final = 100  # whoever packs a run's files anew may pack others with them


def paths_of(path: str | os.PathLike[str]) -> tuple[Path, Path]:
    """The two files of a run: NAME.safetensors and NAME.json, whichever of them (or bare NAME) was given."""
    base = Path(path)
    if base.suffix in (".safetensors", ".json"):
        base = base.with_suffix("")
    return base.with_name(base.name + ".safetensors"), base.with_name(base.name + ".json")


def save_run(run: TrainingRun, path: str | os.PathLike[str]) -> tuple[Path, Path]:
    """Write NAME.safetensors and NAME.json and return their paths; a file that is half written is never left."""
    tensor_path, text_path = paths_of(path)
    data, text = _contents(run)
    _write(tensor_path, data)
    _write(text_path, text)
    return tensor_path, text_path


def load_run(path: str | os.PathLike[str]) -> TrainingRun:
    """The run that `save_run` wrote. Raises InvalidCheckpoint where a file is missing, broken or of another run."""
    tensor_path, text_path = paths_of(path)
    return _run_of(_read(tensor_path), _read(text_path), tensor_path.name, text_path.name)


def zip_run(run: TrainingRun) -> bytes:
    """The two files of a run as one .zip."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in zip(_ZIPPED, _contents(run), strict=True):
            archive.writestr(name, content)
    return packed.getvalue()


def unzip_run(content: bytes) -> TrainingRun:
    """The run that `zip_run` packed; nothing is written to disk. Raises InvalidCheckpoint for any other file."""
    too_large = InvalidCheckpoint("The file is larger than any training run of ConvLens.")
    if len(content) > _MAX_BYTES:
        raise too_large
    try:
        with open_zip(
            content,
            max_bytes=_MAX_BYTES,
            max_entries=_MOST_ENTRIES,
            max_unpacked=2 * (_MAX_BYTES + 1),
            error=InvalidCheckpoint,
        ) as archive:
            members = {str(member.path): member for member in archive.files}
            found = [archive.read(members[name], _MAX_BYTES) for name in _ZIPPED]
    except (InvalidCheckpoint, KeyError) as error:
        raise InvalidCheckpoint(
            f"This is no training run saved by ConvLens: a .zip with {_ZIPPED[0]} and {_ZIPPED[1]} in it."
        ) from error
    data, text = found
    if data is None or text is None:
        raise too_large
    return _run_of(data, text, *_ZIPPED)


def _contents(run: TrainingRun) -> tuple[bytes, bytes]:
    tensors = {f"weights.{name}": tensor.contiguous() for name, tensor in run.weights.items()}
    tensors |= {f"optimiser.{name}": tensor.contiguous() for name, tensor in run.optimiser.items()}
    data = save_tensors(tensors, metadata={"format": _FORMAT})
    told = {
        "format": _FORMAT,
        "sha256": hashlib.sha256(data).hexdigest(),
        "experiment": run.experiment,
        "arm": run.arm,
        "title": run.title,
        "seed": run.seed,
        "recipe": run.recipe.to_dict(),
        "state": run.state,
        "note": run.note,
        "train_accuracy": run.train_accuracy,
        "test_accuracy": run.test_accuracy,
        "steps": [step_to_dict(step) for step in run.steps],
    }
    return data, to_json(told).encode()


def _run_of(data: bytes, text: bytes, tensor_name: str, text_name: str) -> TrainingRun:
    try:
        told = json.loads(text)
        if told["format"] != _FORMAT:
            raise InvalidCheckpoint(f"{text_name} is not a training run of ConvLens.")
        if told["sha256"] != hashlib.sha256(data).hexdigest():
            raise InvalidCheckpoint(f"{tensor_name} does not belong to {text_name}: save the run again.")
        tensors = load_tensors(data)
        run = TrainingRun(
            experiment=str(told["experiment"]),
            arm=str(told["arm"]),
            title=str(told["title"]),
            recipe=Recipe(**told["recipe"]),
            seed=int(told["seed"]),
            state=told["state"],
            note=str(told["note"]),
            steps=tuple(step_from_dict(step) for step in told["steps"]),
            train_accuracy=float(told["train_accuracy"]),
            test_accuracy=float(told["test_accuracy"]),
            weights=_part(tensors, "weights."),
            optimiser=_part(tensors, "optimiser."),
        )
        _check(run)
    except InvalidCheckpoint:
        raise
    except (ConvLensError, SafetensorError, KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
        raise InvalidCheckpoint(f"{text_name} cannot be read as a training run of ConvLens: {error}.") from error
    return run


def _check(run: TrainingRun) -> None:
    """Weights and optimiser state have the shapes that the network of this recipe has."""
    module = fresh_network(run.recipe.network, run.seed, run.recipe.data)
    wanted = {name: (tensor.shape, tensor.dtype) for name, tensor in module.state_dict().items()}
    state = state_shapes(run.recipe, sum(parameter.numel() for parameter in module.parameters()), run.steps_done)
    for given, expected in ((run.weights, wanted), (run.optimiser, state)):
        if {name: (tensor.shape, tensor.dtype) for name, tensor in given.items()} != expected:
            raise InvalidCheckpoint(f"The saved weights do not fit the network {run.recipe.network}.")
    if run.state not in ("finished", "stopped", "diverged"):
        raise InvalidCheckpoint(f"A run cannot be {run.state!r}: finished, stopped or diverged.")
    if [step.number for step in run.steps] != list(range(1, len(run.steps) + 1)) or run.steps_done > run.recipe.steps:
        raise InvalidCheckpoint("The saved steps are not the first ones of this run, in their order.")


def _part(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}


def step_to_dict(step: Step) -> dict[str, Any]:
    """A step as plain values fit for strict JSON."""
    told: dict[str, Any] = to_words(asdict(step))
    return told


def step_from_dict(told: Mapping[str, Any]) -> Step:
    """The step of `step_to_dict`. Raises TypeError, ValueError or KeyError for anything else."""
    values = from_words(dict(told))
    given, norms = values.pop("evaluation"), values.pop("gradient_norms")
    values = {name: int(value) if name in _COUNTS else float(value) for name, value in values.items()}
    norms = {str(name): float(norm) for name, norm in norms.items()}
    return Step(**values, gradient_norms=norms, evaluation=None if given is None else _evaluation(given))


def _evaluation(given: dict[str, Any]) -> Evaluation:
    activations = {
        name: ActivationStatistics(**{key: float(value) for key, value in numbers.items()})
        for name, numbers in given.pop("activations").items()
    }
    confusion = tuple(tuple(map(int, row)) for row in given.pop("confusion", ()))
    kernels, shape = tuple(map(float, given.pop("kernels", ()))), tuple(map(int, given.pop("kernel_shape", ())))
    values: dict[str, Any] = {name: int(value) if name in _COUNTS else float(value) for name, value in given.items()}
    return Evaluation(**values, activations=activations, confusion=confusion, kernels=kernels, kernel_shape=shape)


def _write(path: Path, data: bytes) -> None:
    partial = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        partial.write_bytes(data)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def _read(path: Path) -> bytes:
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise InvalidCheckpoint(f"{path.name} is larger than any training run of ConvLens.")
        return path.read_bytes()
    except OSError as error:
        raise InvalidCheckpoint(f"{path} cannot be read: {error.strerror}.") from error
