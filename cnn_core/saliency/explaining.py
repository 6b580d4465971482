"""`explain` and `explain_classes`: one call from a picture and a class, or several, to saliency maps."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from ..errors import InvalidOption
from ..images import ModelInput, Picture, load_image
from .batch import Batch
from .fusion import FUSIONS, Fusion, fuse
from .layers import layer_facts, refuse_attention
from .maps import SaliencyMap, judge
from .passes import share_gradients
from .placement import Placement
from .progress import Progress, ShouldStop, Work
from .registry import BATCH_SIZE, Evidence, Job, check_options, method_card, run_method
from .targets import Score, TargetRequest, check_request

if TYPE_CHECKING:
    from ..models import Classifier
    from ..network import Operation
    from ..tracing import Trace


def explain(
    classifier: Classifier,
    picture_or_input: Any,
    *,
    method: str = "gradcam",
    target: TargetRequest = None,
    layer: str | Operation | Sequence[str | Operation] | None = None,
    score: Score = "logit",
    rectify: bool = True,
    trace: Trace | None = None,
    fusion: Fusion = "mean",
    batch_size: int | None = None,
    on_progress: Progress | None = None,
    should_stop: ShouldStop | None = None,
    **options: Any,
) -> SaliencyMap:
    """Which places of a picture speak for a class, by one of `saliency_methods()`.

    picture_or_input: a ModelInput, a Picture, or anything that `load_image` takes.
    target: None for the top class, an index, a class name, or (a, b) for the margin "a rather than b".
    layer: an operation's name or a module path; None for the last layer with spatial maps before the head; several as a
    list or tuple are fused (see `fusion.fuse`): each map divided by its own largest value, then their mean or maximum.
    score: "logit", "probability", or "centred" (the logit minus the mean logit).
    rectify: True keeps what speaks for the target only (max(0, .)); False keeps both signs.
    trace: the finished forward pass of this very input, so that none has to be run again.
    batch_size: at most so many pictures in one forward pass, for methods that run many (None: 8).
    on_progress(done, total) is told, and should_stop() asked, by the methods whose card says `is_dear`.
    options: the method's own; its card lists them with their limits.

    Raises UnknownMethod, UnknownClass, InvalidLayer or InvalidOption, each saying what would be right, and Stopped.

    >>> import cnn_core as cc
    >>> model = cc.load_model("lenet5")
    >>> found = cc.explain(model, cc.load_image("assets/samples/digit_3.png"), method="gradcam")
    >>> found.layer, found.values.shape, found.target.label
    ('pool2', (5, 5), '3')
    """
    asked = Request(method, layer, score, rectify, fusion, batch_size, options)
    return explain_rows(
        classifier, [picture_or_input], [target], asked, trace=trace, work=Work(on_progress, should_stop)
    )[0]


def explain_classes(
    classifier: Classifier,
    picture_or_input: Any,
    targets: Sequence[TargetRequest],
    *,
    method: str = "gradcam",
    layer: str | Operation | Sequence[str | Operation] | None = None,
    score: Score = "logit",
    rectify: bool = True,
    trace: Trace | None = None,
    fusion: Fusion = "mean",
    batch_size: int | None = None,
    on_progress: Progress | None = None,
    should_stop: ShouldStop | None = None,
    **options: Any,
) -> tuple[SaliencyMap, ...]:
    """The maps of several targets of one picture, in their order, from one forward pass.

    Where the head is pooling + linear every further class costs one small product; elsewhere the classes' gradients go
    back through the head together; methods that run masked pictures (occlusion, RISE, Score-CAM, Ablation-CAM) run them
    once for all. targets: each as in `explain`. Each map's `seconds` is its share of the time.
    """
    if isinstance(targets, str) or not isinstance(targets, Sequence) or not targets:
        raise InvalidOption("targets is a list of at least one class, name or pair.")
    asked = Request(method, layer, score, rectify, fusion, batch_size, options)
    return explain_rows(
        classifier, [picture_or_input], list(targets), asked, trace=trace, work=Work(on_progress, should_stop)
    )


def explain_layers(
    classifier: Classifier,
    picture_or_input: Any,
    layers: Sequence[str | Operation],
    *,
    method: str = "gradcam",
    target: TargetRequest = None,
    score: Score = "logit",
    rectify: bool = True,
    trace: Trace | None = None,
) -> tuple[SaliencyMap, ...]:
    """One target at several layers, a map for each in their order, from one pass forward and one back for all of them.

    As `explain`, layer by layer, which takes a pass through the rest of the network for each. Methods that read more
    than activations and gradients run what they need for each layer. Raises what `explain` raises.
    """
    start = time.perf_counter()
    asked = Request(method, list(layers), score, rectify)
    operations = asked.check(classifier, [target])
    model_input = _input_of(classifier, picture_or_input, trace)
    with torch.inference_mode(False):
        batch = Batch(classifier, [model_input], [target], score, trace)
        share_gradients(batch, [operation.name for operation in operations if operation is not None])
        jobs = [Job(batch, 0, operation) for operation in operations]
        found = [run_method(method, job, {}) for job in jobs]
    seconds = (time.perf_counter() - start) / len(jobs)
    by_name = {
        job.maps_layer.name: _map_of(job, asked, evidence, seconds) for job, evidence in zip(jobs, found, strict=True)
    }
    return tuple(by_name[layer_facts(classifier.network, layer).operation.name] for layer in layers)


@dataclass(frozen=True, eq=False)
class Request:
    """How maps are made: the arguments of `explain` that pictures and targets have in common."""

    method: str = "gradcam"
    layer: Any = None
    score: Score = "logit"
    rectify: bool = True
    fusion: Fusion = "mean"
    batch_size: int | None = None
    options: Mapping[str, Any] | None = None

    def check(self, classifier: Classifier, targets: Sequence[Any]) -> tuple[Operation | None, ...]:
        """Refuse what can be refused before any forward pass; returns the layers to read."""
        card = method_card(self.method)
        check_options(self.method, self.options or {})
        for target in targets:
            check_request(target, self.score)
        if self.fusion not in FUSIONS:
            raise InvalidOption(f"Unknown fusion {self.fusion!r}. It is one of: {', '.join(map(repr, FUSIONS))}.")
        is_whole = isinstance(self.batch_size, int | np.integer) and not isinstance(self.batch_size, bool)
        if self.batch_size is not None and not (is_whole and self.batch_size > 0):
            raise InvalidOption(f"batch_size must be a whole number from 1 up, and is {self.batch_size!r}.")
        if not card.needs_layer:
            if self.layer is not None:
                raise InvalidOption(f"{card.title} explains the whole network and reads no layer: leave the layer out.")
            return (None,)
        refuse_attention(classifier, card.title)
        layers = list(self.layer) if isinstance(self.layer, list | tuple) else [self.layer]
        if not layers:
            raise InvalidOption("At least one layer is needed for a fusion; None means the last one with maps.")
        found = [layer_facts(classifier.network, layer).operation for layer in layers]
        return tuple(dict.fromkeys(found))


def explain_rows(
    classifier: Classifier,
    sources: Sequence[Any],
    targets: Sequence[TargetRequest],
    asked: Request,
    *,
    trace: Trace | None = None,
    work: Work | None = None,
) -> tuple[SaliencyMap, ...]:
    """The maps of several rows: either one target for each picture, or several targets of one picture."""
    start = time.perf_counter()
    work, batch_size = work or Work(), asked.batch_size or BATCH_SIZE
    layers = asked.check(classifier, targets)
    inputs = [_input_of(classifier, source, trace) for source in sources]
    # A caller's inference_mode would make tensors that no graph can hold: leave it while the maps are made.
    with torch.inference_mode(False):
        batch = Batch(classifier, inputs, targets, asked.score, trace)
        jobs = [
            Job(batch, row, layer, work.part(row * len(layers) + place, len(targets) * len(layers)), batch_size)
            for row in range(len(targets))
            for place, layer in enumerate(layers)
        ]
        found = [run_method(asked.method, job, asked.options or {}) for job in jobs]
    seconds = (time.perf_counter() - start) / len(targets)
    made = [_map_of(job, asked, evidence, seconds) for job, evidence in zip(jobs, found, strict=True)]
    if len(layers) == 1:
        return tuple(made)
    return tuple(fuse(made[i : i + len(layers)], asked.fusion) for i in range(0, len(made), len(layers)))


def _map_of(job: Job, asked: Request, evidence: Evidence, seconds: float) -> SaliencyMap:
    raw = np.asarray(evidence.values, dtype=np.float32)
    is_empty, note = judge(raw, rectified=asked.rectify, label=evidence.target.label)
    values = np.maximum(raw, np.float32(0)) if asked.rectify else raw
    values.setflags(write=False)
    size = (job.model_input.tensor.shape[-2], job.model_input.tensor.shape[-1])
    return SaliencyMap(
        values=values,
        target=evidence.target,
        target_value=evidence.target.value(evidence.logits),
        layer=None if job.layer is None else job.layer.name,
        layer_title="Input" if job.layer is None else job.layer.title,
        method=asked.method,
        rectified=asked.rectify,
        raw_range=(float(raw.min()), float(raw.max())),
        is_empty=is_empty,
        note=f"{note} {evidence.note}".strip(),
        shown_rgb=job.model_input.shown_rgb,
        placement=evidence.placement or placement_of(job.classifier, job.layer, size),
        model_key=job.classifier.key,
        seconds=seconds,
        details=dict(evidence.details),
        remark=evidence.note,
    )


def placement_of(classifier: Classifier, operation: Operation | None, input_size: tuple[int, int]) -> Placement:
    """Where an operation's cells lie on the input; None stands for the input itself, cell for pixel.

    Cells that see everything and have no local path (stride 0) are spread evenly over the picture.
    """
    if operation is None:
        return Placement((0.5, 0.5), (1.0, 1.0), input_size)
    field = layer_facts(classifier.network, operation).field
    if 0 in field.stride:
        height, width = (pixels / cells for pixels, cells in zip(input_size, operation.output_shape[1:], strict=True))
        return Placement((height / 2, width / 2), (height, width), input_size)
    (row, column), (down, right) = field.offset, field.stride
    return Placement((float(row), float(column)), (float(down), float(right)), input_size)


def _input_of(classifier: Classifier, source: Any, trace: Trace | None) -> ModelInput:
    """The model's input, prepared if need be; a trace must be of this classifier and this input."""
    if trace is None:
        model_input = source if isinstance(source, ModelInput) else classifier.preprocess(source)
        if model_input.tensor.dim() != 4 or model_input.tensor.shape[0] != 1:
            shape = tuple(model_input.tensor.shape)
            raise InvalidOption(
                f"A map explains one picture, (1, C, h, w); the input has the shape {shape}. For several pictures use "
                "explain_many."
            )
        return model_input
    if trace.classifier_key != classifier.key:
        raise InvalidOption(
            f"The trace is of another model ({trace.classifier_key}, not {classifier.key}): trace this model's pass."
        )
    traced = trace.input
    if traced is None:
        raise InvalidOption("The trace does not say which picture it is of: trace a ModelInput or a Picture.")
    if isinstance(source, ModelInput):
        same = source is traced or torch.equal(source.tensor, traced.tensor)
    else:
        picture = source if isinstance(source, Picture) else load_image(source)
        same = picture.digest == traced.picture_digest
    if not same:
        raise InvalidOption("The trace is of another picture: trace this one, or leave the trace out.")
    return traced
