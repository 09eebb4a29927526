"""Logging by structlog: six named loggers, three sinks (console, JSON by day, text by size).

``from velox_site.logs import strategy_log`` and so on; rooms use ``structlog.get_logger("trade")``. A constant message,
data in keywords. Whatever a sink's disk or pipe does never reaches the caller. Files are opened at the first message.
"""

from __future__ import annotations

import contextlib
import logging
import logging.config
import os
import sys
from datetime import UTC, datetime
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Any

import orjson
import structlog
from structlog.types import EventDict, WrappedLogger

NAMES = ("strategy", "trade", "market_data", "risk", "database", "system")
TEXT_BYTES_MAX = 50 * 1024 * 1024
TEXT_BACKUPS = 10

strategy_log = structlog.get_logger("strategy")
trade_log = structlog.get_logger("trade")
market_data_log = structlog.get_logger("market_data")
risk_log = structlog.get_logger("risk")
database_log = structlog.get_logger("database")
system_log = structlog.get_logger("system")

_SHARED: list[Any] = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_log_level,
    structlog.stdlib.add_logger_name,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
    structlog.processors.StackInfoRenderer(),
]


def configure(options: dict[str, Any]) -> None:
    """Set logging up; Django calls it with ``settings.LOGGING``: {"folder": Path, "level": name}."""
    logging.raiseExceptions = False  # a full disk under a sink is no business of whoever logs
    folder, level = Path(options["folder"]), options["level"]
    console = _handler(_Console(), _console_renderer())
    files = [
        _handler(_DailyFile(folder), _as_json),
        _handler(_TextFile(folder), structlog.dev.ConsoleRenderer(colors=False)),
    ]
    root = logging.getLogger()
    for old in list(root.handlers):
        root.removeHandler(old)
    root.setLevel(logging.WARNING)
    for handler in (console, *files):
        root.addHandler(handler)
    for name in NAMES:
        logging.getLogger(name).setLevel(level)
    console.setLevel(logging.WARNING if level == "INFO" else level)
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *_SHARED,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )


def _handler(handler: logging.Handler, renderer: Any) -> logging.Handler:
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            processor=renderer, foreign_pre_chain=[*_SHARED, structlog.stdlib.ExtraAdder()], keep_exc_info=True
        )
    )
    return handler


def _console_renderer() -> Any:
    colours = bool(sys.stderr and sys.stderr.isatty())
    return structlog.dev.ConsoleRenderer(colors=colours)


def _as_json(_: WrappedLogger, __: str, event: EventDict) -> str:
    """Return the predecessor's shape: timestamp, level, logger, message, context."""
    event.pop("_record", None)
    event.pop("_from_structlog", None)
    error = event.pop("exc_info", None)
    if error:
        event["exception"] = structlog.processors.format_exc_info(None, "", {"exc_info": error}).get("exception")
    line = {
        "timestamp": event.pop("timestamp", ""),
        "level": str(event.pop("level", "info")).upper(),
        "logger": event.pop("logger", ""),
        "message": event.pop("event", ""),
        "context": event,
    }
    return orjson.dumps(line, default=str, option=orjson.OPT_NON_STR_KEYS).decode()


class _Console(logging.StreamHandler):  # type: ignore[type-arg]
    """Writes to stderr as it is now (tests and services replace it); a closed one swallows the line."""

    def emit(self, record: logging.LogRecord) -> None:
        self.stream = sys.stderr
        if self.stream is not None and not self.stream.closed:
            super().emit(record)


class _DailyFile(logging.Handler):
    """One JSON file a day (UTC). Each line is one append of the kernel, so processes never tear each other's lines."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.folder, self._day, self._descriptor = folder, "", -1

    def emit(self, record: logging.LogRecord) -> None:
        with contextlib.suppress(OSError):
            os.write(self._file(), (self.format(record) + "\n").encode("utf-8", "backslashreplace"))

    def _file(self) -> int:
        day = f"{datetime.now(UTC):%Y-%m-%d}"
        if day != self._day:
            self.close_file()
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW
            self._descriptor = os.open(self.folder / f"velox-{day}.jsonl", flags, 0o600)
            self._day = day
        return self._descriptor

    def close_file(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
        self._descriptor, self._day = -1, ""

    def close(self) -> None:
        self.close_file()
        super().close()


class _TextFile(RotatingFileHandler):
    """The same for people: text, 50 MB, ten backups."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        super().__init__(
            folder / "velox.log", maxBytes=TEXT_BYTES_MAX, backupCount=TEXT_BACKUPS, delay=True, encoding="utf-8"
        )

    def _open(self) -> Any:
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(self.baseFilename, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        return open(descriptor, "a", encoding="utf-8", errors="backslashreplace")

    def handleError(self, record: logging.LogRecord) -> None:
        """Swallow: a full disk under the log is told by the health report, not to whoever logs."""
