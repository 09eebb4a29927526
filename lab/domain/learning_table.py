"""Signals and their outcomes as a table to learn from: which conditions are its columns, and what the outcome is."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from lab.domain.folds import LabelTimes
from lab.domain.leaks import is_own_score
from timeseries.measurements import FloatArray, Mask

RECORDED_SHARE = 0.05  # of the signals: what fewer have recorded is no column


class OutcomeUnit(StrEnum):
    """What a signal is judged by: its trade's P&L in multiples of its initial risk, or P&L where one had no stop."""

    R = "r"
    PNL = "pnl"


@dataclass(frozen=True, slots=True)
class LearningTable:
    """A row for each signal: its conditions (a column each of ``names``, NaN where one was not recorded), its outcome,
    and its times. A row of ``is_real`` False is the hypothetical outcome of a signal that was not taken."""

    names: tuple[str, ...]
    conditions: FloatArray
    outcomes: FloatArray
    times: LabelTimes
    is_real: Mask


def columns_of(
    rows: Sequence[Mapping[str, float]], without: Collection[str], texts: Collection[str]
) -> tuple[tuple[str, ...], dict[str, str]]:
    """Return the names of the columns, ascending, and of every other condition why it is none."""
    counts: dict[str, int] = {}
    for row in rows:
        for name in row:
            counts[name] = counts.get(name, 0) + 1
    left_out = dict.fromkeys(texts, "a text")
    names = []
    for name, count in sorted(counts.items()):
        if name in without:
            left_out[name] = "left out by --without"
        elif is_own_score(name):
            left_out[name] = "what an earlier model said"
        elif count < RECORDED_SHARE * len(rows):
            left_out[name] = f"recorded with {count} of {len(rows)}"
        elif len({row[name] for row in rows if name in row}) == 1 and count == len(rows):
            left_out[name] = "always the same"
        else:
            names.append(name)
    return tuple(names), dict(sorted(left_out.items()))


def table_of(names: Sequence[str], rows: Sequence[Mapping[str, float]]) -> FloatArray:
    """Return rows of conditions as columns of these names, NaN where one was not recorded."""
    cells = [[row.get(name, np.nan) for name in names] for row in rows]
    return np.array(cells, dtype=np.float64).reshape(len(rows), len(names))
