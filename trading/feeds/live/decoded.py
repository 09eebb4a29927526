"""What a decoder makes of one frame: quotes under VELOX's symbols, order updates, and counts of all that gave none."""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal

import numpy as np

from trading.domain.chain import JSON

Quote = dict[str, float]  # keys of `DataManager.process_tick`; `timestamp`, where there is one, in whole ns UTC
FeedKey = int | str  # what a feed calls an instrument

# Damage: a frame or a packet of it that cannot be what the broker sent.
CUT, UNKNOWN_KIND, UNREADABLE, BEYOND = "cut", "unknown_kind", "unreadable", "beyond"
# Whole packets that give no point: not listed, without a price, not traded today, or about something else than a price.
NOT_LISTED, NO_PRICE, NOT_TRADED, NO_POINT = "not_listed", "no_price", "not_traded", "no_point"

SECOND, MILLISECOND = 10**9, 10**6
EXACT_MAX = 2**53  # whole numbers that a float holds exactly
FLOAT_MAX = 1e11  # above what the ledger takes for a price
FLOAT_NOISE = 1e-9  # how far arithmetic on doubles may move a price, relative to it


@dataclass(frozen=True, slots=True)
class FeedInstrument:
    """One instrument of the recorder's file: its symbol, its tick as ``tick`` ÷ ``scale`` (0 where nobody told it), and
    whether it is an index, which has prices without a volume."""

    symbol: str
    tick: int = 0
    scale: int = 1
    is_index: bool = False

    @classmethod
    def of(cls, symbol: str, price_tick: Decimal | None, *, is_index: bool = False) -> FeedInstrument:
        """Return an instrument whose prices are multiples of ``price_tick`` rupees."""
        if not price_tick:
            return cls(symbol, is_index=is_index)
        tick, scale = price_tick.as_integer_ratio()
        return cls(symbol, tick, scale, is_index)


Listing = Mapping[FeedKey, FeedInstrument]


@dataclass(slots=True)
class Decoded:
    """One frame decoded. ``damaged`` and ``left_out`` count packets by reason, ``unknown_fields`` fields of a message
    that the published layout does not have; ``remark`` is what the broker says to a person."""

    ticks: list[tuple[str, Quote]] = field(default_factory=list)
    orders: list[Mapping[str, JSON]] = field(default_factory=list)
    damaged: dict[str, int] = field(default_factory=dict)
    left_out: dict[str, int] = field(default_factory=dict)
    unknown_fields: int = 0
    remark: str = ""
    has_timeless: bool = False  # whether a quote has no time of its own

    def add(
        self,
        instrument: FeedInstrument,
        price: float,
        *,
        at: int = 0,
        volume: int | None = None,
        last: int = 0,
        interest: float | None = None,
        bid: float = 0.0,
        ask: float = 0.0,
    ) -> None:
        """Add a quote: its time in ns UTC, the day's volume, the last trade's quantity, the open interest, and the best
        of each side of the book; 0 stands for none, None for what the packet's kind does not have."""
        quote: Quote = {"ltp": price}
        if at:
            quote["timestamp"] = at
        else:
            self.has_timeless = True
        if volume is not None:
            quote["day_volume"] = volume
        if last:
            quote["last_quantity"] = last
        if interest is not None:
            quote["oi"] = interest
        if bid:
            quote["bid"] = bid
        if ask:
            quote["ask"] = ask
        self.ticks.append((instrument.symbol, quote))

    def damage(self, reason: str) -> None:
        """Count one damaged frame or packet."""
        self.damaged[reason] = self.damaged.get(reason, 0) + 1

    def leave_out(self, reason: str) -> None:
        """Count one whole packet that gives no point."""
        self.left_out[reason] = self.left_out.get(reason, 0) + 1


FrameDecoder = Callable[[bytes | str, Listing], Decoded]


def why_no_point(listed: FeedInstrument | None, price: float, volume: int | None) -> str:
    """Return why a whole packet gives no point, "" where it gives one; ``volume`` is the day's, None where the packet
    has none of its kind. Before the day's first trade a feed's last price is yesterday's."""
    if listed is None:
        return NOT_LISTED
    if not price:
        return NO_PRICE
    return NOT_TRADED if volume == 0 and not listed.is_index else ""


def damaged_frame(reason: str) -> Decoded:
    """Return what is made of a frame of which nothing can be taken."""
    return Decoded(damaged={reason: 1})


def price_of_double(number: float, listed: FeedInstrument) -> float:
    """Return a price without the noise of arithmetic on doubles: the multiple of the tick where it is one."""
    price = _on_tick(number, listed)
    return price if price is not None and abs(price - number) <= FLOAT_NOISE * abs(number) else number


def price_of_float32(number: float, listed: FeedInstrument) -> float:
    """Return the price that was sent as a float of 32 bits: the multiple of the tick that has these bits; where there
    is none, the shortest decimal that has them. 2453.05 comes as 2453.050048828125."""
    price = _on_tick(number, listed)
    if price is not None and struct.pack("<f", price) == struct.pack("<f", number):
        return price
    return float(str(np.float32(number)))


def _on_tick(number: float, listed: FeedInstrument) -> float | None:
    """Return the multiple of the tick that is nearest to a number, None where the tick is not known."""
    if not listed.tick:
        return None
    return round(number * listed.scale / listed.tick) * listed.tick / listed.scale  # a quotient of whole numbers: exact
