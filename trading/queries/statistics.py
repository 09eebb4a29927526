"""Statistics of a strategy, of a symbol, of an account, and rows of them by strategy, symbol and period."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from functools import partial
from itertools import accumulate
from operator import add
from typing import NamedTuple

from django.conf import settings
from django.db.models import Subquery, Sum

from timeseries.values import parse_name
from trading.domain import figures
from trading.domain.cuts import month_of, week_of
from trading.domain.figures import Capital, ClosedTrade, Exit
from trading.domain.flags import COST_GIVEN
from trading.domain.shapes import PartTotals, Stats
from trading.domain.statistics import Outcomes
from trading.models import Account, DayTotal, Realisation, Signal, Strategy, Trade
from trading.queries import as_known
from trading.queries.accounts import capital_flows, pnl_by_day
from trading.queries.as_known import KnownTrade
from trading.queries.columns import UnitsSum, day_of, instant_of, text, units, whole_sum
from trading.queries.day_only import is_untimed, without_flag
from trading.queries.instruments import find_instrument, shown_symbol
from trading.queries.kept_statements import ACCOUNT, KeptStatement, PlainQuery, Slot
from trading.queries.kept_tables import of_most
from trading.queries.period import EARLIEST, check_days, date_in, desk_date, last_days
from trading.queries.sessions import DEFAULT_GROUP, calendar_of
from trading.queries.trades import OPEN, VOID

# When an exit was, its day, and when its trade began and ended; what it realised, and what its whole trade did.
EXIT_TIMES = tuple(text(path) for path in ("at", "day", "trade__opened_at", "trade__closed_at"))
EXIT_MONEY = tuple(
    units(path) for path in ("pnl", "charges", "trade__realised_pnl", "trade__charges", "trade__initial_risk")
)
_MONEY_SUMS = ("gross_pnl", "charges", "gross_profit", "gross_loss")
_COUNT_SUMS = ("wins", "losses", "breakevens", "trades_without_charges")
# The cuts that day totals can tell: the columns that they are summed by, and what makes the key of their values.
TOTALS: Mapping[str, tuple[tuple[str, ...], Callable[..., str]]] = {
    "day": (("day",), date.isoformat),
    "week": (("day",), week_of),
    "month": (("day",), month_of),
    "strategy": (("strategy__code",), str),
    "symbol": (("instrument__exchange__code", "instrument__symbol"), shown_symbol),
}


@dataclass(frozen=True, slots=True)
class Cut:
    """Which part of an account is looked at, None is all of it; and as it was known when, None is now."""

    account: Account
    strategy_id: str | None = None
    instrument_id: int | None = None
    known_at: datetime | None = None

    def lookups(self) -> dict[str, Account | str | int]:
        """Return the lookups of the rows that have an account, a strategy and an instrument."""
        lookups: dict[str, Account | str | int] = {"account": self.account}
        if self.strategy_id is not None:
            lookups["strategy__code"] = self.strategy_id
        if self.instrument_id is not None:
            lookups["instrument_id"] = self.instrument_id
        return lookups


@dataclass(frozen=True, slots=True)
class History:
    """What changed an account's capital, by day and in units: what came in or went out, and its P&L."""

    flows: dict[date, int]
    pnl: dict[date, int]


def strategy_stats(account: Account, strategy_id: str, days: int | None = 30, *, now: datetime) -> Stats:
    """Return the figures of one strategy over ``days`` calendar days ending today (None: first trade to last exit), as
    one flat dict.

    Counts: total_trades, winning_trades, losing_trades, breakeven_trades, trades_without_charges, and the sample sizes
    trading_days and trades_with_initial_risk. Money (Decimal): total_pnl (gross less known charges), gross_pnl,
    charges, avg_win, avg_loss, largest_win, largest_loss, expectancy, max_drawdown, open_trades_pnl. Percent: win_rate,
    max_drawdown_pct. Ratios: profit_factor, payoff_ratio, expectancy_ratio, expectancy_r, sharpe, sortino, calmar (all
    three from 20 trading days after the account's first trade on), sqn (from 5 trades). Seconds: avg_holding_seconds.
    Dates (ISO): first_date, last_date and those of the drawdowns. What is undefined is None.

    Raises: InvalidValue for what is no name, and for days that are not None or an int of at least 1.
    """
    check_days(days)
    return _stats(Cut(account, parse_name(strategy_id, "strategy_id")), days, now)


