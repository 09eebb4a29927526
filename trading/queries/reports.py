"""Reports over a period: the figures of each strategy or symbol, and the same exits cut in every other way."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal
from operator import attrgetter
from typing import Any

from django.db.models import BigIntegerField, Max, Min
from django.db.models.functions import Cast

from timeseries.values import parse_name
from trading.domain import cuts, figures, statistics
from trading.domain.cuts import CUTS, TradedExit
from trading.domain.figures import Exit, Sample, Sheet
from trading.errors import InvalidValue
from trading.models import Realisation, Strategy, Trade
from trading.queries.accounts import get_account
from trading.queries.as_known import untouched
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

    def head(self) -> dict[str, Any]:
        """Return what every report begins with."""
        return {
            "account": self.cut.account.code,
            "currency": self.cut.account.currency,
            "from": None if self.first is None else self.first.isoformat(),
            "to": None if self.last is None else self.last.isoformat(),
            "strategy": self.cut.strategy_id,
            "symbol": self.symbol,
        }


def selection(
    account_code: str,
    *,
    first: str | date | None = None,
    last: str | date | None = None,
    strategy_id: str | None = None,
    symbol: str | None = None,
    known_at: datetime | None = None,
    today: date | None = None,
    watched: bool = False,
) -> Selection:
    """Return what a caller asks for; without a day, from the first opening's to the last opening's or
    exit's. ``known_at`` leaves out what was recorded from that instant on. A period ends with ``today`` at the latest,
    or with what is recorded of later days: the ratios of days know none that has not come. ``watched``: a symbol that
    the ledger does not know may have a feed; its days are then those of all that was traded.

    Raises: UnknownAccount; InvalidValue for a strategy or symbol that was never used, and for days that are none or
    the wrong way round.
    """
    account = get_account(account_code)
    if strategy_id is not None and not Strategy.objects.filter(code=parse_name(strategy_id, "strategy_id")).exists():
        raise InvalidValue(f"There is no strategy {strategy_id!r}.", field="strategy")
    instrument = None if symbol is None else find_instrument(symbol)
    if symbol is not None and instrument is None and not watched:
        raise InvalidValue(f"There is no symbol {symbol!r}.", field="symbol")
    cut = Cut(account, strategy_id, None if instrument is None else instrument.pk, known_at)
    nothing = replace(cut, instrument_id=UNKNOWN) if symbol is not None and instrument is None else cut
    days = [None if day is None else parse_day(day) for day in (first, last)]
    begins, ends = days
    if begins is not None and ends is not None and begins > ends:
        raise InvalidValue(f"{begins} lies after {ends}.", field="from", hint="Give --from before --to.")
    if None in days:
        whole = _span(cut)
        begins, ends = begins or whole[0], ends or whole[1]
    if ends is not None and today is not None and ends > today:
        ends = max(today, _span(cut)[1] or today)
    if begins is None or ends is None or begins > ends:
        begins = ends = None
    else:
        begins = max(begins, EARLIEST)
    return Selection(nothing, begins, ends, symbol)


def _span(cut: Cut) -> tuple[date | None, date | None]:
    """Return the days of the first opening and of the last opening or exit."""
    trades, exits = Trade.objects.filter(**cut.lookups()), Realisation.objects.filter(**cut.lookups())
    days: list[date] = []
    if cut.known_at is not None:
        trades = trades.filter(untouched(cut.known_at))
        exits = exits.filter(untouched(cut.known_at, of="trade__"))
        for known in retold_of(cut, cut.known_at):
            days += [date_in(known.opened_at, known.trade.instrument.exchange.zone), *(one.day for one in known.exits)]
    of_trades = trades.aggregate(first=Min("trading_day"), last=Max("trading_day"))
    found = (*of_trades.values(), exits.aggregate(last=Max("day"))["last"])
    days += [day for day in found if day is not None]
    return min(days, default=None), max(days, default=None)


def strategy_report(chosen: Selection, *, now: datetime | None = None) -> dict[str, Any]:
    """Return `{"account", "currency", "from", "to", "strategy", "symbol", "strategies": [ROW], "total": ROW,
    "by": {CUT: [PART]}, "by_condition": {NAME: [PART]}, "days": [{"day", "pnl", "equity"}]}`.

    ROW: strategy_id (None in the total), the keys of `figures.report_figures`, of `_excursions` and of
    `exposure.exposure`; PART: key and the keys of `figures.trade_figures` and `figures.sureness`. Every cut adds up to
    the total, that by a condition too. ``equity`` is the account's capital at the start and the P&L chosen since. An
    open position is in the market until ``now``, without it to the end of the last day's trading.
    """
    by = _By("strategies", "strategy_id", lambda part: part.trade.strategy_id, lambda one: one.strategy_id)
    return _report(chosen, by, _of_strategy, now)


def symbol_report(chosen: Selection, *, now: datetime | None = None) -> dict[str, Any]:
    """Return the same by symbol: `symbols` instead of `strategies`, and ROW with `symbol`."""
    by = _By("symbols", "symbol", lambda part: part.trade.symbol, lambda one: one.symbol)
    return _report(chosen, by, _of_symbol, now)


@dataclass(frozen=True, slots=True)
class _By:
    """What the rows of a report are: their list, their name, and which of them an exit and a position belong to."""

    rows: str
    name: str
    of_part: cuts.CutKey
    of_held: Callable[[Held], str]


def _report(chosen: Selection, by: _By, narrowed: Callable[[Cut, str], Cut], now: datetime | None) -> dict[str, Any]:
    parts = sorted(_parts(chosen), key=_when)  # figures of order find each part of them in order
    groups = cuts.places(parts, by.of_part)
    everything = [part.exit for part in parts]
    sheet = Sheet(everything)
    account, known_at = chosen.cut.account, chosen.cut.known_at
    history = History({}, {}) if chosen.last is None else history_of(account, chosen.last, known_at=known_at)
    held: dict[str, list[Held]] = {}
    for one in sorted(_held(chosen, now), key=_span_of):
        held.setdefault(by.of_held(one), []).append(one)
    return {
        **chosen.head(),
        by.rows: [
            {
                by.name: group,
                **_figures(
                    chosen,
                    narrowed(chosen.cut, group),
                    [everything[place] for place in groups[group]],
                    sheet.sample(groups[group]),
                    history,
                ),
                **_exposure(chosen, held.get(group, []), now),
            }
            for group in groups
        ],
        "total": {
            by.name: None,
            **_figures(chosen, chosen.cut, everything, sheet.sample(range(len(everything))), history),
            **_exposure(chosen, [one for of in held.values() for one in of], now),
        },
        "by": {cut: _rows(sheet, cuts.places(parts, CUTS[cut])) for cut in CUTS},
        "by_condition": {name: _rows(sheet, found) for name, found in cuts.by_each_condition(parts).items()},
        "days": _days(chosen, everything, history),
    }


def _rows(sheet: Sheet, groups: dict[str, list[int]]) -> list[dict[str, Any]]:
    """Return one row per part of a cut."""
    return [{"key": key, **figures.part_figures(sheet.sample(places))} for key, places in groups.items()]


_when = attrgetter("exit.day", "exit.at")
_span_of = attrgetter("span")


def _parts(chosen: Selection) -> list[TradedExit]:
    if chosen.first is None or chosen.last is None:
        return []
    return parts_of(chosen.cut, chosen.first, chosen.last, with_conditions=True)


def _held(chosen: Selection, now: datetime | None) -> Iterable[Held]:
    if chosen.first is None or chosen.last is None:
        return ()
    last = chosen.last if now is None else min(chosen.last, desk_date(now))
    return held_over(chosen.cut, chosen.first, last, now=now)


def _exposure(chosen: Selection, held: Sequence[Held], now: datetime | None) -> dict[str, Any]:
    since = first_trading_day(chosen.cut.account, known_at=chosen.cut.known_at)
    if since is None or chosen.first is None or chosen.last is None:
        return {"exposure_seconds": 0.0, "exposure_pct": None}
    return exposure(held, max(since, chosen.first), chosen.last, now=now)


def _figures(chosen: Selection, cut: Cut, exits: list[Exit], sample: Sample, history: History) -> dict[str, Any]:
    days = [] if chosen.first is None or chosen.last is None else trading_days(cut, chosen.first, chosen.last)
    made = figures.report_figures(exits, capital_in(history, days, exits), sample=sample)
    return {**made, **_excursions(chosen, cut)}


def _excursions(chosen: Selection, cut: Cut) -> dict[str, Any]:
    """Return what the measured trades that closed in the period went through, gross: `measured_trades`, `avg_mae`,
    `avg_mfe`, `given_back` (the sum of MFE less P&L) and `trades_in_feed_gaps`."""
    if chosen.first is None or chosen.last is None:
        return _through([])
    closing = Realisation.objects.filter(**cut.lookups(), day__gte=chosen.first, day__lte=chosen.last, closes=True)
    if cut.known_at is not None:
        closing = closing.filter(untouched(cut.known_at, of="trade__"), trade__excursion__measured_at__lt=cut.known_at)
    rows = closing.filter(trade__excursion__isnull=False).order_by()
    money = {name: Cast(f"trade__excursion__{name}", BigIntegerField()) for name in ("mae", "mfe")}
    pnl = Cast("trade__realised_pnl", BigIntegerField())
    return _through(rows.annotate(**money, whole=pnl).values_list(*money, "whole", "trade__excursion__quiet_seconds"))


def _through(rows: Iterable[tuple[int, int, int, float | None]]) -> dict[str, Any]:
    found = list(rows)
    maes, mfes = sum(row[0] for row in found), sum(row[1] for row in found)
    return {
        "measured_trades": len(found),
        "avg_mae": figures.to_money(statistics.average(maes, len(found))),
        "avg_mfe": figures.to_money(statistics.average(mfes, len(found))),
        "given_back": _money(mfes - sum(row[2] for row in found)),
        "trades_in_feed_gaps": sum(row[3] is not None for row in found),
    }


def _of_strategy(cut: Cut, name: str) -> Cut:
    return replace(cut, strategy_id=name)


def _of_symbol(cut: Cut, name: str) -> Cut:
    instrument = find_instrument(name)
    return replace(cut, instrument_id=UNKNOWN if instrument is None else instrument.pk)


def _days(chosen: Selection, exits: list[Exit], history: History) -> list[dict[str, Any]]:
    if chosen.first is None or chosen.last is None:
        return []
    days = trading_days(chosen.cut, chosen.first, chosen.last)
    capital = capital_in(history, days, exits)
    rows, reached = [], capital.at_start
    for day, made in zip(days, figures.days_of(exits, capital), strict=True):
        reached += made.flow + made.pnl
        rows.append({"day": day.isoformat(), "pnl": _money(made.pnl), "equity": _money(reached)})
    return rows


def _money(units: int) -> Decimal:
    return figures.to_money(units) or Decimal(0)
