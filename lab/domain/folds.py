"""Folds of labelled observations: whole days are tested, and nothing is trained on that overlaps what is tested."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from timeseries.measurements import IntArray

DAY_NS = 86_400 * 10**9


@dataclass(frozen=True, slots=True)
class LabelTimes:
    """When each observation was decided (``begins``) and when its outcome was there (``ends``), both ns UTC, and the
    trading day that it belongs to (``days``: ordinals)."""

    begins: IntArray
    ends: IntArray
    days: IntArray


class Fold(NamedTuple):
    """The places of the observations that a model is fitted on, and of those that it is then asked about."""

    train: IntArray
    test: IntArray


def purged_folds(times: LabelTimes, count: int, *, embargo_days: int) -> list[Fold]:
    """Return so many folds that test each day once, in runs of whole days.

    Purged: whatever overlaps the span from the first decision to the last outcome that are tested is not trained on.
    Embargoed: nor is what was decided within so many days (24 hours each) after that span (López de Prado 2018,
    "Advances in Financial Machine Learning", chapter 7).

    Raises: ValueError where there are fewer days than folds.
    """
    days = np.unique(times.days)
    if not 2 <= count <= len(days):
        raise ValueError(f"{len(days)} days make no {count} folds.")
    folds = []
    for run in np.array_split(days, count):
        is_tested = np.isin(times.days, run)
        begin, end = int(times.begins[is_tested].min()), int(times.ends[is_tested].max())
        is_clear = (times.ends < begin) | (times.begins > end + embargo_days * DAY_NS)
        folds.append(Fold(np.flatnonzero(is_clear & ~is_tested), np.flatnonzero(is_tested)))
    return folds


def leaking_folds(times: LabelTimes, folds: list[Fold]) -> int:
    """Return in how many folds an outcome that is trained on overlaps one that is tested: 0, or they are no folds."""
    leaks = 0
    for train, test in folds:
        begin, end = times.begins[test].min(), times.ends[test].max()
        overlaps = (times.begins[train] <= end) & (times.ends[train] >= begin)
        leaks += bool(overlaps.any() or np.isin(times.days[train], times.days[test]).any())
    return leaks
