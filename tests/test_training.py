"""The trainer: its steps against torch's own, its promises about seeds, stops, saving, and what it leaves behind."""

from __future__ import annotations

import math
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F

import cnn_core as cc
from cnn_core.training.experiments import experiment_of
from cnn_core.training.measuring import activation_statistics, predict
from cnn_core.training.networks import fresh_network
from cnn_core.training.optimisers import Optimiser, state_shapes
from cnn_core.training.recipe import SETTINGS, Recipe, adapt
from cnn_core.training.run import digest_of, parts_of

ROOT = Path(__file__).resolve().parent.parent
LENET = experiment_of("lenet").arms[0].recipe
SHORT: dict[str, Any] = {"steps": 24, "n_train": 320, "batch_size": 32}


def short(seed: int = 0, **options: Any) -> cc.TrainingRun:
    return cc.train("lenet", seed=seed, **({"evaluate_every": 0} | SHORT | options))


def stop_after(steps: int) -> Any:
    """A should_stop that says yes when it was asked so many times before."""
    answers: Iterator[bool] = iter([False] * steps + [True])
    return lambda: next(answers)


# --- optimisers and schedules ------------------------------------------------------------------------------------


def pace_of(recipe: Recipe, step: int) -> tuple[float, float]:
    """Learning rate and momentum of step 0, 1, ..., written down from the papers' formulas."""
    peak, momentum = recipe.learning_rate, 0.9
    if recipe.schedule == "constant":
        return peak, momentum
    if recipe.schedule == "cosine":
        return peak * (1 + math.cos(math.pi * step / recipe.steps)) / 2, momentum
    top, end = 0.3 * recipe.steps - 1, recipe.steps - 1
    if step <= top:
        part, (begin, last), (slow, fast) = step / top, (peak / 25, peak), (0.95, 0.85)
    else:
        part, (begin, last), (slow, fast) = (step - top) / (end - top), (peak, peak / 250_000), (0.85, 0.95)
    along = (1 + math.cos(math.pi * part)) / 2
    return last + (begin - last) * along, fast + (slow - fast) * along


class ByHand:
    """Heavy-ball SGD and Adam (Kingma and Ba 2015, algorithm 1) in numpy, weight decay as part of the gradient."""

    def __init__(self, recipe: Recipe, values: np.ndarray) -> None:
        self.recipe, self.values, self.done = recipe, values, 0
        self.mean, self.square = np.zeros_like(values), np.zeros_like(values)

    def step(self, gradient: np.ndarray) -> None:
        rate, momentum = pace_of(self.recipe, self.done)
        self.done += 1
        gradient = gradient + self.recipe.weight_decay * self.values
        if self.recipe.optimiser == "sgd":
            self.mean = momentum * self.mean + gradient
            self.values = self.values - rate * self.mean
            return
        self.mean = momentum * self.mean + (1 - momentum) * gradient
        self.square = 0.999 * self.square + 0.001 * gradient**2
        mean, square = self.mean / (1 - momentum**self.done), self.square / (1 - 0.999**self.done)
        self.values = self.values - rate * mean / (np.sqrt(square) + 1e-8)


