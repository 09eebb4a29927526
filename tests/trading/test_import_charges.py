"""Charges that brokers' files state: recorded by day and head, and brought to the trades whatever came first."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from itertools import permutations
from typing import Any

import pytest

from tests.trading.book import snapshot
from tests.trading.statements import DAY, future, line, statement
from trading.bookkeeping.import_trial import ImportTrial
from trading.brokers.stated import charge_statements
from trading.brokers.values import ChargeLine, Head, Place, Segment, Statement
from trading.domain.stated_charges import ChargeSource
from trading.models import Correction, DayTotal, Journal, StatedCharge, Trade
from trading.operations.amend import amend
from trading.operations.import_charges import import_charges
from trading.operations.import_fills import import_fills
from trading.operations.spread_charges import spread_charges
from trading.operations.void import void
from trading.proof.verify import verify_ledger
from trading.queries.accounts import get_account
from trading.queries.stated_charges import charged_days, charges_replaced

ledger = [pytest.mark.ledger, pytest.mark.usefixtures("ledger")]
FILE, NOTE = ChargeSource.FILE, ChargeSource.NOTE


def charge(head: Head, amount: str, segment: Segment | None = Segment.EQUITY, **more: Any) -> ChargeLine:
    fields = {"place": Place("made.csv", "", 1), "day": DAY, "last_day": DAY} | more
    return ChargeLine(head=head, amount=Decimal(amount), segment=segment, **fields)


def with_charges(*charges: ChargeLine, fills: Iterable[Any] = (), name: str = "c") -> Statement:
    return replace(statement(fills), charges=charges, sha256=name * 64)


def stated(source: ChargeSource, told: Statement) -> list[tuple[str, str, str]]:
    return [(row.segment, str(row.head), str(row.amount)) for row in charge_statements(told, source)]


def test_rows_of_a_day_segment_and_head_are_added_up() -> None:
    rows = (charge(Head.STT, "1.25"), charge(Head.STT, "2"), charge(Head.GST, "-0.5"))
    assert stated(FILE, with_charges(*rows)) == [("equity", "gst", "-0.5"), ("equity", "stt", "3.25")]
    assert stated(NOTE, with_charges(*rows)) == []


def test_sums_are_rounded_to_what_the_ledger_holds() -> None:
    rows = (charge(Head.STT, "0.361764975"), charge(Head.STT, "1"), charge(Head.GST, "-0.000000006"))
    assert stated(FILE, with_charges(*rows)) == [("equity", "gst", "-1E-8"), ("equity", "stt", "1.36176498")]


def test_what_the_rows_of_fills_state_joins_the_lines() -> None:
    fills = [line("1", "BUY", 5, charges={Head.STT: Decimal(3)}), line("2", "SELL", 5, charges={Head.STT: Decimal(4)})]
    told = with_charges(charge(Head.BROKERAGE, "20"), fills=fills)
    assert stated(FILE, told) == [("equity", "brokerage", "20"), ("equity", "stt", "7")]
    assert stated(FILE, with_charges(fills=fills)) == []  # without lines they are the fills' own


def test_what_cannot_be_brought_to_fills_without_guessing_is_left_out() -> None:
    month = {"last_day": DAY + timedelta(days=30)}
    contract = line("1", "BUY", 5).instrument
    assert stated(FILE, with_charges(charge(Head.STT, "9", None, **month))) == []
    assert stated(FILE, with_charges(charge(Head.STT, "9", instrument=contract, **month))) == []
    assert stated(FILE, with_charges(charge(Head.STT, "9", **month))) == [("equity", "stt", "9")]
    whole, part = charge(Head.STT, "9", None, on_note=True), charge(Head.STT, "4", on_note=True)
    assert stated(NOTE, with_charges(whole)) == [("", "stt", "9")]
    assert stated(NOTE, with_charges(whole, part)) == [("equity", "stt", "4")]


def test_ipft_is_in_an_exchanges_charge_that_stands_alone() -> None:
    alone, beside = charge(Head.EXCHANGE, "30.80"), [charge(Head.EXCHANGE, "29.80"), charge(Head.IPFT, "1")]
    assert stated(FILE, with_charges(alone)) == [("equity", "exchange", "30.80"), ("equity", "ipft", "0")]
    assert stated(FILE, with_charges(*beside)) == [("equity", "exchange", "29.80"), ("equity", "ipft", "1")]


@pytest.mark.ledger
@pytest.mark.usefixtures("ledger")
def test_no_estimate_of_ipft_is_added_to_a_charge_that_holds_it() -> None:
    """In February 2026 NSE took 10 rupees a crore for IPFT, which Dhan and Upstox count among the exchange's charge."""
    february = -110  # days before `DAY`
    days = {"day": DAY + timedelta(days=february), "last_day": DAY + timedelta(days=february)}
    fills = [line("1", "BUY", 1000, 5000, day=february), line("2", "SELL", 1000, 5010, day=february)]
    bring(statement(fills), with_charges(charge(Head.EXCHANGE, "307.31", on_note=True, **days)))
    (day,), _ = charged_days(get_account("main"), *days.values())
    assert [day.heads[Head.EXCHANGE], day.heads[Head.IPFT]] == [Decimal("307.31"), 0]
    assert [day.sources[Head.EXCHANGE], day.sources[Head.IPFT]] == ["note", "note"]


