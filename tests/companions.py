"""The companion in tests: kept away where it is not wanted, and ended by its pid where it is."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from trading import summon


@contextmanager
def ended_afterwards() -> Iterator[None]:
    """End the companion of the settings' data folder when the test is over."""
    try:
        yield
    finally:
        if summon.companion_pid() == 0:  # it is only just starting
            with suppress(TimeoutError):
                until(lambda: summon.companion_pid() != 0)
        pid = summon.companion_pid()
        if pid:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
            until(lambda: summon.companion_pid() is None)


def until(condition: Callable[[], object], timeout: float = 60.0) -> None:
    """Return when the condition holds; a companion takes seconds to start on a busy machine."""
    deadline = time.monotonic() + timeout
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError("it never came")
        time.sleep(0.01)


def living_companion() -> int:
    """Wait for the companion to sign its lock and return its pid."""
    until(lambda: summon.companion_pid())
    return summon.companion_pid() or 0


def is_alive(pid: int) -> bool:
    """Tell whether the process runs; one that nobody has waited for yet does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False
