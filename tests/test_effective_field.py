"""The receptive field on trial: pixels scrambled outside and inside it, gradients against plain autograd, depth."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
import torch
from torch import nn

import cnn_core as cc
from cnn_core.effective_field import (
    UNCHANGED,
    average_field,
    effective_field,
    fields_by_depth,
    scramble,
)
from cnn_core.errors import InvalidLayer, InvalidOption, InvalidUnit
from cnn_core.library import LibraryPicture
from cnn_core.receptive_field import receptive_field, receptive_fields

from .saliency_networks import PlainInput, Pooled, classifier_of
from .torchvision_networks import TWENTY, Bench, bench, least_size, noise_picture, on_meta, with_random_weights

N_UNITS = 10


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def network_of(name: str) -> tuple[Bench, int]:
    size = least_size(name)
    return bench(with_random_weights(on_meta(name), size), (3, size, size)), size


def test_twenty_networks() -> None:
    assert len(set(TWENTY)) == 20


@pytest.mark.parametrize("name", TWENTY)
def test_outside_the_box_nothing_changes_and_inside_it_does(name: str) -> None:
    subject, size = network_of(name)
    picture = noise_picture(size, size)
    fields = receptive_fields(subject.network)  # type: ignore[arg-type]
    rng = np.random.default_rng(0)

    def box_of(layer: cc.Operation, index: tuple[int, ...]) -> float:
        at = dict(zip(layer.axes, index, strict=True))
        top, left, bottom, right = fields[layer.name].clipped_box(at["row"], at["column"])
        return (bottom - top) * (right - left)

    local = [
        o for o in subject.network.operations
        if o.kind != "input" and not fields[o.name].sees_everything and {"row", "column"} <= set(o.axes)
    ]  # fmt: skip
    units: list[tuple[cc.Operation, tuple[int, ...]]] = []
    while len(units) < N_UNITS:
        layer = local[int(rng.integers(len(local)))]
        index = tuple(int(rng.integers(n)) for n in layer.output_shape)
        if box_of(layer, index) < size * size:
            units.append((layer, index))
    changed = 0
    for seed, (layer, index) in enumerate(units):
        outside = scramble(subject, picture, layer, index, seed=seed)  # type: ignore[arg-type]
        # The unit's own sum holds none of the scrambled pixels; see UNCHANGED for what rounding may leave.
        assert outside.n_pixels > 0 and outside.relative_change <= 1e-6, (layer.name, index, outside)
        assert outside.unchanged and not outside.sees_everything
        inside = scramble(subject, picture, layer, index, where="inside", seed=seed)  # type: ignore[arg-type]
        assert inside.n_pixels + outside.n_pixels == inside.n_total == size * size
        changed += not inside.unchanged
    # A unit that its ReLU holds at 0 can stay there; most move.
    assert changed >= N_UNITS // 2


def test_what_was_scrambled_is_what_is_shown() -> None:
    subject, size = network_of("resnet18")
    picture = noise_picture(size, size)
    found = scramble(subject, picture, "layer1.0.conv1", (3, 2, 9), seed=4)  # type: ignore[arg-type]
    top, left, bottom, right = found.box
    assert found.box == (0, 27, 18, 46)  # 19 pixels wide, 4 from one cell to the next, centred at 0.5 + 4 * cell
    np.testing.assert_array_equal(found.shown_rgb[top:bottom, left:right], picture.shown_rgb[top:bottom, left:right])
    different = (found.shown_rgb != picture.shown_rgb).any(axis=2)
    # Three random bytes are the old ones once in 16 million.
    assert different.sum() == found.n_pixels == size * size - (bottom - top) * (right - left)
    again = scramble(subject, picture, "layer1.0.conv1", (3, 2, 9), seed=4)  # type: ignore[arg-type]
    np.testing.assert_array_equal(again.shown_rgb, found.shown_rgb)
    other = scramble(subject, picture, "layer1.0.conv1", (3, 2, 9), seed=5)  # type: ignore[arg-type]
    assert not np.array_equal(other.shown_rgb, found.shown_rgb)
    assert found.unchanged and ("last bit" if found.before == found.after else "rounding") in found.sentence
    # The value after is the network's own for the shown picture.
    again_input = noise_picture(size, size)
    tensor = (found.shown_rgb / 255 - np.array(again_input.mean)) / np.array(again_input.std)
    x = torch.from_numpy(tensor.transpose(2, 0, 1)[None].astype(np.float32))
    with torch.no_grad():
        value = subject.network.run(x, keep=("layer1.0.conv1",))["layer1.0.conv1"][0, 3, 2, 9]
    assert found.after == pytest.approx(float(value), abs=1e-5)


def test_behind_squeeze_and_excitation_everything_is_seen() -> None:
    subject, size = network_of("mobilenet_v3_small")
    fields = receptive_fields(subject.network)  # type: ignore[arg-type]
    layer = next(o for o in subject.network.operations if fields[o.name].sees_everything and o.is_spatial)
    # The strongest channel there: one that its ReLU does not hold at 0.
    values = cc.trace(subject, noise_picture(size, size)).activation(layer.name)  # type: ignore[arg-type]
    index = (int(values[:, 3, 3].argmax()), 3, 3)
    found = scramble(subject, noise_picture(size, size), layer, index)  # type: ignore[arg-type]
    assert found.sees_everything and found.n_pixels > 0
    assert not found.unchanged and "global path" in found.sentence
    # The gate's gradient reaches pixels outside the local box.
    field = effective_field(subject, noise_picture(size, size), layer, index)  # type: ignore[arg-type]
    assert field.sees_everything and 0 < field.share_inside < 1 - 1e-6


def test_a_box_over_the_whole_picture_leaves_nothing_to_scramble() -> None:
    subject, size = network_of("resnet18")
    found = scramble(subject, noise_picture(size, size), "fc", 3)  # type: ignore[arg-type]
    assert found.n_pixels == 0 and found.before == found.after and "nothing to scramble" in found.sentence
    assert not scramble(subject, noise_picture(size, size), "fc", 3, where="inside").unchanged  # type: ignore[arg-type]


def test_a_grey_network_gets_grey_noise() -> None:
    lenet = cc.load_model("lenet5", device="cpu")
    seen = lenet.card.preprocessing.from_rgb(PlainInput.noise(28, 28).shown_rgb)
    layer = lenet.network.map_layers()[1]
    found = cc.scramble(lenet, seen, layer, (0, 3, 3), where="inside")
    assert (found.shown_rgb == found.shown_rgb[..., :1]).all() and not found.unchanged
    assert cc.scramble(lenet, seen, layer, (0, 3, 3)).unchanged


def test_the_gradient_is_autograds() -> None:
    module = Pooled()
    classifier = classifier_of(module, size=32)
    picture = PlainInput.noise(32, 32)
    found = effective_field(classifier, picture, "branch", (3, 5, 6))  # type: ignore[arg-type]
    x = picture.tensor.clone().requires_grad_()
    y = module.branch(torch.relu(module.first(x)))[0, 3, 5, 6]
    y.backward()
    assert x.grad is not None
    expected = x.grad[0].abs().sum(dim=0).double().numpy()
    # float32 sums of some dozen products, in another order at most.
    np.testing.assert_allclose(found.magnitude, expected / expected.sum(), atol=1e-6)
    assert found.strength == pytest.approx(expected.sum(), rel=1e-5)
    assert all(p.grad is None for p in module.parameters())
    # 3 + 2 * 2 = 7 pixels, from 2 * (5 - 1) - 1 and 2 * (6 - 1) - 1 on.
    assert found.box == (7, 9, 14, 16)
    assert found.share_inside == pytest.approx(1, abs=1e-12)
    assert 0 < found.area_90 <= 49 and found.share_of_box == found.area_90 / 49
    assert found.equivalent_radius == pytest.approx((found.area_90 / np.pi) ** 0.5)


@pytest.mark.parametrize("name", ["mobilenet_v2", "squeezenet1_1", "resnet18", "densenet121"])
def test_the_gradient_lies_in_the_box(name: str) -> None:
    subject, size = network_of(name)
    fields = receptive_fields(subject.network)  # type: ignore[arg-type]
    layers = [o for o in subject.network.map_layers() if not fields[o.name].sees_everything]
    for layer in layers[:: max(1, len(layers) // 6)]:
        index = (1, layer.output_shape[1] // 2, layer.output_shape[2] - 1)
        found = effective_field(subject, noise_picture(size, size), layer, index)  # type: ignore[arg-type]
        if not found.is_silent:
            # Fast convolutions may leave rounding of float32 outside; measured: none.
            assert found.share_inside == pytest.approx(1, abs=1e-5)


def test_area_by_hand() -> None:
    """A 1 x 1 and a 3 x 3 convolution with known weights."""

    class Sum(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(3, 1, 3, padding=1, bias=False)
            with torch.no_grad():
                self.conv.weight.zero_()
                self.conv.weight[0, 0] = torch.tensor([[0.0, 1.0, 0.0], [1.0, 16.0, 1.0], [0.0, 1.0, 0.0]])
            self.linear = nn.Linear(64, 2)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.linear(torch.flatten(torch.relu(self.conv(x)), 1))

    classifier = classifier_of(Sum(), size=8)
    found = effective_field(classifier, PlainInput.noise(8, 8), "conv", (0, 4, 4))  # type: ignore[arg-type]
    # Shares 16/20 and four times 1/20: 0.80, 0.85, 0.90; float32 halves and twentieths add up to 0.9 within rounding.
    assert found.magnitude[4, 4] == pytest.approx(0.8) and found.magnitude[3, 4] == pytest.approx(0.05)
    assert found.area_90 in (3, 4) and found.strength == pytest.approx(20)
    corner = effective_field(classifier, PlainInput.noise(8, 8), "conv", (0, 0, 0))  # type: ignore[arg-type]
    assert corner.box == (0, 0, 2, 2) and corner.strength == pytest.approx(18)


def test_a_dead_unit_is_silent() -> None:
    module = Pooled()
    with torch.no_grad():
        assert module.first.bias is not None
        module.first.bias[2] = -1e3
    classifier = classifier_of(module, size=16)
    name = next(o.name for o in classifier.network.operations if o.kind == "relu")
    found = effective_field(classifier, PlainInput.noise(16, 16), name, (2, 3, 3))  # type: ignore[arg-type]
    assert found.is_silent and not found.magnitude.any() and found.area_90 == 0 == found.strength


def test_the_average_counts_every_picture_the_same() -> None:
    classifier = classifier_of(Pooled(), size=32)
    pictures = [LibraryPicture(str(i), str(i), PlainInput.noise(32, 32, seed=i), True) for i in range(7)]
    told: list[tuple[int, int]] = []
    found = average_field(
        classifier,  # type: ignore[arg-type]
        "last",
        (3, 2, 4),
        pictures=pictures,
        on_progress=lambda done, total: told.append((done, total)),
    )
    alone = [effective_field(classifier, p.model_input, "last", (3, 2, 4)) for p in pictures]  # type: ignore[arg-type]
    # In a batch of 4 the same sums may be taken in another order.
    np.testing.assert_allclose(found.magnitude, np.mean([a.magnitude for a in alone], axis=0), atol=1e-6)
    assert found.strength == pytest.approx(np.mean([a.strength for a in alone]), rel=1e-4)
    assert told == [(4, 7), (7, 7)] and found.n_pictures == 7 and found.n_silent == 0
    stops = iter([False, True])
    part = average_field(classifier, "last", (3, 2, 4), pictures=pictures, should_stop=lambda: next(stops))  # type: ignore[arg-type]
    assert part.n_pictures == 4
    one, same, other = (
        average_field(classifier, "last", (3, 2, 4), pictures=pictures, n_pictures=2, seed=s)  # type: ignore[arg-type]
        for s in (1, 1, 2)
    )
    np.testing.assert_array_equal(one.magnitude, same.magnitude)
    assert one.n_pictures == 2 and not np.array_equal(one.magnitude, other.magnitude)
    with pytest.raises(InvalidOption, match="No picture"):
        average_field(classifier, "last", (3, 2, 4), pictures=pictures, should_stop=lambda: True)  # type: ignore[arg-type]


def test_the_sample_library_is_averaged() -> None:
    lenet = cc.load_model("lenet5", device="cpu")
    layer = lenet.network.map_layers()[1]
    found = average_field(lenet, layer, (0, 5, 5))
    assert found.n_pictures == 10 and found.share_inside == pytest.approx(1, abs=1e-9)


def test_fields_by_depth() -> None:
    subject, _ = network_of("resnet18")
    entries = fields_by_depth(subject.network)  # type: ignore[arg-type]
    assert [e.name for e in entries] == [o.name for o in subject.network.operations[:-1]]
    by_name = {e.name: e for e in entries}
    for entry in entries[:: len(entries) // 9]:
        field = receptive_field(subject.network, entry.name)  # type: ignore[arg-type]
        assert (entry.size, entry.stride, entry.sees_everything) == (field.size, field.stride, field.sees_everything)
    # ResNet-18 has 17 convolutions on its longest way and one linear layer, hence the name.
    assert by_name["fc"].depth == 18 and by_name["input"].depth == 0 and by_name["conv1"].depth == 1
    assert by_name["layer1.0.conv2"].size == (27, 27) and by_name["layer1.0.conv2"].share == (27 / 64) ** 2
    assert by_name["fc"].sees_everything and not by_name["layer4.1.add"].sees_everything


def test_refusals() -> None:
    subject, size = network_of("squeezenet1_1")
    picture = noise_picture(size, size)
    with pytest.raises(InvalidOption, match="outside"):
        scramble(subject, picture, "features.0", (0, 0, 0), where="above")  # type: ignore[arg-type]
    with pytest.raises(InvalidLayer):
        scramble(subject, picture, "no.such", (0, 0, 0))  # type: ignore[arg-type]
    for index in ((0, 0), (0, 0, 99), 3, ("a", 0, 0)):
        with pytest.raises(InvalidUnit):
            effective_field(subject, picture, "features.0", index)  # type: ignore[arg-type]
    with pytest.raises(InvalidOption, match="own input"):
        scramble(subject, noise_picture(size + 1, size), "features.0", (0, 0, 0))  # type: ignore[arg-type]
    assert UNCHANGED == 1e-6
