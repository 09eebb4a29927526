"""What every store answers, whichever it is: a further one joins as another parameter of `store`, no test changed."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.s3_server import S3Server, s3_server
from tests.timeseries.archives import archived_store
from tests.timeseries.batches import DAY, INDIA, SECOND, at, batch, indicators, prices
from tests.timeseries.influx_real import influx_store
from timeseries.measurements import EXECUTIONS, INDICATORS, MEASUREMENTS, TICKS, TRAILING_SL
from timeseries.stores.base import FirstPoint, PointQuery, Session, Store
from timeseries.stores.candles import candles_of
from timeseries.stores.delta.bucket import ObjectStore
from timeseries.stores.delta.store import DeltaStore
from timeseries.stores.tables import point_schema

OPEN = at("2021-04-12 09:15")
EVER = (-(2**63) + 1, 2**63 - 1)


@pytest.fixture(scope="module")
def objects(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    with s3_server(tmp_path_factory.mktemp("objects")) as server:
        yield server


@pytest.fixture(params=["delta", "archived", "archived on S3", "influx"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    if request.param == "influx":
        with influx_store() as store:
            yield store
    elif request.param == "archived on S3":
        server: S3Server = request.getfixturevalue("objects")
        yield archived_store(tmp_path / "a folder", ObjectStore(f"{server.url}/{uuid.uuid4().hex}", server.access))
    elif request.param == "archived":
        yield archived_store(tmp_path / "a folder")
    else:
        yield DeltaStore(tmp_path / "a folder" / "delta", zone=INDIA)


def ticks(**tags: str) -> PointQuery:
    return PointQuery(TICKS, *EVER, tags)


def rows(store: Store, query: PointQuery, *names: str) -> list[tuple]:
    table = store.read(query)
    return list(zip(*(table.column(name).to_pylist() for name in names), strict=True))


def test_a_store_without_points_answers_with_empty_tables_of_the_full_shape(store: Store) -> None:
    for measurement in MEASUREMENTS.values():
        query = PointQuery(measurement, *EVER)
        assert store.read(query).schema == point_schema(measurement)
        assert (len(store.read(query)), len(store.newest(query)), store.first_points(query)) == (0, 0, [])
    store.delete_account("main")
    store.care(now=OPEN)
    assert store.ping() >= 0


def test_points_come_back_ascending_with_every_field_and_absent_ones_null(store: Store) -> None:
    bar = (
        {"symbol": "RELIANCE"},
        OPEN + SECOND,
        {"kind": "bar", "open": 1.0, "high": 3.0, "low": 0.5, "close": 2.0, "volume": 0.0},
    )
    store.write(batch([bar, *prices("RELIANCE", [OPEN], [1958.05], day_volume=[10.0])], received=99))
    table = store.read(ticks())
    assert table.schema == point_schema(TICKS)
    first, second = table.to_pylist()
    assert (first["time"], first["exchange_time"], first["received_time"]) == (OPEN, OPEN, 99)
    assert (first["kind"], first["close"], first["day_volume"], first["volume"]) == ("price", 1958.05, 10.0, None)
    assert (second["open"], second["high"], second["low"], second["volume"], second["bid"]) == (
        1.0,
        3.0,
        0.5,
        0.0,
        None,
    )


def test_prices_of_zero_and_below_come_back_and_make_the_same_candle(store: Store) -> None:
    points = prices("CLK0", [OPEN, OPEN + SECOND, OPEN + 2 * SECOND], [10.01, 0.0, -37.63], bid=[10.0, None, -38.0])
    half, whole = (
        ({"symbol": "CLK0"}, OPEN + 60 * SECOND + n, {"kind": "bar", **dict.fromkeys(("open", "high", "close"), -1.0)})
        for n in (0, 1)
    )
    half[2].update(low=-37.0, volume=4.0)
    whole[2].update(low=-40.32, volume=9.0)
    stamps = [*(point[1] for point in points), half[1], half[1]]
    store.write(batch([*points, half, whole], exchange_times=stamps))
    table = store.read(ticks())
    assert [row["close"] for row in table.to_pylist()] == [10.01, 0.0, -37.63, -1.0, -1.0]
    assert [row["bid"] for row in table.to_pylist()][:3] == [10.0, None, -38.0]
    (candle,) = candles_of(
        table, every=60 * SECOND, start=0, stop=2**62, sessions=[Session(OPEN, OPEN + DAY, OPEN)]
    ).to_pylist()
    assert (candle["high"], candle["low"], candle["volume"], candle["ticks"]) == (10.01, -40.32, 9.0, 4)


def test_times_keep_every_nanosecond(store: Store) -> None:
    times = [OPEN, OPEN + 1, OPEN + 2, OPEN + 123_456_789]
    store.write(batch(prices("RELIANCE", times, [1, 2, 3, 4]), exchange_times=[OPEN, OPEN, OPEN, OPEN + 123_456_789]))
    assert rows(store, ticks(), "time", "exchange_time") == [
        (OPEN, OPEN), (OPEN + 1, OPEN), (OPEN + 2, OPEN), (OPEN + 123_456_789, OPEN + 123_456_789)
    ]  # fmt: skip


def test_a_reading_starts_at_its_start_and_ends_before_its_stop(store: Store) -> None:
    store.write(batch(prices("RELIANCE", [OPEN, OPEN + 1, OPEN + 2], [1, 2, 3])))
    assert rows(store, PointQuery(TICKS, OPEN, OPEN + 2), "close") == [(1,), (2,)]
    assert len(store.read(PointQuery(TICKS, OPEN + 1, OPEN + 1))) == 0


def test_a_reading_may_ask_for_some_fields_only(store: Store) -> None:
    store.write(batch(prices("RELIANCE", [OPEN], [1.0])))
    table = store.read(PointQuery(TICKS, *EVER, {}, ("kind", "close")))
    assert table.schema == point_schema(TICKS, ("kind", "close"))
    assert table.to_pylist()[0]["close"] == 1.0


def test_the_same_batch_written_again_changes_nothing(store: Store) -> None:
    points = batch(prices("RELIANCE", [OPEN, OPEN + 1], [1, 2]) + prices("M&M", [OPEN], [3]))
    store.write(points)
    before = store.read(ticks())
    store.write(points)
    assert store.read(ticks()).equals(before)


def test_a_batch_that_was_written_in_part_is_completed(store: Store) -> None:
    points = batch(prices("RELIANCE", [OPEN + n for n in range(10)], range(10)))
    store.write(points.take(np.arange(4)))
    store.write(points)
    assert rows(store, ticks(), "close") == [(float(n),) for n in range(10)]


def test_of_two_points_of_one_series_and_time_the_one_written_last_stands(store: Store) -> None:
    store.write(batch(prices("RELIANCE", [OPEN, OPEN + 1], [1, 2])))
    store.write(batch(prices("RELIANCE", [OPEN], [5]), first=3))
    assert rows(store, ticks(), "time", "close") == [(OPEN, 5.0), (OPEN + 1, 2.0)]
    store.write(batch(prices("RELIANCE", [OPEN, OPEN], [6, 7]), first=4))
    assert rows(store, ticks(), "time", "close") == [(OPEN, 7.0), (OPEN + 1, 2.0)]
    assert store.newest(PointQuery(TICKS, OPEN, OPEN + 1)).column("close").to_pylist() == [7.0]


def test_one_time_in_two_sources_accounts_or_symbols_is_as_many_points(store: Store) -> None:
    store.write(
        batch(
            prices("RELIANCE", [OPEN], [1])
            + prices("M&M", [OPEN], [2])
            + prices("RELIANCE", [OPEN], [3], account="paper")
        )
    )
    store.write(batch(prices("RELIANCE", [OPEN], [4]), source="second"))
    assert sorted(rows(store, ticks(), "close")) == [(1.0,), (2.0,), (3.0,), (4.0,)]
    assert rows(store, ticks(account="paper"), "close") == [(3.0,)]
    assert rows(store, ticks(account="main", source="second"), "close") == [(4.0,)]
    assert rows(store, ticks(account="main", source="default", symbol="M&M"), "close") == [(2.0,)]


def test_a_spool_that_counts_from_one_again_loses_nothing(store: Store) -> None:
    store.write(batch(prices("RELIANCE", [OPEN + n for n in range(100)], range(100))))
    store.write(batch(prices("RELIANCE", [OPEN + SECOND], [1.5])))
    assert len(store.read(ticks())) == 101
    store.write(batch(prices("RELIANCE", [OPEN + 2 * SECOND], [2.5]), first=2))
    assert len(store.read(ticks())) == 102


NAMES = st.text(
    st.characters(codec="utf-8", exclude_categories=("Cc", "Cs")), min_size=1, max_size=16
)  # fmt: skip


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(names=st.lists(st.tuples(NAMES, NAMES, NAMES), min_size=1, max_size=8, unique=True))
def test_names_come_back_byte_for_byte(store: Store, names: list[tuple[str, str, str]]) -> None:
    for number, (account, source, symbol) in enumerate(names):
        points = prices(symbol, [OPEN + number], [float(number)], account=account)
        store.write(batch(points, source=source, first=1 + number))
    for number, (account, source, symbol) in enumerate(names):
        query = PointQuery(
            TICKS, OPEN + number, OPEN + number + 1, {"account": account, "source": source, "symbol": symbol}
        )
        assert rows(store, query, "account", "source", "symbol", "close") == [(account, source, symbol, float(number))]


@pytest.mark.parametrize(
    "symbol", ["M&M", "NIFTY 50", "A/B", "a'b\"c", "रिलायंस", "x=y,z", "^GSPC", "..", "day=1", "%2F", "$files", "null"]
)
def test_symbols_of_any_script_and_sign_are_told_apart(store: Store, symbol: str) -> None:
    store.write(batch(prices(symbol, [OPEN], [1]) + prices(symbol + "x", [OPEN], [2]), source=symbol))
    assert rows(store, ticks(symbol=symbol, source=symbol), "symbol", "close") == [(symbol, 1.0)]


def test_indicators_keep_their_names_and_values_exactly(store: Store) -> None:
    values = [{"ema": 0.1 + 0.2, "रेट": -0.0}, {}, {"rsi": 1e308, "a'b": 5e-324}]
    store.write(indicators("RELIANCE", [OPEN, OPEN + 1, OPEN + 2], values, timeframe="5m"))
    found = store.read(PointQuery(INDICATORS, *EVER, {"timeframe": "5m"}))
    assert found.column("values").to_pylist(maps_as_pydicts="strict") == values
    assert found.column("timeframe").to_pylist() == ["5m"] * 3


def test_texts_and_integers_come_back_and_an_absent_text_is_null(store: Store) -> None:
    fields = {"trade_id": "T/1", "fill_id": None, "side": "BUY", "role": "ENTRY", "price": 1.0, "trade_pk": 2**62}
    tags = {"symbol": "M&M", "strategy": "ema & co"}
    store.write(batch([(tags, OPEN, fields)], measurement=EXECUTIONS))
    (row,) = store.read(PointQuery(EXECUTIONS, *EVER, {"strategy": "ema & co"})).to_pylist()
    assert (row["trade_id"], row["fill_id"], row["side"], row["trade_pk"]) == ("T/1", None, "BUY", 2**62)


def test_measurements_do_not_mix(store: Store) -> None:
    store.write(batch(prices("RELIANCE", [OPEN], [1])))
    assert len(store.read(PointQuery(TRAILING_SL, *EVER))) == 0


def test_the_newest_point_is_that_of_the_latest_exchange_time(store: Store) -> None:
    store.write(batch(prices("RELIANCE", [OPEN + 5, OPEN + 6], [1, 2]), exchange_times=[OPEN + 5, OPEN + 5]))
    store.write(batch(prices("RELIANCE", [OPEN + 3], [3]) + prices("M&M", [OPEN + 9], [4]), first=3))
    (row,) = store.newest(ticks(account="main", symbol="RELIANCE")).to_pylist()
    assert (row["time"], row["close"]) == (OPEN + 6, 2.0)
    assert len(store.newest(ticks(symbol="absent"))) == 0


def test_the_newest_point_may_be_days_before_the_newest_of_others(store: Store) -> None:
    day = 86_400 * SECOND
    store.write(batch(prices("OLD", [OPEN, OPEN + day], [1, 2]) + prices("NEW", [OPEN + 30 * day], [3])))
    assert store.newest(ticks(symbol="OLD")).column("close").to_pylist() == [2.0]


def test_symbols_that_are_named_have_a_newest_point_each_and_others_none(store: Store) -> None:
    day = 86_400 * SECOND
    store.write(batch(prices("OLD", [OPEN, OPEN + day], [1, 2]) + prices("A,b=c", [OPEN + 30 * day], [3])))
    store.write(
        batch(
            prices("M&M", [OPEN + 5, OPEN + 6], [4, 5])
            + prices("A,b=c", [OPEN], [6])
            + prices("OTHER", [OPEN + 40 * day], [7]),
            exchange_times=[OPEN + 5, OPEN + 5, OPEN, OPEN + 40 * day],
            first=4,
        )
    )
    store.write(batch(prices("M&M", [OPEN + 3], [8]) + prices("OLD", [OPEN + 7 * day], [9], account="paper"), first=8))
    store.write(batch(prices("OLD", [OPEN + 2 * day], [10]), source="second"))
    query = PointQuery(TICKS, *EVER, {"account": "main"}, symbols=("OLD", "A,b=c", "M&M", "absent"))
    closes = {row["symbol"]: row["close"] for row in store.newest(query).to_pylist()}
    assert closes == {"OLD": 10.0, "A,b=c": 3.0, "M&M": 5.0}
    assert sorted(set(store.read(query).column("symbol").to_pylist())) == ["A,b=c", "M&M", "OLD"]
    assert len(store.newest(PointQuery(TICKS, *EVER, symbols=()))) == 0
    few = PointQuery(TICKS, *EVER, {"account": "main"}, ("close",), symbols=("OLD",))
    assert store.newest(few).schema == point_schema(TICKS, ("close",))


def test_the_newest_of_many_symbols_is_that_of_each_one_asked_for_alone(store: Store) -> None:
    chance = np.random.default_rng(7)
    names = [f"S{number}" for number in range(7)]
    for number in range(30):
        points = [
            prices(
                names[chance.integers(7)], [OPEN + int(chance.integers(0, 60)) * SECOND], [float(number * 5 + step)]
            )[0]
            for step in range(5)
        ]
        store.write(batch(points, first=1 + number * 5))
        if number % 10 == 9:
            store.care(now=OPEN)
    one_by_one = [row for name in names for row in store.newest(ticks(symbol=name)).to_pylist()]
    together = store.newest(PointQuery(TICKS, *EVER, symbols=tuple(names))).to_pylist()
    assert sorted(together, key=lambda row: row["symbol"]) == one_by_one
    for name in names:
        points = store.read(ticks(symbol=name))
        assert one_by_one[names.index(name)]["close"] == points.column("close")[-1].as_py()


def test_days_of_the_desk_tell_their_first_point_per_source(store: Store) -> None:
    late, early = at("2021-04-12 23:59:59"), at("2021-04-13 00:00")
    store.write(batch(prices("RELIANCE", [OPEN, late, early], [1, 2, 3])))
    store.write(batch(prices("RELIANCE", [OPEN - 1], [4]), source="second"))
    found = {(first.day, first.source): first.time for first in store.first_points(ticks(symbol="RELIANCE"))}
    earliest = {
        (date(2021, 4, 12), "default"): OPEN,
        (date(2021, 4, 13), "default"): early,
        (date(2021, 4, 12), "second"): OPEN - 1,
    }
    assert found == earliest
    assert FirstPoint(date(2021, 4, 13), "default", early) in store.first_points(ticks())


def test_one_batch_over_years_keeps_every_day(store: Store) -> None:
    times = [OPEN + n * 86_400 * SECOND for n in range(-400, 400, 20)]
    store.write(batch(prices("RELIANCE", times[::-1], range(len(times)))))
    assert [row[0] for row in rows(store, ticks(), "time")] == times


def test_a_removed_account_is_gone_and_the_others_stay(store: Store) -> None:
    store.write(batch(prices("RELIANCE", [OPEN, OPEN + 1], [1, 2], account="replay") + prices("RELIANCE", [OPEN], [3])))
    store.write(batch(prices("M&M", [OPEN], [4], account="replay"), source="second"))
    for _ in range(2):
        store.delete_account("replay")
        assert rows(store, ticks(), "account", "close") == [("main", 3.0)]


def test_what_an_account_records_after_its_removal_is_kept(store: Store) -> None:
    points = prices("RELIANCE", [OPEN], [1], account="replay")
    store.write(batch(points))
    store.delete_account("replay")
    store.write(batch(points, first=2))
    assert rows(store, ticks(account="replay"), "close") == [(1.0,)]


def test_care_changes_no_answer(store: Store) -> None:
    expected = {}
    for number in range(40):
        times = [OPEN + (number * 7 + step) % 50 * SECOND for step in range(5)]
        closes = [float(number * 10 + step) for step in range(5)]
        store.write(batch(prices("M&M" if number % 2 else "A", times, closes), first=1 + number * 5))
        expected |= {("M&M" if number % 2 else "A", t): c for t, c in zip(times, closes, strict=True)}
        if number % 9 == 0:
            store.care(now=OPEN + number)
    store.care(now=OPEN)
    assert {
        (symbol, time): close for symbol, time, close in rows(store, ticks(), "symbol", "time", "close")
    } == expected
    assert len(store.read(ticks())) == len(expected)


def test_several_threads_write_and_read_at_once(store: Store) -> None:
    faults: list[BaseException] = []

    def record(source: str) -> None:
        try:
            for number in range(8):
                store.write(batch(prices("RELIANCE", [OPEN + number], [number]), source=source, first=1 + number))
                assert len(store.read(ticks(source=source))) == number + 1
        except BaseException as fault:
            faults.append(fault)

    threads = [threading.Thread(target=record, args=(name,)) for name in ("one", "two", "three")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not faults
    assert len(store.read(ticks())) == 24
