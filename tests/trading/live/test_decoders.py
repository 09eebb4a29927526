"""Brokers' frames to quotes: real ones, ones packed independently, and every damage that can be thought of."""

from __future__ import annotations

import base64
import json
import os
import random
import struct
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.trading.live import encoders as pack
from tests.trading.live.frames import LISTING, MS, PRICES, SAMPLES, SECOND, Sample, decode_dhan
from trading.errors import InvalidValue
from trading.feeds.live import angel, dhan, kite, upstox
from trading.feeds.live.decoded import FeedInstrument, price_of_double, price_of_float32

ZONES = ("UTC", "Asia/Kolkata", "America/New_York")
by_name = pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.name)


@by_name
def test_a_frame_gives_exactly_what_it_holds(sample: Sample) -> None:
    decoded = sample.decode(sample.frame, LISTING)
    assert sorted(decoded.ticks) == sorted(sample.ticks)
    assert (decoded.damaged, decoded.left_out, decoded.unknown_fields) == ({}, {}, 0)


@pytest.mark.parametrize("zone", ZONES)
def test_times_are_the_same_instants_in_every_zone_of_the_host(zone: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    try:
        for sample in SAMPLES:
            assert sorted(sample.decode(sample.frame, LISTING).ticks) == sorted(sample.ticks)
    finally:
        monkeypatch.undo()
        time.tzset()


NUMBERS = st.one_of(st.just(0), st.just(1), st.integers(0, 2**32 - 1)).map(lambda number: pack.u(number, 4))
FULL_PACKETS = st.builds(
    lambda token, numbers: pack.u(token, 4) + b"".join(numbers),
    st.sampled_from([408065, 412675, 256265, 1]),
    st.lists(NUMBERS, min_size=45, max_size=45),
)


@given(st.lists(FULL_PACKETS, min_size=1, max_size=6))
def test_a_message_of_full_packets_says_what_they_say_among_others(bodies: list[bytes]) -> None:
    """One that holds nothing else is read in one go."""
    alone = kite.decode(pack.kite_message(*bodies), LISTING)
    among_others = kite.decode(pack.kite_message(*bodies, b"?"), LISTING)
    assert among_others.damaged.pop("unknown_kind") == 1
    assert alone == among_others


def test_packets_that_are_as_long_as_full_ones_together_are_not_taken_for_them() -> None:
    full = pack.kite_full(408065, 157370, 1, 5, 1_700_000_000)
    decoded = kite.decode(pack.kite_message(full[:-1], full + b"x"), LISTING)
    assert (decoded.ticks, decoded.damaged) == ([], {"unknown_kind": 2})


# -- real frames --------------------


@pytest.mark.data
def test_real_kite_frames_are_decoded(market_data: Path) -> None:
    frames = json.loads((market_data / "kite-frames" / "frames.json").read_text())["frames"]
    listing: Any = {frame["instrument_token"]: FeedInstrument(frame["name"]) for frame in frames}
    quotes = dict(tick for frame in frames for tick in kite.decode(base64.b64decode(frame["base64"]), listing).ticks)
    assert quotes == {
        "ltp": {"ltp": 609.5},
        "quote": {"ltp": 1394.05, "last_quantity": 97, "day_volume": 3695903},
    }


@pytest.mark.data
@pytest.mark.parametrize("name", ["full", "quote"])
def test_real_kite_packets_equal_the_brokers_own_reading(market_data: Path, name: str) -> None:
    body = base64.b64decode((market_data / "kite-mocks" / f"ticker_{name}.packet").read_text())
    told = json.loads((market_data / "kite-mocks" / f"ticker_{name}.json").read_text())
    decoded = kite.decode(pack.kite_message(body), {408065: FeedInstrument("INFY")})
    expected = {"ltp": told["last_price"], "last_quantity": told["last_quantity"], "day_volume": told["volume"]}
    if name == "full":
        expected |= {
            "oi": 0,
            "bid": told["depth"]["buy"][0]["price"],
            "ask": told["depth"]["sell"][0]["price"],
            "timestamp": 1625461887 * 10**9,  # 2021-07-05T10:41:27+05:30
        }
    assert decoded.ticks == [("INFY", expected)]


@pytest.mark.data
def test_a_real_angel_quote_is_decoded(market_data: Path) -> None:
    vector = json.loads((market_data / "kite-frames" / "angel-quote.json").read_text())
    (tick,) = angel.decode(base64.b64decode(vector["base64"]), {"3:500325": FeedInstrument("BSE:RELIANCE")}).ticks
    assert tick == (
        "BSE:RELIANCE",
        {"ltp": 2863.15, "timestamp": 1710909637000 * 10**6, "day_volume": 31509, "last_quantity": 1},
    )


# -- damage --------------------


def must_be_honest(sample: Sample, frame: bytes) -> Counter[str]:
    """See that a frame gives counts, or prices that stand in it; return what became of it."""
    decoded = sample.decode(frame, LISTING)
    for _, quote in decoded.ticks:
        for price in (quote[name] for name in PRICES if name in quote):
            assert sample.holds(frame, price), (sample.name, frame.hex(), price)
    outcome = Counter(decoded.damaged) + Counter(decoded.left_out) + Counter(ticks=len(decoded.ticks))
    assert outcome or sample.name.startswith("kite") or not frame
    return outcome


@by_name
def test_a_frame_that_is_cut_or_longer_is_damaged_and_gives_nothing(sample: Sample) -> None:
    if sample.name.startswith("upstox"):
        for size in range(len(sample.frame)):
            must_be_honest(sample, sample.frame[:size])
        return
    for size in [*range(2, len(sample.frame)), len(sample.frame) + 1]:
        frame = (sample.frame + b"\0")[:size]
        decoded = sample.decode(frame, LISTING)
        assert decoded.ticks == [], (sample.name, size)
        assert sum(decoded.damaged.values()) == 1


@by_name
def test_every_flipped_bit_is_counted_or_stands_in_the_frame(sample: Sample) -> None:
    for place in range(len(sample.frame) * 8):
        frame = bytearray(sample.frame)
        frame[place // 8] ^= 1 << place % 8
        must_be_honest(sample, bytes(frame))


@pytest.mark.parametrize("price", [10**15 + 1, 7318349394634426, 2**63 - 1], ids=["a_digit_more", "by_chance", "most"])
def test_a_price_of_more_digits_than_a_float_holds_is_damage(price: int) -> None:
    decoded = angel.decode(pack.angel_head(1, 1, "1594", 1_710_909_637_000, price), LISTING)
    assert (decoded.ticks, decoded.damaged) == ([], {"beyond": 1})


def damages(seed: int, sample: Sample, count: int) -> None:
    chance = random.Random(seed)
    for _ in range(count):
        frame = bytearray(sample.frame)
        for _ in range(chance.randint(1, 6)):
            kind = chance.randrange(4)
            place = chance.randrange(len(frame)) if frame else 0
            if kind == 0 and frame:
                frame[place] = chance.randrange(256)
            elif kind == 1:
                del frame[place : place + chance.randint(1, 8)]
            elif kind == 2:
                frame[place:place] = chance.randbytes(chance.randint(1, 8))
            else:
                frame[place : place + 4] = struct.pack(">f", chance.choice([0.0, float("nan"), float("inf"), -1.0]))
        must_be_honest(sample, bytes(frame))


@by_name
def test_random_damages_are_counted_or_stand_in_the_frame(sample: Sample) -> None:
    damages(20, sample, int(os.environ.get("VELOX_FRAME_DAMAGES", "10000")))


@pytest.mark.parametrize(
    "decode", [kite.decode, angel.decode, decode_dhan, upstox.decode], ids=["kite", "angel", "dhan", "upstox"]
)
@pytest.mark.parametrize("text", ["", "{", "[]", '{"type":"order"}', '{"type":5,"data":5}', "pong", "\ud800", "null"])
def test_texts_of_any_kind_are_counted(decode: Any, text: str) -> None:
    decoded = decode(text, LISTING)
    assert decoded.ticks == decoded.orders == []
    assert decoded.damaged or decoded.left_out


# -- what is no price --------------------


@pytest.mark.parametrize(
    ("decode", "frame"),
    [
        (kite.decode, pack.kite_message(pack.kite_quote(408065, 157370, 0, 0))),
        (kite.decode, pack.kite_message(pack.kite_full(408065, 157370, 0, 0, SECOND))),
        (angel.decode, pack.angel_quote(1, "1594", MS, 157370, 0, 0)),
        (decode_dhan, pack.dhan_quote(1, 1333, 2453.05, 0, SECOND, 0)),
        (
            upstox.decode,
            pack.upstox_message(
                MS, **{"NSE_EQ|INE009A01021": pack.upstox_full(pack.upstox_ltpc(1567.8, MS, 0, 1567.8), 0)}
            ),
        ),
    ],
    ids=["kite quote", "kite full", "angel", "dhan", "upstox"],
)
def test_before_the_days_first_trade_the_last_price_is_yesterdays_and_no_tick(decode: Any, frame: bytes) -> None:
    decoded = decode(frame, LISTING)
    assert (decoded.ticks, decoded.left_out) == ([], {"not_traded": 1})


def test_an_index_has_prices_without_a_volume() -> None:
    frame = pack.angel_quote(1, "99926000", MS, 2400005, 0, 0)
    index = {"1:99926000": FeedInstrument("NIFTY 50", is_index=True)}
    assert angel.decode(frame, index).ticks == [
        ("NIFTY 50", {"ltp": 24000.05, "timestamp": MS * 10**6, "day_volume": 0})
    ]


def test_instruments_that_are_not_listed_and_packets_without_a_price_are_counted_apart() -> None:
    frame = pack.kite_message(pack.kite_ltp(1, 5), pack.kite_ltp(408065, 0), pack.kite_ltp(408065, 5))
    decoded = kite.decode(frame, LISTING)
    assert decoded.ticks == [("INFY", {"ltp": 0.05})]
    assert decoded.left_out == {"not_listed": 1, "no_price": 1}


def test_a_packet_of_a_length_that_nobody_published_spares_its_neighbours() -> None:
    decoded = kite.decode(pack.kite_message(bytes(164), pack.kite_ltp(408065, 5)), LISTING)
    assert (len(decoded.ticks), decoded.damaged) == (1, {"unknown_kind": 1})


def test_a_heartbeat_and_a_message_to_a_person_are_no_damage() -> None:
    for message in (b"\0", '{"type":"error","data":"Too many requests"}'):
        assert kite.decode(message, LISTING).left_out == {"no_point": 1}


def test_packets_about_something_else_than_a_last_price_give_no_point() -> None:
    for frame in (
        pack.dhan(5, 1, 1333, pack.le(12, 4)),  # open interest
        pack.dhan(6, 1, 1333, pack.f32(2400.0) + pack.le(3, 4)),  # yesterday's close
        pack.dhan(50, 1, 1333, pack.le(805, 2)),
    ):
        assert decode_dhan(frame, LISTING).left_out == {"no_point": 1}
    depth = pack.angel_head(4, 1, "1594", MS, 0)[:43] + bytes(400)
    assert angel.decode(depth, LISTING).left_out == {"no_point": 1}


def test_fields_of_upstox_that_are_newer_than_its_layout_are_counted_and_spare_the_tick() -> None:
    newer = pack.double(11, 5.5) + pack.whole(13, 9) + pack.whole(16, 1)
    ltpc = pack.upstox_ltpc(1573.7, MS, 7) + pack.part(5, pack.double(1, 3.5))
    frame = pack.upstox_message(MS, **{"NSE_EQ|INE009A01021": pack.upstox_full(ltpc, 5, newer=newer)})
    decoded = upstox.decode(frame, LISTING)
    assert decoded.unknown_fields == 4
    assert [quote["ltp"] for _, quote in decoded.ticks] == [1573.7]


# -- exact prices --------------------


def test_every_price_on_the_tick_survives_a_float_of_32_bits() -> None:
    share = LISTING["1:1333"]
    for paise in (*range(5, 10_000, 5), *range(10_000_000, 10_004_000, 5)):
        number = struct.unpack("<f", struct.pack("<f", paise / 100))[0]
        assert price_of_float32(number, share) == paise / 100


def test_a_price_off_the_tick_that_the_file_tells_is_never_moved_to_it() -> None:
    number = struct.unpack("<f", struct.pack("<f", 2453.07))[0]
    assert price_of_float32(number, LISTING["1:1333"]) == 2453.07
    assert price_of_float32(number, FeedInstrument("X")) == 2453.07
    assert price_of_double(2453.07, LISTING["1:1333"]) == 2453.07
    assert price_of_double(0.1 + 0.2, LISTING["1:1333"]) == 0.3


def test_dhans_times_wait_for_a_person_to_say_from_when_they_count() -> None:
    with pytest.raises(InvalidValue, match="do not settle"):
        dhan.decoder(None)
    frame = pack.dhan_ticker(1, 1333, 2453.05, SECOND + 19_800)
    ((_, quote),) = dhan.decoder("india")(frame, LISTING).ticks
    assert quote["timestamp"] == SECOND * 10**9


def test_a_frame_without_a_time_says_so_by_having_none() -> None:
    for frame in (pack.kite_ltp(408065, 5), pack.kite_quote(408065, 50, 1, 1), pack.kite_index(256265, 50)):
        ((_, quote),) = kite.decode(pack.kite_message(frame), LISTING).ticks
        assert "timestamp" not in quote
