"""Kite's ticker: a binary message has packets, a text an order update or a message; one byte is a heartbeat.

Source: kite.trade/docs/connect/v3/websocket. Big-endian: a count of packets, then per packet its length and its body.
Prices are whole numbers, in paise or finer by the segment in the token's last byte. Seconds are since 1970, UTC.
"""

from __future__ import annotations

from struct import Struct

from trading.feeds.live.decoded import (
    CUT,
    NO_POINT,
    SECOND,
    UNKNOWN_KIND,
    Decoded,
    Listing,
    Quote,
    damaged_frame,
    why_no_point,
)
from trading.feeds.live.kite_texts import decode_text

# Token and last price alone; an index goes on with its day's prices, and with its time where it is full.
_HEAD = Struct(">II")
_LTP, _INDEX, _INDEX_FULL, _QUOTE, _FULL = 8, 28, 32, 44, 184
# token, last price, last quantity, (average), day's volume; of a full packet, here with its length before it, also open
# interest, the exchange's time, and quantity and price of the best bid and ask.
_QUOTED = Struct(">III4xI24x")
_WHOLE = Struct(">HIII4xI28xI8xIII52xII52x")
_INDEX_TIME = Struct(">I")
_SCALES = {3: 10_000_000, 6: 10_000, 12: 10_000}  # CDS, BCD and NCO; else paise
_PAISE = 100


def decode(message: bytes | str, listing: Listing) -> Decoded:
    """Return the quotes or the order update of one message.

    A message whose packets do not make up its length is damaged as a whole: none of its numbers can be trusted.
    """
    if isinstance(message, str):
        return decode_text(message)
    if len(message) == 1:
        return Decoded(left_out={NO_POINT: 1})
    decoded, body = Decoded(), memoryview(message)[2:]
    if body and len(body) == (message[0] << 8 | message[1]) * _WHOLE.size:
        full = list(_WHOLE.iter_unpack(body))
        if {packet[0] for packet in full} == {_FULL}:
            for packet in full:  # as nearly every message is
                _full_packet(packet, listing, decoded)
            return decoded
    packets = packets_of(message)
    if packets is None:
        return damaged_frame(CUT)
    for start, length in packets:
        _packet(message, start, length, listing, decoded)
    return decoded


def packets_of(message: bytes) -> list[tuple[int, int]] | None:
    """Return where each packet's body starts and how long it is; None where they do not make up the message."""
    size = len(message)
    if size < 2:
        return None
    position, packets = 2, []
    for _ in range(message[0] << 8 | message[1]):
        if position + 2 > size:
            return None
        length = message[position] << 8 | message[position + 1]
        packets.append((position + 2, length))
        position += 2 + length
    return packets if position == size else None


def _full_packet(packet: tuple[int, ...], listing: Listing, decoded: Decoded) -> None:
    """Add what a full packet, as `_WHOLE` reads it, says to the message's ``decoded``."""
    _, token, price, last, volume, interest, second, bids, bid, asks, ask = packet
    listed, scale = listing.get(token), _SCALES.get(token & 0xFF, _PAISE)
    if listed and price and volume and second and last and bids and bid and asks and ask:  # nearly every packet
        quote: Quote = {
            "ltp": price / scale,
            "timestamp": second * SECOND,
            "day_volume": volume,
            "last_quantity": last,
            "oi": interest,
            "bid": bid / scale,
            "ask": ask / scale,
        }
        decoded.ticks.append((listed.symbol, quote))
        return
    reason = why_no_point(listed, price, volume)
    if listed is None or reason:
        decoded.leave_out(reason)
        return
    decoded.add(
        listed,
        price / scale,
        at=second * SECOND,
        volume=volume,
        last=last,
        interest=interest,
        bid=bid / scale if bids else 0.0,
        ask=ask / scale if asks else 0.0,
    )


def _packet(message: bytes, start: int, length: int, listing: Listing, decoded: Decoded) -> None:
    """Add what one packet says to the message's ``decoded``."""
    second = last = 0
    volume = None
    if length == _FULL:
        _full_packet(_WHOLE.unpack_from(message, start - 2), listing, decoded)
        return
    if length == _QUOTE:
        token, price, last, volume = _QUOTED.unpack_from(message, start)
    elif length in (_LTP, _INDEX, _INDEX_FULL):
        token, price = _HEAD.unpack_from(message, start)
        second = _INDEX_TIME.unpack_from(message, start + _INDEX)[0] if length == _INDEX_FULL else 0
    else:
        decoded.damage(UNKNOWN_KIND)
        return
    listed = listing.get(token)
    reason = why_no_point(listed, price, volume)
    if listed is None or reason:
        decoded.leave_out(reason)
        return
    price /= _SCALES.get(token & 0xFF, _PAISE)
    decoded.add(listed, price, at=second * SECOND, volume=volume, last=last)
