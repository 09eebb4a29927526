"""The trades of Groww's contract note: annexure A with every trade, held against the sums of each share."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from decimal import Decimal

from trading.brokers.cells import PlacedCell, UnreadableCell, clock, moment_of, money, quantity, side
from trading.brokers.groww_note_shares import NoteShare, read_shares, rest_of_name
from trading.brokers.statement_draft import StatementDraft
from trading.brokers.values import InstrumentName, NoteLine, Place

_TRADE = re.compile(
    r"(?P<order>\d{6,20})\s+(?P<ordered>\d{2}:\d{2}:\d{2})\s+(?P<trade>\d{3,20})\s+(?P<clock>\d{2}:\d{2}:\d{2})\s+"
    r"(?P<name>\S.*?)\s+(?P<exchange>NSE|BSE)\s+(?P<side>[BS])\s+(?P<quantity>-?[\d,]+)\s+(?P<price>[\d,]+\.\d+)(?:\s.*)?"
)


def read_trades(draft: StatementDraft, on: date) -> Decimal:
    """Take the note's trades, one by one where annexure A has them, else the sum of each side; return what all shares
    make, brokerage counted. A line that cannot be read is rejected."""
    shares = read_shares(draft)
    sums = [note for share in shares for note in share.sides(on)]
    trades = _annexure(draft, on, shares)
    for note in sums:
        key = (note.instrument.isin, note.side)
        quantities = [each.quantity for each in trades if (each.instrument.isin, each.side) == key]
        if quantities:
            name = f"{note.instrument.isin} {note.side}"
            draft.stated[name] = note.quantity
            draft.compare(name, sum(quantities, Decimal(0)))
        else:
            draft.notes.append(note)
    draft.notes.extend(trades)
    return sum((share.net_amount for share in shares), Decimal(0))


def _annexure(draft: StatementDraft, on: date, shares: Sequence[NoteShare]) -> list[NoteLine]:
    """Return every trade of annexure A."""
    lines = draft.document.lines
    trades: list[NoteLine] = []
    for index, line in enumerate(lines):
        match = _TRADE.fullmatch(line.strip())
        if match is None:
            continue
        draft.rows_read += 1
        try:
            trades.append(_trade(match, Place(draft.document.name, "", index + 1), on))
        except UnreadableCell as error:
            draft.reject(error)
            continue
        name = " ".join([match["name"], *rest_of_name(lines[index + 1 : index + 2])])
        trades[-1] = replace(trades[-1], instrument=_instrument(name, match["exchange"], shares))
    return trades


def _trade(match: re.Match[str], place: Place, on: date) -> NoteLine:
    """Return one trade; the quantity of a sale is below 0 there. Raises: UnreadableCell."""
    cells = {name: PlacedCell(word, name, place) for name, word in match.groupdict().items()}
    return NoteLine(
        place=place,
        instrument=InstrumentName(),
        side=side(cells["side"]),
        quantity=abs(quantity(cells["quantity"])),
        price=money(cells["price"]),
        day=on,
        at=moment_of(cells["clock"], on, clock(cells["clock"], "%H:%M:%S")),
        order_id=match["order"],
        fill_id=match["trade"],
    )


def _instrument(name: str, exchange: str, shares: Sequence[NoteShare]) -> InstrumentName:
    """Return what a trade names, with the ISIN of the one share whose name it begins or completes."""
    key = "".join(name.split()).casefold()
    fitting = [share for share in shares if _begins(key, "".join(share.name.split()).casefold())]
    if len(fitting) != 1:
        return InstrumentName(exchange=exchange, company=name)
    return InstrumentName(exchange=exchange, isin=fitting[0].isin, company=fitting[0].name)


def _begins(name: str, other: str) -> bool:
    return bool(name and other) and (name.startswith(other) or other.startswith(name))
