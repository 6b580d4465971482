"""Words on a page."""

from __future__ import annotations

import re


def plain(text: str) -> str:
    """A text that may hold a visitor's words, escaped so that Markdown shows it as it is."""
    return re.sub(r"([\\`*_{}\[\]()#+\-.!|<>$~:])", r"\\\1", text)
