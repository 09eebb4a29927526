"""Each file is of one format: what one broker's file holds, no other broker's format claims."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from tests.trading.brokers import (
    angelone_files,
    test_api_answers,
    test_dhan_ledger,
    test_dhan_pnl,
    test_dhan_realised,
    test_dhan_transactions,
    test_fyers,
    test_groww_note,
    test_groww_orders,
    test_groww_pnl,
    test_ibkr_activity,
    test_ibkr_flex,
    test_icici_orders,
    test_paytm_pnl,
    test_paytm_tradebook,
    test_zerodha_statements,
    test_zerodha_tradebook,
    upstox_files,
)
from tests.trading.brokers.sheets import csv_document, pdf_document, sheet_document
from tests.trading.brokers.test_api_answers import answer
from trading.brokers import tables
from trading.brokers.containers.limits import HEAD_ROWS
from trading.brokers.containers.opening import open_head
from trading.brokers.document import CellRow, Document, Sheet
from trading.brokers.format import Format
from trading.brokers.formats import code_of, must_match, recognise
from trading.brokers.registry import FORMATS
from trading.brokers.tables import header_key
from trading.errors import UnknownLayout


def upstox_trades() -> Document:
    rows = (*upstox_files.PREAMBLE, upstox_files.TRADE_COLUMNS, upstox_files.SHARE, *upstox_files.FOOTER)
    return sheet_document(("TRADE", rows))


def upstox_pnl() -> Document:
    rows = (*upstox_files.PNL_PREAMBLE, upstox_files.PNL_COLUMNS, upstox_files.INTRADAY, *upstox_files.FOOTER)
    return sheet_document(("REALIZED_PNL", rows))


def upstox_note() -> Document:
    return pdf_document("\n".join((*upstox_files.NOTE_FIRST_PAGE, *upstox_files.NOTE_THIRD_PAGE)))


def angelone_trades() -> Document:
    rows = (*angelone_files.PREAMBLE, angelone_files.COLUMNS, *angelone_files.ROWS, *angelone_files.FOOTER)
    return sheet_document((angelone_files.SHEET, rows))


# Whatever a broker's file may look like, one of each format; two where it comes in two shapes.
FILES: dict[str, tuple[Callable[[], Document], ...]] = {
    "angelone-tax-pnl": (lambda: sheet_document(*angelone_files.TAX),),
    "angelone-trades": (angelone_trades,),
    "dhan-api-ledger": (lambda: answer([test_api_answers.POSTING]),),
    "dhan-api-trades": (lambda: answer([test_api_answers.DHAN_TRADE]),),
    "dhan-ledger": (lambda: test_dhan_ledger.ledger(*test_dhan_ledger.POSTINGS),),
    "dhan-pnl": (
        lambda: test_dhan_pnl.csv_report(*test_dhan_pnl.ROWS),
        lambda: test_dhan_pnl.sheet_report(*test_dhan_pnl.ROWS),
    ),
    "dhan-realised-pnl": (lambda: test_dhan_realised.report(period="From 01-04-2026 to 03-09-2026"),),
    "dhan-transactions": (lambda: test_dhan_transactions.report(*test_dhan_transactions.ROWS),),
    "fyers-pnl": (test_fyers.pnl,),
    "fyers-tradebook": (lambda: test_fyers.tradebook(*test_fyers.ROUND_TRIP),),
    "groww-note": (lambda: pdf_document(test_groww_note.note()),),
    "groww-orders": (lambda: test_groww_orders.history(test_groww_orders.row()),),
    "groww-pnl": (test_groww_pnl.report,),
    "ibkr-activity": (
        lambda: test_ibkr_activity.document(test_ibkr_activity.TRADES, test_ibkr_activity.row("1", "5", "-5")),
    ),
    "ibkr-flex": (lambda: test_ibkr_flex.flex(test_ibkr_flex.trade()),),
    "icici-orders": (lambda: test_icici_orders.book(test_icici_orders.BUY, test_icici_orders.SELL),),
    "kite-charges": (
        lambda: answer([{"exchange": "NSE", "tradingsymbol": "INFY", "charges": test_api_answers.CHARGES}]),
    ),
    "kite-orders": (lambda: answer([test_api_answers.KITE_ORDER]),),
    "kite-trades": (lambda: answer([test_api_answers.KITE_TRADE]),),
    "paytm-pnl": (test_paytm_pnl.one_sheet, test_paytm_pnl.three_sheets),
    "paytm-tradebook": (lambda: test_paytm_tradebook.book(test_paytm_tradebook.row()),),
    "upstox-api-trades": (lambda: answer([test_api_answers.UPSTOX_TRADE]),),
    "upstox-note": (upstox_note,),
    "upstox-pnl": (upstox_pnl,),
    "upstox-trades": (upstox_trades,),
    "zerodha-pnl": (test_zerodha_statements.console,),
    "zerodha-tax-pnl": (test_zerodha_statements.tax,),
    "zerodha-tradebook": (
        lambda: csv_document("\n".join((test_zerodha_tradebook.HEADER, test_zerodha_tradebook.share()))),
    ),
}
EACH = [(code, make) for code, makers in FILES.items() for make in makers]


def head_of(document: Document) -> Document:
    """Return what a file is recognised by."""
    return replace(document, sheets=tuple(Sheet(each.name, each.rows[:HEAD_ROWS]) for each in document.sheets))


def claims(document: Document) -> list[str]:
    return [code_of(each) for each in FORMATS if each.matches(head_of(document))]


@pytest.mark.parametrize(("code", "make"), EACH)
def test_exactly_one_format_claims_a_file(code: str, make: Callable[[], Document]) -> None:
    assert claims(make()) == [code]
    assert code_of(recognise(head_of(make()))) == code


@pytest.mark.parametrize(("code", "make"), EACH)
def test_a_file_is_known_by_what_it_holds_and_not_by_its_name(code: str, make: Callable[[], Document]) -> None:
    for name in ("tradebook-zerodha.csv", "Stocks_PnL_groww.xlsx", "x"):
        assert claims(replace(make(), name=name)) == [code]


@pytest.mark.parametrize(("code", "make"), EACH)
def test_the_format_that_claims_a_file_reads_it(code: str, make: Callable[[], Document]) -> None:
    each = recognise(head_of(make()))
    statement = each.read(make())
    assert (statement.broker, statement.kind) == (each.BROKER, each.KIND)
    lines = (
        *statement.fills, *statement.charges, *statement.bills, *statement.positions, *statement.notes,
        *statement.actions, *statement.estimates,
    )  # fmt: skip
    assert lines
    assert {line.place.file for line in lines} == {make().name}


def test_every_format_has_a_file_here_and_a_code_of_its_own() -> None:
    assert sorted(code_of(each) for each in FORMATS) == sorted(FILES)


@pytest.mark.parametrize(
    "document",
    [
        csv_document("symbol,isin,quantity,price\nMADEUP,INE000A01010,1,2\n"),
        csv_document("Name,Unique Client Code\nx,y\n"),
        csv_document("Date,Time\n" * 70),
        sheet_document((upstox_files.COMPANY, [(upstox_files.COMPANY,), ("Wallet", "TRADING")])),  # the ledger
        sheet_document(("Summary", [("Angel One Limited",)])),
        sheet_document((angelone_files.SHEET, [("ClientCode", "ZZ1234")])),
        pdf_document(upstox_files.COMPANY + "\nStatement of holdings"),
        pdf_document("CONTRACT NOTE CUM TAX INVOICE\nAnother Broker Limited"),
        answer([]),
    ],
)
def test_what_only_resembles_a_brokers_file_is_of_no_layout(document: Document) -> None:
    assert claims(document) == []
    with pytest.raises(UnknownLayout, match="no layout that can be read"):
        recognise(document)


def test_an_answer_that_lacks_fields_names_them_and_the_layout_that_is_nearest() -> None:
    document = answer([{"tradingsymbol": "MADEUP", "exchange": "NSE"}])
    assert claims(document) == []
    with pytest.raises(UnknownLayout, match=r"missing fields 'charges'\. Nearest is: Kite Connect charges"):
        recognise(document)


# An activity statement is of many sections, each with a header of its own.
SHEETS = [(code, make) for code, make in EACH if make().sheets and code != "ibkr-activity"]
NEW_NAME = "Made Up"


def renamed(document: Document, name: str) -> Document:
    """Return a file in which a column has another name, wherever it stands."""
    key = header_key(name)
    sheets = (
        replace(
            each, rows=tuple(tuple(NEW_NAME if header_key(cell) == key else cell for cell in row) for row in each.rows)
        )
        for each in document.sheets
    )
    return replace(document, sheets=tuple(sheets))


@pytest.mark.parametrize(("code", "make"), SHEETS)
def test_a_column_that_is_called_otherwise_is_named_as_new_and_as_missing(
    code: str, make: Callable[[], Document], monkeypatch: pytest.MonkeyPatch
) -> None:
    names_asked: list[str] = []
    plain = tables._columns

    def columns(header: CellRow, names: Sequence[str]) -> dict[str, int]:
        names_asked.append(names[0])
        return plain(header, names)

    with monkeypatch.context() as patch:
        patch.setattr(tables, "_columns", columns)
        recognise(head_of(make())).read(make())
    name = names_asked[0]
    document = renamed(make(), name)
    with pytest.raises(UnknownLayout) as caught:
        recognise(head_of(document)).read(document)
    new, _, missing = str(caught.value).partition("; missing columns ")
    assert f"'{NEW_NAME}'" in new
    assert missing.startswith(f"'{name}'.")


FOREIGN = [
    csv_document("a,b\n1,2\n"),
    sheet_document(("Sheet1", [("a", "b"), (1, 2)])),
    pdf_document("a letter"),
    answer([{"a": 1}]),
]


@pytest.mark.parametrize("form", FORMATS, ids=code_of)
def test_a_file_is_not_of_a_format_because_somebody_says_so(form: Format) -> None:
    for document in FOREIGN:
        with pytest.raises(UnknownLayout):
            must_match(document, form)


# Real files: what they are, by folder and name; everything else there is no broker's file.
REAL = {
    "dhan-sdk/get_all_trades.json": "dhan-api-trades",
    "dhan-sdk/get_ledger_report.json": "dhan-api-ledger",
    "dhan-sdk/get_trade_history.json": "dhan-api-trades",
    "kite-mocks/order_info.json": "kite-orders",
    "kite-mocks/order_trades.json": "kite-trades",
    "kite-mocks/orders.json": "kite-orders",
    "kite-mocks/postback.json": "kite-orders",
    "kite-mocks/trades.json": "kite-trades",
    "kite-mocks-charges/order_margins.json": "kite-charges",
    "portfolio-performance/ibflexFile01.xml": "ibkr-flex",
    "tradetally/ibkr-flex-report.xml": "ibkr-flex",
    "zerodha-fno-sample/sample-trades.csv": "zerodha-tradebook",
}


def test_real_files_are_what_they_are_and_no_other_is_claimed(market_data: Path) -> None:
    claimed: dict[str, list[str]] = {}
    for path in sorted(market_data.rglob("*")):
        if path.suffix in (".csv", ".json", ".xml") and path.stat().st_size < 1 << 20:
            codes = [code_of(each) for each in FORMATS if each.matches(open_head(path.read_bytes(), path.name))]
            if codes:
                claimed[path.relative_to(market_data).as_posix()] = codes
    assert claimed == {name: [code] for name, code in REAL.items()}
