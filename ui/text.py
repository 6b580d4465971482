"""Words on a page."""

from __future__ import annotations

import html
import re
from collections.abc import Sequence


def plain(text: str) -> str:
    """A text that may hold a visitor's words, escaped so that Markdown shows it as it is."""
    return re.sub(r"([\\`*_{}\[\]()#+\-.!|<>$~:])", r"\\\1", text)


def table(heads: Sequence[str], rows: Sequence[Sequence[str]], *, words: str = "") -> str:
    """A table of our own words as HTML (`unsafe_allow_html`): on a phone each row stands as a card (style.css).

    The first column names the row; the others hold numbers, but the one that `words` names. Markdown's `**` around a
    whole cell is understood.
    """
    kind = {head: ' class="words"' if head in (heads[0], words) else "" for head in heads}
    top = "".join(f'<th scope="col"{kind[head]}>{html.escape(head)}</th>' for head in heads)
    lines = [
        f'<tr><th scope="row">{html.escape(name)}</th>'
        + "".join(
            f'<td data-label="{html.escape(head)}"{kind[head]}>{_bold(html.escape(cell))}</td>'
            for head, cell in zip(heads[1:], cells, strict=True)
        )
        + "</tr>"
        for name, *cells in rows
    ]
    return f'<table class="cl-cards"><thead><tr>{top}</tr></thead><tbody>{"".join(lines)}</tbody></table>'


def _bold(cell: str) -> str:
    return re.sub(r"^\*\*(.*)\*\*$", r"<strong>\1</strong>", cell)
