"""`manage.py charges` and `manage.py charge_schedule`, on a ledger of a few trades."""

from __future__ import annotations

import io
import json
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from tests.trading.book import AT, closed, filled, opened, row
from trading.domain.charge_heads import FillKind, Segment
from trading.models import Instrument, User
from trading.operations.amend import amend
from trading.operations.void import void
from trading.queries.charge_estimates import charged_of, segment_of

HEADS = ["brokerage", "stt", "ctt", "exchange", "ipft", "sebi", "stamp", "gst", "dp"]


def answer(*args: str, exit_code: int = 0) -> dict[str, Any]:
    """Return a command's JSON; it ends with this exit code."""
    out = io.StringIO()
    try:
        call_command(*args, "--format", "json", stdout=out, stderr=io.StringIO())
    except SystemExit as end:
        assert end.code == exit_code
    else:
        assert exit_code == 0
    return dict(json.loads(out.getvalue()))


@pytest.mark.ledger
def test_a_day_is_told_head_by_head(ledger: Any) -> None:
    """10 at 2450.05 and 2465: turnover 49,150.50, average 2457.53 (rounded to the paisa)."""
    opened(order_id="A")
    closed(order_id="B")
    body = answer("charges", "--plan", "zerodha")
    assert [body[name] for name in ("account", "currency", "plan", "from", "to")] == [
        *("main", "INR", "zerodha", "2024-03-15", "2024-03-15"),
    ]  # fmt: skip
    (day,) = body["days"]
    assert (day["date"], day["segment"], day["exchange"]) == ("2024-03-15", "equity", "NSE")
    assert list(day["heads"]) == HEADS
    assert day["heads"] == {
        "brokerage": "14.75", "stt": "6", "ctt": "0", "exchange": "1.58", "ipft": "0.05", "sebi": "0.05",
        "stamp": "1", "gst": "2.96", "dp": "0",
    }  # fmt: skip
    assert day["source"] == dict.fromkeys(HEADS, "estimate")
    assert day["sure"]["exchange"] == "?"  # the rate of March 2024 is not settled
    assert day["total"] == body["total"] == str(sum(map(Decimal, day["heads"].values())))


def test_without_a_plan_the_total_is_open_and_the_exit_says_so(ledger: Any) -> None:
    opened()
    closed()
    body = answer("charges", exit_code=1)
    (day,) = body["days"]
    assert (day["heads"]["brokerage"], day["heads"]["gst"], day["total"], body["total"]) == (None, None, None, None)
    assert "brokerage" not in day["source"]
    assert {finding["head"] for finding in body["findings"]} >= {"brokerage", "gst"}


@pytest.mark.ledger
def test_estimates_leave_the_ledger_alone(ledger: Any) -> None:
    opened()
    closed()
    answer("charges", "--plan", "zerodha")
    assert row().charges is None


@pytest.mark.ledger
def test_a_position_over_night_is_delivery_and_a_sale_pays_the_depository(ledger: Any) -> None:
    opened(order_id="A")
    closed(exit_time=AT + timedelta(days=3), order_id="B")
    bought, sold = answer("charges", "--plan", "zerodha")["days"]
    assert (bought["date"], sold["date"]) == ("2024-03-15", "2024-03-18")
    assert (bought["heads"]["stt"], sold["heads"]["stt"]) == ("25", "25")
    assert (bought["heads"]["dp"], sold["heads"]["dp"]) == ("0", "15.93")
    (alone,) = answer("charges", "--plan", "zerodha", "--from", "2024-03-18")["days"]
    assert alone == sold


@pytest.mark.ledger
def test_trades_of_two_strategies_are_matched_within_the_day(ledger: Any) -> None:
    opened("T1", order_id="A")
    opened("T2", strategy_id="another", side="SHORT", entry_price="2460", order_id="B")
    (day,) = answer("charges", "--plan", "zerodha")["days"]
    assert (day["heads"]["stt"], day["heads"]["dp"]) == ("6", "0")


@pytest.mark.ledger
def test_corrections_are_read_and_void_trades_are_not(ledger: Any) -> None:
    opened("T1", order_id="A")
    closed("T1", order_id="B")
    opened("T2", order_id="C")
    void(row("T2").pk, by="lena", reason="never was")
    amend(row("T1").pk, fill=2, price="2500.05", by="lena", reason="misread")
    amend(row("T1").pk, fill=1, at=AT - timedelta(days=1), by="lena", reason="the day before")
    bought, sold = answer("charges", "--plan", "zerodha")["days"]
    assert (bought["date"], sold["date"]) == ("2024-03-14", "2024-03-15")
    assert sold["heads"]["stt"] == "25"
    (moved,) = answer("charges", "--plan", "zerodha", "--from", "2024-03-14", "--to", "2024-03-14")["days"]
    assert moved == bought


