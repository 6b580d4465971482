"""The preprocessing is torchvision's own, bit for bit, and the shown picture is what the tensor holds."""

from __future__ import annotations

import io

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision.models import get_model_weights
from torchvision.transforms import functional as tvf

from cnn_core.errors import InvalidOption
from cnn_core.images import Picture, load_image
from cnn_core.preprocessing import Preprocessing

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
IMAGENET = Preprocessing(resize=256, crop=224, mean=MEAN, std=STD)
DIGITS = Preprocessing(resize=28, crop=28, mean=(0.1307,), std=(0.3081,), channels=1, invert_light_background=True)


def encode(image: Image.Image, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def noise(height: int, width: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def preprocessing_of(model: str) -> tuple[Preprocessing, object]:
    transforms = get_model_weights(model).DEFAULT.transforms()
    ours = Preprocessing(
        resize=transforms.resize_size[0],
        crop=transforms.crop_size[0],
        mean=tuple(transforms.mean),
        std=tuple(transforms.std),
        interpolation=transforms.interpolation.value,
    )
    return ours, transforms


SHAPES = [(1, 1), (1, 7), (3, 2), (32, 32), (256, 256), (224, 256), (300, 451), (451, 300), (233, 232), (40, 700)]


@pytest.mark.parametrize("model", ["mobilenet_v2", "resnet18", "efficientnet_b0", "efficientnet_v2_l", "inception_v3"])
@pytest.mark.parametrize("shape", SHAPES)
def test_preprocessing_is_torchvisions_bit_for_bit(model: str, shape: tuple[int, int]) -> None:
    ours, theirs = preprocessing_of(model)
    image = Image.fromarray(noise(*shape))
    model_input = ours.apply(load_image(image))
    assert torch.equal(model_input.tensor[0], theirs(image))  # type: ignore[operator]
    assert model_input.tensor.dtype == torch.float32 and model_input.tensor.is_contiguous()


@pytest.mark.parametrize("shape", [(1, 1), (300, 451), (90, 64)])
def test_the_shown_picture_is_what_the_tensor_holds(shape: tuple[int, int]) -> None:
    model_input = IMAGENET.apply(load_image(Image.fromarray(noise(*shape))))
    shown = torch.from_numpy(model_input.shown_rgb.astype(np.float32)).permute(2, 0, 1)
    mean, std = torch.tensor(MEAN).view(3, 1, 1), torch.tensor(STD).view(3, 1, 1)
    assert torch.equal(model_input.tensor[0], (shown / 255 - mean) / std)
    top, left, height, width = model_input.crop
    cropped = model_input.resized_rgb[top : top + height, left : left + width]
    np.testing.assert_array_equal(cropped, model_input.shown_rgb)
    assert (height, width) == (224, 224) and min(model_input.resized_rgb.shape[:2]) == 256


@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
@pytest.mark.parametrize("shape", [(1, 3000), (3000, 1), (2, 401), (401, 3), (30, 1001), (1500, 70), (4000, 100)])
@pytest.mark.parametrize("only_the_middle", [False, True])
def test_very_long_pictures_show_what_torchvision_would(
    shape: tuple[int, int], interpolation: str, only_the_middle: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if only_the_middle:
        monkeypatch.setattr("cnn_core.preprocessing._LARGEST_RESIZE", 0)
    small = Preprocessing(resize=32, crop=28, mean=MEAN, std=STD, interpolation=interpolation)  # type: ignore[arg-type]
    image = Image.fromarray(noise(*shape))
    model_input = small.apply(load_image(image))
    mode = {"bilinear": tvf.InterpolationMode.BILINEAR, "bicubic": tvf.InterpolationMode.BICUBIC}[interpolation]
    whole = np.asarray(tvf.center_crop(tvf.resize(image, [32], interpolation=mode), [28]))
    # Pillow rounds after each of its two passes (along rows, along columns) and chooses their order by the size: where
    # only the middle is computed, each pass can be off by one level of 255.
    allowed = 2 if only_the_middle else 0
    assert np.abs(model_input.shown_rgb.astype(int) - whole).max() <= allowed
    assert max(model_input.resized_rgb.shape) <= 32
    assert any("only the middle" in note for note in model_input.notes)
    top, left, height, width = model_input.crop
    cropped = model_input.resized_rgb[top : top + height, left : left + width]
    np.testing.assert_array_equal(cropped, model_input.shown_rgb)


@pytest.mark.parametrize("shape", [(1, 5000), (5000, 1), (1, 24_000_000), (24_000_000, 1)])
def test_the_longest_pictures_need_no_more_memory_than_a_small_one(shape: tuple[int, int]) -> None:
    rgb = np.broadcast_to(np.array([10, 20, 30], dtype=np.uint8), (*shape, 3)).copy()
    model_input = IMAGENET.apply(Picture(rgb=rgb, digest="", notes=(), name="long"))
    assert (model_input.shown_rgb == [10, 20, 30]).all()
    assert model_input.resized_rgb.size <= 256 * 256 * 3


def test_notes_tell_the_whole_story_in_order() -> None:
    rgba = Image.new("RGBA", (600, 300), (255, 0, 0, 0))
    notes = IMAGENET.apply(load_image(encode(rgba, "PNG"))).notes
    assert notes == (
        "The transparent parts were laid over white.",
        "The picture was shrunk from 600 × 300 to 512 × 256 pixels (width × height).",
    )


def test_a_dark_digit_on_white_is_inverted_and_a_light_one_on_black_is_not() -> None:
    dark_on_white = np.full((56, 56, 3), 255, dtype=np.uint8)
    dark_on_white[20:36, 20:36] = 0
    inverted = DIGITS.apply(load_image(Image.fromarray(dark_on_white)))
    straight = DIGITS.apply(load_image(Image.fromarray(255 - dark_on_white)))
    np.testing.assert_array_equal(inverted.shown_rgb, straight.shown_rgb)
    np.testing.assert_array_equal(inverted.resized_rgb, inverted.shown_rgb)
    assert inverted.shown_rgb[0, 0, 0] == 0 and inverted.shown_rgb[14, 14, 0] == 255
    assert any("inverted" in n for n in inverted.notes) and not any("inverted" in n for n in straight.notes)
    assert inverted.tensor.shape == (1, 1, 28, 28)
    assert inverted.tensor[0, 0, 0, 0].item() == pytest.approx((0 - 0.1307) / 0.3081, rel=1e-6)


@pytest.mark.parametrize("preprocessing", [IMAGENET, DIGITS])
def test_from_rgb_goes_back_to_the_same_tensor(preprocessing: Preprocessing) -> None:
    model_input = preprocessing.apply(load_image(Image.fromarray(noise(80, 60))))
    again = preprocessing.from_rgb(model_input.shown_rgb)
    assert torch.equal(again.tensor, model_input.tensor)
    np.testing.assert_array_equal(again.shown_rgb, model_input.shown_rgb)
    assert again.digest == model_input.digest and again.crop == (0, 0, *model_input.shown_rgb.shape[:2])


def test_from_rgb_refuses_other_arrays() -> None:
    with pytest.raises(TypeError, match="uint8"):
        IMAGENET.from_rgb(np.zeros((4, 4, 3)))  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="shape"):
        IMAGENET.from_rgb(np.zeros((4, 4), dtype=np.uint8))


def test_preprocessing_refuses_what_cannot_be() -> None:
    with pytest.raises(InvalidOption, match="crop"):
        Preprocessing(resize=20, crop=28, mean=MEAN, std=STD)
    with pytest.raises(InvalidOption, match="channels"):
        Preprocessing(resize=28, crop=28, mean=MEAN, std=STD, channels=1)
    with pytest.raises(InvalidOption, match="interpolation"):
        Preprocessing(resize=28, crop=28, mean=MEAN, std=STD, interpolation="nearest")  # type: ignore[arg-type]
