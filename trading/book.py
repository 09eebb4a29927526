"""What is true of an account now: open positions, trailing stops, counters, the day's sums, each with its origin.

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
Held = list[tuple[Position, dict[str, Any]]]


def open_positions(account: str, last_ticks: LastTicks, *, since_ns: int) -> list[Position]:
    """Return one position per open trade, the oldest first. Raises: LedgerBusy, LedgerNotReady, UnknownAccount.

    ``since_ns``: an older copy (ns UTC) does not answer; the same in the functions that follow.
    """
    return _told(
        account,
        "positions",
        lambda entry: _each_valued(_held(entry), last_ticks),
        lambda: valuation.open_positions(get_account(account), last_ticks),
        since_ns=since_ns,
    )


def position_of(account: str, strategy_id: str, symbol: str, last_ticks: LastTicks, *, since_ns: int) -> Position:
    """Return the sum of the strategy's open trades in the symbol. Raises: as `open_positions`."""
    name = parse_name(symbol, "symbol").removeprefix(f"{settings.VELOX_EXCHANGE}:")  # the ledger may not be asked

    def summed(entry: dict[str, Any]) -> Position:
        ours = [(one, row) for one, row in _held(entry) if (one.strategy_id, one.symbol) == (strategy_id, name)]
        found = sum_of(account, strategy_id, name, [one for one, _ in ours])
        ticks = last_ticks({found.symbol}) if ours else {}
        return _valued(replace(found, origin=HOT), [row for _, row in ours], ticks)

    def query() -> Position:
        return valuation.position_of(get_account(account), strategy_id, symbol, last_ticks)

    return _told(account, "positions", summed, query, since_ns=since_ns)


def trailing_stops(account: str, *, strategy_id: str | None, now: datetime, since_ns: int) -> list[TrailingStop]:
    """Return the last step of each open trade's trailing stop, the oldest step first. Raises: as `open_positions`."""
    wanted = None if strategy_id is None else parse_name(strategy_id, "strategy_id")

    def made(rows: Any, origin: str) -> list[TrailingStop]:
        stops = [_stop(account, row, origin) for row in rows]
        return [stop for stop in stops if wanted in (None, stop.strategy_id)]

    return _part(account, "stops", desk_date(now), made, since_ns=since_ns)


def counters(account: str, *, now: datetime, since_ns: int) -> list[StrategyCounters]:
    """Return what each strategy did today at the desk, by its id; one that did nothing and holds nothing is absent.

    Counted in the ledger, each count in the transaction that it counts: of several processes none is lost.
    Raises: as `open_positions`.
    """
    day = desk_date(now)

    def made(rows: Any, origin: str) -> list[StrategyCounters]:
        return [_counters(account, code, day, counts, origin) for code, counts in sorted(rows.items())]

    return _part(account, "counters", day, made, since_ns=since_ns)


def counters_of(account: str, strategy_id: str, *, now: datetime, since_ns: int) -> StrategyCounters:
    """Return what the strategy did today, zeros where it did nothing. Raises: as `open_positions`."""
    code, day = parse_name(strategy_id, "strategy_id"), desk_date(now)
    return _part(
        account,
        "counters",
        day,
        lambda rows, origin: _counters(account, code, day, rows.get(code, {}), origin),
        since_ns=since_ns,
    )


def day_figures(account: str, *, now: datetime, since_ns: int) -> dict[str, Any]:
    """Return today's figures so far: "account", "day", those of `queries.day.day_figures`, and "origin".

    Raises: as `open_positions`.
    """
    day = desk_date(now)

    def made(row: Any, origin: str) -> dict[str, Any]:
        told = {name: Decimal(row[name]) if isinstance(row[name], str) else row[name] for name in _DAY_NAMES}
        return {"account": account, "day": day, **told, "origin": origin}

    return _part(account, "day", day, made, since_ns=since_ns)


def _part(account: str, part: str, day: date, made: Callable[[Any, str], Answer], *, since_ns: int) -> Answer:
    """Return what is made of a part and its origin; both origins go through the same form, so they cannot differ."""

    def query() -> Answer:
        get_account(account)
        return made(ledger_copy.BUILT[part](account, day), LEDGER)

    return _told(account, part, lambda entry: made(entry[part], HOT), query, since_ns=since_ns, day=day)


def _told(
    account: str,
    part: str,
    made: Callable[[dict[str, Any]], Answer],
    query: Callable[[], Answer],
    *,
    since_ns: int,
    day: date | None = None,
) -> Answer:
    """Return what is made of the copy where it is as new as the ledger, else what the ledger is asked."""
    entry = ledger_copy.read(account, part, since_ns=since_ns)
    if entry is None or (day is not None and entry.get("desk_date") != day.isoformat()):
        return ask(query)
    try:
        copied = made(entry)
    except _NONSENSE:
        return ask(query)  # what makes no sense is unknown
    try:
        return copied if ask(ledger_copy.is_as_new_as_the_ledger, account, entry) else ask(query)
    except LedgerBusy:
        return copied


def _held(entry: dict[str, Any]) -> Held:
    return [(_position(row), row) for row in entry["positions"]]


def _position(row: dict[str, Any]) -> Position:
    said = {name: value for name, value in row.items() if name not in ("open_cost", "multiplier")}
    said |= {name: None if said[name] is None else Decimal(said[name]) for name in _MONEY}
    said |= {name: None if said[name] is None else datetime.fromisoformat(said[name]) for name in _TIMES}
    Decimal(row["open_cost"]), Decimal(row["multiplier"])
    return Position(**{**said, "flags": tuple(said["flags"]), "origin": HOT})


def _each_valued(held: Held, last_ticks: LastTicks) -> list[Position]:
    ticks = last_ticks({position.symbol for position, _ in held}) if held else {}
    return [_valued(position, [row], ticks) for position, row in held]


def _valued(held: Position, rows: Sequence[dict[str, Any]], ticks: Mapping[str, Mapping[str, Any]]) -> Position:
    tick = ticks.get(held.symbol) if rows else None
    if tick is None:
        return held
    price, at = price_of(tick)
    pnl = [
        earned(row["side"], Decimal(row["open_quantity"]), Decimal(row["open_cost"]), Decimal(row["multiplier"]), price)
        for row in rows
    ]
    return replace(held, last_price=price, last_price_at=at, unrealised_pnl=sum(pnl, Decimal(0)))


def _stop(account: str, row: dict[str, Any], origin: str) -> TrailingStop:
    extreme = row["extreme_price"]
    return TrailingStop(
        trade_id=row["trade_id"],
        strategy_id=row["strategy_id"],
        symbol=row["symbol"],
        account=account,
        stop_price=Decimal(row["stop_price"]),
        extreme_price=None if extreme is None else Decimal(extreme),
        method=row["method"],
        at=datetime.fromisoformat(row["at"]),
        origin=origin,
    )


def _counters(account: str, code: str, day: date, counts: dict[str, int], origin: str) -> StrategyCounters:
    return StrategyCounters(strategy_id=code, account=account, day=day, **counts, origin=origin)
