"""Locks on files (flock) that end when their holder lets go, and not when the last copy of the descriptor is closed.

The kernel ties such a lock to the open file, which a forked child shares: closing it in the parent frees nothing while
the child lives. So a lock is freed by name here, and a child closes its copies as soon as it is forked.
"""

from __future__ import annotations

import fcntl
import os
import threading
from pathlib import Path
from typing import Self

READ = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW
WRITE = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW


class FileLock:
    """An open file and the lock on it, once taken. After `free` no other process meets it, whoever was forked."""

    def __init__(self, path: Path, *, flags: int = WRITE) -> None:
        """Open the file, without taking its lock. Raises OSError."""
        with _opening:
            self.descriptor = os.open(path, flags, 0o600)
            _open.add(self)

    @classmethod
    def handed(cls, descriptor: int) -> FileLock:
        """Return the lock of a descriptor that another process has opened, and perhaps locked, for this one."""
        lock = cls.__new__(cls)
        with _opening:
            lock.descriptor = descriptor
            _open.add(lock)
        return lock

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.free()

    def take(self, *, shared: bool = False, patient: bool = False) -> bool:
        """Take the lock; False where another has it. ``patient`` waits for it. Raises OSError."""
        kind = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
        try:
            fcntl.flock(self.descriptor, kind if patient else kind | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def free(self) -> None:
        """Unlock and close the file. A second call does nothing, nor one in a forked child of the holder."""
        if self.descriptor >= 0:
            fcntl.flock(self.descriptor, fcntl.LOCK_UN)
            self.close()

    def close(self) -> None:
        """Close the file and leave the lock to another process that has the file open."""
        descriptor, self.descriptor = self.descriptor, -1
        if descriptor >= 0:
            _open.discard(self)
            os.close(descriptor)


def lives(pid: int) -> bool:
    """Tell whether a process has this pid now."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


# Held over a fork: what is open is in the set, so that no child keeps a file that it does not know of.
_opening = threading.Lock()
_open: set[FileLock] = set()


def _in_child() -> None:
    for lock in list(_open):
        lock.close()
    _opening.release()


os.register_at_fork(before=_opening.acquire, after_in_parent=_opening.release, after_in_child=_in_child)
