"""Statistics of a strategy, of a symbol, and by strategy and day (FACE §5)."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from django.conf import settings
from django.db.models import Max, Min, QuerySet, Sum

from timeseries.values import parse_name
from trading.domain import figures
from trading.domain.cuts import month_of, week_of
from trading.domain.figures import Capital, ClosedTrade, Exit
from trading.domain.statistics import Outcomes
from trading.models import Account, DayTotal, Realisation, Strategy, Trade
from trading.queries import as_known
from trading.queries.accounts import capital_flows, get_account, pnl_by_day
from trading.queries.as_known import KnownTrade
from trading.queries.columns import UnitsSum, day_of, instant_of, text, units
from trading.queries.instruments import find_instrument, shown_symbol
from trading.queries.period import EARLIEST, check_days, date_in, last_days
from trading.queries.sessions import DEFAULT_GROUP, calendar_of
from trading.queries.trades import OPEN, VOID


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
    """Return the figures of one strategy over ``days`` calendar days ending today (None: first trade to last exit), as
    one flat dict.

    Counts: total_trades, winning_trades, losing_trades, breakeven_trades, trades_without_charges, and the sample sizes
    trading_days and trades_with_initial_risk. Money (Decimal): total_pnl (gross less known charges), gross_pnl,
    charges, avg_win, avg_loss, largest_win, largest_loss, expectancy, max_drawdown, open_trades_pnl. Percent: win_rate,
    max_drawdown_pct. Ratios: profit_factor, payoff_ratio, expectancy_ratio, expectancy_r, sharpe, sortino, calmar (all
    three from 20 trading days after the account's first trade on), sqn (from 5 trades). Seconds: avg_holding_seconds.
    Dates (ISO): first_date, last_date and those of the drawdowns. What is undefined is None.

    Raises: UnknownAccount; InvalidValue for what is no name, and for days that are not None or an int of at least 1.
    """
    check_days(days)
    return _period(Cut(get_account(account_code), parse_name(strategy_id, "strategy_id")), days, now)


def symbol_stats(account_code: str, symbol: str, days: int | None = 30, *, now: datetime) -> dict[str, Any]:
    """Return the same for one symbol, over all strategies of the account (see `strategy_stats`).

    Raises: as `strategy_stats`.
    """
    check_days(days)
    account, instrument = get_account(account_code), find_instrument(symbol)
    return _period(Cut(account, instrument_id=instrument.pk if instrument else -1), days, now)


def account_stats(account_code: str, days: int | None = 30, *, now: datetime) -> dict[str, Any]:
    """Return FACE §5 for the whole account (see `strategy_stats`)."""
    check_days(days)
    return _period(Cut(get_account(account_code)), days, now)


def by_strategy(account_code: str, first: date, last: date) -> list[dict[str, Any]]:
    """Return one row per strategy with exits in the period, ascending by strategy: strategy_id, and the statistics that
    sums alone can tell. It reads day totals, never trades, so it stays fast over years.
    """
    return [
        {"strategy_id": strategy_id, **_of_sums(sums)}
        for strategy_id, *sums in _summed(account_code, first, last, "strategy__code")
    ]


def by_symbol(account_code: str, first: date, last: date) -> list[dict[str, Any]]:
    """Return one row per symbol over the period, like `by_strategy`, ascending by exchange and symbol."""
    return [
        {"symbol": shown_symbol(exchange, symbol), **_of_sums(sums)}
        for symbol, exchange, *sums in _summed(
            account_code, first, last, "instrument__symbol", "instrument__exchange__code"
        )
    ]


def by_day(account_code: str, first: date, last: date) -> list[dict[str, Any]]:
    """Return one row per day with exits, over all strategies, like `by_strategy`, ascending by day."""
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
    names = dict(Strategy.objects.values_list("pk", "code"))
    rows = found.values_list("strategy_id", "closes", "trade__state", *EXIT_TIMES, *EXIT_MONEY)
    for strategy_pk, closes, state, at_text, day, opened_at, closed_at, pnl, charges, whole, known, risk in rows:
        at, closed = instant_of(at_text), None
        if closes and closed_at is not None:
            ended = at if closed_at == at_text else instant_of(closed_at)
            closed = ClosedTrade(whole, known, risk, (ended - instant_of(opened_at)).total_seconds())
        yield names[strategy_pk], Exit(at, day_of(day), pnl, charges, closed, state == OPEN)


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


@dataclass(frozen=True, slots=True)
class History:
    """What changed an account's capital, by day and in units: what came in or went out, and its P&L."""

    flows: dict[date, int]
    pnl: dict[date, int]


def history_of(account: Account, until: date, *, known_at: datetime | None = None) -> History:
    """Return the account's history up to and including a day, and as it was known."""
    return History(capital_flows(account, until=until, known_at=known_at), _pnl_by_day(account, until, known_at))


def capital_in(history: History, days: list[date], exits: list[Exit]) -> Capital:
    """Return the account's capital as the cut of these exits sees it on these days, from a history that reaches as far
    as the days or farther; without days, what there was at the history's end."""
    if not days:
        return Capital(sum(history.flows.values()) + sum(history.pnl.values()), [], {}, {})
    first, last = days[0], days[-1]
    flows = {day: value for day, value in history.flows.items() if day <= last}
    at_start = sum(value for day, value in flows.items() if day < first)
    at_start += sum(value for day, value in history.pnl.items() if day < first)
    other = {day: value for day, value in history.pnl.items() if first <= day <= last}
    for exit in exits:
        other[exit.day] = other.get(exit.day, 0) - exit.net
    return Capital(at_start, days, _before_trading_days(flows, days), _after_trading_days(other, days))


def first_trading_day(account: Account, *, known_at: datetime | None = None) -> date | None:
    """Return the trading day of the account's first trade that is not void, as it was known; None where none is."""
    rows = Trade.objects.filter(account=account).exclude(state=VOID)
    days: list[date | None] = []
    if known_at is not None:
        rows = rows.filter(as_known.untouched(known_at))
        days = [
            date_in(known.opened_at, known.trade.instrument.exchange.zone)
            for known in retold_of(Cut(account), known_at)
        ]
    # In the order of an index and one row: a MIN over the days would read every trade.
    days.append(rows.order_by("opened_at").values_list("trading_day", flat=True).first())
    return min((day for day in days if day is not None), default=None)


def trading_days(cut: Cut, first: date, last: date) -> list[date]:
    """Return the days that figures of days have as their sample: those of first..last, from the day of the account's
    first trade on, on which the exchanges that the cut traded on trade, and closed days that have an exit fill.

    Days before the account's first trade tell nothing of how it trades, so they are no sample. The start is the
    account's also for one strategy or symbol: their returns add up to the account's only over the same days.
    """
    since = first_trading_day(cut.account, known_at=cut.known_at)
    if since is None:
        return []
    totals = DayTotal.objects.filter(**cut.lookups(), day__gte=first, day__lte=last)
    groups = totals.values_list("instrument__exchange__code", "instrument__session_group").distinct()
    days = set(totals.values_list("day", flat=True))
    if cut.known_at is not None:
        days = {exit.day for _, exit in exits_of(cut, first, last)}
    for exchange, group in set(groups) or {(settings.VELOX_EXCHANGE, DEFAULT_GROUP)}:
        days.update(calendar_of(exchange, group).trading_days(max(first, since), last))
    return sorted(days)


def _period(cut: Cut, days: int | None, now: datetime) -> dict[str, Any]:
    span = last_days(days, now=now) if days is not None else whole_span(cut)
    if span is None:
        return figures.period_figures([], Capital(0, [], {}, {})) | {"first_date": None, "last_date": None}
    first, last = span
    exits = [exit for _, exit in exits_of(cut, first, last)]
    history = history_of(cut.account, last, known_at=cut.known_at)
    made = figures.period_figures(exits, capital_in(history, trading_days(cut, first, last), exits))
    return {**made, "first_date": first.isoformat(), "last_date": last.isoformat()}


def whole_span(cut: Cut) -> tuple[date, date] | None:
    """Return the day of the cut's first trade and that of its last exit, None where one of them is missing."""
    first = Trade.objects.filter(**cut.lookups()).exclude(state=VOID).aggregate(day=Min("trading_day"))["day"]
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


# When an exit was, its day, and when its trade began and ended; what it realised, and what its whole trade did.
EXIT_TIMES = tuple(text(path) for path in ("at", "day", "trade__opened_at", "trade__closed_at"))
EXIT_MONEY = tuple(
    units(path) for path in ("pnl", "charges", "trade__realised_pnl", "trade__charges", "trade__initial_risk")
)
# In the order in which `_of_sums` takes them.
_MONEY_SUMS = ("gross_pnl", "charges", "gross_profit", "gross_loss")
_COUNT_SUMS = ("wins", "losses", "breakevens", "trades_without_charges")


def _summed(account_code: str, first: date, last: date, *by: str) -> Iterable[tuple[Any, ...]]:
    rows = DayTotal.objects.filter(account=get_account(account_code), day__gte=first, day__lte=last)
    money = {f"{name}_sum": UnitsSum(name) for name in _MONEY_SUMS}
    sums = {**money, **{f"{name}_sum": Sum(name) for name in _COUNT_SUMS}}
    grouped: QuerySet[DayTotal, Any] = rows.values(*by).annotate(**sums).order_by(*reversed(by))
    return grouped.values_list(*by, *sums)


def _of_sums(sums: Sequence[int]) -> dict[str, Any]:
    gross, charges, profit, loss, wins, losses, breakevens, unknown = sums
    made = Outcomes(wins=wins, losses=losses, breakevens=breakevens, gross_profit=profit, gross_loss=loss)
    return figures.outcome_figures(made, gross=gross, charges=charges or 0, unknown=unknown)
