"""MAE and MFE of every trade of both strategies over the real files, against a plain walk over the stored ticks."""

from __future__ import annotations

import io
import json
from datetime import timedelta
from fractions import Fraction
from typing import Any

import pytest
from django.core.management import call_command

from tests.functional.test_replay_real_files import STRATEGIES, desk, files, replay
from trading.data_manager import DataManager
from trading.models import Excursion, FeedGap, Trade

pytestmark = pytest.mark.data
__all__ = ["desk", "files"]


def test_every_trade_of_both_strategies_is_measured_as_a_plain_walk_finds_it(desk, files) -> None:
    for strategy in STRATEGIES:
        replay(desk, files, "--strategy", strategy)
    out = io.StringIO()
    call_command("excursions", "--account", "replay", "--rebuild", "--format", "json", stdout=out, stderr=io.StringIO())
    told = {row["trade_id"]: row for row in json.loads(out.getvalue())["trades"]}
    trades = list(Trade.objects.filter(account__code="replay", state="CLOSED").select_related("instrument"))
    assert len(told) == len(trades) == Excursion.objects.count() >= 10
    assert {trade.strategy.code for trade in trades} == set(STRATEGIES)
    with DataManager(source="reader", account="replay") as dm:
        for trade in trades:
            low, high, ticks = plainly(dm, trade)
            found = trade.excursion
            assert (Fraction(found.mae), Fraction(found.mfe), found.ticks) == (low, high, ticks), trade.trade_id
            assert told[trade.trade_id]["mae"] == f"{found.mae:f}".rstrip("0").rstrip(".") or found.mae == 0
            assert ticks > 0
    marked = {trade_id for trade_id, row in told.items() if row["gap"]}
    gaps = {gap.symbol: gap for gap in FeedGap.objects.all()}
    assert set(gaps) == {"RELIANCE", "M&M", "BAJAJ-AUTO", "NIFTY 50", "NIFTY BANK"} and len(gaps) == 5
    touched = {
        trade.trade_id
        for trade in trades
        for gap in [gaps[trade.instrument.symbol]]
        if trade.opened_at < gap.ends_at and gap.starts_at < trade.closed_at
    }
    assert marked == touched and touched
    assert all(30 <= (gap.ends_at - gap.starts_at).total_seconds() <= 31 for gap in gaps.values())
    assert {told[trade_id]["gap"] for trade_id in marked} <= {"30 s without ticks", "31 s without ticks"}


def plainly(dm: DataManager, trade: Trade) -> tuple[Fraction, Fraction, int]:
    """What was paid and got so far and what the rest is worth, at every tick and every fill."""
    fills = [
        (fill.at, Fraction(fill.price), Fraction(fill.quantity) * (1 if fill.side == "BUY" else -1))
        for fill in trade.fills.order_by("sequence")
    ]
    after = timedelta(microseconds=1)
    ticks: Any = dm.get_ticks(trade.instrument.symbol, trade.opened_at, trade.closed_at + after)
    worths = [
        worth(fills[: place + 1], Fraction(price).limit_denominator(10**8)) for place, (_, price, _) in enumerate(fills)
    ]
    times, prices = ticks.column("exchange_time").to_pylist(), ticks.column("close").to_pylist()
    for at, price in zip(times, prices, strict=True):
        before = [fill for fill in fills if fill[0] < at.to_pydatetime()] or fills[:1]
        worths.append(worth(before, Fraction(str(price))))
    return min(worths), max(worths), len(prices)


def worth(fills: list[tuple[Any, Fraction, Fraction]], price: Fraction) -> Fraction:
    cash = -sum((quantity * paid for _, paid, quantity in fills), Fraction(0))
    return cash + price * sum((quantity for _, _, quantity in fills), Fraction(0))
