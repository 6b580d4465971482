"""Pictures: every odd file is read right or refused in one sentence, and no other outcome."""

from __future__ import annotations

import io
import random
import struct
import time
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cnn_core.errors import InvalidImage
from cnn_core.images import MAX_PIXELS, load_image


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
    assert any("several pictures" in note for note in picture.notes)


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


def tiff_of(n: int) -> bytes:
    """A TIFF of n grey pictures of one pixel, 102 bytes each."""
    found = bytearray(b"II*\0" + struct.pack("<I", 8))
    for i in range(n):
        following = len(found) + 102 if i < n - 1 else 0
        tags = ((256, 3, 1), (257, 3, 1), (258, 3, 8), (259, 3, 1), (262, 3, 1), (273, 4, 4), (277, 3, 1), (279, 4, 1))
        found += struct.pack("<H", len(tags)) + b"".join(struct.pack("<HHII", tag, kind, 1, v) for tag, kind, v in tags)
        found += struct.pack("<I", following)
    return bytes(found)


def test_pictures_made_to_take_hours_are_read_or_refused_at_once() -> None:
    """A TIFF of very many pictures, which only counting them would walk; a JPEG with a scan in each 40 bytes."""
    begun = time.perf_counter()
    many = load_image(tiff_of(20_000))
    assert many.notes[0] == "The file holds several pictures; the first one is used."
    good = encode(Image.new("L", (2_000, 2_000), 128), "JPEG", progressive=True)
    last = good[good.rindex(b"\xff\xda") : -2]
    with pytest.raises(InvalidImage, match="more than 100 times over"):
        load_image(good[:-2] + last * 100_000 + good[-2:])
    assert load_image(good).width == 2_000
    assert time.perf_counter() - begun < 3  # 20 seconds, and an hour, where they are followed
