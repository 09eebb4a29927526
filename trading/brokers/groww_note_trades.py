"""The trades of Groww's contract note: a line per share with both sides, and annexure A with every trade."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal

from trading.brokers.cells import PlacedCell, UnreadableCell, clock, moment_of, money, quantity, side
from trading.brokers.statement_draft import HALF_PAISA, StatementDraft
from trading.brokers.values import InstrumentName, NoteLine, Place

_ISIN = re.compile(r"IN[A-Z0-9]{9}\d\b")
_NUMBER = re.compile(r"-?[\d,]+(?:\.\d+)?|-")
_NAME_ONLY = re.compile(r"[A-Z][A-Z&.()'\- ]*")  # the rest of a name that did not fit
_OBLIGATION = re.compile(r"Pay In\s*/\s*Pay Out", re.IGNORECASE)
_TRADE = re.compile(
    r"(?P<order>\d{6,20})\s+(?P<ordered>\d{2}:\d{2}:\d{2})\s+(?P<trade>\d{3,20})\s+(?P<clock>\d{2}:\d{2}:\d{2})\s+"
    r"(?P<name>\S.*?)\s+(?P<exchange>NSE|BSE)\s+(?P<side>[BS])\s+(?P<quantity>-?[\d,]+)\s+(?P<price>[\d,]+\.\d+)(?:\s.*)?"
)
# Of a share: both sides as quantity, average, brokerage per unit, average with it, amount; then both together.
_BUY_QUANTITY, _BUY_PRICE, _BUY_AMOUNT = 0, 1, 4
_SELL_QUANTITY, _SELL_PRICE, _SELL_AMOUNT = 5, 6, 9
_NET_QUANTITY, _NET_AMOUNT = 10, 11
_NUMBERS = 12


@dataclass(frozen=True, slots=True)
class _ShareLine:
    """A line of a share: its numbers as the note prints them."""

    place: Place
    isin: str
    name: str
    numbers: tuple[Decimal, ...]


def read_trades(draft: StatementDraft, on: date) -> Decimal:
    """Take the note's trades, one by one where annexure A has them, else the sum of each side; return what all shares
    make, brokerage counted. A line that cannot be read is rejected."""
    shares = _shares(draft)
    sums = [note for share in shares for note in _sides(share, on)]
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
    return sum((share.numbers[_NET_AMOUNT] for share in shares), Decimal(0))


def _shares(draft: StatementDraft) -> list[_ShareLine]:
    """Return the shares above the obligation; a name may go on before or after its numbers."""
    lines = draft.document.lines
    end = next((index for index, line in enumerate(lines) if _OBLIGATION.search(line)), len(lines))
    starts = [index for index in range(end) if _ISIN.match(lines[index].strip())]
    shares: list[_ShareLine] = []
    for start, stop in zip(starts, [*starts[1:], end], strict=True):
        draft.rows_read += 1
        try:
            shares.append(_share(lines[start:stop], Place(draft.document.name, "", start + 1)))
        except UnreadableCell as error:
            draft.reject(error)
    return shares


def _share(lines: Sequence[str], place: Place) -> _ShareLine:
    """Return one share. Raises: UnreadableCell where its numbers are not twelve, or contradict one another."""
    words: list[str] = []
    for index, line in enumerate(lines):
        words += line.split()
        numbers = _trailing(words)
        if len(numbers) >= _NUMBERS:
            name = words[1 : len(words) - _NUMBERS] + _rest_of_name(lines[index + 1 :])
            cells = [PlacedCell(word if word != "-" else "0", "share", place) for word in numbers[-_NUMBERS:]]
            share = _ShareLine(place, words[0], " ".join(name), tuple(money(cell) for cell in cells))
            _check(share)
            return share
    raise UnreadableCell(f"{words[0]} has no {_NUMBERS} numbers.", place=place, column="share")


def _trailing(words: Sequence[str]) -> list[str]:
    """Return the numbers at the end of a text's words."""
    count = next((index for index, word in enumerate(reversed(words)) if not _NUMBER.fullmatch(word)), len(words))
    return list(words[len(words) - count :])


def _rest_of_name(lines: Sequence[str]) -> list[str]:
    """Return the words of the next line where it is the rest of a name."""
    return lines[0].split() if lines and _NAME_ONLY.fullmatch(lines[0].strip()) else []


def _check(share: _ShareLine) -> None:
    """Refuse a share whose sides do not make its net numbers, or have the other sign. Raises: UnreadableCell."""
    bought, sold = share.numbers[_BUY_QUANTITY], share.numbers[_SELL_QUANTITY]
    paid, received = share.numbers[_BUY_AMOUNT], share.numbers[_SELL_AMOUNT]
    is_signed = bought >= 0 >= paid and sold <= 0 <= received
    is_whole = bought + sold == share.numbers[_NET_QUANTITY]
    if not is_signed or not is_whole or abs(paid + received - share.numbers[_NET_AMOUNT]) > 3 * HALF_PAISA:
        message = f"the numbers of {share.isin} contradict one another."
        raise UnreadableCell(message, place=share.place, column="share")


def _sides(share: _ShareLine, on: date) -> list[NoteLine]:
    """Return the sum of each side that a share has; purchases are paid, so that their amount is below 0."""
    instrument = InstrumentName(isin=share.isin, company=share.name or None)
    columns = (
        ("BUY", _BUY_QUANTITY, _BUY_PRICE, _BUY_AMOUNT),
        ("SELL", _SELL_QUANTITY, _SELL_PRICE, _SELL_AMOUNT),
    )
    return [
        NoteLine(
            place=share.place,
            instrument=instrument,
            side=word,
            quantity=abs(share.numbers[units]),
            price=share.numbers[price],
            day=on,
            net_amount=share.numbers[amount],
        )
        for word, units, price, amount in columns
        if share.numbers[units]
    ]


def _annexure(draft: StatementDraft, on: date, shares: Sequence[_ShareLine]) -> list[NoteLine]:
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
        name = " ".join([match["name"], *_rest_of_name(lines[index + 1 : index + 2])])
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


def _instrument(name: str, exchange: str, shares: Sequence[_ShareLine]) -> InstrumentName:
    """Return what a trade names, with the ISIN of the one share whose name it begins or completes."""
    key = "".join(name.split()).casefold()
    fitting = [share for share in shares if _begins(key, "".join(share.name.split()).casefold())]
    if len(fitting) != 1:
        return InstrumentName(exchange=exchange, company=name)
    return InstrumentName(exchange=exchange, isin=fitting[0].isin, company=fitting[0].name)


def _begins(name: str, other: str) -> bool:
    return bool(name and other) and (name.startswith(other) or other.startswith(name))
