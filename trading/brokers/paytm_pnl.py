"""Paytm Money's P&L of equity: what is held, and what was realised, by lot where the download has the lots.

Amounts are before charges, of which the file has none. The XLSX has one sheet of two tables; the XLS has the same two
and a sheet of closed lots with their days. A lot counts on the day of its sale.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from functools import partial

from trading.brokers.cells import PlacedCell, UnreadableCell, above_zero, day, money
from trading.brokers.contracts import share_named
from trading.brokers.document import Document, Sheet
from trading.brokers.lots import LotColumns, closed_lot, holding
from trading.brokers.preamble import has_label, labelled_text, period, row_texts
from trading.brokers.statement_draft import HALF_PAISA, StatementDraft
from trading.brokers.tables import SheetLine, find_header, find_table
from trading.brokers.values import Broker, Place, PositionLine, Statement
from trading.errors import UnknownLayout

BROKER = Broker.PAYTM
KIND = "pnl"
NAME = "Paytm Money P&L of equity (XLSX, XLS)"

_HELD = (
    *("Scrip Name", "ISIN", "Quantity", "Buy Average", "Buy Value", "Closing Price", "Present Value"),
    *("Unrealized P&L", "P&L%"),
)
_REALISED = (
    *("Scrip Name", "ISIN", "Quantity", "Buy Average", "Buy Value", "Sell Average", "Sell Value"),
    "Realized P&L",
)
_LOTS = (
    *("Scrip Name", "ISIN", "Quantity", "Buy Date", "Buy Price", "Buy Value", "Sell Date", "Sell Price", "Sell Value"),
    "P&L Value",
)
_TITLES = {_HELD: "Unrealized P/L Summary", _REALISED: "Realized P/L Summary"}
_AMOUNTS = {_HELD: "Unrealized P&L", _REALISED: "Realized P&L", _LOTS: "P&L Value"}
_AS_ON = re.compile(r"\(As on (?P<day>\d{2} [A-Za-z]{3} \d{4})\)")
_LOT = LotColumns(
    company="Scrip Name",
    bought_on="Buy Date",
    sold_on="Sell Date",
    bought="Buy Value",
    sold="Sell Value",
    realised="P&L Value",
    day_styles=("%d-%b-%Y", "%d-%m-%Y"),
)


def matches(head: Document) -> bool:
    """Say whether a sheet has the title and the columns of what is held."""
    return _summary(head) is not None


def read(document: Document) -> Statement:
    """Return what a P&L says. Raises: UnknownLayout, UnreadableCell (in its period, titles or totals)."""
    sheet = _summary(document) or document.sheets[0]
    days = period(document, sheet, "Period")
    if days is None:
        raise UnknownLayout(f"{document.name} tells no period.", hint="Nothing was read. Download the report anew.")
    draft = StatementDraft(document)
    held = partial(holding, company="Scrip Name", bought="Buy Value", on=_held_on(document, sheet))
    _read_table(draft, sheet, _HELD, "unrealised_pnl", held)
    lots = next((each for each in document.sheets if find_header(each, _LOTS) is not None), None)
    if lots is None:
        _read_table(draft, sheet, _REALISED, "realised_pnl", partial(_realised, days=days))
    else:
        _read_table(draft, lots, _LOTS, "realised_pnl", partial(closed_lot, columns=_LOT))
    client = next(filter(None, (labelled_text(document, each, "UCC") for each in document.sheets)), None)
    return draft.statement(BROKER, KIND, days=days, client=client, is_empty=not draft.rows_read)


def _summary(document: Document) -> Sheet | None:
    for sheet in document.sheets:
        if has_label(sheet, _TITLES[_HELD]) and find_header(sheet, _HELD) is not None:
            return sheet
    return None


def _title(sheet: Sheet, title: str) -> tuple[int, str]:
    """Return the row of a title, by its index, and its text; the first row and "" where there is none."""
    titles = ((index, row_texts(row[:1])[0]) for index, row in enumerate(sheet.rows) if row)
    return next((each for each in titles if each[1].startswith(title)), (0, ""))


def _held_on(document: Document, sheet: Sheet) -> date:
    """Return the day that the holdings are of. Raises: UnreadableCell where their title tells none."""
    index, title = _title(sheet, _TITLES[_HELD])
    match = _AS_ON.search(title)
    cell = PlacedCell(match["day"] if match else title, "As on", Place(document.name, sheet.name, index + 1))
    return day(cell, "%d %b %Y")


def _read_table(
    draft: StatementDraft,
    sheet: Sheet,
    columns: tuple[str, ...],
    total: str,
    read_line: Callable[[SheetLine], PositionLine],
) -> None:
    """Take a table's rows, each with what it made, up to its row `Total`, and compare that with their sum."""
    start = _title(sheet, _TITLES[columns])[0] if columns in _TITLES else 0
    amounts: list[Decimal] = []
    for line in find_table(draft.document, sheet, columns, start=start).lines():
        if row_texts(line.cells[:1])[0].casefold() == "total":
            draft.stated[total] = money(line[_AMOUNTS[columns]])
            break
        draft.rows_read += 1
        try:
            position, amount = read_line(line), money(line[_AMOUNTS[columns]])
        except UnreadableCell as error:
            draft.reject(error)
            continue
        draft.positions.append(position)
        amounts.append(amount)
    draft.compare(total, sum(amounts, Decimal(0)), HALF_PAISA * (len(amounts) + 1))


def _realised(line: SheetLine, days: tuple[date, date]) -> PositionLine:
    """Return what one company made over the period. Raises: UnreadableCell."""
    return PositionLine(
        place=line.place,
        instrument=share_named(line["ISIN"], line["Scrip Name"]),
        day=days[0],
        last_day=days[1],
        sold_quantity=above_zero(line["Quantity"]),
        sold_value=money(line["Sell Value"]),
        realised_pnl=money(line["Realized P&L"]),
    )
