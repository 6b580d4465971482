"""Stages and blocks: how the operations of a network are folded together for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from torch import nn

CLASSIFIER = "Classifier"
Resolution = tuple[int, int]


def resolution(axes: Sequence[str], shape: Sequence[int]) -> Resolution | None:
    """(rows, columns) of an activation that has both axes and more than one cell."""
    if "row" not in axes or "column" not in axes:
        return None
    size = (shape[axes.index("row")], shape[axes.index("column")])
    return None if size == (1, 1) else size


def stages(
    inputs: Mapping[str, Sequence[str]], resolutions: Mapping[str, Resolution | None], blocks: Mapping[str, str]
) -> dict[str, str]:
    """The stage of each operation, given in topological order; the first one is the input.

    Operations of equal resolution are one stage, numbered in order of appearance. A block that makes the maps smaller
    belongs as a whole to the stage that it leads to. An operation without a resolution belongs to the stage of what it
    reads while maps still follow it (squeeze-and-excitation), and to the classifier otherwise.
    """
    leads_to_maps: set[str] = set()
    for name in reversed(list(inputs)):
        if name in leads_to_maps or resolutions[name] is not None:
            leads_to_maps.update(inputs[name])
    sizes: dict[str, Resolution | None] = {}
    in_block: dict[str, list[Resolution]] = {}
    for name, reads in inputs.items():
        size = resolutions[name]
        if size is None and name in leads_to_maps:
            size = next((sizes[r] for r in reads if sizes[r] is not None), None)
        sizes[name] = size
        if blocks[name] and size is not None:
            in_block.setdefault(blocks[name], []).append(size)
    # A "block" of many resolutions is a whole network in a wrapper: it says nothing about stages.
    leads_to = {block: found[-1] for block, found in in_block.items() if len(set(found)) <= 2}
    numbers: dict[Resolution, int] = {}
    titles: dict[str, str] = {}
    for name in inputs:
        size = leads_to.get(blocks[name], sizes[name])
        if not titles:
            titles[name] = "Input"
        elif size is None:
            titles[name] = CLASSIFIER
        else:
            number = numbers.setdefault(size, len(numbers) + 1)
            titles[name] = f"Stage {number} · {size[0]}×{size[1]}"
    return titles


def block(owner: str, root: nn.Module) -> str:
    """The outermost module around an operation that is more than a list of others: "layer1.0 · BasicBlock", or "".

    owner: path of the module whose forward calls the operation. A plain Sequential, ModuleList or ModuleDict is a
    list; so is a class derived from one that holds no layer itself (RegNet's AnyStage, DenseNet's _DenseBlock), while
    one that does (Conv2dNormActivation, DenseNet's _Transition) is a block.
    """
    path = ""
    for part in owner.split(".") if owner else ():
        path = f"{path}.{part}" if path else part
        module = root.get_submodule(path)
        if not _is_list(module):
            return f"{path} · {type(module).__name__.lstrip('_')}"
    return ""


def _is_list(module: nn.Module) -> bool:
    if type(module) in (nn.Sequential, nn.ModuleList, nn.ModuleDict):
        return True
    if not isinstance(module, (nn.Sequential, nn.ModuleList, nn.ModuleDict)):
        return False
    return all(any(True for _ in child.children()) for child in module.children())
