"""What a process keeps of the ledger: it is asked for anew after every change, of whatever kind, and stays within its
bound."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from tests import page_desk
from trading.bookkeeping import slips
from trading.models import Account, Excursion, Instrument, Trade
from trading.operations.clear_account import clear_account
from trading.operations.close_position import close_position
from trading.operations.update_trailing_sl import update_trailing_sl
from trading.operations.write_day_note import write_day_note
from trading.queries.accounts import get_account
from trading.queries.kept import KeptAnswers, all_kept, mark_of, steps_between
from trading.queries.trade_filter import TradeFilter
from trading.queries.trade_totals import filtered_totals
from trading.web import live
from trading.web.day_shown import DayShown, day_shown

pytestmark = pytest.mark.usefixtures("ledger")


def test_an_answer_is_kept_until_the_ledger_moves() -> None:
    page_desk.trades(2)
    account, asked = get_account("main"), []
    kept: KeptAnswers[int] = KeptAnswers(1000, lambda _: 1)

    def ask() -> int:
        return kept.of(account, "trades", lambda: asked.append(1) or Trade.objects.count())

    assert [ask(), ask(), len(asked)] == [2, 2, 1]
    page_desk.trades(1, first=3)
    assert [ask(), ask(), len(asked)] == [3, 3, 2]


@pytest.mark.ledger
def test_whatever_a_figure_follows_from_moves_the_mark() -> None:
    page_desk.trades(1)
    page_desk.open_trade()
    account, trade = get_account("main"), Trade.objects.get(trade_id="T1")
    page_desk.member("viewer")
    marks = [mark_of(account)]

    def moved() -> bool:
        marks.append(mark_of(account))
        return marks[-1] != marks[-2]

    page_desk.reviewed("T1", by="viewer")
    assert moved()
    page_desk.skipped(1)
    assert moved()
    at = page_desk.OPENING + timedelta(hours=5, minutes=9)
    close_position("main", "held", "ema_cross", "RELIANCE", exit_price=2470, exit_time=at)
    assert moved()
    instrument = Instrument.objects.get(pk=trade.instrument_id)
    instrument.reviewed = not instrument.reviewed
    instrument.save()
    assert moved()
    measured = {"mae": -1, "mae_price": 1, "mae_at": at, "mfe": 1, "mfe_price": 1, "mfe_at": at, "measured_at": at}
    Excursion.objects.bulk_create([Excursion(trade=trade, ticks=1, **measured)])
    assert moved()
    Excursion.objects.all().delete()
    assert moved()
    Account.objects.get(code="replay").save()
    assert moved()


def test_a_cleared_account_is_shown_empty(client: Client) -> None:
    """Its journal ends where it did, so nothing but the missing row tells; what comes after moves it once more."""
    client.force_login(page_desk.member("asha"))
    page_desk.trade("zebra", 1, account="replay")

    def pages() -> list[str]:
        urls = ("/?account=replay&date=2024-03-15", "/trades/?account=replay")
        return [client.get(url).content.decode() for url in urls]

    assert all("zebra" in page for page in pages())
    before = mark_of(get_account("replay"))
    clear_account("replay")
    cleared = mark_of(get_account("replay"))
    assert not any("zebra" in page for page in pages())
    assert cleared == before._replace(mac="")
    page_desk.trade("okapi", 1, account="replay")
    assert mark_of(get_account("replay")) != cleared
    assert all("okapi" in page and "zebra" not in page for page in pages())


def test_a_login_moves_no_mark(client: Client) -> None:
    account = get_account("main")
    user = page_desk.member("viewer", password=page_desk.PASSWORD)
    mark = mark_of(account)
    user.save()
    assert mark_of(account) == mark


def test_no_more_is_kept_than_the_bound_and_accounts_stay_apart() -> None:
    kept: KeptAnswers[str] = KeptAnswers(10, len)
    main, replay = get_account("main"), get_account("replay")
    assert [kept.of(account, "a", lambda a=account: a.code) for account in (main, replay, main)] == [
        "main", "replay", "main"]  # fmt: skip
    assert kept.bytes == 10
    kept.of(main, "b", lambda: "1234")
    assert kept.bytes == 8  # the one of replay went: nobody had asked for it the longest
    assert kept.of(replay, "a", lambda: "anew") == "anew"
    assert kept.of(main, "c", lambda: "larger than all") == "larger than all"
    assert kept.bytes == 8


def test_the_totals_of_a_filter_follow_the_ledger() -> None:
    page_desk.trades(4)
    account, wins = get_account("main"), TradeFilter(result="win")
    before = filtered_totals(account, TradeFilter())
    assert before == filtered_totals(account, TradeFilter())
    assert filtered_totals(account, wins).trades == before.winning_trades
    page_desk.trades(1, first=5)
    assert filtered_totals(account, TradeFilter()).trades == before.trades + 1


def test_what_pages_keep_drawn_follows_the_ledger(client: Client) -> None:
    page_desk.trades(3)
    client.force_login(page_desk.member("viewer"))
    trade = Trade.objects.select_related("instrument").get(trade_id="T1")
    instrument, at, day = trade.instrument, page_desk.OPENING, page_desk.DAY.date()
    measured = {"mae": -1, "mae_price": 1, "mae_at": at, "mfe": 1, "mfe_price": 1, "mfe_at": at, "measured_at": at}

    def renamed() -> None:
        instrument.symbol = "RENAMED"
        instrument.save()

    changes: list[Callable[[], object]] = [
        lambda: page_desk.reviewed("T1", by="viewer"),
        lambda: Excursion.objects.bulk_create([Excursion(trade=trade, ticks=1, **measured)]),
        lambda: write_day_note(get_account("main"), day, "Calm.", by="viewer", after=0),
        renamed,
        lambda: page_desk.trades(1, first=4),
    ]
    addresses = [
        *("/trades/", "/trades/?sort=-r&col=review", f"/calendar/?month={day:%Y-%m}", "/symbols/?days=all"),
        *(f"/symbols/{instrument.pk}/?days=all", f"/strategies/{trade.strategy_id}/?days=all"),
    ]
    moved: dict[str, set[int]] = {address: set() for address in addresses}
    pages = {address: page(client, address) for address in addresses}
    for number, change in enumerate(changes):
        change()
        shown = {address: page(client, address) for address in addresses}
        for answers in all_kept:
            answers.clear()
        assert shown == {address: page(client, address) for address in addresses}, number
        for address in addresses:
            if shown[address] != pages[address]:
                moved[address].add(number)
        pages = shown
    assert list(moved.values()) == [{0, 3, 4}, {0, 3, 4}, {2, 4}, {3, 4}, {0, 1, 3}, {0, 1, 3, 4}]


def page(client: Client, address: str) -> str:
    """Return a page without what is each request's own."""
    answer = client.get(address)
    assert answer.status_code == 200, address
    return re.sub(
        r'nonce="[^"]*"|csrfmiddlewaretoken" value="[^"]*"|"X-CSRFToken": "[^"]*"', "", answer.content.decode()
    )


