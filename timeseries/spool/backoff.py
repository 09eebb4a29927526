"""Pauses that double: how long to leave alone what fails again and again."""

from __future__ import annotations

DOUBLINGS_MAX = 30  # no power of two grows without end where nothing ever succeeds


def pause_seconds(failures: int, *, first: float, longest: float) -> float:
    """Return the pause after a failure that follows ``failures`` others in a row, in seconds.

    It is ``first`` after a success, doubles with every failure, and is never above ``longest``.
    """
    return min(longest, first * 2.0 ** min(failures, DOUBLINGS_MAX))
