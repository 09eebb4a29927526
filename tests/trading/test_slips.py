"""What is likely a slip is flagged, never refused; the same again says so and changes nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.core.management import call_command
from django.test import Client
from django.utils import timezone

from tests.redis_server import RedisServer
from tests.trading.book import AT, MINUTE, closed, filled, opened, row, snapshot
from trading import summon
from trading.bookkeeping import slips
from trading.data_manager import DataManager
from trading.domain import flags
from trading.domain.sessions import Calendar
from trading.hot import cache
from trading.models import Exchange, ExchangeSession, Instrument, User
from trading.newest import NewestPoints
from trading.operations.amend import amend
from trading.operations.set_charges import set_charges, set_charges_of
from trading.operations.update_trailing_sl import update_trailing_sl
from trading.operations.void import void
from trading.queries.sessions import is_open

pytestmark = pytest.mark.usefixtures("proved")

WHO = {"by": "asha", "reason": "a slip"}
SUNDAY = datetime(2024, 3, 17, 5, tzinfo=UTC)
EVENING = datetime(2024, 3, 15, 14, tzinfo=UTC)  # 19:30 at the desk


@pytest.fixture
def dm(ledger: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[DataManager]:
    monkeypatch.setattr(summon, "summon", lambda: None)
    with DataManager() as manager:
        yield manager


# -- times --


@pytest.mark.ledger
@pytest.mark.parametrize("at", [SUNDAY, EVENING, datetime(2024, 3, 15, 3, 29, 59, tzinfo=UTC)])
def test_a_fill_while_the_market_is_closed_is_flagged(at: datetime) -> None:
    assert opened(entry_time=at).flags == ("market_closed",)


@pytest.mark.ledger
@pytest.mark.parametrize("minutes", [0, 30, 360])
def test_one_in_a_session_is_not(minutes: int) -> None:
    assert opened(entry_time=AT + minutes * MINUTE).flags == ()


@pytest.mark.ledger
def test_an_exchange_that_never_closes_and_amended_hours_are_known_at_once() -> None:
    Exchange.objects.create(code="COIN", zone="UTC")
    assert opened(symbol="COIN:BTC", entry_time=SUNDAY).flags == ()
    nse = Exchange.objects.get(code="NSE")
    assert not is_open("NSE", "equity", SUNDAY)
    more = {"kind": "SPECIAL", "first_date": SUNDAY.date(), "last_date": SUNDAY.date(), "weekdays": "1234567"}
    ExchangeSession.objects.create(exchange=nse, phase="continuous", opens="09:15", closes="12:30", **more)
    assert is_open("NSE", "equity", SUNDAY)
    assert opened("T2", entry_time=SUNDAY).flags == ()


@pytest.mark.ledger
def test_the_calendar_is_read_once_and_not_in_every_call(monkeypatch: pytest.MonkeyPatch) -> None:
    opened()
    seen: list[Any] = []
    phases = Calendar.__post_init__
    monkeypatch.setattr(Calendar, "__post_init__", lambda self: (seen.append(1), phases(self))[1])
    filled("BUY", 2450, 1)
    closed()
    assert seen == []


@pytest.mark.ledger
def test_a_fill_ahead_of_the_clock_is_flagged_and_a_correction_takes_it_back() -> None:
    soon = timezone.now().replace(microsecond=0) + timedelta(hours=2)
    assert "in_future" in opened(entry_time=soon).flags
    assert "in_future" not in opened("T2", entry_time=timezone.now() + timedelta(seconds=20)).flags
    assert amend(row().pk, at=AT, **WHO).flags == ("corrected",)


# -- stops and targets --


@pytest.mark.parametrize(
    ("side", "stop", "target", "expected"),
    [
        ("LONG", 2440, 2470, ()),
        ("LONG", 2460, 2470, ("stop_wrong_side",)),
        ("LONG", 2440, 2430, ("target_wrong_side",)),
        ("SHORT", 2460, 2430, ()),
        ("SHORT", 2440, 2470, ("stop_wrong_side", "target_wrong_side")),
    ],
)
def test_a_stop_or_target_on_the_wrong_side_is_flagged(side: str, stop: int, target: int, expected: Any) -> None:
    assert opened(side=side, stop_price=stop, target_price=target).flags == expected


@pytest.mark.ledger
def test_the_right_entry_puts_the_stop_on_the_right_side() -> None:
    assert opened(entry_price="245.00", stop_price=2440).flags == ("stop_wrong_side",)
    assert amend(row().pk, price=2450, **WHO).flags == ("corrected",)


@pytest.mark.ledger
def test_a_trailing_stop_beyond_the_last_price_is_flagged_and_one_beyond_the_entry_is_not(dm: DataManager) -> None:
    opened(stop_price=2440)
    dm.process_tick("RELIANCE", {"ltp": 2470.0}, at=AT + MINUTE)
    assert dm.update_trailing_sl("T1", None, "RELIANCE", 2460, 2470, "atr", at=AT + MINUTE)
    assert row().flags == []
    assert dm.update_trailing_sl("T1", None, "RELIANCE", 2480, 2490, "atr", at=AT + 2 * MINUTE)
    assert row().flags == ["trailing_stop_wrong_side"]
    assert update_trailing_sl("main", "T1", None, "RELIANCE", 2481, 2490, "atr", at=AT + 3 * MINUTE)


# -- prices --


def open_at(dm: DataManager, trade_id: str, price: Any, at: datetime = AT) -> tuple[str, ...]:
    return dm.open_position(trade_id, "orb", "RELIANCE", price, 10, at).flags


def test_a_price_far_from_the_last_tick_is_flagged(dm: DataManager) -> None:
    assert open_at(dm, "T0", 24500) == (), "nothing to compare with"
    dm.process_tick("RELIANCE", {"ltp": 2450.0}, at=AT)
    assert open_at(dm, "T1", 2600) == ()
    assert open_at(dm, "T2", 24500) == ("price_far_from_tick",)
    assert open_at(dm, "T3", 24500, AT + 6 * MINUTE) == (), "the tick is too old to tell"
    assert dm.add_fill("T1", "SELL", 260, 4, AT + MINUTE).flags == ("price_far_from_tick",)
    assert dm.close_position("T3", "orb", "RELIANCE", 24500, AT + 7 * MINUTE).flags == ()


def test_a_price_a_few_ticks_away_is_not_far_where_prices_are_tiny(dm: DataManager) -> None:
    dm.process_tick("NIFTY26N2624500CE", {"ltp": 0.05}, at=AT)
    assert dm.open_position("T1", "opt", "NIFTY26N2624500CE", "0.10", 75, AT).flags == ()


@pytest.mark.ledger
def test_the_right_price_takes_the_flag_away_and_another_correction_does_not(dm: DataManager) -> None:
    dm.process_tick("RELIANCE", {"ltp": 2450.0}, at=AT)
    open_at(dm, "T1", 24500)
    assert set_charges_of(row().pk, 3, **WHO).flags == ("corrected", "price_far_from_tick")
    assert amend(row().pk, price=2450, **WHO).flags == ("corrected",)


def test_no_price_is_asked_of_the_store(dm: DataManager, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(NewestPoints, "_read", lambda *_, **__: pytest.fail("the store was asked"))
    assert open_at(dm, "T1", 2450) == ()


def test_a_tick_of_another_process_is_known_from_the_hot_state(dm: DataManager, shared: RedisServer) -> None:
    instant = int(AT.timestamp()) * 10**9
    entry = {"close": 2450.0, "exchange_time": instant, "time": instant}
    assert cache.put_newest("tick", {cache.key("tick", "main", "RELIANCE"): entry})
    assert open_at(dm, "T1", 24500) == ("price_far_from_tick",)


def test_a_dead_hot_state_costs_no_trade(dm: DataManager, shared: RedisServer) -> None:
    shared.kill()
    assert open_at(dm, "T1", 24500) == ()
    shared.start()


# -- the same again --


def again(call: Callable[[], Any]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Call twice; return the flags of both answers. The second changes no row."""
    first = call()
    before = snapshot()
    second = call()
    assert snapshot() == before
    assert second == type(second)(**{**first.as_dict(), "flags": second.flags})
    return first.flags, second.flags


