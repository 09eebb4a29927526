"""Whole frames of each feed with what they hold, for every test that damages, cuts or replays them."""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from tests.trading.live import encoders as pack
from trading.feeds.live import angel, dhan, kite, upstox
from trading.feeds.live.decoded import Decoded, FeedInstrument, FeedKey

SECOND = 1_780_285_500  # 2026-06-01 09:15:00 in India
NS = 10**9
FIVE_PAISE = Decimal("0.05")
LISTING: dict[FeedKey, FeedInstrument] = {
    408065: FeedInstrument.of("INFY", FIVE_PAISE),
    256265: FeedInstrument.of("NIFTY 50", FIVE_PAISE, is_index=True),
    412675: FeedInstrument.of("CDS:USDINR26JUNFUT", Decimal("0.0025")),
    "1:1594": FeedInstrument.of("INFY", FIVE_PAISE),
    "3:500325": FeedInstrument.of("BSE:RELIANCE", FIVE_PAISE),
    "13:1700": FeedInstrument.of("CDS:USDINR26JUNFUT", Decimal("0.0025")),
    "1:1333": FeedInstrument.of("HDFCBANK", FIVE_PAISE),
    "0:13": FeedInstrument.of("NIFTY 50", FIVE_PAISE, is_index=True),
    "3:77": FeedInstrument.of("CDS:USDINR26JUNFUT", Decimal("0.0025")),
    "NSE_EQ|INE009A01021": FeedInstrument.of("INFY", FIVE_PAISE),
    "NSE_INDEX|Nifty 50": FeedInstrument.of("NIFTY 50", FIVE_PAISE, is_index=True),
}
decode_dhan = dhan.decoder("utc")


@dataclass(frozen=True)
class Sample:
    """A frame, the quotes that it holds, and what tells whether a frame of its feed holds a price anywhere."""

    name: str
    decode: Callable[[bytes | str, Any], Decoded]
    frame: bytes
    ticks: list[tuple[str, dict[str, float]]]
    holds: Callable[[bytes, float], bool]


def holds_whole(size: int, order: str) -> Callable[[bytes, float], bool]:
    """Tell of a price whether its whole number stands anywhere in a frame."""

    def holds(frame: bytes, price: float) -> bool:
        exact = Decimal(repr(price))
        return any(
            (number := exact * scale) == int(number) and int(number).to_bytes(size, order, signed=number < 0) in frame
            for scale in (100, 10_000, 10_000_000)
            if abs(exact * scale) < 1 << (8 * size)
        )

    return holds


def holds_float32(frame: bytes, price: float) -> bool:
    return struct.pack("<f", price) in frame


def holds_double(frame: bytes, price: float) -> bool:
    windows = (struct.unpack_from("<d", frame, start)[0] for start in range(len(frame) - 7))
    return any(abs(number - price) <= 1e-9 * abs(price) for number in windows)


def kite_sample(name: str, *bodies: bytes, ticks: list[tuple[str, dict[str, float]]]) -> Sample:
    return Sample(f"kite {name}", kite.decode, pack.kite_message(*bodies), ticks, holds_whole(4, "big"))


def angel_sample(name: str, frame: bytes, ticks: list[tuple[str, dict[str, float]]]) -> Sample:
    return Sample(f"angel {name}", angel.decode, frame, ticks, holds_whole(8, "little"))


def dhan_sample(name: str, frame: bytes, ticks: list[tuple[str, dict[str, float]]]) -> Sample:
    return Sample(f"dhan {name}", decode_dhan, frame, ticks, holds_float32)


def upstox_sample(name: str, frame: bytes, ticks: list[tuple[str, dict[str, float]]]) -> Sample:
    return Sample(f"upstox {name}", upstox.decode, frame, ticks, holds_double)


AT = {"timestamp": SECOND * NS}
MS = SECOND * 1000 + 250
AT_MS = {"timestamp": MS * 10**6}
INFY = {"ltp": 1573.7, "last_quantity": 7, "day_volume": 1192471}
USDINR = {"ltp": 83.5025, "last_quantity": 2, "day_volume": 99}
BOOK = {"bid": 1573.4, "ask": 1573.75}
_LTPC = pack.upstox_ltpc(1573.7, MS, 7, 1567.8)
_LEVEL = pack.upstox_quote((5, 1573.4), (172, 1573.75))

