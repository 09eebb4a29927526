"""Pauses that double."""

from __future__ import annotations

from timeseries.spool.backoff import pause_seconds


def test_each_failure_in_a_row_doubles_the_pause_up_to_the_longest() -> None:
    pauses = [pause_seconds(failures, first=0.5, longest=3.0) for failures in range(5)]
    assert pauses == [0.5, 1.0, 2.0, 3.0, 3.0]


def test_failures_without_end_stay_at_the_longest_pause() -> None:
    assert pause_seconds(10**9, first=60.0, longest=3600.0) == 3600.0
