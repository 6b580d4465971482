"""`explain`: one call from a picture and a class to a saliency map."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from ..errors import InvalidOption
from ..images import ModelInput, Picture, load_image
from .layers import layer_facts
from .maps import SaliencyMap, judge
from .placement import Placement
from .registry import Job, check_options, method_card, run_method
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
    layer: str | Operation | None = None,
    score: Score = "logit",
    rectify: bool = True,
    trace: Trace | None = None,
    **options: Any,
) -> SaliencyMap:
    """Which places of a picture speak for a class, by one of `saliency_methods()`.

    picture_or_input: a ModelInput, a Picture, or anything that `load_image` takes.
    target: None for the top class, an index, a class name, or (a, b) for the margin "a rather than b".
    layer: an operation's name or a module path; None for the last layer with spatial maps before the head.
    score: "logit", "probability", or "centred" (the logit minus the mean logit).
    rectify: True keeps what speaks for the target only (max(0, .)); False keeps both signs.
    trace: the finished forward pass of this very input, so that none has to be run again.
    options: the method's own.

    Raises UnknownMethod, UnknownClass, InvalidLayer or InvalidOption, each saying what would be right.
    """
    start = time.perf_counter()
    card = method_card(method)
    check_options(method, options)
    check_request(target, score)
    model_input = _input_of(classifier, picture_or_input, trace)
    if not card.needs_layer and layer is not None:
        raise InvalidOption(f"{card.title} explains the whole network and reads no layer: leave the layer out.")
    operation = layer_facts(classifier.network, layer).operation if card.needs_layer else None
    evidence = run_method(method, Job(classifier, model_input, target, score, operation, trace), options)

    raw = np.asarray(evidence.values, dtype=np.float32)
    is_empty, note = judge(raw, rectified=rectify, label=evidence.target.label)
    values = np.maximum(raw, np.float32(0)) if rectify else raw
    values.setflags(write=False)
    return SaliencyMap(
        values=values,
        target=evidence.target,
        target_value=evidence.target.value(evidence.logits),
        layer=None if operation is None else operation.name,
        layer_title="Input" if operation is None else operation.title,
        method=method,
        rectified=rectify,
        raw_range=(float(raw.min()), float(raw.max())),
        is_empty=is_empty,
        note=note,
        shown_rgb=model_input.shown_rgb,
        placement=placement_of(classifier, operation, (model_input.tensor.shape[-2], model_input.tensor.shape[-1])),
        model_key=classifier.key,
        seconds=time.perf_counter() - start,
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
            raise InvalidOption(f"A map explains one picture, (1, C, h, w); the input has the shape {shape}.")
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
