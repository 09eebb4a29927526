"""The page of a trade: its chart and the same as tables, its neighbours, its review in place, its journal's proof."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils.timezone import localtime

from tests import page_desk
from tests.trading.tampering import unguarded
from tests.trading.test_stated_charges import PERSON, line, state
from tests.trading.test_trade_screen import told
from tests.trading.test_web_pages import words
from timeseries.wiring import open_reader
from trading import summon
from trading.data_manager import DataManager
from trading.domain.charge_heads import Head
from trading.errors import InvalidValue, LedgerBusy, StoreUnavailable
from trading.models import BrokeragePlan, FeedGap, Journal, Review, Trade
from trading.operations.close_position import close_position
from trading.operations.measure_excursions import measure_excursions
from trading.operations.set_brokerage_plan import set_brokerage_plan
from trading.queries.chart_marks import joined_labels
from trading.queries.trade_chart import TradeChart, trade_chart
from trading.queries.trade_list import related
from trading.web.static_files import CHART_LIBRARY
from trading.web.templatetags.velox import day as display_day

pytestmark = pytest.mark.usefixtures("ledger")

AT = datetime(2021, 4, 12, 4, 0, tzinfo=UTC)  # 09:30 at the desk
SECOND = timedelta(seconds=1)
NOW = datetime(2021, 4, 12, 12, tzinfo=UTC)
WALL = int(AT.timestamp()) + 19800  # what a clock at the desk shows, as seconds without a zone


@pytest.fixture
def dm(monkeypatch: pytest.MonkeyPatch) -> Iterator[DataManager]:
    """A short trade of five minutes among its ticks, its stop moved twice, with indicators and its signal."""
    monkeypatch.setattr(summon, "summon", lambda: None)
    with DataManager(source="test") as desk:
        for number in range(-120, 420):
            desk.process_tick("RELIANCE", {"ltp": 2450 - number / 10}, at=AT + number * SECOND)
            if not number % 30:
                at = AT + number * SECOND
                desk.cache_indicators("RELIANCE", {"ema": 2450 - number / 12, "rsi": 40 + number / 20}, at=at)
        desk.open_position(
            "T1", "orb", "RELIANCE", 2450, 10, AT, side="SHORT", stop_price=2460, target_price=2420, charges="12.5",
            signal_conditions={"ema": 2450.5},
        )  # fmt: skip
        desk.update_trailing_sl("T1", "orb", "RELIANCE", 2455, 2441, "ATR", at=AT + 90 * SECOND)
        desk.update_trailing_sl("T1", "orb", "RELIANCE", 2450, 2436, "ATR", at=AT + 150 * SECOND)
        desk.add_fill("T1", "BUY", 2440, 4, AT + 100 * SECOND)
        desk.close_position("T1", "orb", "RELIANCE", 2425, AT + 250 * SECOND, exit_reason="target")
        measure_excursions("main", open_reader())
        yield desk


def chart_of(trade_id: str, scale: str = "") -> TradeChart:
    trade = related(Trade.objects.all()).get(trade_id=trade_id)
    return trade_chart(trade, open_reader(), scale=scale, now=NOW)


@pytest.fixture
def asha(client: Client) -> Client:
    client.force_login(page_desk.member("asha"))
    return client


# -- the chart ---------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("scale", ["1s", "5s", "1m", "5m"])
def test_a_charts_times_are_whole_seconds_of_the_desks_clock_and_ascend(dm: DataManager, scale: str) -> None:
    chart = chart_of("T1", scale)
    lines = [[candle.time for candle in chart.candles], [time for time, _ in chart.stop]]
    lines += [[time for time, _ in line.points] for line in chart.indicators]
    for times in lines:
        assert times and all(isinstance(time, int) for time in times)
        assert all(earlier < later for earlier, later in pairwise(times))
    candles = {candle.time for candle in chart.candles}
    assert all(set(times) <= candles for times in lines)
    assert {mark.time for mark in chart.marks} <= candles
    assert chart.offset == "+05:30"


def test_a_chart_shows_the_prices_from_before_the_entry_to_after_the_exit(dm: DataManager) -> None:
    chart = chart_of("T1", "1m")
    first = chart.candles[0]
    assert (first.time, first.at) == (WALL - 120, AT - 120 * SECOND)
    assert (first.open, first.high, first.low, first.close) == (2462.0, 2462.0, 2456.1, 2456.1)
    assert first.ticks == 60
    assert chart.candles[-1].time == WALL + 360


def test_the_stop_is_that_in_force_at_each_candles_end(dm: DataManager) -> None:
    stops = [(time - WALL, price) for time, price in chart_of("T1", "1m").stop]
    assert stops == [(0, 2460), (60, 2455), (120, 2450), (180, 2450), (240, 2450)]


def test_the_marks_are_the_trades_own_facts(dm: DataManager) -> None:
    chart, answer = chart_of("T1", "1m"), json.loads(told("T1", "--format", "json"))
    marks = {kind: [mark for mark in chart.marks if mark.kind == kind] for kind in ("entry", "exit", "stop", "mfe")}
    assert [mark.price for mark in marks["entry"] + marks["exit"]] == [Decimal(f["price"]) for f in answer["fills"]]
    assert [mark.price for mark in marks["stop"][1:]] == [Decimal(stop["stop_price"]) for stop in answer["stops"]]
    assert marks["entry"][0].words == "Sell 10 at ₹2,450.00"
    (mfe,) = marks["mfe"]
    assert str(mfe.price) == answer["excursion"]["mfe_price"]
    assert [mark.at for mark in chart.marks] == sorted(mark.at for mark in chart.marks)
    assert (marks["exit"][0].time, chart.target) == (WALL + 60, 2420)


def test_indicators_are_lines_and_their_last_numbers_at_entry_and_exit(dm: DataManager) -> None:
    ema, rsi = chart_of("T1", "1m").indicators
    assert (ema.name, ema.is_price, ema.at_entry, ema.at_exit) == ("ema", True, 2450.0, 2450 - 240 / 12)
    assert (rsi.name, rsi.is_price, rsi.at_entry) == ("rsi", False, 40.0)
    assert dict(ema.points)[WALL] == 2450 - 30 / 12  # the last of its minute


def test_a_scale_that_would_draw_too_many_candles_is_refused(dm: DataManager, asha: Client) -> None:
    trade = Trade.objects.get()
    dm.open_position("held", "orb", "RELIANCE", 2440, 1, AT - timedelta(days=200))
    with pytest.raises(InvalidValue, match="1s"):
        chart_of("held", "1s")
    answer = asha.get(f"/trades/{trade.pk}/chart/?scale=2w")
    assert (answer.status_code, "scale" in answer.json()["error"]) == (400, True)
    assert asha.get(f"/trades/{trade.pk}/prices/?scale=2w").status_code == 200


def test_the_endpoint_says_what_the_query_says(dm: DataManager, asha: Client) -> None:
    trade = Trade.objects.get()
    drawn = asha.get(f"/trades/{trade.pk}/chart/?scale=1m").json()
    chart = chart_of("T1", "1m")
    assert drawn == json.loads(json.dumps(chart.as_dict()))
    assert [bar["time"] for bar in drawn["candles"]] == [candle.time for candle in chart.candles]
    assert {mark["kind"] for mark in drawn["marks"]} == {"signal", "entry", "exit", "mae", "mfe"}


def test_marks_stand_where_the_side_says_and_a_gap_has_one(dm: DataManager) -> None:
    short = Trade.objects.get()
    FeedGap.objects.create(
        account=short.account, symbol="RELIANCE", day=AT.date(), starts_at=AT + 30 * SECOND, ends_at=AT + 55 * SECOND
    )
    marks = {mark.kind: mark for mark in chart_of("T1", "1m").marks}
    below = {kind for kind, mark in marks.items() if mark.is_below}
    assert below == {"signal", "exit", "mfe"}  # a short sells above, buys back below, and what falls is in its favour
    assert (marks["gap"].words, marks["gap"].time) == ("No ticks for 0:00:25", WALL)


def test_marks_that_stand_together_share_their_words(dm: DataManager) -> None:
    """The library would write them over each other. A wide chart has room for each; what happened stays a mark."""
    chart = chart_of("T1", "1m")
    marks = [mark for mark in chart.marks if mark.label]
    assert [mark.label for mark in marks] == ["Signal", "Sell 10", "MAE", "Buy 4", "Buy 6", "MFE"]
    wide, narrow = chart.candles, [*chart.candles, *(replace(chart.candles[-1], time=n) for n in range(90))]
    assert joined_labels(marks, wide) == ["Signal", "Sell 10 · MAE", "", "Buy 4", "Buy 6 · MFE", ""]
    assert joined_labels(marks, narrow) == ["Signal · Buy 4 · Buy 6 · 1 more", "Sell 10 · MAE", "", "", "", ""]
    drawn = chart.as_dict()["marks"]
    assert isinstance(drawn, list)
    assert [mark["text"] for mark in drawn if isinstance(mark, dict)] == joined_labels(marks, wide)


def test_a_chart_draws_eight_indicators_and_counts_the_others(dm: DataManager, asha: Client) -> None:
    dm.cache_indicators("RELIANCE", {f"line{number}": 2440.0 for number in range(9)}, at=AT)
    dm.flush(60)
    drawn = asha.get(f"/trades/{Trade.objects.get().pk}/chart/?scale=1m").json()
    assert len(drawn["indicators"]) == 8
    assert drawn["indicators_left_out"] == len(chart_of("T1", "1m").indicators) - 8 == 3


def test_a_store_that_is_away_is_said(dm: DataManager, asha: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise StoreUnavailable("The store does not answer.")

    monkeypatch.setattr("trading.web.trade.trade_chart", refuse)
    pk = Trade.objects.get().pk
    answer = asha.get(f"/trades/{pk}/chart/")
    assert (answer.status_code, answer.json()) == (503, {"error": "The store does not answer."})
    assert "The store does not answer." in asha.get(f"/trades/{pk}/prices/").content.decode()
    assert asha.get(f"/trades/{pk}/").status_code == 200  # the ledger tells a trade without the store


def test_the_tables_say_what_the_chart_shows(dm: DataManager, asha: Client) -> None:
    trade = Trade.objects.get()
    FeedGap.objects.create(
        account=trade.account, symbol="RELIANCE", day=AT.date(), starts_at=AT + 30 * SECOND, ends_at=AT + 55 * SECOND
    )
    page = words(asha.get(f"/trades/{trade.pk}/prices/?scale=1m").content.decode())
    for shown in (
        "Sell 10 at ₹2,450.00", "Stop ₹2,455.00", "MFE +₹", "Signal taken", "Target ₹2,420.00",
        "12 Apr 2021 09:30:00 ₹2,450.00 ₹2,450.00 ₹2,444.10 ₹2,444.10 60 ₹2,460.00",
        "ema 2450 2430", "12 Apr 2021 09:30:30 No ticks for 0:00:25",
    ):  # fmt: skip
        assert shown in page, shown


def test_a_trade_without_ticks_says_where_they_would_come_from(asha: Client) -> None:
    page_desk.trades(1)
    page = words(asha.get(f"/trades/{Trade.objects.get().pk}/prices/").content.decode())
    assert "No ticks of M&M are kept" in page and "Stop ₹" in page


def test_the_desk_without_the_package_of_charts_shows_the_way_to_it(
    asha: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    page_desk.trades(1)
    address = f"/trades/{Trade.objects.get().pk}/"
    assert 'id="chart"' in asha.get(address).content.decode()
    monkeypatch.setattr("trading.web.static_files.finders.find", lambda _: None)
    page = asha.get(address).content.decode()
    assert 'id="chart"' not in page and "pip install -r requirements.txt" in page and "trade_chart.js" not in page
    assert re.search(r'aria-labelledby="chart-title">\s*<table>', page) and "Stop ₹" in words(page)


def test_the_library_of_charts_is_the_one_that_was_looked_at(asha: Client) -> None:
    answer = asha.get(f"/static/{CHART_LIBRARY.name}")
    digest = base64.b64encode(hashlib.sha384(answer.content).digest()).decode()
    assert CHART_LIBRARY.integrity == f"sha384-{digest}"
    assert b"TradingView Lightweight Charts" in answer.content[:200]


# -- what stands around it ---------------------------------------------------------------------------------------------
def test_charges_stand_line_by_line_and_add_up(dm: DataManager, asha: Client) -> None:
    trade = Trade.objects.get()
    assert "Charges by line" not in asha.get(f"/trades/{trade.pk}/").content.decode()
    set_brokerage_plan("main", "zerodha", AT.date())
    assert BrokeragePlan.objects.count() == 1
    out = json.loads(told("T1", "--format", "json"))
    page = asha.get(f"/trades/{trade.pk}/")
    lines = page.context["charges"].lines
    assert {str(line.head) for line in lines} >= {"stt", "gst", "exchange"}
    assert sum(line.estimated for line in lines) == Decimal(out["charges_estimated"])
    state(line(Head.STT, "3", PERSON, day=AT.date(), last_day=AT.date()))
    (stt,) = [line for line in asha.get(f"/trades/{trade.pk}/").context["charges"].lines if str(line.head) == "stt"]
    assert (stt.stated, stt.source) == (3, "person")


@pytest.mark.ledger
def test_the_neighbours_are_those_of_the_filter(asha: Client) -> None:
    page_desk.trades(6)
    pks = dict(Trade.objects.order_by("opened_at").values_list("trade_id", "pk"))
    page = asha.get(f"/trades/{pks['T3']}/?side=LONG").content.decode()
    assert f'rel="next" href="/trades/{pks["T2"]}/?side=LONG"' in page
    assert f'rel="prev" href="/trades/{pks["T4"]}/?side=LONG"' in page
    plain = asha.get(f"/trades/{pks['T6']}/").content.decode()
    assert f'rel="next" href="/trades/{pks["T5"]}/"' in plain and 'rel="prev"' not in plain


REVIEW = {"rating": "4", "tags": "patient, by the plan", "mistakes": "", "notes": "one\r\ntwo", "done": "on"}


def test_a_review_is_kept_in_place_and_leads_to_the_next(client: Client) -> None:
    page_desk.trades(4)
    client.force_login(page_desk.member("reviewer"))
    pks = dict(Trade.objects.values_list("trade_id", "pk"))
    address = f"/trades/{pks['T3']}/review/?review=to_review"
    answer = client.post(address, REVIEW)
    assert answer["Location"] == f"/trades/{pks['T3']}/?review=to_review"
    kept = Review.objects.get(trade=pks["T3"])
    assert (kept.rating, kept.tags, kept.notes, kept.state) == (4, ["patient", "by the plan"], "one\ntwo", "DONE")
    assert kept.reviewed_by is not None and kept.reviewed_by.username == "reviewer"
    answer = client.post(address, {**REVIEW, "next": "1"})
    assert answer["Location"] == f"/trades/{pks['T2']}/?review=to_review"
    last = client.post(f"/trades/{pks['T1']}/review/", {**REVIEW, "next": "1"})
    assert last["Location"] == f"/trades/{pks['T1']}/"


def test_a_review_that_cannot_be_kept_is_said_and_what_was_typed_stays(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    page_desk.trades(1)
    client.force_login(page_desk.member("reviewer"))
    address = f"/trades/{Trade.objects.get().pk}/review/"
    page = client.post(address, {**REVIEW, "tags": "back\\slash"}).content.decode()
    assert "errorlist" in page and "back\\slash" in page

    def refuse(*_: Any, **__: Any) -> None:
        raise LedgerBusy("The ledger could not be written.", hint="Nothing was written: call again.")

    monkeypatch.setattr("trading.web.trade.review_trade", refuse)
    page = client.post(address, REVIEW).content.decode()
    assert "The ledger could not be written." in page and "by the plan" in page
    assert not Review.objects.exists()


def test_only_those_who_may_review_can_and_are_asked_to(client: Client) -> None:
    page_desk.trades(1)
    pk = Trade.objects.get().pk
    client.force_login(page_desk.member("viewer"))
    assert (
        "form" not in client.get(f"/trades/{pk}/").content.decode().partition('id="review"')[2].partition("<dialog")[0]
    )
    assert client.post(f"/trades/{pk}/review/", REVIEW).status_code == 403
    assert not Review.objects.exists()


@pytest.mark.ledger
def test_the_journals_rows_stand_with_their_proof_and_a_changed_one_is_named(asha: Client) -> None:
    page_desk.trades(2)
    trade = Trade.objects.get(trade_id="T1")
    address = f"/trades/{trade.pk}/journal/"
    page = asha.get(address)
    rows = page.context["rows"]
    assert [proved.row.operation for proved in rows] == ["open_position", "update_trailing_sl", "close_position"]
    assert [proved.fault for proved in rows] == ["", "", ""]
    with unguarded() as cursor:
        cursor.execute(
            "UPDATE trading_journal SET body = replace(body, '11.8', '1.18') WHERE id = %s", [rows[0].row.pk]
        )
    assert [proved.fault for proved in asha.get(address).context["rows"]] == [
        "its text is not what was written",
        "",
        "",
    ]
    last = Journal.objects.order_by("sequence").last()
    assert last is not None
    with unguarded() as cursor:
        cursor.execute("DELETE FROM trading_journal WHERE id = %s", [last.pk])
    other = Trade.objects.get(trade_id="T2")
    faults = [proved.fault for proved in asha.get(f"/trades/{other.pk}/journal/").context["rows"]]
    assert faults[-1] == "it is the last row, and the journal ends with another one"


def test_the_log_lines_of_a_trade_are_brought_on_demand(asha: Client, tmp_path: Path, settings: Any) -> None:
    page_desk.trades(2)
    trade = Trade.objects.get(trade_id="T1")
    settings.LOG_DIR = folder = tmp_path
    at = trade.recorded_at + SECOND
    event = {"timestamp": at.isoformat(), "level": "INFO", "logger": "trade", "message": "went <b>in</b>"}
    lines = [{**event, "context": {"trade_id": name}} for name in ("T1", "T2")]
    file = folder / f"velox-{at:%Y-%m-%d}.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in lines))
    page = asha.get(f"/trades/{trade.pk}/log/").content.decode()
    assert page.count("went &lt;b&gt;in&lt;/b&gt;") == 1
    file.unlink()
    assert "names trade T1" in words(asha.get(f"/trades/{trade.pk}/log/").content.decode())


def test_a_trades_pages_ask_a_fixed_number_of_questions(dm: DataManager, asha: Client) -> None:
    dm.open_position("T2", "orb", "RELIANCE", 2440, 100, AT + 300 * SECOND, stop_price=2430)
    for number in range(1, 9):
        dm.add_fill("T2", "SELL", 2441, 10, AT + (300 + number) * SECOND)
        dm.update_trailing_sl("T2", "orb", "RELIANCE", 2430 + number, 2441, "ATR", at=AT + (300 + number) * SECOND)
    for part, most in (("", 21), ("chart/", 16), ("prices/", 17), ("journal/", 12)):
        counts = []
        for trade in Trade.objects.order_by("pk"):
            asha.get(f"/trades/{trade.pk}/{part}")
            with CaptureQueriesContext(connection) as captured:
                asha.get(f"/trades/{trade.pk}/{part}")
            counts.append(len(captured))
        assert len(set(counts)) == 1 and counts[0] <= most, (part, counts)


def test_what_happened_on_another_day_than_the_opening_has_its_date(client: Client) -> None:
    page_desk.open_trade()
    later = page_desk.OPENING + timedelta(days=3)
    close_position("main", "held", "ema_cross", "RELIANCE", exit_price=2470, exit_time=later)
    client.force_login(page_desk.member("viewer"))
    trade = Trade.objects.get(trade_id="held")
    text = client.get(f"/trades/{trade.pk}/").content.decode()
    closed = localtime(later)
    assert text.count(f"{display_day(closed.date())} {closed:%H:%M:%S}</time>") == 3  # the tile, the fill, the facts
    assert f">{localtime(trade.opened_at):%H:%M:%S}</time> – <time" in text
    shown = client.get(f"/?day={closed:%Y-%m-%d}").content.decode()
    assert f'</time><span class="under">{display_day(trade.trading_day)}</span>' in shown
    assert 'class="under">15 Mar' not in client.get("/?day=2024-03-15").content.decode()
