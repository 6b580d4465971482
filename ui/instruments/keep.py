"""Files of what a page shows beside its instruments: tables, pictures and charts, found and made in the browser."""

from __future__ import annotations

from ui.components import mount, pack


def keep(page: str) -> None:
    """A folded list at the page's end; `page` is its title, with which the files' names begin."""
    mount("keep", key="cl_keep", data=pack({"page": page}))
