"""Train one arm of an experiment: step by step, reported, stoppable, and the same for a seed every time."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..errors import InvalidOption, quote
from .data import Split
from .dropout import Dropouts
from .experiment import Arm, ClassicRecipe, Experiment
from .experiments import experiment_of
from .measuring import accuracy, activation_statistics, predict, to_tensor
from .networks import fresh_network, small_network
from .optimisers import Optimiser
from .recipe import Recipe, adapt
from .repairs import change_of, check_augmentation
from .run import Evaluation, State, Step, TrainingRun, divergence_note, parts_of, preprocessing_of
from .seeds import derived_seed
from .snapshots import confusion_of, first_kernels
from .variants import subset

OnStep = Callable[[Step], None]
ShouldStop = Callable[[], bool]

_EVALUATIONS: Final = 10
_EVALUATED: Final = 300
_PROBED: Final = 64
_LARGEST_SEED: Final = 2**63 - 1


def train(
    experiment_key: str,
    *,
    seed: int,
    arm: str | None = None,
    on_step: OnStep | None = None,
    should_stop: ShouldStop | None = None,
    evaluate_every: int | None = None,
    **settings: Any,
) -> TrainingRun:
    """Train one arm of an experiment (the first one, where none is named) and return what it learned.

    seed: decides the subset, the first weights, the order of the pictures and the augmentation; equal seeds give equal
    runs on one machine with one number of threads. on_step: called after every step, in this thread. should_stop:
    asked before every step; where it says yes, the run ends as "stopped" with what was learned so far.
    evaluate_every: steps between two evaluations (a tenth of the run); 0 for none but the last. It changes nothing
    of what is learned. settings: fields of the arm's Recipe to change, or `epochs`.

    Reads and writes nothing global: not torch's random state, not its threads, not its gradient mode.
    Raises InvalidOption for an unknown experiment, arm or setting, or a value that is not offered.
    """
    return learn(plan_of(experiment_key, seed, arm, settings), None, on_step, should_stop, evaluate_every)


def resume(
    run: TrainingRun,
    *,
    on_step: OnStep | None = None,
    should_stop: ShouldStop | None = None,
    evaluate_every: int | None = None,
) -> TrainingRun:
    """Continue a stopped run to its end; it ends where it would have ended without the stop.

    The given run stays as it is. Raises InvalidOption for a run that is finished or has diverged.
    """
    return learn(plan_of_rest(run), run, on_step, should_stop, evaluate_every)


@dataclass(frozen=True)
class Plan:
    """Everything that decides a run, with the names that it will carry."""

    experiment: str
    arm: str
    title: str
    recipe: Recipe
    seed: int


def plan_of(experiment_key: str, seed: int, arm: str | None, settings: Mapping[str, Any]) -> Plan:
    """What `train` with these arguments would do; it raises what `train` raises."""
    experiment = experiment_of(experiment_key)
    chosen = experiment.arm(arm)
    recipe = recipe_of(experiment, chosen, settings)
    check_seed(seed)
    return Plan(experiment.key, chosen.key, chosen.title, recipe, seed)


def plan_of_rest(run: TrainingRun) -> Plan:
    """What `resume` would do; it raises what `resume` raises."""
    if run.state != "stopped":
        raise InvalidOption(f"Only a stopped run can be continued; this one is {run.state}.")
    return Plan(run.experiment, run.arm, run.title, run.recipe, run.seed)


def recipe_of(experiment: Experiment, arm: Arm, settings: Mapping[str, Any]) -> Recipe:
    """The recipe that an arm trains by. Raises InvalidOption for an arm that is not trained step by step."""
    if isinstance(arm.recipe, ClassicRecipe):
        raise InvalidOption(
            f"{arm.title} is fitted in one go and has no steps to show: use run_experiment({experiment.key!r}, "
            f"arms=[{arm.key!r}])."
        )
    recipe = adapt(arm.recipe, settings)
    small_network(recipe.network, recipe.data)  # raises where there is none of this key, or none for this data
    check_augmentation(recipe)
    return recipe


def check_seed(seed: int) -> None:
    """InvalidOption for what is no seed."""
    if isinstance(seed, bool) or not isinstance(seed, int) or not 0 <= seed <= _LARGEST_SEED:
        raise InvalidOption(f"The seed must be a whole number from 0 up, not {quote(seed)}.")


@dataclass(frozen=True, eq=False)
class _Pictures:
    train: Tensor
    train_labels: Tensor
    test: Tensor
    test_labels: Tensor
    rows: np.ndarray
    """Where each training picture stands in the data set's training part."""


def _load(recipe: Recipe, seed: int) -> _Pictures:
    whole, test = parts_of(recipe)
    places = Split(whole.pictures, whole.labels, np.arange(len(whole)))
    train = subset(places, recipe.n_train, seed)
    preprocessing = preprocessing_of(recipe)
    return _Pictures(
        to_tensor(train.pictures, preprocessing),
        torch.from_numpy(train.labels.copy()),
        to_tensor(test.pictures, preprocessing),
        torch.from_numpy(test.labels.copy()),
        train.indices,
    )


