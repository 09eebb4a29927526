"""The lines of shares of Groww's contract note: both sides of each, and what they make together."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from trading.brokers.cells import PlacedCell, UnreadableCell, money
from trading.brokers.statement_draft import HALF_PAISA, StatementDraft
from trading.brokers.values import InstrumentName, NoteLine, Place

_ISIN = re.compile(r"IN[A-Z0-9]{9}\d\b")
_NUMBER = re.compile(r"-?[\d,]+(?:\.\d+)?|-")
_NAME_ONLY = re.compile(r"[A-Z][A-Z&.()'\- ]*")  # the rest of a name that did not fit
_OBLIGATION = re.compile(r"Pay In\s*/\s*Pay Out", re.IGNORECASE)
# Of a share: both sides as quantity, average, brokerage per unit, average with it, amount; then both together.
_BUY_QUANTITY, _BUY_PRICE, _BUY_AMOUNT = 0, 1, 4
_SELL_QUANTITY, _SELL_PRICE, _SELL_AMOUNT = 5, 6, 9
_NET_QUANTITY, _NET_AMOUNT = 10, 11
_NUMBERS = 12


@dataclass(frozen=True, slots=True)
class NoteShare:
    """A line of a share: its numbers as the note prints them."""

    place: Place
    isin: str
    name: str
    numbers: tuple[Decimal, ...]

    @property
    def key(self) -> str:
        """What the name is compared by."""
        return key_of(self.name)

    @property
    def net_amount(self) -> Decimal:
        """What both sides make, brokerage counted; below 0 where the client pays."""
        return self.numbers[_NET_AMOUNT]

    def sides(self, on: date) -> list[NoteLine]:
        """Return the sum of each side that the share has; purchases are paid, so that their amount is below 0."""
        instrument = InstrumentName(isin=self.isin, company=self.name or None)
        columns = (
            ("BUY", _BUY_QUANTITY, _BUY_PRICE, _BUY_AMOUNT),
            ("SELL", _SELL_QUANTITY, _SELL_PRICE, _SELL_AMOUNT),
        )
        return [
            NoteLine(
                place=self.place,
                instrument=instrument,
                side=word,
                quantity=abs(self.numbers[units]),
                price=self.numbers[price],
                day=on,
                net_amount=self.numbers[amount],
            )
            for word, units, price, amount in columns
            if self.numbers[units]
        ]


def key_of(name: str) -> str:
    """Return what names of companies are compared by: their letters, wherever a line broke them."""
    return "".join(name.split()).casefold()


def read_shares(draft: StatementDraft) -> list[NoteShare]:
    """Return the shares above the obligation; a name may go on before or after its numbers."""
    lines = draft.document.lines
    end = next((index for index, line in enumerate(lines) if _OBLIGATION.search(line)), len(lines))
    starts = [index for index in range(end) if _ISIN.match(lines[index].strip())]
    shares: list[NoteShare] = []
    for start, stop in zip(starts, [*starts[1:], end], strict=True):
        draft.rows_read += 1
        try:
            shares.append(_share(lines[start:stop], Place(draft.document.name, "", start + 1)))
        except UnreadableCell as error:
            draft.reject(error)
    return shares


def _share(lines: Sequence[str], place: Place) -> NoteShare:
    """Return one share. Raises: UnreadableCell where its numbers are not twelve, or contradict one another."""
    words: list[str] = []
    for index, line in enumerate(lines):
        words += line.split()
        numbers = _trailing(words)
        if len(numbers) >= _NUMBERS:
            name = words[1 : len(words) - _NUMBERS] + rest_of_name(lines[index + 1 :])
            cells = [PlacedCell(word if word != "-" else "0", "share", place) for word in numbers[-_NUMBERS:]]
            share = NoteShare(place, words[0], " ".join(name), tuple(money(cell) for cell in cells))
            _check(share)
            return share
    raise UnreadableCell(f"{words[0]} has no {_NUMBERS} numbers.", place=place, column="share")


def _trailing(words: Sequence[str]) -> list[str]:
    """Return the numbers at the end of a text's words."""
    count = next((index for index, word in enumerate(reversed(words)) if not _NUMBER.fullmatch(word)), len(words))
    return list(words[len(words) - count :])


def rest_of_name(lines: Sequence[str]) -> list[str]:
    """Return the words of the next line where it is the rest of a name."""
    return lines[0].split() if lines and _NAME_ONLY.fullmatch(lines[0].strip()) else []


def _check(share: NoteShare) -> None:
    """Refuse a share whose sides do not make its net numbers, or have the other sign. Raises: UnreadableCell."""
    bought, sold = share.numbers[_BUY_QUANTITY], share.numbers[_SELL_QUANTITY]
    paid, received = share.numbers[_BUY_AMOUNT], share.numbers[_SELL_AMOUNT]
    is_signed = bought >= 0 >= paid and sold <= 0 <= received
    is_whole = bought + sold == share.numbers[_NET_QUANTITY]
    if not is_signed or not is_whole or abs(paid + received - share.numbers[_NET_AMOUNT]) > 3 * HALF_PAISA:
        message = f"the numbers of {share.isin} contradict one another."
        raise UnreadableCell(message, place=share.place, column="share")
