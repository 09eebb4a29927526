"""The new fills of files that are tried, and the trades that would stand of them, kept outside the process's memory: a
trial of a hundred thousand fills takes no more of it than one of a thousand.

They lie in a database of their own, a file whose name is taken away at once, so that it goes with the trial; the ledger
has no part in it.
"""

from __future__ import annotations

import json
import sqlite3
import tempfile
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path

from trading.domain.money import from_units, to_units
from trading.domain.trade_building import ReportedFill
from trading.errors import InvalidValue
from trading.models import Trade
from trading.queries.imported_trades import Booked, FillGroup, FillName, to_be_booked

GroupName = tuple[str, str]  # symbol and strategy
OrderName = tuple[str, str, str]  # exchange, the instrument's symbol, order id
_TABLES = """
PRAGMA journal_mode = OFF;
PRAGMA locking_mode = EXCLUSIVE;
PRAGMA synchronous = OFF;
CREATE TABLE fill (exchange TEXT, name TEXT, symbol TEXT, strategy TEXT, day TEXT, sha256 TEXT, body TEXT);
CREATE UNIQUE INDEX fill_once ON fill (exchange, name);
CREATE INDEX fill_of_symbol ON fill (symbol, day);
CREATE TABLE placed (name TEXT PRIMARY KEY, strategy TEXT) WITHOUT ROWID;
CREATE TABLE trade (symbol TEXT, strategy TEXT, body TEXT);
CREATE INDEX trade_of_group ON trade (symbol, strategy);
"""


@dataclass(frozen=True, slots=True)
class TriedFill:
    """A new fill of a file that is tried: the file's SHA-256, and what VELOX calls the fill."""

    sha256: str
    symbol: str
    strategy: str
    fill: ReportedFill


@contextmanager
def _with_room() -> Iterator[None]:
    """Raises: InvalidValue where the folder of temporary files is full or cannot be written."""
    try:
        yield
    except (OSError, sqlite3.OperationalError) as error:
        raise InvalidValue(
            f"The trial cannot keep what it tried: {error}.",
            field="dry_run",
            hint="Nothing was imported. Make room where temporary files lie, or name another folder in TMPDIR.",
        ) from error