def symbol_stats(account: Account, symbol: str, days: int | None = 30, *, now: datetime) -> Stats:
    """Return the figures of one symbol, over all strategies of the account (see `strategy_stats`).

    Raises: as `strategy_stats`.
    """
    check_days(days)
    instrument = find_instrument(symbol)
    return _stats(Cut(account, instrument_id=instrument.pk if instrument else -1), days, now)


def account_stats(account: Account, days: int | None = 30, *, now: datetime) -> Stats:
    """Return the figures of the whole account (see `strategy_stats`)."""
    check_days(days)
    return _stats(Cut(account), days, now)


def _stats(cut: Cut, days: int | None, now: datetime) -> Stats:
    span = last_days(days, now=now) if days is not None else traded_span(cut).to_last_exit
    if span is None:
        return {**figures.period_figures([], Capital(0, [], {}, {})), "first_date": None, "last_date": None}
    first, last = span
    exits = [exit for _, exit in exits_of(cut, first, last)]
    history = history_of(cut.account, last, known_at=cut.known_at)
    capital = capital_in(history, trading_days(cut, first, last), exits)
    return {
        **figures.period_figures(exits, capital),
        "first_date": first.isoformat(),
        "last_date": last.isoformat(),
    }


def totals_by(account: Account, first: date, last: date, cut: str) -> list[PartTotals]:
    """Return a row per part of a cut of `TOTALS` that has exits in the period, ascending, with what sums can tell.

    It reads day totals, never trades, so it stays fast over years. Weeks and months are added up here: databases differ
    over what a week is, and days are few.
    """
    columns, key_of = TOTALS[cut]
    totals: dict[str, list[int]] = {}
    for row in _SUMS[columns].plain(account, first=first, last=last):
        key, sums = key_of(*row[: len(columns)]), row[len(columns) :]
        addends = [*(whole_sum(total) or 0 for total in sums[: len(_MONEY_SUMS)]), *sums[len(_MONEY_SUMS) :]]
        so_far = totals.get(key)
        totals[key] = addends if so_far is None else list(map(add, so_far, addends))
    parts: list[PartTotals] = []
    for key, (gross, charges, profit, loss, wins, losses, breakevens, unknown) in totals.items():
        outcomes = Outcomes(wins, losses, breakevens, profit, loss)
        parts.append({"key": key, **figures.outcome_figures(outcomes, gross=gross, charges=charges, unknown=unknown)})
    return parts


def _sums_of(columns: tuple[str, ...]) -> PlainQuery:
    rows = DayTotal.objects.filter(account=ACCOUNT, day__gte=Slot("first"), day__lte=Slot("last")).values(*columns)
    sums = {f"{name}_sum": UnitsSum(name) for name in _MONEY_SUMS} | {f"{name}_sum": Sum(name) for name in _COUNT_SUMS}
    query: PlainQuery = rows.annotate(**sums).order_by(*columns).values_list(*columns, *sums)
    return query


_SUMS = {columns: KeptStatement(partial(_sums_of, columns)) for columns, _ in TOTALS.values()}


def curves_by(account: Account, first: date, last: date, cut: str) -> dict[str, list[Decimal]]:
    """Return by part of a cut of `TOTALS` its P&L after known charges so far, on each day of the period on which the
    account realised something."""
    columns, key_of = TOTALS[cut]
    rows = DayTotal.objects.filter(account=account, day__gte=first, day__lte=last).values("day", *columns)
    sums = rows.annotate(gross=UnitsSum("gross_pnl"), costs=UnitsSum("charges")).order_by("day")
    changes: dict[str, dict[date, int]] = {}
    days: dict[date, None] = {}
    for day, *names, gross, costs in sums.values_list("day", *columns, "gross", "costs"):
        days[day] = None
        changes.setdefault(key_of(*names), {})[day] = gross - (costs or 0)
    return {
        key: [figures.to_money(so_far) or Decimal(0) for so_far in accumulate(of_day.get(day, 0) for day in days)]
        for key, of_day in changes.items()
    }


