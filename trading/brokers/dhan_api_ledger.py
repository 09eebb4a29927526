"""Dhan's ledger report by its API: one object per posting, its day in words (`Jun 22, 2022`), amounts as texts."""

from __future__ import annotations

from decimal import Decimal

from trading.brokers import cells
from trading.brokers.dhan_totals import BALANCES
from trading.brokers.document import Document
from trading.brokers.objects import ObjectLine, has_fields, object_lines
from trading.brokers.reading import read_rows
from trading.brokers.values import BillLine, Broker, Remark, Statement

BROKER = Broker.DHAN
KIND = "api_ledger"
NAME = "Dhan ledger report (JSON)"

_FIELDS = ("narration", "voucherdate", "voucherdesc", "vouchernumber", "debit", "credit", "runbal")
_OTHERS = (*("dhanClientId",),)  # fields that answers have as well


def matches(head: Document) -> bool:
    """Say whether an answer's objects are postings of Dhan."""
    return has_fields(head, ("voucherdate", "vouchernumber", "runbal"))


def read(document: Document) -> Statement:
    """Return the postings as they stand; a balance is none. Raises: UnknownLayout, UnreadableFile."""
    lines = object_lines(document, _FIELDS, _OTHERS)
    rows = read_rows(lines, _posting)
    days = [bill.day for bill in rows.read]
    clients = {cells.text(line["dhanClientId"]) for line in lines} - {""}
    return Statement(
        file=document.name,
        sha256=document.sha256,
        broker=BROKER,
        kind=KIND,
        zone=cells.INDIA.key,
        rows_read=rows.count,
        first_day=min(days, default=None),
        last_day=max(days, default=None),
        client=clients.pop() if len(clients) == 1 else None,
        bills=tuple(rows.read),
        ignored=tuple(rows.ignored),
        rejected=tuple(rows.rejected),
        is_empty=not rows.read and not rows.rejected,
    )


def _posting(line: ObjectLine) -> BillLine | Remark:
    narration = cells.text(line["narration"]) or cells.text(line["voucherdesc"])
    if narration.casefold() in BALANCES:
        return Remark(line.place, "balance_row", f"{narration}, no posting.")
    credit, debit = cells.money_or_none(line["credit"]), cells.money_or_none(line["debit"])
    if credit is None and debit is None:
        raise line["credit"].refused("and so is 'debit'")
    return BillLine(
        place=line.place,
        day=cells.day(line["voucherdate"], "%b %d, %Y"),
        text=narration,
        amount=(credit or Decimal(0)) - (debit or Decimal(0)),
        balance=cells.money_or_none(line["runbal"]),
        voucher=cells.identifier(line["vouchernumber"]),
    )
