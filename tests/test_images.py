"""Pictures: every odd file is read right or refused in one sentence, and the preprocessing is torchvision's own."""

from __future__ import annotations

import io
import random
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision.models import get_model_weights
from torchvision.transforms import functional as tvf

from cnn_core.errors import InvalidImage, InvalidOption
from cnn_core.images import MAX_PIXELS, Picture, load_image
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


# Two rows of three: red green blue / black white grey. Each pixel tells where it went.
PATTERN = np.array(
    [[[255, 0, 0], [0, 255, 0], [0, 0, 255]], [[0, 0, 0], [255, 255, 255], [100, 100, 100]]], dtype=np.uint8
)


@pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF", "WEBP"])
def test_lossless_formats_give_back_every_pixel(kind: str) -> None:
    options = {"lossless": True} if kind == "WEBP" else {}
    picture = load_image(encode(Image.fromarray(PATTERN), kind, **options))
    np.testing.assert_array_equal(picture.rgb, PATTERN)
    assert (picture.height, picture.width, picture.notes) == (2, 3, ())


def test_jpeg_is_what_pillow_decodes() -> None:
    raw = encode(Image.fromarray(noise(30, 40)), "JPEG", quality=80)
    np.testing.assert_array_equal(load_image(raw).rgb, np.asarray(Image.open(io.BytesIO(raw))))


def test_the_first_frame_of_a_gif_is_used() -> None:
    red, blue = Image.new("RGB", (4, 3), "red"), Image.new("RGB", (4, 3), "blue")
    picture = load_image(encode(red, "GIF", save_all=True, append_images=[blue]))
    assert (picture.rgb == [255, 0, 0]).all()
    assert any("2 pictures" in note for note in picture.notes)


# EXIF orientation -> the upright picture, by numpy: what the standard says about row 0 and column 0.
UPRIGHT = {
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.transpose(1, 0, 2),
    6: lambda a: np.rot90(a, -1),
    7: lambda a: a.transpose(1, 0, 2)[::-1, ::-1],
    8: lambda a: np.rot90(a, 1),
}


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["PNG", "TIFF", "WEBP"])
def test_exif_orientation_is_applied_once(kind: str, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"lossless": True} if kind == "WEBP" else {}
    picture = load_image(encode(Image.fromarray(PATTERN), kind, exif=exif, **options))
    np.testing.assert_array_equal(picture.rgb, UPRIGHT[orientation](PATTERN))
    assert len(picture.notes) == (orientation != 1)


def test_exif_orientation_of_a_jpeg_is_said_in_words() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    picture = load_image(encode(Image.fromarray(noise(16, 48)), "JPEG", exif=exif))
    assert (picture.height, picture.width) == (48, 16)
    assert picture.notes == ("The picture was rotated by 90° clockwise, as the camera's EXIF tag says.",)


def test_a_nonsense_orientation_is_ignored() -> None:
    exif = Image.Exif()
    exif[0x0112] = 77
    picture = load_image(encode(Image.fromarray(PATTERN), "PNG", exif=exif))
    np.testing.assert_array_equal(picture.rgb, PATTERN)


def test_transparency_is_laid_over_white() -> None:
    rgba = np.zeros((1, 3, 4), dtype=np.uint8)
    rgba[0, 0] = (200, 0, 0, 255)  # opaque: stays
    rgba[0, 1] = (200, 0, 0, 0)  # transparent: white, whatever colour hides there
    rgba[0, 2] = (0, 0, 0, 51)  # a fifth black over white: 255 * 0.8 = 204
    picture = load_image(encode(Image.fromarray(rgba), "PNG"))
    assert picture.rgb.tolist() == [[[200, 0, 0], [255, 255, 255], [204, 204, 204]]]
    assert picture.notes == ("The transparent parts were laid over white.",)


def test_an_opaque_alpha_channel_needs_no_note() -> None:
    picture = load_image(encode(Image.fromarray(PATTERN).convert("RGBA"), "PNG"))
    np.testing.assert_array_equal(picture.rgb, PATTERN)
    assert picture.notes == ()


def test_grey_with_alpha() -> None:
    image = Image.merge("LA", (Image.new("L", (1, 1), 0), Image.new("L", (1, 1), 0)))
    assert load_image(encode(image, "PNG")).rgb.tolist() == [[[255, 255, 255]]]


@pytest.mark.parametrize("kind", ["PNG", "GIF"])
def test_palette_with_a_transparent_colour(kind: str) -> None:
    image = Image.new("P", (2, 1))
    image.putpalette([10, 20, 30, 40, 50, 60])
    image.putdata([0, 1])
    picture = load_image(encode(image, kind, transparency=0))
    assert picture.rgb.tolist() == [[[255, 255, 255], [40, 50, 60]]]
    assert load_image(encode(image, kind)).rgb.tolist() == [[[10, 20, 30], [40, 50, 60]]]


