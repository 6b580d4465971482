"""What the swaps found: rates, examples, the verdict, two networks side by side, and the report as a file."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import streamlit as st

from cnn_core.bias.result import AuditReport
from cnn_core.bias.swap_result import ARMS, Arm, SwapExample, SwapTest
from cnn_core.bias.verdict import LEAST_PICTURES
from ui import audit_run
from ui.audit_look import share_of, short
from ui.audit_room import Held, Room
from ui.instruments.wall import Tile, wall
from ui.text import plain

_ICONS: Final = {"supported": ":material/warning:", "not_supported": ":material/check:", "too_few": ":material/help:"}
_KINDS: Final = {"label": "label", "predicted": "predicted class", "tag": "background tag"}
_SHORT: Final[dict[Arm, str]] = {"same": "control", "other": "another kind", "removed": "no object"}


def swaps(report: AuditReport | None) -> None:
    """Step 4: the rates and the composites, once there are some."""
    st.markdown(
        "Each boxed object is put on the backgrounds of other pictures: of **another** kind, and of its **own** kind "
        "as the control, which has the same pasted edges. Only the difference says what the background decides."
    )
    swap = None if report is None else report.swap
    if report is None or swap is None:
        st.caption("Nothing was swapped yet: draw boxes, then run the swaps.")
        return
    _rates(swap, _KINDS[report.settings.by])
    _sides(swap)
    _examples(report, swap.examples)
    if swap.not_tried:
        st.caption(plain(swap.not_tried))


def _rates(swap: SwapTest, kind: str) -> None:
    if swap.n == 0:
        st.info(
            "No boxed picture could lend another one a background of both kinds yet. Box pictures of at least two "
            "kinds, two or more of each.",
            icon=":material/info:",
        )
    else:
        lines = ["| the object stands | its answer changes in |", "| --- | ---: |"]
        lines.append(f"| on backgrounds of another kind | {100 * swap.other:.0f} % |")
        lines.append(f"| on backgrounds of the same kind (control) | {100 * swap.same:.0f} % |")
        found = swap.difference
        low, high = (f"{round(100 * edge)}".replace("-", "−") for edge in (found.low, found.high))
        estimate = f"{round(100 * found.estimate)}".replace("-", "−")
        lines.append(
            f"| **difference** | **{points(estimate)}** ({100 * found.level:.0f} % interval {low} to {high}) |"
        )
        st.markdown("\n".join(lines))
        st.caption(
            f"Of one kind: of the same {kind}. n = {swap.n} pictures that could be put on both; each counts once. The "
            "interval is a paired bootstrap over pictures."
        )
    if swap.removed.n:
        st.caption(f"With the object painted over, the answer changes in {plain(share_of(swap.removed))}.")


def points(written: str) -> str:
    """ "1 point", "−98 points"."""
    return f"{written} point{'s' * (written not in ('1', '−1'))}"


def _sides(swap: SwapTest) -> None:
    if len(swap.sides) > 1:
        lines = ["| pictures of | n | on another kind | on their own |", "| --- | ---: | ---: | ---: |"]
        lines += [
            f"| {plain(one.side)} | {one.n} | {100 * one.other:.0f} % | {100 * one.same:.0f} % |" for one in swap.sides
        ]
        st.markdown("\n".join(lines))


def _examples(report: AuditReport, examples: Sequence[SwapExample]) -> None:
    if not examples:
        return
    st.markdown("**What the network saw**, a few pictures evenly from the folder")
    by_picture: dict[int, list[SwapExample]] = {}
    for one in examples:
        by_picture.setdefault(one.index, []).append(one)
    tiles: list[Tile] = []
    for index, own in by_picture.items():
        row = report.row(index)
        said = f"{row.name} as it is: {row.predicted_name} {row.probability:.2f}."
        first = Tile(
            len(tiles), row.predicted_name, short(row.probability), "", "as it is", said, report.thumbnail(index)
        )
        tiles.append(first)
        for example in sorted(own, key=lambda one: list(ARMS).index(one.arm)):
            tiles.append(_example(row.name, example, len(tiles)))
    wall(tiles, key="cl_audit_examples", label="Pictures and their swapped versions", size=96, columns=4)
    st.caption("✗: the answer is another than on the picture as it is. ✓: it stayed.")


def _example(name: str, one: SwapExample, number: int) -> Tile:
    what = "changed" if one.flipped else "stayed"
    return Tile(
        id=number,
        title=one.predicted_name,
        value=short(one.probability),
        mark="✗" if one.flipped else "✓",
        note=_SHORT[one.arm],
        said=f"{name}, {ARMS[one.arm].lower()}: {one.predicted_name} {one.probability:.2f}; the answer {what}.",
        thumb=one.jpeg,
    )


# --- the verdict


def verdict(room: Room, held: Held | None, *, fresh: bool) -> None:
    """The card on the right: empty until the swaps have something to say."""
    st.markdown("**Verdict**")
    swap = None if held is None else held.report.swap
    if held is None or swap is None:
        n = len(room.boxes)
        enough = (
            f"{n} of at least {LEAST_PICTURES} pictures have boxes."
            if n < LEAST_PICTURES
            else f"{n} pictures have boxes: run the swaps."
        )
        st.caption(f"None yet. A map proposes; only swaps decide. {enough}")
        return
    found = held.report.verdict
    draw = {"supported": st.warning, "not_supported": st.success, "too_few": st.info}[found.key]
    draw(f"**{plain(found.title)}.** {plain(found.sentence)}", icon=_ICONS[found.key])
    st.caption(f"{plain(held.title)}. {plain(found.next_step)}")
    boxes = held.report.boxes
    if boxes is not None and boxes.mean_enrichment is not None:
        st.caption(
            f"What the maps propose: {boxes.mean_enrichment:.2f} times as much evidence in the boxes as their area "
            f"would hold by chance (n = {boxes.n}; 1: no preference). The verdict does not rest on this."
        )
    if not fresh:
        st.caption("Boxes, tags or the network have changed since: run the swaps again.")


# --- side by side


def compare(first: Held, second: Held) -> None:
    """Two networks on the same pictures with the same boxes: did the repair work?"""
    rows = [
        ("right, over all", _accuracy),
        ("worst group", _worst),
        ("evidence in the boxes, times their area", _enrichment),
        ("changes on another kind of background", lambda one: _swap(one, "other")),
        ("changes on its own kind of background", lambda one: _swap(one, "same")),
        ("difference", _difference),
        ("verdict", lambda one: plain(one.verdict.title)),
    ]
    lines = [f"| | {plain(first.title)} | {plain(second.title)} |", "| --- | --- | --- |"]
    lines += [f"| {name} | {read(first.report)} | {read(second.report)} |" for name, read in rows]
    st.markdown("\n".join(lines))
    st.markdown(_sentence(first, second))


def _accuracy(report: AuditReport) -> str:
    return "–" if report.accuracy is None else plain(share_of(report.accuracy.right))


def _worst(report: AuditReport) -> str:
    worst = None if report.groups is None else report.groups.worst
    if worst is None or worst.right.share is None:
        return "–"
    return f"{100 * worst.right.share:.0f} % ({plain(worst.label)} on {plain(worst.tag)}, n = {worst.right.n})"


def _enrichment(report: AuditReport) -> str:
    boxes = report.boxes
    return "–" if boxes is None or boxes.mean_enrichment is None else f"{boxes.mean_enrichment:.2f} (n = {boxes.n})"


def _swap(report: AuditReport, arm: str) -> str:
    if report.swap is None or report.swap.n == 0:
        return "–"
    return f"{100 * getattr(report.swap, arm):.0f} % (n = {report.swap.n})"


def _difference(report: AuditReport) -> str:
    if report.swap is None or report.swap.n == 0:
        return "–"
    found = report.swap.difference
    estimate, low, high = (f"{round(100 * one)}".replace("-", "−") for one in (found.estimate, found.low, found.high))
    return f"{points(estimate)} ({low} to {high})"


def _sentence(first: Held, second: Held) -> str:
    one, other = first.report.verdict.key, second.report.verdict.key
    if "too_few" in (one, other):
        return "For at least one of them the pictures are too few: a comparison would be a guess."
    if one == other:
        both = "Both rely on the background" if one == "supported" else "Neither shows that it relies on the background"
        return f"**{both}**, on these pictures."
    repaired = first if one == "not_supported" else second
    return f"**{plain(repaired.title)} does not lean on the background; the other one does**, on these pictures."


# --- files


def downloads(held: Held, role: str) -> None:
    """The report as a page, a table and plain data."""
    name = f"audit_{''.join(c if c.isalnum() else '_' for c in held.report.settings.model_key)[:40]}"
    kinds = (
        ("Report", "html", "text/html", held.report.to_html, ":material/description:"),
        ("Table", "csv", "text/csv", held.report.to_csv, ":material/table:"),
        ("Data", "json", "application/json", lambda: _json(held.report), ":material/data_object:"),
    )
    with st.container(horizontal=True, gap="small"):
        for title, ending, mime, make, icon in kinds:
            st.download_button(
                f"{title} (.{ending})",
                data=make,
                file_name=f"{name}.{ending}",
                mime=mime,
                key=f"cl_audit_save_{role}_{ending}",
                on_click="ignore",
                icon=icon,
                type="primary" if ending == "html" else "secondary",
            )


def _json(report: AuditReport) -> str:
    import json

    return json.dumps(report.to_dict(), indent=1, allow_nan=False)


def example_truth(network: str) -> str | None:
    """What was measured of an example network, once its verdict is there."""
    suspect = audit_run.examples().get(network)
    if suspect is None:
        return None
    return (
        f"The truth about this example: it was {suspect.trained}. On 200 other animals on their usual ground it names "
        f"{100 * suspect.biased_accuracy:.1f} % right, on the other’s ground {100 * suspect.counter_accuracy:.1f} %."
    )
