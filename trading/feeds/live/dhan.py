"""Dhan's market feed 2: one little-endian packet a message, whose first byte is its kind.

Source: dhanhq.co/docs/v2/live-market-feed, and the parser of dhanhq 2.3. Prices are rupees as floats of 32 bits. The
last trade's time is in seconds, of which sources disagree whether they count from 1970 in UTC or in India: a person has
to say it (`decoder`).
"""

from __future__ import annotations

from functools import partial
from struct import Struct

from trading.errors import InvalidValue
from trading.feeds.live.decoded import (
    BEYOND,
    CUT,
    FLOAT_MAX,
    NO_POINT,
    SECOND,
    UNKNOWN_KIND,
    Decoded,
    FrameDecoder,
    Listing,
    damaged_frame,
    price_of_float32,
    why_no_point,
)

_TICKER, _QUOTE, _FULL = 2, 4, 8
# The length of a message by its kind; index 1, depth 3, open interest 5, previous close 6, status 7 and the reason of
# a disconnection 50 have no last price that is a trade's.
_SIZES = {_TICKER: 16, 3: 112, _QUOTE: 50, 5: 12, 6: 16, 7: 8, _FULL: 162, 50: 10}
_HEAD = Struct("<BHBI")  # kind, length, segment, security
_PRICED = Struct("<fI")  # ticker: last price, its time
_TRADED = Struct("<fHI4xI")  # quote and full: last price, last quantity, its time, (average), day's volume
_INTEREST, _INTEREST_AT = Struct("<I"), 34  # full
_BEST, _BEST_AT = Struct("<II4xff"), 62  # full: quantities of bid and ask, (orders), prices
_INDIA_SECONDS = 19_800  # by which India's clocks are ahead of UTC
TIMES = {"utc": 0, "india": _INDIA_SECONDS}


def decoder(times: str | None) -> FrameDecoder:
    """Return the decoder for seconds that count from 1970 in UTC ("utc") or by India's clocks ("india").

    Raises: InvalidValue where nobody says which.
    """
    if times not in TIMES:
        raise InvalidValue(
            "Dhan's documents do not settle from when its times count.",
            field="times",
            hint="Compare one with a clock and give --times utc, or --times india where it is 5:30 hours ahead.",
        )
    return partial(_decode, TIMES[times])


def _decode(ahead_seconds: int, message: bytes | str, listing: Listing) -> Decoded:
    """Return the quote of one message; a packet that is not as long as its kind or its header says is damaged."""
    if isinstance(message, str):
        return Decoded(left_out={NO_POINT: 1})
    kind = message[0] if message else 0
    if kind not in _SIZES:
        return damaged_frame(UNKNOWN_KIND)
    stated = message[1] | message[2] << 8 if len(message) == _SIZES[kind] else 0
    if stated not in (_SIZES[kind], _SIZES[kind] - _HEAD.size):  # with its header, or the rest alone
        return damaged_frame(CUT)
    decoded = Decoded()
    if kind in (_TICKER, _QUOTE, _FULL):
        _packet(ahead_seconds, message, kind, listing, decoded)
    else:
        decoded.leave_out(NO_POINT)
    return decoded


def _packet(ahead_seconds: int, message: bytes, kind: int, listing: Listing, decoded: Decoded) -> None:
    """Add what a packet of a kind with a last price says to ``decoded``."""
    _, _, segment, security = _HEAD.unpack_from(message)
    last, volume = 0, None
    if kind == _TICKER:
        number, second = _PRICED.unpack_from(message, _HEAD.size)
    else:
        number, last, second, volume = _TRADED.unpack_from(message, _HEAD.size)
    listed = listing.get(f"{segment}:{security}")
    reason = why_no_point(listed, number, volume)
    if listed is None or reason:
        decoded.leave_out(reason)
        return
    if not abs(number) < FLOAT_MAX:  # NaN neither
        decoded.damage(BEYOND)
        return
    interest, bids, asks, bid, ask = None, 0, 0, 0.0, 0.0
    if kind == _FULL:
        (interest,) = _INTEREST.unpack_from(message, _INTEREST_AT)
        bids, asks, bid, ask = _BEST.unpack_from(message, _BEST_AT)
    decoded.add(
        listed,
        price_of_float32(number, listed),
        at=max(0, second - ahead_seconds) * SECOND,
        volume=volume,
        last=last,
        interest=interest,
        bid=price_of_float32(bid, listed) if bids and 0 < bid < FLOAT_MAX else 0.0,
        ask=price_of_float32(ask, listed) if asks and 0 < ask < FLOAT_MAX else 0.0,
    )
