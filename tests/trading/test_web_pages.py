"""What the pages say: the figures, the words around them, one account at a time, and no query per row."""

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
from trading.domain import amounts
from trading.models import Account, Trade
from trading.operations.add_fill import add_fill
from trading.operations.close_position import close_position
from trading.operations.open_position import open_position
from trading.operations.update_trailing_sl import update_trailing_sl
from trading.queries import kept
from trading.queries.accounts import get_account
from trading.queries.daily_summary import build_daily_summary
from trading.queries.day import day_figures
from trading.queries.positions_then import open_at_end_of
from trading.queries.trades import OPEN
from trading.web import day_shown, live, trades
from trading.web.templatetags import velox

pytestmark = pytest.mark.usefixtures("ledger")

Read = Callable[..., str]
DAY = page_desk.DAY.date()


@pytest.fixture
def read(client: Client) -> Read:
    """Return a page's text as somebody who is logged in gets it, its markup as it is."""
    client.force_login(page_desk.member("viewer"))

    def get(address: str, **query: Any) -> str:
        answer = client.get(address, query)
        assert answer.status_code == 200, address
        return answer.content.decode()

    return get


def words(page: str) -> str:
    """Return what a reader sees of a page, blanks made one."""
    body = re.sub(r"<(head|script)\b.*?</\1>", " ", page, flags=re.S)
    return " ".join(re.sub(r"<[^>]+>", " ", body).replace("&amp;", "&").split())


@pytest.mark.ledger
def test_the_overview_shows_the_figures_of_the_daily_summary(read: Read) -> None:
    page_desk.trades(12)
    total = build_daily_summary(get_account("main"), DAY)["total"]
    page = words(read("/", day=DAY.isoformat()))
    assert f"Realised P&L {amounts.amount(total['total_pnl'], 'INR', signed=True)}" in page
    assert f"{amounts.amount(total['gross_pnl'], 'INR', signed=True)} before charges" in page
    assert f"Trades closed {total['total_trades']}" in page
    assert f"{total['winning_trades']} won · {total['losing_trades']} lost" in page


def test_the_page_of_a_past_day_shows_what_was_open_then(read: Read) -> None:
    monday, at = page_desk.OPENING - timedelta(days=4), {"exit_reason": "target"}
    open_position(
        "main", "swing", "ema_cross", "INFY", entry_price=100, quantity=9, entry_time=monday, stop_price=90
    )  # fmt: skip
    add_fill("main", "swing", "BUY", 103, 3, monday + timedelta(days=1))
    update_trailing_sl("main", "swing", "ema_cross", "INFY", 95, 104, "ATR", at=monday + timedelta(days=1))
    add_fill("main", "swing", "SELL", 110, 4, monday + timedelta(days=2))
    close_position("main", "swing", "ema_cross", "INFY", exit_price=120, exit_time=monday + timedelta(days=3), **at)
    row = Trade.objects.get(trade_id="swing")
    days = [(monday + timedelta(days=number)).date() for number in range(-1, 4)]
    told = [[position for _, position in open_at_end_of(row.account, day)] for day in days]
    assert [len(positions) for positions in told] == [0, 1, 1, 1, 0]
    shown = [(str(one.open_quantity), str(one.avg_price), str(one.stop_price)) for (one,) in told[1:4]]
    assert shown == [("9", "100", "90"), ("12", "100.75", "95"), ("8", "100.75", "95")]
    second = read("/", day=days[2].isoformat())
    assert "₹100.75" in second and "1 at the end of 12 Mar 2024" in words(second)
    assert "Unrealised" not in second and "Open at the day’s end" in second
    last = words(read("/", day=days[4].isoformat()))
    assert "No trade was open at the end of 14 Mar 2024" in last
    page_desk.open_trade()
    assert "No trade was open" in words(read("/", day=days[4].isoformat()))
    assert "1 now" in words(read("/"))


def test_the_overview_opens_on_the_newest_day_with_trades(read: Read) -> None:
    page_desk.trades(2)
    assert "Friday, 15 Mar 2024" in words(read("/"))


