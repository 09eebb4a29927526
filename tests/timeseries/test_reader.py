"""Readings: what is shipped and what still waits, as one and exact."""

from __future__ import annotations

import csv
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from tests.timeseries.batches import DAY, INDIA, MINUTE, SECOND, at, session
from tests.timeseries.desks import Desk, desk_in
from timeseries.errors import StoreUnavailable
from timeseries.measurements import EXECUTIONS, INDICATORS, POSITION_SNAPSHOTS, TICKS, Measurement
from timeseries.reading.points import newest_of
from timeseries.stores.base import PointQuery

OPEN = at("2021-04-12 09:15")
EVER = {"start": -(10**30), "stop": 10**30, "account": "main"}


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return desk_in(tmp_path)


def newest(desk: Desk, measurement: Measurement, symbol: str, **tags: str) -> dict[str, Any] | None:
    """Return the newest point as a facade asks for it: what waits before what is stored."""
    waiting = desk.reader.newest_waiting(measurement, [symbol], tags)
    stored = desk.reader.newest_stored(measurement, [symbol], tags)
    return newest_of(waiting.get(symbol), stored.get(symbol))


def latest_tick(desk: Desk, symbol: str, account: str = "main") -> dict[str, Any] | None:
    return newest(desk, TICKS, symbol, account=account)


def latest_indicators(desk: Desk, symbol: str, timeframe: str = "") -> dict[str, Any] | None:
    return newest(desk, INDICATORS, symbol, account="main", timeframe=timeframe)


def closes(desk: Desk, symbol: str = "RELIANCE", **more: object) -> list[float]:
    return desk.reader.ticks(symbol, **{**EVER, **more}).column("close").to_pylist()


def test_nothing_recorded_reads_as_empty_tables_of_the_promised_columns(desk: Desk) -> None:
    ticks = desk.reader.ticks("RELIANCE", **EVER)
    assert ticks.column_names == [
        "time", "exchange_time", "received_time", "source", "kind", "close", "open", "high", "low", "volume",
        "day_volume", "bid", "ask", "last_quantity", "oi",
    ]  # fmt: skip
    candles = desk.reader.candles("RELIANCE", every=MINUTE, **EVER, sessions=[session("2021-04-12")])
    assert candles.column_names == ["time", "open", "high", "low", "close", "volume", "ticks"]
    assert (len(ticks), len(candles)) == (0, 0)
    assert latest_tick(desk, "RELIANCE") is None
    assert latest_indicators(desk, "RELIANCE") is None


def test_what_waits_in_the_spool_reads_like_what_is_in_the_store(desk: Desk) -> None:
    desk.record("M&M", [OPEN, OPEN, OPEN + SECOND], [1.0, 2.0, 3.0])
    waiting = desk.reader.ticks("M&M", **EVER)
    assert desk.pump.drain(10)
    assert desk.reader.ticks("M&M", **EVER).equals(waiting)
    assert waiting.schema.field("time").type == pa.timestamp("ns", "UTC")
    assert waiting["close"].to_pylist() == [1.0, 2.0, 3.0]
    assert waiting["exchange_time"].cast(pa.int64()).to_pylist() == [OPEN, OPEN, OPEN + SECOND]
    assert waiting["time"].cast(pa.int64()).to_pylist() == [OPEN, OPEN + 1, OPEN + SECOND]


def test_times_are_instants_in_utc(desk: Desk) -> None:
    desk.record("A", [OPEN], [1.0])
    assert desk.reader.ticks("A", **EVER)["time"].to_pylist() == [datetime(2021, 4, 12, 3, 45, tzinfo=UTC)]


def test_half_shipped_reads_whole_and_each_point_once(desk: Desk) -> None:
    desk.record("RELIANCE", [OPEN + n for n in range(1, 10)], range(1, 10))
    assert desk.pump.drain(10)
    desk.record("RELIANCE", [OPEN + n for n in range(10, 20)], range(10, 20))
    assert closes(desk) == list(range(1, 20))
    assert closes(desk, start=OPEN + 5, stop=OPEN + 15) == list(range(5, 15))


