"""Structured log lines, as text or JSON: an event and its fields; no user's text, no secret."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from datetime import UTC, datetime
from functools import partial
from types import MappingProxyType
from typing import Final, TextIO

Field = str | int | float | bool | list[int] | None

_LOGGER: Final = logging.getLogger("evervec")

_BOUND: Final[ContextVar[Mapping[str, Field]]] = ContextVar(
    "evervec_log_fields", default=MappingProxyType({})
)


def log(level: int, event: str, **fields: Field) -> None:
    """Write one event, with the fields that are bound. Fields that are None are left out."""
    kept = {name: value for name, value in {**_BOUND.get(), **fields}.items() if value is not None}
    _LOGGER.log(level, event, extra={"fields": kept})


def bind(**fields: Field) -> Callable[[], None]:
    """Have every event of this thread carry these fields, until what is returned is called."""
    return partial(_BOUND.reset, _BOUND.set({**_BOUND.get(), **fields}))


def debug(event: str, **fields: Field) -> None:
    """An event of interest to whoever searches for a fault."""
    log(logging.DEBUG, event, **fields)


def info(event: str, **fields: Field) -> None:
    """An event of normal operation."""
    log(logging.INFO, event, **fields)


def warning(event: str, **fields: Field) -> None:
    """Something that will be tried again, or that a person may want to mend."""
    log(logging.WARNING, event, **fields)


def error(event: str, **fields: Field) -> None:
    """Something that a person has to mend."""
    log(logging.ERROR, event, **fields)


def configure(log_format: str, level: str, stream: TextIO | None = None) -> None:
    """Send the events to `stream` (default: standard error); for commands, never on import."""
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(_JsonFormatter() if log_format == "json" else _TextFormatter())
    _LOGGER.handlers[:] = [handler]
    _LOGGER.setLevel(level.upper())
    _LOGGER.propagate = False


def hush_libraries() -> None:
    """Keep the connection pool from writing to standard error: what it meets, we report."""
    pool = logging.getLogger("psycopg.pool")
    pool.addHandler(logging.NullHandler())
    pool.propagate = False


def _time(record: logging.LogRecord) -> str:
    return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")


def _fields(record: logging.LogRecord) -> dict[str, Field]:
    fields: dict[str, Field] = getattr(record, "fields", {})
    return fields


def _shown(value: Field) -> str:
    if isinstance(value, float):
        return f"{value:.1f}" if value >= 10 else f"{value:.3g}"
    text = ",".join(map(str, value)) if isinstance(value, list) else str(value)
    # Quoted as JSON when it holds a space or a control character: one event stays one line.
    return (
        text
        if text.isprintable() and " " not in text and text
        else json.dumps(text, ensure_ascii=False)
    )


class _TextFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        fields = "".join(f" {name}={_shown(value)}" for name, value in _fields(record).items())
        return f"{_time(record)} {record.levelname.lower():<7} {record.getMessage()}{fields}"


class _JsonFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        return json.dumps(
            {
                "time": _time(record),
                "level": record.levelname.lower(),
                "event": record.getMessage(),
                **_fields(record),
            },
            ensure_ascii=False,
        )
