"""Changes in words: the sentence that stands for each on the stack."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

import cnn_core as cc
from cnn_core.changes import Change, ChangePicture, EditBias, EditKernel, SwitchOff
from cnn_core.edited_weights import check_edit
from cnn_core.picture_changes import check_picture_change
from cnn_core.preprocessing_trials import check_sabotage
from ui.arithmetic import number
from ui.text import plain

LISTED = 6


def sentence(change: Change, classifier: cc.Classifier) -> str:
    """What was done, in one sentence of Markdown; a change that does not fit the network has one too."""
    if isinstance(change, SwitchOff):
        many = len(change.channels) > 1
        what = "set to 0" if change.to == "zero" else f"set to {'their own means' if many else 'its own mean'}"
        return f"**{channels(change.channels)}** of `{plain_code(change.operation)}` {what}."
    if isinstance(change, EditKernel):
        words = ("Filter", "channel") if len(change.index) != 2 else ("Kernel of filter", "channel")
        place = " on ".join(f"{word} {at}" for word, at in zip(words, change.index, strict=False))
        return f"**{place}** of `{plain_code(change.operation)}`: {_weights(change, classifier)}."
    if isinstance(change, EditBias):
        return f"**Bias {change.index}** of `{plain_code(change.operation)}` is now {number(change.value)}."
    try:
        if isinstance(change, ChangePicture):
            kind, amount = check_picture_change(change.kind, change.amount)
            size = f" ({number(amount)} {kind.unit})" if kind.unit else ""
            return f"**Picture:** {kind.title.lower()}{size}."
        mistake = check_sabotage(classifier, change.key)
        return f"**Preprocessing:** {mistake.title[0].lower()}{mistake.title[1:]}."
    except cc.ConvLensError:
        return f"**{'Picture' if isinstance(change, ChangePicture) else 'Preprocessing'}:** {plain(_key(change))}."


def channels(indices: Sequence[int]) -> str:
    """ "Channel 3", "Channels 3, 5 and 9", "40 channels (3, 5, 9, 12, 13, 20, …)"."""
    listed = [str(i) for i in indices]
    if len(listed) == 1:
        return f"Channel {listed[0]}"
    if len(listed) <= LISTED:
        return f"Channels {', '.join(listed[:-1])} and {listed[-1]}"
    return f"{len(listed)} channels ({', '.join(listed[:LISTED])}, …)"


def _weights(change: EditKernel, classifier: cc.Classifier) -> str:
    """What became of the weights, said by what was done where that can be seen: all 0, signs flipped, all equal."""
    values = np.asarray(change.values, dtype=np.float32)
    flat = values.reshape(-1)
    if not flat.any():
        return "all 0"
    try:
        own = check_edit(classifier.network, change)[0][change.index].detach().cpu().numpy()
    except cc.ConvLensError:
        return f"{flat.size} new weights"
    if np.array_equal(values, -own):
        return "sign flipped" if flat.size == 1 else "signs flipped"
    middle = tuple(n // 2 for n in values.shape)
    if flat.size > 1 and np.count_nonzero(flat) == 1 and values[middle]:
        return f"its middle alone, {number(float(values[middle]))}"
    if flat.size > 1 and (flat == flat[0]).all():
        return f"all {number(float(flat[0]))}"
    if flat.size == 1:
        return f"{number(float(own.reshape(-1)[0]))} is now {number(float(flat[0]))}"
    return f"{int((values != own).sum())} of {flat.size} weights new, their sum {number(float(flat.sum()))}"


def plain_code(name: str) -> str:
    """A name that stands in a code span: without what would end it."""
    return name.replace("`", "")


def _key(change: Change) -> str:
    return str(getattr(change, "kind", "") or getattr(change, "key", ""))
