"""The trades of Groww's contract note: annexure A with every trade, held against the sums of each share."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from datetime import date
from decimal import Decimal

from trading.brokers.cells import PlacedCell, UnreadableCell, clock, moment_of, money, quantity, side
from trading.brokers.groww_note_shares import NoteShare, key_of, read_shares, rest_of_name
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
    units: dict[tuple[str | None, str], Decimal] = defaultdict(Decimal)
    for trade in trades:
        units[trade.instrument.isin, trade.side] += trade.quantity
    for note in sums:
        if (note.instrument.isin, note.side) in units:
            name = f"{note.instrument.isin} {note.side}"
            draft.stated[name] = note.quantity
            draft.compare(name, units[note.instrument.isin, note.side])
        else:
            draft.notes.append(note)
    draft.notes.extend(trades)
    return sum((share.net_amount for share in shares), Decimal(0))


def _annexure(draft: StatementDraft, on: date, shares: Sequence[NoteShare]) -> list[NoteLine]:
    """Return every trade of annexure A."""
    lines = draft.document.lines
    trades: list[NoteLine] = []
    names: dict[str, NoteShare | None] = {share.key: share for share in shares}
    for index, line in enumerate(lines):
        match = _TRADE.fullmatch(line.strip())
        if match is None:
            continue
        draft.rows_read += 1
        name = " ".join([match["name"], *rest_of_name(lines[index + 1 : index + 2])])
        key = key_of(name)
        if key not in names:  # a name that was cut, or goes on: that of the one share that it begins or completes
            fitting = [
                share for share in shares if share.key and (share.key.startswith(key) or key.startswith(share.key))
            ]
            names[key] = fitting[0] if len(fitting) == 1 else None
        try:
            trades.append(_trade(match, Place(draft.document.name, "", index + 1), on, names[key], name))
        except UnreadableCell as error:
            draft.reject(error)
    return trades


def _trade(match: re.Match[str], place: Place, on: date, share: NoteShare | None, name: str) -> NoteLine:
    """Return one trade; the quantity of a sale is below 0 there. Raises: UnreadableCell."""
    cells = {column: PlacedCell(word, column, place) for column, word in match.groupdict().items()}
    isin, company = (share.isin, share.name) if share else (None, name)
    return NoteLine(
        place=place,
        instrument=InstrumentName(exchange=match["exchange"], isin=isin, company=company),
        side=side(cells["side"]),
        quantity=abs(quantity(cells["quantity"])),
        price=money(cells["price"]),
        day=on,
        at=moment_of(cells["clock"], on, clock(cells["clock"], "%H:%M:%S")),
        order_id=match["order"],
        fill_id=match["trade"],
    )
