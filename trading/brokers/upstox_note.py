"""Upstox's contract note as text of its PDF: each trade and each charge as they stand there; fills come of it never.

Amounts are signed the other way round than cash: above 0 is payable by the client, a sale has quantity and total below
0. Here they are turned. Of the block of charges only the brokerage and lines in brackets count, since a page's footer
may cut it. The annexe lists the brokerage of each order as if it were a purchase of one unit at price 0: no trade.
Derivatives' lines are known to exist, and no public note shows how they are written: such lines are rejected.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal

from trading.brokers.cells import PlacedCell, clock, day, moment_of, money, number
from trading.brokers.document import Document
from trading.brokers.reading import RefusedRow, rejected
from trading.brokers.statement_draft import StatementDraft
from trading.brokers.upstox import head_of, names_upstox
from trading.brokers.values import Broker, ChargeLine, Head, InstrumentName, NoteLine, Place, Segment, Statement
from trading.errors import InvalidValue, UnknownLayout

BROKER = Broker.UPSTOX
KIND = "note"
NAME = "Upstox contract note (PDF)"

_FIGURE = r"\(?-?[\d,]+\.\d+\)?"
_TRADE_DAY = re.compile(r"Trade Date\s*:\s*(\S+)")
_CLIENT = re.compile(r"UCC OF CLIENT\s*:\s*(\S+)")
_FILL = re.compile(
    r"(?P<order>\d{8,})\s+\d\d:\d\d:\d\d\s+(?P<trade>\d+)\s+(?P<time>\d\d:\d\d:\d\d)\s+(?P<company>.+?)\s+"
    r"\[(?P<isin>[A-Z]{2}[A-Z0-9]{10})\]\s*\**\s+(?P<side>[BS])\s+(?P<quantity>-?[\d,]+)\s+"
    rf"(?P<price>{_FIGURE})\s+(?P<net_price>{_FIGURE})\s+(?P<total>{_FIGURE})(?:\s+(?P<exchange>NSE|BSE))?\s*\**"
)
_ORDER_BROKERAGE = re.compile(rf"\d{{8,}}\s+Brokerage Charges\s+[BS]\s+\d+\s+{_FIGURE}\s+{_FIGURE}\s+({_FIGURE})")
_LIKE_A_FILL = re.compile(r"\d{8,}\s+\d\d:\d\d:\d\d\s")
_OBLIGATION = re.compile(rf"PAY IN\s*/\s*\(\s*PAY OUT\s*\)\s*OBLIGATION((?:\s+{_FIGURE})+)", re.IGNORECASE)
_CHARGES = re.compile(rf"(\[[^\]]+\]|Brokerage Charges)((?:\s+{_FIGURE})+)", re.IGNORECASE)
_NET = re.compile(rf"Net amount \(-\) receivable by Client.*?((?:\s+{_FIGURE})+)$", re.IGNORECASE)
_COLUMNS = re.compile(r"((?:\S+\s+\(Rs\.\)\s+)+)TOTAL\s+\(Net\)\s+\(Rs\.\)")
_SEGMENTS = {"EQ-CASH": Segment.EQUITY}
_LINE_LENGTH_MAX = 600
_PAISA = Decimal("0.01")


@dataclass(slots=True)
class NoteDraft(StatementDraft):
    """What was read so far of a note of ``day``. ``heads`` are its charges by segment's column and head, a cost above
    0; totals are turned to cash as they are read."""

    day: date = date.min
    columns: tuple[str, ...] = ()
    heads: dict[tuple[str, Head], ChargeLine] = field(default_factory=dict)
    order_brokerage: Decimal = Decimal(0)
    is_in_block: bool = False


def matches(head: Document) -> bool:
    """Say whether a PDF's first page names Upstox and calls itself a contract note."""
    return any(map(names_upstox, head.lines)) and any("CONTRACT NOTE" in line.upper() for line in head.lines)


def read(document: Document) -> Statement:
    """Return what a note says. Raises: UnknownLayout where it has no trade date, or no line of a trade."""
    lines = [
        PlacedCell(line.strip(), "line", Place(document.name, "", count))
        for count, line in enumerate(document.lines, 1)
    ]
    draft = NoteDraft(document, day=_trade_day(document, lines))
    for line in lines:
        try:
            _read_line(line, str(line.content), draft)
        except InvalidValue as error:
            draft.rejected.append(rejected(line.place, error))
    if not draft.notes and not draft.rejected:
        raise UnknownLayout(f"{document.name} shows no trade of its contract note.", hint="Nothing was read.")
    draft.charges = list(draft.heads.values())
    draft.rows_read = len(draft.notes) + len(draft.ignored) + len(draft.rejected)
    _compare(draft)
    client = next((match[1] for line in document.lines if (match := _CLIENT.search(line))), None)
    return draft.statement(BROKER, KIND, days=(draft.day, draft.day), client=client)