def test_money_is_grouped_in_lakhs_with_its_sign_and_a_colour_that_repeats_it(read: Read) -> None:
    big("lakh", entry="2450.05", leave="2573.50", quantity=10_000)
    big("loss", entry="2450.05", leave="2449.05", quantity=10)
    page = read("/trades/")
    assert '<span class="exact gain">+₹12,34,500.00</span>' in page
    assert '<span class="exact loss">−₹10.00</span>' in page


def test_no_page_says_net_while_charges_are_unknown(read: Read) -> None:
    big("T1", entry=100, leave=101, quantity=10)
    for address in ("/", "/trades/", f"/trades/{Trade.objects.get().pk}/", "/strategies/?days=all"):
        assert not re.search(r"\bnet\b", words(read(address)), re.I), address
    assert "unknown for 1 trade" in words(read("/"))


def test_charges_that_are_known_are_subtracted_and_said(read: Read) -> None:
    big("T1", entry=100, leave=101, quantity=10, charges="1.25")
    page = words(read("/"))
    assert "Realised P&L +₹8.75 +₹10.00 before charges ₹1.25 charges" in page
    assert "unknown" not in page.partition("Unrealised")[0]


def test_what_is_undefined_is_a_dash_and_never_a_zero(read: Read) -> None:
    page_desk.open_trade()
    page = words(read("/"))
    assert "Unrealised P&L, now — last price known for 0 of 1 open" in page
    assert "won —" in page


def test_unrealised_adds_up_what_is_known_and_counts_the_rest() -> None:
    page_desk.open_trade("one")
    page_desk.open_trade("two")
    known, unknown = day_shown.priced_positions(Account.objects.get(code="main"))
    priced = day_shown.OpenPosition(known.pk, with_pnl(known.position, Decimal("40.5")))
    assert day_shown.unrealised_of([priced, unknown]) == day_shown.Unrealised(Decimal("40.5"), 1, 2)
    assert day_shown.unrealised_of([unknown]).total is None


def test_the_total_of_a_day_is_its_realised_and_its_unrealised_and_unknown_without_any_price(
    read: Read, monkeypatch: pytest.MonkeyPatch
) -> None:
    page_desk.trades(4)
    account = Account.objects.get(code="main")
    realised = day_figures(account, page_desk.DAY.date())["total_pnl"]
    assert day_shown.day_shown(account, None, now=timezone.now())["total"] == realised  # nothing is open
    page_desk.open_trade("a")
    page_desk.open_trade("b")
    assert day_shown.day_shown(account, None, now=timezone.now())["total"] is None
    assert "Realised and unrealised — no last price is known" in words(read("/"))
    first, second = day_shown.priced_positions(account)
    known = day_shown.OpenPosition(first.pk, with_pnl(first.position, Decimal("12.5")))
    monkeypatch.setattr(day_shown, "priced_positions", lambda _account, mark: [known, second])
    realised = day_figures(account, page_desk.DAY.date())["total_pnl"]  # a part of each was closed
    assert day_shown.day_shown(account, None, now=timezone.now())["total"] == realised + Decimal("12.5")
    assert "of 1 of 2 open" in words(read("/"))


def test_the_overview_draws_the_days_curve_and_lists_its_latest_signals(read: Read) -> None:
    page = words(read("/"))
    assert "Equity curve of the day" in page
    assert "the curve begins with the first exit" in page
    assert "No signal was recorded on" in page
    page_desk.trades(12)
    page = read("/")
    points = re.search(r'<polyline points="([^"]+)"', page.split('id="live-curve"')[1])
    assert points is not None
    assert len(points[1].split()) == 2 * 12 + 1  # a step for each exit, from 0 at the first opening
    signals = page.split('id="live-signals"')[1].split("</section>")[0]
    assert signals.count('<span class="badge taken">') == 8
    assert "12 taken" in signals


