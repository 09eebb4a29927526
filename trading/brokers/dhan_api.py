"""Dhan's trades by its API: the day's trade book, and the trade history, which has charges and no trading symbol.

Contracts stand with their terms apart, and with a symbol of Dhan's own, so that the exchange's symbol is made of the
terms. Of a share in the history only ISIN, a name and Dhan's security id are known.
"""

from __future__ import annotations

import re
from dataclasses import replace

from trading.brokers import cells
from trading.brokers.contracts import EQUITY_EXCHANGES, named, segment_of_contract
from trading.brokers.document import Document
from trading.brokers.objects import ObjectLine, has_fields, object_lines
from trading.brokers.packed_fills import packed_fills
from trading.brokers.reading import RefusedRow, read_rows, statement_of_fills
from trading.brokers.values import Broker, FillLine, Head, InstrumentName, Segment, Statement
from trading.domain.contract_symbols import contract_of, in_words, symbol_of

BROKER = Broker.DHAN
KIND = "api_trades"
NAME = "Dhan trade book and trade history (JSON)"

EXCHANGES = {
    "NSE_EQ": "NSE",
    "BSE_EQ": "BSE",
    "NSE_FNO": "NFO",
    "BSE_FNO": "BFO",
    "NSE_CURRENCY": "CDS",
    "BSE_CURRENCY": "BCD",
    "MCX_COMM": "MCX",
}
_PRODUCTS = {"CNC": "delivery", "MTF": "delivery", "INTRADAY": "intraday"}
_RIGHTS = {"CALL": "CE", "PUT": "PE"}
_FIELDS = (
    *("exchangeTradeId", "orderId", "transactionType", "exchangeSegment", "tradedQuantity", "tradedPrice"),
    *("exchangeTime", "securityId"),
)
_HEADS = {
    "sebiTax": Head.SEBI,
    "stt": Head.STT,
    "brokerageCharges": Head.BROKERAGE,
    "serviceTax": Head.GST,
    "exchangeTransactionCharges": Head.EXCHANGE,
    "stampDuty": Head.STAMP,
}
_TIME_STYLES = ("%Y-%m-%d %H:%M:%S",)
_DAY_STYLES = ("%Y-%m-%d", "%Y-%m-%d %H:%M:%S")
# `NIFTY-Nov2026-24000-CE` and `NIFTY 26 NOV 24000 CALL`: what stands before the month or the day.
_UNDERLYING = re.compile(
    r"(?P<name>[A-Z0-9&]+(?:-[A-Z0-9&]+)??)(?:-[A-Z]{3}\d{4}\b.*| \d{1,2} [A-Z]{3} .*| [A-Z]{3} FUT)"
)
_OTHERS = (
    *("customSymbol", "dhanClientId", "drvExpiryDate", "drvOptionType", "drvStrikePrice", "isin"),
    *("productType", "tradingSymbol", "exchangeOrderId", "orderType", "createTime", "updateTime"),
    *("instrument", "sebiTax", "stt", "brokerageCharges", "serviceTax", "exchangeTransactionCharges"),
    *("stampDuty",),
)  # fields that answers have as well


def matches(head: Document) -> bool:
    """Say whether an answer's objects are trades of Dhan."""
    return has_fields(head, ("exchangeTradeId", "tradedQuantity", "tradedPrice"))


def read(document: Document) -> Statement:
    """Return the fills in order of time and trade id. Raises: UnknownLayout, UnreadableFile."""
    lines = object_lines(document, _FIELDS, _OTHERS)
    clients = {cells.text(line["dhanClientId"]) for line in lines} - {""}
    statement = statement_of_fills(document, BROKER, KIND, read_rows(lines, _fill, into=packed_fills()))
    return replace(statement, client=clients.pop() if len(clients) == 1 else None)


def _fill(line: ObjectLine) -> FillLine:
    exchange = EXCHANGES.get(cells.text(line["exchangeSegment"]))
    if exchange is None:
        raise RefusedRow(
            "unknown_segment", f"{cells.text(line['exchangeSegment'])!r} is no segment that can be booked."
        )
    fill_id = cells.identifier(line["exchangeTradeId"])
    if fill_id is None:
        raise RefusedRow("no_trade_id", "The trade has no id of the exchange.")
    at = cells.moment(line["exchangeTime"], *_TIME_STYLES)
    is_option = cells.text(line["drvOptionType"]) in _RIGHTS
    is_share = exchange in EQUITY_EXCHANGES
    heads = {**_HEADS, "stt": Head.CTT} if exchange == "MCX" else _HEADS
    return FillLine(
        place=line.place,
        instrument=_name(line, exchange),
        segment=Segment.EQUITY if is_share else segment_of_contract(exchange, is_option=is_option),
        side=cells.side(line["transactionType"]),
        quantity=cells.above_zero(line["tradedQuantity"]),
        price=cells.above_zero(line["tradedPrice"]),
        day=at.date(),
        at=at,
        currency="INR",
        fill_id=fill_id,
        order_id=cells.identifier(line["orderId"]),
        product=_PRODUCTS.get(cells.text(line["productType"])),
        charges={head: cells.number(line[name]) for name, head in heads.items() if not cells.is_blank(line[name])},
    )


def _name(line: ObjectLine, exchange: str) -> InstrumentName:
    """Return the name of a trade's or position's instrument; Dhan's security id is its code."""
    code, isin = cells.text(line["securityId"]) or None, cells.text(line["isin"]) or None
    symbol, title = cells.text(line["tradingSymbol"]).upper(), cells.text(line["customSymbol"])
    if exchange in EQUITY_EXCHANGES or contract_of(symbol):
        name = named(symbol, exchange).symbol or None
        return InstrumentName(exchange, name, isin, title or None, code)
    underlying = _UNDERLYING.fullmatch(symbol) or _UNDERLYING.fullmatch(title.upper())
    if underlying is None or cells.is_blank(line["drvExpiryDate"]):
        return InstrumentName(exchange, None, isin, title or None, code)
    right = _RIGHTS.get(cells.text(line["drvOptionType"]))
    strike = cells.number(line["drvStrikePrice"]) if right else None
    words = in_words(underlying["name"], cells.day(line["drvExpiryDate"], *_DAY_STYLES), strike, right)
    listed = words is not None and exchange in ("NFO", "BFO")
    return InstrumentName(exchange, symbol_of(words) if words and listed else None, isin, title or None, code)
