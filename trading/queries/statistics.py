"""Statistics of a strategy, of a symbol, and by strategy and day (FACE §5)."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from django.conf import settings
from django.db.models import BigIntegerField, Max, Min, QuerySet, Sum
from django.db.models.functions import Cast

from timeseries.values import parse_name
from trading.domain import figures
from trading.domain.cuts import month_of, week_of
from trading.domain.figures import Capital, ClosedTrade, Exit
from trading.domain.statistics import Outcomes
from trading.models import Account, DayTotal, Realisation, Trade
from trading.queries import as_known
from trading.queries.accounts import capital_flows, get_account, pnl_by_day
from trading.queries.as_known import KnownTrade
from trading.queries.instruments import find_instrument, shown_symbol
from trading.queries.period import EARLIEST, check_days, last_days
from trading.queries.sessions import DEFAULT_GROUP, calendar_of

OPEN = "OPEN"


@dataclass(frozen=True, slots=True)
class Cut:
    """Which part of an account is looked at, None is all of it; and as it was known when, None is now."""

    account: Account
    strategy_id: str | None = None
    instrument_id: int | None = None
    known_at: datetime | None = None

    def lookups(self) -> dict[str, Any]:
        chosen = {"strategy__code": self.strategy_id, "instrument_id": self.instrument_id}
        return {"account": self.account, **{name: value for name, value in chosen.items() if value is not None}}


def strategy_stats(account_code: str, strategy_id: str, days: int | None = 30, *, now: datetime) -> dict[str, Any]:
    """Return FACE §5 for one strategy over ``days`` calendar days ending today (None: first trade to last exit).

    Raises: UnknownAccount; InvalidValue for what is no name, and for days that are not None or an int of at least 1.
    """
    check_days(days)
    return _period(Cut(get_account(account_code), parse_name(strategy_id, "strategy_id")), days, now)


def symbol_stats(account_code: str, symbol: str, days: int | None = 30, *, now: datetime) -> dict[str, Any]:
    """Return FACE §5 for one symbol, over all strategies of the account (see `strategy_stats`)."""
    check_days(days)
    account, instrument = get_account(account_code), find_instrument(symbol)
    return _period(Cut(account, instrument_id=instrument.pk if instrument else -1), days, now)


def account_stats(account_code: str, days: int | None = 30, *, now: datetime) -> dict[str, Any]:
    """Return FACE §5 for the whole account (see `strategy_stats`)."""
    check_days(days)
    return _period(Cut(get_account(account_code)), days, now)


def by_strategy_and_day(account_code: str, first: date, last: date) -> list[dict[str, Any]]:
    """Return one row per strategy and day with exits, ascending by day and strategy: strategy_id, day, and the figures
    of FACE §5 that sums alone can tell. It reads day totals, never trades, so it stays fast over years.
    """
    return [
        {"strategy_id": strategy_id, "day": day, **_of_sums(sums)}
        for strategy_id, day, *sums in _summed(account_code, first, last, "strategy__code", "day")
    ]


def by_strategy(account_code: str, first: date, last: date) -> list[dict[str, Any]]:
    """Return one row per strategy over the period, like `by_strategy_and_day`, ascending by strategy."""
    return [
        {"strategy_id": strategy_id, **_of_sums(sums)}
        for strategy_id, *sums in _summed(account_code, first, last, "strategy__code")
    ]


def by_symbol(account_code: str, first: date, last: date) -> list[dict[str, Any]]:
    """Return one row per symbol over the period, like `by_strategy_and_day`, ascending by exchange and symbol."""
    return [
        {"symbol": shown_symbol(exchange, symbol), **_of_sums(sums)}
        for symbol, exchange, *sums in _summed(
            account_code, first, last, "instrument__symbol", "instrument__exchange__code"
        )
    ]


def by_day(account_code: str, first: date, last: date) -> list[dict[str, Any]]:
    """Return one row per day with exits, over all strategies, like `by_strategy_and_day`, ascending by day."""
    return [{"day": day, **_of_sums(sums)} for day, *sums in _summed(account_code, first, last, "day")]


def by_week(account_code: str, first: date, last: date) -> list[dict[str, Any]]:
    """Return one row per ISO week with exits (`week`: 2021-W15), like `by_day`, ascending."""
    return _by_period("week", week_of, account_code, first, last)


def by_month(account_code: str, first: date, last: date) -> list[dict[str, Any]]:
    """Return one row per month with exits (`month`: 2021-04), like `by_day`, ascending."""
    return _by_period("month", month_of, account_code, first, last)


def _by_period(
    name: str, period_of: Callable[[date], str], account_code: str, first: date, last: date
) -> list[dict[str, Any]]:
    """Add up the days here: databases differ over what a week is, and days are few."""
    found: dict[str, list[int]] = {}
    for day, *sums in _summed(account_code, first, last, "day"):
        known = found.setdefault(period_of(day), [0] * len(sums))
        known[:] = [one + (more or 0) for one, more in zip(known, sums, strict=True)]
    return [{name: period, **_of_sums(sums)} for period, sums in found.items()]


def exits_of(cut: Cut, first: date, last: date) -> Iterator[tuple[str, Exit]]:
    """Yield (strategy_id, exit fill) for the days first..last, in one query; as known once, with those told anew."""
    found = Realisation.objects.filter(**cut.lookups(), day__gte=first, day__lte=last)
    if cut.known_at is not None:
        yield from _retold(cut, cut.known_at, first, last)
        found = found.filter(as_known.untouched(cut.known_at, of="trade__"))
    rows = found.annotate(**{f"{name}_units": Cast(path, BigIntegerField()) for name, path in EXIT_MONEY.items()})
    for strategy_id, at, day, closes, state, opened_at, closed_at, pnl, charges, whole, known, risk in rows.values_list(
        "strategy__code", "at", "day", "closes", "trade__state", "trade__opened_at", "trade__closed_at",
        *(f"{name}_units" for name in EXIT_MONEY),
    ):  # fmt: skip
        closed = None
        if closes and closed_at is not None:
            closed = ClosedTrade(whole, known, risk, (closed_at - opened_at).total_seconds())
        yield strategy_id, Exit(at, day, pnl, charges, closed, state == OPEN)


def _retold(cut: Cut, at: datetime, first: date, last: date) -> Iterator[tuple[str, Exit]]:
    for known in retold_of(cut, at):
        yield from ((known.strategy_id, exit) for exit in known.exits if first <= exit.day <= last)


def retold_of(cut: Cut, at: datetime) -> Iterator[KnownTrade]:
    """Yield the trades of the cut that were touched since ``at``, as they were known."""
    for known in as_known.retold(cut.account, at):
        if cut.strategy_id in (None, known.strategy_id) and cut.instrument_id in (None, known.trade.instrument_id):
            yield known


def _pnl_by_day(account: Account, until: date, known_at: datetime | None) -> dict[date, int]:
    """Return the account's P&L by day as it was known."""
    if known_at is None:
        return pnl_by_day(account, until=until)
    pnl: dict[date, int] = {}
    for _, exit in exits_of(Cut(account, known_at=known_at), EARLIEST, until):
        pnl[exit.day] = pnl.get(exit.day, 0) + exit.net
    return pnl