def test_an_empty_desk_says_what_to_do_next(read: Read) -> None:
    page = words(read("/"))
    assert "This account has no trades yet" in page
    assert "manage.py replay" in page
    assert "from velox_site.desk import DataManager" in page
    assert "No trade is open" in page


@pytest.mark.ledger
def test_an_empty_day_leads_to_the_days_beside_it(read: Read) -> None:
    page_desk.trades(1)
    page = read("/", day="2024-03-18")
    assert "Nothing was traded on 18 Mar 2024" in words(page)
    assert "?day=2024-03-15" in page
    assert "?day=2024-03-15" in read("/", day="2024-03-11")


@pytest.mark.ledger
def test_no_page_mixes_two_accounts(read: Read) -> None:
    page_desk.trades(3)
    page_desk.trades(2, account="replay", first=901)
    page_desk.open_trade("held-in-replay", account="replay")
    for address in ("/", "/trades/"):
        of_main, of_replay = read(address), read(address, account="replay")
        assert "T901" not in of_main
        assert "T901" in of_replay
        assert re.search(r"\bT1\b", of_main)
        assert not re.search(r"\bT1\b", of_replay)
    assert "held-in-replay" not in read("/")
    assert "3 trades" in words(read("/trades/"))
    replayed = build_daily_summary(get_account("replay"), DAY)["total"]["total_pnl"]
    assert amounts.amount(replayed, "INR", signed=True) in words(read("/", account="replay"))


def test_links_stay_in_the_account_and_the_filter(read: Read, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trades, "PER_PAGE", 2)
    page_desk.trades(5, account="replay", first=1)
    assert 'href="/trades/?account=replay"' in read("/", account="replay")
    assert 'href="?account=replay&amp;page=2"' in read("/trades/", account="replay")
    assert 'href="?account=replay&amp;side=SHORT&amp;page=2"' in read("/trades/", account="replay", side="SHORT")
    assert "Page 2 of 2" in words(read("/trades/", account="replay", side="SHORT", page=2))
    assert "Page 3 of 3" in words(read("/trades/", account="replay", page=99))


def test_the_filter_offers_only_strategies_of_the_account(read: Read) -> None:
    big("T1", entry=100, leave=101, quantity=1, strategy="secret of replay", account="replay")
    big("T1", entry=100, leave=101, quantity=1, strategy="of main")
    assert "secret of replay" not in read("/trades/")
    assert "secret of replay" not in read("/strategies/", days="all")
    assert "secret of replay" in read("/strategies/", days="all", account="replay")


def test_names_that_would_do_harm_are_shown_as_they_are(read: Read) -> None:
    page_desk.trades(12)
    evil = Trade.objects.filter(instrument__symbol=page_desk.EVIL_SYMBOL, strategy__code=page_desk.EVIL_STRATEGY).get()
    page_desk.reviewed(evil.trade_id, by="viewer")
    for address in ("/", "/trades/", f"/trades/{evil.pk}/", "/strategies/?days=all"):
        page = read(address)
        assert "<i>" not in page
        assert "<u>" not in page
        assert "<b>" not in page
    assert "&lt;b&gt;" in read(f"/trades/{evil.pk}/")


@pytest.mark.ledger
@pytest.mark.parametrize(
    ("query", "ids"),
    [
        ({"side": "SHORT"}, {"lost"}),
        ({"state": "OPEN"}, {"held"}),
        ({"state": "CLOSED"}, {"won", "lost", "even", "eaten"}),
        ({"result": "win"}, {"won"}),
        ({"result": "loss"}, {"lost", "eaten"}),
        ({"result": "breakeven"}, {"even"}),
        ({"result": "open"}, {"held"}),
        ({"symbol": "relian"}, {"held"}),
        ({"strategy": "ema_cross"}, {"held"}),
        ({"day": "2024-03-15"}, {"won", "lost", "even", "eaten", "held"}),
        ({"day": "2024-03-14"}, set()),
        ({"review": "reviewed"}, {"won"}),
        ({"review": "to_review"}, {"lost", "even", "eaten", "held"}),
        ({"side": "sideways"}, {"won", "lost", "even", "eaten", "held"}),
    ],
)
def test_the_list_is_narrowed(read: Read, query: dict[str, str], ids: set[str]) -> None:
    big("won", entry=100, leave=102, quantity=10, charges="1")
    big("lost", entry=100, leave=102, quantity=10, side="SHORT")
    big("even", entry=100, leave=100, quantity=10)
    big("eaten", entry=100, leave=101, quantity=10, charges="10.5")  # a gain that its charges turn into a loss
    page_desk.open_trade("held")
    page_desk.reviewed("won", by="viewer")
    shown = set(re.findall(r'class="under clip"[^>]*>[^<]*· ([^<]+)<', read("/trades/", **query)))
    assert shown == ids


