"""Presence on a data folder: worker and beat leave there the time at which they last worked.

The time is the machine's monotonic clock, which all its processes share, so that a step of the wall clock makes nobody
look dead or alive. ``python -m timeseries.presence FOLDER NAME`` exits with 0 where it is there, else 1.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

FOLDER = "run"
TASK = "task"  # the mark that a worker leaves at each end of a task
ABSENT_SECONDS = 15.0
DIGITS = 20  # always as many, written at once: a reader never sees half a number
_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW


def mark(data_dir: Path, name: str) -> None:
    """Write the time of now under ``name``. Raises: OSError."""
    folder = data_dir / FOLDER
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(folder / name, _FLAGS, 0o600)
    try:
        os.pwrite(descriptor, f"{time.monotonic_ns():0{DIGITS}d}".encode(), 0)
    finally:
        os.close(descriptor)


def seconds_since(data_dir: Path, name: str) -> float | None:
    """Return how many seconds ago ``name`` was marked; None where it never was since the machine started."""
    try:
        text = (data_dir / FOLDER / name).read_text("ascii")
    except (OSError, UnicodeDecodeError):
        return None
    age = time.monotonic_ns() - int(text) if text.isdigit() and len(text) == DIGITS else -1
    return age / 10**9 if age >= 0 else None


def is_there(data_dir: Path, name: str) -> bool:
    """Tell whether ``name`` was marked within the last `ABSENT_SECONDS`."""
    age = seconds_since(data_dir, name)
    return age is not None and age <= ABSENT_SECONDS


if __name__ == "__main__":
    sys.exit(not is_there(Path(sys.argv[1]), sys.argv[2]))
