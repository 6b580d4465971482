"""The fitted machines of the page: those that come with ConvLens, and the visitor's own of this session."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from cnn_core.training.experiments import experiment_of
from ui import cached, training
from ui.experiment_records import Record, records_of

if TYPE_CHECKING:
    from cnn_core.training.classic import ClassicRun
    from cnn_core.training.experiment import ClassicRecipe
    from cnn_core.training.machine_views import Inside
    from cnn_core.training.machines import Machine

EXPERIMENT: Final = "three_machines"
KINDS: Final = ("hog_svm", "mlp", "cnn")
SETS: Final = {"digits": "", "shuffled": "_shuffled"}
"""What a set of machines learned from, and how its arms' keys end."""


@dataclass(frozen=True, eq=False)
class Fitted:
    """Three machines that learned from digits as they are, and three that learned from shuffled ones."""

    key: tuple[str, ...]
    """Names these very machines, fit for a cache."""
    whose: str
    plain: tuple[Machine, ...]
    shuffled: tuple[Machine, ...]


def classic(recipe: ClassicRecipe, seed: int) -> ClassicRun:
    """HOG and SVM of a recipe and seed: always the same, so it is fitted once and shared."""
    from cnn_core.training.classic import fit_classic

    return cached.memo(
        "classic", (recipe, seed), lambda: fit_classic(recipe, seed), lambda run: run.weights.nbytes + 4096
    )


def shipped() -> Fitted:
    """Those that come with ConvLens."""
    from cnn_core.training.machines import shipped_machines

    plain, shuffled = (shipped_machines(name) for name in SETS)
    return Fitted(("shipped",), f"came with ConvLens, seed {plain[0].seed}", plain, shuffled)


def own() -> Fitted | None:
    """The visitor's newest whole trio, the shipped ones in place of a set that was not run; None for no trio."""
    sets = {name: _trio(ending) for name, ending in SETS.items()}
    if not any(sets.values()):
        return None
    base = shipped()
    machines, keys, words = {}, [], []
    for name, trio in sets.items():
        machines[name] = tuple(map(_machine, trio)) if trio else (base.plain if name == "digits" else base.shuffled)
        keys += [f"{one.arm}:{one.seed}:{one.run_id}" for one in trio]
        kind = "in order" if name == "digits" else "shuffled"
        words.append(f"{kind} seed {trio[0].seed}" if trio else f"{kind}: the shipped ones")
    return Fitted(tuple(keys), f"yours ({', '.join(words)})", machines["digits"], machines["shuffled"])


def _trio(ending: str) -> tuple[Record, ...]:
    """The newest runs of one seed of all three machines, as declared; () where they are not complete."""
    found = [one for one in records_of(EXPERIMENT).with_settings(()) if one.state in ("finished", "fitted")]
    by_key = {(one.arm, one.seed): one for one in found}
    for newest in reversed(found):
        trio = [by_key.get((f"{kind}{ending}", newest.seed)) for kind in KINDS]
        whole = [one for one in trio if one is not None and _is_there(one)]
        if len(whole) == len(KINDS) and newest in whole:
            return tuple(whole)
    return ()


def _is_there(record: Record) -> bool:
    return record.run_id is None or training.run_of(record.run_id) is not None


def _machine(record: Record) -> Machine:
    from cnn_core.training.experiment import ClassicRecipe
    from cnn_core.training.machines import machine_of

    arm = experiment_of(EXPERIMENT).arm(record.arm)
    if isinstance(arm.recipe, ClassicRecipe):
        return machine_of(arm, classic(arm.recipe, record.seed))
    run = training.run_of(record.run_id or "")
    assert run is not None, "looked up just before"
    return machine_of(arm, run)


def everywhere(fitted: Fitted, index: int) -> NDArray[np.float32]:
    """What all six say of a test digit at every place: float32 (2, 3, 17, 17, 10)."""
    digit = digit_of(index)[0]

    def make() -> NDArray[np.float32]:
        found = np.stack(
            [np.stack([one.everywhere(digit) for one in machines]) for machines in (fitted.plain, fitted.shuffled)]
        )
        found.setflags(write=False)
        return found

    return cached.memo("machines_everywhere", (*fitted.key, index), make, lambda found: found.nbytes)


def inside(fitted: Fitted, index: int) -> tuple[Inside, Inside]:
    """What the two trios look with on a test digit."""
    from cnn_core.training.machine_views import look_inside

    digit = digit_of(index)[0]

    def opened(trio: tuple[Machine, ...]) -> Inside:
        hog, mlp, cnn = trio
        return look_inside(hog, mlp, cnn, digit)

    return cached.memo(
        "machines_inside",
        (*fitted.key, index),
        lambda: (opened(fitted.plain), opened(fitted.shuffled)),
        lambda made: sum(one.weights.nbytes + one.maps.nbytes + 8192 for one in made),
    )


def digit_of(index: int) -> tuple[NDArray[np.uint8], int]:
    """A test digit uint8 (28, 28) and its class."""
    from cnn_core.training.data import load_data_set

    _, test = load_data_set("digits")
    return test.pictures[index], int(test.labels[index])
