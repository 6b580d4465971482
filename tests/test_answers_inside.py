"""The answers of the lessons that look into a trained network, against the same computed here by torch and numpy."""

from __future__ import annotations

import re

import numpy as np
import pytest
import torch
import torch.nn.functional as F
import torchvision.models as tvm
from streamlit.testing.v1 import AppTest

import cnn_core as cc
from cnn_core.bias.counterfactual import counterfactuals
from cnn_core.bias.regions import Region
from cnn_core.bias.sample_boxes import sample_box, sample_ground
from cnn_core.change_text import to_text
from cnn_core.changes import SwitchOff
from cnn_core.library import library
from tests import answers as here
from tests.answers import PANDA, answers, choose, finish, judged, module, offered, outputs, panda, said_numbers, tensor
from tests.test_pages import open_page
from ui.instruments.decision import CellGuess
from ui.instruments.place import Guess

LATE = "features.18.2"


def features_of_panda() -> torch.Tensor:
    return outputs(module(), tensor(panda()[0]), LATE)[0][0].double()


def subject(classifier: cc.Classifier) -> str:
    """What a click in the panda is about."""
    picture = cc.load_image(here.ROOT / "assets" / "samples" / "panda.jpg")
    return f"{classifier.key}:{classifier.preprocess(picture).digest[:16]}"


def point(at: AppTest, slot: str, about: str, guess: object) -> None:
    """What a click in the component does: the guess is kept under what it is about."""
    at.session_state[slot] = {about: guess}
    at.run()


@answers("decision")
def test_the_decision() -> None:
    at = open_page("decision")
    weight = module().get_submodule("classifier.1").weight.detach()[PANDA].double()
    cells = (weight[:, None, None] * features_of_panda()).sum(0) / 49
    best, worst = (divmod(int(flat), 7) for flat in (cells.argmax(), cells.argmin()))
    about = f"{subject(cc.load_model('mobilenet_v2'))}:{PANDA}"
    point(at, "cl_decision_guesses", about, CellGuess(worst))
    assert "rank 49 of 49" in judged(at, "decision", False)
    point(at, "cl_decision_guesses", about, CellGuess(best))
    said = judged(at, "decision", True)
    assert f"{float(cells[best]):+.3f}" in said and at.session_state["cl_progress"].answers["decision"].tries == 2


@pytest.mark.long
@answers("nearest")
def test_what_looks_alike() -> None:
    at = open_page("decision")
    classifier = cc.load_model("mobilenet_v2", device="cpu")
    shelf = [one.model_input for one in library(classifier)]
    maps = torch.cat([outputs(module(), one.tensor, LATE)[0].mean((2, 3)) for one in shelf]).double()
    mine = features_of_panda().mean((1, 2))
    alike = F.cosine_similarity(maps, mine[None])
    coarse = F.adaptive_avg_pool2d(
        torch.stack([torch.from_numpy(one.shown_rgb.copy()).permute(2, 0, 1).double() for one in shelf]), 16
    )
    own = F.adaptive_avg_pool2d(torch.from_numpy(panda()[0].copy()).permute(2, 0, 1).double(), 16)
    far = (coarse - own).square().mean((1, 2, 3))
    same = far == 0
    assert int(same.sum()) == 1, "the panda itself stands in the library"
    near = set(torch.where(same, -2.0, alike).topk(4).indices.tolist())
    near_in_pixels = set(torch.where(same, torch.inf, far).topk(4, largest=False).indices.tolist())
    n = len(near & near_in_pixels)
    at.button(key=f"cl_guess_nearest_button_{'none' if not n else 'some' if n <= 2 else 'most'}").click().run()
    next(button for button in at.button if button.label == "Look through the library").click().run()
    finish(at, lambda: "nearest" in at.session_state["cl_progress"].answers)
    assert said_numbers(judged(at, "nearest", True).split("**")[-1])[:1] == [n]


def own_gradcam() -> torch.Tensor:
    """Grad-CAM of the panda's logit at the last maps, by autograd; (7, 7), with its negative part cut."""
    x, kept = tensor(panda()[0]).requires_grad_(), []
    hook = module().get_submodule(LATE).register_forward_hook(lambda _module, _inputs, output: kept.append(output))
    logit = module()(x)[0, PANDA]
    hook.remove()
    (gradient,) = torch.autograd.grad(logit, kept[0])
    return (gradient.mean((2, 3), keepdim=True) * kept[0]).sum(1)[0].clamp(min=0).detach().double()


