"""A run on disk: weights and optimiser state as safetensors, everything else as JSON beside it; no code in either."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors
from torch import Tensor

from ..errors import ConvLensError, InvalidCheckpoint
from .measuring import ActivationStatistics
from .networks import fresh_network
from .optimisers import state_shapes
from .recipe import Recipe
from .run import Evaluation, Step, TrainingRun
from .strict_json import from_words, to_json, to_words

_FORMAT: Final = "convlens-run-1"
_MAX_BYTES: Final = 64 * 2**20


def paths_of(path: str | os.PathLike[str]) -> tuple[Path, Path]:
    """The two files of a run: NAME.safetensors and NAME.json, whichever of them (or bare NAME) was given."""
    base = Path(path)
    if base.suffix in (".safetensors", ".json"):
        base = base.with_suffix("")
    return base.with_name(base.name + ".safetensors"), base.with_name(base.name + ".json")


def save_run(run: TrainingRun, path: str | os.PathLike[str]) -> tuple[Path, Path]:
    """Write NAME.safetensors and NAME.json and return their paths; a file that is half written is never left."""
    tensor_path, text_path = paths_of(path)
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
    _write(tensor_path, data)
    _write(text_path, to_json(told).encode())
    return tensor_path, text_path


def load_run(path: str | os.PathLike[str]) -> TrainingRun:
    """The run that `save_run` wrote. Raises InvalidCheckpoint where a file is missing, broken or of another run."""
    tensor_path, text_path = paths_of(path)
    data, text = _read(tensor_path), _read(text_path)
    try:
        told = json.loads(text)
        if told["format"] != _FORMAT:
            raise InvalidCheckpoint(f"{text_path.name} is not a training run of ConvLens.")
        if told["sha256"] != hashlib.sha256(data).hexdigest():
            raise InvalidCheckpoint(f"{tensor_path.name} does not belong to {text_path.name}: save the run again.")
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
    except (ConvLensError, SafetensorError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise InvalidCheckpoint(f"{text_path.name} cannot be read as a training run of ConvLens: {error}.") from error
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
    """The step of `step_to_dict`."""
    values = from_words(told)
    evaluation = values.pop("evaluation")
    if evaluation is not None:
        activations = {name: ActivationStatistics(**given) for name, given in evaluation.pop("activations").items()}
        evaluation |= {name: tuple(evaluation.get(name, ())) for name in ("kernels", "kernel_shape")}
        evaluation["confusion"] = tuple(map(tuple, evaluation.get("confusion", ())))
        evaluation = Evaluation(**evaluation, activations=activations)
    return Step(**values, evaluation=evaluation)


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
