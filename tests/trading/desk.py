"""A made-up desk for tests of the readings: a few weeks of trades, written through the operations like any other."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from trading.operations.add_fill import add_fill
from trading.operations.close_position import close_position
from trading.operations.open_position import open_position

STRATEGIES = ("ema cross", "breakout")
SYMBOLS = ("RELIANCE", "M&M", "BSE:TCS")
FIRST = date(2021, 4, 5)
NOW = datetime(2021, 4, 30, 12, tzinfo=UTC)


@dataclass(frozen=True)
class Plan:
    """One trade to be made."""

    trade_id: str
    strategy_id: str
    symbol: str
    side: str
    opened_at: datetime
    entry: Decimal
    quantity: int
    exits: tuple[tuple[datetime, Decimal, int], ...]
    charges: Decimal | None
    stop: Decimal | None


def plans(count: int = 24, *, seed: int = 7) -> Iterator[Plan]:
    """Yield trades long and short, in one exit or several, some overnight, some still open, with charges or without."""
    chance = random.Random(seed)
    for number in range(count):
        opened_at = datetime(2021, 4, 5, 4, tzinfo=UTC) + timedelta(days=number, minutes=chance.randrange(200))
        quantity, side = chance.randrange(2, 30), chance.choice(("LONG", "SHORT"))
        entry = Decimal(chance.randrange(100_000, 300_000)) / 100
        parts = [quantity] if chance.random() < 0.5 else [quantity // 2, quantity - quantity // 2]
        parts = parts[:-1] if number % 7 == 6 else parts  # some stay open
        exits, at = [], opened_at
        for part in parts:
            at += timedelta(minutes=chance.choice((0, 5, 60, 1500)))
            exits.append((at, entry + Decimal(chance.randrange(-3000, 3200)) / 100, part))
        yield Plan(
            trade_id=f"held {number}" if number % 7 == 6 else str(number % 10),
            strategy_id=chance.choice(STRATEGIES),
            symbol=chance.choice(SYMBOLS),
            side=side,
            opened_at=opened_at,
            entry=entry,
            quantity=quantity,
            exits=tuple(exits),
            charges=chance.choice((None, Decimal("12.35"), Decimal(0))),
            stop=entry - 10 if side == "LONG" and number % 3 else None,
        )


def make(plan: Plan, account: str = "main") -> None:
    """Book one plan: partial exits as fills, the last exit as a close where it takes all that is open."""
    open_position(
        account,
        plan.trade_id,
        plan.strategy_id,
        plan.symbol,
        **_opening(plan),
    )
    left = plan.quantity
    for number, (at, price, quantity) in enumerate(plan.exits):
        left -= quantity
        booked: dict[str, Any] = {"charges": plan.charges, "fill_id": f"{plan.trade_id}-{plan.opened_at:%d}-{number}"}
        if left:
            side = "SELL" if plan.side == "LONG" else "BUY"
            add_fill(account, plan.trade_id, side, price, quantity, at, strategy_id=plan.strategy_id, **booked)
        else:
            close_position(
                account, plan.trade_id, plan.strategy_id, plan.symbol, exit_price=price, exit_time=at, **booked
            )


def trade(
    pnl: int | str,
    *,
    at: datetime,
    minutes: int = 10,
    strategy: str = "ema cross",
    symbol: str = "RELIANCE",
    account: str = "main",
    **more: Any,
) -> None:
    """Make one closed long trade of one unit with this P&L; its id is the time of its opening."""
    entry = Decimal(10_000)
    name = f"{at:%Y%m%d-%H%M%S}"
    charges = {key: more.pop(key) for key in ("exit_charges",) if key in more}
    open_position(account, name, strategy, symbol, entry_price=entry, quantity=1, entry_time=at, **more)
    close_position(
        account,
        name,
        strategy,
        symbol,
        exit_price=entry + Decimal(pnl),
        exit_time=at + timedelta(minutes=minutes),
        charges=charges.get("exit_charges"),
    )


def _opening(plan: Plan) -> dict[str, Any]:
    return {
        "entry_price": plan.entry,
        "quantity": plan.quantity,
        "entry_time": plan.opened_at,
        "side": plan.side,
        "stop_price": plan.stop,
        "charges": plan.charges,
    }
