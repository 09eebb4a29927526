"""Groww's contract note as its PDF's text: a line per share with both sides, the trades of annexure A, and the charges.

What the client pays is below 0, purchases and charges alike, and what he gets above. Averages are rounded to two
decimals, so that no amount is computed from them; a name that is too long goes on in the next line. A note makes no
fills. Notes with futures and options are refused: no public document shows one.
"""

from __future__ import annotations

import re
from datetime import date
from decimal import Decimal

from trading.brokers.cells import PlacedCell, day, money
from trading.brokers.document import Document
from trading.brokers.groww_note_trades import read_trades
from trading.brokers.statement_draft import HALF_PAISA, StatementDraft
from trading.brokers.values import Broker, ChargeLine, Head, Place, Segment, Statement
from trading.errors import UnknownLayout

BROKER = Broker.GROWW
KIND = "note"
NAME = "Groww contract note of equity (PDF)"

_DAY = re.compile(r"Trade Date\s*:?\s+(\d{2}-\d{2}-\d{4})", re.IGNORECASE)
_CLIENT = re.compile(r"Unique Client Code\s*:?\s+(\w+)", re.IGNORECASE)
_FIRST = re.compile(r"Pay In\s*/\s*Pay Out Obligation", re.IGNORECASE)
_BASE = re.compile(r"\([^)]*\)?")  # "(9% on Brokerage, .. and IPFT charges)"
_AMOUNT = re.compile(r"-?[\d,]+\.\d\d|0")  # with its paise, so that a page's number is none
_OBLIGATION = "pay in / pay out obligation"
_NETS = ("net amount receivable / payable", "net amount receivable / payable by client")
_HEADS = {
    "taxable value of supply": Head.BROKERAGE,
    "brokerage": Head.BROKERAGE,
    "exchange transaction charges": Head.EXCHANGE,
    "cgst": Head.GST,
    "sgst": Head.GST,
    "igst": Head.GST,
    "utt": Head.GST,
    "securities transaction tax": Head.STT,
    "sebi turnover fees": Head.SEBI,
    "stamp duty": Head.STAMP,
    "ipft charges": Head.IPFT,
}
_MEMBERS = ("groww invest tech", "nextbillion technology")  # of the exchanges, by its name today and before
_LABEL_LENGTH_MAX = 2000  # of a page's head and foot between two rows; more would be read anew with every line
_COLUMNS_MAX = 3  # equity, futures and options, both


def matches(head: Document) -> bool:
    """Say whether a PDF's first page is of a contract note of Groww's; the word alone is a listed share's name too."""
    page = " ".join(" ".join(head.lines).casefold().split())
    is_groww = any(member in page for member in _MEMBERS)
    return head.container == "pdf" and is_groww and "contract note" in page


def read(document: Document) -> Statement:
    """Return what a note says. Raises: UnknownLayout where its day or its charges are not where Groww has them."""
    note = "\n".join(document.lines)
    trade_day, client = _DAY.search(note), _CLIENT.search(note)
    if trade_day is None:
        raise UnknownLayout(f"{document.name} tells no trade date.", hint="Nothing was read.")
    place = Place(document.name, "", note.count("\n", 0, trade_day.start()) + 1)
    on = day(PlacedCell(trade_day[1], "Trade Date", place), "%d-%m-%Y")
    draft = StatementDraft(document)
    _read_charges(draft, on)
    _compare(draft, read_trades(draft, on))
    return draft.statement(BROKER, KIND, days=(on, on), client=client[1] if client else None)


def _read_charges(draft: StatementDraft, on: date) -> None:
    """Take the obligation, the charges and the net amount. Raises: UnknownLayout where they do not stand as known."""
    lines = draft.document.lines
    first = next((index for index, line in enumerate(lines) if _FIRST.search(line)), None)
    if first is None:
        raise _unknown(draft, "no obligation")
    label = ""
    for index, line in enumerate(lines[first:], first):
        label, amounts = _split(f"{label[-_LABEL_LENGTH_MAX:]} {line}")
        if not amounts:
            continue
        place = Place(draft.document.name, "", index + 1)
        total = _total(draft, [PlacedCell(amount, label, place) for amount in amounts])
        if label.endswith(_NETS):
            draft.stated["net_amount"] = total
            return
        if label.endswith(_OBLIGATION):
            draft.stated["obligation"] = total
        else:
            head = next((head for name, head in _HEADS.items() if label.endswith(name)), Head.OTHER)
            draft.charges.append(
                ChargeLine(place, head, -total, on, on, segment=Segment.EQUITY, on_note=True)
            )  # what is paid stands below 0
        label = ""
    raise _unknown(draft, "no net amount")


def _split(label: str) -> tuple[str, list[str]]:
    """Return a row's label and the amounts at its end; none while it goes on in the next line."""
    if label.count("(") > label.count(")"):
        return label, []
    words = _BASE.sub(" ", label).split()
    amounts: list[str] = []
    while words and _AMOUNT.fullmatch(words[-1]):
        amounts.insert(0, words.pop())
    return (" ".join(words).casefold() if amounts else label), amounts


def _total(draft: StatementDraft, cells: list[PlacedCell]) -> Decimal:
    """Return a row's last amount, that of all segments. Raises: UnknownLayout for futures and options."""
    amounts = [money(cell) for cell in cells]
    if len(amounts) > _COLUMNS_MAX or (len(amounts) > 1 and amounts[0] != amounts[-1]):
        raise _unknown(draft, f"amounts of futures and options at {cells[0].column!r}")
    return amounts[-1]


def _unknown(draft: StatementDraft, what: str) -> UnknownLayout:
    return UnknownLayout(
        f"Unknown layout of {draft.document.name}: {what}.",
        hint="Nothing was read. Take the charges from Groww's P&L of the period.",
    )


def _compare(draft: StatementDraft, shares_net: Decimal) -> None:
    """Compare the obligation with the shares' amounts, from which brokerage is taken, and the net amount with all."""
    charges = sum((line.amount for line in draft.charges), Decimal(0))
    brokerage = sum((line.amount for line in draft.charges if line.head is Head.BROKERAGE), Decimal(0))
    if "obligation" in draft.stated:
        draft.compare("net_amount", draft.stated["obligation"] - charges)
    draft.compare("obligation", shares_net + brokerage, HALF_PAISA * (2 * len(draft.notes) + 2))
