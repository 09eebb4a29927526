"""The sources that this process holds, with one writer each, which its recorders share and a forked child leaves."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Hashable
from pathlib import Path

from timeseries.recording.writer import SourceWriter

SourceKey = tuple[Path, str]
_writers: dict[SourceKey, SourceWriter] = {}
_guards: dict[SourceKey, threading.Lock] = {}
# Taken before any guard, never the other way round.
_opening = threading.Lock()


def _key(root: Path, source: str) -> SourceKey:
    # One folder may be reached by several paths; the lock on it would then be this process's own.
    return Path(os.path.realpath(root)), source


def guard_of(root: Path, source: str) -> threading.Lock:
    """Return the lock around everything that this process writes under the source, without touching the disk."""
    with _opening:
        return _guards.setdefault(_key(root, source), threading.Lock())


def open_source(root: Path, source: str, *, user: Hashable, max_bytes: int | None, segment_bytes: int) -> SourceWriter:
    """Return this process's writer of the source and note its user. Raises SourceBusy, OSError."""
    key = _key(root, source)
    with _opening:
        writer = _writers.get(key)
        if writer is None:
            guard = _guards[key]
            writer = SourceWriter(key[0], source, guard, max_bytes=max_bytes, segment_bytes=segment_bytes)
            _writers[key] = writer
        writer.users.add(id(user))
        return writer


def leave_source(writer: SourceWriter, *, user: Hashable) -> None:
    """Remove a user of the source and sync what it recorded; after the last user seal and free the source."""
    with _opening:
        writer.users.discard(id(user))
        if not writer.gone and not writer.users:
            del _writers[writer.spool.root, writer.source]
            writer.close()
    with contextlib.suppress(OSError):
        writer.sync()


def forsake_source(writer: SourceWriter) -> dict[str, int]:
    """Leave a source whose files were removed or replaced; return how many records of each measurement are lost."""
    with _opening, writer.guard:
        if writer.gone:
            return {}
        del _writers[writer.spool.root, writer.source]
        return writer.forsake()


_held: list[threading.Lock] = []


def _before_fork() -> None:
    # The forking thread holds every lock over the fork: a child never inherits one that nobody will free, nor a frame
    # that another thread has half written.
    _opening.acquire()
    for guard in _guards.values():
        guard.acquire()
        _held.append(guard)


def _after_fork() -> None:
    while _held:
        _held.pop().release()
    _opening.release()


def _in_child() -> None:
    for writer in _writers.values():
        writer.abandon()
    _writers.clear()
    _after_fork()


os.register_at_fork(before=_before_fork, after_in_parent=_after_fork, after_in_child=_in_child)
