"""Upstox's contract note: what stands on it, with the signs turned, and no fill of it."""

from __future__ import annotations

import time
from datetime import date, datetime
from decimal import Decimal

import pytest

from tests.trading.brokers import upstox_files as files
from tests.trading.brokers.pdf_writer import pdf_of_lines
from tests.trading.brokers.sheets import pdf_document
from trading.brokers import upstox_note
from trading.brokers.cells import INDIA
from trading.brokers.containers.opening import open_document, open_head
from trading.brokers.values import Head, Segment, Statement
from trading.errors import UnknownLayout

LINES = (*files.NOTE_FIRST_PAGE, *files.NOTE_SECOND_PAGE, *files.NOTE_THIRD_PAGE)


def read(*changes: tuple[str, str]) -> Statement:
    """Return the note's statement, with pieces of its text replaced."""
    content = "\n".join(LINES)
    for former, new in changes:
        assert former in content
        content = content.replace(former, new)
    return upstox_note.read(pdf_document(content))


def amounts(statement: Statement) -> dict[Head, Decimal]:
    return {charge.head: charge.amount for charge in statement.charges}


def test_each_trade_is_a_line_of_the_note_and_none_a_fill() -> None:
    statement = read()
    assert statement.fills == ()
    purchase, sale = statement.notes
    assert (purchase.side, purchase.quantity, purchase.price) == ("BUY", Decimal(3), Decimal("443.3000"))
    assert (sale.side, sale.quantity, sale.fill_id) == ("SELL", Decimal(3), "404303228")
    assert purchase.instrument.isin == "INE000A01010"
    assert (purchase.instrument.exchange, purchase.instrument.company) == ("NSE", "MADE UP WIR")
    assert purchase.at == datetime(2026, 8, 28, 11, 55, 43, tzinfo=INDIA)  # of the trade, and not of its order
    assert (statement.client, statement.first_day) == ("ZZ1234", date(2026, 8, 28))


def test_what_the_note_calls_payable_is_cash_that_went() -> None:
    statement = read()
    assert [note.net_amount for note in statement.notes] == [Decimal("-1329.90"), Decimal("1328.85")]
    assert statement.stated == {
        "obligation": Decimal("-1.05"), "brokerage": Decimal("2.66"), "net": Decimal("-4.28"),
    }  # fmt: skip
    assert statement.contradictions == ()


def test_charges_are_read_over_the_footer_that_cuts_their_block_and_added_up_by_head() -> None:
    statement = read()
    assert amounts(statement) == {
        Head.BROKERAGE: Decimal("2.66"),
        Head.GST: Decimal("0.49"),
        Head.STT: Decimal("0.00"),  # 0.33, rounded off by -0.33
        Head.EXCHANGE: Decimal("0.08"),
    }
    assert {(charge.segment, charge.on_note, charge.day) for charge in statement.charges} == {
        (Segment.EQUITY, True, date(2026, 8, 28))
    }


def test_what_stands_below_the_block_is_no_charge() -> None:
    statement = read(("* These trades indicates square-off", "[TURNOVER CHG] 9.99 9.99"))
    assert amounts(statement)[Head.EXCHANGE] == Decimal("0.08")


def test_brokerage_that_looks_like_a_purchase_of_one_unit_at_0_is_no_trade() -> None:
    statement = read()
    assert [remark.reason for remark in statement.ignored] == ["order_brokerage"] * 2
    assert len(statement.notes) == 2
    assert statement.computed["brokerage"] == Decimal("2.66")


def test_a_note_that_contradicts_itself_is_named() -> None:
    assert read(("payable by Client (Rs.) 4.28 4.28", "payable by Client (Rs.) 4.29 4.29")).contradictions == ("net",)
    assert read(("OBLIGATION 1.05 1.05", "OBLIGATION 1.06 1.06")).contradictions == ("obligation", "net")
    assert read((files.LAST_BROKERAGE, "")).contradictions == ("brokerage",)


@pytest.mark.parametrize(
    ("former", "new", "reason"),
    [
        ("] B 3 443", "] S 3 443", "side_conflict"),
        ("] S -3 442.9500 442.9500 -1328.85", "] S -3 442.9500 442.9500 1328.85", "side_conflict"),
        ("443.3000 1329.90 NSE", "443.3000 1330.90 NSE", "amount_conflict"),
        ("MADE UP WIR [INE000A01010] B", "OPTIDX BSX 03SEP2026 78300 CE B", "unreadable_trade"),
        ("[TURNOVER CHG] 0.08 0.08", "[TURNOVER CHG] 0.08 0.09", "charge_conflict"),
    ],
)
def test_a_line_that_contradicts_itself_is_rejected(former: str, new: str, reason: str) -> None:
    assert [remark.reason for remark in read((former, new)).rejected] == [reason]


def test_amounts_in_brackets_are_below_0_and_stars_mark_a_square_off() -> None:
    statement = read(("[STT-Round off] -0.33 -0.33", "[STT-Round off] (0.33) (0.33)"), ("1329.90 NSE", "1329.90 NSE *"))
    assert amounts(statement)[Head.STT] == 0
    assert len(statement.notes) == 2


def test_a_line_that_no_note_has_is_not_searched() -> None:
    started = time.monotonic()
    statement = read(("* These trades indicates square-off", "x" * 1_000_000))
    assert time.monotonic() - started < 30
    assert [remark.reason for remark in statement.rejected] == ["unreadable_line"]


def test_segments_have_columns_of_their_own() -> None:
    statement = read(
        ("EQ-CASH (Rs.) TOTAL (Net) (Rs.)", "EQ-CASH (Rs.) NSE-FO (Rs.) TOTAL (Net) (Rs.)"),
        ("OBLIGATION 1.05 1.05", "OBLIGATION 1.05 0.00 1.05"),
        ("Brokerage Charges 2.66 2.66", "Brokerage Charges 2.66 20.00 22.66"),
        *(
            (f"] {amount} {amount}", f"] {amount} 0.00 {amount}")
            for amount in ("0.48", "0.01", "-0.33", "0.33", "0.08")
        ),
        ("(Rs.) 4.28 4.28", "(Rs.) 4.28 20.00 24.28"),
    )
    assert statement.rejected == ()
    brokerage = {charge.segment: charge.amount for charge in statement.charges if charge.head is Head.BROKERAGE}
    assert brokerage == {Segment.EQUITY: Decimal("2.66"), None: Decimal("20.00")}


def test_a_note_without_day_or_trades_is_refused() -> None:
    with pytest.raises(UnknownLayout, match="no trade date"):
        read(("Trade Date : 28/08/2026", ""))
    with pytest.raises(UnknownLayout, match="no trade of its contract note"):
        upstox_note.read(pdf_document("\n".join(files.NOTE_FIRST_PAGE)))


def test_a_real_pdf_is_recognised_by_its_first_page_and_read_as_its_text() -> None:
    data = pdf_of_lines(files.NOTE_FIRST_PAGE, files.NOTE_SECOND_PAGE, files.NOTE_THIRD_PAGE)
    assert upstox_note.matches(open_head(data, "x.pdf"))
    statement = upstox_note.read(open_document(data, "x.pdf"))
    expected = read()
    assert (statement.stated, statement.computed) == (expected.stated, expected.computed)
    assert [note.net_amount for note in statement.notes] == [note.net_amount for note in expected.notes]
    assert amounts(statement) == amounts(expected)