@pytest.mark.ledger
def test_the_same_again_says_that_it_is_known_already() -> None:
    assert again(lambda: opened(fill_id="a")) == ((), ("known_already",))
    assert again(lambda: filled("BUY", 2451, 5, fill_id="b")) == ((), ("known_already",))
    assert again(lambda: set_charges("main", "T1", 12, source="note")) == (
        ("corrected",),
        ("corrected", "known_already"),
    )
    assert again(lambda: amend(row().pk, fill=1, price=2449, **WHO)) == (("corrected",), ("corrected", "known_already"))
    turn = {"fill_id": "c", "flip_to": "T2"}
    assert again(lambda: filled("SELL", 2452, 20, **turn)) == ((), ("known_already",))
    assert again(lambda: closed("T2", price=2440)) == ((), ("known_already",))
    assert again(lambda: void(row("T2").pk, **WHO)) == (("corrected",), ("corrected", "known_already"))
    assert "known_already" not in str(list(snapshot()["trading_trade"]))


# -- where people see it --


@pytest.fixture
def boss(client: Client) -> Client:
    client.force_login(User.objects.create_superuser("boss"))
    client.defaults["HTTP_HOST"] = "localhost"
    return client


@pytest.mark.ledger
def test_the_overview_lists_the_days_likely_slips(boss: Client) -> None:
    opened("fine")
    opened("odd", stop_price=2460)
    opened("off", entry_price="2450.051")
    opened("sunday", entry_time=SUNDAY)
    closed("fine", price=0)
    page = boss.get("/?day=2024-03-15").content.decode()
    panel = page[page.index("Likely slips") : page.index("Latest trades")]
    assert "Stop on the wrong side of the entry" in panel
    assert "Price 0 without a reason such as expired" in panel
    assert "· off<" not in panel
    assert "sunday" not in panel
    assert "Likely slips" not in boss.get("/?day=2024-03-14").content.decode()
    void(row("odd").pk, **WHO)
    page = boss.get("/?day=2024-03-15").content.decode()
    assert "Stop on the wrong side" not in page[page.index("Likely slips") : page.index("Latest trades")]


@pytest.mark.ledger
def test_flags_read_as_words_on_the_trades_page_the_trade_and_its_screen(boss: Client, capsys: Any) -> None:
    opened(stop_price=2460)
    words = "stop on the wrong side of the entry"
    for path in ("/trades/", f"/trades/{row().pk}/", f"/admin/trading/trade/{row().pk}/change/"):
        assert words in boss.get(path).content.decode(), path
    call_command("trade", "T1")
    assert words in capsys.readouterr().out


def test_every_flag_has_its_words() -> None:
    assert set(flags.SLIPS) <= set(flags.MEANINGS)
    assert flags.meaning("a_new_flag") == "a new flag"


def test_a_look_up_is_for_the_call_that_it_was_given_to() -> None:
    with slips.beside(lambda symbol: (Decimal(1), AT)):
        assert slips.far_flags(Decimal(2), AT, Instrument(exchange=Exchange(code="NSE"), symbol="X")) == {
            "price_far_from_tick"
        }
    assert slips.far_flags(Decimal(2), AT, Instrument(exchange=Exchange(code="NSE"), symbol="X")) == set()
