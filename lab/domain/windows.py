"""Walk-forward: which days are trained on and which are tested, and what a set of parameters is judged by."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from math import inf

from lab.domain.odds import SharpeSample
from trading.errors import InvalidValue


class Objective(StrEnum):
    """What parameters are chosen by: P&L after the charges that are known, the same where all are known, or the Sharpe
    ratio of the days' P&L."""

    PNL = "pnl"
    NET = "net"
    SHARPE = "sharpe"

    def of(self, days: Sequence[int]) -> float:
        """Return the objective of some days' P&L in units; the lowest of all where it is not defined."""
        if self is not Objective.SHARPE:
            return sum(days) / 1e8
        sample = SharpeSample.of([float(day) for day in days])
        return -inf if sample is None else sample.sharpe


@dataclass(frozen=True, slots=True)
class Window:
    """Days that parameters are chosen on, and the days after them on which they are judged."""

    train: tuple[date, ...]
    test: tuple[date, ...]


def windows_of(days: Sequence[date], train_days: int, test_days: int) -> list[Window]:
    """Return windows whose test days follow each other without a gap; the last may have fewer.

    Raises: InvalidValue where there is no day to test on.
    """
    for name, count in (("train_days", train_days), ("test_days", test_days)):
        if count < 1:
            raise InvalidValue(f"{name} is {count}.", field=name, hint="Give at least 1.")
    if len(days) <= train_days:
        raise InvalidValue(
            f"There are {len(days)} trading days with ticks, {train_days} to train on and none to test on.",
            field="train_days",
            hint="Give fewer, or more days by --from and --to.",
        )
    starts = range(0, len(days) - train_days, test_days)
    return [
        Window(
            tuple(days[start : start + train_days]), tuple(days[start + train_days : start + train_days + test_days])
        )
        for start in starts
    ]
