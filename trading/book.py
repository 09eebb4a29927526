"""The present state of an account: open positions, trailing stops, counters, the day's sums, each with its origin.

The hot state's copy is looked at first. It answers where it is as new as the ledger, by the sequence of the journal, so
that an emptied cache changes no answer; else the ledger answers itself. Where the ledger is busy, the copy answers as
it is, unless the caller has written since.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime
from decimal import Decimal
from typing import Any, TypeVar

from django.conf import settings

from timeseries.values import parse_name
from trading.domain import figures
from trading.domain.statistics import Outcomes
from trading.domain.values import Position, StrategyCounters, TrailingStop
from trading.errors import LedgerBusy
from trading.hot import ledger_copy
from trading.queries import valuation
from trading.queries.accounts import get_account
from trading.queries.period import desk_date
from trading.queries.trades import sum_of
from trading.queries.valuation import LastTicks, earned, price_of
from trading.transactions import ask

HOT, LEDGER = "hot", "ledger"
# The decimals and times of a position, which JSON keeps as texts.
_MONEY = (
    "open_quantity", "avg_price", "realised_pnl", "charges", "stop_price", "target_price", "initial_risk",
    "reported_pnl",
)  # fmt: skip
_TIMES = ("opened_at", "closed_at")
_DAY_NAMES = tuple(figures.outcome_figures(Outcomes(0, 0, 0, 0, 0), gross=0, charges=0, unknown=0))
_NONSENSE = (ArithmeticError, AttributeError, KeyError, TypeError, ValueError)

Answer = TypeVar("Answer")
Copy = dict[str, Any]  # what JSON has kept of a part of the account; one that makes no sense is passed over


def open_positions(account: str, last_ticks: LastTicks, *, since_ns: int) -> list[Position]:
    """Return one position per open trade, the oldest first. Raises: LedgerBusy, LedgerNotReady, UnknownAccount.

    ``since_ns``: an older copy (ns UTC) does not answer; the same in the functions that follow.
    """

    def from_copy(entry: Copy) -> list[Position]:
        held = [(_copied_position(row), row) for row in entry["positions"]]
        ticks = last_ticks({position.symbol for position, _ in held}) if held else {}
        return [_valued(position, [row], ticks) for position, row in held]

    return _answer(
        account,
        "positions",
        from_copy,
        query=lambda: valuation.open_positions(get_account(account), last_ticks),
        since_ns=since_ns,
    )


def position_of(account: str, strategy_id: str, symbol: str, last_ticks: LastTicks, *, since_ns: int) -> Position:
    """Return the sum of the strategy's open trades in the symbol. Raises: as `open_positions`."""
    strategy_id = parse_name(strategy_id, "strategy_id")
    name = parse_name(symbol, "symbol").removeprefix(f"{settings.VELOX_EXCHANGE}:")  # the ledger may not be asked

    def from_copy(entry: Copy) -> Position:
        held = [(_copied_position(row), row) for row in entry["positions"]]
        ours = [(trade, row) for trade, row in held if (trade.strategy_id, trade.symbol) == (strategy_id, name)]
        summed = sum_of(account, strategy_id, name, [trade for trade, _ in ours])
        ticks = last_ticks({summed.symbol}) if ours else {}
        return _valued(replace(summed, origin=HOT), [row for _, row in ours], ticks)

    return _answer(
        account,
        "positions",
        from_copy,
        query=lambda: valuation.position_of(get_account(account), strategy_id, symbol, last_ticks),
        since_ns=since_ns,
    )


def trailing_stops(account: str, *, strategy_id: str | None, now: datetime, since_ns: int) -> list[TrailingStop]:
    """Return the last step of each open trade's trailing stop, the oldest step first. Raises: as `open_positions`."""
    wanted = None if strategy_id is None else parse_name(strategy_id, "strategy_id")

    def stops(rows: list[Copy], origin: str) -> list[TrailingStop]:
        steps = [
            TrailingStop(
                trade_id=row["trade_id"],
                strategy_id=row["strategy_id"],
                symbol=row["symbol"],
                account=account,
                stop_price=Decimal(row["stop_price"]),
                extreme_price=None if row["extreme_price"] is None else Decimal(row["extreme_price"]),
                method=row["method"],
                at=datetime.fromisoformat(row["at"]),
                origin=origin,
            )
            for row in rows
        ]
        return [step for step in steps if wanted in (None, step.strategy_id)]

    return _answer_of_day(account, "stops", desk_date(now), stops, since_ns=since_ns)


