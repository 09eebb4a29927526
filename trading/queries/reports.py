"""Reports over a period: the figures of each strategy or symbol, and the same exits cut in every other way."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal
from functools import cached_property

import numpy as np

from timeseries.values import parse_name
from trading.domain import figures
from trading.domain.distributions import distribution, in_units, weekday_hours
from trading.domain.exit_columns import Groups
from trading.domain.exit_lists import lists_of
from trading.domain.figures import EquityPath, Sample
from trading.domain.shapes import (
    EquityDay,
    Excursions,
    Exposure,
    PartRow,
    PeriodParts,
    ReportFigures,
    ReportHead,
    StrategyReport,
    SymbolReport,
)
from trading.errors import InvalidValue
from trading.models import Account, Strategy
from trading.queries.excursion_columns import excursions_as_columns
from trading.queries.held_columns import held_as_columns
from trading.queries.instruments import find_instrument
from trading.queries.kept import KeptAnswers
from trading.queries.parts import exits_as_columns
from trading.queries.period import EARLIEST, newest_date, parse_day
from trading.queries.statistics import (
    Cut,
    History,
    capital_beside,
    first_trading_day,
    history_of,
    signal_days,
    traded_span,
    trading_days,
)

ALL = "all"
LONG = ("day", "week")  # cuts that have hundreds of parts
# Cuts that are summed at once, since their groups make few combinations.
FAMILIES = (
    (*LONG, "month"),
    ("strategy", "side", "exit_reason", "tag"),
    ("symbol", "holding"),
    ("hour", "weekday", ALL),
)
UNKNOWN = -1  # the key of an instrument that the ledger does not know: no row has it


@dataclass(frozen=True, slots=True)
class Selection:
    """What a report is about, as `selection` read it. ``first`` and ``last`` are None where nothing was traded."""

    cut: Cut
    first: date | None
    last: date | None
    symbol: str | None

    def head(self) -> ReportHead:
        """Return what every report begins with."""
        return {
            "account": self.cut.account.code,
            "currency": self.cut.account.currency,
            "from": None if self.first is None else self.first.isoformat(),
            "to": None if self.last is None else self.last.isoformat(),
            "strategy": self.cut.strategy_id,
            "symbol": self.symbol,
        }


def named_cut(
    account: Account,
    *,
    strategy_id: str | None = None,
    symbol: str | None = None,
    known_at: datetime | None = None,
    watched: bool = False,
) -> Cut:
    """Return the part of an account that a caller names.

    ``known_at`` leaves out what was recorded from that instant on. ``watched``: a symbol that the ledger does not know
    may have a feed, and nothing of the account belongs to it.

    Raises: InvalidValue for a strategy or symbol that was never used.
    """
    if strategy_id is not None and not Strategy.objects.filter(code=parse_name(strategy_id, "strategy_id")).exists():
        raise InvalidValue(f"There is no strategy {strategy_id!r}.", field="strategy")
    instrument = None if symbol is None else find_instrument(symbol)
    if symbol is not None and instrument is None and not watched:
        raise InvalidValue(f"There is no symbol {symbol!r}.", field="symbol")
    return Cut(account, strategy_id, None if symbol is None else instrument.pk if instrument else UNKNOWN, known_at)


def selection(
    account: Account,
    *,
    first: str | date | None = None,
    last: str | date | None = None,
    strategy_id: str | None = None,
    symbol: str | None = None,
    known_at: datetime | None = None,
    today: date | None = None,
    watched: bool = False,
    with_void: bool = False,
    with_signals: bool = False,
) -> Selection:
    """Return what a caller asks for; without a day, from the first opening's to the last opening's or exit's, of void
    trades only ``with_void`` and of signals ``with_signals``: where they count nowhere they must not stretch the sample
    of days either.

    A period ends with ``today`` at the latest, or with what is recorded of later days: the ratios of days know none
    that has not come. ``known_at`` and ``watched``: as `named_cut`; the days of a symbol that the ledger does not know
    are those of all that was traded.

    Raises: InvalidValue as `named_cut`, and for days that are none or the wrong way round.
    """
    cut = named_cut(account, strategy_id=strategy_id, symbol=symbol, known_at=known_at, watched=watched)
    begins, ends = (None if day is None else parse_day(day) for day in (first, last))
    if begins is not None and ends is not None and begins > ends:
        raise InvalidValue(f"{begins} lies after {ends}.", field="from", hint="Give --from before --to.")
    traded = replace(cut, instrument_id=None) if cut.instrument_id == UNKNOWN else cut
    if begins is None or ends is None or (today is not None and ends > today):
        span = traded_span(traded, with_void=with_void)
        days = [day for day in (span.first, span.last, *(signal_days(traded) if with_signals else ())) if day]
        begins, ends = begins or min(days, default=None), ends or max(days, default=None)
        if ends is not None and today is not None and ends > today:
            ends = max([today, *days])
    if begins is None or ends is None or begins > ends:
        return Selection(cut, None, None, symbol)
    return Selection(cut, max(begins, EARLIEST), ends, symbol)


def strategy_report(selection: Selection, *, now: datetime | None = None, newest: int | None = None) -> StrategyReport:
    """Return the report of the period by strategy. Every cut adds up to the total, that by a condition too.

    ``equity`` is the account's capital at the start and the P&L selected since. An open position is in the market until
    ``now``, without it to the end of the last day's trading. ``newest``: of days and weeks so many parts alone.
    """
    counted, held = _counted(selection, "strategy", newest), _InMarket(selection, now)
    return {
        **selection.head(),
        "strategies": [
            {"strategy_id": name, **row, **held.exposure(name, "strategy")} for name, row in counted.rows.items()
        ],
        "total": {"strategy_id": None, **counted.total, **held.exposure()},
        **counted.parts,
    }


def symbol_report(selection: Selection, *, now: datetime | None = None, newest: int | None = None) -> SymbolReport:
    """Return the report of the period by symbol (`strategy_report`)."""
    counted, held = _counted(selection, "symbol", newest), _InMarket(selection, now)
    return {
        **selection.head(),
        "symbols": [{"symbol": name, **row, **held.exposure(name, "symbol")} for name, row in counted.rows.items()],
        "total": {"symbol": None, **counted.total, **held.exposure()},
        **counted.parts,
    }


def period_parts(selection: Selection, grouping: str, newest: int) -> tuple[PeriodParts, dict[str, int]]:
    """Return the parts alone of the report by `strategy` or `symbol`, of which nothing moves with the clock, and how
    many parts each cut has in all: of days and weeks only the ``newest`` are among them."""
    counted = _counted(selection, grouping, newest)
    return counted.parts, counted.sizes


class CountedRow(ReportFigures, Excursions):
    """A row of a report but for what moves with the clock."""


@dataclass(frozen=True, slots=True)
class Counted:
    """What a report tells but for how long its trades were in the market, which moves with the clock."""

    rows: dict[str, CountedRow]
    total: CountedRow
    parts: PeriodParts
    sizes: dict[str, int]  # of each cut, all its parts

    @property
    def nbytes(self) -> int:
        """About the bytes that it takes: of each row some thousand."""
        cuts = (*self.parts["by"].values(), *self.parts["by_condition"].values())
        return ROW_BYTES * (len(self.rows) + 1 + len(self.parts["days"]) + sum(len(rows) for rows in cuts))


ROW_BYTES, BYTES_MAX = 2_000, 64 * 2**20
_kept_reports: KeptAnswers[Counted] = KeptAnswers(BYTES_MAX, lambda counted: counted.nbytes)


def _counted(selection: Selection, grouping: str, newest: int | None) -> Counted:
    """Return the figures of a selection, by strategy or by symbol, as they are kept or counted anew."""
    cut = selection.cut
    question = cut.strategy_id, cut.instrument_id, selection.first, selection.last, grouping, newest

    def count() -> Counted:
        period = _Period(selection, newest)
        sizes = {cut: len(groups.names) for cut, groups in period.exits.groups.items()}
        return Counted(period.by_group(grouping), period.total, period.parts(), sizes)

    return _kept_reports.of(cut.account, question, count) if cut.known_at is None else count()


def cut_of_group(cut: Cut, grouping: str, name: str) -> Cut:
    """Return the part of a cut that is one strategy or one symbol."""
    if grouping == "strategy":
        return replace(cut, strategy_id=name)
    instrument = find_instrument(name)
    return replace(cut, instrument_id=UNKNOWN if instrument is None else instrument.pk)


class _InMarket:
    """How long the trades of a selection were in the market."""

    def __init__(self, selection: Selection, now: datetime | None) -> None:
        self.now, self.span = now, None
        self.named = {"strategy": selection.cut.strategy_id, "symbol": selection.symbol}
        since = first_trading_day(selection.cut.account, known_at=selection.cut.known_at)
        cut, first, last = selection.cut, selection.first, selection.last
        if first is not None and last is not None and since is not None:
            self.held = held_as_columns(
                cut,
                first,
                last if now is None else min(last, newest_date(cut.account, now)),
                lambda: exits_as_columns(cut, first, last, with_conditions=True),
                now=now,
            )
            self.span = max(since, first), last

    def exposure(self, name: str | None = None, grouping: str = "") -> Exposure:
        """Return the exposure of one strategy or symbol, without a name that of all."""
        if self.span is None:
            return {"exposure_seconds": 0.0, "exposure_pct": None}
        if name is None or name == self.named[grouping]:
            return self.whole
        return self.held.of_group(name, grouping).exposure(*self.span, now=self.now)

    @cached_property
    def whole(self) -> Exposure:
        """The exposure of all of the selection, which may be of one strategy or symbol alone."""
        assert self.span is not None
        return self.held.exposure(*self.span, now=self.now)


class _Period:
    """The exits of a selection, read once, and the rows that are made of them. Parts of the `LONG` cuts but for the
    ``newest`` are most of a page's time, and it shows none of them."""

    def __init__(self, selection: Selection, newest: int | None) -> None:
        self.cut = selection.cut
        self.exits = lists_of([]).columns()
        self.history, self.span = History({}, {}), None
        self.since: date | None = None
        self.days: list[date] = []
        if selection.first is not None and selection.last is not None:
            first, last = self.span = selection.first, selection.last
            self.exits = exits_as_columns(self.cut, first, last, with_conditions=True)
            self.history = history_of(self.cut.account, last, known_at=self.cut.known_at)
            self.since = first_trading_day(self.cut.account, known_at=self.cut.known_at)
            self.days = trading_days(self.cut, first, last, since=self.since)
        self.excursions = excursions_as_columns(self.cut, self.span)
        self.sums = self.exits.sums()
        self.pnl_by_day = self.exits.pnl_by_day()
        self.capital = capital_beside(self.history, self.days, self.pnl_by_day)
        groups = {**self.exits.groups, ALL: Groups(np.zeros(len(self.exits), dtype=np.int64), [ALL])}
        self.samples: dict[str, list[Sample]] = {}
        for cut in LONG if newest is not None else ():
            assert newest is not None
            older = max(0, len(groups[cut].names) - newest)
            places = np.flatnonzero(groups[cut].codes >= older)
            samples = self.sums.take(places).samples(groups[cut].codes[places] - older, len(groups[cut].names) - older)
            self.samples[cut] = [*samples]
        for family in FAMILIES:
            cuts = [cut for cut in family if cut not in self.samples]
            of_each = self.sums.samples_of([(groups[cut].codes, len(groups[cut].names)) for cut in cuts])
            self.samples |= zip(cuts, of_each, strict=True)

    def by_group(self, grouping: str) -> dict[str, CountedRow]:
        """Return the figures of each group of a grouping, `strategy` or `symbol`, that has an exit."""
        groups, rows = self.exits.groups[grouping], {}
        for name, sample in zip(groups.names, self.samples[grouping], strict=True):
            if [name] == groups.names and cut_of_group(self.cut, grouping, name) == self.cut:
                return {name: self.total}
            cut, places = cut_of_group(self.cut, grouping, name), self.exits.of_group(name, grouping)
            days = (
                self.days if cut == self.cut or self.span is None else trading_days(cut, *self.span, since=self.since)
            )
            capital = capital_beside(self.history, days, self.exits.pnl_by_day(places))
            rows[name] = self._row(cut, self.exits.path(capital, places), sample)
        return rows

    @cached_property
    def total(self) -> CountedRow:
        """Return the figures of the whole selection."""
        return self._row(self.cut, self.exits.path(self.capital), self.samples[ALL][0])

    def _row(self, cut: Cut, path: EquityPath, sample: Sample) -> CountedRow:
        return {**figures.report_figures(path, sample), **self.excursions.of(cut)}

    def parts(self) -> PeriodParts:
        """Return the period's exits cut in every way, and the equity day by day."""
        curve: list[EquityDay] = []
        equity = peak = self.capital.at_start
        changes = figures.days_of(self.pnl_by_day, self.capital) if self.days else ()
        for day, change in zip(self.days, changes, strict=True):
            equity, peak = equity + change.flow + change.pnl, peak + change.flow
            peak = max(peak, equity)
            curve.append(
                {
                    "day": day.isoformat(),
                    "pnl": _money(change.pnl),
                    "equity": _money(equity),
                    "drawdown": _money(peak - equity),
                }
            )
        conditions = self.exits.recorded_conditions()
        return {
            "by": {cut: _parts(groups.names, self.samples[cut]) for cut, groups in self.exits.groups.items()},
            "by_condition": {name: self._by_condition(name) for name in conditions},
            "days": curve,
            "distributions": {
                "pnl": distribution(self.exits.whole[self.exits.closes]),
                "r": distribution(in_units(self.exits.multiple[~np.isnan(self.exits.multiple)])),
            },
            "weekday_hours": weekday_hours(self.exits.hours()),
        }

    def _by_condition(self, name: str) -> list[PartRow]:
        groups = self.exits.by_condition(name)
        return _parts(groups.names, [*self.sums.samples(groups.codes, len(groups.names))])


def _parts(names: Sequence[str], samples: Sequence[Sample]) -> list[PartRow]:
    """Return a row for each of the last parts of a cut: as many as there are samples."""
    pairs = zip(names[len(names) - len(samples) :], samples, strict=True)
    return [{"key": name, **figures.part_figures(sample)} for name, sample in pairs]


def _money(units: int) -> Decimal:
    return figures.to_money(units) or Decimal(0)
