"""Which operation a map is read from, what computing it needs, and a helpful refusal where there are no maps."""

from __future__ import annotations

from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING, Final
from weakref import WeakKeyDictionary

from torch import nn
from torchvision.models.maxvit import RelativePositionalMultiHeadAttention
from torchvision.models.swin_transformer import ShiftedWindowAttention

from ..errors import InvalidLayer
from ..receptive_field import ReceptiveField, receptive_field

if TYPE_CHECKING:
    from ..models import Classifier
    from ..network import LinearHead, Network, Operation


@dataclass(frozen=True, eq=False)
class LayerFacts:
    """What follows from the graph alone, worked out once for each layer: it would cost a tenth of a small forward pass.

    needed: the layer's name, and the operations beside it whose values the rest of the network reads too.
    pooled_by: the global pooling + linear head where it pools this very layer; otherwise None.
    scored_by: the 1 x 1 convolution, later than this layer, that gives each class a map of its own (SqueezeNet);
        otherwise None. All that the logits read passes through it.
    """

    operation: Operation
    needed: frozenset[str]
    pooled_by: LinearHead | None
    scored_by: Operation | None
    field: ReceptiveField


# Networks are held weakly: one that is let go takes its entry with it.
_known: WeakKeyDictionary[Network, dict[str | None, LayerFacts]] = WeakKeyDictionary()
_lock = Lock()


def layer_facts(network: Network, layer: str | Operation | None) -> LayerFacts:
    """The operation to read maps (C, H, W), H W > 1, from; None means the last one before the head.

    A module path such as "layer4" means the last operation inside it. Raises InvalidLayer for an unknown name, for an
    operation without maps, and for one that the logits do not depend on; the message names layers that would do.
    """
    name = layer if layer is None or isinstance(layer, str) else layer.name
    with _lock:
        known = _known.setdefault(network, {})
        if name not in known:
            known[name] = _work_out(network, name)
        return known[name]


_ATTENTION: Final = (nn.MultiheadAttention, ShiftedWindowAttention, RelativePositionalMultiHeadAttention)
_ATTENTION_FUNCTIONS: Final = frozenset({"scaled_dot_product_attention", "shifted_window_attention"})
_is_transformer: WeakKeyDictionary[Network, bool] = WeakKeyDictionary()


def refuse_attention(classifier: Classifier, method: str) -> None:
    """Raises InvalidLayer for a vision transformer, in which no layer with maps stands between picture and class."""
    network = classifier.network
    with _lock:
        if network not in _is_transformer:
            has_module = any(isinstance(part, _ATTENTION) for part in classifier.module.modules())
            _is_transformer[network] = has_module or any(
                operation.kind == "other" and operation.attributes.get("what") in _ATTENTION_FUNCTIONS
                for operation in network.operations
            )
        if not _is_transformer[network]:
            return
    raise InvalidLayer(
        f"{method} reads the maps of a convolutional layer, and {classifier.card.title} is a transformer: it mixes all "
        "places of the picture by attention. Use a method that reads no layer: 'occlusion', 'rise', 'gradient', "
        "'smoothgrad' or 'integrated_gradients'."
    )


def _work_out(network: Network, name: str | None) -> LayerFacts:
    operation = network[network.default_layer() if name is None else name]
    if not operation.is_spatial:
        shape = " × ".join(map(str, operation.output_shape))
        raise InvalidLayer(
            f"{operation.name!r} has no spatial maps (its output is {shape}: {', '.join(operation.axes)}). "
            f"{_would_do(network)}"
        )
    later = _dependents(network, operation.name)
    if network.output not in later:
        raise InvalidLayer(f"The prediction does not depend on {operation.name!r}. {_would_do(network)}")
    head = network.linear_head()
    scoring = _scoring_convolution(network)
    return LayerFacts(
        operation=operation,
        needed=network.needed({operation.name}) | {operation.name},
        pooled_by=head if head is not None and head.maps == operation.name else None,
        scored_by=scoring if scoring is not None and scoring.name in later else None,
        field=receptive_field(network, operation),
    )


def _scoring_convolution(network: Network) -> Operation | None:
    """The last operation with weights, where it is a plain 1 x 1 convolution and the only way to the logits."""
    operation = network[network.output]
    while operation.kind not in ("conv2d", "linear"):
        if len(operation.inputs) != 1:
            return None
        operation = network[operation.inputs[0]]
    plain = {"kernel_size": (1, 1), "stride": (1, 1), "padding": (0, 0), "groups": 1}
    is_plain = operation.kind == "conv2d" and all(operation.attributes[name] == value for name, value in plain.items())
    return operation if is_plain else None


def _dependents(network: Network, name: str) -> frozenset[str]:
    """The names of all operations whose output depends on this one's, itself excluded."""
    found: set[str] = set()
    waiting = [name]
    while waiting:
        for consumer in network.consumers(waiting.pop()):
            if consumer not in found:
                found.add(consumer)
                waiting.append(consumer)
    return frozenset(found)


def _would_do(network: Network) -> str:
    """A sentence with the default layer first, then a few from the deepest to the shallowest."""
    names = [operation.name for operation in network.map_layers()]
    spread = [names[round(i * (len(names) - 1) / 3)] for i in (3, 2, 1, 0)]
    shown = list(dict.fromkeys([network.default_layer(), *spread]))
    rest = len(names) - len(shown)
    more = f" and {rest} more" if rest > 0 else ""
    return f"Layers with maps: {', '.join(map(repr, shown))}{more}."