def capital_over(account: Account, days: list[date], exits: list[Exit], *, known_at: datetime | None = None) -> Capital:
    """Return the account's capital as the cut of these exits sees it on these days, and as it was known."""
    if not days:
        return Capital(0, [], {}, {})
    first, last = days[0], days[-1]
    flows, pnl = capital_flows(account, until=last, known_at=known_at), _pnl_by_day(account, last, known_at)
    at_start = sum(value for day, value in flows.items() if day < first)
    at_start += sum(value for day, value in pnl.items() if day < first)
    other = {day: value for day, value in pnl.items() if day >= first}
    for exit in exits:
        other[exit.day] = other.get(exit.day, 0) - exit.net
    return Capital(at_start, days, _before_trading_days(flows, days), _after_trading_days(other, days))


def trading_days(cut: Cut, first: date, last: date) -> list[date]:
    """Return the trading days of the exchanges that the cut traded on, and closed days that have an exit fill."""
    totals = DayTotal.objects.filter(**cut.lookups(), day__gte=first, day__lte=last)
    groups = totals.values_list("instrument__exchange__code", "instrument__session_group").distinct()
    days = set(totals.values_list("day", flat=True))
    if cut.known_at is not None:
        days = {exit.day for _, exit in exits_of(cut, first, last)}
    for exchange, group in set(groups) or {(settings.VELOX_EXCHANGE, DEFAULT_GROUP)}:
        days.update(calendar_of(exchange, group).trading_days(first, last))
    return sorted(days)


