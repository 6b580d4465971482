"""Every question of every lesson: what the page answers, against the same computed here by torch, PIL and numpy.

A question that is new has no test that says it answers it, and fails `test_every_question_has_a_test`. Those about
trained networks stand in tests/test_answers_trained.py.
"""

from __future__ import annotations

import re

import numpy as np
import pytest
import torch
import torch.nn.functional as F

import cnn_core as cc
from cnn_core.channel_bench import channel_taste
from cnn_core.channel_trials import channel_trials
from tests import answers as here
from tests import test_answers_inside, test_answers_trained
from tests.answers import (
    MEAN,
    PANDA,
    STD,
    answers,
    choose,
    judged,
    module,
    offered,
    outputs,
    panda,
    said_numbers,
    tensor,
)
from tests.test_pages import open_page

LATE = "features.18.2"


pytestmark = pytest.mark.usefixtures("one_thread")


def test_every_question_has_a_test() -> None:
    assert test_answers_inside.__file__ and test_answers_trained.__file__  # they say what they test on import
    assert here.questions() == here.TESTED


@answers("pixels_black", "pixels_sabotage")
def test_pixels() -> None:
    at = open_page("pixels")
    black = [-float(mean / std) for mean, std in zip(MEAN.flatten(), STD.flatten(), strict=True)]
    assert max(black) < 0
    said = choose(at, "pixels_black", "negative")
    assert said_numbers(said)[:3] == pytest.approx(black, abs=1e-3)
    seen, _ = panda()
    light = torch.from_numpy(seen.copy()).permute(2, 0, 1)[None].float() / 255
    wrong = {
        "bgr": (light.flip(1) - MEAN) / STD,
        "levels": 255 * light,
        "not_normalised": light,
        "quarter_turn": None,
    }
    left = {}
    for key, x in wrong.items():
        if x is not None:
            with torch.no_grad():
                left[key] = float(module()(x).softmax(1)[0, PANDA])
    # The file lying on its side is resized and cropped like any other.
    turned = panda()[1]
    middle = np.rot90(turned)[(turned.shape[1] - 224) // 2 :, (turned.shape[0] - 224) // 2 :][:224, :224]
    with torch.no_grad():
        left["quarter_turn"] = float(module()(tensor(middle)).softmax(1)[0, PANDA])
    assert set(offered(at, "pixels_sabotage")) == set(left)
    worst = min(left, key=left.__getitem__)
    choose(at, "pixels_sabotage", worst)


@answers("kernel_places")
def test_where_the_kernel_lights_up() -> None:
    from cnn_core import kernels
    from cnn_core.kernel_lessons import candidate_places
    from ui.kernel_lesson import working_picture

    at = open_page("kernel")
    rgb = working_picture(cc.load_image(here.ROOT / "assets" / "samples" / "panda.jpg"))
    values = kernels.Region.centred(*rgb.shape[:2], 48).values(kernels.luminance(rgb))
    weights = kernels.kernel_preset("horizontal-edge").weights
    grid, kernel = (torch.from_numpy(np.asarray(one)).double()[None, None] for one in (values, weights))
    answer = F.conv2d(grid, kernel, padding=1)[0, 0].abs()
    places = candidate_places(values, weights)
    strengths = {
        letter: float(answer[one.top : one.top + one.side, one.left : one.left + one.side].mean())
        for letter, one in zip("ABC", places, strict=True)
    }
    said = choose(at, "kernel_places", max(strengths, key=strengths.__getitem__))
    assert said_numbers(said)[:3] == pytest.approx(list(strengths.values()), abs=1e-3)


@answers("unit")
def test_which_input_channel_adds_most() -> None:
    name, channel, row, column = "features.3.conv.0.0", 5, 10, 10
    at = open_page("kernel", mode="unit", layer=name, channel=str(channel), row=str(row), column=str(column))
    (question,) = [one.value for one in at.markdown if "adds most, in size, to channel" in one.value]
    asked = [int(number) for number in re.findall(r"(?:channel|row|column) (\d+)", question)]
    assert asked[0] == channel and asked[1:] != [row, column], "the unit on the screen would give it away"
    before, _ = outputs(module(), tensor(panda()[0]), "features.2")
    weights = module().get_submodule(name).weight.detach()[channel, :, 0, 0]
    parts = weights * before[0, :, asked[1], asked[2]]
    choices = {key: abs(float(parts[int(key)])) for key in offered(at, "unit")}
    best = max(choices, key=choices.__getitem__)
    assert choices[best] == pytest.approx(float(parts.abs().max()))
    choose(at, "unit", best)


@answers("relu_zeros", "pooling_shift", "relu_gradients")
def test_relu_and_pooling() -> None:
    at = open_page("pooling", layer="features.0.2")
    x = tensor(panda()[0])
    maps, _ = outputs(module(), x, "features.0.2")
    zeros = float((maps == 0).float().mean())
    said = choose(at, "relu_zeros", "few" if zeros < 0.2 else "some" if zeros <= 0.6 else "most")
    assert f"{zeros:.1%}" in said
    _, whole = panda()
    top, left = round((whole.shape[0] - 224) / 2), round((whole.shape[1] - 224) / 2)
    moved = [whole[top + i : top + i + 224, left + j : left + j + 224] for i, j in ((1, 0), (-1, 0), (0, 1), (0, -1))]
    others = [outputs(module(), tensor(one), "features.0.2")[0] for one in moved]
    views = {
        "before": lambda t: t,
        "thinned": lambda t: t[:, :, ::2, ::2],
        "max": lambda t: F.max_pool2d(t, 2),
        "average": lambda t: F.avg_pool2d(t, 2),
    }
    change = {
        key: float(np.mean([float((view(one) - view(maps)).norm() / view(maps).norm()) for one in others]))
        for key, view in views.items()
    }
    choose(at, "pooling_shift", min(change, key=change.__getitem__))
    # Twenty convolutions with sigmoids, made here: Glorot's weights, other seeds and other pictures than the page's.
    torch.manual_seed(7)
    layers = [torch.nn.Conv2d(1 if i == 0 else 16, 16, 3, padding=1, bias=False).double() for i in range(20)]
    for layer in layers:
        torch.nn.init.xavier_uniform_(layer.weight)
    signal = torch.randn(8, 1, 14, 14, dtype=torch.float64)
    for layer in layers:
        signal = layer(signal).sigmoid()
    signal.mean((2, 3)).square().sum().backward()
    reaching = float(layers[0].weight.grad.norm() / layers[-1].weight.grad.norm())  # type: ignore[union-attr]
    assert reaching < 1e-6
    choose(at, "relu_gradients", "none")


@answers("network")
def test_which_operation_is_the_costliest() -> None:
    at = open_page("network")
    network, work = module(), {}
    choices = offered(at, "network")
    for name, out in zip(choices, outputs(network, tensor(panda()[0]), *choices), strict=False):
        layer = network.get_submodule(name)
        per_output = layer.weight[0].numel() if hasattr(layer, "weight") else 0
        work[name] = out.numel() * per_output
    every = {
        name: layer for name, layer in network.named_modules() if isinstance(layer, torch.nn.Conv2d | torch.nn.Linear)
    }
    sizes = dict(zip(every, outputs(network, tensor(panda()[0]), *every), strict=False))
    most = max(every, key=lambda name: sizes[name].numel() * every[name].weight[0].numel())
    assert max(work, key=work.__getitem__) == most, "the costliest of all is among the choices"
    choose(at, "network", most)


def changes(variants: dict[str, np.ndarray], channel: int) -> dict[str, float]:
    """How far a channel's mean moves on changed pictures, against its mean size on the picture itself."""
    maps = {key: outputs(module(), tensor(rgb), LATE)[0][0, channel].double() for key, rgb in variants.items()}
    whole = maps.pop("picture")
    return {key: float((one.mean() - whole.mean()) / whole.abs().mean()) for key, one in maps.items()}


@pytest.mark.long
@answers("features", "channel")
def test_colour_or_shape() -> None:
    classifier = cc.load_model("mobilenet_v2", device="cpu")
    trace = cc.trace(classifier, cc.load_image(here.ROOT / "assets" / "samples" / "panda.jpg"))
    channel = 905
    drawn = {key: one.shown_rgb for key, one in channel_taste(classifier, trace, LATE, channel).variants.items()}
    moved = changes(drawn, channel)
    colour, shape = max(abs(moved["grey"]), abs(moved["hue"])), abs(moved["shuffled"])
    right = "neither" if max(colour, shape) < 0.1 else "colour" if colour >= shape else "shape"
    at = open_page("features", layer=LATE, channel=str(channel))
    said = choose(at, "features", right)
    assert f"{100 * moved['grey']:+.0f} %" in said and f"{100 * moved['shuffled']:+.0f} %" in said
    drawn = {key: one.shown_rgb for key, one in channel_trials(classifier, trace, LATE, channel).answers.items()}
    moved = changes(drawn, channel)
    colour, shape = max(abs(moved["grey"]), abs(moved["hue"])), abs(moved["shuffled"])
    right = "neither" if max(colour, shape) < 0.1 else "colour" if colour >= shape else "shape"
    at = open_page("channel", layer=LATE, channel=str(channel))
    choose(at, "channel", right)


@answers("depth_scramble")
def test_scrambling_outside_the_box() -> None:
    name, channel, row, column = "features.3.conv.2", 4, 20, 30
    at = open_page("depth", layer=name, channel=str(channel), row=str(row), column=str(column))
    x = tensor(panda()[0]).requires_grad_()
    kept: list[torch.Tensor] = []
    hook = module().get_submodule(name).register_forward_hook(lambda _module, _inputs, output: kept.append(output))
    module()(x)
    hook.remove()
    (gradient,) = torch.autograd.grad(kept[0][0, channel, row, column], x)
    reads = gradient[0].abs().sum(0) > 0
    rows, columns = torch.nonzero(reads, as_tuple=True)
    box = (int(rows.min()), int(columns.min()), int(rows.max()) + 1, int(columns.max()) + 1)
    assert box[2] - box[0] < 100, "it sees a small part"
    scrambled = np.random.default_rng(1).integers(0, 256, panda()[0].shape, dtype=np.uint8)
    scrambled[box[0] : box[2], box[1] : box[3]] = panda()[0][box[0] : box[2], box[1] : box[3]]
    maps = [outputs(module(), tensor(rgb), name)[0] for rgb in (panda()[0], scrambled)]
    values = [float(one[0, channel, row, column]) for one in maps]
    assert values[0] == pytest.approx(values[1], rel=1e-5)
    choose(at, "depth_scramble", "no")


def test_a_wrong_guess_is_told_so() -> None:
    at = open_page("pixels")
    at.button(key="cl_guess_pixels_black_button_zero").click().run()
    judged(at, "pixels_black", False)
