"""Reports over a period: the figures of each strategy or symbol, and the same exits cut in every other way."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal
from operator import attrgetter

from django.db.models import Max, Min

from timeseries.values import parse_name
from trading.domain import cuts, figures, statistics
from trading.domain.cuts import CUTS, TradedExit
from trading.domain.distributions import ONE, distribution, weekday_hours
from trading.domain.figures import Sheet
from trading.domain.shapes import (
    EquityDay,
    Excursions,
    Exposure,
    PartRow,
    PeriodParts,
    ReportHead,
    RowFigures,
    StrategyReport,
    SymbolReport,
    SymbolRow,
)
from trading.errors import InvalidValue
from trading.models import Account, Realisation, Strategy, Trade
from trading.queries.as_known import untouched
from trading.queries.columns import units
from trading.queries.exposure import Held, exposure, held_over
from trading.queries.instruments import find_instrument
from trading.queries.parts import parts_of
from trading.queries.period import EARLIEST, date_in, desk_date, parse_day
from trading.queries.statistics import (
    Cut,
    History,
    capital_in,
    first_trading_day,
    history_of,
    retold_of,
    trading_days,
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
) -> Selection:
    """Return what a caller asks for; without a day, from the first opening's to the last opening's or exit's.

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
    if begins is None or ends is None:
        whole = _span(traded)
        begins, ends = begins or whole[0], ends or whole[1]
    if ends is not None and today is not None and ends > today:
        ends = max(today, _span(traded)[1] or today)
    if begins is None or ends is None or begins > ends:
        return Selection(cut, None, None, symbol)
    return Selection(cut, max(begins, EARLIEST), ends, symbol)


def _span(cut: Cut) -> tuple[date | None, date | None]:
    """Return the days of the first opening and of the last opening or exit."""
    trades, exits = Trade.objects.filter(**cut.lookups()), Realisation.objects.filter(**cut.lookups())
    days: list[date | None] = []
    if cut.known_at is not None:
        trades = trades.filter(untouched(cut.known_at))
        exits = exits.filter(untouched(cut.known_at, of="trade__"))
        for trade in retold_of(cut, cut.known_at):
            zone = trade.trade.instrument.exchange.zone
            days += [date_in(trade.opened_at, zone), *(exit.day for exit in trade.exits)]
    opened = trades.aggregate(first=Min("trading_day"), last=Max("trading_day"))
    days += [opened["first"], opened["last"], exits.aggregate(last=Max("day"))["last"]]
    dates = [day for day in days if day is not None]
    return min(dates, default=None), max(dates, default=None)


def strategy_report(selection: Selection, *, now: datetime | None = None) -> StrategyReport:
    """Return the report of the period by strategy. Every cut adds up to the total, that by a condition too.

    ``equity`` is the account's capital at the start and the P&L selected since. An open position is in the market until
    ``now``, without it to the end of the last day's trading.
    """
    period = _Period(selection, now)
    groups = period.groups(lambda traded: traded.trade.strategy_id, lambda held: held.strategy_id)
    cut = selection.cut
    return {
        **selection.head(),
        "strategies": [
            {"strategy_id": name, **period.row(replace(cut, strategy_id=name), *group)}
            for name, group in groups.items()
        ],
        "total": {"strategy_id": None, **period.total()},
        **period.parts(),
    }


def symbol_report(selection: Selection, *, now: datetime | None = None) -> SymbolReport:
    """Return the report of the period by symbol (`strategy_report`)."""
    period = _Period(selection, now)
    groups = period.groups(lambda traded: traded.trade.symbol, lambda held: held.symbol)
    rows: list[SymbolRow] = []
    for name, group in groups.items():
        instrument = find_instrument(name)
        cut = replace(selection.cut, instrument_id=UNKNOWN if instrument is None else instrument.pk)
        rows.append({"symbol": name, **period.row(cut, *group)})
    return {
        **selection.head(),
        "symbols": rows,
        "total": {"symbol": None, **period.total()},
        **period.parts(),
    }


