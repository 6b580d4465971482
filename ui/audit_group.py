"""Backgrounds: tags given by hand or proposed, and the groups of label and background with the worst one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from typing import Final

import streamlit as st

from cnn_core.bias.groups import MOST_TAGS, group_table, propose_tags
from cnn_core.bias.result import AuditReport, PictureRow
from ui import jobs, waiting
from ui.audit_look import PAGE, share_of, tile
from ui.audit_room import Room
from ui.instruments.wall import wall
from ui.text import plain

_CHOSEN: Final = "cl_audit_tagging"
_NAME: Final = "cl_audit_tag_name"
_WANTED: Final = "cl_audit_propose"
_SHOWN: Final = "cl_audit_tag_shown"


def group(room: Room, report: AuditReport) -> None:
    """Step 2: what stands behind the objects."""
    st.markdown(
        "Which **background** does each picture have? Choose pictures that share one and name it, or let a program "
        "propose groups by colour and texture, and look whether they make sense."
    )
    _proposals(room, report)
    _by_hand(room, report)
    _table(room, report)


def _proposals(room: Room, report: AuditReport) -> None:
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        n = st.number_input("Kinds of background", 2, MOST_TAGS, 2, key="cl_audit_kinds", width=150)
        st.button(
            "Propose",
            key="cl_audit_propose_button",
            icon=":material/auto_awesome:",
            on_click=_ask,
            args=((report.store.key.digest, room.pictures, int(n), len(room.boxes)),),
        )
        if room.beside_tags:
            st.button(
                "Use the tags that come along",
                key="cl_audit_tags_beside",
                icon=":material/label:",
                on_click=_set,
                args=(room, room.beside_tags),
            )
        if room.tags and room.tags_origin == "proposed":
            st.button(
                "They make sense: use them",
                key="cl_audit_accept",
                icon=":material/check:",
                on_click=_accept,
                args=(room,),
                help="The swaps then go by these groups; while they are proposed only, they go by the labels.",
            )
        if room.tags:
            st.button("Forget all tags", key="cl_audit_untag", type="tertiary", on_click=_set, args=(room, {}))
    wanted = st.session_state.get(_WANTED)
    if wanted is None or wanted[:2] != (report.store.key.digest, room.pictures):
        return
    rows, boxes = {row.index: row for row in report.rows}, dict(room.boxes)

    def work(job: jobs.Job) -> dict[str, str]:
        return propose_tags(report.store, rows, wanted[2], regions=boxes)

    found = waiting.ensure("audit_tags", wanted, work, "Grouping the backgrounds", patience=2.0)
    if found is not None:
        st.session_state.pop(_WANTED)
        room.set_tags(found, "proposed", wanted[2])
        _show_first(room)
        st.rerun()


def _ask(wanted: tuple[object, ...]) -> None:
    st.session_state[_WANTED] = wanted


def _set(room: Room, tags: Mapping[str, str]) -> None:
    room.set_tags(tags, "given")
    _show_first(room)
    st.session_state.pop(_WANTED, None)


def _accept(room: Room) -> None:
    room.set_tags(room.tags, "given", room.n_proposed)


def _show_first(room: Room) -> None:
    """What has just got a tag is what one wants to see."""
    st.session_state[_SHOWN] = min(room.tags.values(), default="")


def _by_hand(room: Room, report: AuditReport) -> None:
    counts = Counter(room.tags.get(row.name) for row in report.rows)
    kinds = ([""] if counts[None] else []) + sorted(tag for tag in counts if tag)
    if st.session_state.get(_SHOWN) not in kinds:
        st.session_state[_SHOWN] = kinds[0]
    shown = st.segmented_control(
        "Show",
        kinds,
        required=True,
        format_func=lambda tag: f"{plain(tag)} ({counts[tag]})" if tag else f"Without a tag ({counts[None]})",
        key=_SHOWN,
        label_visibility="collapsed",
    )
    rows = [row for row in report.rows if (room.tags.get(row.name) or "") == shown]
    names = {row.index: row.name for row in rows[:PAGE]}
    chosen: tuple[int, ...] = tuple(i for i in st.session_state.get(_CHOSEN, ()) if i in names)

    def pick(found: tuple[int, ...]) -> None:
        st.session_state[_CHOSEN] = found

    wall(
        [tile(report, row, room, veiled=False) for row in rows[:PAGE]],
        key="cl_audit_tag_wall",
        label="Pictures to tag; several may be chosen",
        chosen=chosen,
        many=True,
        on_pick=pick,
        about=f"{report.store.key.digest}:{room.pictures}",
        size=88,
    )
    if len(rows) > PAGE:
        st.caption(f"The first {PAGE} of {len(rows)}; once they are tagged, the next ones come up.")

    def give() -> None:
        name = " ".join(str(st.session_state.get(_NAME) or "").split())[:40]
        if name and chosen:
            room.set_tags({**room.tags, **{names[i]: name for i in chosen}}, "given", room.n_proposed)
            st.session_state[_CHOSEN] = ()

    def give_all() -> None:
        name = " ".join(str(st.session_state.get(_NAME) or "").split())[:40]
        if name:
            room.set_tags({**room.tags, **{row.name: name for row in rows}}, "given", room.n_proposed)
            st.session_state[_CHOSEN] = ()

    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        st.text_input("Background", placeholder="grass", max_chars=40, key=_NAME, width=180)
        st.button(f"Tag the {len(chosen)} chosen", key="cl_audit_tag", on_click=give, disabled=not chosen)
        words = f"Name all {len(rows)} of “{plain(shown)}” so" if shown else f"Tag all {len(rows)} without a tag"
        st.button(words, key="cl_audit_tag_all", on_click=give_all, disabled=not rows)


def tagged(room: Room, report: AuditReport) -> tuple[PictureRow, ...]:
    """The rows with the tags of now."""
    return tuple(replace(row, tag=room.tags.get(row.name)) for row in report.rows)


def _table(room: Room, report: AuditReport) -> None:
    st.markdown("**Groups of label and background**")
    if not room.tags:
        st.caption("Once backgrounds have tags, the table of groups stands here.")
        return
    found = group_table(tagged(room, report), room.tags_origin)
    if found is None:
        st.caption(
            "The table counts what is right, so it needs pictures that have a tag, and a label that is a class of the "
            "network."
        )
        return
    lines = ["| label | background | right | mean probability of its answer |", "| --- | --- | ---: | ---: |"]
    for one in found.groups:
        worst = " **worst**" if one == found.worst else ""
        rate, mean = one.right, f"{one.mean_probability:.2f}"
        right = f"{rate.count} of {rate.n} ({100 * rate.low:.0f} to {100 * rate.high:.0f} %)"
        lines.append(f"| {plain(one.label)} | {plain(one.tag)}{worst} | {right} | {mean} |")
    st.markdown("\n".join(lines))
    origin = "proposed by a program: look at them before you believe it"
    if found.origin == "given":
        origin = "proposed by a program, looked at by you" if room.n_proposed else "given by hand"
    said = f"Tags: {origin}. In brackets: the 95 % interval of the share that is right."
    if found.worst is not None and found.worst.right.share is not None:
        said += (
            f" The worst group of at least {found.least} pictures is “{plain(found.worst.label)}” on "
            f"“{plain(found.worst.tag)}”: {plain(share_of(found.worst.right))}."
        )
    if found.association is not None:
        said += (
            f" Labels and backgrounds go together with a strength of {found.association:.2f} (Cramér’s V: 0 not at "
            "all, 1 always)."
        )
    st.caption(said)
