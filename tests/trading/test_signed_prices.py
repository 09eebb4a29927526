"""Ticks of 0 and below: taken for futures, refused for what has no such price, the ledger asked once."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from trading import signed_prices, summon
from trading.data_manager import DataManager
from trading.errors import InvalidValue, LedgerBusy
from trading.models import Exchange, Instrument
from trading.signed_prices import SignedPrices

SETTLEMENT = datetime(2020, 4, 20, 9, 30, tzinfo=UTC)
SECOND = timedelta(seconds=1)


@pytest.fixture
def dm(monkeypatch: pytest.MonkeyPatch, ledger: Any) -> Iterator[DataManager]:
    monkeypatch.setattr(summon, "summon", lambda: None)
    instrument("CLK0", "FUTURE")
    instrument("OIL INDIA", "EQUITY")
    with DataManager() as manager:
        yield manager


def instrument(symbol: str, kind: str) -> None:
    exchange = Exchange.objects.get(code="NSE")
    Instrument.objects.create(
        exchange=exchange, symbol=symbol, kind=kind, currency="INR", multiplier=Decimal(1000), session_group=""
    )


@pytest.mark.ledger
def test_a_future_trades_below_zero_and_its_candle_holds_it(dm: DataManager) -> None:
    for step, price in enumerate((10.01, 0.01, 0, -37.63, -13.1)):
        assert dm.process_tick("CLK0", {"ltp": price, "bid": price - 0.05}, at=SETTLEMENT + step * SECOND)
    batch = dm.process_ticks({"symbol": ["CLK0"] * 2, "ltp": [-40.32, -5.0]})
    assert (batch.accepted, batch.rejected) == (2, ())
    assert (dm.get_latest_tick("CLK0") or {})["last_price"] == -5.0
    (candle,) = dm.get_candles("CLK0", "1d", SETTLEMENT - 24 * 3600 * SECOND, SETTLEMENT + 60 * SECOND).to_pylist()
    assert [candle[name] for name in ("open", "high", "low", "close")] == [10.01, 10.01, -37.63, -13.1]


@pytest.mark.ledger
def test_a_share_has_no_price_of_zero_and_the_refusal_says_who_has(dm: DataManager) -> None:
    for symbol in ("OIL INDIA", "NEVER TRADED"):
        with pytest.raises(InvalidValue, match="kind FUTURE and SPREAD") as error:
            dm.process_tick(symbol, {"ltp": -1}, at=SETTLEMENT)
        assert error.value.code == "price_not_positive"


def test_the_ledger_is_asked_once_for_a_symbol_and_never_by_a_usual_tick(dm: DataManager) -> None:
    for symbol in ("CLK0", "OIL INDIA"):
        dm.process_tick(symbol, {"ltp": 10}, at=SETTLEMENT)
    with CaptureQueriesContext(connection) as asked:
        for step in range(50):
            dm.process_tick("CLK0", {"ltp": 10 + step}, at=SETTLEMENT)
            dm.process_tick("OIL INDIA", {"ltp": 10 + step}, at=SETTLEMENT)
    assert len(asked) == 0

    def record() -> None:
        dm.process_tick("CLK0", {"ltp": -1}, at=SETTLEMENT)
        with pytest.raises(InvalidValue):
            dm.process_tick("OIL INDIA", {"ltp": 0}, at=SETTLEMENT)

    record()
    with CaptureQueriesContext(connection) as asked:
        for _ in range(50):
            record()
    assert len(asked) == 0


def test_a_ledger_that_cannot_answer_is_left_alone_and_asked_again_later(
    ledger: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    instrument("CLK0", "FUTURE")
    clock = [1000.0]
    monkeypatch.setattr(signed_prices.time, "monotonic", lambda: clock[0])
    answer = signed_prices.may_be_negative
    calls: list[str] = []

    def busy(symbol: str) -> bool:
        calls.append(symbol)
        raise LedgerBusy("Another writer holds the ledger.")

    may_be_negative = SignedPrices()
    monkeypatch.setattr(signed_prices, "may_be_negative", busy)
    assert [may_be_negative(symbol) for symbol in ("CLK0", "CLM0", "CLK0")] == [False] * 3
    assert calls == ["CLK0"]
    monkeypatch.setattr(signed_prices, "may_be_negative", answer)
    assert may_be_negative("CLK0") is False
    clock[0] += signed_prices.LEDGER_AWAY_SECONDS
    assert may_be_negative("CLK0") is True


def test_a_symbol_that_got_its_kind_meanwhile_is_taken_within_a_minute(
    ledger: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [1000.0]
    monkeypatch.setattr(signed_prices.time, "monotonic", lambda: clock[0])
    may_be_negative = SignedPrices()
    assert may_be_negative("CLK0") is False
    instrument("CLK0", "FUTURE")
    assert may_be_negative("CLK0") is False
    clock[0] += signed_prices.ASK_AGAIN_SECONDS
    assert may_be_negative("CLK0") is True
