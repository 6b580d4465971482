"""RISE: the picture is seen through many random masks, and each pixel gets the mean score of those that showed it."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from ..masking import BASELINES, answers, baseline, scores
from ..options import Option
from ..registry import Evidence, Job, MethodCard, register


@register(
    MethodCard(
        key="rise",
        title="RISE",
        paper="Petsiuk, Das and Saenko, RISE: Randomized Input Sampling for Explanation of Black-box Models, BMVC 2018 "
        "(arXiv 1806.07421)",
        needs_layer=False,
        cost="1 forward pass for each mask (1000), for all classes at once",
        formula=r"M_{ij} = \frac{1}{N p} \sum_{n=1}^{N} \big(y(x \odot m_n) - \bar{y}\big)\, m_{n,ij}",
        needs="any network",
        family="perturbation",
        options=(
            Option("masks", 1000, "How many masks (paper: 4000 to 8000).", low=2, high=20000),
            Option("cells", 7, "Cells of a mask on each side, before it is enlarged.", low=2, high=64),
            Option("shown", 0.5, "The share of cells that a mask shows.", low=0.01, high=0.99, is_whole=False),
            Option("fill", "zero", "What stands where the mask is closed.", choices=BASELINES),
            Option("relative", True, "Subtract the mean score of all masks first; False is the paper's own sum."),
            Option("seed", 0, "Of the masks.", low=0, high=2**31 - 1),
        ),
        warning="It is a random estimate: with few masks its grain is noise. Another seed shows how much.",
        is_dear=True,
    )
)
def rise(
    job: Job,
    *,
    masks: int = 1000,
    cells: int = 7,
    shown: float = 0.5,
    fill: str = "zero",
    relative: bool = True,
    seed: int = 0,
) -> Evidence:
    """Equation 6 of the paper. Values (h, w), one for each input pixel, in the target's units.

    Departure: the mean score is subtracted first unless relative=False. In expectation that takes a constant off the
    map, so that it says how much better than average the score is where a pixel is shown, and it takes off the noise
    that a large mean times an uneven cover would bring. Where a mask is closed, `fill` shows through (the paper: 0).
    """
    size = (job.x.shape[-2], job.x.shape[-1])
    targets = job.siblings()

    def make_all() -> torch.Tensor:
        """(targets, h, w): one run of the masks serves every target of this picture."""
        drawn = _Masks(masks, cells, shown, size, seed)
        behind = baseline(job, fill, seed=seed)

        def make(part: slice) -> torch.Tensor:
            mask = drawn.of(part).to(job.x)[:, None]
            return behind + mask * (job.x - behind)

        logits = answers(job, masks, make)
        y = torch.stack([scores(target, logits) for target in targets])
        y = y - y.mean(dim=1, keepdim=True) if relative else y
        total = torch.zeros((len(targets), *size), dtype=y.dtype, device=y.device)
        for start in range(0, masks, job.batch_size):
            part = slice(start, min(start + job.batch_size, masks))
            total += torch.einsum("tn,nhw->thw", y[:, part], drawn.of(part).to(total))
        return total / (masks * shown)

    key = ("rise", job.image, masks, cells, shown, fill, relative, seed)
    found = job.batch.once(key, make_all)
    return job.evidence(found[job.sibling], details={"n_masks": masks})


class _Masks:
    """The paper's masks: a coarse random grid, enlarged bilinearly to one cell more than the picture, cut at random.

    Only the grids are kept; the masks are enlarged again whenever they are needed, a batch at a time.
    """

    def __init__(self, n: int, cells: int, shown: float, size: tuple[int, int], seed: int) -> None:
        random = np.random.default_rng(seed)
        self.size = size
        self.step = tuple(-(-side // cells) for side in size)
        self.large = tuple((cells + 1) * step for step in self.step)
        self.grids: NDArray[np.float32] = (random.random((n, cells, cells)) < shown).astype(np.float32)
        self.shifts = np.stack([random.integers(0, step, n) for step in self.step], axis=1)

    def of(self, part: slice) -> torch.Tensor:
        """(b, h, w), float32 between 0 and 1."""
        large = F.interpolate(
            torch.from_numpy(self.grids[part])[:, None], size=self.large, mode="bilinear", align_corners=False
        )[:, 0]
        large = large.clamp(0, 1)  # rounding may leave an interpolated 1 a bit above 1
        height, width = self.size
        shifts = self.shifts[part].tolist()
        return torch.stack([m[r : r + height, c : c + width] for m, (r, c) in zip(large, shifts, strict=True)])
