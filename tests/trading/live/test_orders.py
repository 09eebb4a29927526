"""Order updates to fills: the ledger equals the exchange's truth, whatever comes twice, late, in part or not at all."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.server import ServerConnection

from tests.trading.brokers import test_api_answers
from tests.trading.live.broker import broker, trades_of_day
from tests.trading.live.frames import LISTING
from tests.trading.live.test_connection import QUICK, SECRETS, until
from trading.brokers.values import Statement
from trading.data_manager import DataManager
from trading.domain.strategy_rules import StrategyRule
from trading.errors import StoreUnavailable
from trading.feeds.live.credentials import read_credentials
from trading.feeds.live.feeds import FEEDS, connection_of
from trading.feeds.live.kite_texts import decode_text
from trading.feeds.live.listing import ticks_of
from trading.feeds.live.order_booking import OrderBooking
from trading.feeds.live.order_log import OrderLog
from trading.feeds.live.order_updates import TickOf, statement_of_updates
from trading.feeds.live.recorder_process import record_until_told
from trading.feeds.live.trades_of_day import fetch_trades
from trading.models import BrokerFill, Fill, Trade

pytestmark = [pytest.mark.ledger, pytest.mark.usefixtures("proved", "alone")]
DAY = "2026-08-03"
ORDER = "1100000000000001"
Trades = Sequence[tuple[int, str]]  # quantity and price of each real trade of an order


def update(trades: Trades, *, status: str = "UPDATE", order: str = ORDER, side: str = "BUY", minute: int = 21) -> Any:
    """Return what Kite says of an order after some of its trades: cumulative quantity and average."""
    quantity = sum(count for count, _ in trades)
    value = sum(count * Decimal(price) for count, price in trades)
    at = f"{DAY} 09:{minute}:55"
    return {
        **test_api_answers.KITE_ORDER,
        "exchange": "NSE",
        "tradingsymbol": "INFY",
        "transaction_type": side,
        "order_id": order,
        "status": status,
        "filled_quantity": quantity,
        "average_price": float(value / quantity) if quantity else 0,
        "order_timestamp": at,
        "exchange_timestamp": at,
        "exchange_update_timestamp": at,
    }


def trade(number: int, quantity: int, price: str, *, order: str = ORDER, side: str = "BUY", minute: int = 21) -> Any:
    return {
        **test_api_answers.KITE_TRADE,
        "exchange": "NSE",
        "tradingsymbol": "INFY",
        "transaction_type": side,
        "order_id": order,
        "trade_id": str(number),
        "quantity": quantity,
        "average_price": float(price),
        "fill_timestamp": f"{DAY} 09:{minute}:55",
        "exchange_timestamp": f"{DAY} 09:{minute}:55",
    }


def booking(trades: list[Any] | None = None, **more: Any) -> OrderBooking:
    fetch = None if trades is None else lambda: json.dumps({"status": "success", "data": trades}).encode()
    return OrderBooking("main", [StrategyRule("bot")], ticks_of(LISTING), fetch_trades=fetch, **more)


def booked() -> list[tuple[str, Decimal, Decimal]]:
    """Return side, quantity and price of all fills that stand."""
    fills = Fill.objects.exclude(trade__state="VOID").order_by("at", "price", "pk")
    return [(fill.side, fill.quantity, fill.price) for fill in fills]


def money() -> Decimal:
    return sum((quantity * price for _, quantity, price in booked()), Decimal(0))


# -- exact money --------------------


@pytest.mark.parametrize(
    ("trades", "parts"),
    [
        ([(10, "100.05")], [(10, "100.05")]),
        ([(2, "1573.30"), (1, "1573.40")], [(1, "1573.30"), (2, "1573.35")]),
        ([(1, "100.00"), (2, "100.05")], [(1, "100"), (2, "100.05")]),
        ([(7, "99.95"), (13, "100.10"), (30, "100.15")], [(20, "100.05"), (30, "100.15")]),
        ([(1, "100.03")], [(1, "100.03")]),  # off the tick that the file tells: never moved to it
    ],
)
def test_provisional_fills_add_up_to_their_orders_money(trades: Trades, parts: Trades) -> None:
    quantity, value = sum(count for count, _ in trades), sum(count * Decimal(price) for count, price in trades)
    statement = statement_of_updates([update(trades)], ticks_of(LISTING))
    assert sum(fill.quantity * fill.price for fill in statement.fills) == value
    assert sum(fill.quantity for fill in statement.fills) == quantity
    if len(parts) == len(statement.fills) and len(trades) < 3:
        assert [(fill.quantity, fill.price) for fill in statement.fills] == [(c, Decimal(p)) for c, p in parts]


def test_any_orders_money_is_exact_to_the_last_unit_and_its_prices_lie_on_the_tick() -> None:
    chance = random.Random(7)
    for _ in range(500):
        trades = [
            (chance.randint(1, 400), f"{chance.randint(2_000, 60_000) * Decimal('0.05'):f}")
            for _ in range(chance.randint(1, 20))
        ]
        fills = statement_of_updates([update(trades)], ticks_of(LISTING)).fills
        assert sum(fill.quantity * fill.price for fill in fills) == sum(c * Decimal(p) for c, p in trades)
        assert all(fill.price % Decimal("0.05") == 0 for fill in fills)
        assert len(fills) <= 2


@pytest.mark.data
def test_a_real_postback_is_an_order_update(market_data: Path) -> None:
    postback = json.loads((market_data / "kite-mocks" / "postback.json").read_text())
    (fill,) = statement_of_updates([postback], {}).fills
    assert (fill.instrument.symbol, fill.side, fill.quantity, fill.price) == ("SBIN", "BUY", 1, 470)
    assert fill.at == datetime(2022, 3, 3, 3, 54, 25, tzinfo=UTC)
    assert fill.key == "order-220303000308932-1-live"


# -- the ledger --------------------

FULL = [(20, "100.05"), (30, "100.10"), (1, "100.20")]


def test_each_update_takes_the_place_of_the_one_before_and_the_real_trades_of_all() -> None:
    real: list[Any] = []
    desk = booking(real)
    for count in (1, 2, 3):
        desk.offer(update(FULL[:count], status="COMPLETE" if count == 3 else "UPDATE"))
        assert desk.settle()
        assert money() == sum(c * Decimal(p) for c, p in FULL[:count])
        assert sum(quantity for _, quantity, _ in booked()) == sum(c for c, _ in FULL[:count])
    assert Trade.objects.filter(state="OPEN").get().strategy.code == "bot"
    real += [trade(number, *each) for number, each in enumerate(FULL, 1)]
    desk.ask_for_trades()
    assert desk.settle()
    assert booked() == [("BUY", Decimal(c), Decimal(p)) for c, p in FULL]
    desk.ask_for_trades()
    assert desk.settle()
    assert len(booked()) == 3
    assert desk.refused == 0


def test_updates_that_come_twice_or_late_change_nothing() -> None:
    desk = booking()
    for count in (3, 1, 2, 3, 3, 1):
        desk.offer(update(FULL[:count]))
        assert desk.settle()
    assert (sum(quantity for _, quantity, _ in booked()), money()) == (51, sum(c * Decimal(p) for c, p in FULL))


def test_real_trades_that_lag_leave_what_they_do_not_cover_provisional() -> None:
    real = [trade(1, 20, "100.05")]
    desk = booking(real)
    desk.offer(update(FULL))
    assert desk.settle()
    assert (sum(quantity for _, quantity, _ in booked()), money()) == (51, sum(c * Decimal(p) for c, p in FULL))
    real.append(trade(2, 30, "100.10"))
    desk.ask_for_trades()
    assert desk.settle()
    assert booked() == [("BUY", Decimal(c), Decimal(p)) for c, p in FULL]
    real.append(trade(3, 1, "100.20"))
    desk.ask_for_trades()
    assert desk.settle()
    assert sorted(booked()) == sorted(("BUY", Decimal(c), Decimal(p)) for c, p in FULL)
    assert not Fill.objects.exclude(trade__state="VOID").filter(fill_id__startswith="order-").exists()


def test_a_position_opened_and_closed_by_updates_is_that_of_the_real_trades() -> None:
    sold = [(51, "101.00")]
    real = [trade(n, *each) for n, each in enumerate(FULL, 1)]
    real.append(trade(9, 51, "101.00", order="2", side="SELL", minute=40))
    desk = booking(real)
    provisional = booking()
    provisional.offer(update(FULL, status="COMPLETE"))
    provisional.offer(update(sold, status="COMPLETE", order="2", side="SELL", minute=40))
    assert provisional.settle()
    before = Trade.objects.exclude(state="VOID").get()
    assert (before.state, before.realised_pnl) == ("CLOSED", Decimal("46.8"))
    desk.ask_for_trades()
    assert desk.settle()
    after = Trade.objects.exclude(state="VOID").get()
    assert (after.state, after.realised_pnl) == ("CLOSED", Decimal("46.8"))
    assert after.trade_id == "zerodha-NSE-1"


def test_what_a_strategy_booked_by_its_order_is_not_booked_again() -> None:
    with DataManager() as dm:
        at = datetime(2026, 8, 3, 3, 51, 55, tzinfo=UTC)
        dm.open_position("t1", "bot", "INFY", "100.05", 20, at, order_id=ORDER)
    desk = booking()
    desk.offer(update(FULL[:1], status="COMPLETE"))
    assert desk.settle()
    assert booked() == [("BUY", Decimal(20), Decimal("100.05"))]


WRONG: list[dict[str, Any]] = [
    {"exchange": "XX"},
    {"average_price": "x"},
    {"average_price": -5},
    {"filled_quantity": 10**30},
    {"filled_quantity": -1},
    {"exchange_update_timestamp": "yesterday"},
    {"tradingsymbol": "A\nB"},
    {"order_id": None},
    {"filled_quantity": 1e30, "average_price": 1e-25},
    {"exchange_update_timestamp": "0001-01-01 00:00:00", "average_price": 100.05},  # what says that there is no time
    {"exchange_update_timestamp": "9999-12-31 23:59:59", "average_price": 100.05},
    {"order_id": "1" * 129, "average_price": 100.05},
    {"order_id": "1\0", "average_price": 100.05},
]


def test_odd_updates_are_refused_by_row_and_the_others_are_booked() -> None:
    desk = booking()
    odd = [{}, {"order_id": {}}, *(update(FULL) | wrong for wrong in WRONG)]
    for each in odd:
        desk.offer(each)
    desk.offer(update([], status="REJECTED"))
    desk.offer(update(FULL, order="7"))
    assert desk.settle()
    assert sum(quantity for _, quantity, _ in booked()) == 51
    assert desk.refused == len(odd)


def test_an_update_is_on_disk_before_it_is_booked_and_is_booked_after_a_kill(tmp_path: Path) -> None:
    log = OrderLog(tmp_path / "feeds", "kite")
    booking(log=log).offer(update(FULL))  # and then the process was killed
    (file,) = (tmp_path / "feeds").iterdir()
    with file.open("ab") as torn:
        torn.write(b'{"order_id": "cut')
    log.append(update([(1, "100.00")], order="8"), datetime.now(UTC))
    for _ in range(2):
        desk = booking(log=log)
        desk.begin()
        assert desk.settle()
    assert sum(quantity for _, quantity, _ in booked()) == 52


@pytest.mark.parametrize("levels", [300, 985, 1000, 1020, 5000])
def test_a_text_that_nests_too_deep_to_be_kept_is_damaged(levels: int) -> None:
    nested = '{"a":' * levels + "1" + "}" * levels
    for kind in ("order", "error"):
        assert decode_text(f'{{"type": "{kind}", "data": {nested}}}').damaged == {"unreadable": 1}


def test_a_line_of_the_log_that_nests_without_end_is_left_out(tmp_path: Path) -> None:
    log = OrderLog(tmp_path / "feeds", "kite")
    log.append({"order": 1}, datetime.now(UTC))
    (file,) = (tmp_path / "feeds").iterdir()
    with file.open("a") as lines:
        lines.write('{"a":' * 5000 + "1" + "}" * 5000 + "\n")
    log.append({"order": 2}, datetime.now(UTC))
    assert [update["order"] for update in log.recent()] == [1, 2]


def test_updates_of_the_last_days_are_booked_however_long_the_desk_was_off(tmp_path: Path) -> None:
    log = OrderLog(tmp_path / "feeds", "kite")
    for days in (40, 39, 38, 37):
        log.append({"days": days}, datetime.now(UTC) - timedelta(days=days))
    for _ in range(2):
        assert [update["days"] for update in log.recent()] == [39, 38, 37]
    assert len(list((tmp_path / "feeds").iterdir())) == 3


def test_a_broker_that_tells_no_trades_keeps_nothing_from_being_booked() -> None:
    def away() -> bytes:
        raise StoreUnavailable("away")

    desk = booking()
    desk.fetch_trades = away
    desk.offer(update(FULL))
    assert not desk.settle()  # it is asked again
    assert sum(quantity for _, quantity, _ in booked()) == 51
    for answer in (b'{"status":"success","data":[]}', b"[]"):
        desk.fetch_trades = lambda content=answer: content
        desk.ask_for_trades()
        assert desk.settle()


# -- a whole day against a broker --------------------


def test_orders_of_a_day_with_cuts_duplicates_and_disorder_equal_the_exchanges_truth(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name, secret in SECRETS.items():
        monkeypatch.setenv(name, secret)
    chance = random.Random(11)
    real: list[Any] = []
    updates: list[list[Any]] = []
    for number in range(8):
        side, order = ("BUY", "SELL")[number % 2], str(1000 + number)
        trades = [(chance.randint(1, 30), f"{chance.randint(2000, 2100) * Decimal('0.05'):f}") for _ in range(4)]
        if side == "SELL":  # flat again, by an order of its own
            trades = [(sum(t["quantity"] for t in real if t["order_id"] == str(999 + number)), "101.00")]
        minute = 20 + number
        states = [update(trades[: n + 1], order=order, side=side, minute=minute) for n in range(len(trades))]
        updates.append(states)
        real += [trade(number * 10 + n, *each, order=order, side=side, minute=minute) for n, each in enumerate(trades)]
    told: list[Any] = []

    async def script(connection: ServerConnection, number: int) -> None:
        states = updates[number - 1] if number <= len(updates) else []
        shuffled = chance.sample([*states, *states[:2]], len(states) + len(states[:2]))
        for state in shuffled[: 2 if number == 3 else None]:  # in the third order's midst the line is cut
            await connection.send(json.dumps({"type": "order", "data": state}))
        told[:] = [each for each in real if int(each["order_id"]) < 1000 + number]
        if number > len(updates):
            await connection.wait_closed()

    with trades_of_day(told) as url, DataManager(source="kite") as dm:
        desk = OrderBooking("main", [StrategyRule("bot")], ticks_of(LISTING), OrderLog(tmp_path / "feeds", "kite"))
        desk.fetch_trades = lambda: fetch_trades("kite", read_credentials(FEEDS["kite"].credentials), url)
        listing = {key: each for key, each in LISTING.items() if isinstance(key, int)}
        connection = connection_of(FEEDS["kite"], dm, listing, desk, times=None, any_time=True)
        connection.patience = QUICK

        async def run() -> None:
            async with broker(script, subscriptions=2) as fake:
                connection.url = fake.url
                task = asyncio.create_task(record_until_told(connection, desk))
                await until(lambda: fake.connections > len(updates) and not desk.waiting and not desk.are_trades_due)
                connection.stop.set()
                await task

        asyncio.run(run())
    expected = sorted((t["transaction_type"], Decimal(t["quantity"]), Decimal(str(t["average_price"]))) for t in real)
    assert sorted(booked()) == expected
    assert BrokerFill.objects.filter(kind="trade").count() == len(real)
    assert not Trade.objects.filter(state="OPEN").exists()


def test_what_nobody_thought_of_keeps_the_updates_waiting_and_the_feed_going(monkeypatch: pytest.MonkeyPatch) -> None:
    desk = booking()
    desk.offer(update(FULL))
    monkeypatch.setattr("trading.feeds.live.order_booking.import_fills", lambda *_, **__: 1 / 0)
    assert not desk.settle()
    monkeypatch.undo()
    assert desk.settle()
    assert sum(quantity for _, quantity, _ in booked()) == 51


def test_an_update_that_nobody_thought_of_waits_and_holds_up_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail_at_the_first(updates: Sequence[Any], tick_of: TickOf) -> Statement:
        assert updates[0]["order_id"] != ORDER, "nobody thought of it"
        return statement_of_updates(updates, tick_of)

    desk = booking([trade(9, 5, "101.00", order="9")])
    for order in (ORDER, "7", "8"):
        desk.offer(update(FULL, order=order))
    monkeypatch.setattr("trading.feeds.live.order_booking.statement_of_updates", fail_at_the_first)
    assert not desk.settle()
    assert sum(quantity for _, quantity, _ in booked()) == 2 * 51 + 5
    assert [waiting["order_id"] for waiting in desk.waiting] == [ORDER]
    monkeypatch.undo()
    assert desk.settle()
    assert sum(quantity for _, quantity, _ in booked()) == 3 * 51 + 5
