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
from collections.abc import Callable, Mapping
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


def configure(options: Mapping[str, str | Path | bool]) -> None:
    """Set logging up; Django calls it with ``settings.LOGGING``. Writes nothing.

    ``options``: {"folder": path, "level": name, "format": one of `FORMATS`, "velox" where it is absent, "zone": that
    in which text for people tells the time, UTC where it is absent; JSON lines are always UTC, "root": whether the
    process is VELOX's own, as it is where this is absent}.

    In a caller's process (`velox_site.desk`) the root logger is left alone: only what goes by our six names, and
    Django's own warnings, is taken.
    """
    level = logging.getLevelNamesMapping()[str(options["level"])]
    zone = ZoneInfo(str(options["zone"])) if "zone" in options else UTC
    sinks.open_in(Path(str(options["folder"])), FORMATS[str(options.get("format", "velox"))], zone)
    structlog.configure(
        processors=[structlog.contextvars.merge_contextvars, _write],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=_Named,
        cache_logger_on_first_use=True,
    )
    if options.get("root", True):
        root = logging.getLogger()
        for handler in list(root.handlers):
            if isinstance(handler, _Foreign | logging.StreamHandler):
                root.removeHandler(handler)  # else lines would come to the console twice
        root.addHandler(_Foreign())
        root.setLevel(logging.WARNING)
        for name in NAMES:
            logging.getLogger(name).setLevel(level)
        return
    for name, least in (*((name, level) for name in NAMES), ("django", logging.WARNING)):
        logger = logging.getLogger(name)  # what the process set up for it stays
        if not any(isinstance(handler, _Foreign) for handler in logger.handlers):
            logger.addHandler(_Foreign())
        if logger.level == logging.NOTSET:
            logger.setLevel(least)


class Sinks:
    """The places that lines go to. Each fails on its own, and silently: the health report looks at the folder."""

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
        """Write a line to the files and, but for those of `NOT_ON_CONSOLE`, to stderr."""
        for file, render in self.files:
            try:
                file.write(render(line), line.seconds)
            except Exception:  # noqa: S112  (no fault of a log may reach who logs)
                continue
        if (line.logger, line.message) in NOT_ON_CONSOLE:
            return
        try:
            stream = sys.stderr  # as it is now: services and tests replace it
            stream.write(in_colour(line, self.zone) if stream.isatty() else as_text(line, self.zone))
            stream.flush()
        except Exception:  # noqa: S110  (a closed one swallows the line)
            pass

    def close(self) -> None:
        """Close the files; the next line opens them again."""
        for file, _ in self.files:
            file.close()


sinks = Sinks()


class _Named:
    """The end of a structlog logger: a line needs only its name, and the sinks have written the line already."""

    def __init__(self, name: str = "system", *_: str) -> None:
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


def _tell_exception(context: dict[str, Any]) -> None:
    """Replace an event's ``exc_info`` by the exception's type, message and traceback."""
    exc_info = context.pop("exc_info")
    error = sys.exception() if exc_info is True else exc_info[1] if isinstance(exc_info, tuple) else exc_info
    if isinstance(error, BaseException):
        context["exception"] = {
            "type": type(error).__qualname__,
            "message": str(error),
            "traceback": "".join(traceback.format_exception(error)),
        }


_STANDARD = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName"}


class _Foreign(logging.Handler):
    """The handler of everything that logs by the standard library."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write a record to the sinks, masked as our own events are."""
        try:
            context = {name: field for name, field in record.__dict__.items() if name not in _STANDARD}
            if record.exc_info and getattr(record, "status_code", 500) < 500:  # refused: no code of ours is at fault
                context["error"] = str(record.exc_info[1])
            elif record.exc_info:
                context["exc_info"] = record.exc_info
                _tell_exception(context)
            mask(context)
            level, message = record.levelname.lower(), masked_text(record.getMessage())
            sinks.write(Line(int(record.created * 1e9), level, record.name, message, context))
        except Exception:  # noqa: S110
            pass


def forget_locks() -> None:
    """Let a forked child write to the files, whoever held their locks in its parent."""
    for file, _ in sinks.files:
        file.forget_lock()


os.register_at_fork(after_in_child=forget_locks)