@pytest.mark.ledger
def test_an_answer_outlives_only_what_is_beside_it() -> None:
    page_desk.open_trade(), page_desk.skipped(1)
    account, asked = get_account("main"), []
    kept: KeptAnswers[int] = KeptAnswers(1000, lambda _: 1, beside=frozenset({"update_trailing_sl"}))

    def ask() -> int:
        kept.of(account, "any", lambda: asked.append(1) or 1)
        return len(asked)

    assert ask() == 1
    stop("2451"), stop("2452")
    assert [ask(), ask()] == [1, 1]
    since = mark_of(account)
    stop("2453"), page_desk.skipped(2), stop("2454")
    held = Trade.objects.get(trade_id="held").pk
    assert steps_between(account, since, mark_of(account)) == (
        ("update_trailing_sl", held), ("record_signal", None), ("update_trailing_sl", held),
    )  # fmt: skip
    assert [ask(), ask()] == [2, 2]
    stop("2455")
    instrument = Instrument.objects.get(symbol="RELIANCE")
    instrument.reviewed = not instrument.reviewed
    instrument.save()  # in no journal
    assert [ask(), ask()] == [3, 3]
    now = mark_of(account)
    assert steps_between(account, now._replace(sequence=now.sequence - 1, mac="of another chain"), now) is None
    assert steps_between(account, now._replace(sequence=0, mac=""), now) is None
    assert steps_between(account, now, since) is None


