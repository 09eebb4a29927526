"""Trying other stops on trades that were made: their own ticks, one rule beside the other, the last days held out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import TypedDict

import numpy as np

from lab.backtest.charging import PlannedFill, charged_as, shares_of
from lab.backtest.code_digest import versions
from lab.backtest.days import SymbolTicks, TickQuestion, read_day
from lab.backtest.market import traded
from lab.domain.fills import FillModel, TradedInstrument
from lab.domain.stops import StopRule, units_of
from lab.domain.trials import DayDigest, TrialOutcome, TrialSetup
from lab.operations.record_run import STOP_LAB, record_run
from lab.operations.record_trials import record_trials
from lab.queries.trials import trials_on
from timeseries.measurements import IntArray
from timeseries.reader import Reader
from trading.domain.money import from_units, to_units
from trading.domain.plain_json import to_json
from trading.domain.position import ENTRY_SIDE, EXIT_SIDE, LONG, SHORT, Execution
from trading.errors import InvalidValue
from trading.models import Account, Fill, Trade
from trading.progress import tell
from trading.queries.instruments import shown_symbol
from trading.strategies.base import nanoseconds
from trading.transactions import ask

FOLLOWED_AS = "stops 2"  # counts up whenever the same rule on the same ticks would be followed otherwise
BOOKED = "booked"  # the charges that each trade was booked with, whichever rule it is followed under


@dataclass(frozen=True, slots=True, kw_only=True)
class StopsRequest:
    """Which closed trades, on whose ticks, under which rules; so many of the last days are held out.

    ``charged`` is how fills are charged, None as they were booked.
    """

    account: Account
    strategy: str
    symbol: str | None
    first: date
    last: date
    rules: Sequence[StopRule]
    held_out_days: int
    ticks: str
    source: str | None
    charged: FillModel | None = None


class RuleRow(TypedDict):
    """One rule: how many trades it stopped, how many it would still have held at their day's end, and their P&L after
    the charges that are known, before the days that are held out and on those."""

    rule: str
    basis_points: int
    trails: bool
    stopped: int
    censored: int
    pnl: Decimal
    held_out_pnl: Decimal


class StopsAnswer(TypedDict):
    """The JSON object of `stop_lab`. ``best`` is the rule that was best before the days that are held out."""

    account: str
    strategy: str
    first_day: date | None
    last_day: date | None
    held_out_from: date | None
    charges: str
    trades: int
    trades_without_charges: int
    left_out: dict[str, int]
    own_pnl: Decimal
    own_held_out_pnl: Decimal
    best: str
    trials: int
    rules: list[RuleRow]


@dataclass(frozen=True, slots=True)
class MadeTrade:
    """A trade with the prices of its day after its entry, in units."""

    symbol: str
    day: date
    is_long: bool
    entry: int
    quantity: int
    instrument: TradedInstrument
    charges: int | None
    own_gross: int
    own_exits: Sequence[Execution]
    after: IntArray

    def gross(self, price: int) -> int:
        """Return the P&L before charges of an exit at a price."""
        rise = self.instrument.value(price, self.quantity) - self.instrument.value(self.entry, self.quantity)
        return rise if self.is_long else -rise

    def fills(self, exits: Sequence[Execution]) -> list[PlannedFill]:
        """Return the entry and some exits as they are charged."""
        entry = Execution(ENTRY_SIDE[self.side], self.entry, self.quantity)
        return [PlannedFill(self.symbol, self.day, execution) for execution in (entry, *exits)]

    def exit_at(self, price: int) -> Execution:
        """Return the exit of all of it at a price."""
        return Execution(EXIT_SIDE[self.side], price, self.quantity)

    @property
    def side(self) -> str:
        """LONG or SHORT."""
        return LONG if self.is_long else SHORT


@dataclass(frozen=True, slots=True)
class FollowedTrade:
    """What became of a trade under a rule: P&L after known charges in units, and whether it was stopped."""

    pnl: int
    is_stopped: bool


@dataclass(slots=True)
class Gathered:
    """The trades that can be tried, the digests of their days' ticks, and how many were left out and why."""

    trades: list[MadeTrade] = field(default_factory=list)
    digests: dict[tuple[date, str], str] = field(default_factory=dict)
    left_out: dict[str, int] = field(default_factory=dict)


