"""The syncer: a process of its own that brings every lane to the disk, so that a power loss costs at most the window.

It does nothing else and shares nothing with its companion, whose other work may take seconds at a time, not even the
interpreter. `python -m timeseries.spool.syncer SPOOL --window-ms N`, with a pipe as stdin: a byte in it asks for an
end, and where the pipe is closed without one (its companion was killed) it goes on for a while, until another has
begun.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import select
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from timeseries.spool.folder import Spool
from timeseries.spool.lane import Lane

BEGINNINGS = 2  # of a sync within one window: a record waits for the next beginning, and then for the disk
AGAIN_SECONDS = 1.0  # a lane whose sync failed is left alone so long; its recorder refuses meanwhile
ALONE_SECONDS = 10.0  # after the companion was killed
END_SECONDS = 5.0
LANES_AT_ONCE = 8  # the disk syncs several files in hardly more time than one


class Syncer:
    """The sync of all lanes of a spool that have something new; ``clock`` in monotonic seconds."""

    def __init__(self, spool: Spool, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.spool, self.clock = spool, clock
        self._held: dict[Lane, float] = {}
        self._threads = ThreadPoolExecutor(LANES_AT_ONCE, thread_name_prefix="sync")

    def run_once(self) -> list[OSError]:
        """Sync the lanes that have something new; return the disk's faults."""
        now = self.clock()
        due = [
            lane
            for lane in self.spool.lanes()
            if (lane.unsynced() is not None or lane.doubt()) and self._held.get(lane, now) <= now
        ]
        faults = self._threads.map(self._sync, due)
        return [fault for fault in faults if fault is not None]

    def _sync(self, lane: Lane) -> OSError | None:
        try:
            lane.sync()
        except OSError as error:
            self._held[lane] = self.clock() + AGAIN_SECONDS
            return error
        self._held.pop(lane, None)
        return None


def run(spool: Spool, *, window_seconds: float, wait: Callable[[float], bool], tell: Callable[[str], None]) -> None:
    """Sync in every window until ``wait`` (seconds) answers True; ``tell`` takes each fault's words."""
    syncer, every = Syncer(spool), window_seconds / BEGINNINGS
    is_over = False
    while not is_over:
        began = time.monotonic()
        try:
            faults: list[OSError] = syncer.run_once()
        except OSError as error:  # the folder itself
            faults = [error]
        for fault in faults:
            tell(str(fault))
        is_over = wait(max(0.0, began + every - time.monotonic()))
    syncer.run_once()


class SyncProcess:
    """The syncer's process, as its companion starts and ends it from one thread."""

    def __init__(self, root: Path, *, window_seconds: float) -> None:
        self._command = [
            sys.executable,
            "-m",
            "timeseries.spool.syncer",
            str(root),
            "--window-ms",
            str(window_seconds * 1000),
        ]
        self._process: subprocess.Popen[bytes] | None = None

    def look(self) -> None:
        """Start the process where it does not run. Raises OSError: the newest fault of the disk since the last look."""
        if self._process is None or self._process.poll() is not None:
            self._let_go()
            self._process = subprocess.Popen(
                self._command,
                cwd=Path(__file__).resolve().parents[2],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
            )
            assert self._process.stdout is not None
            os.set_blocking(self._process.stdout.fileno(), False)
        assert self._process.stdout is not None
        if faults := (self._process.stdout.read() or b"").decode(errors="replace").splitlines():
            raise OSError(faults[-1])

    def end(self) -> None:
        """Ask for a last sync and wait for its end, for at most `END_SECONDS`."""
        if self._process is None:
            return
        assert self._process.stdin is not None
        with contextlib.suppress(OSError):
            self._process.stdin.write(b".")
            self._process.stdin.flush()
        try:
            self._process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()  # a disk that hangs: what it did not take it would not take now
            self._process.wait()
        self._let_go()

    def _let_go(self) -> None:
        if self._process is not None:
            for pipe in (self._process.stdin, self._process.stdout):
                if pipe is not None:
                    with contextlib.suppress(OSError):
                        pipe.close()
            self._process = None


class _Parent:
    """The companion as its syncer sees it: one pipe brings its word or its end, another takes faults to it."""

    def __init__(self, hears: int, tells: int) -> None:
        self._hears, self._tells = hears, tells
        self._gone_at: float | None = None
        os.set_blocking(tells, False)  # a companion that is busy reads late: no sync waits for it

    def wait(self, seconds: float) -> bool:
        """Wait so many seconds; True once the companion asks for the end or has been gone for a while."""
        if self._gone_at is not None:
            time.sleep(seconds)
            return time.monotonic() - self._gone_at > ALONE_SECONDS
        if select.select([self._hears], [], [], seconds)[0]:
            if os.read(self._hears, 1):
                return True
            self._gone_at = time.monotonic()
        return False

    def tell(self, fault: str) -> None:
        """Send the companion a fault's words, where it reads."""
        with contextlib.suppress(OSError):
            os.write(self._tells, fault.encode() + b"\n")


def main() -> None:
    """Sync the spool that the command line names until its companion asks for an end."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("spool", type=Path)
    parser.add_argument("--window-ms", type=float, required=True)
    options = parser.parse_args()
    parent = _Parent(0, 1)
    run(Spool(options.spool), window_seconds=options.window_ms / 1000, wait=parent.wait, tell=parent.tell)


if __name__ == "__main__":
    main()