def test_a_trade_shows_fills_stops_signals_and_its_review(read: Read) -> None:
    page_desk.trades(3)
    page_desk.reviewed("T3", by="viewer")
    page = words(read(f"/trades/{Trade.objects.get(trade_id='T3').pk}/"))
    for shown in (
        "09:35:00",
        "Entry",
        "entry",
        "exit",
        "ATR",
        "taken",
        "ema_slow 101.25",
        "{&quot;trend&quot;: &quot;up&quot;}",
    ):
        assert shown.lower() in page.lower(), shown
    for shown in ("★★★★☆", "late entry, trend", "chased", "viewer"):
        assert shown in page, shown


@pytest.mark.ledger
def test_a_partial_exit_shows_what_it_realised_and_what_is_open(read: Read) -> None:
    page_desk.open_trade()
    page = words(read(f"/trades/{Trade.objects.get().pk}/"))
    assert "+₹2,500.00" in page
    assert "Still open 800" in page


def test_a_trade_that_is_not_there_is_a_404(client: Client) -> None:
    client.force_login(page_desk.member("viewer"))
    assert client.get("/trades/4711/").status_code == 404


def test_only_a_reviewer_is_offered_the_review(client: Client) -> None:
    page_desk.trades(1)
    address = f"/trades/{Trade.objects.get().pk}/"
    for name, offered in (("viewer", False), ("reviewer", True), ("operator", True)):
        client.force_login(page_desk.member(name))
        assert ("Review this trade" in client.get(address).content.decode()) is offered


@pytest.mark.ledger
def test_strategies_show_sample_sizes_and_dashes(read: Read) -> None:
    big("T1", entry=100, leave=102, quantity=10, strategy="winner")
    page = words(read("/strategies/", days="all", strategy="winner"))
    assert "winner +₹20.00 +₹20.00 1 1 0 100.0 % ₹0.00 1 trade — ₹20.00 — — +₹20.00" in page
    assert "Sharpe (from 20 days) —" in page
    assert "SQN (from 5 trades) —" in page


def test_a_period_without_exits_leads_to_all_of_it(read: Read) -> None:
    page_desk.trades(1)
    assert "Nothing was realised in this period. Look at all of it." in words(read("/strategies/", days="7"))


def test_the_number_of_queries_of_a_page_does_not_follow_the_number_of_rows(client: Client, read: Read) -> None:
    client.force_login(page_desk.member("operator"))
    page_desk.trades(12)  # of every strategy and symbol
    page_desk.open_trade("a")
    page_desk.skipped(1)
    page_desk.reviewed("T1", by="viewer")
    held, closed = Trade.objects.get(trade_id="a"), Trade.objects.get(trade_id="T1")
    addresses = [
        *(
            "/",
            f"/?day={DAY}",
            "/trades/",
            "/trades/?result=win&sort=-r",
            f"/trades/{held.pk}/",
            f"/trades/{closed.pk}/",
        ),
        *(f"/trades/{closed.pk}/chart/", f"/trades/{closed.pk}/prices/", f"/trades/{closed.pk}/journal/"),
        *("/calendar/?month=2024-03", f"/days/{DAY}/", "/strategies/?days=all", "/symbols/?days=all", "/signals/"),
        *(f"/strategies/{closed.strategy_id}/?days=all", f"/symbols/{closed.instrument_id}/?days=all"),
        *(f"/trades/{closed.pk}/log/", f"/trades/{held.pk}/fill/", f"/trades/{held.pk}/close/", "/trades/new/"),
        *("/trades/csv/", "/brokers/", "/reconcile/", "/health/", "/system/", "/system/proof/", "/system/logs/"),
    ]

    def counts() -> dict[str, int]:
        of_the_live_page = queries(lambda _: live.OverviewLook("main")(True), "events")
        return {address: queries(read, address) for address in addresses} | {"events": of_the_live_page}

    few = counts()
    page_desk.trades(12, first=13)
    for name in "bcd":
        page_desk.open_trade(name)
    page_desk.skipped(4)
    for name in ("T2", "T3", "T13"):
        page_desk.reviewed(name, by="viewer")
    assert counts() == few