@pytest.mark.parametrize("steps", [7, 40])
@pytest.mark.parametrize("weight_decay", [0.0, 0.01])
@pytest.mark.parametrize("schedule", ["constant", "cosine", "one_cycle"])
@pytest.mark.parametrize("kind", ["sgd", "adam"])
def test_steps_are_those_of_the_papers_and_go_on_after_a_stop(
    kind: str, schedule: str, weight_decay: float, steps: int
) -> None:
    recipe = replace(LENET, optimiser=kind, schedule=schedule, steps=steps, weight_decay=weight_decay)
    generator = torch.Generator().manual_seed(0)
    parameters = [
        torch.nn.Parameter(torch.randn(shape, generator=generator, dtype=torch.float64)) for shape in [(3, 4), (5,)]
    ]
    expected = ByHand(recipe, torch.cat([p.detach().flatten() for p in parameters]).numpy())
    own = Optimiser(recipe, parameters)
    for step in range(steps):
        if step == steps // 2:  # another one takes over, with other tensors of the same values
            parameters = [torch.nn.Parameter(parameter.detach().clone()) for parameter in parameters]
            own = Optimiser(recipe, parameters, done=step, state=own.state)
        gradients = [torch.randn(p.shape, generator=generator, dtype=torch.float64) for p in parameters]
        rate, momentum = pace_of(recipe, step)
        pace = own.step([gradient.clone() for gradient in gradients])
        assert pace.learning_rate == pytest.approx(rate, rel=1e-9, abs=1e-15)
        assert pace.momentum == pytest.approx(momentum, rel=1e-9)
        expected.step(torch.cat([gradient.flatten() for gradient in gradients]).numpy())
        # float64 on both sides: only the order of the roundings differs
        found = torch.cat([parameter.detach().flatten() for parameter in parameters]).numpy()
        assert np.allclose(found, expected.values, rtol=1e-9, atol=1e-12)
    assert own.is_finite
    parameters[1].data[2] = math.inf
    assert not own.is_finite


@pytest.mark.parametrize("done", [0, 3])
@pytest.mark.parametrize("schedule", ["constant", "one_cycle"])
@pytest.mark.parametrize("momentum", [0.0, 0.9])
@pytest.mark.parametrize("kind", ["sgd", "adam"])
def test_the_shapes_of_a_state_are_known_without_it(kind: str, momentum: float, schedule: str, done: int) -> None:
    recipe = replace(LENET, optimiser=kind, schedule=schedule, momentum=momentum)
    parameters = [torch.nn.Parameter(torch.ones(3, 4)), torch.nn.Parameter(torch.ones(5))]
    own = Optimiser(recipe, parameters)
    for _ in range(done):
        own.step([torch.ones_like(parameter) for parameter in parameters])
    found = {name: (tensor.shape, tensor.dtype) for name, tensor in own.state.items()}
    assert found == state_shapes(recipe, 17, done)


def test_a_whole_run_is_what_torch_does_with_the_same_batches() -> None:
    """Plain torch from the same first weights on the same pictures, written here once more."""
    run = short(seed=4, arm="tanh")
    module = fresh_network("lenet5_1998", 4)
    optimiser = torch.optim.Adam(module.parameters())
    scheduler = torch.optim.lr_scheduler.OneCycleLR(optimiser, run.recipe.learning_rate, total_steps=24)
    from cnn_core.training.trainer import _Batches, _load  # what is given to it, not what it does with it

    batches = _Batches(run.recipe, 4, _load(run.recipe, 4))
    losses = []
    for step in range(24):
        pictures, labels = batches[step]
        loss = F.cross_entropy(module(pictures), labels)
        optimiser.zero_grad()
        loss.backward()
        norms = {name: float(p.grad.norm()) for name, p in module.named_parameters() if p.grad is not None}
        for name, norm in run.steps[step].gradient_norms.items():
            assert norm == pytest.approx(norms[f"{name}.weight"], rel=1e-3, abs=1e-6)
        optimiser.step()
        scheduler.step()
        losses.append(float(loss.detach()))
    # Adam divides by the gradient's own size, so that roundings of 1e-7 show as some 1e-5 after 24 steps.
    assert run.losses == pytest.approx(losses, abs=1e-4)
    for name, tensor in module.state_dict().items():
        assert torch.allclose(run.weights[name], tensor, atol=1e-4)


def test_each_epoch_sees_every_picture_once_and_in_a_new_order() -> None:
    from cnn_core.training.trainer import _Batches, _load

    recipe = replace(LENET, n_train=50, batch_size=16, steps=8)
    pictures = _load(recipe, 0)
    batches = _Batches(recipe, 0, pictures)
    assert recipe.batches_per_epoch == 4 and recipe.epochs == 2
    epochs = [torch.cat([batches[step][0] for step in range(first, first + 4)]) for first in (0, 4)]
    everything = sorted(p.numpy().tobytes() for p in pictures.train)
    for epoch in epochs:
        assert sorted(p.numpy().tobytes() for p in epoch) == everything
    assert not torch.equal(*epochs)
    # any step can be asked for out of order: a continued run begins in the middle
    assert torch.equal(_Batches(recipe, 0, pictures)[6][0], epochs[1][32:48])


