"""The summaries of several days, counted from columns, and the total of all."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple

import numpy as np

from trading.domain import figures
from trading.domain.exit_columns import ExitColumns, Groups, day_of_ordinal
from trading.domain.exit_lists import lists_of
from trading.domain.exit_runs import Integers
from trading.domain.figures import Capital, Sample
from trading.domain.shapes import DaySummaries, DaySummary, SummaryRow
from trading.queries.held_columns import HeldColumns, held_as_columns, union_micros, union_micros_of_each
from trading.queries.parts import exits_as_columns
from trading.queries.period import newest_date
from trading.queries.reports import Selection
from trading.queries.statistics import capital_beside, history_of, trading_days

NO_CAPITAL = Capital(0, [], {}, {})


class DayOf(NamedTuple):
    """A strategy's day, or without a name the account's."""

    day: int
    strategy_id: str


def build_span(selection: Selection, *, now: datetime) -> DaySummaries:
    """Return the summaries of the days selected, and the total of all.

    Days without a trade, an exit or a position are left out. In the total the drawdown runs across the days. A day that
    has not come yet holds nothing.
    """
    cut, first, last = selection.cut, selection.first, selection.last
    if first is None or last is None:
        nothing = _Span(lists_of([]).columns(), HeldColumns.of([]))
        return {**selection.head(), "days": [], "total": nothing.total(NO_CAPITAL)}
    exits = exits_as_columns(cut, first, last)
    until = min(last, newest_date(cut.account, now))
    held = held_as_columns(cut, first, until, lambda: exits_as_columns(cut, first, last), now=now)
    history, pnl_by_day = history_of(cut.account, last, known_at=cut.known_at), exits.pnl_by_day()
    days = [day_of_ordinal(ordinal) for ordinal in np.union1d(exits.day, held.day).tolist()]
    capitals = {day.toordinal(): capital_beside(history, [day], {day: pnl_by_day.get(day, 0)}) for day in days}
    span = _Span(exits, held)
    rows, totals = (span.rows(capitals, by_strategy=by_strategy) for by_strategy in (True, False))
    rows_of: dict[int, list[SummaryRow]] = {}
    for of in sorted(rows):
        rows_of.setdefault(of.day, []).append(rows[of])
    summaries: list[DaySummary] = [
        {
            "date": day_of_ordinal(of.day).isoformat(),
            "account": cut.account.code,
            "currency": cut.account.currency,
            "strategies": rows_of[of.day],
            "total": totals[of],
        }
        for of in sorted(totals)
    ]
    capital = capital_beside(history, trading_days(cut, first, last), pnl_by_day)
    return {**selection.head(), "days": summaries, "total": span.total(capital)}


class _Stretches(NamedTuple):
    """Rows by day or by a strategy's day: their places in that order, where each begins there, and which it is."""

    order: Integers
    starts: Integers
    keys: list[DayOf]


class _Span:
    """The exits of some days and when trades were in the market, each by day and by strategy and day."""

    def __init__(self, exits: ExitColumns, held: HeldColumns) -> None:
        self.exits, self.held, self.sums = exits, held, exits.sums()

    def rows(self, capitals: Mapping[int, Capital], *, by_strategy: bool) -> dict[DayOf, SummaryRow]:
        """Return the row of each day that holds anything, or of each strategy's day."""
        strategies = self.exits.groups["strategy"]
        booked = _stretches(self.exits.day, strategies if by_strategy else None, np.arange(len(self.exits)))
        held = _stretches(self.held.day, self.held.strategies if by_strategy else None, self.held.start)
        codes = np.zeros(len(self.exits), dtype=np.int64)
        codes[booked.order] = np.repeat(np.arange(len(booked.keys)), np.diff(np.append(booked.starts, len(codes))))
        samples = dict(zip(booked.keys, self.sums.samples(codes, len(booked.keys)), strict=True))
        of_days = [capitals[key.day] for key in booked.keys]
        falls = dict(zip(booked.keys, self.exits.worst_falls(booked.order, booked.starts, of_days), strict=True))
        begins, ends = self.held.start[held.order], self.held.stop[held.order]
        micros = dict(zip(held.keys, union_micros_of_each(begins, ends, held.starts), strict=True))
        nothing = Sample.of([])
        return {
            key: {
                "strategy_id": key.strategy_id or None,
                **figures.day_figures(samples.get(key, nothing), falls.get(key, []), capitals[key.day]),
                "exposure_seconds": micros.get(key, 0) / 1_000_000,
            }
            for key in samples.keys() | micros.keys()
        }

    def total(self, capital: Capital) -> SummaryRow:
        """Return the row of all days."""
        return {
            "strategy_id": None,
            **figures.day_figures(self.exits.sample(), self.exits.path(capital).episodes, capital),
            "exposure_seconds": union_micros(self.held.start, self.held.stop) / 1_000_000,
        }


def _stretches(days: Integers, strategies: Groups | None, within: Integers) -> _Stretches:
    """Return the stretches of rows by day, or by strategy and day, in the order of ``within`` each."""
    codes, names = (np.zeros(len(days), dtype=np.int64), [""]) if strategies is None else strategies
    keys = days * max(1, len(names)) + codes
    order = np.lexsort((within, keys))
    ordered = keys[order]
    starts = np.flatnonzero(np.diff(ordered, prepend=ordered[:1] - 1))
    of_each = [divmod(key, len(names)) for key in ordered[starts].tolist()]
    return _Stretches(order, starts, [DayOf(day, names[code]) for day, code in of_each])
