"""One log event as a line: JSON for machines, text for people, in colour for a terminal."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime, tzinfo
from functools import lru_cache
from typing import Any, NamedTuple

import orjson

_OPTIONS = orjson.OPT_APPEND_NEWLINE | orjson.OPT_NON_STR_KEYS | orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_UTC_Z
_COLOURS = {"debug": "36", "info": "32", "warning": "33", "error": "31", "critical": "1;31"}
_DIM, _BOLD, _PLAIN = "\x1b[2m", "\x1b[1m", "\x1b[0m"

_last_second = (-1, "")


class Line(NamedTuple):
    """``context`` are the event's data; an exception stands there as {type, message, traceback}."""

    at_ns: int
    level: str
    logger: str
    message: Any
    context: dict[str, Any]

    @property
    def seconds(self) -> int:
        return self.at_ns // 10**9

    def timestamp(self) -> str:
        """Return ISO UTC with microseconds and Z."""
        global _last_second  # noqa: PLW0603  (most lines share a second with the one before)
        seconds, rest = divmod(self.at_ns, 10**9)
        known, text = _last_second
        if known != seconds:
            text = time.strftime("%Y-%m-%dT%H:%M:%S.", time.gmtime(seconds))
            _last_second = (seconds, text)
        return f"{text}{rest // 1000:06d}Z"


def as_json(line: Line) -> bytes:
    """Return {"timestamp", "level", "logger", "message", "context"} and a newline."""
    shape = {
        "timestamp": line.timestamp(),
        "level": line.level.upper(),
        "logger": line.logger,
        "message": line.message,
        "context": line.context,
    }
    try:
        return orjson.dumps(shape, default=str, option=_OPTIONS)
    except (TypeError, ValueError):
        return _as_careful_json(shape)


def _as_careful_json(shape: dict[str, Any]) -> bytes:
    """Write what the fast encoder refuses: integers beyond 64 bits, lone surrogates, circles, faults of a str()."""
    try:
        return (json.dumps(shape, default=repr, skipkeys=True) + "\n").encode()
    except Exception:
        message = shape["message"] if isinstance(shape["message"], str) else type(shape["message"]).__name__
        known = {"unreadable": sorted(map(ascii, shape["context"]))}
        return (json.dumps({**shape, "message": message, "context": known}) + "\n").encode()


def as_text_bytes(line: Line, zone: tzinfo = UTC) -> bytes:
    return as_text(line, zone).encode("utf-8", "backslashreplace")


def as_text(line: Line, zone: tzinfo = UTC) -> str:
    """Return time, level, logger, message and the data as name=value: one line, and an exception's traceback below.

    Text is for people: its time is that of ``zone``, the desk's, with its offset.
    """
    head = f"{_time_in(zone, line)} {line.level.upper():<8} [{_printable(line.logger)}] {_printable(line.message)}"
    return head + _data(line.context)


def in_colour(line: Line, zone: tzinfo = UTC) -> str:
    """Return the same for a terminal."""
    colour = _COLOURS.get(line.level, "35")
    head = (
        f"{_DIM}{_time_in(zone, line)}{_PLAIN} \x1b[{colour}m{line.level.upper():<8}{_PLAIN} "
        f"[{_printable(line.logger)}] {_BOLD}{_printable(line.message)}{_PLAIN}"
    )
    return head + _data(line.context)


def _time_in(zone: tzinfo, line: Line) -> str:
    seconds, rest = divmod(line.at_ns, 10**9)
    text, offset = _second_in(zone, seconds)
    return f"{text}.{rest // 1000:06d}{offset}"


@lru_cache(maxsize=16)  # most lines share a second with the one before
def _second_in(zone: tzinfo, seconds: int) -> tuple[str, str]:
    """Return a second as ISO without its offset, and the offset."""
    text = datetime.fromtimestamp(seconds, zone).isoformat()
    return text[:19], text[19:]


def _data(context: dict[str, Any]) -> str:
    parts, below = [], ""
    for name, value in context.items():
        if name == "exception" and isinstance(value, dict):
            below = _indented(str(value.get("traceback", "")))
        else:
            parts.append(f" {_printable(name)}={_shown(value)}")
    return f"{''.join(parts)}\n{below}"


def _indented(traceback: str) -> str:
    """Return a traceback whose every line is marked as one: an exception's text could look like a line of the log."""
    return "".join(f"  | {_printable(line)}\n" for line in traceback.splitlines())


def _shown(value: Any) -> str:
    if type(value) is not str:
        return _printable(value)
    return value if value.isprintable() and value and " " not in value else repr(value)


def _printable(value: Any) -> str:
    """Return a text that stays within its line and sends a terminal no command."""
    text = value if type(value) is str else str(value)
    return text if text.isprintable() else repr(text)[1:-1]