class TriedFills:
    """What files that are tried before another would leave, by exchange, day and key, and by symbol and strategy.

    What adds to it raises InvalidValue where the folder of temporary files is full.
    """

    @_with_room()
    def __init__(self) -> None:
        # Not SQLite's own temporary database: as it is built here, that one stays in memory.
        with tempfile.TemporaryDirectory(prefix="velox-tried-") as folder:
            self._base = sqlite3.connect(Path(folder) / "tried.sqlite3")
            self._base.executescript(_TABLES)

    @_with_room()
    def keep(self, fills: Iterable[TriedFill]) -> None:
        """Add fills that neither the ledger nor an earlier file has."""
        rows = (
            (
                *(each.fill.exchange, _name(each.fill), each.symbol, each.strategy),
                *(each.fill.day.isoformat(), each.sha256, _fill_body(each.fill)),
            )
            for each in fills
        )
        self._base.executemany("INSERT INTO fill VALUES (?, ?, ?, ?, ?, ?, ?)", rows)

    def named(self, exchange: str, fills: Iterable[ReportedFill]) -> dict[FillName, TriedFill]:
        """Return the tried fills that have day and key of some fills of an exchange, by these."""
        sql = "SELECT symbol, strategy, sha256, body FROM fill WHERE exchange = ? AND name = ?"
        same: dict[FillName, TriedFill] = {}
        for fill in fills:
            for symbol, strategy, sha256, body in self._base.execute(sql, (exchange, _name(fill))):
                same[fill.day, fill.key] = TriedFill(sha256, symbol, strategy, _fill(body))
        return same

    def of_days(self, symbol: str, first: date, last: date) -> Iterator[tuple[str, ReportedFill]]:
        """Yield each tried fill of a symbol on some days with the SHA-256 of its file."""
        sql = "SELECT sha256, body FROM fill WHERE symbol = ? AND day BETWEEN ? AND ?"
        for sha256, body in self._base.execute(sql, (symbol, first.isoformat(), last.isoformat())):
            yield sha256, _fill(body)

    def of_group(self, name: GroupName) -> list[ReportedFill]:
        """Return the tried fills of a symbol and strategy."""
        sql = "SELECT body FROM fill WHERE symbol = ? AND strategy = ? ORDER BY rowid"
        return [_fill(body) for (body,) in self._base.execute(sql, name)]

    @_with_room()
    def keep_order(self, name: OrderName, strategy: str) -> None:
        """Let an order have a strategy, unless it has one."""
        self._base.execute("INSERT OR IGNORE INTO placed VALUES (?, ?)", (json.dumps(name), strategy))

    def strategies_of(self, orders: Iterable[OrderName]) -> dict[OrderName, str]:
        """Return the strategies of those orders that tried files have."""
        sql = "SELECT strategy FROM placed WHERE name = ?"
        return {name: code for name in orders for (code,) in self._base.execute(sql, (json.dumps(name),))}

    @_with_room()
    def let_stand(self, name: GroupName, trades: Collection[Booked]) -> None:
        """Keep the trades of a symbol and strategy in place of those that stood before."""
        self._base.execute("DELETE FROM trade WHERE symbol = ? AND strategy = ?", name)
        rows = ((*name, _trade_body(each)) for each in trades)
        self._base.executemany("INSERT INTO trade VALUES (?, ?, ?)", rows)

    def standing(self, name: GroupName, group: FillGroup) -> list[Booked]:
        """Return the trades of a symbol and strategy as they would stand."""
        sql = "SELECT body FROM trade WHERE symbol = ? AND strategy = ? ORDER BY rowid"
        bodies = [json.loads(body) for (body,) in self._base.execute(sql, name)]
        rows = Trade.objects.in_bulk([body["pk"] for body in bodies if body["pk"] is not None])
        trades = []
        for body in bodies:
            trade = rows[body["pk"]] if body["pk"] is not None else to_be_booked(group)
            trade.trade_id, trade.side, trade.state = body["trade_id"], body["side"], body["state"]
            trade.trading_day = date.fromisoformat(body["trading_day"])
            trade.open_quantity = from_units(body["open_units"])
            legs = [(date.fromisoformat(day), key, units) for day, key, units in body["legs"]]
            trades.append(Booked(trade, legs, is_touched=body["is_touched"]))
        return trades


def _name(fill: ReportedFill) -> str:
    """Return day and key as one text that any database takes: keys of files may hold what UTF-8 has no form for."""
    return json.dumps([fill.day.isoformat(), fill.key])


def _fill_body(fill: ReportedFill) -> str:
    at = None if fill.at is None else fill.at.isoformat()
    numbers = (fill.quantity, fill.price, fill.position, fill.is_cash, fill.charges)
    return json.dumps(
        [fill.key, fill.broker, fill.exchange, fill.day.isoformat(), at, fill.side, fill.kind, fill.order_id, *numbers]
    )


def _fill(body: str) -> ReportedFill:
    key, broker, exchange, day, at, side, kind, order_id, quantity, price, position, is_cash, charges = json.loads(body)
    return ReportedFill(
        key=key,
        broker=broker,
        exchange=exchange,
        day=date.fromisoformat(day),
        at=None if at is None else datetime.fromisoformat(at),
        side=side,
        quantity=quantity,
        price=price,
        kind=kind,
        order_id=order_id,
        position=position,
        is_cash=is_cash,
        charges=charges,
    )


def _trade_body(each: Booked) -> str:
    trade = each.trade
    return json.dumps(
        {
            "pk": trade.pk,
            "trade_id": trade.trade_id,
            "side": trade.side,
            "state": trade.state,
            "trading_day": trade.trading_day.isoformat(),
            "open_units": to_units(trade.open_quantity),
            "legs": [(day.isoformat(), key, units) for day, key, units in each.legs],
            "is_touched": each.is_touched,
        }
    )
