"""Fills whose time of day nobody told, and fills that are a settlement: how they are booked, counted and shown."""

from __future__ import annotations

import io
import json
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pyarrow.parquet as pq
import pytest
from django.core.management import call_command
from django.test import Client

from tests.trading.book import AT, MINUTE, opened, row
from trading import transactions
from trading.bookkeeping import booking, journal, opening, references
from trading.bookkeeping.booking import NewFill, Seen
from trading.domain.cuts import NONE
from trading.management.parquet import to_parquet
from trading.models import Fill, Trade, User
from trading.operations.amend import amend
from trading.operations.close_position import close_position
from trading.pages.export_text import rows_of
from trading.proof.verify import verify_ledger
from trading.queries import fill_export, trade_export
from trading.queries.accounts import get_account
from trading.queries.excursions import accounts_unmeasured, unmeasured
from trading.queries.reports import selection, strategy_report
from trading.queries.statistics import account_stats
from trading.queries.trade_list import trade_row
from trading.queries.trades import find_trade

pytestmark = pytest.mark.usefixtures("ledger", "proved")

DAY, HELD = date(2024, 3, 15), 20 * MINUTE
OPENS = AT - timedelta(minutes=15)  # 09:15 at the exchange
NOW = AT + timedelta(days=1)


def booked(trade_id: str, *fills: tuple[str, str, int], **marks: Any) -> Trade:
    """Book fills (side, price, quantity) in their order, as an importer does of a file without clocks."""
    marks = {"is_day_only": True, **marks}
    new = [
        NewFill(Decimal(price), Decimal(quantity), OPENS + timedelta(microseconds=place), **marks)
        for place, (_, price, quantity) in enumerate(fills)
    ]
    with transactions.writing():
        account, head = journal.lock_account("main")
        instrument, strategy = references.instrument_of("RELIANCE", account), references.strategy_of("imported")
        names = (account, strategy, instrument, trade_id, "LONG", new[0])
        trade = opening.new_trade(*names, stop=None, target=None, now=NOW)
        body = {"stop_price": None, "target_price": None, **booking.book(trade, "BUY", new[0], now=NOW)}
        journal.append(account, "open_position", {"trade": booking.trade_body(trade), **body}, now=NOW, head=head)
    for (side, _, _), fill in zip(fills[1:], new[1:], strict=True):
        added(trade_id, side, fill)
    return row(trade_id)


def added(trade_id: str, side: str, new: NewFill) -> None:
    """Book one more fill on an open trade."""
    with transactions.writing():
        account, head = journal.lock_account("main")
        trade = find_trade(account, trade_id)
        seen = Seen.of(trade)
        body = booking.book(trade, side, new, now=NOW)
        booking.keep(trade, seen)
        journal.append(account, "add_fill", {"trade": booking.trade_body(trade), **body}, now=NOW, head=head)


@pytest.mark.ledger
class TestDayOnly:
    def test_it_is_marked_and_its_order_kept(self) -> None:
        trade = booked("T1", ("BUY", "100", 10), ("SELL", "101", 4), ("SELL", "102", 6))
        assert (trade.state, trade.realised_pnl, trade.flags) == ("CLOSED", Decimal(16), ["day_only"])
        assert [fill.is_day_only for fill in trade.fills.order_by("sequence")] == [True] * 3
        assert verify_ledger().ok

    def test_it_has_no_hour_no_time_held_and_no_excursion(self) -> None:
        booked("T1", ("BUY", "100", 10), ("SELL", "101", 10))
        account = get_account("main")
        report = strategy_report(selection(account, first=DAY.isoformat(), last=DAY.isoformat()))
        assert [part["key"] for part in report["by"]["hour"]] == [NONE]
        assert [part["key"] for part in report["by"]["holding"]] == [NONE]
        assert [part["key"] for part in report["by"]["weekday"]] == ["Friday"]
        assert report["total"]["avg_holding_seconds"] is None and report["total"]["total_trades"] == 1
        assert account_stats(account, None, now=NOW)["avg_holding_seconds"] is None
        assert trade_row(row()).held_seconds is None
        assert not unmeasured(account).exists() and accounts_unmeasured() == []

    def test_beside_others_the_mean_is_theirs(self) -> None:
        booked("T1", ("BUY", "100", 10), ("SELL", "101", 10))
        opened("T2")
        close_position("main", "T2", None, "RELIANCE", exit_price=2460, exit_time=AT + HELD)
        account = get_account("main")
        report = strategy_report(selection(account, first=DAY.isoformat(), last=DAY.isoformat()))
        assert report["total"]["avg_holding_seconds"] == HELD.total_seconds()
        assert account_stats(account, None, now=NOW)["avg_holding_seconds"] == HELD.total_seconds()
        assert [part["key"] for part in report["by"]["hour"]] == ["09:00", NONE]
        assert [trade.trade_id for trade in unmeasured(account)] == ["T2"]
        assert accounts_unmeasured() == ["main"]

    def test_as_it_was_known_it_has_none_either(self) -> None:
        booked("T1", ("BUY", "100", 10), ("SELL", "101", 10))
        amend(row().pk, fill=2, price="101.5", by="asha", reason="typing error")
        account = get_account("main")
        chosen = selection(account, first=DAY.isoformat(), last=DAY.isoformat(), known_at=NOW + MINUTE)
        report = strategy_report(chosen)
        assert report["total"]["avg_holding_seconds"] is None
        assert [part["key"] for part in report["by"]["hour"]] == [NONE]

    def test_a_person_who_knows_the_time_tells_it(self) -> None:
        trade = booked("T1", ("BUY", "100", 10), ("SELL", "101", 10))
        for sequence, at in ((2, AT + HELD), (1, AT)):
            amend(trade.pk, fill=sequence, at=at, by="asha", reason="the order book says so")
        assert row().flags == ["corrected"]
        assert account_stats(get_account("main"), None, now=NOW)["avg_holding_seconds"] == HELD.total_seconds()
        assert unmeasured(get_account("main")).exists()
        assert verify_ledger().ok