def test_rgb_with_a_transparent_colour_key() -> None:
    picture = load_image(encode(Image.fromarray(PATTERN), "PNG", transparency=(255, 0, 0)))
    assert picture.rgb[0, 0].tolist() == [255, 255, 255] and picture.rgb[0, 1].tolist() == [0, 255, 0]


def test_cmyk_without_ink_is_white_and_with_cyan_has_no_red() -> None:
    image = Image.merge("CMYK", [Image.fromarray(np.array([[0, 255]], dtype=np.uint8))] + [Image.new("L", (2, 1))] * 3)
    picture = load_image(encode(image, "TIFF"))
    assert picture.rgb.tolist() == [[[255, 255, 255], [0, 255, 255]]]
    assert any("CMYK" in note for note in picture.notes)


def test_cmyk_jpeg_is_not_negative() -> None:
    picture = load_image(encode(Image.new("CMYK", (16, 16), (0, 0, 0, 0)), "JPEG"))
    assert picture.rgb.min() >= 250


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_sixteen_bit_greys_are_scaled_and_not_clipped(kind: str) -> None:
    values = np.array([[0, 257, 32896, 65535]], dtype=np.uint16)  # 257 k is k of 255, exactly
    picture = load_image(encode(Image.fromarray(values), kind))
    assert picture.rgb[0, :, 0].tolist() == [0, 1, 128, 255]
    assert any("16-bit" in note for note in picture.notes)


def test_sixteen_bit_rgb_png() -> None:
    # Pillow cannot write one, so it is put together by hand: 1 x 2 pixels, 16 bits a channel, colour type 2.
    def chunk(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    row = b"\0" + struct.pack(">6H", 65535, 0, 32896, 257, 514, 771)
    raw = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 2, 1, 16, 2, 0, 0, 0))
    raw += chunk(b"IDAT", zlib.compress(row)) + chunk(b"IEND", b"")
    assert load_image(raw).rgb.tolist() == [[[255, 0, 128], [1, 2, 3]]]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([0.0, 0.5, 1.0], [0, 128, 255]),  # 127.5 rounds to the even 128
        ([0.0, 100.4, 255.0], [0, 100, 255]),
        ([-1.0, 0.0, 1.0], [0, 128, 255]),
        ([0.0, 500.0, 1000.0], [0, 128, 255]),
        ([0.0, float("nan"), 1.0], [0, 0, 255]),
        ([7.5, 7.5, 7.5], [8, 8, 8]),
    ],
)
def test_float_tiff(values: list[float], expected: list[int]) -> None:
    picture = load_image(encode(Image.fromarray(np.array([values], dtype=np.float32)), "TIFF"))
    assert picture.rgb[0, :, 1].tolist() == expected
    assert picture.notes


def test_thirty_two_bit_integers() -> None:
    image = Image.fromarray(np.array([[0, 1_000_000]], dtype=np.int32))
    assert load_image(encode(image, "TIFF")).rgb[0, :, 0].tolist() == [0, 255]


def test_one_bit() -> None:
    image = Image.fromarray(np.array([[0, 255, 0]], dtype=np.uint8)).convert("1")
    assert load_image(encode(image, "PNG")).rgb[0, :, 2].tolist() == [0, 255, 0]


def test_every_kind_of_source_gives_the_same_picture(tmp_path: Path) -> None:
    raw = encode(Image.fromarray(PATTERN), "PNG")
    path = tmp_path / "pattern.png"
    path.write_bytes(raw)
    with path.open("rb") as file:
        pictures = [load_image(s) for s in (path, str(path), raw, bytearray(raw), memoryview(raw), io.BytesIO(raw))]
        pictures += [load_image(file), load_image(Image.open(path)), load_image(Image.fromarray(PATTERN))]
    assert {p.digest for p in pictures} == {pictures[0].digest}
    assert pictures[0].name == "pattern.png" and load_image(raw, name="mine").name == "mine"
    assert load_image(pictures[0]) is pictures[0]


def test_the_digest_knows_one_pixel_and_the_shape() -> None:
    changed = PATTERN.copy()
    changed[1, 2, 0] += 1
    others = (PATTERN, changed, PATTERN.reshape(3, 2, 3))
    assert len({load_image(Image.fromarray(a)).digest for a in others}) == 3


def test_a_picture_cannot_be_written_to() -> None:
    picture = load_image(Image.fromarray(PATTERN))
    with pytest.raises(ValueError, match="read-only"):
        picture.rgb[0, 0, 0] = 1


