"""Dhan's ledger: each posting of an account with the balance after it, newest or oldest first as Dhan sorts it.

The rows of the opening and closing balance stand above all others, on some accounts dated 01-01-1970, and the opening
balance stands in a column of postings; both are no postings. A day has a posting per segment with one and the same
reference, so that none of them is a repetition.
"""

from __future__ import annotations

from decimal import Decimal

from trading.brokers.cells import UnreadableCell, day, identifier, money_or_none, text
from trading.brokers.dhan_totals import BALANCES, read_footer
from trading.brokers.document import Document
from trading.brokers.preamble import has_label, labelled_text, period
from trading.brokers.statement_draft import StatementDraft
from trading.brokers.tables import SheetLine, find_table, has_header
from trading.brokers.values import BillLine, Broker, Statement

BROKER = Broker.DHAN
KIND = "ledger"
NAME = "Dhan ledger (CSV)"

_TITLE = "Ledger Statement"
_COLUMNS = ("Posting Date", "Posting reference", "Description", "Narration", "Credit", "Debit", "Net Balance")


def matches(head: Document) -> bool:
    """Say whether a file has the ledger's title and columns."""
    return any(has_label(sheet, _TITLE) for sheet in head.sheets[:1]) and has_header(head, _COLUMNS)


def read(document: Document) -> Statement:
    """Return what a ledger says. Raises: UnknownLayout, UnreadableCell (in its period or its balances)."""
    sheet = document.sheets[0]
    table = find_table(document, sheet, _COLUMNS, is_exact=True)
    draft = StatementDraft(document)
    opening: list[Decimal] = []
    for line in table.lines():
        if read_footer(draft, line, BALANCES):
            continue
        draft.rows_read += 1
        try:
            balance = _balance(line)
            if balance is None:
                draft.bills.append(_posting(line))
                continue
            draft.ignore(line.place, "balance_row", f"The {balance.replace('_', ' ')}, no posting.")
            if balance == "opening_balance":
                opening.append(_amount(line))
        except UnreadableCell as error:
            draft.reject(error)
    if opening:
        draft.compare("opening_balance", opening[0])
    if "opening_balance" in draft.stated:
        postings = sum((bill.amount for bill in draft.bills), Decimal(0))
        draft.compare("closing_balance", draft.stated["opening_balance"] + postings)
    is_empty = not draft.bills and not draft.rejected
    return draft.statement(
        BROKER,
        KIND,
        days=period(document, sheet, _TITLE),
        client=labelled_text(document, sheet, "UCC"),
        is_empty=is_empty,
    )


def _balance(line: SheetLine) -> str | None:
    """Return which balance a row tells of, None where it is a posting."""
    for column in ("Posting reference", "Description", "Narration"):
        name = BALANCES.get(text(line[column]).casefold())
        if name is not None:
            return name
    return None


def _posting(line: SheetLine) -> BillLine:
    narration = text(line["Narration"]) or text(line["Description"])
    return BillLine(
        place=line.place,
        day=day(line["Posting Date"], "%d-%m-%Y"),
        text=narration,
        amount=_amount(line),
        balance=money_or_none(line["Net Balance"]),
        voucher=identifier(line["Posting reference"]),
    )


def _amount(line: SheetLine) -> Decimal:
    """Return what came (above 0) or went. Raises: UnreadableCell where neither column has an amount."""
    credit, debit = money_or_none(line["Credit"]), money_or_none(line["Debit"])
    if credit is None and debit is None:
        raise line["Credit"].refused("and so is 'Debit'")
    return (credit or Decimal(0)) - (debit or Decimal(0))
