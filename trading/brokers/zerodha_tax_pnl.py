"""Zerodha Console's tax statement, XLSX: exits trade by trade in sections on one sheet, heads of charges on others.

A row has entry day and exit day, values and profit, and in most files what each head costs for it. The heads' totals on
the other sheets hold charges without a trade as well, and those of entries whose exit is still to come: they are stated
beside the rows' sums, and only the rows are taken. No row tells an exchange, and nothing here is a trade.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import partial
from itertools import takewhile

from trading.brokers import cells
from trading.brokers.contracts import exchange_of_contract, named, segment_of
from trading.brokers.document import Document, Sheet
from trading.brokers.preamble import labelled, labels, texts
from trading.brokers.reading import ReadRows, RefusedRow, read_rows
from trading.brokers.tables import (
    HEADER_ROWS_MAX,
    SheetLine,
    find_header,
    find_table,
    has_header,
    header_key,
    is_blank_row,
    is_header,
    sheet_with,
)
from trading.brokers.values import Broker, ChargeLine, PositionLine, Remark, Segment, Statement
from trading.brokers.zerodha_heads import amounts_by_head, head_of, is_marked, total_by_head
from trading.domain.contract_symbols import FUTURE, OPTION, contract_of

BROKER = Broker.ZERODHA
KIND = "tax_pnl"
NAME = "Zerodha Console tax profit and loss"

_COLUMNS = ("Symbol", "Entry Date", "Exit Date", "Quantity", "Buy Value", "Sell Value", "Profit", "Turnover")
_MARKS = ("Symbol", "Entry Date", "Exit Date", "Turnover")
_NAMES = ("Symbol", "Quantity", "Profit")  # by which a header is known for one whose other columns are renamed
_DAY_STYLES = ("%Y-%m-%d", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S")
_PERIOD = re.compile(r".*from (?P<first>\d{4}-\d\d-\d\d) to (?P<last>\d{4}-\d\d-\d\d)")
# Sections of exits, to the total of profit that another sheet prints for them; None where it prints none.
_EQUITY = {"equity - intraday": "intraday_profit", "equity - short term": "short_term_profit",
           "equity - long term": "long_term_profit", "equity - buyback": None}  # fmt: skip
_DERIVATIVES = ("f&o", "currency", "commodity")
_PROFITS = {
    "intraday/speculative profit": "intraday_profit",
    "equity intraday/speculative profit": "intraday_profit",
    "short term profit": "short_term_profit",
    "equity short term profit": "short_term_profit",
    "long term profit": "long_term_profit",
    "equity long term profit": "long_term_profit",
}
_FNO_TOTALS = {FUTURE: "futures_profit", OPTION: "options_profit"}
_FNO_PROFITS = {"options realized profit": "options_profit", "futures realized profit": "futures_profit"}


@dataclass(frozen=True, slots=True)
class TaxExit:
    """One row: the position that it states, the profit's name among the totals, and its charges."""

    position: PositionLine
    total: str | None
    charges: tuple[ChargeLine, ...]


def matches(head: Document) -> bool:
    """Say whether a sheet has exits with their turnover, and one a head with Zerodha's mark or its name."""
    return has_header(head, _MARKS) and any(
        "zerodha" in text.casefold() or is_marked(text) for sheet in head.sheets for text in texts(sheet)
    )


def read(document: Document) -> Statement:
    """Return the exits as positions of their day of exit, with their charges from entry to exit. Raises:
    UnknownLayout, UnreadableCell."""
    sheet_with(document, _COLUMNS)
    rows: ReadRows[TaxExit] = ReadRows()
    client = None
    for sheet in document.sheets:
        for section, lines in _sections(document, sheet):
            rows.add(read_rows(lines, partial(_exit, section)))
        code = labelled(document, sheet, "Client ID")
        client = client or (cells.text(code) if code else None)
    first_day, last_day = _period(document, [each.position.last_day for each in rows.read])
    amounts = [amount for sheet in document.sheets for amount in amounts_by_head(document, sheet)]
    charges = [charge for each in rows.read for charge in each.charges]
    stated, computed = _profits(document), _sums(rows.read)
    if charges:
        stated |= {head.value: total for head, total in total_by_head(amounts).items()}
    elif first_day and last_day:
        charges = [ChargeLine(each.place, each.head, each.amount, first_day, last_day) for each in amounts]
    return Statement(
        file=document.name,
        sha256=document.sha256,
        broker=BROKER,
        kind=KIND,
        zone=cells.INDIA.key,
        rows_read=rows.count,
        first_day=first_day,
        last_day=last_day,
        client=client,
        charges=tuple(charges),
        positions=tuple(each.position for each in rows.read),
        ignored=tuple(rows.ignored),
        rejected=tuple(rows.rejected),
        stated=stated,
        computed={name: computed.get(name, Decimal(0)) for name in stated},
        is_empty=not rows.count,
    )


