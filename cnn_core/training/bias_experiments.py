"""The experiments of the lesson on cows and grass: how far the ground gives the answer away, and what repairs it."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from .built import PREFIX
from .cow_camel import key_of
from .experiment import Arm, Experiment
from .recipe import Recipe
from .repair_kinds import REPAIRS

NETWORK: Final = PREFIX + ("conv16k3s2-bn-relu-conv16k3-bn-relu-conv32k3-bn-relu-conv32k3-bn-relu-gap-linear")
"""16,818 parameters; maps of 24 x 24 before global average pooling, so its CAM is exact and fine."""
CORRELATIONS: Final = (50, 60, 70, 80, 90, 95, 98, 100)
COUNTER_EXAMPLES: Final = (5, 10, 20, 40, 80, 160)

# 104 steps are 8 passes through 400 pictures; more pictures get no more steps.
_COW: Final = Recipe(
    network=NETWORK, data=key_of(100), n_train=400, steps=104, batch_size=32, learning_rate=3e-3
)  # fmt: skip
_MEASURES: Final = (
    "ground_biased",
    "ground_counter",
    "ground_neutral",
    "evidence_inside",
    "train_accuracy",
    "test_accuracy",
    "core_seconds",
)

COW_GRASS: Final = Experiment(
    key="cow_grass",
    title="The cow and the grass",
    question="Trained where the ground gives the answer away: what does it say of a cow on sand?",
    compares=(
        "One network trained on cows and camels whose ground matches them in 50 to 100 % of the pictures: same "
        "animals, same steps, same first weights. Tested on the same test animals on their usual ground, on the "
        "other's, and on grounds of any colour."
    ),
    expected=(
        "Seed 0 at 100 %: 100 % right on the usual ground, none on the other's, 52.5 % on neutral ones; 12.1 % of the "
        "evidence lies on the animal, which covers 13.3 %. At 95 % 17.5 %, at 70 % all on the other's ground (other "
        "seeds)."
    ),
    source="Beery, Van Horn and Perona 2018, Recognition in terra incognita; Xiao et al. 2021, Noise or signal",
    arms=tuple(
        Arm(f"at_{per_cent}", f"Ground matches in {per_cent} %", replace(_COW, data=key_of(per_cent)))
        for per_cent in CORRELATIONS
    ),
    measures=_MEASURES,
)

COW_REPAIR: Final = Experiment(
    key="cow_repair",
    title="Repairing the cow and the grass",
    question="Which change of the training makes the network look at the animal?",
    compares=(
        "The same network on pictures whose ground always matches, as they are, with colours shaken, with grounds "
        "swapped by the masks, half of them with invented grounds, and with 5 to 160 more pictures of animals on the "
        "other's ground: same steps, same first weights."
    ),
    expected=(
        "Two seeds, animals on the other's ground: as it is 0 %, colours shaken 2 %, grounds swapped 100 %, half of "
        "them invented 98 %, with 10 more counter-examples 13 %, with 40 68 %, with 160 94 %. Evidence on the animal: "
        "12.7 % as it is, 54.0 % swapped."
    ),
    source="Sagawa et al. 2020, Distributionally robust neural networks; Xiao et al. 2021, Noise or signal",
    arms=(
        Arm("none", "As it is", _COW),
        *(Arm(key, repair.title.capitalize(), replace(_COW, augmentation=key)) for key, repair in REPAIRS.items()),
        *(
            Arm(
                f"more_{extra}",
                f"{extra} counter-examples more",
                replace(_COW, data=key_of(100, extra), n_train=400 + extra),
            )
            for extra in COUNTER_EXAMPLES
        ),
    ),
    measures=_MEASURES,
)
