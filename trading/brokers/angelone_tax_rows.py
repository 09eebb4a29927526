"""The rows of Angel One's tax P&L: results, holdings, transfers and cash, each by the title that they stand under."""

from __future__ import annotations

import re
from datetime import date
from decimal import Decimal

from trading.brokers.cells import PlacedCell, day, is_blank, money, money_or_none, number, required_text, text
from trading.brokers.contracts import named_by_terms, named_in_words
from trading.brokers.reading import RefusedRow
from trading.brokers.tables import SheetLine
from trading.brokers.values import ActionLine, BillLine, InstrumentName, PositionLine, Remark

DAY_STYLES = ("%d-%m-%Y", "%d-%b-%Y", "%d %b %Y", "%Y-%m-%d")
_HELD_ON = re.compile(r"(\d\d/\d\d/\d{4})\s*$")

TaxRow = PositionLine | ActionLine | BillLine


def _day(line: SheetLine, column: str) -> date:
    return day(line[column], *DAY_STYLES)


def _share(line: SheetLine) -> InstrumentName:
    return InstrumentName(isin=text(line["ISIN"]) or None, company=required_text(line["Scrip Name"]))


def _result(
    line: SheetLine, name: InstrumentName, quantity: Decimal, closed_on: date, is_intraday: bool
) -> PositionLine:
    """Return what a purchase and its sale made before charges, on the day on which the second was made."""
    bought, sold = money(line["Buy Value"]), money(line["Sell Value"])
    return PositionLine(
        line.place,
        name,
        closed_on,
        closed_on,
        bought_quantity=quantity,
        bought_value=bought,
        sold_quantity=quantity,
        sold_value=sold,
        realised_pnl=sold - bought,
        intraday_pnl=sold - bought if is_intraday else None,
    )


def intraday(line: SheetLine, _title: str) -> PositionLine:
    """Return what was bought and sold within a day."""
    return _result(line, _share(line), number(line["Qty"]), _day(line, "Transaction Date"), True)


def delivery(line: SheetLine, _title: str) -> PositionLine:
    """Return what was bought on a day and sold on another."""
    return _result(line, _share(line), number(line["Qty"]), max(_day(line, "Buy Date"), _day(line, "Sell Date")), False)


def derivative(line: SheetLine, _title: str) -> PositionLine:
    """Return what a contract made, which its terms in columns name."""
    underlying, expiry = required_text(line["Symbol Name"]).upper(), _day(line, "Expiry date")
    strike = money_or_none(line.get("Strike Price")) or None
    right = text(line.get("Option Type")).upper() or None
    exchange = text(line["Segment"]).upper()
    if exchange in ("NFO", "BFO"):
        name = named_by_terms(exchange, underlying, expiry, strike, right)
    else:
        terms = f"{'OPT' if right else 'FUT'} {underlying} {expiry:%d %b %Y}"
        name = named_in_words(terms if right is None else f"{terms} {strike} {right}")
    if name is None:
        raise RefusedRow("contract", f"The terms of the contract on {underlying!r} contradict each other.")
    closed_on = max(_day(line, "Buy Date"), _day(line, "Sell date"))
    return _result(line, name, number(line["Qty"]), closed_on, _day(line, "Buy Date") == _day(line, "Sell date"))


def open_sale(line: SheetLine, _title: str) -> PositionLine:
    """Return a sale whose purchase the broker does not know: no result."""
    sold_on = _day(line, "Sell Date")
    return PositionLine(
        line.place,
        _share(line),
        sold_on,
        sold_on,
        sold_quantity=number(line["Quantity"]),
        sold_value=money(line["Sell Value"]),
    )


def holding(line: SheetLine, title: str) -> PositionLine:
    """Return what was held on the day that the title ends with."""
    match = _HELD_ON.search(title)
    held_on = day(PlacedCell(match[1] if match else None, "title", line.place), "%d/%m/%Y")
    return PositionLine(
        line.place,
        _share(line),
        held_on,
        held_on,
        quantity=number(line["Quantity"]),
        average_price=money(line["Avg Buy Price"]),
    )


def _moved(line: SheetLine, kind: str) -> ActionLine:
    quantity, moved_on = number(line["Qty"]), _day(line, f"{kind} Date")
    name = _share(line)
    sentence = f"{kind} of {quantity} {name.company} at {text(line[f'{kind} Price'])}"
    return ActionLine(line.place, name, moved_on, "other", sentence, quantity=-quantity)


def buyback(line: SheetLine, _title: str) -> ActionLine:
    """Return shares that their company took back."""
    return _moved(line, "Buyback")


def transfer(line: SheetLine, _title: str) -> ActionLine:
    """Return shares that were moved and not sold."""
    return _moved(line, "Transfer")


def breakup(line: SheetLine, _title: str) -> Remark:
    """Leave out where shares lie, of which the holdings are told above."""
    return Remark(line.place, "quantity_breakup", "Where shares lie: their quantity stands among the holdings.")


def fee(line: SheetLine, _title: str) -> BillLine:
    """Return a charge that no trade caused."""
    came, went = (money_or_none(line[f"{side} Amount"]) or Decimal(0) for side in ("Credit", "Debit"))
    return BillLine(line.place, _day(line, "Posting Date"), required_text(line["Charge"]), came - went)


def dividend(line: SheetLine, _title: str) -> BillLine:
    """Return a dividend."""
    sentence = f"Dividend of {required_text(line['Scrip Name'])}"
    return BillLine(line.place, _day(line, "Dividend Date"), sentence, money(line["Dividend Amount"]))


def is_total(line: SheetLine) -> bool:
    """Say whether a row sums up those above it."""
    return any(text(PlacedCell(cell, "", line.place)).casefold().startswith("total") for cell in line.cells[:2])


def is_sentence(line: SheetLine) -> bool:
    """Say whether a row has a text in its first cell and nothing else."""
    return sum(not is_blank(PlacedCell(cell, "", line.place)) for cell in line.cells) == 1
