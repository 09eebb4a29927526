"""Text files that commands read, and files that they write whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from timeseries.spool import durable
from trading.brokers.containers.limits import FILE_BYTES_MAX
from trading.domain.strategy_rules import StrategyRule, parse_rules
from trading.errors import InvalidValue, VeloxError


class OutputFailed(VeloxError):
    """An output file that cannot be written."""

    code = "output_failed"


def ending_of(error: OSError) -> str:
    """Return the sentence with which a command ends that the system refused to read or write for."""
    if isinstance(error, BrokenPipeError):
        return "Nobody reads the answer any more."
    where = f" ({error.filename})" if error.filename else ""
    return f"{error.strerror or error}{where}. Look at the disk, and at the owner and mode of what is written."


def read_text(path: str | Path, *, field: str) -> str:
    """Return the text of a file; ``field`` is the argument that named it.

    Raises: InvalidValue.
    """
    try:
        return Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidValue(f"{path} cannot be read: {error}.", field=field) from error


def read_broker_file(path: Path) -> bytes:
    """Return a broker's file; of one that is too large as much as shows that it is. Raises: InvalidValue."""
    try:
        with path.open("rb") as file:
            return file.read(FILE_BYTES_MAX + 1)
    except OSError as error:
        raise InvalidValue(f"{path} cannot be read: {error.strerror}.", field="files") from error


def read_password(path: Path) -> str:
    """Return the password in a file's first line. Raises: InvalidValue, without a word of what stands there."""
    lines = read_text(path, field="password_file").removeprefix("\ufeff").splitlines()  # a mark that editors put there
    if not lines or not lines[0].strip():
        raise InvalidValue(f"{path.name} is empty.", field="password_file", hint="Its first line is the password.")
    return lines[0].strip()


def strategy_rules(strategy: str | None, path: Path | None, *, field: str) -> list[StrategyRule]:
    """Return the rules of a file, and after them the one strategy for all other fills. Raises: InvalidValue."""
    rules = [] if path is None else parse_rules(read_text(path, field=field))
    return rules if strategy is None else [*rules, StrategyRule(strategy)]


def output_path(name: str) -> Path:
    """Return the file that ``--output`` names. Raises: OutputFailed."""
    if not name:
        raise OutputFailed("--output names no file.", field="output")
    return Path(name)


def write_file(path: Path, content: str | bytes | Callable[[BinaryIO], None]) -> None:
    """Write a whole file or none, also where a function writes it part after part: its name is the new content's only
    when every byte is on disk, and what is broken off or killed leaves nothing. A link leads to its file; a device or a
    pipe is written to.

    Raises: OutputFailed.
    """
    content = content.encode() if isinstance(content, str) else content
    try:
        if path.exists() and not path.is_file() and not path.is_dir():
            with path.open("wb") as device:
                if callable(content):
                    content(device)
                else:
                    device.write(content)
            return
        with durable.replacing(Path(os.path.realpath(path))) as file:
            if callable(content):
                content(file)
            else:
                file.write(content)
    except OSError as error:
        raise OutputFailed(f"{path} cannot be written: {error.strerror}.", field="output") from error
