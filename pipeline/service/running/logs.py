"""The log: a line of JSON for each request, with nothing in it that a client sent."""

from __future__ import annotations

import json
import logging
import sys
import traceback
from datetime import UTC, datetime
from types import TracebackType
from typing import Any

LOG = logging.getLogger("pipeline.service")
# What these say of a request quotes it.
_SILENT = ("python_multipart", "multipart", "pydicom", "asyncio")
_TOLD = "told"


class _Lines(logging.Formatter):
    """A record as JSON. An exception is told by its type and where it was raised: its words may quote a patient's data."""

    def format(self, record: logging.LogRecord) -> str:
        told: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(), "process": record.process,
            "event": record.getMessage() if record.name == LOG.name else "server",
        }  # fmt: skip
        if record.name != LOG.name:
            told["said"] = str(record.msg)  # of uvicorn, without what was filled in
        if record.exc_info and record.exc_info[0] is not None:
            told["exception"], told["raised_at"] = record.exc_info[0].__name__, places(record.exc_info[2])
        return json.dumps(told | getattr(record, _TOLD, {}), ensure_ascii=True)


def places(trace: TracebackType | None) -> list[str]:
    """Where a trace leads: module and line, no values."""
    return [f"{frame.filename.rsplit('/', 1)[-1]}:{frame.lineno}" for frame in traceback.extract_tb(trace)[-8:]]


def start_log() -> None:
    """Standard error gets the lines of the service and the server's own; nothing else writes there."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Lines())
    for name, level in ((LOG.name, logging.INFO), ("uvicorn.error", logging.WARNING)):
        logger = logging.getLogger(name)
        logger.handlers, logger.propagate = [handler], False
        logger.setLevel(level)


def silence() -> None:
    """Loggers whose lines quote what a client sent say nothing, whoever runs the application."""
    for name in _SILENT:
        # A level would not do: pydicom sets its own when it is imported.
        logger = logging.getLogger(name)
        logger.handlers, logger.propagate = [logging.NullHandler()], False


def tell(event: str, **told: Any) -> None:
    """A line. told: nothing that a client sent."""
    LOG.info(event, extra={_TOLD: told})


def tell_bug(event: str, error: BaseException, **told: Any) -> None:
    """A line about an exception that nobody expected."""
    LOG.error(event, exc_info=error, extra={_TOLD: told})
