"""Every file of Dhan, Groww and Paytm is of exactly one of all layouts, whatever its name."""

from __future__ import annotations

import pytest

from tests.trading.brokers import (
    test_dhan_ledger,
    test_dhan_pnl,
    test_dhan_realised,
    test_dhan_transactions,
    test_groww_note,
    test_groww_orders,
    test_groww_pnl,
    test_paytm_pnl,
    test_paytm_tradebook,
)
from tests.trading.brokers.sheets import pdf_document
from trading.brokers.document import Document
from trading.brokers.formats import code_of, recognise


@pytest.mark.parametrize(
    ("document", "code"),
    [
        (test_dhan_transactions.report(test_dhan_transactions.PARAS), "dhan-transactions"),
        (test_dhan_pnl.csv_report(*test_dhan_pnl.ROWS), "dhan-pnl"),
        (test_dhan_pnl.sheet_report(*test_dhan_pnl.ROWS), "dhan-pnl"),
        (test_dhan_realised.report(), "dhan-realised-pnl"),
        (test_dhan_ledger.ledger(*test_dhan_ledger.POSTINGS), "dhan-ledger"),
        (test_groww_orders.history(test_groww_orders.row()), "groww-orders"),
        (test_groww_pnl.report(), "groww-pnl"),
        (pdf_document(test_groww_note.note()), "groww-note"),
        (test_paytm_tradebook.book(test_paytm_tradebook.row()), "paytm-tradebook"),
        (test_paytm_pnl.one_sheet(), "paytm-pnl"),
        (test_paytm_pnl.three_sheets(), "paytm-pnl"),
    ],
    ids=lambda each: each if isinstance(each, str) else "",
)
def test_a_file_is_of_one_layout(document: Document, code: str) -> None:
    assert code_of(recognise(document)) == code