def exits_of(cut: Cut, first: date, last: date) -> Iterator[tuple[str, Exit]]:
    """Yield (strategy_id, exit fill) for the days first..last, in one query; as known once, with those told anew."""
    rows = Realisation.objects.filter(**cut.lookups(), day__gte=first, day__lte=last)
    if cut.known_at is not None:
        for trade in retold_of(cut, cut.known_at):
            yield from ((trade.strategy_id, exit) for exit in trade.exits if first <= exit.day <= last)
        rows = rows.filter(as_known.untouched(cut.known_at, of="trade__"))
    names = dict(Strategy.objects.values_list("pk", "code"))
    columns = rows.values_list("strategy_id", "closes", "trade__state", text("trade__flags"), *EXIT_TIMES, *EXIT_MONEY)
    for strategy, closes, state, flags, at_text, day, opened_at, closed_at, pnl, charges, whole, costs, risk in columns:
        at, closed = instant_of(at_text), None
        if closes and closed_at is not None:
            ended = at if closed_at == at_text else instant_of(closed_at)
            seconds = None if is_untimed(flags) else (ended - instant_of(opened_at)).total_seconds()
            closed = ClosedTrade(whole, costs, risk, seconds)
        yield names[strategy], Exit(at, day_of(day), pnl, charges, closed, state == OPEN)


def retold_of(cut: Cut, at: datetime) -> Iterator[KnownTrade]:
    """Yield the trades of the cut that were touched since ``at``, as they were known."""
    for trade in as_known.retold(cut.account, at):
        if cut.strategy_id in (None, trade.strategy_id) and cut.instrument_id in (None, trade.trade.instrument_id):
            yield trade


def history_of(account: Account, until: date, *, known_at: datetime | None = None) -> History:
    """Return the account's history up to and including a day, and as it was known."""
    flows = capital_flows(account, until=until, known_at=known_at)
    if known_at is None:
        return History(flows, pnl_by_day(account, until=until))
    pnl: dict[date, int] = {}
    for _, exit in exits_of(Cut(account, known_at=known_at), EARLIEST, until):
        pnl[exit.day] = pnl.get(exit.day, 0) + exit.net
    return History(flows, pnl)


def capital_in(history: History, days: list[date], exits: list[Exit]) -> Capital:
    """Return `capital_beside` of what these exits realised."""
    pnl: dict[date, int] = {}
    for exit in exits:
        pnl[exit.day] = pnl.get(exit.day, 0) + exit.net
    return capital_beside(history, days, pnl)


def capital_beside(history: History, days: list[date], pnl_by_day: Mapping[date, int]) -> Capital:
    """Return the account's capital as a cut that realised so much sees it on these days, from a history that reaches as
    far as the days or farther; without days, what there was at the history's end."""
    if not days:
        return Capital(sum(history.flows.values()) + sum(history.pnl.values()), [], {}, {})
    first, last = days[0], days[-1]
    at_start = sum(amount for day, amount in history.flows.items() if day < first)
    at_start += sum(amount for day, amount in history.pnl.items() if day < first)
    flows: dict[date, int] = {}
    for day, amount in history.flows.items():
        if first <= day <= last:  # capital of a closed day is there when the next day that counts starts
            counted = days[bisect_left(days, day)]
            flows[counted] = flows.get(counted, 0) + amount
    outside = {day: amount for day, amount in history.pnl.items() if first <= day <= last}
    for day, realised in pnl_by_day.items():
        outside[day] = outside.get(day, 0) - realised
    other_pnl: dict[date, int] = {}
    for (
        day,
        amount,
    ) in outside.items():  # P&L of a closed day is there when the next one starts, so it is the last one's
        counted = days[bisect_right(days, day) - 1]
        other_pnl[counted] = other_pnl.get(counted, 0) + amount
    return Capital(at_start, days, flows, other_pnl)


def first_trading_day(account: Account, *, known_at: datetime | None = None) -> date | None:
    """Return the trading day of the account's first trade that is not void, as it was known; None where none is.

    Holdings that were bought before a broker's files begin are none that the account traded.
    """
    rows = without_flag(Trade.objects.filter(account=account).exclude(state=VOID), COST_GIVEN)
    days: list[date | None] = []
    if known_at is not None:
        rows = rows.filter(as_known.untouched(known_at))
        days = [
            date_in(trade.opened_at, trade.trade.instrument.exchange.zone)
            for trade in retold_of(Cut(account), known_at)
            if COST_GIVEN not in trade.trade.flags
        ]
    # In the order of an index and one row: a MIN over the days would read every trade.
    days.append(rows.order_by("opened_at").values_list("trading_day", flat=True).first())
    return min((day for day in days if day is not None), default=None)