# --- seeds and what is global ------------------------------------------------------------------------------------


def test_equal_seeds_give_equal_runs_and_other_seeds_others() -> None:
    first, again, other = short(seed=1), short(seed=1, evaluate_every=5), short(seed=2)
    assert first.digest == again.digest != other.digest
    assert np.array_equal(first.losses, again.losses) and not np.array_equal(first.losses, other.losses)
    assert (first.train_accuracy, first.test_accuracy) == (again.train_accuracy, again.test_accuracy)


def test_nothing_global_is_read_or_written() -> None:
    torch.manual_seed(1)
    np.random.seed(1)
    before = (torch.get_rng_state().clone(), np.random.get_state()[1].copy(), torch.get_num_threads())
    with torch.inference_mode():
        quiet = cc.train("augmentation", seed=0, arm="small_augmented", steps=3, evaluate_every=0)
        assert not torch.is_grad_enabled() and torch.is_inference_mode_enabled()
    after = (torch.get_rng_state(), np.random.get_state()[1], torch.get_num_threads())
    assert torch.equal(before[0], after[0]) and np.array_equal(before[1], after[1]) and before[2] == after[2]
    torch.manual_seed(99)
    assert cc.train("augmentation", seed=0, arm="small_augmented", steps=3, evaluate_every=0).digest == quiet.digest
    assert not torch.are_deterministic_algorithms_enabled()


def test_two_threads_train_side_by_side_without_mixing() -> None:
    alone = {seed: short(seed=seed).digest for seed in (1, 2)}
    found: dict[int, str] = {}
    threads = [threading.Thread(target=lambda s=seed: found.update({s: short(seed=s).digest})) for seed in alone]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == alone


# --- what is reported --------------------------------------------------------------------------------------------


def test_every_step_is_reported_as_it_happens() -> None:
    seen: list[cc.Step] = []
    run = short(on_step=seen.append, evaluate_every=10)
    assert tuple(seen) == run.steps and [step.number for step in seen] == list(range(1, 25))
    assert [step.number for step in seen if step.evaluation] == [1, 10, 20, 24]
    assert all(step.of == 24 and step.loss > 0 and math.isfinite(step.loss) for step in seen)
    assert [step.epoch for step in seen][9::10] == [1.0, 2.0]
    assert [step.learning_rate for step in seen] == pytest.approx([pace_of(run.recipe, i)[0] for i in range(24)])
    times = [step.seconds for step in seen]
    assert times == sorted(times) and times[0] > 0 and seen[-1].seconds_left == 0
    assert list(seen[0].gradient_norms) == ["conv1", "conv2", "fc1", "fc2", "fc3"]
    evaluation = seen[-1].evaluation
    assert evaluation is not None and (evaluation.n_train, evaluation.n_test) == (300, 300)
    assert list(evaluation.activations) == ["relu1", "relu2", "relu3", "relu4"]
    assert run.state == "finished" and run.test_accuracy > 0.5


def test_the_reported_accuracy_is_that_of_the_weights_left() -> None:
    run = short(seed=3)
    _, test = parts_of(run.recipe)
    pictures = (torch.from_numpy(test.pictures.copy()).float()[:, None] / 255 - 0.1307) / 0.3081
    with torch.no_grad():
        found = run.module()(pictures).argmax(1).numpy()
    # a picture on the edge of two classes may fall either way by the order of a sum
    assert run.test_accuracy == pytest.approx((found == test.labels).mean(), abs=1e-3)