@answers("gradcam", "saliency")
def test_where_it_looked() -> None:
    classifier = cc.load_model("mobilenet_v2", device="cpu")
    field = cc.receptive_field(classifier, LATE)
    cam = own_gradcam().numpy()
    best, worst = (divmod(int(flat), 7) for flat in (cam.argmax(), cam.argmin()))
    at = open_page("gradcam")
    for cell, right in ((worst, False), (best, True)):
        place = Guess(field.centre(*cell))
        point(at, "cl_gradcam_guesses", subject(classifier), place)
        rank = 1 + int((cam > cam[cell]).sum())
        assert f"rank {rank} of 49" in judged(at, "gradcam", right)
    # The same map, drawn at the centres and summed over all squares of a seventh of the picture.
    lines = [(np.arange(224) + 0.5 - field.centre(0, 0)[axis]) / field.stride[axis] for axis in (0, 1)]
    rows = np.stack([np.interp(lines[0], np.arange(7), cam[:, i]) for i in range(7)], axis=1)
    drawn = np.stack([np.interp(lines[1], np.arange(7), row) for row in rows])
    squares = F.avg_pool2d(torch.from_numpy(drawn)[None, None], 32, stride=1)[0, 0].numpy()
    at = open_page("saliency", methods="gradcam")
    places = {True: np.unravel_index(squares.argmax(), squares.shape), False: (0, 0)}
    assert (squares < squares[0, 0]).mean() < 0.7, "the corner is not in the strongest quarter"
    for right in (False, True):
        middle = Guess((float(places[right][0]) + 16, float(places[right][1]) + 16))
        point(at, "cl_gradcam_guesses", subject(classifier), middle)
        said = judged(at, "saliency", right)
        assert ("1 of 1 maps" if right else "0 of 1 maps") in said
    share = 100 * (squares < squares.max()).mean()
    assert any(f"Grad-CAM {share:.0f} %" in caption.value for caption in at.caption)


@answers("trail")
def test_where_the_trail_ends() -> None:
    """Walked by hand through LeNet-5: the largest product of each sum, the largest number of each window."""
    classifier = cc.load_model("lenet5", device="cpu")
    net = classifier.module
    seen = classifier.preprocess(cc.load_image(here.ROOT / "assets" / "samples" / "panda.jpg"))
    pool1, pool2, relu1, relu2, flat, relu3, relu4, logits = outputs(
        net, seen.tensor, "pool1", "pool2", "relu1", "relu2", "flatten", "relu3", "relu4"
    )
    unit = int(logits[0].argmax())
    for name, values in (("fc3", relu4), ("fc2", relu3), ("fc1", flat)):
        unit = int((net.get_submodule(name).weight[unit] * values[0]).abs().argmax())
    place = np.unravel_index(unit, pool2.shape[1:])
    for pooled, name, below, pad in ((relu2, "conv2", pool1, 0), (relu1, "conv1", seen.tensor, 2)):
        channel, row, column = (int(i) for i in place)
        window = pooled[0, channel, 2 * row : 2 * row + 2, 2 * column : 2 * column + 2]
        down, right = divmod(int(window.argmax()), 2)
        row, column = 2 * row + down, 2 * column + right
        read = F.pad(below, (pad,) * 4)[0, :, row : row + 5, column : column + 5]
        products = net.get_submodule(name).weight[channel] * read
        inner = np.unravel_index(int(products.abs().argmax()), products.shape)
        place = (inner[0], row + inner[1] - pad, column + inner[2] - pad)
    end = (int(place[1]), int(place[2]))
    at = open_page("trail", model="lenet5")
    about = f"{subject(classifier)}:{classifier.network.output}:{int(logits[0].argmax())}"
    for away, right in ((20.0, False), (1.0, True)):
        row = end[0] + 0.5 + away if end[0] + away < 28 else end[0] + 0.5 - away
        point(at, "cl_trail_guesses", about, Guess((row, end[1] + 0.5)))
        assert f"row {end[0]}, column {end[1]}: {away:.0f} pixels" in judged(at, "trail", right)


@answers("interventions")
def test_what_becomes_of_the_logit() -> None:
    weight = module().get_submodule("classifier.1").weight.detach()[PANDA].double()
    parts = weight * features_of_panda().mean((1, 2))
    strongest = int(parts.argmax())
    with torch.no_grad():
        logits = module()(tensor(panda()[0]))[0].double()
    lost = float(parts[strongest])  # of a sum, exactly this is gone
    assert lost >= 0.1 * float(logits.std())
    at = open_page("interventions", changes=to_text((SwitchOff(LATE, (strongest,)),)))
    said = choose(at, "interventions", "fall")
    assert said_numbers(said.split("from")[1])[:2] == pytest.approx(
        [float(logits[PANDA]), float(logits[PANDA]) - lost], abs=0.006
    )


