"""How long a test waits for what must come: enough for a much slower machine, since only a fault uses it up."""

from __future__ import annotations

import time
from collections.abc import Callable

PATIENCE_SECONDS = 600.0


def until(condition: Callable[[], object], *, pause_seconds: float = 0.01) -> None:
    """Return when the condition holds. Raises: TimeoutError after `PATIENCE_SECONDS`."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError("it never came")
        time.sleep(pause_seconds)