@pytest.mark.parametrize("key", ["deep_sigmoid", "deep_tanh", "deep_relu"])
def test_activation_statistics_are_those_of_the_layers(key: str) -> None:
    module = fresh_network(key, 0)
    x = torch.rand(8, 1, 28, 28, generator=torch.Generator().manual_seed(0)) * 4
    found = activation_statistics(module, x)
    assert list(found) == [f"act{i}" for i in range(1, 21)] and module.training
    assert not any(m._forward_hooks for m in module.modules())
    with torch.no_grad():
        for name, layer in module.named_children():
            source, x = x, layer(x)
            if name in found:
                leaf = source.clone().requires_grad_()
                with torch.enable_grad():
                    (slope,) = torch.autograd.grad(layer(leaf).sum(), leaf)
                steepest = 0.25 if key == "deep_sigmoid" else 1.0
                assert found[name].mean == pytest.approx(float(x.mean()), abs=1e-6)
                assert found[name].std == pytest.approx(float(x.std()), abs=1e-6)
                # a value on the threshold itself may be rounded to either side
                assert found[name].flat == pytest.approx(float((slope < 0.01 * steepest).float().mean()), abs=1e-3)


def test_logits_that_are_no_numbers_are_never_right() -> None:
    class Broken(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            logits = torch.zeros(len(x), 10)
            logits[0, 3] = math.nan
            logits[1, 4] = 1
            return logits

    assert predict(Broken(), torch.zeros(3, 1, 28, 28)).tolist() == [-1, 4, 0]


# --- stopping and diverging --------------------------------------------------------------------------------------


def test_a_stopped_run_keeps_what_was_learned() -> None:
    whole = short()
    run = short(should_stop=stop_after(9))
    assert (run.state, run.steps_done) == ("stopped", 9) and "9 of 24" in run.note
    assert np.array_equal(run.losses, whole.losses[:9])
    assert not torch.equal(run.weights["conv1.weight"], fresh_network("lenet5", 0).state_dict()["conv1.weight"])
    assert short(should_stop=lambda: True).steps == ()


def test_a_stopped_run_goes_on_to_the_very_same_end() -> None:
    whole, stopped = short(seed=6), short(seed=6, should_stop=stop_after(13))
    ended = cc.resume(stopped)
    assert ended.digest == whole.digest and ended.state == "finished" and stopped.steps_done == 13
    assert np.array_equal(ended.losses, whole.losses)
    assert all(torch.equal(ended.optimiser[name], whole.optimiser[name]) for name in whole.optimiser)
    assert ended.cpu_seconds > stopped.cpu_seconds
    with pytest.raises(cc.InvalidOption, match="finished"):
        cc.resume(whole)


def test_divergence_is_said_and_its_numbers_are_shown() -> None:
    run = cc.train("batch_norm", seed=0, arm="plain_0.3", learning_rate=1e6, steps=20, n_train=640)
    assert run.state == "diverged" and "Diverged at step" in run.note and "learning rate" in run.note
    assert not math.isfinite(run.losses[-1]) or not all(w.isfinite().all() for w in run.weights.values())
    assert run.steps_done < 20 and run.test_accuracy < 0.2
    with pytest.raises(cc.InvalidOption, match="diverged"):
        cc.resume(run)


# --- the run as a classifier -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def learned() -> cc.TrainingRun:
    return cc.train("three_machines", seed=0, arm="cnn", steps=60, n_train=1000, evaluate_every=0)


def test_a_run_becomes_a_classifier_like_any_other(learned: cc.TrainingRun) -> None:
    classifier = learned.classifier()
    assert classifier.card.n_parameters == 14_378 and classifier.class_names == tuple("0123456789")
    assert "seed 0" in classifier.weights_note and f"{100 * learned.test_accuracy:.1f} %" in classifier.weights_note
    _, test = parts_of(learned.recipe)
    seen = learned.example(5)
    trace = cc.trace(classifier, seen)
    with torch.no_grad():
        logits = learned.module()(seen.tensor)[0].numpy()
    assert trace.logits == pytest.approx(logits, abs=1e-5)
    for name, index in (("conv2", (3, 5, 6)), ("pool2", (1, 2, 3)), ("global_pool", (7, 0, 0)), ("fc", (4,))):
        assert cc.explain_unit(classifier, trace, name, index).matches
    found = cc.explain(classifier, seen, target=int(test.labels[5]))
    assert found.values.shape == (7, 7)
    assert classifier.key == learned.classifier().key


def test_the_ledger_opens_a_trained_residual_network() -> None:
    run = cc.train("augmentation", seed=0, arm="resnet7", steps=8, evaluate_every=0)
    classifier = run.classifier()
    trace = cc.trace(classifier, run.example(0))
    for k in (0, 7):
        ledger = cc.logit_ledger(classifier, trace, k)
        assert float(ledger.cells.sum()) + ledger.bias == pytest.approx(float(trace.logits[k]), abs=1e-4)


def test_a_run_on_shuffled_pixels_shows_shuffled_pictures() -> None:
    run = cc.train("three_machines", seed=0, arm="mlp_shuffled", steps=20, evaluate_every=0)
    plain = cc.train("three_machines", seed=0, arm="mlp", steps=20, evaluate_every=0)
    a, b = run.example(0).shown_rgb, plain.example(0).shown_rgb
    assert not np.array_equal(a, b) and np.array_equal(np.sort(a, axis=None), np.sort(b, axis=None))
    assert "shuffled" in run.classifier().weights_note
    with pytest.raises(cc.InvalidOption, match="0 to 1999"):
        run.example(2000)


# --- bad input ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"arm": "sigmoid"}, "relu"),
        ({"seed": -1}, "whole number"),
        ({"seed": True}, "whole number"),
        ({"learning_rat": 1.0}, "learning_rate"),
        ({"learning_rate": 0.0}, "above 0"),
        ({"learning_rate": math.nan}, "above 0"),
        ({"learning_rate": "fast"}, "a number"),
        ({"steps": 2.5}, "whole number"),
        ({"steps": 0}, "between 1"),
        ({"steps": 5, "epochs": 2}, "not both"),
        ({"epochs": -1}, "above 0"),
        ({"n_train": 8001}, "8,000"),
        ({"batch_size": 0}, "between 1"),
        ({"momentum": 1.0}, "below 1"),
        ({"weight_decay": -0.1}, "0 or more"),
        ({"optimiser": "rmsprop"}, "sgd, adam"),
        ({"schedule": "linear"}, "one_cycle"),
        ({"normalisation": "none"}, "raw"),
        ({"augmentation": "mixup"}, "affine"),
        ({"network": "vgg"}, "small network"),
        ({"data": "imagenet"}, "digits"),
        ({"shuffled_pixels": 1}, "True or False"),
    ],
)
def test_bad_settings_are_said_in_one_sentence(options: dict[str, Any], said: str) -> None:
    with pytest.raises(cc.InvalidOption, match=said) as caught:
        cc.train("lenet", **({"seed": 0} | options))
    assert "\n" not in str(caught.value) and str(caught.value).endswith((".", "?"))


def test_settings_change_the_recipe_and_nothing_else() -> None:
    assert adapt(LENET, {"epochs": 2}).steps == 250 and adapt(LENET, {"epochs": 0.1, "n_train": 640}).steps == 1
    assert set(SETTINGS) == {*LENET.to_dict(), "epochs"} and Recipe(**LENET.to_dict()) == LENET
    assert digest_of(LENET, 0, {}) != digest_of(replace(LENET, steps=3), 0, {})
    with pytest.raises(cc.InvalidOption, match="run_experiment"):
        cc.train("three_machines", seed=0, arm="hog_svm")
    with pytest.raises(cc.InvalidOption, match="degradation"):
        cc.train("degradatoin", seed=0)


def test_a_run_does_not_depend_on_the_process(tmp_path: Path) -> None:
    """Hash seeds and import orders of another interpreter change nothing."""
    code = f"import cnn_core as cc; print(cc.train('lenet', seed=0, **{SHORT!r}).digest)"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True, timeout=120
    )
    assert done.stdout.strip() == short().digest
