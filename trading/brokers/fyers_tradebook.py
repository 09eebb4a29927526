"""Fyers' tradebook, CSV: one row per fill, and each a second time as its own mirror.

A mirror has the other side, product `-`, midnight for a time and an id that begins with NDIR: booked, it would bring
every profit to 0. It is left out where the fill that it mirrors stands in the file, and rejected where none does. There
are no trade ids, and order ids are often ruined (`2.2E+15`), so that two equal rows are two fills. Symbols carry no
exchange.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from decimal import Decimal

from trading.brokers import cells
from trading.brokers.contracts import exchange_of_contract, named, segment_of
from trading.brokers.document import Document
from trading.brokers.fyers_report import is_report, report_of
from trading.brokers.ordering import in_order_of_time
from trading.brokers.packed_fills import packed_fills
from trading.brokers.reading import ReadRows, RefusedRow, read_rows
from trading.brokers.tables import SheetLine, find_table
from trading.brokers.values import Broker, FillLine, Remark, Statement

BROKER = Broker.FYERS
KIND = "tradebook"
NAME = "Fyers tradebook"

_COLUMNS = ("Name", "Date & time", "Side", "Product type", "Qty", "Traded price", "Total value", "Segment")
_IDS = ("Exchange order ID", "OMS order ID")
_TIME_STYLES = ("%d %b %Y, %I:%M:%S %p",)
_PRODUCTS = {"CNC": "delivery", "MTF": "delivery", "INTRADAY": "intraday", "MIS": "intraday"}
_ANY_EXCHANGE_OF = {"DERIVATIVES": "NFO", "EQUITY": "NSE", "CAPITAL": "NSE", "CASH": "NSE"}
_MIRROR_ID = "NDIR"
_MIRROR_PRODUCT = "-"
_OTHER_SIDE = {"BUY": "SELL", "SELL": "BUY"}
_VALUE_ROUNDING = Decimal("0.01")


def matches(head: Document) -> bool:
    """Say whether the title is that of Fyers' tradebook."""
    return is_report(head, "Tradebook report")


def read(document: Document) -> Statement:
    """Return the fills in order of time, their mirrors left out. Raises: UnknownLayout, UnreadableCell."""
    sheet = document.sheets[0]
    table = find_table(document, sheet, _COLUMNS, optional=_IDS)
    report = report_of(document, sheet)
    mirrors = read_rows((line for line in table.lines() if _is_mirror(line)), _fill, into=packed_fills())
    rows = read_rows((line for line in table.lines() if not _is_mirror(line)), _fill, into=packed_fills())
    ignored, unmatched = _mirrored(rows, mirrors)
    days = [fill.day for fill in rows.read]
    return Statement(
        file=document.name,
        sha256=document.sha256,
        broker=BROKER,
        kind=KIND,
        zone=cells.INDIA.key,
        rows_read=rows.count + mirrors.count,
        first_day=report.first_day or min(days, default=None),
        last_day=report.last_day or max(days, default=None),
        client=report.client,
        fills=in_order_of_time(rows.read),
        ignored=ignored,
        rejected=(*rows.rejected, *mirrors.rejected, *unmatched),
        is_empty=not rows.count + mirrors.count,
    )


def _is_mirror(line: SheetLine) -> bool:
    """Say whether a row has each mark of a mirror. Raises nothing: a row cut or too long is none."""
    if line.is_overlong or line.is_cut:
        return False
    return any(cells.text(line.get(name)).startswith(_MIRROR_ID) for name in _IDS)


def _mirrored(rows: ReadRows[FillLine], mirrors: ReadRows[FillLine]) -> tuple[tuple[Remark, ...], tuple[Remark, ...]]:
    """Return the mirrors of fills as ignored, and those that mirror none as rejected: each fill has one mirror."""
    unmirrored = Counter(map(_traded, rows.read))
    ignored, unmatched = [], []
    for mirror in mirrors.read:
        traded = _traded(replace(mirror, side=_OTHER_SIDE[mirror.side]))
        if unmirrored[traded]:
            unmirrored[traded] -= 1
            ignored.append(Remark(mirror.place, "mirrored", "The same trade with the other side, as Fyers adds it."))
        else:
            unmatched.append(
                Remark(mirror.place, "mirror_without_trade", "No row has the trade that this one mirrors.")
            )
    return tuple(ignored), tuple(unmatched)


def _traded(fill: FillLine) -> tuple[str | None, str, str, Decimal, Decimal]:
    """Return what a fill and its mirror have in common, but for the side."""
    return fill.instrument.symbol, fill.day.isoformat(), fill.side, fill.quantity, fill.price


def _fill(line: SheetLine) -> FillLine:
    symbol = cells.required_text(line["Name"])
    product, at = cells.text(line["Product type"]).upper(), cells.moment(line["Date & time"], *_TIME_STYLES)
    marks = {product == _MIRROR_PRODUCT, at.hour == at.minute == at.second == 0, _is_mirror(line)}
    if len(marks) > 1:
        raise RefusedRow("half_mirrored", f"{symbol} has some marks of a mirrored row and lacks others.")
    quantity, price = cells.above_zero(line["Qty"]), cells.above_zero(line["Traded price"])
    if abs(quantity * price - cells.money(line["Total value"])) > _VALUE_ROUNDING:
        raise RefusedRow("value_differs", f"{symbol}: {quantity} at {price} is not {cells.text(line['Total value'])}.")
    exchange = exchange_of_contract(symbol)
    instrument = named(symbol, exchange)
    # Contracts on either exchange are charged by the same segments, and shares as well.
    listed = exchange or _ANY_EXCHANGE_OF.get(cells.text(line["Segment"]).upper())
    return FillLine(
        place=line.place,
        instrument=instrument,
        segment=segment_of(listed, instrument.symbol or ""),
        side=cells.side(line["Side"]),
        quantity=quantity,
        price=price,
        day=at.date(),
        at=at,
        currency="INR",
        order_id=cells.identifier(line.get("Exchange order ID")),
        product=_PRODUCTS.get(product),
    )