def _trade_day(document: Document, lines: list[PlacedCell]) -> date:
    for line in lines:
        if match := _TRADE_DAY.search(str(line.content)):
            return day(PlacedCell(match[1], "Trade Date", line.place), "%d/%m/%Y")
    raise UnknownLayout(f"{document.name} shows no trade date.", hint="Nothing was read.")


def _compare(draft: NoteDraft) -> None:
    """Put what the lines add up to beside what the note states."""
    obligation = sum((note.net_amount or Decimal(0) for note in draft.notes), Decimal(0))
    costs = sum((charge.amount for charge in draft.charges), Decimal(0))
    draft.compare("obligation", obligation)
    draft.compare("net", draft.stated.get("obligation", obligation) - costs)
    if draft.order_brokerage:
        draft.compare("brokerage", draft.order_brokerage)


def _read_line(line: PlacedCell, content: str, draft: NoteDraft) -> None:
    """Take one line for what it is; most are none of these. One that is longer than any of a note is not searched."""
    if len(content) > _LINE_LENGTH_MAX:
        raise RefusedRow("unreadable_line", f"A line of {len(content)} letters.")
    if match := _FILL.fullmatch(content):
        draft.notes.append(_trade(line, match, draft.day))
    elif match := _ORDER_BROKERAGE.fullmatch(content):
        draft.order_brokerage += money(PlacedCell(match[1], "Net Total", line.place))
        draft.ignore(line.place, "order_brokerage", "The brokerage of an order, and no trade.")
    elif _LIKE_A_FILL.match(content):
        raise RefusedRow("unreadable_trade", "A line of a trade in a layout that no public note shows.")
    elif match := _COLUMNS.search(content):
        draft.columns = tuple(re.findall(r"(\S+)\s+\(Rs\.\)", match[1]))
    elif match := _OBLIGATION.search(content):
        draft.stated["obligation"] = -_figures(line, match[1])[-1]
        draft.is_in_block = True
    elif match := _NET.search(content):
        draft.stated["net"] = -_figures(line, match[1])[-1]
        draft.is_in_block = False
    elif draft.is_in_block:
        for label, figures in _CHARGES.findall(content):
            _read_charge(line, label, _figures(line, figures), draft)


def _figures(line: PlacedCell, figures: str) -> list[Decimal]:
    return [money(PlacedCell(figure, "amount", line.place)) for figure in figures.split()]


def _trade(line: PlacedCell, match: re.Match[str], trading_day: date) -> NoteLine:
    terms = {name: PlacedCell(match[name], name, line.place) for name in match.groupdict()}
    units, total = number(terms["quantity"]), money(terms["total"])
    net_price = money(terms["net_price"])
    is_purchase = match["side"] == "B"
    if not units or (units > 0) != is_purchase or (total > 0) != is_purchase:
        raise RefusedRow("side_conflict", f"The line says {match['side']} with quantity {units} and total {total}.")
    if abs(units * net_price - total) > _PAISA:
        raise RefusedRow("amount_conflict", f"{units} times {net_price} is not {total}.")
    return NoteLine(
        line.place,
        InstrumentName(exchange=match["exchange"], isin=match["isin"], company=match["company"].strip("* ")),
        "BUY" if is_purchase else "SELL",
        abs(units),
        money(terms["price"]),
        trading_day,
        at=moment_of(line, trading_day, clock(terms["time"], "%H:%M:%S")),
        order_id=match["order"],
        fill_id=match["trade"],
        net_amount=-total,
    )


def _read_charge(line: PlacedCell, label: str, figures: list[Decimal], draft: NoteDraft) -> None:
    """Add a line of charges to its head: one column per segment, then their total."""
    *amounts, total = figures
    if len(amounts) != len(draft.columns) or sum(amounts) != total:
        raise RefusedRow("charge_conflict", f"The columns of {label} do not add up to {total}, or have no segment.")
    head = head_of(label)
    if head is Head.BROKERAGE:
        draft.stated["brokerage"] = total
    for column, amount in zip(draft.columns, amounts, strict=True):
        former = draft.heads.get((column, head))
        draft.heads[column, head] = ChargeLine(
            former.place if former else line.place,
            head,
            (former.amount if former else Decimal(0)) + amount,
            draft.day,
            draft.day,
            segment=_SEGMENTS.get(column),
            on_note=True,
        )
