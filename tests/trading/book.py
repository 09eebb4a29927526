"""What the tests of the ledger share: a plain trade, the rows of all tables, raw SQL."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from django.apps import apps
from django.db import connection

from trading.domain.values import Position
from trading.domain.values import Trade as TradeValue
from trading.models import Fill, Trade
from trading.operations.add_fill import add_fill
from trading.operations.close_position import close_position
from trading.operations.open_position import open_position

AT = datetime(2024, 3, 15, 4, 0, tzinfo=UTC)  # 09:30 at the desk, a Friday
MINUTE = timedelta(minutes=1)


def opened(trade_id: str = "T1", **more: Any) -> Position:
    """Open a long trade of 10 RELIANCE at 2450.05."""
    said = {"account_code": "main", "strategy_id": "ema cross", "symbol": "RELIANCE"}
    said |= {"entry_price": "2450.05", "quantity": 10, "entry_time": AT, **more}
    return open_position(trade_id=trade_id, **said)


def filled(side: str, price: Any, quantity: Any, trade_id: str = "T1", **more: Any) -> Position:
    return add_fill(
        more.pop("account_code", "main"), trade_id, side, price, quantity, more.pop("at", AT + MINUTE), **more
    )


def closed(trade_id: str = "T1", price: Any = "2465.00", **more: Any) -> TradeValue:
    """Close it at 2465."""
    said = {"account_code": "main", "strategy_id": "ema cross", "symbol": "RELIANCE"}
    said |= {"exit_price": price, "exit_time": AT + 2 * MINUTE, **more}
    return close_position(trade_id=trade_id, **said)


def row(trade_id: str = "T1", account: str = "main") -> Trade:
    return Trade.objects.get(account__code=account, trade_id=trade_id)


def fills(trade_id: str = "T1") -> list[Fill]:
    return list(row(trade_id).fills.order_by("sequence"))


def tables() -> list[str]:
    """The tables of the ledger's own models."""
    return [model._meta.db_table for model in apps.get_app_config("trading").get_models()]


def snapshot() -> dict[str, list[tuple[Any, ...]]]:
    """Every row of every table."""
    with connection.cursor() as cursor:
        made = {}
        for table in tables():
            cursor.execute(f"SELECT * FROM {table} ORDER BY id")
            made[table] = [tuple(map(str, found)) for found in cursor.fetchall()]
        return made


def sql(statement: str, *parameters: Any) -> int:
    """Run one statement past all of Python; return how many rows it met."""
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters or None)
        return int(cursor.rowcount)
