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
    """One log event. ``context`` are its keywords; an exception stands there as {type, message, traceback}."""

    at_ns: int
    level: str
    logger: str
    message: Any
    context: dict[str, Any]

    @property
    def seconds(self) -> int:
        """The event's time in whole seconds since 1970 UTC."""
        return self.at_ns // 10**9

    def timestamp(self) -> str:
        """Return the event's time as ISO UTC with microseconds and Z."""
        global _last_second  # noqa: PLW0603  (most lines share a second with the one before)
        seconds, rest = divmod(self.at_ns, 10**9)
        last, text = _last_second
        if last != seconds:
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
        pass  # integers beyond 64 bits, lone surrogates, circles, faults of a str()
    try:
        return (json.dumps(shape, default=repr, skipkeys=True) + "\n").encode()
    except Exception:
        shape["message"] = line.message if isinstance(line.message, str) else type(line.message).__name__
        shape["context"] = {"unreadable": sorted(map(ascii, line.context))}
        return (json.dumps(shape) + "\n").encode()


class LineText(NamedTuple):
    """A line as a page shows it: its time in a zone, its message and its keywords."""

    at: datetime
    level: str
    logger: str
    message: str
    keywords: str


def as_cells(line: Line, zone: tzinfo) -> LineText:
    """Return the parts of the line of `as_text`, an exception's traceback below the keywords."""
    at = datetime.fromtimestamp(line.seconds, zone)
    keywords = _keywords(line.context).strip()
    return LineText(at, line.level, _printable(line.logger), _printable(line.message), keywords)


def as_text_bytes(line: Line, zone: tzinfo = UTC) -> bytes:
    """Return the line of `as_text` in UTF-8, whatever its texts hold."""
    return as_text(line, zone).encode("utf-8", "backslashreplace")


def as_text(line: Line, zone: tzinfo = UTC) -> str:
    """Return time, level, logger, message and the keywords as name=value: one line, and an exception's traceback below.

    Text is for people: its time is that of ``zone``, the desk's, with its offset.
    """
    head = f"{_time_in(zone, line)} {line.level.upper():<8} [{_printable(line.logger)}] {_printable(line.message)}"
    return head + _keywords(line.context)


def in_colour(line: Line, zone: tzinfo = UTC) -> str:
    """Return the line of `as_text` in a terminal's colours."""
    colour = _COLOURS.get(line.level, "35")
    head = (
        f"{_DIM}{_time_in(zone, line)}{_PLAIN} \x1b[{colour}m{line.level.upper():<8}{_PLAIN} "
        f"[{_printable(line.logger)}] {_BOLD}{_printable(line.message)}{_PLAIN}"
    )
    return head + _keywords(line.context)


def _time_in(zone: tzinfo, line: Line) -> str:
    seconds, rest = divmod(line.at_ns, 10**9)
    text, offset = _second_in(zone, seconds)
    return f"{text}.{rest // 1000:06d}{offset}"


@lru_cache(maxsize=16)  # most lines share a second with the one before
def _second_in(zone: tzinfo, seconds: int) -> tuple[str, str]:
    """Return a second as ISO without its offset, and the offset."""
    text = datetime.fromtimestamp(seconds, zone).isoformat()
    return text[:19], text[19:]


def _keywords(context: dict[str, Any]) -> str:
    """Return the event's keywords as name=value, and an exception's traceback below them."""
    pairs, below = [], ""
    for name, entry in context.items():
        if name == "exception" and isinstance(entry, dict):
            # Each of its lines is marked: an exception's text could look like a line of the log.
            traceback = str(entry.get("traceback", "")).splitlines()
            below = "".join(f"  | {_printable(line)}\n" for line in traceback)
        elif type(entry) is not str:
            pairs.append(f" {_printable(name)}={_printable(entry)}")
        else:
            is_word = entry.isprintable() and entry and " " not in entry
            pairs.append(f" {_printable(name)}={entry if is_word else repr(entry)}")
    return f"{''.join(pairs)}\n{below}"


def _printable(entry: Any) -> str:
    """Return a text that stays within its line and sends a terminal no command."""
    text = entry if type(entry) is str else str(entry)
    return text if text.isprintable() else repr(text)[1:-1]
