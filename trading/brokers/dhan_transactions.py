"""Dhan's transaction report: one row for all that was bought and sold in one scrip on one bill, with its charges.

A row is no fill: it tells a day and no clock, amounts and no prices, and its charges are of both sides together. In
place of an order's id its fills have the bill's, so that a bill that comes again is the same one. The
rupee that STT and stamp are rounded to per day stands in the day's last row, which may make one of them negative; so
rows compare per day only. Sales whose purchase the file lacks (an IPO, earlier holdings) are sales as others.
Dhan counts IPFT among its transaction charges.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from trading.brokers.cells import UnreadableCell, day, identifier, money, quantity
from trading.brokers.dhan_contracts import traded
from trading.brokers.dhan_totals import compare_net, read_footer, says_nothing
from trading.brokers.document import Document
from trading.brokers.preamble import has_label, labelled_text, period, row_texts
from trading.brokers.statement_draft import HALF_PAISA, StatementDraft
from trading.brokers.tables import SheetLine, find_table, has_header
from trading.brokers.unit_prices import unit_price
from trading.brokers.values import (
    Broker,
    ChargeLine,
    FillKind,
    FillLine,
    Head,
    InstrumentName,
    Place,
    Segment,
    Statement,
)
from trading.domain.trade_building import bill_id

BROKER = Broker.DHAN
KIND = "transactions"
NAME = "Dhan transaction report (CSV)"

_TITLES = ("Global transction report", "Global transaction report")  # the first as Dhan spells it
_CHARGES = {
    "Brokerage": Head.BROKERAGE,
    "GST": Head.GST,
    "STT": Head.STT,
    "SEBI Fees": Head.SEBI,
    "Stamp Duty": Head.STAMP,
    "Txn. Charges": Head.EXCHANGE,
    "Oth. Charges": Head.OTHER,
}
_COLUMNS = (
    *("Date", "Scrip Name", "Exchange", "Bill No.", "Buy Qty.", "Buy Value", "Sell Qty.", "Sell Value"),
    *_CHARGES,
    "Gross Amount",
)
_DAY_STYLES = ("%d %b %Y %H:%M:%S", "%d-%m-%Y %H:%M")
_COMMODITIES = (Segment.COMMODITY_FUTURES, Segment.COMMODITY_OPTIONS)
_ROW_ROUNDING = HALF_PAISA * (len(_CHARGES) + 1)  # each charge and their sum are rounded by themselves


def matches(head: Document) -> bool:
    """Say whether a file has the report's title and columns."""
    return any(has_label(sheet, title) for sheet in head.sheets[:1] for title in _TITLES) and has_header(head, _COLUMNS)


@dataclass(frozen=True, slots=True)
class _Bill:
    """One row: what was bought and sold as (quantity, amount), and its charges by head."""

    place: Place
    day: date
    instrument: InstrumentName
    segment: Segment
    number: str | None
    occurrence: int  # among the file's rows of this contract on this bill, from 1
    bought: tuple[Decimal, Decimal]
    sold: tuple[Decimal, Decimal]
    charges: Mapping[Head, Decimal]

    def fills(self) -> Iterator[FillLine]:
        """Yield the day's sum of each side that the row has, purchases first."""
        for side, (units, amount) in (("BUY", self.bought), ("SELL", self.sold)):
            if units:
                yield FillLine(
                    place=self.place,
                    instrument=self.instrument,
                    segment=self.segment,
                    side=side,
                    quantity=units,
                    price=unit_price(amount, units),
                    day=self.day,
                    at=None,
                    currency="INR",
                    kind=FillKind.ORDER,
                    amount=amount,
                    order_id=bill_id(self.number, side, self.occurrence) if self.number else None,
                    voucher=self.number,
                )

    def charge_lines(self) -> Iterator[ChargeLine]:
        """Yield the row's charges, those of 0 too: that nothing was charged is told as well."""
        for head, amount in self.charges.items():
            yield ChargeLine(
                place=self.place,
                head=head,
                amount=amount,
                day=self.day,
                last_day=self.day,
                segment=self.segment,
                exchange=self.instrument.exchange,
                instrument=self.instrument,
            )


def read(document: Document) -> Statement:
    """Return what a transaction report says. Raises: UnknownLayout, UnreadableCell (in its period or its totals)."""
    sheet = document.sheets[0]
    table = find_table(document, sheet, _COLUMNS, is_exact=True)
    days = period(document, sheet)
    draft = StatementDraft(document)
    rows: Counter[tuple[str, ...]] = Counter()
    for line in table.lines():
        if not read_footer(draft, line):
            draft.rows_read += 1
            name = tuple(row_texts(line.cells[: _COLUMNS.index("Buy Qty.")]))
            rows[name] += 1
            try:
                bill = _bill(line, days, rows[name])
            except UnreadableCell as error:
                draft.reject(error)
                continue
            draft.fills.extend(bill.fills())
            draft.charges.extend(bill.charge_lines())
    _compare(draft)
    return draft.statement(
        BROKER, KIND, days=days, client=labelled_text(document, sheet, "UCC"), is_empty=says_nothing(draft)
    )


def _bill(line: SheetLine, days: tuple[date, date] | None, occurrence: int) -> _Bill:
    """Return a row's bill. Raises: UnreadableCell, also where the row contradicts itself or the report's period."""
    bill_day = day(line["Date"], *_DAY_STYLES)
    if days is not None and not days[0] <= bill_day <= days[1]:
        raise line["Date"].refused("outside the report's period")
    instrument, segment = traded(line["Scrip Name"], line["Exchange"])
    charges = {head: money(line[column]) for column, head in _CHARGES.items()}
    if segment in _COMMODITIES:
        charges[Head.CTT] = charges.pop(Head.STT)
    bill = _Bill(
        place=line.place,
        day=bill_day,
        instrument=instrument,
        segment=segment,
        number=identifier(line["Bill No."]),
        occurrence=occurrence,
        bought=_side(line, "Buy"),
        sold=_side(line, "Sell"),
        charges=charges,
    )
    net = bill.sold[1] - bill.bought[1] - sum(charges.values(), Decimal(0))
    if abs(money(line["Gross Amount"]) - net) > _ROW_ROUNDING:
        raise line["Gross Amount"].refused(f"where the row makes {net}")
    return bill


def _side(line: SheetLine, side: str) -> tuple[Decimal, Decimal]:
    """Return the units and the amount of one side. Raises: UnreadableCell where only one of them is there."""
    units, amount = quantity(line[f"{side} Qty."]), money(line[f"{side} Value"])
    if units < 0 or amount < 0:
        raise line[f"{side} Qty." if units < 0 else f"{side} Value"].refused("and may not be below 0")
    if bool(units) != bool(amount):
        raise line[f"{side} Value"].refused(f"for {units} units")
    return units, amount


def _compare(draft: StatementDraft) -> None:
    """Compare the totals that rows can add up to; each amount of a row is rounded to the paisa, the total is not."""
    brokerage = [charge.amount for charge in draft.charges if charge.head is Head.BROKERAGE]
    amounts = [charge.amount for charge in draft.charges]
    draft.compare("brokerage", sum(brokerage, Decimal(0)), HALF_PAISA * len(brokerage))
    draft.compare("total_charges", sum(amounts, Decimal(0)), HALF_PAISA * len(amounts))
    compare_net(draft)
