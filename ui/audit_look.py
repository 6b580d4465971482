"""The wall: every picture with its map, sorted and filtered; what the network gets right; which maps are alike."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Final

import streamlit as st

from cnn_core.bias.result import AuditReport, PictureRow
from cnn_core.bias.store import overlaid
from cnn_core.bias.swap_result import Rate
from ui import session
from ui.audit_room import Room
from ui.instruments.wall import Tile, wall
from ui.text import plain

PAGE: Final = 48
_SIDE_BY_SIDE: Final = 12
_PAGE: Final = "cl_audit_page"
_FILTER: Final = "cl_audit_filter"

_Sort = Callable[[PictureRow], tuple[float | str, ...]]
SORTS: Final[dict[str, tuple[str, _Sort]]] = {
    "name": ("Name", lambda row: (row.name,)),
    "unsure": ("Least sure first", lambda row: (row.probability,)),
    "sure": ("Surest first", lambda row: (-row.probability,)),
    "wrong": ("Wrong and sure first", lambda row: (1.0 if row.right is None else float(row.right), -row.probability)),
    "scattered": ("Evidence most scattered first", lambda row: (-(row.scatter if row.scatter is not None else 2.0),)),
    "focused": ("Evidence most focused first", lambda row: (row.scatter if row.scatter is not None else 2.0,)),
    "outside": ("Least evidence in the box first", lambda row: (_enrichment(row),)),
}


def _enrichment(row: PictureRow) -> float:
    found = None if row.evidence is None else row.evidence.enrichment
    return math.inf if found is None else found


def look(room: Room, report: AuditReport) -> None:
    """Step 1: the wall, the accuracy, the clusters."""
    _numbers(report)
    rows = _chosen_rows(report)
    _wall(room, report, rows, key="cl_audit_wall")
    _confusion(report)
    _clusters(report)
    if report.bad_files:
        bad = len(report.bad_files)
        with st.expander(f"{bad} file{'s' * (bad != 1)} could not be read", icon=":material/broken_image:"):
            st.markdown("\n".join(f"- {plain(bad.name)}: {plain(bad.reason)}" for bad in report.bad_files[:100]))


def _numbers(report: AuditReport) -> None:
    said = [f"**{len(report.rows):,}** pictures looked at with {report.settings.method_title}"]
    if report.accuracy is not None:
        said.append(f"right: {share_of(report.accuracy.right)}")
    scatters = sorted(row.scatter for row in report.rows if row.scatter is not None)
    if scatters:
        middle = scatters[len(scatters) // 2]
        said.append(f"half of the evidence lies in {100 * middle:.0f} % of the cells (median)")
    st.markdown(" · ".join(said))


def share_of(rate: Rate) -> str:
    """ "83 % (33 of 40, 95 % interval 68 to 91 %)", or that there is none."""
    if rate.share is None:
        return "none to tell"
    interval = f"95 % interval {100 * rate.low:.0f} to {100 * rate.high:.0f} %"
    return f"{100 * rate.share:.0f} % ({rate.count} of {rate.n}, {interval})"


def _chosen_rows(report: AuditReport) -> list[PictureRow]:
    sorts = {key: title for key, (title, _) in SORTS.items() if _has(key, report)}
    chosen = session.get("sort") if session.get("sort") in sorts else "name"
    filters = {"all": "All pictures"}
    if report.accuracy is not None:
        filters["wrong"] = "Wrong ones"
    if any(row.is_boxed for row in report.rows):
        filters["boxed"] = "Boxed ones"
    filters |= {f"cluster {one.number}": f"Maps like group {one.number + 1} ({one.n})" for one in report.clusters}
    if st.session_state.get(_FILTER) not in filters:
        st.session_state[_FILTER] = "all"
    st.session_state["cl_audit_sort"] = chosen
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        st.selectbox(
            "Order", list(sorts), format_func=sorts.__getitem__, key="cl_audit_sort", on_change=_sorted, width=260
        )
        st.selectbox(
            "Show", list(filters), format_func=filters.__getitem__, key=_FILTER, on_change=_from_the_start, width=220
        )
        rows = sorted((row for row in report.rows if _fits(row, st.session_state[_FILTER])), key=SORTS[chosen][1])
        pages = max(1, math.ceil(len(rows) / PAGE))
        if pages > 1:
            st.session_state[_PAGE] = min(pages, max(1, st.session_state.get(_PAGE, 1)))
            st.number_input(f"Page (of {pages})", 1, pages, key=_PAGE, width=130)
        else:
            st.session_state[_PAGE] = 1
    first = PAGE * (st.session_state[_PAGE] - 1)
    return rows[first : first + PAGE]


def _has(key: str, report: AuditReport) -> bool:
    if key == "wrong":
        return report.accuracy is not None
    return key != "outside" or any(row.is_boxed for row in report.rows)


def _fits(row: PictureRow, wanted: str) -> bool:
    if wanted == "wrong":
        return row.right is False
    if wanted == "boxed":
        return row.is_boxed
    return wanted == "all" or wanted == f"cluster {row.cluster}"


def _sorted() -> None:
    session.take("sort", "cl_audit_sort")
    _from_the_start()


def _from_the_start() -> None:
    st.session_state[_PAGE] = 1


def short(probability: float) -> str:
    """A probability in two digits: ".72", "1.00"."""
    return f"{probability:.2f}".removeprefix("0")


def tile(report: AuditReport, row: PictureRow, room: Room, *, veiled: bool = True) -> Tile:
    """A picture on the wall; veiled: with its map over it."""
    boxed = "▢ " if row.name in room.boxes else ""
    tag = room.tags.get(row.name)
    note = f"{boxed}{tag or ''}" or (row.label or "")
    said = (
        f"{row.name}: {row.predicted_name} {row.probability:.2f}, then {row.second_name} {row.second_probability:.2f}"
    )
    if row.label is not None:
        said += f"; label {row.label}"
    if row.scatter is None:
        said += "; the map holds no evidence"
    else:
        said += f"; half of the evidence in {100 * row.scatter:.0f} % of the cells"
    if row.evidence is not None and row.evidence.enrichment is not None:
        said += f"; evidence in the box {row.evidence.enrichment:.2f} times its area"
    if tag:
        said += f"; background “{tag}”"
    return Tile(
        id=row.index,
        title=row.predicted_name,
        value=short(row.probability),
        mark="" if row.right is None else "✓" if row.right else "✗",
        note=note,
        said=f"{said}.",
        thumb=report.thumbnail(row.index),
        map=report.map(row.index) if veiled else None,
    )


def _wall(room: Room, report: AuditReport, rows: Sequence[PictureRow], *, key: str) -> None:
    def open_in_boxes(chosen: tuple[int, ...]) -> None:
        if chosen:
            st.session_state["cl_audit_open"] = report.row(chosen[-1]).name
            session.set("step", "box")

    wall(
        [tile(report, row, room) for row in rows],
        key=key,
        label="Pictures and where the network's evidence lies",
        placement=report.store.key.placement,
        about=f"{report.store.key.digest}:{room.pictures}",
        on_pick=open_in_boxes,
        empty="No picture fits this choice.",
    )
    st.caption("A click, or Enter, opens a picture to draw its box.")


def disagreements(room: Room, first: AuditReport, second: AuditReport, titles: tuple[str, str]) -> None:
    """Two networks' maps side by side: of the pictures that they call differently, or of some where there are none."""
    others = {row.name: row for row in second.rows}
    both = [(row, others[row.name]) for row in first.rows if row.name in others]
    apart = [(one, other) for one, other in both if one.predicted_name != other.predicted_name]
    if apart:
        st.markdown(f"**What they call differently**: {len(apart)} of {len(both)} pictures")
    else:
        st.markdown(f"**They call all {len(both)} pictures the same**; where does each look?")
    pairs = (apart or both)[:_SIDE_BY_SIDE]
    for place, (column, report, title) in enumerate(zip(st.columns(2), (first, second), titles, strict=True)):
        with column:
            st.markdown(plain(title))
            wall(
                [tile(report, pair[place], room) for pair in pairs],
                key=f"cl_audit_apart_{place}",
                label=f"The same pictures, maps of {title}",
                placement=report.store.key.placement,
                size=88,
                columns=3,
            )
    if len(pairs) < len(apart or both):
        st.caption(f"The first {len(pairs)} of them.")


