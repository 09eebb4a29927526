"""The companion in tests: kept away where it is not wanted, and ended by its pid where it is."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.waiting import until
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