def test_what_follows_stops_is_made_right_after_them_alone() -> None:
    page_desk.open_trade()
    account = get_account("main")
    kept: KeptAnswers[list[str]] = KeptAnswers(
        1000, len, after_stops=lambda answer, moved: [*answer, *map(str, moved)] if len(answer) < 3 else None
    )

    def ask() -> list[str]:
        return kept.of(account, "any", lambda: ["anew"])

    held = str(Trade.objects.get(trade_id="held").pk)
    assert ask() == ["anew"]
    stop("2451"), stop("2452")
    assert [ask(), ask()] == [["anew", held]] * 2
    stop("2453"), page_desk.skipped(1)
    assert ask() == ["anew"]
    for price in ("2454", "2455"):
        stop(price)
        assert ask()[-1] == held
    stop("2456")
    assert ask() == ["anew"]  # it did not say what it had become


def stop(price: str, *, minutes: int = 0) -> None:
    """Move the stop of the open trade, a minute after another for a price that is higher by one."""
    at = page_desk.OPENING + timedelta(hours=5, minutes=minutes or int(price) - 2440)
    update_trailing_sl("main", "held", "ema_cross", "RELIANCE", price, 2480, "ATR", at=at)


def test_the_overview_after_a_stop_is_what_a_process_that_keeps_nothing_shows(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stops that move on, one that moves back and is flagged, one beyond the last price that is a likely slip."""
    page_desk.trades(3)
    page_desk.open_trade()
    account, now = get_account("main"), timezone.now()
    look = live.OverviewLook("main")
    look(True)
    for minute, price in enumerate(("2451", "2452", "2400", "2401", "2490", "2491")):
        if price == "2490":
            monkeypatch.setattr(slips, "_last_price", lambda *_: Decimal(2480))
        number = day_shown(account, None, now=now)["kept_trades"].number
        stop(price, minutes=10 + minute)
        drawn, shown = look(True), day_shown(account, None, now=now)
        assert (shown["kept_trades"].number == number) == (price not in ("2400", "2490"))
        warm = ledger_facts(shown)
        for answers in all_kept:
            answers.clear()
        anew, cold = live.OverviewLook("main")(True), ledger_facts(day_shown(account, None, now=now))
        assert warm == cold, price
        assert drawn is not None and anew is not None
        for name in ("tiles", "latest", "signals", "curve"):
            assert drawn.sections[f"live-{name}"] == anew.sections[f"live-{name}"], (price, name)
        (held,) = (row.trade for row in cold["trades"] if row.trade.trade_id == "held")
        assert cold["positions"][0].stop_price == held.stop_price == Decimal(price)
        assert (("stop_moved_back" in held.flags), len(cold["slips"])) == (minute > 1, int(minute > 3)), price


def ledger_facts(shown: DayShown) -> dict[str, Any]:
    """Return what the overview shows, without how old the last ticks are, and without objects."""
    facts = {name: fact for name, fact in shown.items() if name not in ("kept", "kept_trades", "latest_signals")}
    return {**facts, "positions": [entry.position for entry in shown["positions"]]}


def test_a_moved_stop_reads_no_list_of_the_day_again() -> None:
    page_desk.trades(3)
    page_desk.open_trade()
    look = live.OverviewLook("main")
    stop("2451"), look(True), stop("2452")
    with CaptureQueriesContext(connection) as asked:
        look(False)
    of_trades = [query["sql"] for query in asked.captured_queries if '"trading_trade"' in query["sql"]]
    assert len(of_trades) == 2 and all("stop_price" in sql and "JOIN" not in sql for sql in of_trades)