@answers("resnet_removed")
def test_a_block_is_taken_out() -> None:
    probability = {}
    with torch.no_grad():
        whole = module()(tensor(panda()[0])).softmax(1)[0, PANDA]
        for name, block in module().named_modules():
            if getattr(block, "use_res_connect", False):
                # x + F(x) with F(x) = 0
                hook = block.get_submodule("conv").register_forward_hook(
                    lambda _m, _i, output: torch.zeros_like(output)
                )
                probability[name] = float(module()(tensor(panda()[0])).softmax(1)[0, PANDA])
                hook.remove()
    kept = [one for one in probability.values() if one >= float(whole) / 2]
    right = "none" if not kept else "most" if 2 * len(kept) >= len(probability) else "few"
    at = open_page("resnet")
    at.button(key="cl_guess_resnet_degradation_button_shallow").click().run()
    at.button(key=f"cl_guess_resnet_removed_button_{right}").click().run()
    next(button for button in at.button if button.label.startswith("Take out each")).click().run()
    finish(at, lambda: "resnet_removed" in at.session_state["cl_progress"].answers)
    assert f"{len(kept)} of {len(probability)} blocks" in judged(at, "resnet_removed", True)


@answers("landmarks_most", "imagenet_drop")
def test_history() -> None:
    weights = {
        "alexnet": tvm.AlexNet_Weights.DEFAULT,
        "vgg": tvm.VGG16_Weights.DEFAULT,
        "googlenet": tvm.GoogLeNet_Weights.DEFAULT,
        "resnet": tvm.ResNet50_Weights.DEFAULT,
    }
    counts = {key: one.meta["num_params"] for key, one in weights.items()} | {"lenet": 61_706}
    at = open_page("landmarks")
    assert set(offered(at, "landmarks_most")) == set(counts)
    assert f"{counts['vgg']:,}" in choose(at, "landmarks_most", max(counts, key=counts.__getitem__))
    # Russakovsky et al. 2015; He et al. 2016; Hu et al. 2018: top-5 errors of the best entries, in percent.
    best = {2010: 28.2, 2011: 25.8, 2012: 16.4, 2013: 11.7, 2014: 6.7, 2015: 3.57, 2016: 2.99, 2017: 2.25}
    falls = {year: best[year - 1] - best[year] for year in best if year > 2010}
    at = open_page("imagenet")
    assert {int(year) for year in offered(at, "imagenet_drop")} <= set(falls)
    choose(at, "imagenet_drop", str(max(falls, key=falls.__getitem__)))


@pytest.mark.long
@answers("swap_grounds")
def test_the_same_object_on_other_grounds() -> None:
    at = open_page("swap", picture="sheep")
    classifier = cc.load_model("mobilenet_v2", device="cpu")
    at.button(key="cl_guess_swap_grounds_button_stays").click().run()
    finish(at, lambda: "swap_grounds" in at.session_state["cl_progress"].answers)
    told = "\n".join(one.value for one in (*at.success, *at.info)).replace("−", "-")
    (found,) = (one for one in re.findall(r"changes in (\d+) of (\d+);.*?in (\d+) of (\d+)", told))
    counted = [int(number) for number in found]
    picture = cc.load_image(here.ROOT / "assets" / "samples" / "sheep.jpg")
    seen = classifier.preprocess(picture)
    box = sample_box("sheep", picture.height, picture.width)
    assert box is not None
    top = int(outputs(module(), seen.tensor)[0].argmax())
    made = counterfactuals(classifier, seen, Region((box,)), top, usual=sample_ground("sheep"))
    first = int(outputs(module(), tensor(made.original.shown_rgb))[0].argmax())
    named = {
        kind: [int(outputs(module(), tensor(row.shown_rgb))[0].argmax()) for row in made.of(kind)]
        for kind in ("other", "control")
    }
    flips = {kind: sum(one != first for one in classes) for kind, classes in named.items()}
    assert counted == [flips["other"], len(named["other"]), flips["control"], len(named["control"])]
    right = "stays" if not flips["other"] else "some" if 2 * flips["other"] <= len(named["other"]) else "most"
    assert at.session_state["cl_progress"].answers["swap_grounds"].right == (right == "stays")