def test_thumbnail() -> None:
    picture = load_image(Image.fromarray(noise(100, 50)))
    assert picture.thumbnail(20).shape == (20, 10, 3)
    assert picture.thumbnail(200).shape == (100, 50, 3)


# --- refused -----------------------------------------------------------------------------------------------------


def one_sentence(message: str) -> bool:
    return message.endswith(".") and "\n" not in message and len(message) < 220


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF"])
@pytest.mark.parametrize("share", [0.3, 0.7])
def test_a_truncated_file_is_refused(kind: str, share: float) -> None:
    raw = encode(Image.fromarray(noise(64, 64)), kind)
    with pytest.raises(InvalidImage) as caught:
        load_image(raw[: int(len(raw) * share)])
    assert one_sentence(str(caught.value))


@pytest.mark.parametrize(
    ("source", "word"),
    [
        (b"", "empty"),
        (b"just some text, no picture", "JPEG, PNG, WebP"),
        (b"%PDF-1.4 and so on", "JPEG, PNG, WebP"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "JPEG, PNG, WebP"),
        ("/no/such/picture.jpg", "no file"),
        ("/", "cannot be read"),
        ("a\0b", "cannot be read"),
    ],
)
def test_what_is_no_picture_is_refused(source: bytes | str, word: str) -> None:
    with pytest.raises(InvalidImage, match=word):
        load_image(source)


def test_formats_outside_the_list_are_refused() -> None:
    with pytest.raises(InvalidImage, match="JPEG, PNG"):
        load_image(encode(Image.fromarray(PATTERN), "TGA"))


def test_wrong_types_are_a_type_error() -> None:
    with pytest.raises(TypeError, match="path, bytes"):
        load_image(12)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="binary"):
        load_image(io.StringIO("text"))  # type: ignore[arg-type]


def test_pixels_are_counted_before_anything_is_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    raw = encode(Image.new("1", (6000, 4001)), "PNG")
    assert len(raw) < 100_000
    monkeypatch.setattr(Image.Image, "load", lambda self: pytest.fail("decoded a picture that is too large"))
    with pytest.raises(InvalidImage, match=r"6000 × 4001 = 24 million.*at most 24 million"):
        load_image(raw)
    with pytest.raises(InvalidImage, match="at most 24 million"):
        load_image(Image.new("1", (6000, 4001)))


def test_the_limit_itself_is_allowed() -> None:
    assert MAX_PIXELS == 24_000_000
    assert load_image(Image.new("RGB", (10, 10)), max_pixels=100).width == 10
    with pytest.raises(InvalidImage):
        load_image(Image.new("RGB", (101, 1)), max_pixels=100)


def test_a_decompression_bomb_is_refused() -> None:
    # A PNG whose header claims 60,000 x 60,000 pixels: Pillow itself stops at the header.
    header = b"IHDR" + struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    raw = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + header + struct.pack(">I", zlib.crc32(header))
    raw += struct.pack(">I", 0) + b"IDAT" + struct.pack(">I", zlib.crc32(b"IDAT"))
    with pytest.raises(InvalidImage, match="pixels"):
        load_image(raw)


@pytest.mark.parametrize("wrap", [bytes, io.BytesIO])
def test_bytes_are_limited(wrap: type) -> None:
    raw = encode(Image.fromarray(noise(40, 40)), "BMP")
    assert load_image(wrap(raw), max_bytes=len(raw)).width == 40
    with pytest.raises(InvalidImage, match="larger than"):
        load_image(wrap(raw), max_bytes=len(raw) - 1)


def test_no_more_than_the_limit_is_read() -> None:
    class Endless(io.RawIOBase):
        asked = 0

        def read(self, size: int = -1) -> bytes:
            assert size > 0, "asked for everything"
            self.asked += size
            return b"\xff" * size

    source = Endless()
    with pytest.raises(InvalidImage, match="larger than"):
        load_image(source, max_bytes=1000)  # type: ignore[arg-type]
    assert source.asked == 1001


@pytest.mark.filterwarnings("ignore")  # Pillow warns about what it finds in damaged files, as it should
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF"])
def test_damaged_files_are_read_or_refused_and_nothing_else(kind: str) -> None:
    clean = encode(Image.fromarray(noise(24, 24)), kind)
    dice = random.Random(7)
    for _ in range(150):
        raw = bytearray(clean)
        for _ in range(dice.randint(1, 8)):
            # Mostly the header, where the structure is.
            raw[dice.randrange(min(len(raw), dice.choice([60, len(raw)])))] = dice.randrange(256)
        try:
            picture = load_image(bytes(raw))
        except InvalidImage as error:
            assert one_sentence(str(error))
        else:
            assert picture.rgb.dtype == np.uint8 and picture.rgb.shape[2] == 3


# --- preprocessing -----------------------------------------------------------------------------------------------


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
