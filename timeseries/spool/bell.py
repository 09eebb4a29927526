"""The doorbell of a data folder: a named pipe that says "look at the spool" and carries nothing else.

A ring that nobody hears, or that comes twice, changes nothing: whoever ships also looks on a schedule.
"""

from __future__ import annotations

import contextlib
import os
import select
from pathlib import Path

NAME = ".bell"


class Bell:
    """The bell that recorders and `flush` ring and the companion hears. It never blocks, nor raises for its pipe."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / NAME
        self._ear: int | None = None

    def ring(self) -> bool:
        """Ring the bell; False where nobody listens."""
        try:
            descriptor = os.open(self.path, os.O_WRONLY | os.O_NONBLOCK | os.O_NOFOLLOW)
        except OSError:
            return False
        with contextlib.suppress(OSError):  # a full pipe is a bell that rings already
            os.write(descriptor, b"!")
        os.close(descriptor)
        return True

    def listen(self) -> None:
        """Begin to hear rings; on a file system that has no pipes they go unheard, and the schedule does it all."""
        with contextlib.suppress(OSError):
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with contextlib.suppress(FileExistsError):
                os.mkfifo(self.path, 0o600)
            # Opened for writing as well: a pipe without a writer would be at its end and never wait.
            self._ear = os.open(self.path, os.O_RDWR | os.O_NONBLOCK | os.O_NOFOLLOW)

    def wait(self, seconds: float) -> bool:
        """Wait for a ring for so many seconds; False where there was none."""
        if self._ear is None:
            select.select([], [], [], seconds)
            return False
        heard, _, _ = select.select([self._ear], [], [], seconds)
        if heard:
            with contextlib.suppress(BlockingIOError):
                os.read(self._ear, 65536)
        return bool(heard)

    def close(self) -> None:
        """Stop hearing."""
        if self._ear is not None:
            os.close(self._ear)
            self._ear = None