@pytest.mark.ledger
def test_a_trades_estimate_stands_beside_its_charges(ledger: Any, client: Any) -> None:
    opened("T1", order_id="A")
    closed("T1", order_id="B")
    opened("T2", strategy_id="another", order_id="C", entry_price="2450.05")
    assert [row["charges_estimated"] for row in answer("trade_export")["trades"]] == [None, None]
    call_command("account", "plan", "main", "zerodha", "--date", "2024-03-15", stdout=io.StringIO())
    rows = answer("trade_export")["trades"]
    assert [row["charges"] for row in rows] == [None, None]
    estimates = [Decimal(row["charges_estimated"]) for row in rows]
    assert sum(estimates) == Decimal(answer("charges")["total"])
    life = answer("trade", "T1")
    assert (life["charges"], life["charges_estimated"]) == (None, str(estimates[0]))
    screen = io.StringIO()
    call_command("trade", "T1", stdout=screen, stderr=io.StringIO())
    assert "charges not known (estimated" in screen.getvalue()
    client.force_login(User.objects.create_superuser("asha"))
    assert b"estimate" in client.get(f"/trades/{row('T1').pk}/").content


def test_a_foreign_venue_is_in_no_segment(ledger: Any) -> None:
    opened("T9")
    Instrument.objects.filter(symbol="RELIANCE").update(kind="CRYPTO")
    body = answer("charges", "--plan", "zerodha", exit_code=1)
    (day,) = body["days"]
    assert (day["segment"], set(day["heads"].values()), day["total"]) == (None, {None}, None)
    assert "has no segment" in body["findings"][0]["text"]


def test_an_option_is_charged_as_one_and_one_that_left_at_nought_expired(ledger: Any) -> None:
    opened("T1", symbol="NFO:NIFTY24MAR22000CE", entry_price="100", quantity=50, order_id="A")
    filled("SELL", 0, 50, "T1")
    trade = row("T1")
    assert segment_of(trade.instrument) == Segment.OPTIONS
    entry, expiry = charged_of(trade)
    assert (entry.kind, expiry.kind, entry.group) == (FillKind.TRADE, FillKind.EXPIRY, "NIFTY")
    (day,) = answer("charges", "--plan", "zerodha")["days"]
    assert (day["heads"]["brokerage"], day["heads"]["stt"]) == ("20", "0")


def test_table_and_csv_have_the_same_days(ledger: Any) -> None:
    opened(order_id="A")
    closed(order_id="B")
    table, sheet = io.StringIO(), io.StringIO()
    call_command("charges", "--plan", "zerodha", stdout=table, stderr=io.StringIO())
    call_command("charges", "--plan", "zerodha", "--format", "csv", stdout=sheet, stderr=io.StringIO())
    assert "14.75" in table.getvalue()
    titles = next(line for line in table.getvalue().splitlines() if "Segment" in line).strip("┃ ").split("┃")
    assert [title.strip() for title in titles][2:7] == ["Market", "Brokerage", "STT", "CTT", "Exchange"]
    assert len(set(titles)) == len(titles)
    assert "Not settled (?): Exchange" in table.getvalue()
    head, line = sheet.getvalue().splitlines()
    assert head == f"date,segment,market,{','.join(HEADS)},total,source"
    assert line.startswith("2024-03-15,equity,NSE,14.75,6,0,1.58,")


@pytest.mark.parametrize("args", [("--plan", "free"), ("--account", "nobody"), ("--from", "soon")])
def test_what_cannot_be_read_ends_with_2(ledger: Any, args: tuple[str, str]) -> None:
    with pytest.raises(CommandError) as refused:
        answer("charges", *args)
    assert refused.value.returncode == 2


def test_an_empty_ledger_costs_nothing(ledger: Any) -> None:
    body = answer("charges")
    assert (body["days"], body["total"], body["from"]) == ([], "0", None)


def test_the_schedule_shows_the_rates_of_a_day(ledger: Any) -> None:
    body = answer("charge_schedule", "--on", "2026-03-31", "--check")
    assert (body["on"], body["faults"]) == ("2026-03-31", [])
    rates = {(row["line"], row["segment"], row["base"]): row["rate"] for row in body["rows"]}
    assert rates["stt", "options", "turnover"] == "0.1"
    later = answer("charge_schedule", "--on", "2026-04-01")
    rates = {(row["line"], row["segment"], row["base"]): row["rate"] for row in later["rows"]}
    assert (rates["stt", "options", "turnover"], later["faults"]) == ("0.15", None)
    assert all(row["source"] for row in later["rows"])
