"""Kernels to play with: the presets, the output's size, and a reference convolution of one grey picture."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .errors import InvalidOption, suggest

Grid = NDArray[np.float64]


@dataclass(frozen=True)
class KernelPreset:
    """A kernel with a name and one sentence that says what it answers."""

    key: str
    title: str
    weights: tuple[tuple[float, ...], ...]
    meaning: str


_PRESETS: Final[dict[str, KernelPreset]] = {}


def _preset(key: str, title: str, weights: tuple[tuple[float, ...], ...], meaning: str) -> None:
    if key in _PRESETS:
        raise ValueError(f"the kernel {key!r} is registered twice")
    _PRESETS[key] = KernelPreset(key, title, weights, meaning)


_preset(
    "identity", "Identity", ((0, 0, 0), (0, 1, 0), (0, 0, 0)), "Copies the middle pixel: the picture stays as it is."
)
_preset(
    "blur",
    "Blur",
    ((1 / 9,) * 3,) * 3,
    "The mean of nine neighbours: small differences are smoothed away.",
)
_preset(
    "sharpen",
    "Sharpen",
    ((0, -1, 0), (-1, 5, -1), (0, -1, 0)),
    "The pixel, plus how much it differs from its four neighbours: edges stand out.",
)
_preset(
    "vertical-edge",
    "Vertical edge",
    ((-1, 0, 1), (-2, 0, 2), (-1, 0, 1)),
    "Right minus left: positive where it gets brighter to the right, negative where darker, zero where flat.",
)
_preset(
    "horizontal-edge",
    "Horizontal edge",
    ((-1, -2, -1), (0, 0, 0), (1, 2, 1)),
    "Below minus above: positive where it gets brighter downwards, negative where darker, zero where flat.",
)
_preset(
    "laplacian",
    "Laplacian",
    ((0, 1, 0), (1, -4, 1), (0, 1, 0)),
    "Four neighbours minus four times the middle: answers spots and thin lines in any direction.",
)
_preset(
    "emboss",
    "Emboss",
    ((-2, -1, 0), (-1, 1, 1), (0, 1, 2)),
    "The pixel, plus lower right minus upper left: the picture looks pressed into metal, lit from one side.",
)
_preset(
    "corner",
    "Corner",
    ((-1, -1, -1), (-1, 1.25, 1.25), (-1, 1.25, 1.25)),
    "Bright below and to the right, dark above and to the left: answers upper left corners of bright things most.",
)
_preset(
    "texture",
    "Texture",
    ((1, -2, 1), (-2, 4, -2), (1, -2, 1)),
    "Zero on flat areas, slopes and straight upright or level edges: what is left is fine grain.",
)


def list_presets() -> tuple[KernelPreset, ...]:
    """The nine presets, in the order in which a lesson shows them."""
    return tuple(_PRESETS.values())


def kernel_preset(key: str) -> KernelPreset:
    """The preset of that key; InvalidOption when there is none."""
    if key not in _PRESETS:
        raise InvalidOption(f"There is no kernel preset {key!r}. {suggest(key, _PRESETS)}")
    return _PRESETS[key]


def output_size(size: int, kernel_size: int, *, stride: int = 1, padding: int = 0, dilation: int = 1) -> int:
    """How many outputs fit along one axis: floor((size + 2 padding - dilation (kernel_size - 1) - 1) / stride) + 1.

    0 where the kernel does not fit into the padded input. Source: torch.nn.Conv2d's documentation; Dumoulin and
    Visin, "A guide to convolution arithmetic for deep learning" (2016), relationship 15. Raises InvalidOption for a
    size, kernel_size, stride or dilation below 1, or a padding below 0.

    >>> output_size(32, 5)
    28
    >>> output_size(224, 7, stride=2, padding=3)
    112
    """
    least = {"size": (size, 1), "kernel_size": (kernel_size, 1), "stride": (stride, 1), "padding": (padding, 0)}
    for name, (value, low) in {**least, "dilation": (dilation, 1)}.items():
        if value < low:
            raise InvalidOption(f"{name} must be at least {low}, not {value}.")
    room = size + 2 * padding - dilation * (kernel_size - 1) - 1
    return max(0, room // stride + 1)


def convolve(
    values: ArrayLike, kernel: ArrayLike, bias: float = 0.0, *, stride: int = 1, padding: int = 0, dilation: int = 1
) -> Grid:
    """Slide one kernel over one grid of numbers, as networks do it: the kernel is not flipped (cross-correlation).

    values: (H, W) and kernel: (kH, kW), any real numbers; the result is float64 (oH, oW), computed in float64 by
    plain sums, so that it can check torch and be checked by hand. Empty where the kernel does not fit.
    """
    grid, weights = np.asarray(values, dtype=np.float64), np.asarray(kernel, dtype=np.float64)
    options = {"stride": stride, "padding": padding, "dilation": dilation}
    rows, columns = (output_size(n, k, **options) for n, k in zip(grid.shape, weights.shape, strict=True))
    padded = np.pad(grid, padding)
    total = np.full((rows, columns), float(bias))
    if total.size == 0:
        return total
    for (i, j), weight in np.ndenumerate(weights):
        top, left = i * dilation, j * dilation
        window = padded[top : top + stride * (rows - 1) + 1 : stride, left : left + stride * (columns - 1) + 1 : stride]
        total += weight * window
    return total


def torch_convolve(
    values: ArrayLike, kernel: ArrayLike, bias: float = 0.0, *, stride: int = 1, padding: int = 0, dilation: int = 1
) -> NDArray[np.float32]:
    """The same by torch.nn.functional.conv2d in float32: what a network would compute. Empty where nothing fits."""
    grid, weights = np.asarray(values, dtype=np.float32), np.asarray(kernel, dtype=np.float32)
    options = {"stride": stride, "padding": padding, "dilation": dilation}
    shape = tuple(output_size(n, k, **options) for n, k in zip(grid.shape, weights.shape, strict=True))
    import torch  # here, so that the presets can be listed before torch is loaded

    picture, kernels = (torch.from_numpy(array.copy())[None, None] for array in (grid, weights))
    try:
        with torch.inference_mode():
            result = torch.nn.functional.conv2d(
                picture, kernels, torch.tensor([bias]), stride=stride, padding=padding, dilation=dilation
            )
    except RuntimeError:
        if 0 in shape:  # torch refuses a kernel that does not fit, and the formula says so too
            return np.zeros(shape, dtype=np.float32)
        raise
    return np.asarray(result[0, 0].numpy())


def luminance(rgb: NDArray[np.uint8]) -> Grid:
    """Grey values 0 to 1 of a picture: (0.299 R + 0.587 G + 0.114 B) / 255 (ITU-R BT.601), float64 (H, W)."""
    red, green, blue = (rgb[..., channel].astype(np.float64) for channel in range(3))
    return (0.299 * red + 0.587 * green + 0.114 * blue) / 255.0


@dataclass(frozen=True)
class Region:
    """A part of a picture, seen as a grid: `rows` x `columns` cells, each the mean of `zoom` x `zoom` pixels.

    top and left are the pixel of the first cell's corner.
    """

    top: int
    left: int
    rows: int
    columns: int
    zoom: int

    @classmethod
    def centred(cls, height: int, width: int, cells: int) -> Region:
        """The largest region of about `cells` x `cells` in the middle of a picture of height x width pixels.

        A picture smaller than that gives fewer rows or columns, never an empty region.
        """
        zoom = max(1, min(height, width) // cells)
        rows, columns = min(cells, height // zoom), min(cells, width // zoom)
        return cls((height - rows * zoom) // 2, (width - columns * zoom) // 2, rows, columns, zoom)

    def fits(self, height: int, width: int) -> bool:
        """Whether the region lies inside a picture of height x width pixels and has at least one cell."""
        inside = self.top + self.rows * self.zoom <= height and self.left + self.columns * self.zoom <= width
        return min(self.top, self.left) >= 0 and min(self.rows, self.columns, self.zoom) >= 1 and inside

    def values(self, grey: Grid) -> Grid:
        """The cells' numbers, float64 (rows, columns). Raises InvalidOption where the region leaves the picture."""
        if not self.fits(*grey.shape):
            raise InvalidOption(f"{self} does not lie inside a picture of {grey.shape[0]} x {grey.shape[1]} pixels.")
        part = grey[self.top : self.top + self.rows * self.zoom, self.left : self.left + self.columns * self.zoom]
        return part.reshape(self.rows, self.zoom, self.columns, self.zoom).mean(axis=(1, 3))
