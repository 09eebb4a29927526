"""The room of the spool: its own limit, and the reserve of the disk that stays the ledger's."""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass
from pathlib import Path

from timeseries.errors import SpoolFull
from timeseries.spool.segment import SUFFIX

RESERVE_BYTES_MAX = 512 * 1024 * 1024
RESERVE_SHARE = 20  # one twentieth of the disk
SPOOL_SHARE = 2  # the spool takes at most half of the disk unless it is told otherwise
KEPT_SHARE = 0.5  # of its limit: beyond it segments that are shipped already make room for new ones
LOW_SHARE, LOW_RESERVES = 0.75, 3  # of its limit, and of the reserve: from there on it is said to be low
SCARCE = 4  # the reserve becomes a file once the disk has less than this many reserves left


@dataclass(frozen=True, slots=True)
class Space:
    """The disk's space in bytes: held by the spool, its limit, free, and of that reserved for the ledger."""

    used: int
    limit: int
    free: int
    reserve: int

    @property
    def left(self) -> int:
        """The bytes that may be recorded before ticks are refused."""
        return max(0, min(self.limit - self.used, self.free - self.reserve))

    @property
    def wanting(self) -> int:
        """The bytes that shipped segments are to give up, so that room is never low for their sake."""
        return max(0, int(self.used - KEPT_SHARE * self.limit), LOW_RESERVES * self.reserve - self.free)

    @property
    def is_low(self) -> bool:
        """Tell whether somebody should make room now, long before it is needed."""
        return self.used > LOW_SHARE * self.limit or self.free < LOW_RESERVES * self.reserve


class Room:
    """The room for new segments; the reserve is free space that the spool never takes.

    While the disk has plenty, that is arithmetic. Once space is scarce the reserve is also held by a preallocated
    file, so that no other program takes it; it is given back, to the ledger, at the moment the spool has to stop.
    """

    def __init__(self, root: Path, *, max_bytes: int | None = None, reserve_bytes: int | None = None) -> None:
        self.root, self._max_bytes, self._reserve_bytes = root, max_bytes, reserve_bytes
        self.file = root / ".reserve"  # no source's folder begins with a dot

    def claim(self, size: int) -> None:
        """Allow a segment of this many bytes, and hold the reserve where space is scarce.

        Raises:
            SpoolFull: ``reason`` in the hint: the spool's own limit, or the reserve.
            OSError: the disk refuses to tell.
        """
        held, space = self._held(), self.space()
        if space.used + size > space.limit:
            raise SpoolFull(
                f"The spool holds {space.used:,} of at most {space.limit:,} bytes.",
                hint="Ship what waits, or raise VELOX_SPOOL_MAX_BYTES.",
                code="spool_limit",
            )
        if space.free - size < space.reserve:
            self.release()
            raise SpoolFull(
                f"The disk has {space.free:,} bytes left, {space.reserve:,} of them are kept for the ledger.",
                hint="Make room on the disk; recording goes on by itself.",
                code="spool_reserve",
            )
        self._hold(space, held)

    def space(self) -> Space:
        """Return how much room there is; what the reserve's own file holds counts as free. Raises OSError."""
        disk = os.statvfs(self.root)
        total, free = disk.f_blocks * disk.f_frsize, disk.f_bavail * disk.f_frsize
        limit = self._max_bytes if self._max_bytes is not None else total // SPOOL_SHARE
        reserve = self._reserve_bytes
        if reserve is None:
            reserve = min(RESERVE_BYTES_MAX, total // RESERVE_SHARE)
        return Space(self.used(), limit, free + self._held(), reserve)

    def used(self) -> int:
        """Return the bytes of all segments."""
        total = 0
        for path in self.root.glob(f"*/*/*{SUFFIX}"):
            with contextlib.suppress(FileNotFoundError):
                total += path.stat().st_size
        return total

    def release(self) -> None:
        """Free the reserve's space for whoever needs it."""
        self.file.unlink(missing_ok=True)

    def _held(self) -> int:
        try:
            return self.file.stat().st_blocks * 512
        except FileNotFoundError:
            return 0

    def _hold(self, space: Space, held: int) -> None:
        if space.free >= SCARCE * space.reserve:
            if held:
                self.release()
            return
        if held >= space.reserve:
            return
        # Another process may have been faster, or the space is gone meanwhile: the next claim sees it.
        with contextlib.suppress(OSError):
            descriptor = os.open(self.file, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
            try:
                os.posix_fallocate(descriptor, 0, space.reserve)
            finally:
                os.close(descriptor)
