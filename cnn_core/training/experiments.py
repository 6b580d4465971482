"""The declared table of experiments: adding one touches this file alone."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from ..errors import InvalidOption, quote, suggest
from .bias_experiments import COW_GRASS, COW_REPAIR
from .built import PREFIX, PRESETS
from .experiment import Arm, ClassicRecipe, Experiment
from .recipe import Recipe

SHIFTS: Final = tuple(range(9))
"""Pixels by which test pictures are moved down and right."""

_EXPERIMENTS: dict[str, Experiment] = {}


def register_experiment(experiment: Experiment) -> Experiment:
    """Add an experiment; ValueError where its key is taken."""
    if experiment.key in _EXPERIMENTS:
        raise ValueError(f"there is an experiment {experiment.key!r} already")
    _EXPERIMENTS[experiment.key] = experiment
    return experiment


def list_experiments() -> tuple[Experiment, ...]:
    """Every experiment, in the order of the course; torch is not loaded for it.

    >>> [arm.title for arm in list_experiments()[0].arms]
    ['ReLU, max pooling', 'Tanh, average pooling (1998)']
    """
    return tuple(_EXPERIMENTS.values())


def experiment_of(key: str) -> Experiment:
    """The experiment of this key; InvalidOption, naming the valid ones, where there is none."""
    if key not in _EXPERIMENTS:
        raise InvalidOption(
            f"There is no experiment {quote(key)}. {suggest(str(key), _EXPERIMENTS, limit=len(_EXPERIMENTS))}"
        )
    return _EXPERIMENTS[key]


_ALWAYS: Final = ("test_accuracy", "train_accuracy", "parameters", "core_seconds")

_LENET: Final = Recipe(network="lenet5", data="digits", n_train=8_000, steps=375, learning_rate=5e-3)

register_experiment(
    Experiment(
        key="lenet",
        title="LeNet-5 on handwritten digits",
        question="How many of 2,000 new digits does it name right after three passes through 8,000?",
        compares=(
            "LeNet-5 with today's ReLU and max pooling against the tanh and average pooling of 1998: same data, same "
            "order of the pictures, same optimiser, three passes against four."
        ),
        expected="Five seeds: 97.9 ± 0.3 % with ReLU in 2.4 s of one core, 97.0 ± 0.3 % with tanh.",
        source="LeCun et al. 1998, Gradient-based learning applied to document recognition",
        arms=(
            Arm("relu", "ReLU, max pooling", _LENET),
            Arm("tanh", "Tanh, average pooling (1998)", replace(_LENET, network="lenet5_1998", steps=500)),
        ),
        measures=_ALWAYS,
    )
)

_MLP: Final = Recipe(network="mlp", data="digits", n_train=4_000, steps=315, learning_rate=2e-3)
_CNN: Final = replace(_MLP, network="cnn", learning_rate=6e-3)
_HOG: Final = ClassicRecipe(data="digits", n_train=4_000)
_SIZES: Final = (100, 1_000, 8_000)


def _machines() -> tuple[Arm, ...]:
    machines: tuple[tuple[str, str, Recipe | ClassicRecipe], ...] = (
        ("hog_svm", "HOG + linear SVM", _HOG),
        ("mlp", "MLP 784-128-10", _MLP),
        ("cnn", "CNN 16-32-32", _CNN),
    )
    arms = [Arm(key, title, recipe, "4,000 pictures") for key, title, recipe in machines]
    arms += [
        Arm(f"{key}_shuffled", f"{title}, pixels shuffled", replace(recipe, shuffled_pixels=True), "pixels shuffled")
        for key, title, recipe in machines
    ]
    arms += [
        Arm(f"{key}_{size}", f"{title}, {size:,} pictures", replace(recipe, n_train=size), f"{size:,} pictures")
        for size in _SIZES
        for key, title, recipe in machines
    ]
    return tuple(arms)


register_experiment(
    Experiment(
        key="three_machines",
        title="Three machines, same data",
        question="Who survives a shift of the digit? Who survives a shuffle of the pixels?",
        compares=(
            "HOG with a linear SVM, an MLP and a CNN on the same pictures; MLP and CNN take the same number of steps "
            "of the same batches, each at a learning rate that suits it. Test digits are moved down and right by 0 to "
            "8 pixels; the shuffle is one fixed permutation for training and test pictures alike."
        ),
        expected=(
            "Five seeds, 4,000 digits: MLP 92.6 %, CNN 96.4 %; moved by 4 pixels 5.7 against 82.7 ± 5.9 %; shuffled "
            "92.5 against 88.1 %."
        ),
        source="Dalal and Triggs 2005 (HOG); LeCun et al. 1998 (shared weights)",
        arms=_machines(),
        measures=(*_ALWAYS, *(f"shift_{pixels}" for pixels in SHIFTS)),
    )
)

_DEEP: Final = Recipe(
    network="deep_sigmoid",
    data="digits",
    n_train=3_000,
    steps=141,
    learning_rate=0.01,
    optimiser="sgd",
    schedule="constant",
)

register_experiment(
    Experiment(
        key="activation_depth",
        title="Why ReLU: gradients through 20 layers",
        question="How much of the gradient reaches the first layer?",
        compares=(
            "20 convolutions with sigmoid, tanh or ReLU between them: same data, same steps, same first weights "
            "(Xavier); and ReLU once more with the weights that were made for it (He)."
        ),
        expected=(
            "Five seeds, share of the last convolution's gradient norm that reaches the first one at the first step "
            "(median): sigmoid 2.1e-13, tanh 0.71, ReLU 1.6 with Xavier and 0.55 with He weights. With sigmoid nothing "
            "is learned; ReLU with Xavier weights learns nothing in 94 steps either, since what passes forward shrinks."
        ),
        source="Glorot and Bengio 2010; He et al. 2015",
        arms=(
            Arm("sigmoid", "Sigmoid, Xavier weights", _DEEP),
            Arm("tanh", "Tanh, Xavier weights", replace(_DEEP, network="deep_tanh")),
            Arm("relu_xavier", "ReLU, Xavier weights", replace(_DEEP, network="deep_relu_xavier")),
            Arm("relu", "ReLU, He weights", replace(_DEEP, network="deep_relu")),
        ),
        measures=(*_ALWAYS, "gradient_reaching_first_layer"),
    )
)

_SIX: Final = Recipe(
    network="six_convolutions",
    data="digits",
    n_train=3_000,
    steps=141,
    learning_rate=0.03,
    optimiser="sgd",
    schedule="cosine",
)
_RATES: Final = (0.003, 0.01, 0.03, 0.1, 0.3)

register_experiment(
    Experiment(
        key="batch_norm",
        title="Batch norm across learning rates",
        question="Up to which learning rate does a network of six convolutions learn, without and with batch norm?",
        compares=(
            "Six convolutions with and without batch norm at five learning rates: same data, same order, same steps, "
            "same first weights of the convolutions."
        ),
        expected=(
            "Five seeds at 0.03: 17.0 ± 7.6 % without, 95.6 ± 0.4 % with. Above 0.1 even batch norm turns erratic."
        ),
        source="Ioffe and Szegedy 2015, Batch normalization",
        arms=tuple(
            Arm(
                f"{key}_{rate:g}",
                f"{title}, learning rate {rate:g}",
                replace(_SIX, network=network, learning_rate=rate),
                f"learning rate {rate:g}",
            )
            for rate in _RATES
            for key, title, network in (
                ("plain", "Without", "six_convolutions"),
                ("bn", "With batch norm", "six_convolutions_bn"),
            )
        ),
        measures=(*_ALWAYS, "largest_loss"),
    )
)

_INPUT: Final = Recipe(
    network="small_cnn",
    data="digits",
    n_train=3_000,
    steps=94,
    learning_rate=0.05,
    optimiser="sgd",
    schedule="cosine",
)
_INPUT_ADAM: Final = replace(_INPUT, optimiser="adam", learning_rate=2e-3)

register_experiment(
    Experiment(
        key="input_normalisation",
        title="Why the input is normalised",
        question="What happens when the network gets pixel values from 0 to 255 as they are?",
        compares=(
            "A small CNN on standardised pictures, on raw pixel values, and on raw values with batch norm on the "
            "input: same data, same steps, same first weights; then the first two again with Adam."
        ),
        expected=(
            "Four seeds with SGD: 94.6 ± 0.7 % standardised, 11.0 ± 1.3 % raw (largest loss 966 to 28,741); three "
            "seeds raw with batch norm on the input: 95.5 ± 0.7 %, and raw with Adam 90.6 ± 0.8 %: Adam hides the "
            "effect, since its steps do not grow with the gradient."
        ),
        source="LeCun et al. 1998, Efficient backprop, section 4.3",
        arms=(
            Arm("standardised", "SGD, standardised", _INPUT, "SGD"),
            Arm("raw", "SGD, raw pixels", replace(_INPUT, normalisation="raw"), "SGD"),
            Arm(
                "raw_bn",
                "SGD, raw pixels, batch norm on the input",
                replace(_INPUT, normalisation="raw", network="small_cnn_input_bn"),
                "SGD",
            ),
            Arm("adam_standardised", "Adam, standardised", _INPUT_ADAM, "Adam"),
            Arm("adam_raw", "Adam, raw pixels", replace(_INPUT_ADAM, normalisation="raw"), "Adam"),
        ),
        measures=(*_ALWAYS, "largest_loss"),
    )
)

_FEW: Final = Recipe(network="small_cnn", data="digits", n_train=100, steps=250, batch_size=32, learning_rate=3e-3)


def _augmented() -> tuple[Arm, ...]:
    arms = []
    for key, title, network, rate in (
        ("small", "Small CNN", "small_cnn", 3e-3),
        ("big", "Big CNN with batch norm", "big_cnn", 2e-3),
        ("resnet7", "ResNet-7", "resnet7", 5e-3),
    ):
        recipe = replace(_FEW, network=network, learning_rate=rate)
        arms.append(Arm(key, title, recipe, "digits, 10 a class"))
        arms.append(
            Arm(f"{key}_augmented", f"{title}, augmented", replace(recipe, augmentation="affine"), "digits, 10 a class")
        )
    clothes = replace(_FEW, data="fashion", n_train=200)
    arms.append(Arm("fashion", "Small CNN on clothing", clothes, "clothing, 20 a class"))
    arms.append(
        Arm(
            "fashion_augmented",
            "Small CNN on clothing, augmented",
            replace(clothes, augmentation="affine_flip"),
            "clothing, 20 a class",
        )
    )
    return tuple(arms)


register_experiment(
    Experiment(
        key="augmentation",
        title="Augmentation against architecture",
        question="With ten pictures a class, which helps more: a better network, or changed copies of the pictures?",
        compares=(
            "Three networks with and without augmentation, on the same ten digits a class and for the same number of "
            "steps; and the small CNN on 20 pieces of clothing a class, where turning and mirroring tells little new."
        ),
        expected=(
            "Five seeds: small CNN 81.6 -> 92.1 %, big CNN 85.5 -> 92.7 %, ResNet-7 77.1 -> 90.1 %; on clothing "
            "augmentation hurts: 76.2 -> 73.4 % (three other seeds: 73.7 -> 72.8 %, one of them gaining)."
        ),
        source="Simard, Steinkraus and Platt 2003; Krizhevsky et al. 2012, section 4.1",
        arms=_augmented(),
        measures=_ALWAYS,
    )
)

_DEGRADATION: Final = Recipe(
    network="plain_8",
    data="digits",
    n_train=3_000,
    steps=141,
    learning_rate=3e-3,
    optimiser="adam",
    schedule="cosine",
)

register_experiment(
    Experiment(
        key="degradation",
        title="Degradation: deeper is worse, until there are shortcuts",
        question="Does the deeper plain network fit its own training pictures better?",
        compares=(
            "Plain and residual networks with 8, 20, 32 and 44 layers, batch norm in both: same data, same order, same "
            "steps, same first weights of all convolutions. It is the accuracy on the training pictures, so a deeper "
            "network that does worse has not overfitted: its training failed to fit them."
        ),
        expected=(
            "Five seeds, training accuracy: 8 layers plain 93.7, residual 88.7 %; 20 layers 82.7 and 93.6 %; 44 layers "
            "18.7 ± 2.6 against 96.0 ± 0.2 %."
        ),
        source="He et al. 2016, Deep residual learning, figures 1 and 6",
        arms=tuple(
            Arm(
                f"{kind}_{depth}",
                f"{title}, {depth} layers",
                replace(_DEGRADATION, network=f"{kind}_{depth}"),
                f"{depth} layers",
            )
            for depth in (8, 20, 32, 44)
            for kind, title in (("plain", "Plain"), ("residual", "Residual"))
        ),
        measures=("train_accuracy", "test_accuracy", "parameters", "core_seconds"),
    )
)

_LANDMARK: Final = Recipe(network="small_lenet", data="fashion", n_train=6_000, steps=940, learning_rate=2e-3)

register_experiment(
    Experiment(
        key="landmarks",
        title="Five landmark families on clothing",
        question="Which of the five names most of 2,000 new pieces of clothing right, after the same training?",
        compares=(
            "A small LeNet, AlexNet, VGG, GoogLeNet and ResNet: same 6,000 pictures in the same order, same 940 steps "
            "(ten passes), same optimiser and learning rate. What differs is the architecture, its size included."
        ),
        expected=(
            "Seed 0, 2,000 test pictures: LeNet 85.4, AlexNet 84.8, VGG 86.3, GoogLeNet 84.0, ResNet 86.5 %; on the "
            "training pictures ResNet 97.9, all others 87 to 91 %. Differences below 1.6 points say nothing."
        ),
        source=(
            "LeCun et al. 1998; Krizhevsky et al. 2012; Simonyan and Zisserman 2015; Szegedy et al. 2015; "
            "He et al. 2016"
        ),
        arms=tuple(
            Arm(key, title, replace(_LANDMARK, network=key))
            for key, title in (
                ("small_lenet", "Small LeNet"),
                ("small_alexnet", "Small AlexNet"),
                ("small_vgg", "Small VGG"),
                ("small_googlenet", "Small GoogLeNet"),
                ("small_resnet", "Small ResNet"),
            )
        ),
        measures=_ALWAYS,
    )
)

_BUILT: Final = Recipe(network=PREFIX + PRESETS["tiny"][1], data="digits", n_train=4_000, steps=189, learning_rate=5e-3)

register_experiment(
    Experiment(
        key="build",
        title="Build your own",
        question="Which of four networks names most of 2,000 new digits right after the same short training?",
        compares=(
            "Four networks to begin with, a tiny CNN, LeNet-5, an MLP and a residual one: same 4,000 digits in one "
            "order, same 189 steps (three passes), same optimiser and learning rate. A fifth arm is for any other "
            "network (network=build:...)."
        ),
        expected=(
            "Three seeds: tiny CNN 96.0 ± 0.3 % with 9,098 parameters, LeNet-5 97.0 ± 0.2 % with 61,706, MLP "
            "93.1 ± 0.4 % with 101,770, residual 95.8 ± 0.5 % with 19,642."
        ),
        source="LeCun et al. 1998; Lin et al. 2014 (global pooling); He et al. 2016",
        arms=(
            *(Arm(key, title, replace(_BUILT, network=PREFIX + spec)) for key, (title, spec) in PRESETS.items()),
            Arm("own", "Your own layers", replace(_BUILT, network=PREFIX + "conv16k3-bn-relu-max2-gmp-linear")),
        ),
        measures=_ALWAYS,
    )
)

for _experiment in (COW_GRASS, COW_REPAIR):
    register_experiment(_experiment)
