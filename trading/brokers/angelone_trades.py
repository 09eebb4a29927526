"""Angel One's trades and charges (XLSX): one row per fill, with its charges, below a preamble that sums them up.

The broker's name stands nowhere in it. A date is the day alone, as text with the month first: `8/27/26 0:00`. Rows of
quantity 0 without a trade id are the brokerage of an order. The charges of a row are rounded, their sums above are not.
Futures stand in no public sample: a contract that is described in no form that is known is rejected.
"""

from __future__ import annotations

from decimal import Decimal

from trading.brokers.angelone_summary import period, read_sums
from trading.brokers.cells import (
    day,
    identifier,
    is_blank,
    money,
    money_or_none,
    number,
    required_text,
    text,
)
from trading.brokers.contracts import EQUITY_EXCHANGES, named_in_words
from trading.brokers.document import Document
from trading.brokers.preamble import labelled
from trading.brokers.reading import RefusedRow, rejected
from trading.brokers.statement_draft import HALF_PAISA, StatementDraft
from trading.brokers.tables import SheetLine, SheetTable, find_header, find_table, header_key
from trading.brokers.values import (
    Broker,
    ChargeLine,
    FillLine,
    Head,
    InstrumentName,
    Remark,
    Segment,
    Statement,
)
from trading.errors import InvalidValue, UnknownLayout

BROKER = Broker.ANGELONE
KIND = "trades"
NAME = "Angel One trades and charges"
SHEET = "TradesAndCharges"

HEADS = {
    "Brokerage": Head.BROKERAGE,
    "GST": Head.GST,
    "STT": Head.STT,
    "Sebi Tax": Head.SEBI,
    "Exchange Turnover Charges": Head.EXCHANGE,
    "Stamp Duty": Head.STAMP,
    "Other Charges": Head.OTHER,
    "IPFT Charges": Head.IPFT,
}
_COLUMNS = (
    *("Scrip/Contract", "Buy/Sell", "Buy Price", "Sell Price", "Quantity", *HEADS),
    *("Order Type", "Segment", "Exchange", "Order ID", "Trade ID", "Date"),
)
_MARKS = ("Scrip/Contract", "IPFT Charges", "Order ID", "Trade ID")
# The month first, as the file writes it; a day that is no month is refused rather than read the other way round.
_DAY_STYLES = ("%m/%d/%y %H:%M", "%m/%d/%Y %H:%M", "%m/%d/%y", "%m/%d/%Y", "%Y-%m-%d", "%Y-%m-%d %H:%M:%S.%f")
_PRODUCTS = {"intraday": "intraday", "delivery": "delivery"}


TradesRow = FillLine | tuple[ChargeLine, ...]


def matches(head: Document) -> bool:
    """Say whether there is the sheet of this name, with the columns that no other broker has together."""
    return any(sheet.name == SHEET and find_header(sheet, _MARKS) is not None for sheet in head.sheets)


def read(document: Document) -> Statement:
    """Return the fills with their charges, and the brokerage of orders. Raises: UnknownLayout."""
    sheet = next((each for each in document.sheets if each.name == SHEET), None)
    if sheet is None:
        raise UnknownLayout(f"{document.name} has no sheet {SHEET}.", hint="Nothing was read.")
    table = find_table(document, sheet, _COLUMNS, is_exact=True)
    draft = StatementDraft(document)
    _read_lines(table, draft)
    count = draft.rows_read - len(draft.ignored) - len(draft.rejected)
    read_sums(document, sheet, table, HEADS, draft)
    for name, total in _computed(draft).items():
        # Each figure of each row may have lost half a paisa.
        figures = {"trades": 0, "trade_charges": count * len(HEADS)}.get(name, count)
        draft.compare(name, total, HALF_PAISA * figures)
    days = period(document, sheet, table) or [
        *(fill.day for fill in draft.fills),
        *(charge.day for charge in draft.charges),
    ]
    client = labelled(document, sheet, "ClientCode", table.header_index)
    return draft.statement(
        BROKER,
        KIND,
        days=(min(days), max(days)) if days else None,
        client=None if client is None else text(client),
        is_empty=draft.is_empty,
    )