class TestShown:
    def test_exports_show_the_date(self) -> None:
        booked("T1", ("BUY", "100", 10), ("SELL", "101", 10))
        trades = dict(
            zip(trade_export.HEADER, next(rows_of(next(trade_export.export_blocks(Trade.objects.all())))), strict=True)
        )
        assert (trades["opened_at"], trades["closed_at"]) == (DAY, DAY)
        rows = list(fill_export.fill_rows(Trade.objects.all()))
        fills = [dict(zip(fill_export.HEADER, cells, strict=True)) for cells in rows]
        assert [(fill["opened_at"], fill["at"]) for fill in fills] == [(DAY, DAY)] * 2
        table = pq.read_table(io.BytesIO(to_parquet(fill_export.HEADER, rows, fill_export.KINDS)))
        assert table.column("at").to_pylist() == [None, None]
        assert table.column("trading_day").to_pylist() == [DAY, DAY]

    def test_commands_and_pages_show_no_clock(self, client: Client, capsys: Any) -> None:
        trade = booked("T1", ("BUY", "100", 10), ("SELL", "101", 10))
        call_command("trade_export", "--fills", format="csv")
        assert "2024-03-15," in capsys.readouterr().out
        call_command("trade_export", format="json")
        (told,) = json.loads(capsys.readouterr().out)["trades"]
        assert (told["opened_at"], told["closed_at"]) == ("2024-03-15", "2024-03-15")
        client.force_login(User.objects.create_superuser("asha"))
        places = (
            f"/trades/{trade.pk}/",
            "/trades/",
            "/admin/trading/trade/",
            f"/admin/trading/trade/{trade.pk}/change/",
        )
        for place in places:
            page = client.get(place).content.decode()
            assert "09:15:00" not in page, place
            assert "15 Mar" in page, place


@pytest.mark.ledger
class TestSettlement:
    def test_a_part_that_expired_is_no_sale_at_a_price(self) -> None:
        booked("T1", ("BUY", "100", 10), is_day_only=False)
        added("T1", "SELL", NewFill(Decimal(0), Decimal(4), AT, settlement="expired"))
        assert row().flags == ["price_zero"], "and no likely slip"
        assert row().realised_pnl == -400
        closed = close_position(
            "main", "T1", None, "RELIANCE", exit_price=90, exit_time=AT + MINUTE, exit_reason="stop"
        )
        assert "price_zero_unexplained" not in closed.flags
        assert [fill.settlement for fill in Fill.objects.order_by("sequence")] == ["", "expired", ""]
        amend(row().pk, fill=3, price=91, by="asha", reason="typing error")
        assert "price_zero_unexplained" not in row().flags
        assert verify_ledger().ok
        cells = [
            dict(zip(fill_export.HEADER, cells, strict=True)) for cells in fill_export.fill_rows(Trade.objects.all())
        ]
        assert [fill["settlement"] for fill in cells] == ["", "expired", ""]
