"""Zerodha's tradebook, CSV or XLSX: one row per fill, with its trade id and no charges.

The CSV's header is `symbol,isin,trade_date,exchange,segment,series,trade_type,auction,quantity,price,trade_id,order_id,
order_execution_time`, with `expiry_date` for derivatives, which must not contradict the symbol; the XLSX spells the
same names with blanks, in its first row or below a preamble. Times are naive, of India. Expiries and physical
settlements do not stand in it, nor whether a share was bought for the day or for delivery.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date
from functools import partial

from trading.brokers import cells
from trading.brokers.contracts import exchange_of, named, segment_of
from trading.brokers.document import Document, Sheet
from trading.brokers.ordering import in_order_of_time
from trading.brokers.packed_fills import packed_fills
from trading.brokers.preamble import labelled, texts
from trading.brokers.reading import ReadRows, RefusedRow, read_rows
from trading.brokers.tables import SheetLine, find_header, find_table, sheet_with
from trading.brokers.values import Broker, FillLine, Statement
from trading.domain.contract_symbols import contract_of, expires_by

BROKER = Broker.ZERODHA
KIND = "tradebook"
NAME = "Zerodha tradebook"

_CSV = (
    *("symbol", "isin", "trade_date", "exchange", "segment", "series", "trade_type", "auction"),
    *("quantity", "price", "trade_id", "order_id", "order_execution_time"),
)
_XLSX = tuple(name.replace("_", " ") for name in _CSV)
_MARKS = ("auction", "trade_id", "order_id")
_EXPIRY = ("expiry_date", "Expiry Date", "expiry date")
_DAYS_MOVED_MAX = 7
_PERIOD = re.compile(r"Tradebook for .+ from (?P<first>\d{4}-\d\d-\d\d) to (?P<last>\d{4}-\d\d-\d\d)")


def matches(head: Document) -> bool:
    """Say whether a sheet has the columns that no other broker's file has together: auction, trade id, order id."""
    return any(_spelling(sheet) is not None for sheet in head.sheets)


def read(document: Document) -> Statement:
    """Return the fills, in order of time and trade id; a row without a whole trade id is rejected, since it could be
    booked twice. Raises: UnknownLayout."""
    rows: ReadRows[FillLine] = ReadRows(packed_fills())
    first_day = last_day = client = None
    tables = [(sheet, names) for sheet in document.sheets if (names := _spelling(sheet)) is not None]
    if not tables:
        names = _CSV if document.container == "csv" else _XLSX
        tables = [(sheet_with(document, names), names)]
    for sheet, names in tables:
        table = find_table(document, sheet, names)
        read_fill = partial(_fill, dict(zip(_CSV, names, strict=True)))
        rows.add(read_rows(table.lines(), read_fill, into=packed_fills()))
        code = labelled(document, sheet, "Client ID", table.header_index)
        client = cells.text(code) if code else client
        for match in filter(None, map(_PERIOD.match, texts(sheet, table.header_index))):
            first_day, last_day = date.fromisoformat(match["first"]), date.fromisoformat(match["last"])
    days = [fill.day for fill in rows.read]
    return Statement(
        file=document.name,
        sha256=document.sha256,
        broker=BROKER,
        kind=KIND,
        zone=cells.INDIA.key,
        rows_read=rows.count,
        first_day=first_day or min(days, default=None),
        last_day=last_day or max(days, default=None),
        client=client,
        fills=in_order_of_time(rows.read),
        ignored=tuple(rows.ignored),
        rejected=tuple(rows.rejected),
        is_empty=not rows.count,
    )


def _spelling(sheet: Sheet) -> Sequence[str] | None:
    """Return the columns' names as a sheet spells them, None where it is no tradebook."""
    for names, marks in ((_CSV, _MARKS), (_XLSX, [name.replace("_", " ") for name in _MARKS])):
        if find_header(sheet, marks) is not None:
            return names
    return None


def _fill(spelled: Mapping[str, str], line: SheetLine) -> FillLine:
    symbol = cells.required_text(line[spelled["symbol"]])
    exchange = exchange_of(cells.text(line[spelled["exchange"]]), cells.text(line[spelled["segment"]]))
    if exchange is None:
        place = f"{cells.text(line[spelled['exchange']])} {cells.text(line[spelled['segment']])}"
        raise RefusedRow("unknown_segment", f"{symbol} is of {place!r}, which is no segment that can be booked.")
    fill_id = cells.identifier(line[spelled["trade_id"]])
    if fill_id is None:
        raise RefusedRow("no_trade_id", f"{symbol} has no whole trade id; a spreadsheet may have cut it.")
    day = cells.day(line[spelled["trade_date"]], "%Y-%m-%d")
    at = cells.moment(line[spelled["order_execution_time"]], "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S")
    if at.date() != day:
        raise RefusedRow("days_differ", f"{symbol} was traded on {day} and filled on {at.date()}.")
    instrument = named(symbol, exchange, cells.text(line[spelled["isin"]]) or None)
    instrument = replace(instrument, expiry=_expiry(line, exchange, symbol))
    if exchange == "BSE":  # whose series are the groups that it charges by; NSE's are not
        instrument = replace(instrument, group=cells.text(line[spelled["series"]]) or None)
    return FillLine(
        place=line.place,
        instrument=instrument,
        segment=segment_of(exchange, instrument.symbol or ""),
        side=cells.side(line[spelled["trade_type"]]),
        quantity=cells.above_zero(line[spelled["quantity"]]),
        price=cells.above_zero(line[spelled["price"]]),
        day=day,
        at=at,
        currency="INR",
        fill_id=fill_id,
        order_id=cells.identifier(line[spelled["order_id"]]),
    )


def _expiry(line: SheetLine, exchange: str, symbol: str) -> date | None:
    """Return a contract's day of expiry, None where the row states none. Refuse a row whose day is not its symbol's:
    one of the two names another contract. A holiday moves an expiry by days; of commodities the symbol has the month of
    delivery."""
    cell = next((line[name] for name in _EXPIRY if name in line.columns), None)
    contract = contract_of(symbol)
    if cell is None or cells.is_blank(cell) or contract is None:
        return None
    expiry, by_symbol = cells.day(cell, "%Y-%m-%d"), expires_by(symbol)
    if by_symbol is None or exchange not in ("NFO", "BFO"):
        return expiry
    is_of_month = contract.expiry is None
    is_near = (expiry.year, expiry.month) == (by_symbol.year, by_symbol.month)
    if not is_near if is_of_month else abs((expiry - by_symbol).days) > _DAYS_MOVED_MAX:
        raise RefusedRow("expiry_differs", f"{symbol} is said to expire on {expiry}, which its symbol contradicts.")
    return expiry
