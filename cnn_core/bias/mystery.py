"""Networks whose training nobody tells: each case is one of them, and the truth is what was measured.

`python -m cnn_core.bias.mystery` trains them anew and writes the files that come with ConvLens.
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from ..assets import ASSETS
from ..errors import InvalidOption

if TYPE_CHECKING:
    from ..models import Classifier

FOLDER: Final = ASSETS / "mystery"
POINTS: Final = 10
"""What a case begins with; evidence costs some of them, and a wrong verdict all."""
PRICES: Final = {"map": 1, "swap": 2, "table": 5}
BIASED_FALL: Final = 0.2
"""A network goes by the ground where its accuracy falls by more than this from the usual ground to the other's."""

# Experiment, arm and seed of each; seeds that no band was made of.
_RECIPES: Final = (
    ("cow_grass", "at_50", 21),
    ("cow_grass", "at_70", 22),
    ("cow_grass", "at_95", 23),
    ("cow_grass", "at_98", 24),
    ("cow_grass", "at_100", 25),
    ("cow_repair", "colour", 26),
    ("cow_repair", "swap", 27),
    ("cow_repair", "swap_invent", 28),
    ("cow_repair", "more_5", 29),
    ("cow_repair", "more_160", 30),
)


@dataclass(frozen=True)
class Suspect:
    """One network and the truth about it.

    biased_accuracy, counter_accuracy: on 200 test animals on their usual ground, and on the other's.
    """

    key: str
    trained: str
    """How it was trained, in words."""
    biased_accuracy: float
    counter_accuracy: float

    @property
    def fall(self) -> float:
        """Accuracy lost from the usual ground to the other's, 0 to 1."""
        return self.biased_accuracy - self.counter_accuracy

    @property
    def goes_by_the_ground(self) -> bool:
        return self.fall > BIASED_FALL


@cache
def suspects() -> tuple[Suspect, ...]:
    """Every network that comes along, in a fixed order that no case follows."""
    told = json.loads((FOLDER / "suspects.json").read_text(encoding="utf-8"))
    return tuple(Suspect(**one) for one in told)


def suspect_of_case(case: int) -> Suspect:
    """The network of case 0, 1, ...: every ten cases hold every network once, in an order drawn for them.

    Raises InvalidOption for a number below 0.
    """
    if case < 0:
        raise InvalidOption(f"Cases are numbered from 0, not {case}.")
    everyone = suspects()
    deck, place = divmod(case, len(everyone))
    return everyone[np.random.default_rng([2024, deck]).permutation(len(everyone))[place]]


def pictures_of_case(case: int, n: int) -> tuple[int, ...]:
    """Which of n test animals a case shows, one after the other: cow, camel, cow, ..."""
    generator = np.random.default_rng([2025, case])
    cows, camels = (generator.permutation(np.arange(start, n, 2)) for start in (0, 1))
    return tuple(int(i) for pair in zip(cows, camels, strict=False) for i in pair)


def score(bought: dict[str, int], right: bool) -> int:
    """Points left after evidence, by kind how often it was bought, and a verdict; never below 0."""
    return max(0, POINTS - sum(PRICES[kind] * times for kind, times in bought.items())) if right else 0


def open_suspect(key: str) -> Classifier:
    """The network of a suspect. Raises InvalidOption where there is none of this key."""
    from safetensors.torch import load_file

    from ..models.card import ModelCard
    from ..models.classifier import Classifier
    from ..training.bias_experiments import NETWORK
    from ..training.cow_camel import CLASSES, SIDE, key_of
    from ..training.experiments import experiment_of
    from ..training.networks import fresh_network
    from ..training.run import preprocessing_of

    if key not in {suspect.key for suspect in suspects()}:
        raise InvalidOption(f"There is no network {key!r} among the suspects.")
    module = fresh_network(NETWORK, 0, key_of(100))
    module.load_state_dict(load_file(FOLDER / f"{key}.safetensors"))
    recipe = experiment_of("cow_grass").arms[-1].recipe
    card = ModelCard(
        key=f"mystery_{key}",
        title="Mystery network",
        family="Cow or camel",
        year=2026,
        source="Trained in ConvLens",
        n_parameters=sum(p.numel() for p in module.parameters()),
        input_size=(SIDE, SIDE),
        n_classes=len(CLASSES),
        macs=None,
        preprocessing=preprocessing_of(replace(recipe)),  # type: ignore[arg-type]
        weights_name="not told",
        weights_available=True,
        weights_note="How it was trained is what you are to find out.",
        download_megabytes=None,
        classes_note="cow or camel",
    )
    return Classifier(
        module.eval().requires_grad_(False),
        card,
        class_names=CLASSES,
        weights="checkpoint",
        weights_note=card.weights_note,
        key=f"mystery:{key}",
        device="cpu",
    )


def main() -> int:
    """Train every suspect and write its weights and what was measured."""
    import torch
    from safetensors.torch import save_file

    from ..training.trainer import train
    from .ground_report import ground_report

    torch.set_num_threads(1)
    FOLDER.mkdir(parents=True, exist_ok=True)
    told = []
    for number, (experiment, arm, seed) in enumerate(_RECIPES):
        run = train(experiment, arm=arm, seed=seed, evaluate_every=0)
        found = ground_report(run.classifier()).accuracies
        key = f"suspect_{number}"
        save_file({name: tensor.contiguous() for name, tensor in run.weights.items()}, FOLDER / f"{key}.safetensors")
        (FOLDER / f"{key}.safetensors").chmod(0o644)  # they come along: everybody may read them
        told.append(
            {
                "key": key,
                "trained": _words(arm),
                "biased_accuracy": round(found["biased"], 4),
                "counter_accuracy": round(found["counter"], 4),
            }
        )
        print(told[-1], file=sys.stderr, flush=True)
        Path(FOLDER / "suspects.json").write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
    return 0


def _words(arm: str) -> str:
    kind, _, number = arm.partition("_")
    if kind == "at":
        return f"trained where the ground matched the animal in {number} % of the pictures"
    if kind == "more":
        return f"trained where the ground always matched, with {number} more animals on the other's ground"
    return {
        "colour": "trained where the ground always matched, with colours shaken",
        "swap": "trained where the ground always matched, and then swapped between the pictures",
        "swap_invent": "trained where the ground always matched, half swapped and half on invented grounds",
    }[arm]


if __name__ == "__main__":
    sys.exit(main())
