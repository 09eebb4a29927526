"""Statements of a made-up broker's client, for tests that need no file."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from hashlib import sha256
from typing import Any

from trading.brokers.values import Broker, FillLine, InstrumentName, Place, Segment, Statement

DAY = date(2026, 6, 1)  # a Monday
OPEN = datetime(2026, 6, 1, 3, 45, tzinfo=UTC)  # 09:15 at the exchange


def line(fill_id: str | None, side: str, quantity: int, price: Any = 100, **more: Any) -> FillLine:
    """Return a fill of a share on the NSE; ``minute`` and ``day`` are its time since the opening of `DAY`."""
    minute, day = more.pop("minute", int(fill_id or 0)), more.pop("day", 0)
    of = {"symbol": "RELIANCE", "exchange": "NSE", **more.pop("instrument", {})}
    fields = {
        "place": Place("made.csv", "", int(fill_id or 1)),
        "instrument": InstrumentName(**of),
        "segment": Segment.EQUITY,
        "side": side,
        "quantity": Decimal(quantity),
        "price": Decimal(str(price)),
        "day": DAY + timedelta(days=day),
        "at": OPEN + timedelta(days=day, minutes=minute),
        "currency": "INR",
        "fill_id": fill_id,
        "order_id": None,
    }
    return FillLine(**(fields | more))


def future(fill_id: str | None, side: str, quantity: int, price: Any = 100, **more: Any) -> FillLine:
    """Return a fill of a future on the NSE."""
    of = {"symbol": "NIFTY26JUNFUT", "exchange": "NFO"}
    return line(fill_id, side, quantity, price, **{"instrument": of, "segment": Segment.FUTURES, **more})


def statement(fills: Iterable[FillLine], **more: Any) -> Statement:
    """Return a statement of these fills; its content is its identity."""
    lines = tuple(fills)
    days = [each.day for each in lines] or [DAY]
    fields = {
        "file": "made.csv",
        "sha256": sha256(repr(lines).encode()).hexdigest(),
        "broker": Broker.ZERODHA,
        "kind": "tradebook",
        "zone": "Asia/Kolkata",
        "rows_read": len(lines),
        "first_day": min(days),
        "last_day": max(days),
        "fills": lines,
    }
    return Statement(**(fields | more))
