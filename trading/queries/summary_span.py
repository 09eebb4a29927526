"""The summaries of several days, counted from columns, and the total of all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

import numpy as np

from trading.domain import figures
from trading.domain.exit_columns import ExitColumns, Groups, day_of_ordinal
from trading.domain.exit_lists import lists_of
from trading.domain.exit_runs import Integers
from trading.domain.figures import Capital, Sample
from trading.domain.shapes import DaySummaries, DaySummary, SummaryRow
from trading.queries.columns import coded
from trading.queries.held_columns import HeldColumns, held_as_columns, union_micros
from trading.queries.parts import exits_as_columns
from trading.queries.period import desk_date
from trading.queries.reports import Selection
from trading.queries.statistics import capital_beside, history_of, trading_days

NO_CAPITAL = Capital(0, [], {}, {})
NOWHERE: Integers = np.zeros(0, dtype=np.int64)


class DayOf(NamedTuple):
    """A strategy's day, or with None the account's."""

    day: int
    strategy_id: str | None


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
    held = held_as_columns(cut, first, min(last, desk_date(now)), lambda: exits_as_columns(cut, first, last), now=now)
    span = _Span(exits, held)
    history, pnl_by_day = history_of(cut.account, last, known_at=cut.known_at), exits.pnl_by_day()
    days: list[DaySummary] = []
    for ordinal, names in span.strategies_by_day().items():
        day = day_of_ordinal(ordinal)
        capital = capital_beside(history, [day], {day: pnl_by_day.get(day, 0)})
        rows = [span.row(DayOf(ordinal, name), capital) for name in names]
        total = span.row(DayOf(ordinal, None), capital)
        days.append(
            {
                "date": day.isoformat(),
                "account": cut.account.code,
                "currency": cut.account.currency,
                "strategies": rows,
                "total": total,
            }
        )
    capital = capital_beside(history, trading_days(cut, first, last), pnl_by_day)
    return {**selection.head(), "days": days, "total": span.total(capital)}


class _Span:
    """The exits of some days and when trades were in the market, each by day and by strategy and day."""

    def __init__(self, exits: ExitColumns, held: HeldColumns) -> None:
        self.exits, self.held = exits, held
        strategies = exits.groups["strategy"]
        held_by, held_names = coded(held.strategies.tolist())
        self.exits_of = _places(exits.day, strategies.codes, strategies.names)
        self.held_of = _places(held.day, held_by, held_names)
        self.samples: dict[DayOf, Sample] = {}
        for keys in (
            [key for key in self.exits_of if (key.strategy_id is None) is is_whole] for is_whole in (True, False)
        ):
            codes = np.zeros(len(exits), dtype=np.int64)
            for number, key in enumerate(keys):
                codes[self.exits_of[key]] = number
            samples = exits.samples(Groups(codes, [str(key) for key in keys]))
            self.samples |= dict(zip(keys, samples, strict=True))

    def strategies_by_day(self) -> dict[int, list[str]]:
        """Return the names of the strategies that had an exit or held something, by day, ascending both."""
        names: dict[int, list[str]] = {}
        for day, strategy_id in sorted((day, name or "") for day, name in self.exits_of.keys() | self.held_of.keys()):
            names.setdefault(day, []).extend([strategy_id] if strategy_id else [])
        return names

    def row(self, of: DayOf, capital: Capital) -> SummaryRow:
        """Return the row of a day."""
        places, held = self.exits_of.get(of, NOWHERE), self.held_of.get(of, NOWHERE)
        sample = self.samples.get(of) or Sample.of([])
        return {
            "strategy_id": of.strategy_id,
            **figures.day_figures(sample, self.exits.falls(capital, places), capital),
            "exposure_seconds": union_micros(self.held.start[held], self.held.stop[held]) / 1_000_000,
        }

    def total(self, capital: Capital) -> SummaryRow:
        """Return the row of all days."""
        return {
            "strategy_id": None,
            **figures.day_figures(self.exits.sample(), self.exits.path(capital).episodes, capital),
            "exposure_seconds": union_micros(self.held.start, self.held.stop) / 1_000_000,
        }


def _places(days: Integers, codes: Integers, names: Sequence[str]) -> Mapping[DayOf, Integers]:
    """Return the places of each day, and of each strategy's day, ascending; ``codes`` number the ``names``."""
    places: dict[DayOf, Integers] = {}
    if not len(days):
        return places
    for keys, size in ((days * len(names) + codes, len(names)), (days, 0)):
        order = np.argsort(keys, kind="stable")
        uniques, starts = np.unique(keys[order], return_index=True)
        for key, some in zip(uniques.tolist(), np.split(order, starts[1:]), strict=True):
            places[DayOf(key // size, names[key % size]) if size else DayOf(key, None)] = some
    return places