def test_the_overview_asks_the_ledger_twenty_nine_times_at_most(read: Read) -> None:
    page_desk.trades(3)
    page_desk.open_trade("a")
    assert (
        queries(read, "/") <= 29
    )  # among them the health of alerts, and how far the ledger has come, once for each of what is kept of it


def test_the_number_of_queries_of_a_trade_does_not_follow_its_fills(read: Read) -> None:
    from trading.operations.add_fill import add_fill

    page_desk.open_trade("few")
    page_desk.open_trade("many")
    for number in range(6):
        at = page_desk.OPENING.replace(hour=9, minute=30 + number)
        add_fill("main", "many", "SELL", 2470, 10, at, charges=1)
    counts = {queries(read, f"/trades/{trade.pk}/") for trade in Trade.objects.filter(state=OPEN)}
    assert len(counts) == 1


def queries(read: Callable[[str], object], address: str) -> int:
    read(address)  # what a process loads once is there now
    for answers in kept.all_kept:  # but nothing of the ledger
        answers.clear()
    with CaptureQueriesContext(connection) as captured:
        read(address)
    return len(captured)


def with_pnl(position: Any, pnl: Decimal) -> Any:
    return type(position)(**{**position.as_dict(), "unrealised_pnl": pnl, "last_price": Decimal(1)})


def big(
    trade_id: str,
    *,
    entry: Any,
    leave: Any,
    quantity: int,
    side: str = "LONG",
    charges: Any = None,
    strategy: str = "breakout",
    account: str = "main",
) -> None:
    """Book one round trip without a stop."""
    at = page_desk.OPENING
    open_position(
        account, trade_id, strategy, "INFY", entry_price=entry, quantity=quantity, entry_time=at, side=side,
        charges=charges and 0,
    )  # fmt: skip
    close_position(account, trade_id, strategy, "INFY", exit_price=leave, exit_time=at, charges=charges)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("643.84285714", "+₹643.84"),
        ("-1122.05714286", "−₹1,122.06"),
        ("1234567.5", "+₹12,34,567.50"),
        ("0", "₹0.00"),
        ("0.00000012", "+₹0.00000012"),
        (None, "—"),
    ],
)
def test_amounts_are_rounded_for_reading_and_none_vanishes(value: str | None, shown: str) -> None:
    amount = amounts.rounded(None if value is None else Decimal(value), "INR")
    assert amounts.amount(amount, "INR", signed=True) == shown


def test_what_was_rounded_off_shows_under_the_pointer() -> None:
    assert str(velox.pnl(Decimal("643.84285714"), "INR")) == (
        '<span class="exact gain" title="+₹643.84285714">+₹643.84</span>'
    )


@pytest.mark.parametrize(
    ("currency", "shown"), [("INR", "₹12,34,567.50"), ("USD", "$1,234,567.50"), ("CHF", "CHF\u00a01,234,567.50")]
)
def test_digits_are_grouped_by_the_accounts_currency(currency: str, shown: str) -> None:
    assert amounts.amount(Decimal("1234567.5"), currency) == shown
