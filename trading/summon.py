"""One companion per data folder: its lock, and how whoever records first brings it to life."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from django.conf import settings

_started: list[subprocess.Popen[bytes]] = []


def lock_path() -> Path:
    return Path(settings.DATA_DIR) / "companion.lock"


@contextmanager
def being_the_companion() -> Iterator[bool]:
    """Hold the companion's lock; gives False where another process is the companion."""
    lock_path().parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(lock_path(), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        yield _take(descriptor)
    finally:
        os.close(descriptor)  # the kernel frees the lock, also when we are killed


def _take(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, str(os.getpid()).encode(), 0)
    return True


def companion_pid() -> int | None:
    """Return the pid of the living companion, None where there is none."""
    try:
        descriptor = os.open(lock_path(), os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        text = os.pread(descriptor, 32, 0).decode("ascii", "replace")
        return int(text) if text.isdigit() else 0
    else:
        return None
    finally:
        os.close(descriptor)


def summon() -> None:
    """Start a companion where none lives; return at once. A fault of this is told by the health report."""
    _started[:] = [process for process in _started if process.poll() is None]
    if _started or companion_pid() is not None:
        return
    command = [sys.executable, str(settings.BASE_DIR / "manage.py"), "ship", "--watch"]
    environment = {
        **os.environ,
        "VELOX_DATA_DIR": str(settings.DATA_DIR),
        "DJANGO_SETTINGS_MODULE": os.environ.get("DJANGO_SETTINGS_MODULE", "velox_site.settings"),
    }
    try:
        # A session of its own: a Ctrl-C for the strategy is none for it.
        process = subprocess.Popen(
            command,
            cwd=settings.BASE_DIR,
            env=environment,
            start_new_session=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
    except OSError:
        return
    _started.append(process)