def bring(*statements: Statement) -> None:
    for each in statements:
        import_fills("main", each)
        import_charges("main", each)


def shape() -> list[tuple[Any, ...]]:
    trades = Trade.objects.exclude(state="VOID").order_by("trade_id")
    return [(row.trade_id, row.state, row.realised_pnl, row.charges) for row in trades]


@pytest.mark.ledger
@pytest.mark.usefixtures("ledger")
@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_fills_and_charges_in_any_order_end_the_same(order: tuple[int, ...]) -> None:
    """Two overlapping tradebooks and the note of their day."""
    fills = [
        line("1", "BUY", 10, 100),
        line("2", "SELL", 10, 104),
        line("3", "BUY", 20, 102),
        line("4", "SELL", 20, 103),
    ]
    files = [
        statement(fills[:2]),
        statement(fills[1:]),
        with_charges(charge(Head.STT, "2", on_note=True), charge(Head.STAMP, "1", on_note=True)),
    ]
    bring(*(files[number] for number in order))
    bring(statement(fills))
    assert [row[:3] for row in shape()] == [
        ("zerodha-NSE-1", "CLOSED", Decimal(40)), ("zerodha-NSE-3", "CLOSED", Decimal(20)),
    ]  # fmt: skip
    charges = [row[3] for row in shape()]
    assert charges == [Decimal("0.99561402"), Decimal("2.00438598")]  # to the last digit
    assert sum(DayTotal.objects.values_list("charges", flat=True)) == 3
    assert verify_ledger().differences == []


