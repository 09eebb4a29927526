"""Upstox's trade report (XLSX): one row per fill, shares by the company's name, options by their terms in columns.

It has neither orders nor charges, nor says whether a share was bought for the day. Futures stand in no public sample:
rows of other instruments than shares and European options are rejected.
"""

from __future__ import annotations

from decimal import Decimal

from trading.brokers.cells import clock, day, identifier, is_blank, moment_of, money, number, required_text, text
from trading.brokers.contracts import EQUITY_EXCHANGES, named_by_terms
from trading.brokers.document import Document
from trading.brokers.reading import RefusedRow, read_rows
from trading.brokers.statement_draft import StatementDraft
from trading.brokers.tables import SheetLine, find_table, sheet_with
from trading.brokers.upstox import client_of, is_report, period_of
from trading.brokers.values import Broker, FillLine, InstrumentName, Remark, Segment, Statement

BROKER = Broker.UPSTOX
KIND = "trades"
NAME = "Upstox trade report"

_COLUMNS = (
    *("Date", "Company", "Amount", "Exchange", "Segment", "Scrip Code", "Instrument Type", "Strike Price", "Expiry"),
    *("Trade Num", "Trade Time", "Side", "Quantity", "Price"),
)
_MARKS = ("Trade Num", "Trade Time", "Scrip Code", "Company")
_DAY_STYLES = ("%d-%m-%Y", "%Y-%m-%d")
_RIGHTS = {"EUROPEAN CALL": "CE", "EUROPEAN PUT": "PE"}
_DERIVATIVES = {"FON": "NFO", "NFO": "NFO", "FOB": "BFO", "BFO": "BFO"}
# The exchange's code of an index's contracts, to the index.
_UNDERLYINGS = {"BSX": "SENSEX"}
_PAISA = Decimal("0.01")


def matches(head: Document) -> bool:
    """Say whether a sheet names Upstox above the columns of fills."""
    return is_report(head, _MARKS)


def read(document: Document) -> Statement:
    """Return the fills. Raises: UnknownLayout."""
    sheet = sheet_with(document, _COLUMNS)
    table = find_table(document, sheet, _COLUMNS, is_exact=True)
    draft = StatementDraft(document)
    draft.add(read_rows(table.lines(), _fill, into=draft.fills))
    days = [fill.day for fill in draft.fills]
    period = period_of(document, sheet) or ((min(days), max(days)) if days else None)
    return draft.statement(BROKER, KIND, days=period, client=client_of(document, sheet), is_empty=draft.is_empty)


def _fill(line: SheetLine) -> FillLine | Remark:
    """Return one row's fill; the sentence below the table is none."""
    if all(is_blank(line[name]) for name in _COLUMNS if name not in ("Date", "Company")):
        return Remark(line.place, "footer", "A sentence below the table.")
    trading_day = day(line["Date"], *_DAY_STYLES)
    time = None if is_blank(line["Trade Time"]) else clock(line["Trade Time"], "%H:%M:%S")
    name, segment = _instrument(line)
    side, units = _side_and_units(line)
    price = money(line["Price"])
    if price <= 0:
        raise line["Price"].refused("and no price of a trade")
    if abs(units * price - abs(money(line["Amount"]))) > _PAISA:
        raise RefusedRow("amount_conflict", f"The amount {text(line['Amount'])} is not {units} times {price}.")
    return FillLine(
        line.place,
        name,
        segment,
        side,
        units,
        price,
        trading_day,
        None if time is None else moment_of(line["Date"], trading_day, time),
        "INR",
        fill_id=identifier(line["Trade Num"]),
    )


def _side_and_units(line: SheetLine) -> tuple[str, Decimal]:
    """Return the side by its word, which a quantity below 0 must not contradict, and the quantity above 0."""
    side = {"BUY": "BUY", "B": "BUY", "SELL": "SELL", "S": "SELL"}.get(text(line["Side"]).upper())
    units = number(line["Quantity"])
    if side is None:
        raise line["Side"].refused("neither a purchase nor a sale")
    if not units:
        raise line["Quantity"].refused("and no quantity of a trade")
    if units < 0 and side == "BUY":
        raise RefusedRow("side_conflict", f"The row says {text(line['Side'])} and has the quantity {units}.")
    return side, abs(units)


def _instrument(line: SheetLine) -> tuple[InstrumentName, Segment]:
    exchange, kind = text(line["Exchange"]).upper(), text(line["Instrument Type"]).upper()
    if kind == "EQUITY" and exchange in EQUITY_EXCHANGES:
        company = required_text(line["Company"])
        return InstrumentName(exchange, company=company, code=identifier(line["Scrip Code"])), Segment.EQUITY
    if kind in _RIGHTS and exchange in _DERIVATIVES:
        code = required_text(line["Scrip Code"]).upper()
        expiry, strike = day(line["Expiry"], *_DAY_STYLES), number(line["Strike Price"])
        name = named_by_terms(_DERIVATIVES[exchange], _UNDERLYINGS.get(code, code), expiry, strike, _RIGHTS[kind])
        if name is not None:
            return name, Segment.OPTIONS
    raise RefusedRow(
        "instrument_type", f"Instruments of the type {kind!r} on {exchange!r} are written in no public sample."
    )
