"""A strategy's signals with outcomes that follow from a condition, or from none."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np

FIRST = datetime(2024, 3, 4, 4, 0, tzinfo=UTC)  # a Monday, 09:30 at the desk
DAYS, A_DAY = 12, 20


def planted() -> None:
    """240 trades whose R follows the condition `edge`, with as much noise; `other` tells nothing."""
    made(0.8)


def unplanted() -> None:
    """240 trades whose R follows nothing."""
    made(0.0)


def made(effect: float, *, account: str = "main", stop: bool = True) -> None:
    from trading.operations.close_position import close_position
    from trading.operations.open_position import open_position
    from trading.transactions import together

    chance = np.random.default_rng(7)
    with together():  # one transaction: hundreds would take the disk its time
        for number in range(DAYS * A_DAY):
            day, place = divmod(number, A_DAY)
            at = FIRST + timedelta(days=day + 2 * (day // 5), minutes=15 * place)
            edge, other, noise = chance.normal(size=3)
            side = "LONG" if number % 2 else "SHORT"
            seen = {"edge": round(edge, 4), "other": round(other, 4), "side": side, "regime": "calm"}
            name = (account, f"S{number}", "edgy", "RELIANCE")
            away = -8 if side == "LONG" else 8
            stops = {"stop_price": 1000 + away} if stop else {}
            open_position(
                *name, entry_price=1000, quantity=10, entry_time=at, side=side, signal_conditions=seen, **stops
            )
            r = effect * edge + 0.8 * noise
            close_position(*name, exit_price=round(1000 - away * r, 2), exit_time=at + timedelta(minutes=40))
