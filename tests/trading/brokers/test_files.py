"""A file read from its bytes to its statement: what only leaves rows out says why, and an estimate is something."""

from __future__ import annotations

import io

import pytest
from openpyxl import Workbook

from tests.trading.brokers import test_api_answers, test_zerodha_statements, test_zerodha_tradebook
from trading.brokers.document import CellRow
from trading.brokers.files import read_statement
from trading.errors import UnreadableFile


def workbook(name: str, rows: list[CellRow]) -> bytes:
    """Return an XLSX with one sheet."""
    book = Workbook()
    sheet = book.active
    sheet.title = name
    for number, row in enumerate(rows, 1):
        for column, cell in enumerate(row, 1):
            sheet.cell(number, column, cell)
    target = io.BytesIO()
    book.save(target)
    return target.getvalue()


def test_a_statement_without_a_period_is_refused_with_that_reason() -> None:
    rows: list[CellRow] = [
        *test_zerodha_statements.HEADS,
        (),
        test_zerodha_statements.COLUMNS,
        *test_zerodha_statements.ROWS,
    ]
    with pytest.raises(UnreadableFile, match="nothing in it could be taken: The file does not tell its period"):
        read_statement(workbook("Sheet1", rows), "pnl.xlsx")


def test_an_estimate_alone_is_a_statement() -> None:
    order = {"exchange": "NSE", "tradingsymbol": "INFY", "charges": test_api_answers.CHARGES}
    document = test_api_answers.answer([order])
    assert document.container == "json"
    content = b'{"status": "success", "data": [' + test_api_answers.json.dumps(order).encode() + b"]}"
    assert len(read_statement(content, "charges.json").estimates) == 1


def test_a_real_workbook_of_the_tradebook_is_read_whatever_its_dimension_claims() -> None:
    serial = 46237  # 3 August 2026
    fill = ("INFY", "INE009A01021", serial, "NSE", "EQ", "EQ", "buy", False, 5, 1530.25, "77", "1100000000000009",
            "2026-08-03 11:14:28")  # fmt: skip
    rows: list[CellRow] = [("Client ID", "ZX0001"), (), test_zerodha_tradebook.TITLES, fill, *[(None,) * 13] * 50]
    rows += [(" ",) * 13]
    statement = read_statement(workbook("Equity", rows), "tradebook.xlsx")
    assert (statement.rows_read, statement.client) == (1, "ZX0001")
    assert statement.fills[0].day.isoformat() == "2026-08-03"