@pytest.mark.ledger
@pytest.mark.usefixtures("ledger")
class TestAgain:
    def test_the_same_files_again_write_nothing(self) -> None:
        files = [
            statement([future("1", "BUY", 50, 100), future("2", "SELL", 50, 110)]),
            with_charges(charge(Head.STT, "3", Segment.FUTURES)),
        ]
        bring(*files)
        before = (Journal.objects.count(), Correction.objects.count(), StatedCharge.objects.count())
        bring(*files)
        assert (Journal.objects.count(), Correction.objects.count(), StatedCharge.objects.count()) == before
        assert Trade.objects.get().charges == 3

    def test_stated_charges_hold_no_trade_that_an_earlier_file_builds_anew(self) -> None:
        bring(statement([line("2", "SELL", 10, 104, minute=9), line("3", "BUY", 5, 102, minute=10)]))
        bring(with_charges(charge(Head.STT, "2", on_note=True)))
        bring(statement([line("1", "BUY", 10, 100, minute=1)]))
        assert [row[:2] for row in shape()] == [("zerodha-NSE-1", "CLOSED"), ("zerodha-NSE-3", "OPEN")]
        assert sum(row[3] for row in shape()) == 2
        assert verify_ledger().ok

    @pytest.mark.parametrize("order", list(permutations(range(3))))
    def test_the_charges_of_every_day_are_with_a_trade_held_over_them_in_any_order(
        self, order: tuple[int, ...]
    ) -> None:
        """Files of three days, each with the day's charges: the one between builds the trade of the others anew."""
        fills = [future("1", "BUY", 10), future("2", "BUY", 5, day=3), future("3", "SELL", 15, day=7)]
        days = [DAY + timedelta(days=number) for number in (0, 3, 7)]
        lines = [charge(Head.STT, "5", Segment.FUTURES, day=day, last_day=day) for day in days]
        bring(*(with_charges(lines[number], fills=[fills[number]], name="abc"[number]) for number in order))
        assert [row[1:] for row in shape()] == [("CLOSED", 0, 15)]
        assert verify_ledger().ok

    @pytest.mark.parametrize("hand", ["void", "void a fill", "amend"])
    def test_what_is_stated_is_shared_anew_as_soon_as_a_fill_is_taken_back_or_amended(self, hand: str) -> None:
        bring(statement([line("1", "BUY", 10, 100), line("2", "SELL", 10, 104), line("3", "BUY", 40, 102)]))
        bring(with_charges(charge(Head.STT, "8", on_note=True), charge(Head.STAMP, "4", on_note=True)))
        first, second = Trade.objects.order_by("trade_id")
        assert (first.charges or 0) + (second.charges or 0) == 12 and second.charges != 12
        if hand == "void":
            void(first.pk, by="asha", reason="never was")
            assert [row[3] for row in shape()] == [Decimal(12)]
        elif hand == "void a fill":
            answer = void(first.pk, fill=2, by="asha", reason="never was")
            assert answer.charges == Trade.objects.get(pk=first.pk).charges
        else:
            amend(first.pk, fill=1, price=200, by="asha", reason="misprint")
            assert Trade.objects.get(pk=second.pk).charges != second.charges
        assert sum(row[3] for row in shape()) == 12
        before = snapshot()
        spread_charges("main", DAY, DAY, by="asha", reason="again")
        assert snapshot() == before, "nothing is left for the next import to share"
        assert verify_ledger().ok

    def test_a_persons_correction_still_holds_its_trade(self) -> None:
        bring(statement([line("2", "BUY", 10, 104, minute=9), line("3", "SELL", 10, 106, minute=10)]))
        amend(Trade.objects.get().pk, fill=1, price=105, by="asha", reason="misprint")
        outcome = import_fills("main", statement([line("1", "BUY", 10, 100, minute=1)]))
        assert outcome.findings

    def test_a_corrected_note_takes_back_the_heads_that_it_has_no_more(self) -> None:
        bring(statement([line("1", "BUY", 10, 100), line("2", "SELL", 10, 104)]))
        stt = charge(Head.STT, "2", on_note=True)
        first = with_charges(stt, charge(Head.OTHER, "50", on_note=True))
        corrected = with_charges(replace(stt, amount=Decimal(3)), name="d")
        bring(first)
        assert [row[3] for row in shape()] == [Decimal(52)]
        account = get_account("main")
        assert charges_replaced(account, corrected) == [
            "stt equity 2026-06-01: 3 stands in the place of 2, which another file states.",
            "other equity 2026-06-01: 0 stands in the place of 50, which another file states.",
        ]
        trial = ImportTrial("main")
        assert trial.charges(corrected) == 2
        bring(corrected, first, corrected)  # which say nothing new then
        assert [row[3] for row in shape()] == [Decimal(3)]
        assert charges_replaced(account, corrected) == []
        assert StatedCharge.objects.count() == 4

    def test_a_note_of_another_segment_leaves_the_first_ones_heads_alone(self) -> None:
        equity, futures = charge(Head.STT, "2", on_note=True), charge(Head.GST, "3", Segment.FUTURES, on_note=True)
        bring(with_charges(equity, charge(Head.OTHER, "50", on_note=True)), with_charges(futures, name="d"))
        assert StatedCharge.objects.count() == 3

    def test_a_dry_run_of_a_note_and_its_correction_tells_what_is_taken_back(self) -> None:
        trial = ImportTrial("main")
        first = with_charges(charge(Head.STT, "2", on_note=True), charge(Head.OTHER, "50", on_note=True))
        corrected = with_charges(charge(Head.STT, "2", on_note=True), name="d")
        assert trial.charges(first) == 2
        (finding,) = trial.charges_replaced(corrected)
        assert finding.startswith("other equity 2026-06-01: 0 stands")
        assert trial.charges(corrected) == 2

    def test_a_dry_run_of_overlapping_files_counts_what_the_rows_of_fills_state(self) -> None:
        fills = [line("1", "BUY", 5, charges={Head.GST: Decimal(1)}), line("2", "SELL", 5, day=1)]
        files = [with_charges(charge(Head.GST, "3.6"), fills=fills[:count], name=f"{count}") for count in (1, 2)]
        trial = ImportTrial("main")
        for each in files:
            trial.add(each)
            assert trial.charges_replaced(each) == []
            trial.charges(each)
