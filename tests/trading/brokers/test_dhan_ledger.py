"""Dhan's ledger: balances on top that are no postings, one of them dated 1970, and two bills of one day."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest

from tests.trading.brokers.sheets import csv_document
from trading.brokers import dhan_ledger
from trading.brokers.document import Document

COLUMNS = "Posting Date,Posting reference,Description,Narration,Credit,Debit,Net Balance"
BALANCES = (
    "01-01-1970,,OPENING BALANCE,OPENING BALANCE,1000.00,0.00,0.00",
    "30-04-2026,,CLOSING BALANCE,CLOSING BALANCE,0.00,0.00,879.75",
)
POSTINGS = (
    "01-04-2026,SJ,Bill,BILL ENTRY FOR M-20260401,0.00,250.50,749.50",
    "01-04-2026,SJ,Bill,BILL ENTRY FOR FO-20260401,130.25,0.00,879.75",
    '02-04-2026,BR,Funds Deposited,"Money added, to your Trading Account","1,00,000.00",,"1,00,879.75"',
    '03-04-2026,BP,Funds Withdrawn,,,"1,00,000.00",879.75',
)


def ledger(*rows: str, footer: str = "Opening Balance,1000.00,Closing Balance,879.75") -> Document:
    preamble = ("Ledger Statement,From 01-04-2026 to 30-04-2026", "Name,Made Up", "UCC,TESTA0001B", "", "", "")
    return csv_document("\n".join((*preamble, COLUMNS, *rows, "", footer)))


def test_the_ledger_is_recognised_by_its_title_and_columns() -> None:
    assert dhan_ledger.matches(ledger())
    assert not dhan_ledger.matches(csv_document("Ledger Statement,From 01-04-2026 to 30-04-2026\nDate,Debit\n"))


def test_postings_are_signed_and_both_bills_of_a_day_stay() -> None:
    statement = dhan_ledger.read(ledger(*BALANCES, *POSTINGS))

    assert [bill.amount for bill in statement.bills] == [
        Decimal(text) for text in ("-250.50", "130.25", "1E+5", "-1E+5")
    ]
    assert [bill.voucher for bill in statement.bills] == ["SJ", "SJ", "BR", "BP"]
    assert [bill.text for bill in statement.bills][1:] == [
        "BILL ENTRY FOR FO-20260401",
        "Money added, to your Trading Account",
        "Funds Withdrawn",
    ]
    assert statement.bills[0].balance == Decimal("749.50")


def test_the_balances_above_the_postings_are_none_and_their_day_of_1970_is_not_the_periods() -> None:
    statement = dhan_ledger.read(ledger(*BALANCES, *POSTINGS))

    assert [remark.reason for remark in statement.ignored] == ["balance_row", "balance_row"]
    assert (statement.first_day, statement.last_day) == (date(2026, 4, 1), date(2026, 4, 30))
    assert min(bill.day for bill in statement.bills) == date(2026, 4, 1)


def test_the_balances_agree_with_their_row_and_the_postings() -> None:
    statement = dhan_ledger.read(ledger(*BALANCES, *POSTINGS))

    assert statement.stated == {"opening_balance": 1000, "closing_balance": Decimal("879.75")}
    assert statement.computed == statement.stated
    assert statement.client == "TESTA0001B"


def test_a_posting_that_is_missing_shows_in_the_closing_balance() -> None:
    assert dhan_ledger.read(ledger(*BALANCES, *POSTINGS[1:])).contradictions == ("closing_balance",)


def test_an_opening_row_that_differs_from_the_footer_is_named() -> None:
    statement = dhan_ledger.read(ledger(*BALANCES, *POSTINGS, footer="Opening Balance,0.00,Closing Balance,879.75"))
    assert statement.contradictions == ("opening_balance", "closing_balance")


@pytest.mark.parametrize(
    "row", ["04-13-2026,SJ,Bill,Bill,1.00,,5.00", "13-04-2026,SJ,Bill,Bill,,,5.00", "13-04-2026,SJ"]
)
def test_a_posting_without_a_day_or_an_amount_is_rejected(row: str) -> None:
    statement = dhan_ledger.read(ledger(*BALANCES, *POSTINGS, row))
    assert (len(statement.bills), len(statement.rejected)) == (4, 1)


def test_a_ledger_of_balances_alone_is_empty() -> None:
    assert dhan_ledger.read(ledger(*BALANCES, footer="Opening Balance,1000.00,Closing Balance,1000.00")).is_empty
