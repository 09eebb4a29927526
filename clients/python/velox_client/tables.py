"""Answers as tables and figures: Arrow where pyarrow is installed, decimals for money, ns UTC for points' times."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from velox_client.errors import InvalidValue, NotOffered
from velox_client.values import Json

try:
    import pyarrow as pa
except ImportError:  # the extra `arrow`
    pa = None

Instant = datetime | int  # a naive datetime is of this machine's zone, an integer ns UTC
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
NUMBER = re.compile(r"-?\d+(\.\d+)?")
NAMES = {"key", "strategy_id", "symbol", "account", "currency", "date", "source", "kind", "origin"}
POINT_TIMES = {"time", "exchange_time", "received_time"}


def instant_text(instant: Instant) -> str:
    """Return an instant in ISO form with `Z`, to the nanosecond where it is an integer. Raises: InvalidValue."""
    if isinstance(instant, datetime):
        return instant.astimezone(UTC).isoformat().replace("+00:00", "Z")
    if isinstance(instant, bool) or not isinstance(instant, int):
        raise InvalidValue(f"An instant is {instant!r}.", hint="Give a datetime or integer nanoseconds.")
    seconds, rest = divmod(instant, 10**9)
    return f"{(EPOCH + timedelta(seconds=seconds)).replace(tzinfo=None).isoformat()}.{rest:09}Z"


def nanoseconds(text: str) -> int:
    """Return an instant of an answer as ns UTC."""
    whole, _, fraction = text.removesuffix("Z").partition(".")
    seconds = (datetime.fromisoformat(whole).replace(tzinfo=UTC) - EPOCH) // timedelta(seconds=1)
    return seconds * 10**9 + int(fraction.ljust(9, "0") or 0)


def figures_of(body: Json) -> Json:
    """Return figures with their money as decimals; names and dates stay texts."""
    return {name: each if name in NAMES else _decimal(each) for name, each in body.items()}


def point_of(row: Json) -> Json:
    """Return a point as the facade has it: times in ns UTC, numbers as floats."""
    return {
        name: nanoseconds(each)
        if name in POINT_TIMES
        else float(each)
        if name not in NAMES and isinstance(each, str) and NUMBER.fullmatch(each)
        else each
        for name, each in row.items()
    }


def joined(streams: Iterable[bytes]) -> Any:
    """Return Arrow streams as one table. Raises: NotOffered without pyarrow."""
    arrow = _arrow()
    return arrow.concat_tables([arrow.ipc.open_stream(each).read_all() for each in streams], promote_options="default")


def by_symbol(of_symbol: Mapping[str, Any]) -> Any:
    """Return the tables of several symbols as one, ascending by symbol, which is its first column."""
    arrow = _arrow()
    named = [
        table.add_column(0, "symbol", arrow.array([symbol] * len(table), arrow.string()))
        for symbol, table in of_symbol.items()
    ]
    return arrow.concat_tables(named)


def executions(whole: Json) -> Any:
    """Return a whole trade's fills as the facade's table."""
    arrow = _arrow()
    texts = {name: arrow.string() for name in ("trade_id", "strategy", "symbol", "side", "role", "fill_id", "order_id")}
    columns = (
        "time",
        "trade_id",
        "strategy",
        "symbol",
        "side",
        "role",
        "price",
        "quantity",
        "charges",
        "pnl",
        "fill_id",
    )
    return _table(whole, "fills", (*columns, "order_id"), texts)


def stops(whole: Json) -> Any:
    """Return a whole trade's stop changes as the facade's table."""
    arrow = _arrow()
    kinds = {name: arrow.string() for name in ("trade_id", "strategy", "symbol", "method")}
    names = "time trade_id strategy symbol stop_price extreme_price method moved_back"
    return _table(whole, "stops", names.split(), {**kinds, "moved_back": arrow.bool_()})


def _table(whole: Json, name: str, columns: Iterable[str], kinds: Mapping[str, Any]) -> Any:
    arrow, trade = _arrow(), whole["trade"]
    of_trade = {"trade_id": trade["trade_id"], "strategy": trade["strategy_id"], "symbol": trade["symbol"]}
    types = {column: kinds.get(column, arrow.float64()) for column in columns} | {"time": arrow.timestamp("ns", "UTC")}
    rows = [{**of_trade, **each, "time": nanoseconds(each["at"])} for each in whole[name]]
    cells = {
        column: [
            float(row[column]) if arrow.types.is_floating(kind) and row[column] is not None else row[column]
            for row in rows
        ]
        for column, kind in types.items()
    }
    return arrow.table({column: arrow.array(cells[column], kind) for column, kind in types.items()})


def _decimal(sent: Any) -> Any:
    return Decimal(sent) if isinstance(sent, str) and NUMBER.fullmatch(sent) else sent


def _arrow() -> Any:
    if pa is None:
        raise NotOffered("Tables need pyarrow.", hint="pip install 'velox-client[arrow]'")
    return pa