def _sections(document: Document, sheet: Sheet) -> Iterator[tuple[str, Iterator[SheetLine]]]:
    """Yield each section's name in small letters and its rows: a section is a lone title, a header, and rows. Raises:
    UnknownLayout for a section whose header lacks columns, or has others."""
    section, is_open = "", False  # a title whose header is still to come
    has_exits = find_header(sheet, _MARKS) is not None
    for index, row in enumerate(sheet.rows):
        filled = [cell for cell in row if not is_blank_row([cell])]
        if is_header(row, _MARKS):
            table = find_table(document, sheet, _COLUMNS, start=index)
            is_open = False
            yield section, takewhile(_is_exit, table.lines())
        elif len(filled) == 1:
            section = header_key(filled[0])
            is_open = section in (*_EQUITY, *_DERIVATIVES, "mutual funds")
        elif is_open and len(filled) > 2 and (has_exits or is_header(row, _NAMES)):
            find_table(document, Sheet(sheet.name, [row]), _COLUMNS)


def _is_exit(line: SheetLine) -> bool:
    """Say whether a line is a row of the table above it, and not the next section's title or header."""
    filled = [cell for cell in line.cells if not is_blank_row([cell])]
    return len(filled) > 1 and not is_header(filled, _MARKS)


def _exit(section: str, line: SheetLine) -> TaxExit | Remark:
    symbol = cells.required_text(line["Symbol"])
    if section == "mutual funds":
        return Remark(line.place, "mutual_fund", f"{symbol} is a mutual fund, which is not traded on an exchange.")
    if section not in _EQUITY and section not in _DERIVATIVES:
        raise RefusedRow("unknown_section", f"{symbol} stands under {section!r}, which is no section that is known.")
    instrument = named(symbol, exchange_of_contract(symbol), cells.text(line.get("ISIN")) or None)
    first_day, day = cells.day(line["Entry Date"], *_DAY_STYLES), cells.day(line["Exit Date"], *_DAY_STYLES)
    quantity, profit = cells.above_zero(line["Quantity"]), cells.money(line["Profit"])
    segment = Segment.EQUITY if section in _EQUITY else segment_of(instrument.exchange, instrument.symbol or "")
    position = PositionLine(
        place=line.place,
        instrument=instrument,
        day=day,
        last_day=day,
        bought_quantity=quantity,
        bought_value=cells.money(line["Buy Value"]),
        sold_quantity=quantity,
        sold_value=cells.money(line["Sell Value"]),
        realised_pnl=profit,
        intraday_pnl=profit if section == "equity - intraday" else None,
    )
    charges = tuple(
        ChargeLine(line.place, head, amount, min(first_day, day), max(first_day, day), segment, None, instrument)
        for column in line.columns
        if (head := head_of(column)) and (amount := cells.money_or_none(line[column]))
    )
    contract = contract_of(symbol) if section == "f&o" else None
    total = _EQUITY.get(section) if contract is None else _FNO_TOTALS[contract.kind]
    return TaxExit(position, total, charges)


def _profits(document: Document) -> dict[str, Decimal]:
    """Return the realised profits that the sheets without trades print."""
    stated = {}
    for sheet in document.sheets:
        names = _FNO_PROFITS if header_key(sheet.name) == "f&o" else _PROFITS
        for label, cell in labels(document, sheet):
            if label.casefold() in names:
                stated[names[label.casefold()]] = cells.money(cell)
    return stated


def _sums(exits: Sequence[TaxExit]) -> dict[str, Decimal]:
    """Return the rows' profits by the names above, and their charges by head."""
    sums: dict[str, Decimal] = {}
    for each in exits:
        parts = [(charge.head.value, charge.amount) for charge in each.charges]
        if each.total and each.position.realised_pnl is not None:
            parts.append((each.total, each.position.realised_pnl))
        for name, amount in parts:
            sums[name] = sums.get(name, Decimal(0)) + amount
    return sums


def _period(document: Document, days: list[date]) -> tuple[date | None, date | None]:
    for sheet in document.sheets:
        for match in filter(None, map(_PERIOD.fullmatch, texts(sheet, HEADER_ROWS_MAX))):
            return date.fromisoformat(match["first"]), date.fromisoformat(match["last"])
    return min(days, default=None), max(days, default=None)