def try_stops(request: StopsRequest, reader: Reader) -> StopsAnswer:
    """Follow each trade under each rule to its stop or its day's last tick, record a trial a rule, and compare.

    Raises: InvalidValue without a rule, where no trade can be tried and where no day is left to choose by;
      StoreUnavailable, LedgerBusy, LedgerNotReady.
    """
    if not request.rules:
        raise InvalidValue("There is no rule to try.", field="stop", hint="Give --stop or --trail, in basis points.")
    gathered = ask(_gathered, request, reader)
    trades = gathered.trades
    if not trades:
        reasons = ", ".join(f"{count} {reason}" for reason, count in gathered.left_out.items()) or "none is closed"
        raise InvalidValue(
            f"No trade of {request.strategy} can be tried: {reasons}.",
            field="strategy",
            hint="--ticks names the account under which the ticks were recorded.",
        )
    days = sorted({trade.day for trade in trades})
    if request.held_out_days >= len(days):
        text = f"{request.held_out_days} of {len(days)} days with trades are held out."
        raise InvalidValue(text, field="hold_out", hint="Leave a day to choose the rule by.")
    held_out = frozenset(days[len(days) - request.held_out_days :])
    followed = {rule: _followed(rule, trades, request.charged) for rule in request.rules}
    record_trials([_trial(request, rule, gathered, days, followed[rule]) for rule in request.rules])
    rows = [_row(rule, trades, followed[rule], held_out) for rule in request.rules]
    charges = _charges(trades, [trade.own_exits for trade in trades], request.charged)
    own = [
        (trade.day in held_out, trade.own_gross - (charge or 0)) for trade, charge in zip(trades, charges, strict=True)
    ]
    answer: StopsAnswer = {
        "account": request.account.code,
        "strategy": request.strategy,
        "first_day": days[0],
        "last_day": days[-1],
        "held_out_from": min(held_out, default=None),
        "charges": BOOKED if request.charged is None else request.charged.charged,
        "trades": len(trades),
        "trades_without_charges": charges.count(None),
        "left_out": gathered.left_out,
        "own_pnl": from_units(sum(pnl for is_out, pnl in own if not is_out)),
        "own_held_out_pnl": from_units(sum(pnl for is_out, pnl in own if is_out)),
        "best": max(rows, key=lambda row: row["pnl"])["rule"],
        "trials": len(ask(trials_on, request.strategy, days)),
        "rules": rows,
    }
    span = days[0], days[-1]
    record_run(STOP_LAB, to_json(answer), account=request.account.code, strategy=request.strategy, days=span)
    return answer


def _gathered(request: StopsRequest, reader: Reader) -> Gathered:
    """Return the closed trades of the request with their ticks."""
    gathered = Gathered()
    rows = Trade.objects.filter(
        account=request.account, strategy__code=request.strategy, state=Trade.State.CLOSED,
        trading_day__gte=request.first, trading_day__lte=request.last,
    ).select_related("instrument__exchange")  # fmt: skip
    rows = rows.order_by("trading_day", "instrument", "opened_at")
    ticks: dict[tuple[date, str], SymbolTicks | None] = {}
    count = rows.count()
    for number, row in enumerate(rows.iterator(), start=1):
        tell("trades", number, count)
        symbol, day = shown_symbol(row.instrument.exchange.code, row.instrument.symbol), row.trading_day
        if request.symbol not in (None, symbol):
            continue
        if (day, symbol) not in ticks:
            asked = TickQuestion(request.ticks, request.source, (symbol,), day, day)
            played = read_day(reader, asked, (symbol,), day)
            ticks = {(day, symbol): played.symbols[0] if played.symbols else None}  # one at a time is held
            gathered.digests[day, symbol] = played.digest()
        trade, reason = _made(row, symbol, ticks[day, symbol])
        if trade is None:
            gathered.left_out[reason] = gathered.left_out.get(reason, 0) + 1
        else:
            gathered.trades.append(trade)
    return gathered


def _made(row: Trade, symbol: str, ticks: SymbolTicks | None) -> tuple[MadeTrade | None, str]:
    """Return a trade with the prices after its entry; or why it cannot be tried."""
    fills = list(row.fills.order_by("sequence"))
    entries = [fill for fill in fills if fill.role != Fill.Role.EXIT]
    if len(entries) != 1 or "corrected" in row.flags:
        return None, "with more than one entry, or corrected"
    if ticks is None:
        return None, "without ticks on their day"
    numbers = np.flatnonzero(ticks.counts)
    later = numbers[ticks.time[numbers] >= nanoseconds(row.opened_at)]
    if not len(later):
        return None, "without a tick after their entry"
    entry, prices = entries[0], units_of(ticks.price[later])
    exits = [
        Execution(str(fill.side), to_units(fill.price), to_units(fill.quantity))
        for fill in fills
        if fill.role == Fill.Role.EXIT
    ]
    return MadeTrade(
        symbol=symbol,
        day=row.trading_day,
        is_long=row.side == LONG,
        entry=to_units(entry.price),
        quantity=to_units(entry.quantity),
        instrument=traded(row.instrument),
        charges=None if row.charges is None else to_units(row.charges),
        own_gross=to_units(row.realised_pnl),
        own_exits=exits,
        after=prices[1:] if len(prices) > 1 else prices,  # the first is the tick of the entry itself
    ), ""