def counters(account: str, *, now: datetime, since_ns: int) -> list[StrategyCounters]:
    """Return what each strategy did today at the desk, by its id; one that did nothing and holds nothing is absent.

    Counted in the ledger, each count in the transaction that it counts: of several processes none is lost.
    Raises: as `open_positions`.
    """
    day = desk_date(now)
    return _answer_of_day(
        account,
        "counters",
        day,
        lambda by_strategy, origin: [
            StrategyCounters(strategy_id=code, account=account, day=day, origin=origin, **counts)
            for code, counts in sorted(by_strategy.items())
        ],
        since_ns=since_ns,
    )


def counters_of(account: str, strategy_id: str, *, now: datetime, since_ns: int) -> StrategyCounters:
    """Return what the strategy did today, zeros where it did nothing. Raises: as `open_positions`."""
    code, day = parse_name(strategy_id, "strategy_id"), desk_date(now)
    return _answer_of_day(
        account,
        "counters",
        day,
        lambda by_strategy, origin: StrategyCounters(
            strategy_id=code, account=account, day=day, origin=origin, **by_strategy.get(code, {})
        ),
        since_ns=since_ns,
    )


def day_figures(account: str, *, now: datetime, since_ns: int) -> dict[str, Any]:
    """Return today's figures so far: "account", "day", those of `queries.day.day_figures`, and "origin".

    Raises: as `open_positions`.
    """
    day = desk_date(now)
    return _answer_of_day(
        account,
        "day",
        day,
        lambda row, origin: {
            "account": account,
            "day": day,
            **{name: Decimal(row[name]) if isinstance(row[name], str) else row[name] for name in _DAY_NAMES},
            "origin": origin,
        },
        since_ns=since_ns,
    )


def _answer_of_day(account: str, name: str, day: date, form: Callable[[Any, str], Answer], *, since_ns: int) -> Answer:
    """Return what ``form`` makes of a part of the account and its origin: of copy and ledger the same."""
    return _answer(
        account,
        name,
        from_copy=lambda entry: form(entry[name], HOT),
        query=lambda: form(ledger_copy.BUILT[name](account, day), LEDGER),
        since_ns=since_ns,
        day=day,
    )


def _answer(
    account: str,
    name: str,
    from_copy: Callable[[Copy], Answer],
    query: Callable[[], Answer],
    *,
    since_ns: int,
    day: date | None = None,
) -> Answer:
    """Return what is made of the copy where it is as new as the ledger, else what the ledger is asked."""
    entry = ledger_copy.read(account, name, since_ns=since_ns)
    if entry is None or (day is not None and entry.get("desk_date") != day.isoformat()):
        return ask(query)
    try:
        copied = from_copy(entry)
    except _NONSENSE:
        return ask(query)  # what makes no sense is unknown
    try:
        return copied if ask(ledger_copy.is_as_new_as_the_ledger, account, entry) else ask(query)
    except LedgerBusy:
        return copied


def _copied_position(row: Copy) -> Position:
    """Return the position that a row of the copy tells, without a price. Raises: `_NONSENSE`."""
    fields = {name: field for name, field in row.items() if name not in ("open_cost", "multiplier")}
    fields |= {name: None if row[name] is None else Decimal(row[name]) for name in _MONEY}
    fields |= {name: None if row[name] is None else datetime.fromisoformat(row[name]) for name in _TIMES}
    Decimal(row["open_cost"]), Decimal(row["multiplier"])
    return Position(**{**fields, "flags": tuple(row["flags"]), "origin": HOT})


def _valued(held: Position, rows: Sequence[Copy], ticks: Mapping[str, Mapping[str, Any]]) -> Position:
    """Return the position, which these rows of the copy make, at its last price, where there is one."""
    tick = ticks.get(held.symbol) if rows else None
    if tick is None:
        return held
    price, at = price_of(tick)
    pnl = [
        earned(row["side"], Decimal(row["open_quantity"]), Decimal(row["open_cost"]), Decimal(row["multiplier"]), price)
        for row in rows
    ]
    return replace(held, last_price=price, last_price_at=at, unrealised_pnl=sum(pnl, Decimal(0)))
