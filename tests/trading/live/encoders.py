"""Brokers' frames written byte by byte from their documents, by nothing that the decoders use."""

from __future__ import annotations

import struct
from collections.abc import Sequence


def u(number: int, size: int) -> bytes:
    return number.to_bytes(size, "big")


def kite_message(*bodies: bytes) -> bytes:
    return u(len(bodies), 2) + b"".join(u(len(body), 2) + body for body in bodies)


def kite_ltp(token: int, price: int) -> bytes:
    return u(token, 4) + u(price, 4)


def kite_index(token: int, price: int, second: int | None = None) -> bytes:
    day = b"".join(
        u(number, 4) for number in (price + 5, price - 5, price - 1, 17, 3)
    )  # high, low, open, close, change
    return kite_ltp(token, price) + day + (b"" if second is None else u(second, 4))


def kite_quote(token: int, price: int, last: int, volume: int) -> bytes:
    rest = (price, volume, 7, 8, price - 3, price + 4, price - 9, 99)
    numbers = (last, rest[0], rest[1], *rest[2:])
    return kite_ltp(token, price) + b"".join(u(number, 4) for number in numbers)


def kite_full(
    token: int,
    price: int,
    last: int,
    volume: int,
    second: int,
    *,
    oi: int = 0,
    bid: tuple[int, int] = (0, 0),
    ask: tuple[int, int] = (0, 0),
) -> bytes:
    """Return a full packet; ``bid`` and ``ask`` are quantity and price of the best of each."""
    body = kite_quote(token, price, last, volume) + u(second - 1, 4) + u(oi, 4) + u(oi + 1, 4) + u(1, 4) + u(second, 4)
    for quantity, best in (bid, ask):
        for step in range(5):
            body += u(quantity, 4) + u(best - step if best else 0, 4) + u(2, 2) + u(0, 2)
    return body


def le(number: int, size: int) -> bytes:
    return number.to_bytes(size, "little", signed=number < 0)


def angel_head(mode: int, exchange: int, token: str, millisecond: int, price: int) -> bytes:
    return bytes([mode, exchange]) + token.encode().ljust(25, b"\0") + le(7, 8) + le(millisecond, 8) + le(price, 8)


def angel_quote(
    exchange: int, token: str, millisecond: int, price: int, last: int, volume: int, mode: int = 2
) -> bytes:
    day = b"".join(le(price + step, 8) for step in (-3, 4, -9, 1))
    traded = le(last, 8) + le(price, 8) + le(volume, 8) + struct.pack("<dd", 9.0, 8.0)
    return angel_head(mode, exchange, token, millisecond, price) + traded + day


def angel_snap(
    exchange: int,
    token: str,
    millisecond: int,
    price: int,
    last: int,
    volume: int,
    *,
    oi: int = 0,
    levels: Sequence[tuple[int, int, int]] = (),
) -> bytes:
    """Return a snap quote; ``levels`` are flag (1 a bid), quantity and price."""
    rows = [*levels, *[(0, 0, 0)] * (10 - len(levels))]
    book = b"".join(le(flag, 2) + le(quantity, 8) + le(best, 8) + le(1, 2) for flag, quantity, best in rows)
    head = angel_quote(exchange, token, millisecond, price, last, volume, mode=3)
    return head + le(millisecond // 1000, 8) + le(oi, 8) + le(0, 8) + book + b"".join(le(price, 8) for _ in range(4))


def dhan(kind: int, segment: int, security: int, body: bytes) -> bytes:
    return bytes([kind]) + le(8 + len(body), 2) + bytes([segment]) + le(security, 4) + body


def f32(number: float) -> bytes:
    return struct.pack("<f", number)


def dhan_ticker(segment: int, security: int, price: float, second: int) -> bytes:
    return dhan(2, segment, security, f32(price) + le(second, 4))


def _dhan_traded(price: float, last: int, second: int, volume: int) -> bytes:
    return f32(price) + le(last, 2) + le(second, 4) + f32(price) + le(volume, 4) + le(5, 4) + le(6, 4)


def dhan_quote(segment: int, security: int, price: float, last: int, second: int, volume: int) -> bytes:
    day = b"".join(f32(price + step) for step in (-1, 3, 2, -4))  # open, close, high, low
    return dhan(4, segment, security, _dhan_traded(price, last, second, volume) + day)


def dhan_full(
    segment: int,
    security: int,
    price: float,
    last: int,
    second: int,
    volume: int,
    *,
    oi: int = 0,
    bid: tuple[int, float] = (0, 0.0),
    ask: tuple[int, float] = (0, 0.0),
) -> bytes:
    day = b"".join(f32(price + step) for step in (-1, 3, 2, -4))
    book = b""
    for step in range(5):
        book += le(bid[0], 4) + le(ask[0], 4) + le(1, 2) + le(1, 2)
        book += f32(bid[1] - step if bid[1] else 0.0) + f32(ask[1] + step if ask[1] else 0.0)
    body = _dhan_traded(price, last, second, volume) + le(oi, 4) + le(oi, 4) + le(oi, 4) + day + book
    return dhan(8, segment, security, body)


# Protobuf, as developers.google.com/protocol-buffers/docs/encoding has it.


def varint(number: int) -> bytes:
    number &= 2**64 - 1
    out = b""
    while number > 127:
        out += bytes([number & 127 | 128])
        number >>= 7
    return out + bytes([number])


def whole(field: int, number: int) -> bytes:
    return varint(field << 3) + varint(number) if number else b""


def double(field: int, number: float) -> bytes:
    return varint(field << 3 | 1) + struct.pack("<d", number) if number else b""


def part(field: int, content: bytes) -> bytes:
    return varint(field << 3 | 2) + varint(len(content)) + content


def upstox_ltpc(price: float, millisecond: int, last: int = 0, close: float = 0.0) -> bytes:
    return double(1, price) + whole(2, millisecond) + whole(3, last) + double(4, close)


def upstox_quote(bid: tuple[int, float], ask: tuple[int, float]) -> bytes:
    return whole(1, bid[0]) + double(2, bid[1]) + whole(3, ask[0]) + double(4, ask[1])


def upstox_full(ltpc: bytes, volume: int, oi: float = 0.0, levels: Sequence[bytes] = (), newer: bytes = b"") -> bytes:
    """Return a feed of mode full; ``newer`` are fields that the published layout does not have."""
    ohlc = part(1, part(1, b"1d") + double(2, 5.0) + double(5, 4.0) + whole(6, 3) + whole(7, 1))
    market = part(1, ltpc) + part(2, b"".join(part(1, level) for level in levels)) + part(4, ohlc)
    market += double(5, 1.5) + whole(6, volume) + double(7, oi) + newer
    return part(2, part(1, market)) + whole(4, 1)


def upstox_index(ltpc: bytes) -> bytes:
    return part(2, part(2, part(1, ltpc))) + whole(4, 1)


def upstox_greeks(ltpc: bytes, volume: int, oi: float, best: bytes) -> bytes:
    return part(3, part(1, ltpc) + part(2, best) + part(3, double(1, 0.5)) + whole(4, volume) + double(5, oi))


def upstox_message(millisecond: int, **feeds: bytes) -> bytes:
    entries = b"".join(part(2, part(1, key.encode()) + part(2, feed)) for key, feed in feeds.items())
    return whole(1, 1) + entries + whole(3, millisecond)
