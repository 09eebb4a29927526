"""Trades measured from stored ticks: kept once, made anew after a correction, gone with their account."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from timeseries.wiring import open_reader
from trading import summon
from trading.companion import companion, feed_review
from trading.companion.feed_review import FeedReview
from trading.data_manager import DataManager
from trading.errors import LedgerBusy
from trading.models import Excursion, FeedGap, Journal, Trade
from trading.models.sealing import Seal
from trading.operations.amend import amend
from trading.operations.clear_account import clear_account
from trading.operations.measure_excursions import Kept, measure_excursions
from trading.operations.void import void
from trading.queries.accounts import get_account
from trading.queries.reports import selection, strategy_report

AT = datetime(2021, 4, 12, 4, 0, tzinfo=UTC)  # 09:30 at the desk
SECOND = timedelta(seconds=1)


@pytest.fixture
def desk(ledger: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[DataManager]:
    """A steady feed of RELIANCE, 500 ticks up by one from 1000, silent for 20 s after the 100th; one long trade."""
    monkeypatch.setattr(summon, "summon", lambda: None)
    with DataManager(source="test", account="replay") as dm:
        for number in range(500):
            at = AT + (number + 20 * (number >= 100)) * SECOND
            dm.process_tick("RELIANCE", {"ltp": 1000 + number, "timestamp": at}, at=at)
        yield dm


def trade(dm: DataManager, opened: int, closed: int, name: str = "T1", **more: Any) -> None:
    dm.open_position(name, "orb", "RELIANCE", 1000 + opened, 2, AT + opened * SECOND, stop_price=990 + opened, **more)
    dm.close_position(name, "orb", "RELIANCE", 1000 + opened, AT + closed * SECOND)


def measure(**more: Any) -> Kept:
    return measure_excursions("replay", open_reader(), **more)


@pytest.mark.ledger
def test_a_closed_trade_is_measured_once_and_no_fact_changes(desk: DataManager) -> None:
    trade(desk, 10, 50)
    desk.open_position("T2", "orb", "RELIANCE", 1060, 2, AT + 60 * SECOND)  # open still
    journal = Journal.objects.count()
    assert measure() == Kept(1, 1)
    found = Excursion.objects.get()
    assert (found.trade.trade_id, found.ticks, found.quiet_seconds) == ("T1", 41, None)
    assert (found.mae, found.mfe, found.mfe_price) == (0, 80, 1050)
    assert found.mfe_at == AT + 50 * SECOND
    assert measure() == Kept(0, 0)
    assert Journal.objects.count() == journal


def test_a_trade_that_was_open_in_a_gap_carries_the_mark_and_the_gap_is_stored(desk: DataManager) -> None:
    trade(desk, 90, 200, "in")
    trade(desk, 210, 260, "after")
    measure()
    gap = FeedGap.objects.get()
    assert (gap.symbol, str(gap.day)) == ("RELIANCE", "2021-04-12")
    assert (gap.starts_at, gap.ends_at) == (AT + 99 * SECOND, AT + 120 * SECOND)
    assert Excursion.objects.get(trade__trade_id="in").quiet_seconds == 21
    assert Excursion.objects.get(trade__trade_id="after").quiet_seconds is None
    measure(rebuild=True)
    assert FeedGap.objects.count() == 1 and Excursion.objects.count() == 2


def test_each_of_many_days_has_its_own_gaps_and_a_trade_over_them_all_of_their_ticks(desk: DataManager) -> None:
    days = [day for day in range(1, 24) if (AT + timedelta(days=day)).weekday() < 5]  # more than are read at once
    for day in days:
        for number in range(120):
            at = AT + timedelta(days=day) + (number + day * (number >= 100)) * SECOND
            desk.process_tick("RELIANCE", {"ltp": 900 + 10 * day + number, "timestamp": at}, at=at)
    opens, closes = AT + timedelta(days=days[0]) + 5 * SECOND, AT + timedelta(days=days[-1]) + 10 * SECOND
    desk.open_position("T1", "orb", "RELIANCE", 1000, 1, opens)
    desk.close_position("T1", "orb", "RELIANCE", 1000, closes)
    dates = [(AT + timedelta(days=day)).date() for day in days]
    assert measure(days=[("RELIANCE", date) for date in dates]).trades == 1
    gaps = {gap.day: (gap.starts_at, gap.ends_at) for gap in FeedGap.objects.all()}
    silent = {day: AT + timedelta(days=day) + 99 * SECOND for day in days}
    assert gaps == {start.date(): (start, start + (1 + day) * SECOND) for day, start in silent.items() if day >= 10}
    excursion = Excursion.objects.get()
    assert excursion.ticks == 120 * len(days) - 5 - 109
    assert (excursion.mae, excursion.mfe) == (900 + 10 * days[0] + 5 - 1000, 900 + 10 * days[-2] + 119 - 1000)


@pytest.mark.ledger
def test_a_corrected_trade_is_measured_again(desk: DataManager) -> None:
    trade(desk, 10, 50)
    measure()
    row = Trade.objects.get(trade_id="T1")
    amend(row.pk, by="meera", reason="typo", fill=1, price="1005")
    assert measure() == Kept(1, 1)
    assert Excursion.objects.get().mfe == Decimal(90)
    assert measure() == Kept(0, 0)


@pytest.mark.ledger
def test_ticks_that_came_later_count_after_a_rebuild(desk: DataManager) -> None:
    trade(desk, 10, 50)
    measure()
    at = AT + 30 * SECOND
    desk.process_tick("RELIANCE", {"ltp": 900, "timestamp": at}, at=at)
    measure(rebuild=True)
    assert Excursion.objects.get().mae == -220


@pytest.mark.ledger
def test_it_goes_with_its_account(desk: DataManager) -> None:
    trade(desk, 90, 200)
    measure()
    removed = clear_account("replay")
    assert (removed["excursions"], removed["feed_gaps"]) == (1, 1)
    assert not Excursion.objects.exists() and not FeedGap.objects.exists()


@pytest.mark.ledger
def test_the_command_measures_and_tells_in_risks(desk: DataManager) -> None:
    trade(desk, 90, 200)
    out = io.StringIO()
    call_command("excursions", "--account", "replay", "--format", "json", stdout=out, stderr=io.StringIO())
    told = json.loads(out.getvalue())
    (row,), (gap,) = told["trades"], told["gaps"]
    assert (row["mfe"], row["mfe_r"], row["given_back"]) == ("180", "9", "180")
    assert row["gap"] == "21 s without ticks"
    assert gap["seconds"] == 21
    for form in ("table", "csv", "html"):
        call_command("excursions", "--account", "replay", "--format", form, stdout=out, stderr=io.StringIO())


def test_the_command_keeps_the_gaps_of_a_feed_that_nobody_traded(desk: DataManager) -> None:
    options = ("--account", "replay", "--from", "2021-04-11", "--to", "2021-04-13", "--format", "json")
    for _ in range(2):
        out = io.StringIO()
        call_command("excursions", *options, stdout=out, stderr=io.StringIO())
        told = json.loads(out.getvalue())
        assert (told["trades"], [(gap["symbol"], gap["seconds"]) for gap in told["gaps"]]) == ([], [("RELIANCE", 21)])
    assert FeedGap.objects.count() == 1


def told(*options: str) -> dict[str, Any]:
    out = io.StringIO()
    call_command("excursions", "--account", "replay", "--format", "json", *options, stdout=out, stderr=io.StringIO())
    made: dict[str, Any] = json.loads(out.getvalue())
    return made


def test_a_symbol_that_only_ticks_can_be_asked_for(desk: DataManager) -> None:
    for number in range(300):
        at = AT + (number + 30 * (number >= 200)) * SECOND
        desk.process_tick("NIFTY 50", {"ltp": 14_000 + number, "timestamp": at}, at=at)
    days = ("--from", "2021-04-12", "--to", "2021-04-12")
    made = told("--symbol", "NIFTY 50", *days)
    assert [(gap["symbol"], gap["seconds"]) for gap in made["gaps"]] == [("NIFTY 50", 31)]
    with pytest.raises(CommandError, match="nothing of it ticked") as caught:
        told("--symbol", "UNHEARD", *days)
    assert caught.value.returncode == 2


NIGHT = AT + timedelta(hours=8)  # the session of the day is over


@pytest.mark.ledger
def test_the_review_of_a_days_feeds_keeps_their_gaps_and_counts_ticks_that_came_late(desk: DataManager) -> None:
    trade(desk, 10, 50)
    measure()
    FeedGap.objects.all().delete()
    for number in range(300):
        at = AT + (number + 30 * (number >= 200)) * SECOND
        desk.process_tick("WATCHED", {"ltp": 100, "timestamp": at}, at=at)
    late = AT + 30 * SECOND
    desk.process_tick("RELIANCE", {"ltp": 900, "timestamp": late}, at=late)
    review = FeedReview()
    assert review.run_once(AT + timedelta(minutes=30)) == 0  # the newest completed session is an older one
    assert review.run_once(NIGHT) == 2
    assert {gap.symbol: (gap.ends_at - gap.starts_at).total_seconds() for gap in FeedGap.objects.all()} == {
        "RELIANCE": 21, "WATCHED": 31,
    }  # fmt: skip
    assert (Excursion.objects.get().mae, Excursion.objects.get().ticks) == (-220, 42)
    assert review.run_once(NIGHT) == 0


@pytest.mark.ledger
def test_a_review_that_finds_nothing_new_writes_nothing(desk: DataManager) -> None:
    trade(desk, 90, 200)
    measure()
    sealed, measured_at = Seal.objects.count(), Excursion.objects.get().measured_at
    assert FeedReview().run_once(NIGHT) == 1
    assert (Seal.objects.count(), Excursion.objects.get().measured_at) == (sealed, measured_at)
    amend(Trade.objects.get().pk, fill=2, price=1095, by="desk", reason="misread")
    assert FeedReview().run_once(NIGHT) == 1
    assert Excursion.objects.get().measured_at > measured_at


@pytest.mark.ledger
def test_what_a_busy_ledger_did_not_take_is_reviewed_later(desk: DataManager, monkeypatch: pytest.MonkeyPatch) -> None:
    def busy(*_: Any, **__: Any) -> Kept:
        raise LedgerBusy("busy")

    review = FeedReview()
    with monkeypatch.context() as patched, pytest.raises(LedgerBusy):
        patched.setattr(feed_review, "measure_excursions", busy)
        review.run_once(NIGHT)
    assert review.run_once(NIGHT) == 1
    assert FeedGap.objects.count() == 1


@pytest.mark.ledger
def test_a_report_tells_what_was_given_back(desk: DataManager) -> None:
    trade(desk, 90, 200, "in")
    trade(desk, 210, 260, "after")
    assert strategy_report(selection(get_account("replay")))["total"]["measured_trades"] == 0
    measure()
    for made in strategy_report(selection(get_account("replay")))["strategies"]:
        assert (made["measured_trades"], made["trades_in_feed_gaps"]) == (2, 1)
        best = sum(row.mfe for row in Excursion.objects.all())
        assert (made["avg_mfe"], made["given_back"]) == (best / 2, best - made["gross_pnl"])


@pytest.mark.ledger
def test_the_companion_measures_of_itself(desk: DataManager) -> None:
    trade(desk, 10, 50)
    companion._measure()
    assert Excursion.objects.get().ticks == 41


@pytest.mark.ledger
def test_the_companion_measures_a_corrected_trade_again_without_another_one_to_measure(desk: DataManager) -> None:
    trade(desk, 10, 50)
    companion._measure()
    desk.set_charges("T1", 3, source="contract note")
    assert companion._measure() == 0  # what a trade went through is before charges
    amend(Trade.objects.get().pk, by="meera", reason="typo", fill=1, price="1005")
    assert companion._measure() == 1
    assert Excursion.objects.get().mfe == Decimal(90)
    void(Trade.objects.get().pk, fill=2, by="meera", reason="never sent")
    assert companion._measure() == 0  # it is open again
    desk.close_position("T1", "orb", "RELIANCE", 1060, AT + 60 * SECOND)
    assert companion._measure() == 1
    assert Excursion.objects.get().mfe == Decimal(110)
    assert companion._measure() == 0


def test_ringing_does_not_make_a_part_run_that_waits_for_its_time() -> None:
    ran: list[int] = []
    part = companion.Job("slow", lambda: ran.append(1), 30.0, due_at=30.0, waits=True)
    part.run(1.0, at_once=True)
    assert ran == []
    part.run(31.0, at_once=False)
    assert ran == [1]