def _confusion(report: AuditReport) -> None:
    found = report.accuracy
    if found is None:
        if any(row.label for row in report.rows):
            st.caption(
                "No label is called as a class of this network is, so what is right cannot be counted; the swaps work "
                "all the same."
            )
        return
    with st.expander(f"Right and wrong by label: {share_of(found.right)}", icon=":material/grid_on:"):
        heads = [f"“{plain(column)}”" for column in found.columns[:-1]]
        if any(counts[-1] for counts in found.confusion):
            heads.append("another class")
        lines = [f"| label | right | {' | '.join(heads)} |", f"| --- | ---: |{' ---: |' * len(heads)}"]
        for label, rate, counts in zip(found.labels, found.per_label, found.confusion, strict=True):
            share = "–" if rate.share is None else f"{100 * rate.share:.0f} % of {rate.n}"
            shown = " | ".join(f"{n:,}" for n in counts[: len(heads)])
            lines.append(f"| **{plain(label)}** | {share} | {shown} |")
        st.markdown("\n".join(lines))
        st.caption("Rows: what the folder says. Columns: what the network says, in pictures.")


def _clusters(report: AuditReport) -> None:
    st.markdown("**Maps that are alike**")
    if not report.clusters:
        st.caption("With fewer than 8 maps that hold evidence there is nothing to group: look at them one by one.")
        return
    st.caption(
        "Grouped by where the evidence lies, not by what is on the picture. Mean picture, and the mean map over it."
    )
    for start in range(0, len(report.clusters), 4):
        with st.container(key=f"cl-pairs-clusters-{start}"):
            columns = st.columns(4)
        for column, one in zip(columns, report.clusters[start : start + 4], strict=False):
            with column:
                over = overlaid(one.mean_picture, one.mean_map, report.store.key.placement)
                st.image(over, width="stretch", alt=f"Group {one.number + 1}: its mean picture under its mean map")
                kinds = ", ".join(f"{plain(name)} {n}" for name, n in one.labels[:3])
                right = "" if one.right.share is None else f"; {100 * one.right.share:.0f} % right"
                st.button(
                    f"Show group {one.number + 1}",
                    key=f"cl_audit_cluster_{one.number}",
                    on_click=_show_cluster,
                    args=(one.number,),
                    type="tertiary",
                )
                st.caption(f"n = {one.n}: {kinds}{right}")


def _show_cluster(number: int) -> None:
    st.session_state[_FILTER] = f"cluster {number}"
    _from_the_start()
