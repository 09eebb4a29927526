"""Gaps in a feed: stretches of a continuous session without a tick, where the symbol normally ticks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

SECOND = 10**9
LONGER_THAN = 10 * SECOND
# A symbol normally ticks where at least this share of its day's steps is no longer than that; of one that trades
# every few minutes silence says nothing.
NORMAL_SHARE = 0.99


@dataclass(frozen=True, slots=True)
class Gap:
    """One gap, from the last tick before it to the first one after, in ns UTC."""

    start: int
    stop: int

    @property
    def seconds(self) -> float:
        """The length of the gap."""
        return (self.stop - self.start) / SECOND

    def touches(self, opened: int, closed: int) -> bool:
        """Tell whether a trade that was open between two instants (ns) was open in the gap."""
        return self.start < closed and opened < self.stop


def gaps(times: npt.NDArray[np.int64], opens: int, closes: int) -> list[Gap]:
    """Return the gaps of one symbol and day between the ticks of its continuous session (ns UTC, in any order)."""
    inside = np.sort(times[(times >= opens) & (times < closes)])
    steps = np.diff(inside)
    long = np.flatnonzero(steps > LONGER_THAN)
    if not len(long) or len(long) > (1 - NORMAL_SHARE) * len(steps):
        return []
    return [Gap(int(inside[place]), int(inside[place + 1])) for place in long]


def mark(seconds: float | None) -> str:
    """Return the mark that a trade carries for its longest gap: `30 s without ticks`; empty without a gap."""
    return "" if seconds is None else f"{seconds:.0f} s without ticks"
