"""Angel One's SmartStream 2: one little-endian packet a message, whose first byte is its mode; texts are pongs.

Source: smartapi.angelbroking.com/docs/WebSocket2, and the parser of smartapi-python 1.5.5. Prices are paise, of
currencies 10^-7 of a rupee. The exchange's time is in milliseconds since 1970, UTC.
"""

from __future__ import annotations

from struct import Struct

from trading.feeds.live.decoded import (
    BEYOND,
    CUT,
    EXACT_MAX,
    MILLISECOND,
    NO_POINT,
    UNKNOWN_KIND,
    UNREADABLE,
    Decoded,
    Listing,
    damaged_frame,
    why_no_point,
)

_LTP, _QUOTE, _SNAP, _DEPTH = 1, 2, 3, 4
# The length of a packet by its mode. The fourth has 20 levels of the book and no last price.
_SIZES = {_LTP: 51, _QUOTE: 123, _SNAP: 379, _DEPTH: 443}
_HEAD = Struct("<BB25s8xqq")  # mode, exchange, token, (sequence), exchange's time, last price
_TRADED = Struct("<q8xq")  # last quantity, (average), day's volume, at 51
_INTEREST, _INTEREST_AT = Struct("<q"), 131
_LEVEL = Struct("<Hqq2x")  # flag (1 a bid), quantity, price, (orders), ten times at 147
_LEVELS_AT, _LEVELS = 147, 10
_BID = 1
_CURRENCY, _CURRENCY_SCALE, _PAISE = 13, 10_000_000, 100
_PRICE_MAX = 10**15  # of more digits a float does not hold every one, once they are scaled


def decode(message: bytes | str, listing: Listing) -> Decoded:
    """Return the quote of one message; a packet that is not as long as its mode says is damaged."""
    if isinstance(message, str):
        return Decoded(left_out={NO_POINT: 1})
    mode = message[0] if message else 0
    if mode not in _SIZES:
        return damaged_frame(UNKNOWN_KIND)
    if len(message) != _SIZES[mode]:
        return damaged_frame(CUT)
    decoded = Decoded()
    if mode == _DEPTH:
        decoded.leave_out(NO_POINT)
    else:
        _packet(message, mode, listing, decoded)
    return decoded


def _packet(message: bytes, mode: int, listing: Listing, decoded: Decoded) -> None:
    """Add what a packet of a mode with a last price says to ``decoded``."""
    _, exchange, padded, instant, price = _HEAD.unpack_from(message)
    token = padded.rstrip(b"\0")
    last, volume = (0, None) if mode == _LTP else _TRADED.unpack_from(message, _HEAD.size)
    if not token.isdigit():
        decoded.damage(UNREADABLE)
        return
    listed = listing.get(f"{exchange}:{token.decode()}")
    reason = why_no_point(listed, price, volume)
    if listed is None or reason:
        decoded.leave_out(reason)
        return
    if abs(price) > _PRICE_MAX or not 0 <= instant < EXACT_MAX:
        decoded.damage(BEYOND)
        return
    scale = _CURRENCY_SCALE if exchange == _CURRENCY else _PAISE
    interest, best = None, {"bid": 0.0, "ask": 0.0}
    if mode == _SNAP:
        (interest,) = _INTEREST.unpack_from(message, _INTEREST_AT)
        for number in range(_LEVELS):
            flag, quantity, level = _LEVEL.unpack_from(message, _LEVELS_AT + number * _LEVEL.size)
            side = "bid" if flag == _BID else "ask"
            if quantity > 0 and 0 < level <= _PRICE_MAX and not best[side]:
                best[side] = level / scale
    at = instant * MILLISECOND
    decoded.add(listed, price / scale, at=at, volume=volume, last=last, interest=interest, **best)
