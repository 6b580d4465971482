"""The server's log: one line for each event, in words for people or, with CONVLENS_LOG=json, in JSON for machines."""

from __future__ import annotations

import json
import logging
import os
import sys
from datetime import UTC, datetime
from typing import Any, Final

KIND: Final = "CONVLENS_LOG"
"""Environment variable: "text" (the default) or "json"."""
LEVEL: Final = "CONVLENS_LOG_LEVEL"
"""Environment variable: DEBUG, INFO (the default), WARNING or ERROR."""

_LEVELS: Final = ("DEBUG", "INFO", "WARNING", "ERROR")
_FIELDS: Final = "convlens_fields"


class JsonLines(logging.Formatter):
    """One JSON object a line: time (UTC), level, logger, message, the event's own fields, and a traceback if any."""

    def format(self, record: logging.LogRecord) -> str:
        entry: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            **getattr(record, _FIELDS, {}),
        }
        if record.exc_info:
            entry["traceback"] = self.formatException(record.exc_info)
        # Whatever a field holds, the line is JSON: a log must not fail because of what it tells.
        return json.dumps(entry, ensure_ascii=False, default=str)


class TextLines(logging.Formatter):
    """The same for people: "2026-11-22 12:00:01 INFO the message (page=kernel, seconds=1.2)"."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(message)s", "%Y-%m-%d %H:%M:%S")

    def formatMessage(self, record: logging.LogRecord) -> str:
        fields = getattr(record, _FIELDS, {})
        told = ", ".join(f"{name}={value}" for name, value in fields.items())
        return super().formatMessage(record) + (f" ({told})" if told else "")


class _ToldOnce(logging.Filter):
    """Streamlit logs each exception of a page before `ui.failures` does, which says more; one of them is enough."""

    def filter(self, record: logging.LogRecord) -> bool:
        return record.msg != "Uncaught app execution"


_own_handler = logging.StreamHandler(sys.stderr)


def event(logger: logging.Logger, message: str, *, level: int = logging.INFO, error: Any = None, **fields: Any) -> None:
    """Log one event with its fields; `error` is an exception whose traceback is kept."""
    logger.log(level, message, exc_info=error, extra={_FIELDS: fields})


def set_up() -> None:
    """Send the log of ConvLens, of Streamlit and of the web server to standard error, in one format.

    It may be called again: Streamlit makes some of its loggers late, each with a handler of its own.
    """
    level = os.environ.get(LEVEL, "INFO").upper()
    _own_handler.setFormatter(JsonLines() if os.environ.get(KIND) == "json" else TextLines())
    for name in ("convlens", "ui", "cnn_core"):
        own = logging.getLogger(name)
        own.setLevel(level if level in _LEVELS else "INFO")
        own.propagate = False
        own.handlers = [_own_handler]
    for name in list(logging.Logger.manager.loggerDict):
        logger = logging.getLogger(name)
        theirs = getattr(logger, "streamlit_console_handler", None)
        # A logger whose handler was taken away, as the web server does with its log of requests, stays silent.
        if theirs is not None and theirs in logger.handlers:
            logger.removeHandler(theirs)
            logger.addHandler(_own_handler)
    told = logging.getLogger("streamlit.error_util")
    if not any(isinstance(kept, _ToldOnce) for kept in told.filters):
        told.addFilter(_ToldOnce())
