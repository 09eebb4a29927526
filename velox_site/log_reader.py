"""The JSON logs read back: the days' files in order, filtered, and what is still being written."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path
from typing import NamedTuple

import orjson

from trading.errors import InvalidValue
from velox_site.log_ecs import EXCEPTION_FIELDS, FIELDS
from velox_site.log_lines import Line

LEVELS = ("debug", "info", "warning", "error", "critical")
FOLLOW_SECONDS = 0.25
BLOCK_BYTES = 1 << 16
_AGO = re.compile(r"(\d+)\s*([smhdw])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


@dataclass(frozen=True)
class Filter:
    """The choice of lines that are wanted; None and "" leave a criterion out."""

    trade_id: str | None = None
    logger: str | None = None
    level: str = "debug"
    since: datetime | None = None
    account: str | None = None  # and lines that name none

    def takes(self, line: Line) -> bool:
        """Tell whether a line is wanted."""
        return (
            (self.logger is None or line.logger == self.logger)
            and (line.level not in LEVELS or LEVELS.index(line.level) >= LEVELS.index(self.level))
            and (self.since is None or line.at_ns >= _ns(self.since))
            and (self.trade_id is None or str(line.context.get("trade_id")) == self.trade_id)
            and (self.account is None or line.context.get("account", self.account) == self.account)
        )


def parse_since(text: str, now: datetime, zone: tzinfo) -> datetime:
    """Parse ``90s``, ``15m``, ``2h``, ``1d`` as that long ago, or an ISO time (naive: of ``zone``).

    Raises: InvalidValue.
    """
    ago = _AGO.fullmatch(text.strip())
    try:
        if ago is not None:
            return now - timedelta(**{_UNITS[ago[2]]: int(ago[1])})
        at = datetime.fromisoformat(text)
        return (at if at.tzinfo else at.replace(tzinfo=zone)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise InvalidValue(
            f"{text!r} is no time.", field="since", hint="Give 15m, 2h, 1d or 2026-11-23T09:15."
        ) from None


class NewestLines(NamedTuple):
    """The newest lines that are wanted, newest first; whether older ones may be, since reading ended at a bound; and
    how many could not be read."""

    lines: list[Line]
    has_more: bool
    unreadable: int


class LogReader:
    """A reader of a folder of ``velox-YYYY-MM-DD.jsonl``, on from where it stood; a half-written last line waits."""

    def __init__(self, folder: Path, wanted: Filter) -> None:
        self.folder, self.wanted = folder, wanted
        self.unreadable = 0
        self._read: dict[Path, int] = {}

    def lines(self) -> Iterator[Line]:
        """Yield the lines that came since the last call, day by day, each day's in the order of writing."""
        for path in self._paths():
            try:
                file = path.open("rb")
            except FileNotFoundError:
                continue
            with file:
                file.seek(self._read.get(path, 0))
                for raw in file:
                    if not raw.endswith(b"\n"):
                        break
                    self._read[path] = self._read.get(path, 0) + len(raw)
                    line = parsed(raw)
                    if line is None:
                        self.unreadable += 1
                    elif self.wanted.takes(line):
                        yield line

    def newest(self, *, lines_max: int, bytes_max: int) -> NewestLines:
        """Return the newest lines, having read at most so many bytes from the ends of the files."""
        lines: list[Line] = []
        left, unreadable = bytes_max, 0
        for path in reversed(self._paths()):
            for raw in _backwards(path):
                left -= len(raw)
                if left < 0 or len(lines) == lines_max:
                    return NewestLines(lines, True, unreadable)
                line = parsed(raw)
                if line is None:
                    unreadable += 1
                elif self.wanted.takes(line):
                    lines.append(line)
        return NewestLines(lines, False, unreadable)

    def _paths(self) -> list[Path]:
        first = "" if self.wanted.since is None else f"velox-{self.wanted.since.date().isoformat()}.jsonl"
        return sorted(path for path in self.folder.glob("velox-*.jsonl") if path.name >= first)

    def follow(self, wait: Callable[[float], None] = time.sleep) -> Iterator[Line]:
        """Yield the lines that are there, then those that come, for ever."""
        while True:
            yield from self.lines()
            wait(FOLLOW_SECONDS)


def _backwards(path: Path) -> Iterator[bytes]:
    """Yield the whole lines of a file, the last one first; none of a file that is gone."""
    try:
        file = path.open("rb")
    except FileNotFoundError:
        return
    with file:
        end, rest = file.seek(0, os.SEEK_END), b""
        is_half_written = True  # what stands behind the last line's end, if only nothing
        while end > 0:
            start = max(0, end - BLOCK_BYTES)
            file.seek(start)
            rest, *raws = (file.read(end - start) + rest).split(b"\n")
            end = start
            if is_half_written and raws:
                raws.pop()
                is_half_written = False
            yield from reversed(raws)
        if rest and not is_half_written:
            yield rest


def parsed(raw: bytes) -> Line | None:
    """Return a line of either shape, VELOX's or ECS's; None where it is none."""
    try:
        event = orjson.loads(raw)
        if "@timestamp" not in event:
            at = datetime.fromisoformat(event["timestamp"])
            return Line(_ns(at), event["level"].lower(), event["logger"], event["message"], dict(event["context"]))
        context = dict(event.get("labels", {}))
        for name, path in FIELDS.items():
            field = event
            for key in path:
                field = field.get(key, {})
            if field:
                context[name] = field
        if "error" in event:
            error = dict(event["error"])
            context["exception"] = {ours: error[ecs] for ours, ecs in EXCEPTION_FIELDS.items() if ecs in error}
        at = datetime.fromisoformat(event["@timestamp"])
        return Line(_ns(at), event["log"]["level"], event["log"]["logger"], event["message"], context)
    except (orjson.JSONDecodeError, KeyError, TypeError, ValueError, AttributeError):
        return None


def _ns(at: datetime) -> int:
    return (at - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1) * 1000