class _Period:
    """The exits and positions of a selection, read once, and the rows that are made of them."""

    def __init__(self, selection: Selection, now: datetime | None) -> None:
        self.cut, self.now = selection.cut, now
        self.exits: list[TradedExit] = []
        self.held: list[Held] = []
        self.history, self.days, self.since = History({}, {}), None, None
        if selection.first is not None and selection.last is not None:
            first, last = self.days = selection.first, selection.last
            # In order, so that the figures of order find each part of them in order.
            exits = parts_of(self.cut, first, last, with_conditions=True)
            self.exits = sorted(exits, key=attrgetter("exit.day", "exit.at"))
            held = held_over(self.cut, first, last if now is None else min(last, desk_date(now)), now=now)
            self.held = sorted(held, key=attrgetter("span"))
            self.history = history_of(self.cut.account, last, known_at=self.cut.known_at)
            self.since = first_trading_day(self.cut.account, known_at=self.cut.known_at)
        self.all_exits = [traded.exit for traded in self.exits]
        self.sheet = Sheet(self.all_exits)

    def groups(
        self, of_exit: cuts.CutKey, of_held: Callable[[Held], str]
    ) -> dict[str, tuple[Sequence[int], list[Held]]]:
        """Return by name the places of the exits and the positions of each group that has an exit."""
        held: dict[str, list[Held]] = {}
        for stretch in self.held:
            held.setdefault(of_held(stretch), []).append(stretch)
        return {name: (places, held.get(name, [])) for name, places in cuts.places(self.exits, of_exit).items()}

    def total(self) -> RowFigures:
        return self.row(self.cut, range(len(self.all_exits)), self.held)

    def row(self, cut: Cut, places: Sequence[int], held: list[Held]) -> RowFigures:
        """Return the figures of some exits, by place, and of the positions of the cut that they are of."""
        exits = [self.all_exits[place] for place in places]
        days = [] if self.days is None else trading_days(cut, *self.days)
        whole = capital_in(self.history, days, exits)
        exposed: Exposure = {"exposure_seconds": 0.0, "exposure_pct": None}
        if self.days is not None and self.since is not None:
            exposed = exposure(held, max(self.since, self.days[0]), self.days[1], now=self.now)
        return {
            **figures.report_figures(exits, whole, sample=self.sheet.sample(places)),
            **_excursions(cut, self.days),
            **exposed,
        }

    def parts(self) -> PeriodParts:
        """Return the period's exits cut in every way, and the equity day by day."""
        days = [] if self.days is None else trading_days(self.cut, *self.days)
        capital = capital_in(self.history, days, self.all_exits)
        curve: list[EquityDay] = []
        whole = self.sheet.sample(range(len(self.all_exits)))
        equity = peak = capital.at_start
        for day, change in zip(days, figures.days_of(self.all_exits, capital) if days else (), strict=True):
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
        return {
            "by": {cut: self._rows(cuts.places(self.exits, CUTS[cut])) for cut in CUTS},
            "by_condition": {name: self._rows(of) for name, of in cuts.by_each_condition(self.exits).items()},
            "days": curve,
            "distributions": {
                "pnl": distribution(whole.nets),
                "r": distribution([round(multiple * ONE) for multiple in whole.multiples]),
            },
            "weekday_hours": weekday_hours(self.exits),
        }

    def _rows(self, groups: dict[str, list[int]]) -> list[PartRow]:
        return [{"key": key, **figures.part_figures(self.sheet.sample(places))} for key, places in groups.items()]


def _excursions(cut: Cut, days: tuple[date, date] | None) -> Excursions:
    """Return what the measured trades of a cut that closed on these days went through."""
    rows: list[tuple[int, int, int, float | None]] = []
    if days is not None:
        closing = Realisation.objects.filter(**cut.lookups(), day__gte=days[0], day__lte=days[1], closes=True)
        if cut.known_at is not None:
            closing = closing.filter(untouched(cut.known_at, of="trade__"))
            closing = closing.filter(trade__excursion__measured_at__lt=cut.known_at)
        paths = ("trade__excursion__mae", "trade__excursion__mfe", "trade__realised_pnl")
        measured = closing.filter(trade__excursion__isnull=False).order_by()
        rows = list(measured.values_list(*map(units, paths), "trade__excursion__quiet_seconds"))
    maes, mfes = sum(row[0] for row in rows), sum(row[1] for row in rows)
    return {
        "measured_trades": len(rows),
        "avg_mae": figures.to_money(statistics.average(maes, len(rows))),
        "avg_mfe": figures.to_money(statistics.average(mfes, len(rows))),
        "given_back": _money(mfes - sum(row[2] for row in rows)),
        "trades_in_feed_gaps": sum(row[3] is not None for row in rows),
    }


def _money(units: int) -> Decimal:
    return figures.to_money(units) or Decimal(0)
