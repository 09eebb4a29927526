"""The lock of the one companion per data folder, and its start by whoever records first.

The lock is taken before the companion is started and handed to it open: of two that record at once one starts it, and
none is taken for living that is not. The kernel frees the lock with the last process that holds it open.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from django.conf import settings

from timeseries.recording.recorder import PROJECTING_SOURCE
from timeseries.spool.folder import Spool
from timeseries.spool.locks import READ, WRITE, FileLock

OUTPUT_BYTES_MAX = 1 << 20
WATCH_FOLDER = "alerts"  # of the data folder: its lease is of whoever watches the desk (`trading.alerts.watch`)
PRESENCE = "companion"  # the mark that a companion leaves as it works (`timeseries.presence`)
ATTEMPTS, PAUSE_SECONDS = 20, 0.001


def lock_path() -> Path:
    """Return the file whose lock the companion of this data folder holds."""
    return Path(settings.DATA_DIR) / "companion.lock"


def lock_identity() -> tuple[int, int] | None:
    """Return what tells the lock's file from one of a data folder that was made anew; None where there is none."""
    try:
        status = lock_path().stat(follow_symlinks=False)
    except OSError:
        return None
    return status.st_dev, status.st_ino


@contextmanager
def being_the_companion(handed: int | None = None) -> Iterator[bool]:
    """Hold the companion's lock while the block runs; yield False where another process is the companion.

    ``handed`` is the descriptor of the lock that `summon` has taken for us.
    """
    is_handed = False
    if handed is not None:
        with contextlib.suppress(OSError):  # the data folder may have been made anew meanwhile: its lock is another
            is_handed = os.path.samestat(os.fstat(handed), os.stat(lock_path(), follow_symlinks=False))
    lock = FileLock.handed(handed) if handed is not None and is_handed else _open()
    try:
        is_ours = lock.take()
        if is_ours:
            _sign(lock, str(os.getpid()))
        yield is_ours
    finally:
        lock.free()  # when we are killed the kernel does it


def companion_pid() -> int | None:
    """Return the pid of the living companion (0 while it starts), None where there is none."""
    try:
        lock = FileLock(lock_path(), flags=READ)
    except OSError:
        return None
    try:
        if lock.take(shared=True):
            return None
        text = os.pread(lock.descriptor, 32, 0).decode("ascii", "replace")
        return int(text) if text.isdigit() else 0
    finally:
        lock.free()


def is_recorded(spool: Spool) -> bool:
    """Tell whether a source records into this spool, the follower's aside."""
    return any(spool.holder(source) is not None for source in spool.sources() if source != PROJECTING_SOURCE)


def summon() -> None:
    """Start a companion where none lives; return at once. A fault of this is told by the health report."""
    with contextlib.suppress(OSError):
        lock = _open()
        try:
            for _ in range(ATTEMPTS):
                if lock.take():
                    _sign(lock, "")
                    _start(lock.descriptor)
                    break
                if companion_pid() is not None:
                    break
                time.sleep(PAUSE_SECONDS)  # nobody's, yet not free: somebody was just looking, as `companion_pid` does
        except OSError:
            lock.free()  # nobody has it from us
            raise
        finally:
            lock.close()  # and never freed: the lock is the companion's from its start on


def _open() -> FileLock:
    lock_path().parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    return FileLock(lock_path())


def _sign(lock: FileLock, text: str) -> None:
    os.ftruncate(lock.descriptor, 0)
    os.pwrite(lock.descriptor, text.encode(), 0)


def _start(descriptor: int) -> None:
    """Start `ship --watch` in a session of its own, with its own output, as nobody's child.

    The shell only lets go of it: a strategy that waits for its children must not meet this one, nor leave a zombie.
    """
    manage = [sys.executable, "-m", "velox_site", "ship", "--watch", "--lock", str(descriptor)]
    environment = {
        **os.environ,
        "VELOX_DATA_DIR": str(settings.DATA_DIR),
        "DJANGO_SETTINGS_MODULE": os.environ.get("DJANGO_SETTINGS_MODULE", "velox_site.settings"),
    }
    try:
        # What the companion says before and beside its log.
        folder = Path(settings.DATA_DIR) / "logs"
        folder.mkdir(mode=0o700, exist_ok=True)
        output = os.open(folder / "companion.log", WRITE | os.O_APPEND, 0o600)
        if os.fstat(output).st_size > OUTPUT_BYTES_MAX:
            os.ftruncate(output, 0)
    except OSError:
        output = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
    try:
        subprocess.run(
            ["/bin/sh", "-c", '"$@" &', "sh", *manage],
            cwd=settings.BASE_DIR,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            pass_fds=[descriptor],
            start_new_session=True,  # a Ctrl-C for the strategy is none for it
            check=False,
        )
    finally:
        os.close(output)