def test_the_symbols_that_ticked_are_told_wherever_their_ticks_are(desk: Desk) -> None:
    desk.record("M&M", [OPEN, OPEN + SECOND], [1.0, 2.0])
    assert desk.pump.drain(10)
    desk.record("RELIANCE", [OPEN + 2 * SECOND], [1.0])
    assert desk.reader.symbols(OPEN, OPEN + 3 * SECOND, account="main") == ["M&M", "RELIANCE"]
    assert desk.reader.symbols(OPEN + 2 * SECOND, OPEN + 3 * SECOND, account="main") == ["RELIANCE"]
    assert desk.reader.symbols(OPEN, OPEN + 2 * SECOND, account="main") == ["M&M"]
    assert desk.reader.symbols(OPEN, OPEN + 3 * SECOND, account="other") == []


@pytest.mark.parametrize("shipped", [True, False])
def test_a_source_may_hold_ticks_wherever_they_are_and_one_that_has_none_is_known_to(desk: Desk, shipped: bool) -> None:
    desk.record("M&M", [OPEN], [1.0])
    desk.record("M&M", [OPEN + SECOND], [1.0], source="paper", account="paper")
    assert not shipped or desk.pump.drain(10)
    after = OPEN + 2 * SECOND
    assert desk.reader.may_hold("default", OPEN, after, account="main")
    assert desk.reader.may_hold("paper", OPEN, after, account="paper")
    assert not desk.reader.may_hold("nobody", OPEN, after, account="main")
    assert not shipped or not desk.reader.may_hold("default", after, after + SECOND, account="main")


def test_written_but_not_settled_reads_once(desk: Desk) -> None:
    desk.record("RELIANCE", [OPEN + n for n in range(1, 11)], range(1, 11))
    (lane,) = desk.spool.lanes()
    desk.store.write(lane.pending(after=0, limit=6).batch)
    assert closes(desk) == list(range(1, 11))


def test_of_a_point_recorded_again_the_later_one_reads_shipped_or_not(desk: Desk) -> None:
    desk.record("RELIANCE", [OPEN, OPEN + SECOND], [1.0, 2.0], ordinals="restart")
    assert desk.pump.drain(10)
    desk.record("RELIANCE", [OPEN], [5.0], ordinals="restart")
    assert closes(desk) == [5.0, 2.0]
    assert desk.pump.drain(10)
    assert closes(desk) == [5.0, 2.0]


def test_a_reading_is_of_one_account(desk: Desk) -> None:
    desk.record("RELIANCE", [OPEN], [1.0])
    desk.record("RELIANCE", [OPEN], [2.0], source="paper", account="paper")
    assert closes(desk) == [1.0]
    assert closes(desk, account="paper") == [2.0]
    assert closes(desk, account="paper", source="default") == []