def trading_days(cut: Cut, first: date, last: date, *, since: date | None = None) -> list[date]:
    """Return the days that figures of days have as their sample: those of first..last, from the day of the account's
    first trade on, on which the exchanges that the cut traded on trade, and closed days that have an exit fill.

    Days before the account's first trade tell nothing of how it trades, so they are no sample. The start is the
    account's also for one strategy or symbol: their returns add up to the account's only over the same days.
    """
    since = since or first_trading_day(cut.account, known_at=cut.known_at)
    if since is None:
        return []
    rows = _markets_of_days(cut, first, last)
    days, groups = {day for day, *_ in rows}, {(exchange, group) for _, exchange, group in rows}
    for exchange, group in groups or {(settings.VELOX_EXCHANGE, DEFAULT_GROUP)}:
        days.update(calendar_of(exchange, group).trading_days(max(first, since), last))
    return sorted(days)


def _markets_of_days(cut: Cut, first: date, last: date) -> list[tuple[date, str, str]]:
    """Return the days of first..last on which the cut has an exit, each with exchange and session group of it."""
    within, columns = (
        {"day__gte": first, "day__lte": last},
        ("day", "instrument__exchange__code", "instrument__session_group"),
    )
    if cut.known_at is None:
        return [*DayTotal.objects.filter(**cut.lookups(), **within).order_by().values_list(*columns).distinct()]
    stands = Realisation.objects.filter(as_known.untouched(cut.known_at, of="trade__"), **cut.lookups(), **within)
    rows = [*stands.order_by().values_list(*columns).distinct()]
    for trade in retold_of(cut, cut.known_at):
        instrument = trade.trade.instrument
        market = instrument.exchange.code, instrument.session_group
        rows += [(exit.day, *market) for exit in trade.exits if first <= exit.day <= last]
    return rows


class TradedSpan(NamedTuple):
    """The day on which something was first opened, and those of the last opening and the last exit; None of none."""

    first: date | None
    last_opening: date | None
    last_exit: date | None

    @property
    def to_last_exit(self) -> tuple[date, date] | None:
        """The first day and that of the last exit, None where one of them is missing."""
        return None if self.first is None or self.last_exit is None else (self.first, self.last_exit)

    @property
    def last(self) -> date | None:
        """The last day on which something was opened or left."""
        return max((day for day in (self.last_opening, self.last_exit) if day is not None), default=None)


def traded_span(cut: Cut, *, with_void: bool = False) -> TradedSpan:
    """Return the span in which a cut was traded, as it was known; of void trades only ``with_void``."""
    lookups = cut.lookups()
    exits, trades = Realisation.objects.filter(**lookups), Trade.objects.filter(**lookups)
    if cut.instrument_id is not None:  # an account that is no expression leads SQLite to the days of all symbols
        del lookups["account"]
        trades = of_most(Trade.objects.filter(**lookups), cut.account)
    trades = trades if with_void else trades.exclude(state=VOID)
    openings: list[date | None] = []
    exit_days: list[date | None] = []
    if cut.known_at is not None:
        trades = trades.filter(as_known.untouched(cut.known_at))
        exits = exits.filter(as_known.untouched(cut.known_at, of="trade__"))
        for trade in retold_of(cut, cut.known_at):
            openings.append(date_in(trade.opened_at, trade.trade.instrument.exchange.zone))
            exit_days += [exit.day for exit in trade.exits]
    # Each is the first row that counts in the order of an index: a MIN beside a MAX reads every row between them.
    ends = (
        Subquery(rows.order_by(order).values(order.removeprefix("-"))[:1])
        for rows, order in ((trades, "trading_day"), (trades, "-trading_day"), (exits, "-day"))
    )
    *of_openings, last_exit = Account.objects.filter(pk=cut.account.pk).values_list(*ends).get()
    opened, exited = (
        [day for day in days if day is not None] for days in ([*openings, *of_openings], [*exit_days, last_exit])
    )
    return TradedSpan(min(opened + exited, default=None), max(opened, default=None), max(exited, default=None))


def signal_days(cut: Cut) -> tuple[date | None, ...]:
    """Return the days, at the desk, of a cut's first and last signal, as they were known; None where there is none."""
    signals = Signal.objects.filter(**cut.lookups())
    if cut.known_at is not None:
        signals = signals.filter(recorded_at__lt=cut.known_at)
    ends = (signals.order_by(order).values_list("at", flat=True).first() for order in ("at", "-at"))
    return tuple(None if at is None else desk_date(at) for at in ends)
