"""The fills of one large file, packed: each as texts and numbers, with what they share kept once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

from trading.brokers.packed import BLOCK_ROWS, PackedCell, PackedCells, PackedRows
from trading.brokers.values import FillKind, FillLine, Head, InstrumentName, Place, Segment


def packed_fills() -> PackedRows[FillLine]:
    """Return an empty sequence for the fills of one file."""
    names = _SharedNames()
    return PackedRows(names.pack, names.unpack)


def few_or_packed(fills: PackedRows[FillLine]) -> Sequence[FillLine]:
    """Return fills that fit one block as a tuple, more as they are."""
    return fills if len(fills) >= BLOCK_ROWS else tuple(fills)


class _SharedNames:
    """The instruments that the fills of a file name, each once, and how fills are written by their numbers."""

    def __init__(self) -> None:
        self._numbers: dict[InstrumentName, int] = {}
        self._names: list[InstrumentName] = []

    def pack(self, fill: FillLine) -> PackedCells:
        """Return a fill's fields as JSON can hold them; `unpack` reads them in the same order."""
        if fill.instrument not in self._numbers:
            self._numbers[fill.instrument] = len(self._names)
            self._names.append(fill.instrument)
        zone = None if fill.at is None else fill.at.tzinfo
        return [
            *(fill.place.file, fill.place.sheet, fill.place.row),
            self._numbers[fill.instrument],
            *(fill.segment, fill.side, str(fill.quantity), str(fill.price)),
            fill.day.isoformat(),
            None if fill.at is None else fill.at.isoformat(),
            zone.key if isinstance(zone, ZoneInfo) else None,
            *(fill.currency, fill.fill_id, fill.order_id, fill.product, fill.tag, fill.kind),
            {head.value: str(amount) for head, amount in fill.charges.items()},
            *(None if fill.amount is None else str(fill.amount), fill.voucher, fill.is_uncharged),
        ]

    def unpack(self, cells: PackedCells) -> FillLine:
        """Return the fill that these cells are of."""
        file, sheet, row, name, segment, side, quantity, price, day, at, zone, currency, *others = cells
        fill_id, order_id, product, tag, kind, charges, amount, voucher, is_uncharged = others
        return FillLine(
            Place(str(file), str(sheet), int(str(row))),
            self._names[int(str(name))],
            None if segment is None else Segment(str(segment)),
            str(side),
            Decimal(str(quantity)),
            Decimal(str(price)),
            date.fromisoformat(str(day)),
            _instant(at, zone),
            str(currency),
            fill_id=_text(fill_id),
            order_id=_text(order_id),
            product=_text(product),
            tag=_text(tag),
            kind=FillKind(str(kind)),
            charges={
                Head(head): Decimal(each) for head, each in (charges if isinstance(charges, Mapping) else {}).items()
            },
            amount=None if amount is None else Decimal(str(amount)),
            voucher=_text(voucher),
            is_uncharged=bool(is_uncharged),
        )


def _text(cell: PackedCell) -> str | None:
    return None if cell is None else str(cell)


def _instant(at: PackedCell, zone: PackedCell) -> datetime | None:
    """Return an instant as it stood: in its zone by name, at its offset, or naive."""
    if at is None:
        return None
    instant = datetime.fromisoformat(str(at))
    return instant if zone is None else instant.astimezone(ZoneInfo(str(zone)))