def test_what_is_shipped_in_the_middle_of_a_reading_is_not_missed(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    # Whatever is asked of the store first, the pump has settled everything right after the store has answered.
    for number, name in enumerate(["read", "first_points"]):
        desk.record("RELIANCE", [OPEN + number * SECOND], [float(number + 1)])
        real = getattr(desk.store, name)

        def answer_then_ship(query: object, real: object = real) -> object:
            answer = real(query)  # type: ignore[operator]
            assert desk.pump.drain(10)
            return answer

        with monkeypatch.context() as patched:
            patched.setattr(desk.store, name, answer_then_ship)
            assert closes(desk, source="default" if name == "read" else None)[-1:] == [number + 1]


@pytest.mark.parametrize("shipped", [True, False])
def test_each_day_is_read_from_the_source_with_its_first_tick(desk: Desk, shipped: bool) -> None:
    desk.record("A", [OPEN + SECOND, OPEN + DAY], [1.0, 2.0], source="one")
    desk.record("A", [OPEN, OPEN + 2 * SECOND, OPEN + DAY + SECOND], [3.0, 4.0, 5.0], source="two")
    if shipped:
        assert desk.pump.drain(10)
    table = desk.reader.ticks("A", **EVER)
    assert list(zip(table["source"].to_pylist(), table["close"].to_pylist(), strict=True)) == [
        ("two", 3.0), ("two", 4.0), ("one", 2.0)
    ]  # fmt: skip
    assert closes(desk, "A", source="one") == [1.0, 2.0]


def test_the_first_tick_of_the_day_decides_even_before_the_readings_start(desk: Desk) -> None:
    desk.record("A", [OPEN, OPEN + 10 * SECOND], [1.0, 2.0], source="one")
    desk.record("A", [OPEN + 5 * SECOND, OPEN + 11 * SECOND], [3.0, 4.0], source="two")
    assert closes(desk, "A", start=OPEN + 2 * SECOND, stop=OPEN + MINUTE) == [2.0]


def test_the_first_tick_may_be_shipped_by_one_source_and_waiting_of_another(desk: Desk) -> None:
    desk.record("A", [OPEN + SECOND], [1.0], source="one")
    assert desk.pump.drain(10)
    desk.record("A", [OPEN], [2.0], source="two")
    assert closes(desk, "A") == [2.0]


def test_candles_span_what_is_shipped_and_what_waits(desk: Desk) -> None:
    recorder = desk.recorder(volume="cumulative")
    for number in range(4):
        recorder.tick(
            "A", {"ltp": 10.0 + number, "volume": 100 * (number + 1), "timestamp": OPEN + number * 30 * SECOND}
        )
        if number == 2:
            recorder.sync()
            assert desk.pump.drain(10)
    recorder.close()
    table = desk.reader.candles("A", every=MINUTE, **EVER, sessions=[session("2021-04-12")])
    rows = table.set_column(0, "time", table["time"].cast(pa.int64())).to_pylist()
    assert [tuple(row.values()) for row in rows] == [
        (OPEN, 10.0, 11.0, 10.0, 11.0, 200.0, 2), (OPEN + MINUTE, 12.0, 13.0, 12.0, 13.0, 200.0, 2)
    ]  # fmt: skip


def test_candles_up_to_an_instant_are_those_of_the_whole_days_and_no_later_tick_is_read(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorder = desk.recorder(volume="cumulative")
    for day in range(2):
        for number in range(30):  # more than one in an instant, and one that stands a nanosecond before a candle's end
            instant = OPEN + day * DAY + number // 2 * 40 * SECOND - number % 5
            recorder.tick("A", {"ltp": 10.0 + number, "volume": 10 * number, "timestamp": instant})
    for number in range(1, 8):
        end = OPEN + 20 * MINUTE + number * MINUTE
        recorder.tick("A", {"open": 3.0, "high": 9.0 + number, "low": 2.0, "close": 5.0, "timestamp": end})
    recorder.close()
    assert desk.pump.drain(10)
    read: list[int] = []
    real = desk.store.read

    def reading(query: PointQuery) -> pa.Table:
        points = real(query)
        read.append(max(points["exchange_time"].to_pylist(), default=0))
        return points

    monkeypatch.setattr(desk.store, "read", reading)
    sessions = [session("2021-04-12"), session("2021-04-13")]
    for every in (MINUTE, 7 * MINUTE, DAY):
        whole = desk.reader.candles("A", every=every, **EVER, sessions=sessions)
        for stop in range(OPEN, OPEN + 30 * MINUTE, 30 * SECOND):
            part = desk.reader.candles("A", every=every, start=0, stop=stop, sessions=sessions, account="main")
            assert part.equals(whole.filter(pc.less(whole["time"].cast(pa.int64()), stop)))
            assert every == DAY or read[-1] <= stop + every + SECOND


@pytest.mark.parametrize("shipped", [False, True])
def test_how_volume_is_read_is_told_by_the_whole_day(desk: Desk, shipped: bool) -> None:
    recorder = desk.recorder()
    for number in range(1, 4):
        bar = {"open": 3.0, "high": 9.0, "low": 2.0, "close": 5.0, "volume": 500, "timestamp": OPEN + number * MINUTE}
        recorder.tick("A", bar)
    recorder.tick("A", {"ltp": 5.0, "day_volume": 2000, "timestamp": OPEN + 9 * MINUTE})
    recorder.close()
    assert not shipped or desk.pump.drain(10)
    sessions = [session("2021-04-12")]
    for every in (20 * SECOND, MINUTE):
        span = {"every": every, "start": 0, "account": "main"}
        whole = desk.reader.candles("A", **span, stop=2**62, sessions=sessions)
        assert whole["volume"].to_pylist() == [0, 0, 0, 2000]
        for stop in (OPEN, OPEN + MINUTE, OPEN + 3 * MINUTE):
            wanted = whole.filter(pc.less(whole["time"].cast(pa.int64()), stop))
            assert desk.reader.candles("A", **span, stop=stop, sessions=sessions).equals(wanted)
            listed = desk.reader.candles_by_symbol({"A": sessions}, **span, stop=stop)
            assert listed.drop_columns(["symbol"]).equals(wanted)


def test_indicators_come_as_a_column_each(desk: Desk) -> None:
    recorder = desk.recorder()
    recorder.indicators("A", {"ema": 1.5, "rsi": 60}, at=OPEN)
    recorder.indicators("A", {"ema": 2.5, "time": 7}, at=OPEN + SECOND)
    recorder.indicators("A", {"ema": 9.0}, at=OPEN + SECOND, timeframe="5m")
    recorder.close()
    table = desk.reader.history(INDICATORS, OPEN, OPEN + DAY, account="main", symbol="A", timeframe="")
    assert table.drop_columns(["time", "exchange_time", "received_time"]).to_pylist() == [
        {
            "account": "main",
            "source": "default",
            "symbol": "A",
            "timeframe": "",
            "ema": 1.5,
            "rsi": 60.0,
            "values.time": None,
        },
        {
            "account": "main",
            "source": "default",
            "symbol": "A",
            "timeframe": "",
            "ema": 2.5,
            "rsi": None,
            "values.time": 7.0,
        },
    ]
    assert len(desk.reader.history(INDICATORS, OPEN, OPEN + DAY, account="main", symbol="A")) == 3
    latest = latest_indicators(desk, "A")
    assert latest and latest["values"] == {"ema": 2.5, "time": 7.0}
    five = latest_indicators(desk, "A", timeframe="5m")
    assert five and five["values"] == {"ema": 9.0}


def test_histories_answer_by_their_tags(desk: Desk) -> None:
    recorder = desk.recorder()
    recorder.snapshot("ema", "A", 10, 5, 1, 0.1, at=OPEN)
    recorder.snapshot("orb", "A", 11, 5, 1, 0.1, at=OPEN)
    recorder.close()
    table = desk.reader.history(POSITION_SNAPSHOTS, OPEN, OPEN + 1, account="main", strategy="orb", symbol="A")
    assert table["price"].to_pylist() == [11.0]
    assert len(desk.reader.history(EXECUTIONS, OPEN, OPEN + 1, account="main")) == 0


def test_the_latest_tick_is_the_newest_by_exchange_time_wherever_it_is(desk: Desk) -> None:
    desk.record("A", [OPEN + 10 * SECOND], [10.0])
    assert desk.pump.drain(10)
    desk.record("A", [OPEN + 5 * SECOND], [5.0])
    latest = latest_tick(desk, "A")
    assert latest and (latest["close"], latest["exchange_time"], latest["source"]) == (
        10.0,
        OPEN + 10 * SECOND,
        "default",
    )
    desk.record("A", [OPEN + 20 * SECOND], [20.0], source="other")
    latest = latest_tick(desk, "A")
    assert latest and (latest["close"], latest["source"]) == (20.0, "other")
    assert latest_tick(desk, "A", account="paper") is None


def test_the_next_place_among_equal_times_is_known_from_the_store(desk: Desk) -> None:
    desk.record("A", [OPEN, OPEN, OPEN + SECOND], [1.0, 2.0, 3.0])
    assert desk.pump.drain(10)
    tags = {"account": "main", "source": "default", "symbol": "A"}
    assert desk.reader.next_ordinal(TICKS, tags, OPEN) == 2
    assert desk.reader.next_ordinal(TICKS, tags, OPEN + 1) == 1  # the ns of the second point of OPEN is taken
    assert desk.reader.next_ordinal(TICKS, tags, OPEN + 2) == 0
    assert desk.reader.next_ordinal(TICKS, tags, OPEN + SECOND) == 1
    assert desk.reader.next_ordinal(TICKS, {**tags, "symbol": "B"}, OPEN) == 0


def test_a_store_that_is_down_is_said_and_not_read_as_empty(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.record("A", [OPEN], [1.0])

    def fail() -> None:
        raise OSError("no disk")

    monkeypatch.setattr(desk.store.tables["ticks"], "snapshot", fail)
    with pytest.raises(StoreUnavailable):
        desk.reader.ticks("A", **EVER)
    with pytest.raises(StoreUnavailable):
        latest_tick(desk, "A")


# file, symbol, rows, low, high, last day volume: the table of the data's README
REAL = [
    ("RELIANCE_12_April.csv", "RELIANCE", 21960, 1900.25, 1960.25, 9429114),
    ("MM_12_April.csv", "M&M", 21735, 738.60, 775.60, 4557099),
    ("BAJAJ_AUTO_12_April.csv", "BAJAJ-AUTO", 21450, 3480.20, 3599.00, 709292),
    ("Nifty_12_April.csv", "NIFTY 50", 20680, 14249.70, 14610.35, 0),
    ("Nifty_Bank_12_April.csv", "NIFTY BANK", 20820, 30522.50, 31526.10, 0),
]


@pytest.mark.data
@pytest.mark.parametrize(("name", "symbol", "rows", "low", "high", "volume"), REAL, ids=[row[1] for row in REAL])
def test_real_ticks_read_back_exactly_and_their_candles_add_up(
    desk: Desk, market_data: Path, name: str, symbol: str, rows: int, low: float, high: float, volume: int
) -> None:
    with (market_data / "nse-ticks-2021" / name).open(newline="") as file:
        lines = list(csv.DictReader(file))
    times = [
        int(datetime.fromisoformat(line["timestamp"]).replace(tzinfo=INDIA).timestamp()) * SECOND for line in lines
    ]
    recorder = desk.recorder(account="replay", volume="cumulative", ordinals="restart")
    columns = {
        "timestamp": times,
        "ltp": [float(line["ltp"]) for line in lines],
        "volume": [float(line["volume"]) for line in lines],
    }
    assert recorder.ticks(columns, symbol=symbol).accepted == rows
    recorder.close()
    for shipped in (False, True):
        assert not shipped or desk.pump.drain(30)
        table = desk.reader.ticks(symbol, **{**EVER, "account": "replay"})
        assert len(table) == rows
        assert pc.min_max(table["close"]).as_py() == {"min": low, "max": high}
        assert pc.max(table["day_volume"]).as_py() == volume
        in_order = sorted(range(rows), key=lambda number: times[number])  # arrival stays within equal times
        assert table["exchange_time"].cast(pa.int64()).to_pylist() == [times[n] for n in in_order]
        assert table["close"].to_pylist() == [columns["ltp"][n] for n in in_order]
        assert len(set(table["time"].cast(pa.int64()).to_pylist())) == rows
        for every in (SECOND, MINUTE, 15 * MINUTE, DAY):
            day = {"every": every, "sessions": [session("2021-04-12")], **EVER, "account": "replay"}
            candles = desk.reader.candles(symbol, **day)
            assert pc.sum(candles["volume"]).as_py() == volume
            assert pc.sum(candles["ticks"]).as_py() == rows
