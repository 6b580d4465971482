"""Gradients with respect to the picture: plain, times the input, averaged over noise, integrated along a path."""

from __future__ import annotations

from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray

from ..batch import ordinary
from ..masking import BASELINES, scores
from ..masking import baseline as baseline_picture
from ..options import Option
from ..passes import layer_gradients
from ..quadrature import RULES, by_error, by_gauss
from ..registry import Evidence, Job, MethodCard, register

CHANNELS: Final = ("absmax", "sum")
CHANNELS_OPTION: Final = Option(
    "channels",
    "absmax",
    "How a pixel's three colour channels become one number: the largest absolute value (nowhere negative), or the sum.",
    choices=CHANNELS,
)
_COST = "1 forward and 1 backward pass"
_NEEDS = "any network"


@register(
    MethodCard(
        key="gradient",
        title="Gradient",
        paper="Simonyan, Vedaldi and Zisserman, Deep Inside Convolutional Networks, ICLR Workshop 2014 "
        "(arXiv 1312.6034)",
        needs_layer=False,
        cost=_COST,
        formula=r"M_{ij} = \max_c \Big|\frac{\partial y}{\partial x_{c,ij}}\Big|",
        needs=_NEEDS,
        family="gradient",
        options=(CHANNELS_OPTION,),
        warning="It says where a small change would matter, which is not where the evidence is; it is noisy, and "
        "vanishes where the score saturates.",
    )
)
def gradient(job: Job, *, channels: str = "absmax") -> Evidence:
    """Section 3 of the paper. Values (h, w), one for each input pixel, in units of the target for each unit of input
    (one standard deviation of the training pictures, where the preprocessing divides by it)."""
    return job.evidence(one_channel(layer_gradients(job.batch, "input")[job.row], channels))


@register(
    MethodCard(
        key="gradient_x_input",
        title="Gradient × input",
        paper="Shrikumar et al., Not Just a Black Box: Learning Important Features Through Propagating Activation "
        "Differences, 2016 (arXiv 1605.01713)",
        needs_layer=False,
        cost=_COST,
        formula=r"M_{ij} = \sum_c x_{c,ij} \frac{\partial y}{\partial x_{c,ij}}",
        needs=_NEEDS,
        family="gradient",
        warning="A pixel of the network's zero colour gets 0 whatever it means; without biases the parts would sum to "
        "the logit, with them they do not (see Full-Grad).",
    )
)
def gradient_x_input(job: Job) -> Evidence:
    """Gradient times the normalised input, summed over channels. Values (h, w), one for each pixel, in the target's
    units; their sum is y exactly for a network of ReLUs without biases."""
    with torch.no_grad():
        return job.evidence((layer_gradients(job.batch, "input")[job.row] * job.x[0]).sum(dim=0))


@register(
    MethodCard(
        key="smoothgrad",
        title="SmoothGrad",
        paper="Smilkov et al., SmoothGrad: removing noise by adding noise, 2017 (arXiv 1706.03825)",
        needs_layer=False,
        cost="1 forward pass, and forward and backward for each sample (50)",
        formula=r"M_{ij} = \max_c \Big|\frac{1}{n}\sum_{s=1}^{n} \frac{\partial y}{\partial x_{c,ij}}"
        r"\big(x + \mathcal{N}(0, \sigma^2)\big)\Big|",
        needs=_NEEDS,
        family="gradient",
        options=(
            Option("samples", 50, "How many noisy copies are averaged.", low=1, high=1000),
            Option(
                "noise",
                0.15,
                "The noise's standard deviation as a share of the input's range (paper: 0.1 to 0.2).",
                low=0.0,
                high=1.0,
                is_whole=False,
            ),
            Option("seed", 0, "Of the noise.", low=0, high=2**31 - 1),
            CHANNELS_OPTION,
        ),
        warning="Smooth does not mean true: the average explains noisy pictures, not this one.",
        is_dear=True,
    )
)
def smoothgrad(
    job: Job, *, samples: int = 50, noise: float = 0.15, seed: int = 0, channels: str = "absmax"
) -> Evidence:
    """The paper's average of gradients over noisy copies; the copies' gradients are averaged with their signs, and then
    the channels become one. The noise depends on `seed` alone, so the same call gives the same map. The target is
    decided on the picture without noise."""
    generator = torch.Generator().manual_seed(seed)
    x, target = job.x, job.target
    sigma = noise * float(x.max() - x.min())
    total = torch.zeros_like(x[0])
    for start in range(0, samples, job.batch_size):
        job.work.check()
        n = min(job.batch_size, samples - start)
        # Drawn one by one, so that the numbers do not depend on the batch size.
        drawn = torch.cat([torch.randn(x.shape, generator=generator, dtype=torch.float32) for _ in range(n)])
        total += input_gradients(job, x + sigma * drawn.to(x)).sum(dim=0)
        job.work.tell(start + n, samples)
    return job.evidence(one_channel(total / samples, channels), details={"sigma": sigma, "target": target.title})


