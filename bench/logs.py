"""A log line, from the call until it stands in the file: against the standard library with the usual packages."""

from __future__ import annotations

import io
import json
import logging
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from logging.handlers import RotatingFileHandler, TimedRotatingFileHandler
from pathlib import Path

import colorlog
import structlog

from bench.harness import Pair, Row
from velox_site import logs
from velox_site.log_files import DailyFile
from velox_site.log_lines import as_json

LINES = 3_000
DATA = {"symbol": "RELIANCE", "price": 2450.5, "rsi": 45.5, "side": "LONG"}
COLOURED = "%(log_color)s%(asctime)s %(levelname)-8s%(reset)s [%(name)s] %(message)s"


class Terminal(io.StringIO):
    """A terminal that costs nothing: what is measured is the making of the line."""

    def isatty(self) -> bool:
        return True

    def write(self, text: str) -> int:
        return len(text)


class Json(logging.Formatter):
    """The predecessor's shape, as it is usually written."""

    converter = time.gmtime

    def format(self, record: logging.LogRecord) -> str:
        return json.dumps(
            {
                "timestamp": self.formatTime(record, "%Y-%m-%dT%H:%M:%S") + f".{int(record.msecs):03d}Z",
                "level": record.levelname,
                "logger": record.name,
                "message": record.getMessage(),
                "context": record.context,  # type: ignore[attr-defined]
            },
            default=str,
        )


@contextmanager
def ours(folder: Path, *, all_three: bool) -> Iterator[structlog.typing.FilteringBoundLogger]:
    """Send VELOX's own loggers to this folder: to all sinks, or to the JSON file alone."""
    files, stderr, console = logs.sinks.files, sys.stderr, logs.NOT_ON_CONSOLE
    if all_three:
        logs.sinks.files = []
        logs.sinks.open_in(folder)
    else:
        logs.sinks.files = [(DailyFile(folder, "velox-{:%Y-%m-%d}.jsonl"), as_json)]
        logs.NOT_ON_CONSOLE = {("strategy", "signal taken")}
    sys.stderr = Terminal()
    try:
        yield structlog.get_logger("strategy")
    finally:
        logs.sinks.close()
        logs.sinks.files, sys.stderr, logs.NOT_ON_CONSOLE = files, stderr, console


@contextmanager
def reference(*handlers: tuple[logging.Handler, logging.Formatter]) -> Iterator[logging.Logger]:
    logger = logging.Logger("reference", logging.INFO)
    for handler, formatter in handlers:
        handler.setFormatter(formatter)
        logger.addHandler(handler)
    yield logger
    for handler, _ in handlers:
        handler.close()


def rounds(mine: structlog.typing.FilteringBoundLogger, theirs: logging.Logger, folder: Path) -> Pair:
    def counted(file: Path) -> int:
        with file.open("rb") as lines:
            return sum(1 for _ in lines)

    def velox() -> int:
        for _ in range(LINES):
            mine.info("signal taken", **DATA)
        return LINES

    def standard() -> int:
        for _ in range(LINES):
            theirs.info("signal taken", extra={"context": DATA})
        return LINES

    velox(), standard()
    [file] = folder.glob("velox-*.jsonl")
    if counted(file) != LINES or counted(folder / "standard.jsonl") != LINES:
        raise RuntimeError("a line is missing in one of the files")
    return Pair(velox, standard)


@contextmanager
def one_json_line() -> Iterator[Pair]:
    """Ours: one JSON line a day file. Reference: colorlog's console plus a JSON file that rotates by size."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        kept = RotatingFileHandler(folder / "standard.jsonl", maxBytes=10**9, backupCount=10)
        console = logging.StreamHandler(Terminal())
        handlers = ((console, colorlog.ColoredFormatter(COLOURED)), (kept, Json()))
        with ours(folder, all_three=False) as mine, reference(*handlers) as theirs:
            yield rounds(mine, theirs, folder)


@contextmanager
def all_three_sinks() -> Iterator[Pair]:
    """Console in colour, JSON by day, text by size: each side does all three."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        daily = TimedRotatingFileHandler(folder / "standard.jsonl", when="midnight", utc=True)
        sized = RotatingFileHandler(folder / "standard.log", maxBytes=50 * 1024 * 1024, backupCount=10)
        plain = logging.Formatter("%(asctime)s %(levelname)-8s [%(name)s] %(message)s %(context)s")
        coloured = colorlog.ColoredFormatter(COLOURED + " %(context)s")
        handlers = ((logging.StreamHandler(Terminal()), coloured), (daily, Json()), (sized, plain))
        with ours(folder, all_three=True) as mine, reference(*handlers) as theirs:
            yield rounds(mine, theirs, folder)


ROWS = [
    Row(
        "log_json",
        "one JSON log line, against colorlog plus a JSON RotatingFileHandler",
        one_json_line,
        mark=5.0,
        stretch=10.0,
        unit="lines/s",
    ),
    Row(
        "log_three_sinks",
        "one log line to console, JSON and text, against the same three of the standard library",
        all_three_sinks,
        mark=2.0,
        stretch=4.0,
        unit="lines/s",
    ),
]
