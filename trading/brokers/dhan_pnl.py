"""Dhan's P&L report: one row per scrip over a period, of closed and open units; it tells no day, product or exchange.

Its amounts are rounded to the paisa row by row, and Dhan's own statements of one period differ from one another.
"""

from __future__ import annotations

from decimal import Decimal

from trading.brokers.cells import UnreadableCell, money, quantity
from trading.brokers.dhan_contracts import without_exchange
from trading.brokers.dhan_totals import compare_net, read_footer, says_nothing
from trading.brokers.document import Document, Sheet
from trading.brokers.preamble import has_label, labelled_text, period
from trading.brokers.statement_draft import HALF_PAISA, StatementDraft
from trading.brokers.tables import find_header, find_table
from trading.brokers.values import Broker, ChargeLine, Head, Place, PositionLine, Statement
from trading.errors import UnknownLayout

BROKER = Broker.DHAN
KIND = "pnl"
NAME = "Dhan P&L report (CSV, XLSX)"

_TITLE = "PnL report"
_COLUMNS = (
    *("Scrip Name", "Buy Qty.", "Avg. Buy Price", "Buy Value", "Sell Qty.", "Avg. Sell Price", "Sell Value"),
    *("Closing Price", "Realised P&L", "Realised P&L %", "Unrealised P&L", "Unrealised P&L %"),
)


def matches(head: Document) -> bool:
    """Say whether a sheet has the report's title and its twelve columns."""
    return _sheet(head) is not None


def read(document: Document) -> Statement:
    """Return what a P&L report says. Raises: UnknownLayout, UnreadableCell (in its period or its totals)."""
    sheet = _sheet(document) or document.sheets[0]
    table = find_table(document, sheet, _COLUMNS, is_exact=True)
    days = period(document, sheet)
    if days is None:
        raise UnknownLayout(f"{document.name} tells no period.", hint="Nothing was read. Download the report anew.")
    draft = StatementDraft(document)
    for line in table.lines():
        if not read_footer(draft, line):
            draft.rows_read += 1
            try:
                draft.positions.append(
                    PositionLine(
                        place=line.place,
                        instrument=without_exchange(line["Scrip Name"]),
                        day=days[0],
                        last_day=days[1],
                        bought_quantity=quantity(line["Buy Qty."]),
                        bought_value=money(line["Buy Value"]),
                        sold_quantity=quantity(line["Sell Qty."]),
                        sold_value=money(line["Sell Value"]),
                        realised_pnl=money(line["Realised P&L"]),
                    )
                )
            except UnreadableCell as error:
                draft.reject(error)
    realised = [position.realised_pnl or Decimal(0) for position in draft.positions]
    draft.compare("gross_pnl", sum(realised, Decimal(0)), HALF_PAISA * (len(realised) + 1))
    compare_net(draft)
    if "brokerage" in draft.stated:  # the one head of charges that the report tells apart
        place = Place(document.name, sheet.name, table.header_index + 1)
        draft.charges.append(ChargeLine(place, Head.BROKERAGE, draft.stated["brokerage"], *days))
    return draft.statement(
        BROKER, KIND, days=days, client=labelled_text(document, sheet, "UCC"), is_empty=says_nothing(draft)
    )


def _sheet(document: Document) -> Sheet | None:
    for sheet in document.sheets:
        if has_label(sheet, _TITLE) and find_header(sheet, _COLUMNS) is not None:
            return sheet
    return None