@register(
    MethodCard(
        key="integrated_gradients",
        title="Integrated gradients",
        paper="Sundararajan, Taly and Yan, Axiomatic Attribution for Deep Networks, ICML 2017 (arXiv 1703.01365)",
        needs_layer=False,
        cost="2 forward passes, and forward and backward for each step (50)",
        formula=r"M_{ij} = \sum_c (x_{c,ij} - b_{c,ij}) \int_0^1 "
        r"\frac{\partial y}{\partial x_{c,ij}}\big(b + \alpha (x - b)\big)\,d\alpha",
        needs=_NEEDS,
        family="gradient",
        options=(
            Option("steps", 50, "Points on the path from the baseline to the picture.", low=2, high=1000),
            Option("baseline", "black", "Where the path begins.", choices=BASELINES),
            Option(
                "rule",
                "adaptive",
                "“adaptive” puts the points where the sum is off most, “gauss” at Gauss and Legendre's fixed places.",
                choices=RULES,
            ),
        ),
        warning="It answers “why this picture rather than the baseline?”: another baseline gives another map.",
        is_dear=True,
    )
)
def integrated_gradients(job: Job, *, steps: int = 50, baseline: str = "black", rule: str = "adaptive") -> Evidence:
    """Equation 1 of the paper, the integral with `steps` points, summed over channels.

    Values (h, w), one for each pixel, in the target's units. By the axiom of completeness they sum to y(picture) -
    y(baseline); details holds their "sum", that "difference", and "completeness_error", how far off the sum is as a
    share of the difference. Departure from the paper's equal steps: the score mostly rises on the first tenth of the
    path, so "adaptive" halves those parts of it whose trapezoid is furthest from the score's true change.
    """
    x = job.x
    start = baseline_picture(job, baseline)
    done = 0

    def evaluate(alphas: NDArray[np.float64]) -> tuple[torch.Tensor, NDArray[np.float64]]:
        nonlocal done
        job.work.check()
        at = torch.from_numpy(alphas).to(x)[:, None, None, None]
        found, y = _gradients_and_scores(job, start + at * (x - start))
        done += len(alphas)
        job.work.tell(done, steps)
        return (found * (x - start)).sum(dim=1), y.double().cpu().numpy()

    with torch.no_grad():
        parts = (by_error if rule == "adaptive" else by_gauss)(evaluate, steps, job.batch_size)
        ends = job.classifier.network.run(start)[job.classifier.network.output]
        difference = float(scores(job.target, job.logits[None])[0] - scores(job.target, ends)[0])
    found_sum = float(parts.double().sum())
    error = abs(found_sum - difference) / abs(difference) if difference else float("inf")
    return job.evidence(
        parts,
        note=f"The parts sum to {_signed(found_sum)}; y(picture) − y({baseline}) is {_signed(difference)}: "
        f"{error:.2%} off at {steps} steps.",
        details={"sum": found_sum, "difference": difference, "completeness_error": error},
    )


def _gradients_and_scores(job: Job, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """dy/dx (n, C, h, w) and y (n,) of n pictures, all with the job's target."""
    network, target = job.classifier.network, job.target
    with torch.enable_grad():
        leaf = ordinary(x.detach()).requires_grad_(True)
        y = target.values(network.run(leaf)[network.output])
        (found,) = torch.autograd.grad(y.sum(), leaf)
    return found, y.detach()


def input_gradients(job: Job, x: torch.Tensor) -> torch.Tensor:
    """dy/dx for each of n pictures (n, C, h, w), all with the job's target."""
    return _gradients_and_scores(job, x)[0]


def one_channel(values: torch.Tensor, channels: str) -> torch.Tensor:
    """(C, h, w) -> (h, w)."""
    return values.sum(dim=0) if channels == "sum" else values.abs().amax(dim=0)


def _signed(value: float) -> str:
    return f"{value:.4g}".replace("-", "−")
