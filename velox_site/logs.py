"""Logging by structlog: six named loggers, three sinks (console, JSON by day, text by size).

``from velox_site.logs import strategy_log`` and so on; rooms use ``structlog.get_logger("trade")``. A constant message,
data in keywords. Whatever a sink's disk or pipe does never reaches the caller. Files are opened at the first message.

Lines are made and written here and not by the standard library's handlers, which cost several times as much; its own
records (Django's, Celery's, any package's) take the same way from WARNING on. An event is masked once, and made into a
line once per sink.
"""

from __future__ import annotations

import logging
import os
import sys
import time
import traceback
from collections.abc import Callable
from datetime import UTC, tzinfo
from functools import partial
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import structlog
from structlog.types import EventDict, FilteringBoundLogger

from velox_site.log_ecs import as_ecs
from velox_site.log_files import DailyFile, LogFile, SizedFile
from velox_site.log_lines import Line, as_json, as_text, as_text_bytes, in_colour
from velox_site.log_masks import mask, masked_text

NAMES = ("strategy", "trade", "market_data", "risk", "database", "system")
TEXT_BYTES_MAX = 50 * 1024 * 1024
TEXT_BACKUPS = 10
FORMATS = {"velox": as_json, "ecs": as_ecs}
# One line per row of the ledger's journal goes to the files; on the console it would drown what the strategy says.
NOT_ON_CONSOLE = frozenset({("trade", "journal")})

strategy_log: FilteringBoundLogger = structlog.get_logger("strategy")
trade_log: FilteringBoundLogger = structlog.get_logger("trade")
market_data_log: FilteringBoundLogger = structlog.get_logger("market_data")
risk_log: FilteringBoundLogger = structlog.get_logger("risk")
database_log: FilteringBoundLogger = structlog.get_logger("database")
system_log: FilteringBoundLogger = structlog.get_logger("system")

_LEVELS = {"exception": "error", "warn": "warning", "fatal": "critical", "msg": "info"}
_OURS = frozenset(NAMES)
_QUIET = frozenset({"debug", "info"})


def configure(options: dict[str, Any]) -> None:
    """Set logging up; Django calls it with ``settings.LOGGING``. Writes nothing.

    ``options``: {"folder": Path, "level": name, "format": one of `FORMATS`, "velox" where it is absent, "zone": that
    in which text for people tells the time, UTC where it is absent; JSON lines are always UTC, "root": whether the
    process is VELOX's own, as it is unless told otherwise}. In a caller's process (`velox_site.desk`) the root logger
    is left alone: only what goes by our six names, and Django's own warnings, is taken.
    """
    level = logging.getLevelNamesMapping()[options["level"]]
    zone = ZoneInfo(options["zone"]) if "zone" in options else UTC
    sinks.open_in(Path(options["folder"]), FORMATS[options.get("format", "velox")], zone)
    structlog.configure(
        processors=_PROCESSORS,
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=_Named,
        cache_logger_on_first_use=True,
    )
    if options.get("root", True):
        _take(logging.getLogger(), logging.WARNING)
        for name in NAMES:
            logging.getLogger(name).setLevel(level)
    else:
        for name in NAMES:
            _add(logging.getLogger(name), level)
        _add(logging.getLogger("django"), logging.WARNING)


def _take(logger: logging.Logger, level: int) -> None:
    """Let a logger write to our sinks, and not to the console beside them."""
    for old in list(logger.handlers):
        if isinstance(old, _Foreign | logging.StreamHandler):
            logger.removeHandler(old)
    logger.addHandler(_Foreign())
    logger.setLevel(level)


def _add(logger: logging.Logger, level: int) -> None:
    """Let a logger write to our sinks too; what the process set up for it stays."""
    if not any(isinstance(handler, _Foreign) for handler in logger.handlers):
        logger.addHandler(_Foreign())
    if logger.level == logging.NOTSET:
        logger.setLevel(level)


class Sinks:
    """Where lines go. Each sink fails on its own, and silently: the health report looks at the folder."""

    def __init__(self) -> None:
        self.files: list[tuple[LogFile, Callable[[Line], bytes]]] = []
        self.zone: tzinfo = UTC

    def open_in(self, folder: Path, json_line: Callable[[Line], bytes] = as_json, zone: tzinfo = UTC) -> None:
        """Send what follows to the files of this folder; they are made at the first line."""
        self.close()
        self.zone = zone
        text = SizedFile(folder / "velox.log", bytes_max=TEXT_BYTES_MAX, backups=TEXT_BACKUPS)
        self.files = [
            (DailyFile(folder, "velox-{:%Y-%m-%d}.jsonl"), json_line),
            (text, partial(as_text_bytes, zone=zone)),
        ]

    def write(self, line: Line) -> None:
        for file, render in self.files:
            try:
                file.write(render(line), line.seconds)
            except Exception:  # noqa: S112  (no fault of a log may reach who logs)
                continue
        if (line.logger, line.message) not in NOT_ON_CONSOLE:
            _to_console(line, self.zone)

    def close(self) -> None:
        for file, _ in self.files:
            file.close()


sinks = Sinks()


def _to_console(line: Line, zone: tzinfo) -> None:
    """Write to stderr as it is now: services and tests replace it. A closed one swallows the line."""
    try:
        stream = sys.stderr
        stream.write(in_colour(line, zone) if stream.isatty() else as_text(line, zone))
        stream.flush()
    except Exception:  # noqa: S110
        pass


class _Named:
    """What structlog's loggers wrap: all that a line still needs of it is the name. The sinks have written already."""

    def __init__(self, name: str = "system", *_: Any) -> None:
        self.name = name

    def _written(self, _: str) -> None:
        return None

    debug = info = warning = warn = error = exception = critical = fatal = msg = log = _written


def _write(logger: _Named, method: str, event: EventDict) -> str:
    level = _LEVELS.get(method, method)
    if level in _QUIET and logger.name not in _OURS:
        return ""
    try:
        context = dict(event)
        message = context.pop("event")
        if "exc_info" in context:
            _tell_exception(context)
        mask(context)
        if type(message) is str and (":" in message or "=" in message):
            message = masked_text(message)
        sinks.write(Line(time.time_ns(), level, logger.name, message, context))
    except Exception:  # noqa: S110  (what cannot be told is not told)
        pass
    return ""


_PROCESSORS: list[Any] = [structlog.contextvars.merge_contextvars, _write]


def _tell_exception(context: dict[str, Any]) -> None:
    """Replace ``exc_info`` by what it tells, as data."""
    said = context.pop("exc_info")
    error = sys.exception() if said is True else said[1] if isinstance(said, tuple) else said
    if isinstance(error, BaseException):
        context["exception"] = {
            "type": type(error).__qualname__,
            "message": str(error),
            "traceback": "".join(traceback.format_exception(error)),
        }


_STANDARD = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName"}


class _Foreign(logging.Handler):
    """Takes the records of everything that logs by the standard library."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            context = {name: value for name, value in record.__dict__.items() if name not in _STANDARD}
            if record.exc_info:
                context["exc_info"] = record.exc_info
                _tell_exception(context)
            mask(context)
            level, message = record.levelname.lower(), masked_text(record.getMessage())
            sinks.write(Line(int(record.created * 1e9), level, record.name, message, context))
        except Exception:  # noqa: S110
            pass


def _after_fork() -> None:
    for file, _ in sinks.files:
        file.forget_lock()


os.register_at_fork(after_in_child=_after_fork)