def _read_lines(table: SheetTable, draft: StatementDraft) -> None:
    for line in table.lines():
        draft.rows_read += 1
        try:
            row = _row(line)
        except InvalidValue as error:
            draft.rejected.append(rejected(line.place, error))
            continue
        if isinstance(row, Remark):
            draft.ignored.append(row)
        elif isinstance(row, FillLine):
            draft.fills.append(row)
        else:
            draft.charges.extend(row)


def _row(line: SheetLine) -> TradesRow | Remark:
    """Return a fill, or the charges of an order; the note below the table is neither."""
    if text(line["Scrip/Contract"]).upper().startswith("NOTE:"):
        return Remark(line.place, "footer", "A note below the table.")
    trading_day = day(line["Date"], *_DAY_STYLES)
    name, segment = _instrument(line)
    amounts = {head: money_or_none(line[column]) or Decimal(0) for column, head in HEADS.items()}
    units = number(line["Quantity"])
    if units == 0 and is_blank(line["Trade ID"]):
        return tuple(
            ChargeLine(line.place, head, amount, trading_day, trading_day, segment, name.exchange, name)
            for head, amount in amounts.items()
            if amount
        )
    if units <= 0:
        raise line["Quantity"].refused("and no quantity of a trade")
    side, price = _side_and_price(line)
    return FillLine(
        line.place,
        name,
        segment,
        side,
        units,
        price,
        trading_day,
        None,
        "INR",
        fill_id=identifier(line["Trade ID"]),
        order_id=identifier(line["Order ID"]),
        product=_PRODUCTS.get(header_key(line["Order Type"].content)),
        charges=amounts,
    )


def _side_and_price(line: SheetLine) -> tuple[str, Decimal]:
    """Return the side by its word and the price from that side's column; the other column must be empty or 0."""
    side = text(line["Buy/Sell"]).upper()
    if side not in ("BUY", "SELL"):
        raise line["Buy/Sell"].refused("neither a purchase nor a sale")
    own, other = ("Buy Price", "Sell Price") if side == "BUY" else ("Sell Price", "Buy Price")
    if money_or_none(line[other]):
        raise RefusedRow("side_conflict", f"The row says {side} and has a price under {other!r}.")
    price = money(line[own])
    if price <= 0:
        raise line[own].refused("and no price of a trade")
    return side, price


def _instrument(line: SheetLine) -> tuple[InstrumentName, Segment]:
    exchange, kind = text(line["Exchange"]).upper(), text(line["Segment"]).upper()
    description = required_text(line["Scrip/Contract"])
    if exchange not in EQUITY_EXCHANGES:
        raise line["Exchange"].refused("neither NSE nor BSE")
    if kind == "CAPITAL":
        return InstrumentName(exchange, company=description), Segment.EQUITY
    name = named_in_words(description, exchange) if kind == "FUTURES" else None
    if name is None:
        raise RefusedRow(
            "contract", f"The contract {description!r} of the segment {kind!r} is in no form that is known."
        )
    is_option = description.upper().split()[0].startswith(("OPT", "BSXOPT"))
    return name, Segment.OPTIONS if is_option else Segment.FUTURES


def _computed(draft: StatementDraft) -> dict[str, Decimal]:
    """Return the sums of the rows: fills, charges of each head, all charges."""
    sums = {head.value: Decimal(0) for head in HEADS.values()}
    for head, amount in (
        *((head, amount) for fill in draft.fills for head, amount in fill.charges.items()),
        *((charge.head, charge.amount) for charge in draft.charges),
    ):
        sums[head.value] += amount
    return {**sums, "trade_charges": sum(sums.values(), Decimal(0)), "trades": Decimal(len(draft.fills))}