class _Batches:
    """The pictures of step 0, 1, ...: each epoch in a new order that depends on the seed and the epoch alone."""

    def __init__(self, recipe: Recipe, seed: int, pictures: _Pictures) -> None:
        self._recipe, self._seed, self._pictures = recipe, seed, pictures
        self._change = change_of(recipe, preprocessing_of(recipe), pictures.rows)
        self._epoch, self._order = -1, torch.empty(0)

    def __getitem__(self, step: int) -> tuple[Tensor, Tensor]:
        epoch, place = divmod(step, self._recipe.batches_per_epoch)
        if epoch != self._epoch:
            self._epoch, self._order = (
                epoch,
                torch.randperm(self._recipe.n_train, generator=self._drawn("order", epoch)),
            )
        chosen = self._order[place * self._recipe.batch_size :][: self._recipe.batch_size]
        batch, labels = self._pictures.train[chosen], self._pictures.train_labels[chosen]
        if self._change is not None:
            batch = self._change(batch, chosen, self._drawn("augmentation", step))
        return batch, labels

    def _drawn(self, purpose: str, number: int) -> torch.Generator:
        return torch.Generator().manual_seed(derived_seed(self._seed, purpose, number))


class _Clock:
    """Time on the clock and on the core while it runs; it stands still while somebody measures."""

    def __init__(self, seconds: float, cpu_seconds: float) -> None:
        self.seconds, self.cpu_seconds = seconds, cpu_seconds

    def __enter__(self) -> None:
        self._begin, self._cpu_begin = time.perf_counter(), time.thread_time()

    def __exit__(self, *_: object) -> None:
        self.seconds += time.perf_counter() - self._begin
        self.cpu_seconds += time.thread_time() - self._cpu_begin


def learn(
    plan: Plan,
    earlier: TrainingRun | None,
    on_step: OnStep | None,
    should_stop: ShouldStop | None,
    evaluate_every: int | None,
) -> TrainingRun:
    """Carry out a plan, from the beginning or from where an earlier run was stopped; see `train`."""
    recipe = plan.recipe
    every = max(1, recipe.steps // _EVALUATIONS) if evaluate_every is None else evaluate_every
    # The caller may have switched gradients off.
    with torch.inference_mode(False), torch.enable_grad():
        pictures = _load(recipe, plan.seed)
        module = fresh_network(recipe.network, plan.seed, recipe.data)
        if earlier is not None:
            module.load_state_dict(dict(earlier.weights))
        parameters = list(module.parameters())
        steps = [] if earlier is None else list(earlier.steps)
        optimiser = Optimiser(recipe, parameters, done=len(steps), state=None if earlier is None else earlier.optimiser)
        batches = _Batches(recipe, plan.seed, pictures)
        clock = _Clock(0.0, 0.0) if earlier is None else _Clock(earlier.seconds, earlier.cpu_seconds)
        norms = _NormReader(module)
        dropouts = Dropouts(module, plan.seed)
        state: State = "finished"
        note = ""
        while len(steps) < recipe.steps:
            if should_stop is not None and should_stop():
                state, note = "stopped", f"Stopped after {len(steps):,} of {recipe.steps:,} steps."
                break
            number = len(steps)
            with clock:
                batch, labels = batches[number]
                dropouts.begin(number)
                loss = F.cross_entropy(module(batch), labels)
                gradients = torch.autograd.grad(loss, parameters)
                gradient_norms = norms.read(gradients)
                pace = optimiser.step(gradients)
                value = float(loss.detach())
            evaluated = number + 1 == recipe.steps or (every > 0 and (number == 0 or (number + 1) % every == 0))
            steps.append(
                Step(
                    number=number + 1,
                    of=recipe.steps,
                    epoch=(number + 1) / recipe.batches_per_epoch,
                    loss=value,
                    learning_rate=pace.learning_rate,
                    momentum=pace.momentum,
                    gradient_norms=gradient_norms,
                    seconds=clock.seconds,
                    cpu_seconds=clock.cpu_seconds,
                    evaluation=_evaluate(module, pictures) if evaluated else None,
                )
            )
            if on_step is not None:
                on_step(steps[-1])
            if not (math.isfinite(value) and optimiser.is_finite):
                state, note = "diverged", divergence_note(number + 1, value)
                break
        return TrainingRun(
            experiment=plan.experiment,
            arm=plan.arm,
            title=plan.title,
            recipe=recipe,
            seed=plan.seed,
            state=state,
            note=note or f"Finished: {recipe.steps:,} steps.",
            steps=tuple(steps),
            train_accuracy=accuracy(module, pictures.train, pictures.train_labels),
            test_accuracy=accuracy(module, pictures.test, pictures.test_labels),
            weights={name: tensor.detach().clone() for name, tensor in module.state_dict().items()},
            optimiser=optimiser.state,
        )


class _NormReader:
    """The L2 norm of each convolution's and linear layer's weight gradient."""

    def __init__(self, module: nn.Module) -> None:
        places = {id(parameter): place for place, parameter in enumerate(module.parameters())}
        self._layers = [
            (name, places[id(part.weight)])
            for name, part in module.named_modules()
            if isinstance(part, (nn.Conv2d, nn.Linear))
        ]

    def read(self, gradients: tuple[Tensor, ...]) -> dict[str, float]:
        values = torch.stack([gradients[place].norm() for _, place in self._layers]).tolist()
        return {name: value for (name, _), value in zip(self._layers, values, strict=True)}


def _evaluate(module: nn.Module, pictures: _Pictures) -> Evaluation:
    train, train_labels = pictures.train[:_EVALUATED], pictures.train_labels[:_EVALUATED]
    test, test_labels = pictures.test[:_EVALUATED], pictures.test_labels[:_EVALUATED]
    named = predict(module, test)
    kernels, kernel_shape = first_kernels(module)
    return Evaluation(
        train_accuracy=accuracy(module, train, train_labels),
        test_accuracy=float((named == test_labels).to(torch.float64).mean()),
        n_train=len(train),
        n_test=len(test),
        activations=activation_statistics(module, train[:_PROBED]),
        confusion=confusion_of(named, test_labels, int(pictures.test_labels.max()) + 1),
        kernels=kernels,
        kernel_shape=kernel_shape,
    )