SAMPLES = [
    kite_sample("ltp", pack.kite_ltp(408065, 157370), ticks=[("INFY", {"ltp": 1573.7})]),
    kite_sample("index", pack.kite_index(256265, 2400005), ticks=[("NIFTY 50", {"ltp": 24000.05})]),
    kite_sample("index full", pack.kite_index(256265, 2400005, SECOND), ticks=[("NIFTY 50", {"ltp": 24000.05, **AT})]),
    kite_sample("quote", pack.kite_quote(408065, 157370, 7, 1192471), ticks=[("INFY", INFY)]),
    kite_sample(
        "full and others",
        pack.kite_full(408065, 157370, 7, 1192471, SECOND, oi=12, bid=(5, 157340), ask=(172, 157375)),
        pack.kite_full(412675, 835025000, 2, 99, SECOND, bid=(0, 0), ask=(4, 835050000)),
        pack.kite_index(256265, 2400005, SECOND),
        ticks=[
            ("INFY", {**INFY, "oi": 12, **BOOK, **AT}),
            ("CDS:USDINR26JUNFUT", {**USDINR, "oi": 0, "ask": 83.505, **AT}),
            ("NIFTY 50", {"ltp": 24000.05, **AT}),
        ],
    ),
    angel_sample("ltp", pack.angel_head(1, 1, "1594", MS, 157370), [("INFY", {"ltp": 1573.7, **AT_MS})]),
    angel_sample("quote", pack.angel_quote(1, "1594", MS, 157370, 7, 1192471), [("INFY", {**INFY, **AT_MS})]),
    angel_sample(
        "snap",
        pack.angel_snap(
            *(1, "1594", MS, 157370, 7, 1192471),
            oi=12,
            levels=[(1, 5, 157340), (1, 9, 157300), (0, 172, 157375), (0, 1, 157380)],
        ),
        [("INFY", {**INFY, "oi": 12, **BOOK, **AT_MS})],
    ),
    angel_sample(
        "snap of a currency",
        pack.angel_snap(13, "1700", MS, 835025000, 2, 99, levels=[(0, 4, 835050000)]),
        [("CDS:USDINR26JUNFUT", {**USDINR, "oi": 0, "ask": 83.505, **AT_MS})],
    ),
    dhan_sample("ticker", pack.dhan_ticker(1, 1333, 2453.05, SECOND), [("HDFCBANK", {"ltp": 2453.05, **AT})]),
    dhan_sample("index", pack.dhan_ticker(0, 13, 24000.05, SECOND), [("NIFTY 50", {"ltp": 24000.05, **AT})]),
    dhan_sample(
        "quote",
        pack.dhan_quote(1, 1333, 2453.05, 7, SECOND, 1192471),
        [("HDFCBANK", {**INFY, "ltp": 2453.05, **AT})],
    ),
    dhan_sample(
        "full",
        pack.dhan_full(1, 1333, 2453.05, 7, SECOND, 1192471, oi=12, bid=(5, 2453.0), ask=(9, 2453.1)),
        [("HDFCBANK", {**INFY, "ltp": 2453.05, "oi": 12, "bid": 2453.0, "ask": 2453.1, **AT})],
    ),
    dhan_sample(
        "full of a currency",
        pack.dhan_full(3, 77, 83.5025, 2, SECOND, 99, ask=(4, 83.505)),
        [("CDS:USDINR26JUNFUT", {**USDINR, "oi": 0, "ask": 83.505, **AT})],
    ),
    upstox_sample(
        "ltpc",
        pack.upstox_message(MS, **{"NSE_EQ|INE009A01021": pack.part(1, _LTPC)}),
        [("INFY", {"ltp": 1573.7, "last_quantity": 7, **AT_MS})],
    ),
    upstox_sample(
        "full and index",
        pack.upstox_message(
            MS,
            **{
                "NSE_EQ|INE009A01021": pack.upstox_full(_LTPC, 1192471, 12.0, [_LEVEL]),
                "NSE_INDEX|Nifty 50": pack.upstox_index(pack.upstox_ltpc(24000.05, MS)),
            },
        ),
        [("INFY", {**INFY, "oi": 12.0, **BOOK, **AT_MS}), ("NIFTY 50", {"ltp": 24000.05, **AT_MS})],
    ),
    upstox_sample(
        "greeks",
        pack.upstox_message(MS, **{"NSE_EQ|INE009A01021": pack.upstox_greeks(_LTPC, 1192471, 12.0, _LEVEL)}),
        [("INFY", {**INFY, "oi": 12.0, **BOOK, **AT_MS})],
    ),
]
PRICES = ("ltp", "bid", "ask")
