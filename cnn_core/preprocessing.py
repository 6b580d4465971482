"""From a picture to what the network really sees: resize, centre crop, normalise, with the picture of that tensor."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Final, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from .errors import InvalidOption
from .kept import kept

if TYPE_CHECKING:
    import torch

    from .images import Picture

Interpolation = Literal["bilinear", "bicubic"]

_RESAMPLING: Final = {"bilinear": Image.Resampling.BILINEAR, "bicubic": Image.Resampling.BICUBIC}
# How far the interpolation reaches, in source pixels (times the shrinking factor where the picture is made smaller).
_REACH: Final = {"bilinear": 1.0, "bicubic": 2.0}
# Of a picture longer than this many times its width, only the middle is kept after the resize ...
_LONGEST_RATIO: Final = 20
# ... and no more than the middle is computed where the whole would have more pixels than this (48 MB).
_LARGEST_RESIZE: Final = 16_000_000


@dataclass(frozen=True, eq=False)
class ModelInput:
    """What the network sees, as numbers and as a picture: tensor == (shown_rgb / 255 - mean) / std, exactly."""

    tensor: torch.Tensor
    """float32 (1, C, h, w) on the CPU; C is 3, or 1 for a network that reads greys."""
    shown_rgb: NDArray[np.uint8]
    """uint8 (h, w, 3), read-only; for a grey network its three channels are equal."""
    picture_digest: str
    resized_rgb: NDArray[np.uint8]
    """uint8 (H', W', 3), read-only: after the resize, before the crop."""
    crop: tuple[int, int, int, int]
    """(top, left, height, width) of shown_rgb in resized_rgb."""
    mean: tuple[float, ...]
    std: tuple[float, ...]
    notes: tuple[str, ...]
    """What was done to the picture, each a sentence for the visitor; the notes of its reading come first."""
    picture_size: tuple[int, int]
    """(height, width) of the picture before the resize."""
    picture_box: tuple[float, float, float, float]
    """(top, left, bottom, right) of what the network sees, in pixels of the picture before the resize."""

    @kept
    def digest(self) -> str:
        """SHA-256 (hexadecimal) of what the network sees: equal exactly for equal tensors of one preprocessing."""
        head = f"{self.shown_rgb.shape}:{self.mean}:{self.std}:".encode()
        return hashlib.sha256(head + self.shown_rgb.tobytes()).hexdigest()


@dataclass(frozen=True)
class Preprocessing:
    """A model's own preprocessing; for PIL pictures bit-identical to torchvision's `weights.transforms()`."""

    resize: int
    """The shorter side after the resize, in pixels."""
    crop: int
    """The side of the centre crop, in pixels; never larger than `resize`."""
    mean: tuple[float, ...]
    std: tuple[float, ...]
    interpolation: Interpolation = "bilinear"
    channels: int = 3
    """3 for RGB, 1 for a network that reads greys."""
    invert_light_background: bool = False
    """For networks trained on light strokes over black: a picture with a light border is inverted."""

    def __post_init__(self) -> None:
        if not 1 <= self.crop <= self.resize:
            raise InvalidOption(f"crop must lie between 1 and resize ({self.resize}), not {self.crop}.")
        if self.channels not in (1, 3) or not len(self.mean) == len(self.std) == self.channels:
            raise InvalidOption("channels must be 1 or 3, with one mean and one std for each.")
        if self.interpolation not in _RESAMPLING:
            raise InvalidOption(f"interpolation must be one of {', '.join(_RESAMPLING)}, not {self.interpolation!r}.")

    def apply(self, picture: Picture) -> ModelInput:
        """Resize the shorter side, crop the middle, normalise.

        Of a picture longer than 20 times its width only the part that the crop sees is kept, and of the longest ones
        only that part is computed: the whole could take gigabytes (5000 x 1 pixels become 1,280,000 x 256). There a
        pixel can differ from torchvision's by up to two levels of 255, because Pillow rounds after each of its two
        passes and chooses their order by the size.
        """
        notes = list(picture.notes)
        image = Image.fromarray(picture.rgb)
        if self.channels == 1:
            image = image.convert("L")
        resized = self._resized(image, notes)
        top, left = (_centre_offset(side, self.crop) for side in (resized.height, resized.width))
        values = np.asarray(resized)
        shown = values[top : top + self.crop, left : left + self.crop]
        if self.invert_light_background and _is_light(_border(shown)):
            values, shown = 255 - values, 255 - shown
            notes.append("The picture was inverted: this network learned light strokes on a dark ground.")
        size = (picture.height, picture.width)
        crop = (top, left, self.crop, self.crop)
        return self._finish(shown, values, crop, picture.digest, tuple(notes), size, self._seen_of(size))

    def from_rgb(self, shown_rgb: NDArray[np.uint8]) -> ModelInput:
        """Normalise a picture that already has the model's size; no resize, no crop, no inversion.

        shown_rgb: uint8 (h, w, 3). A grey network reads its luminance. Raises TypeError for another dtype and
        ValueError for another shape.
        """
        shown_rgb = np.asarray(shown_rgb)
        if shown_rgb.dtype != np.uint8:
            raise TypeError(f"shown_rgb must be uint8, not {shown_rgb.dtype}")
        if shown_rgb.ndim != 3 or shown_rgb.shape[2] != 3 or 0 in shown_rgb.shape:
            raise ValueError(f"shown_rgb must have the shape (h, w, 3), not {shown_rgb.shape}")
        height, width = shown_rgb.shape[:2]
        values = np.ascontiguousarray(shown_rgb)
        digest = hashlib.sha256(f"{height}x{width}:".encode() + values.tobytes()).hexdigest()
        if self.channels == 1:
            values = np.asarray(Image.fromarray(values).convert("L"))
        return self._finish(values, values, (0, 0, height, width), digest, (), (height, width), (0, 0, height, width))

    def _seen_of(self, size: tuple[int, int]) -> tuple[float, float, float, float]:
        """Where the centre crop lies in a picture of this size: (top, left, bottom, right) in the picture's pixels."""
        short, long = sorted(size)
        edges = []
        for side in size:
            resized = self.resize if side == short else int(self.resize * long / short)
            first = _centre_offset(resized, self.crop)
            edges.append((first * side / resized, (first + self.crop) * side / resized))
        (top, bottom), (left, right) = edges
        return (top, left, bottom, right)

    def _resized(self, image: Image.Image, notes: list[str]) -> Image.Image:
        width, height = image.size
        short, long = sorted((width, height))
        # torchvision rounds the longer side down.
        new_long = int(self.resize * long / short)
        size = (self.resize, new_long) if width <= height else (new_long, self.resize)
        resampling = _RESAMPLING[self.interpolation]
        if long > _LONGEST_RATIO * short:
            notes.append(
                f"The picture is {long / short:.0f} times as long as it is wide; only the middle of it fits the "
                f"network's square of {self.crop} × {self.crop} pixels, and the rest was left out."
            )
            return self._resized_middle(image, new_long)
        if size == image.size:
            return image
        verb = "shrunk" if self.resize < short else "enlarged"
        notes.append(
            f"The picture was {verb} from {width} × {height} to {size[0]} × {size[1]} pixels (width × height)."
        )
        return image.resize(size, resampling)

    def _resized_middle(self, image: Image.Image, new_long: int) -> Image.Image:
        """The rows (or columns) of the resized picture that the centre crop sees, and no others."""
        tall = image.height > image.width
        resampling = _RESAMPLING[self.interpolation]
        first, last = _centre_offset(new_long, self.crop), _centre_offset(new_long, self.crop) + self.crop
        if self.resize * new_long <= _LARGEST_RESIZE:
            whole = image.resize((self.resize, new_long) if tall else (new_long, self.resize), resampling)
            return whole.crop((0, first, self.resize, last) if tall else (first, 0, last, self.resize))
        scale = max(image.size) / new_long
        low, high = first * scale, last * scale
        # Whole source pixels first: Pillow keeps a box in single precision, which is exact enough only near zero.
        margin = _REACH[self.interpolation] * max(scale, 1.0) + 1
        begin, end = max(0, int(low - margin)), min(max(image.size), int(high + margin) + 1)
        width, height = image.size
        if tall:
            box = (0.0, low - begin, float(width), high - begin)
            return image.crop((0, begin, width, end)).resize((self.resize, self.crop), resampling, box=box)
        box = (low - begin, 0.0, high - begin, float(height))
        return image.crop((begin, 0, end, height)).resize((self.crop, self.resize), resampling, box=box)

    def _finish(
        self,
        shown: NDArray[np.uint8],
        resized: NDArray[np.uint8],
        crop: tuple[int, int, int, int],
        digest: str,
        notes: tuple[str, ...],
        picture_size: tuple[int, int],
        picture_box: tuple[float, float, float, float],
    ) -> ModelInput:
        import torch  # here, so that pictures can be read and shown before torch is loaded

        channels_first = shown[None] if shown.ndim == 2 else shown.transpose(2, 0, 1)
        # The same operations in the same order as torchvision, so that every bit agrees.
        tensor = torch.from_numpy(np.array(channels_first, order="C")).to(torch.float32).div_(255)
        mean, std = _per_channel(tuple(self.mean)), _per_channel(tuple(self.std))
        shown_rgb = _read_only_rgb(shown)
        return ModelInput(
            tensor=tensor.sub_(mean).div_(std)[None],
            shown_rgb=shown_rgb,
            picture_digest=digest,
            # For what is read only, one copy does where nothing is cropped away.
            resized_rgb=shown_rgb if shown.shape == resized.shape else _read_only_rgb(resized),
            crop=crop,
            mean=self.mean,
            std=self.std,
            notes=notes,
            picture_size=picture_size,
            picture_box=picture_box,
        )


@lru_cache(maxsize=64)
def _per_channel(values: tuple[float, ...]) -> torch.Tensor:
    """Float32 (C, 1, 1), to be read only: every picture of a network is normalised by the same one."""
    import torch

    with torch.inference_mode(False):
        return torch.tensor(values, dtype=torch.float32).view(-1, 1, 1)


def _centre_offset(side: int, crop: int) -> int:
    """Where torchvision's centre crop begins: Python's round(), which takes halves to the even number."""
    return round((side - crop) / 2.0)


def _border(values: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The outermost ring of pixels, flat."""
    return np.concatenate([values[0], values[-1], values[1:-1, 0], values[1:-1, -1]])


def _is_light(values: NDArray[np.uint8]) -> bool:
    """Whether the median lies above the middle of 0 to 255; numpy's own takes longer than all else here."""
    ordered = np.sort(values)
    return int(ordered[(len(ordered) - 1) // 2]) + int(ordered[len(ordered) // 2]) > 2 * 127


def _read_only_rgb(values: NDArray[np.uint8]) -> NDArray[np.uint8]:
    rgb = np.repeat(values[..., None], 3, axis=2) if values.ndim == 2 else np.array(values)
    rgb.setflags(write=False)
    return rgb
