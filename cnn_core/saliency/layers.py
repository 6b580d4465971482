"""Which operation a map is read from, and a helpful refusal where an operation has no spatial maps."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import InvalidLayer

if TYPE_CHECKING:
    from ..network import Network, Operation


def resolve_layer(network: Network, layer: str | Operation | None) -> Operation:
    """The operation to read maps (C, H, W), H W > 1, from; None means the last one before the head.

    A module path such as "layer4" means the last operation inside it. Raises InvalidLayer for an unknown name, for an
    operation without maps, and for one that the logits do not depend on; the message names layers that would do.
    """
    name = network.default_layer() if layer is None else layer if isinstance(layer, str) else layer.name
    operation = network[name]
    if not operation.is_spatial:
        shape = " × ".join(map(str, operation.output_shape))
        counted = f"{shape}: {', '.join(operation.axes)}"
        raise InvalidLayer(f"{operation.name!r} has no spatial maps (its output is {counted}). {_would_do(network)}")
    if network.output not in dependents(network, operation.name):
        raise InvalidLayer(f"The prediction does not depend on {operation.name!r}. {_would_do(network)}")
    return operation


def dependents(network: Network, name: str) -> frozenset[str]:
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