def _period(cut: Cut, days: int | None, now: datetime) -> dict[str, Any]:
    span = last_days(days, now=now) if days is not None else whole_span(cut)
    if span is None:
        return figures.period_figures([], Capital(0, [], {}, {})) | {"first_date": None, "last_date": None}
    first, last = span
    exits = [exit for _, exit in exits_of(cut, first, last)]
    capital = capital_over(cut.account, trading_days(cut, first, last), exits, known_at=cut.known_at)
    made = figures.period_figures(exits, capital)
    return {**made, "first_date": first.isoformat(), "last_date": last.isoformat()}


def whole_span(cut: Cut) -> tuple[date, date] | None:
    """Return the day of the cut's first trade and that of its last exit, None where one of them is missing."""
    first = Trade.objects.filter(**cut.lookups()).aggregate(day=Min("trading_day"))["day"]
    last = Realisation.objects.filter(**cut.lookups()).aggregate(day=Max("day"))["day"]
    return None if first is None or last is None else (first, last)


def _before_trading_days(amounts: dict[date, int], days: list[date]) -> dict[date, int]:
    """Move capital of a closed day to the next day that counts: it is there when that one starts."""
    moved: dict[date, int] = {}
    for day, amount in amounts.items():
        place = bisect_left(days, day)
        if days[0] <= day and place < len(days):
            moved[days[place]] = moved.get(days[place], 0) + amount
    return moved


def _after_trading_days(amounts: dict[date, int], days: list[date]) -> dict[date, int]:
    """Move P&L of a day that does not count to the last one before it: the next one starts with it."""
    moved: dict[date, int] = {}
    for day, amount in amounts.items():
        place = days[bisect_right(days, day) - 1]
        moved[place] = moved.get(place, 0) + amount
    return moved


EXIT_MONEY = {
    "pnl": "pnl",
    "charges": "charges",
    "whole": "trade__realised_pnl",
    "known": "trade__charges",
    "risk": "trade__initial_risk",
}
# In the order in which `_of_sums` takes them.
_MONEY_SUMS = ("gross_pnl", "charges", "gross_profit", "gross_loss")
_COUNT_SUMS = ("wins", "losses", "breakevens", "trades_without_charges")


def _summed(account_code: str, first: date, last: date, *by: str) -> Iterable[tuple[Any, ...]]:
    rows = DayTotal.objects.filter(account=get_account(account_code), day__gte=first, day__lte=last)
    money = {f"{name}_sum": Sum(Cast(name, BigIntegerField())) for name in _MONEY_SUMS}
    sums = {**money, **{f"{name}_sum": Sum(name) for name in _COUNT_SUMS}}
    grouped: QuerySet[DayTotal, Any] = rows.values(*by).annotate(**sums).order_by(*reversed(by))
    return grouped.values_list(*by, *sums)


def _of_sums(sums: Sequence[int]) -> dict[str, Any]:
    gross, charges, profit, loss, wins, losses, breakevens, unknown = sums
    made = Outcomes(wins=wins, losses=losses, breakevens=breakevens, gross_profit=profit, gross_loss=loss)
    return figures.outcome_figures(made, gross=gross, charges=charges or 0, unknown=unknown)
