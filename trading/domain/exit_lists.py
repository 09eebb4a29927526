"""Exit fills as they are read, and the columns that are made of them. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import numpy as np

from trading.domain import cuts
from trading.domain.cuts import NONE, TradedExit
from trading.domain.exit_columns import (
    EPOCH,
    UNKNOWN,
    ExitColumns,
    Groups,
    day_of_ordinal,
    joined,
    less,
    present,
    whole_numbers,
)
from trading.domain.exit_runs import Flags, Floats, Integers, Whole, distinct, in_order

WORDS = ("strategy", "symbol", "side", "exit_reason", "tag")  # the cuts whose keys are read as they are


@dataclass(frozen=True, slots=True, kw_only=True)
class ExitLists:
    """Exit fills in any order, an entry each, as they are read: what `ExitColumns` are made of.

    ``opened`` and ``closed`` are those of the trade, in microseconds since 1970 UTC, and again on the clock of its
    exchange; ``has_ended`` tells whether ``closed`` means anything. ``whole``, ``costs`` and ``risk`` are the trade's
    gross P&L, known charges and initial risk. Charges that are not known are 0, those of the trade with ``has_costs``
    False; so is a risk that nobody gave. ``words`` are the cuts of `WORDS`, their names in any order; some may have no
    exit.
    """

    at: Integers
    day: Integers
    pnl: Whole
    charges: Whole
    closes: Flags
    has_ended: Flags
    is_day_only: Flags
    whole: Whole
    costs: Whole
    has_costs: Flags
    risk: Whole
    opened: Integers
    closed: Integers
    opened_local: Integers
    closed_local: Integers
    trade: Integers
    words: Mapping[str, Groups]
    conditions: Mapping[str, Floats]

    def joined(self, other: ExitLists) -> ExitLists:
        """Return these exits and those of other trades."""
        if not len(other.at):
            return self
        offset, size_of_other = 1 + int(self.trade.max(initial=-1)), 1 + int(other.trade.max(initial=-1))
        absent = np.full(offset, np.nan), np.full(size_of_other, np.nan)
        return ExitLists(
            at=np.concatenate((self.at, other.at)),
            day=np.concatenate((self.day, other.day)),
            pnl=_beside(self.pnl, other.pnl),
            charges=_beside(self.charges, other.charges),
            closes=np.concatenate((self.closes, other.closes)),
            has_ended=np.concatenate((self.has_ended, other.has_ended)),
            is_day_only=np.concatenate((self.is_day_only, other.is_day_only)),
            whole=_beside(self.whole, other.whole),
            costs=_beside(self.costs, other.costs),
            has_costs=np.concatenate((self.has_costs, other.has_costs)),
            risk=_beside(self.risk, other.risk),
            opened=np.concatenate((self.opened, other.opened)),
            closed=np.concatenate((self.closed, other.closed)),
            opened_local=np.concatenate((self.opened_local, other.opened_local)),
            closed_local=np.concatenate((self.closed_local, other.closed_local)),
            trade=np.concatenate((self.trade, other.trade + offset)),
            words={cut: joined(self.words[cut], other.words[cut]) for cut in WORDS},
            conditions={
                name: np.concatenate((self.conditions.get(name, absent[0]), other.conditions.get(name, absent[1])))
                for name in {*self.conditions, *other.conditions}
            },
        )

    def columns(self) -> ExitColumns:
        """Return the exits as columns, in order of day and time."""
        closes = self.closes & self.has_ended
        net = less(self.whole, self.costs)
        risks = self.risk.astype(np.float64)
        with np.errstate(divide="ignore", invalid="ignore"):
            multiple = np.where(closes & (risks != 0), net.astype(np.float64) / risks, np.nan)
        held = np.where(self.is_day_only | ~self.has_ended, UNKNOWN, self.closed - self.opened)
        hours = self.opened_local // (3600 * 10**6)
        hour = np.where(self.is_day_only, UNKNOWN, (hours // 24 + 3) % 7 * 24 + hours % 24)  # 1970 began on a Thursday
        columns = ExitColumns(
            at=self.at,
            day=self.day,
            pnl=self.pnl,
            charges=self.charges,
            closes=closes,
            is_open=~self.has_ended,
            whole=np.where(closes, net, 0),
            unknown=closes & ~self.has_costs,
            held=held,
            multiple=multiple,
            trade=self.trade,
            opened=self.opened,
            closed=self.closed,
            hour=hour,
            groups=self._groups(),
            conditions=self.conditions,
        )
        # Of those of one instant, by their multiple: so sums of floats are the same in whatever order exits were read.
        order = in_order(self.at, self.day, multiple)
        if (np.diff(self.day[order]) < 0).any():  # an exchange of an earlier zone was at a later day
            order = np.lexsort((multiple, self.at, self.day))
        return columns.reordered(order)

    def _groups(self) -> dict[str, Groups]:
        days, of_day = distinct(self.day)
        dates = [day_of_ordinal(ordinal) for ordinal in days.tolist()]
        by_day: Mapping[str, Callable[[date], str]] = {
            "day": date.isoformat,
            "week": cuts.week_of,
            "month": cuts.month_of,
        }
        groups = {cut: _grouped([key(day) for day in dates], of_day) for cut, key in by_day.items()}
        groups |= {cut: _grouped(words.names, words.codes) for cut, words in self.words.items()}
        hours = self.opened_local // (3600 * 10**6)
        names_of_hours = [*(f"{hour:02d}:00" for hour in range(24)), NONE]
        groups["hour"] = _grouped(names_of_hours, np.where(self.is_day_only, 24, hours % 24))
        groups["weekday"] = _grouped(cuts.WEEKDAYS, (hours // 24 + 3) % 7)
        limits = [limit // timedelta(microseconds=1) for limit, _ in cuts.HELD]
        names = [*(name for _, name in cuts.HELD), cuts.HELD_LONGEST, NONE, cuts.OVERNIGHT, cuts.STILL_OPEN]
        bucket = np.searchsorted(limits, self.closed - self.opened, side="right")
        bucket = np.where(self.is_day_only, len(limits) + 1, bucket)
        midnight = 24 * 3600 * 10**6
        bucket = np.where(self.closed_local // midnight != self.opened_local // midnight, len(limits) + 2, bucket)
        groups["holding"] = _grouped(names, np.where(self.has_ended, bucket, len(limits) + 3))
        return {cut: groups[cut] for cut in cuts.CUTS}


def lists_of(exits: Sequence[TradedExit]) -> ExitLists:
    """Return exits that were told one by one."""
    trades = {id(trade): trade for _, trade in exits}
    numbers = {key: number for number, key in enumerate(trades)}
    names = {name for trade in trades.values() for name in trade.conditions}
    closed = [exit.closed for exit, _ in exits]

    def micros(instants: Iterable[datetime | None], *, is_local: bool = False) -> Integers:
        walls = (at and (at.replace(tzinfo=UTC) if is_local else at) for at in instants)
        return np.array([0 if at is None else (at - EPOCH) // timedelta(microseconds=1) for at in walls], np.int64)

    return ExitLists(
        at=micros(exit.at for exit, _ in exits),
        day=np.array([exit.day.toordinal() for exit, _ in exits], dtype=np.int64),
        pnl=whole_numbers([exit.pnl for exit, _ in exits]),
        charges=whole_numbers([exit.charges or 0 for exit, _ in exits]),
        closes=np.array([trade is not None for trade in closed], dtype=bool),
        has_ended=np.array([trade.closed_at is not None for _, trade in exits], dtype=bool),
        is_day_only=np.array([trade.is_day_only for _, trade in exits], dtype=bool),
        whole=whole_numbers([0 if trade is None else trade.pnl for trade in closed]),
        costs=whole_numbers([0 if trade is None else trade.charges or 0 for trade in closed]),
        has_costs=np.array([trade is not None and trade.charges is not None for trade in closed], dtype=bool),
        risk=whole_numbers([0 if trade is None else trade.initial_risk or 0 for trade in closed]),
        opened=micros(trade.opened_at for _, trade in exits),
        closed=micros(trade.closed_at for _, trade in exits),
        opened_local=micros((trade.opened_at for _, trade in exits), is_local=True),
        closed_local=micros((trade.closed_at for _, trade in exits), is_local=True),
        trade=np.array([numbers[id(trade)] for _, trade in exits], dtype=np.int64),
        words={cut: _named([cuts.CUTS[cut](exit) for exit in exits]) for cut in WORDS},
        conditions={
            name: np.array([trade.conditions.get(name, np.nan) for trade in trades.values()]) for name in names
        },
    )


def _named(words: Sequence[str]) -> Groups:
    names = {name: number for number, name in enumerate(dict.fromkeys(words))}
    return Groups(np.array([names[word] for word in words], dtype=np.int64), list(names))


def _beside(column: Whole, other: Whole) -> Whole:
    if column.dtype == other.dtype == np.int64:
        return np.concatenate((column, other), dtype=np.int64)
    return np.concatenate((column.astype(object), other.astype(object)))


def _grouped(names: Sequence[str], codes: Integers) -> Groups:
    """Return the groups of exits by the number of their name, in the order that they are shown in."""
    # Days of one week share its name.
    first: dict[str, int] = {}
    shared = np.array([first.setdefault(name, place) for place, name in enumerate(names)], dtype=np.int64)
    return present(
        shared[codes] if len(first) < len(names) else codes, names, [first[name] for name in cuts.in_order(first)]
    )