def _followed(rule: StopRule, trades: Sequence[MadeTrade], charged: FillModel | None) -> list[FollowedTrade]:
    """Return what becomes of each trade under a rule; one that is not stopped goes to its day's last tick."""
    rows = [rule.exit_row(trade.after, trade.entry, is_long=trade.is_long) for trade in trades]
    prices = [int(trade.after[-1 if row is None else row]) for trade, row in zip(trades, rows, strict=True)]
    exits = [[trade.exit_at(price)] for trade, price in zip(trades, prices, strict=True)]
    charges = _charges(trades, exits, charged)
    return [
        FollowedTrade(trade.gross(price) - (charge or 0), row is not None)
        for trade, price, charge, row in zip(trades, prices, charges, rows, strict=True)
    ]


def _charges(
    trades: Sequence[MadeTrade], exits: Sequence[Sequence[Execution]], charged: FillModel | None
) -> list[int | None]:
    """Return the charges of each trade with these exits, None where they are not known."""
    if charged is None:
        return [trade.charges for trade in trades]
    fills = [trade.fills(of_trade) for trade, of_trade in zip(trades, exits, strict=True)]
    instruments = {trade.symbol: trade.instrument for trade in trades}
    whole = [fill for of_trade in fills for fill in of_trade]
    if charged.plan:
        of_fills, _ = shares_of(whole, instruments, charged.plan)
    else:
        of_fills = [
            charged.charges(instruments[fill.symbol].value(fill.execution.price, fill.execution.quantity))
            for fill in whole
        ]
    shares = iter(of_fills)
    of_trades = [[next(shares) for _ in of_trade] for of_trade in fills]
    return [None if None in shares_of_trade else sum(filter(None, shares_of_trade)) for shares_of_trade in of_trades]


def _row(
    rule: StopRule, trades: Sequence[MadeTrade], followed: Sequence[FollowedTrade], held_out: frozenset[date]
) -> RuleRow:
    sums = {False: 0, True: 0}
    for trade, outcome in zip(trades, followed, strict=True):
        sums[trade.day in held_out] += outcome.pnl
    stopped = sum(outcome.is_stopped for outcome in followed)
    return {
        "rule": rule.name,
        "basis_points": rule.basis_points,
        "trails": rule.trails,
        "stopped": stopped,
        "censored": len(followed) - stopped,
        "pnl": from_units(sums[False]),
        "held_out_pnl": from_units(sums[True]),
    }


def _trial(
    request: StopsRequest,
    rule: StopRule,
    gathered: Gathered,
    days: Sequence[date],
    followed: Sequence[FollowedTrade],
) -> TrialOutcome:
    """Return the look that a rule is: of the strategy's name, so that it counts beside its backtests."""
    digests: Mapping[date, list[FollowedTrade]] = {day: [] for day in days}
    for trade, outcome in zip(gathered.trades, followed, strict=True):
        digests[trade.day].append(outcome)
    setup = TrialSetup(
        strategy=request.strategy, code=FOLLOWED_AS,
        parameters={"account": request.account.code, "basis_points": rule.basis_points, "trails": rule.trails},
        account=request.ticks, source=request.source, symbols=sorted({symbol for _, symbol in gathered.digests}),
        days=days, ticks=list(gathered.digests.values()), latency_ms=0, slippage_ticks=0,
        charges=BOOKED if request.charged is None else charged_as(request.charged),
    )  # fmt: skip
    return TrialOutcome(
        setup=setup,
        versions=versions(),
        digests=[
            DayDigest(
                pnl=sum(outcome.pnl for outcome in of_day),
                opened=len(of_day),
                closed=sum(outcome.is_stopped for outcome in of_day),
                censored=sum(not outcome.is_stopped for outcome in of_day),
            )
            for of_day in digests.values()
        ],
    )
