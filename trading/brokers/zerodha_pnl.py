"""Zerodha Console's statement of profit and loss, XLSX: charges by head, and one row per instrument for the period.

Data begins in column B in one variant, with a preamble that tells client and period, and in column A in another, which
has neither: what it says cannot be laid to any day then, so that its totals are compared and its rows left out. Rows
with an ISIN for a symbol and no quantity are of companies that are gone. No row tells an exchange, and nothing here is
a trade: fills come from the tradebook.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import partial

from trading.brokers import cells
from trading.brokers.contracts import exchange_of_contract, named
from trading.brokers.document import Document, Sheet
from trading.brokers.preamble import labelled, labels, texts
from trading.brokers.reading import RefusedRow, read_rows
from trading.brokers.tables import SheetLine, SheetTable, find_header, find_table, sheet_with
from trading.brokers.values import Broker, ChargeLine, PositionLine, Remark, Segment, Statement
from trading.brokers.zerodha_heads import HeadAmount, amounts_by_head, is_marked

BROKER = Broker.ZERODHA
KIND = "pnl"
NAME = "Zerodha Console profit and loss"

COLUMNS = ("Symbol", "ISIN", "Quantity", "Buy Value", "Sell Value", "Realized P&L")
_OPEN = ("Open Quantity", "Open Quantity Type", "Unrealized P&L")
_TITLE = re.compile(r"P&L Statement for (?P<segment>.+) from (?P<first>\d{4}-\d\d-\d\d) to (?P<last>\d{4}-\d\d-\d\d)")
_ISIN = re.compile(r"[A-Z]{2}[A-Z0-9]{9}\d")
_SIGNS = {"": 1, "BUY": 1, "LONG": 1, "SELL": -1, "SHORT": -1}


@dataclass(frozen=True, slots=True)
class ConsolePeriod:
    """What the title tells; ``segment`` is None of `F&O`, which has several."""

    segment: Segment | None
    first_day: date
    last_day: date


def matches(head: Document) -> bool:
    """Say whether a sheet has heads with Zerodha's mark and a table of realised profit per symbol."""
    return any(
        find_header(sheet, ("Symbol", "Realized P&L", "Open Quantity")) is not None
        and any(is_marked(label) for label, _ in labels(head, sheet))
        for sheet in head.sheets
    )


def read(document: Document) -> Statement:
    """Return positions and charges over the period, as stated. Raises: UnknownLayout, UnreadableCell."""
    sheet = sheet_with(document, COLUMNS)
    table = find_table(document, sheet, COLUMNS, optional=_OPEN)
    period = _period(sheet, table)
    amounts = amounts_by_head(document, sheet)
    rows = read_rows(table.lines(), lambda line: _position(line, period))
    no_period = [Remark(each.place, "no_period", "The file does not tell its period.") for each in amounts]
    client = labelled(document, sheet, "Client ID", table.header_index)
    return Statement(
        file=document.name,
        sha256=document.sha256,
        broker=BROKER,
        kind=KIND,
        zone=cells.INDIA.key,
        rows_read=rows.count + len(amounts),
        first_day=period.first_day if period else None,
        last_day=period.last_day if period else None,
        client=cells.text(client) if client else None,
        charges=tuple(
            ChargeLine(each.place, each.head, each.amount, period.first_day, period.last_day, period.segment)
            for each in amounts
            if period
        ),
        positions=tuple(rows.read),
        ignored=(*rows.ignored, *(() if period else no_period)),
        rejected=tuple(rows.rejected),
        stated=dict(_stated(document, sheet, table.header_index)),
        computed=_computed(table, amounts),
        is_empty=not rows.count and not amounts,
    )


def _period(sheet: Sheet, table: SheetTable) -> ConsolePeriod | None:
    for match in filter(None, map(_TITLE.fullmatch, texts(sheet, table.header_index))):
        segment = Segment.EQUITY if match["segment"].casefold() == "equity" else None
        return ConsolePeriod(segment, date.fromisoformat(match["first"]), date.fromisoformat(match["last"]))
    return None


def _position(line: SheetLine, period: ConsolePeriod | None) -> PositionLine | Remark:
    symbol = cells.required_text(line["Symbol"])
    quantity = cells.quantity(line["Quantity"])
    if not quantity and _ISIN.fullmatch(symbol) and cells.is_blank(line["ISIN"]):
        return Remark(line.place, "no_quantity", f"{symbol} has no symbol and no quantity.")
    if period is None:
        return Remark(line.place, "no_period", "The file does not tell its period.")
    return PositionLine(
        place=line.place,
        instrument=named(symbol, exchange_of_contract(symbol), cells.text(line["ISIN"]) or None),
        day=period.first_day,
        last_day=period.last_day,
        quantity=_open_quantity(line),
        bought_quantity=quantity,
        bought_value=cells.money(line["Buy Value"]),
        sold_quantity=quantity,
        sold_value=cells.money(line["Sell Value"]),
        realised_pnl=cells.money(line["Realized P&L"]),
    )


def _open_quantity(line: SheetLine) -> Decimal | None:
    """Return what was open at the end of the period, below 0 for a short position."""
    quantity = cells.number_or_none(line.get("Open Quantity"))
    if not quantity:
        return quantity
    kind = cells.text(line.get("Open Quantity Type")).upper()
    if kind not in _SIGNS:
        raise RefusedRow("unknown_open_quantity", f"{kind!r} does not say whether the open quantity is long or short.")
    return quantity * _SIGNS[kind]


def _stated(document: Document, sheet: Sheet, rows_max: int) -> Iterator[tuple[str, Decimal]]:
    """Yield the totals that the summary prints, by name; the block of heads repeats the word Charges without a sum."""
    names = {"charges": "charges", "realized p&l": "realised_pnl", "unrealized p&l": "unrealised_pnl"}
    for label, cell in labels(document, sheet, rows_max):
        if label.casefold() in names:
            yield names[label.casefold()], cells.money(cell)


def _computed(table: SheetTable, amounts: list[HeadAmount]) -> dict[str, Decimal]:
    """Return the same totals added up from all rows, of companies that are gone too."""
    totals = {"charges": sum((each.amount for each in amounts), Decimal(0))}
    for name, column in (("realised_pnl", "Realized P&L"), ("unrealised_pnl", "Unrealized P&L")):
        if column in table.columns:
            totals[name] = sum(read_rows(table.lines(), partial(_amount, column)).read, Decimal(0))
    return totals


def _amount(column: str, line: SheetLine) -> Decimal:
    return cells.money_or_none(line[column]) or Decimal(0)
