"""The embedded store's own ways: files, versions, compaction, faults."""

from __future__ import annotations

import os
import shutil
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable

from tests.timeseries.batches import DAY, INDIA, SECOND, at, batch, prices
from timeseries.errors import StoreUnavailable
from timeseries.measurements import MEASUREMENTS, TICKS, PointBatch
from timeseries.stores.base import PointQuery
from timeseries.stores.delta import care as delta_care
from timeseries.stores.delta import table as delta_table
from timeseries.stores.delta.store import DeltaStore
from timeseries.stores.delta.table import MeasurementTable, Overtaken

OPEN = at("2021-04-12 09:15")
EVERYTHING = PointQuery(TICKS, 0, 2**62)


@pytest.fixture
def store(tmp_path: Path) -> DeltaStore:
    return DeltaStore(tmp_path / "delta", zone=INDIA)


def files(store: DeltaStore) -> list[str]:
    return DeltaTable(str(store.root / "ticks")).file_uris()


def write_many(store: DeltaStore, count: int, *, day: int = 0) -> None:
    for number in range(count):
        times = [OPEN + day * DAY + number * SECOND, OPEN + day * DAY + (number + 1) * SECOND]
        store.write(
            batch(
                prices("M&M" if number % 2 else "A", times, [number, number + 1]), first=1 + (day * count + number) * 2
            )
        )


def test_tables_are_made_at_the_first_write_and_not_before(store: DeltaStore) -> None:
    store.read(EVERYTHING)
    store.care(now=OPEN)
    store.delete_account("main")
    assert not store.root.exists()
    write_many(store, 1)
    assert [path.name for path in store.root.iterdir() if not path.name.startswith(".")] == ["ticks"]


def test_files_lie_in_a_folder_of_their_trading_day(store: DeltaStore) -> None:
    store.write(batch(prices("A", [at("2021-04-12 23:59:59"), at("2021-04-13 00:00")], [1, 2])))
    assert sorted(Path(file).parent.name for file in files(store)) == ["day=2021-04-12", "day=2021-04-13"]


def test_any_reader_of_delta_tables_reads_the_points(store: DeltaStore) -> None:
    write_many(store, 3)
    table = DeltaTable(str(store.root / "ticks")).to_pyarrow_table()
    assert {"day", "account", "source", "symbol", "time", "close", "written"} <= set(table.column_names)
    assert len(table) == 6


def test_only_the_owner_may_read_the_files(store: DeltaStore) -> None:
    write_many(store, 9)
    store.care(now=OPEN)
    assert (store.root / "ticks").stat().st_mode & 0o777 == 0o700
    assert {Path(file).stat().st_mode & 0o777 for file in files(store)} == {0o600}


def test_a_repeat_makes_no_commit(store: DeltaStore) -> None:
    points = batch(prices("A", [OPEN, OPEN + 1], [1, 2]))
    store.write(points)
    version = DeltaTable(str(store.root / "ticks")).version()
    store.write(points)
    assert DeltaTable(str(store.root / "ticks")).version() == version


def test_compaction_leaves_few_files_sorted_by_series_and_time_each_point_once(store: DeltaStore) -> None:
    write_many(store, 30)
    before = store.read(EVERYTHING)
    assert len(files(store)) == 30
    for _ in range(3):
        store.care(now=OPEN)
    assert len(files(store)) < delta_care.MERGE_FILES
    assert store.read(EVERYTHING).equals(before)
    merged = pq.read_table(max(files(store), key=lambda file: Path(file).stat().st_size)).to_pylist()
    keys = [(row["account"], row["source"], row["symbol"], row["time"]) for row in merged]
    assert keys == sorted(set(keys))


def test_no_merge_is_larger_than_a_companion_can_afford(store: DeltaStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delta_care, "ROWS_MAX", 15)
    monkeypatch.setattr(delta_care, "MERGED_MAX", 30)
    for number in range(10):
        times = [OPEN + (10 * number + n) * SECOND for n in range(10)]
        store.write(batch(prices("A", times, range(10)), first=1 + 10 * number))
    store.write(batch(prices("A", [OPEN + DAY], [1]), first=101))  # so that day is over
    for _ in range(5):
        store.care(now=OPEN)
    sizes = sorted(pq.read_metadata(file).num_rows for file in files(store) if "2021-04-12" in file)
    assert sizes == [10, 30, 30, 30]
    assert len(store.read(EVERYTHING)) == 101


def test_a_replay_kept_several_times_takes_its_room_once_after_compaction(store: DeltaStore) -> None:
    times = [OPEN + n * SECOND for n in range(10)]
    for number in range(delta_care.MERGE_FILES):
        store.write(batch(prices("A", times, [number + 1.0] * 10), first=1 + number * 10))
    store.care(now=OPEN)
    (file,) = files(store)
    assert pq.read_table(file)["close"].to_pylist() == [float(delta_care.MERGE_FILES)] * 10
    assert store.read(EVERYTHING)["close"].to_pylist() == [float(delta_care.MERGE_FILES)] * 10


def test_a_day_that_is_over_becomes_one_file(store: DeltaStore) -> None:
    write_many(store, 3)
    write_many(store, 1, day=1)
    store.care(now=OPEN)
    assert sorted(Path(file).parent.name for file in files(store)) == ["day=2021-04-12", "day=2021-04-13"]


def test_care_that_has_nothing_to_do_commits_nothing(store: DeltaStore) -> None:
    write_many(store, 20)
    for _ in range(3):
        store.care(now=OPEN)
    version = DeltaTable(str(store.root / "ticks")).version()
    store.care(now=OPEN)
    assert DeltaTable(str(store.root / "ticks")).version() == version


def test_of_two_compactions_from_one_snapshot_the_second_is_refused(store: DeltaStore, tmp_path: Path) -> None:
    write_many(store, 10)
    first, second = (MeasurementTable(store.root / "ticks", TICKS) for _ in range(2))
    snapshots = first.snapshot(), second.snapshot()
    groups = [list(delta_care._due(snapshot)) for snapshot in snapshots]
    delta_care._rewrite(store.engine, first, snapshots[0], groups[0], moved_only=True)
    left = set((store.root / "ticks").rglob("*.parquet"))
    with pytest.raises(Overtaken):
        delta_care._rewrite(store.engine, second, snapshots[1], groups[1], moved_only=True)
    assert set((store.root / "ticks").rglob("*.parquet")) == left, "the refused one left its file behind"


def test_a_compaction_that_was_overtaken_by_a_removal_brings_nothing_back(store: DeltaStore) -> None:
    write_many(store, 10)
    late = MeasurementTable(store.root / "ticks", TICKS)
    snapshot = late.snapshot()
    store.delete_account("main")
    with pytest.raises(Overtaken):
        delta_care._rewrite(store.engine, late, snapshot, list(delta_care._due(snapshot)), moved_only=True)
    assert len(store.read(EVERYTHING)) == 0


def test_a_reader_whose_files_were_vacuumed_looks_again(store: DeltaStore, monkeypatch: pytest.MonkeyPatch) -> None:
    write_many(store, 10)
    before = store.read(EVERYTHING)
    stale = store.tables["ticks"].snapshot()
    store.care(now=OPEN)
    store.writers["ticks"].vacuum(grace_hours=0)
    assert len(list((store.root / "ticks").rglob("day=*/*.parquet"))) == len(files(store)) < 10
    table, looked = store.tables["ticks"], []
    fresh = table.snapshot
    monkeypatch.setattr(table, "snapshot", lambda: looked.append(1) or (stale if len(looked) == 1 else fresh()))
    assert store.read(EVERYTHING).equals(before)
    assert len(looked) == 2


def test_vacuum_spares_what_was_replaced_within_the_grace(store: DeltaStore) -> None:
    write_many(store, 10)
    store.care(now=OPEN)
    store.writers["ticks"].vacuum(grace_hours=delta_care.GRACE_HOURS)
    assert len(list((store.root / "ticks").rglob("day=*/*.parquet"))) > len(files(store))


def test_vacuum_removes_what_a_killed_writer_left_once_the_grace_is_over(store: DeltaStore) -> None:
    write_many(store, 1)
    orphan, young = (Path(files(store)[0]).with_name(name) for name in ("orphan.parquet", "young.parquet"))
    for path in (orphan, young):
        path.write_bytes(b"half a file")
    long_ago = time.time() - 2 * 3600
    os.utime(orphan, (long_ago, long_ago))
    store.writers["ticks"].vacuum(grace_hours=1)
    assert (orphan.exists(), young.exists()) == (False, True)
    assert len(store.read(EVERYTHING)) == 2


def test_days_beyond_the_retention_go_whole_and_without_one_nothing_does(tmp_path: Path) -> None:
    store = DeltaStore(tmp_path, zone=INDIA)
    for day in range(3):
        write_many(store, 1, day=day)
    store.care(now=OPEN + 4000 * DAY)
    assert len(store.read(EVERYTHING)) == 6
    DeltaStore(tmp_path, zone=INDIA, retention_days=1).care(now=OPEN + 2 * DAY)
    assert store.read(EVERYTHING).column("time").to_pylist()[0] == OPEN + DAY
    assert len(store.read(EVERYTHING)) == 4


@pytest.mark.parametrize("is_recording", [False, True], ids=["at-rest", "recording"])
def test_a_clock_that_is_years_ahead_removes_only_what_is_old_by_the_data(tmp_path: Path, is_recording: bool) -> None:
    store = DeltaStore(tmp_path, zone=INDIA, retention_days=2)
    for day in range(4):
        write_many(store, 1, day=day)
    if is_recording:
        write_many(store, 1, day=3999)
    store.care(now=OPEN + 4000 * DAY)
    assert len(store.read(EVERYTHING)) == (8 if is_recording else 6)
    assert store.days_ahead(now=OPEN + 4000 * DAY) == 3997


def test_a_table_made_before_a_field_was_added_reads_it_as_absent_and_takes_it_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    older = replace(TICKS, fields=TICKS.fields[:-1])
    store = DeltaStore(tmp_path, zone=INDIA)
    points = batch(prices("A", [OPEN], [1.0]))
    old_points = replace_measurement(points, older)
    store.writers["ticks"] = MeasurementTable(tmp_path / "ticks", older)
    store.write(old_points)
    newer = DeltaStore(tmp_path, zone=INDIA)
    assert newer.read(EVERYTHING).column("oi").to_pylist() == [None]
    newer.write(batch(prices("A", [OPEN + 1], [2.0], oi=[5.0]), first=2))
    assert newer.read(EVERYTHING).select(["close", "oi"]).to_pylist() == [
        {"close": 1.0, "oi": None},
        {"close": 2.0, "oi": 5.0},
    ]
    newer.write(batch(prices("A", [OPEN + DAY], [3.0], oi=[6.0]), first=3))
    newer.care(now=OPEN)
    assert newer.read(EVERYTHING).column("oi").to_pylist() == [None, 5.0, 6.0]


def replace_measurement(points: PointBatch, measurement: object) -> PointBatch:
    return replace(points, measurement=measurement)


def test_an_emptied_folder_is_an_empty_store_that_can_be_filled_again(store: DeltaStore) -> None:
    points = batch(prices("A", [OPEN + n for n in range(5)], range(5)))
    store.write(points)
    shutil.rmtree(store.root)
    assert len(store.read(EVERYTHING)) == 0
    store.write(points)
    assert len(store.read(EVERYTHING)) == 5


def test_a_damaged_file_makes_the_store_unavailable_and_not_wrong(store: DeltaStore) -> None:
    write_many(store, 1)
    Path(files(store)[0]).write_bytes(b"PAR1 no longer a table")
    with pytest.raises(StoreUnavailable) as caught:
        store.read(EVERYTHING)
    assert caught.value.code == "store_damaged"


def test_a_disk_that_refuses_makes_the_store_unavailable(tmp_path: Path) -> None:
    (tmp_path / "delta").write_text("a file where the folder should be")
    store = DeltaStore(tmp_path / "delta", zone=INDIA)
    with pytest.raises(StoreUnavailable):
        store.write(batch(prices("A", [OPEN], [1.0])))


def test_a_panic_of_the_engine_reaches_no_caller(store: DeltaStore, monkeypatch: pytest.MonkeyPatch) -> None:
    class PanicException(BaseException):
        pass

    def panic() -> None:
        raise PanicException("thread panicked")

    monkeypatch.setattr(store.tables["ticks"], "snapshot", panic)
    with pytest.raises(StoreUnavailable):
        store.read(EVERYTHING)


def test_an_interrupt_is_not_taken_for_a_panic(store: DeltaStore, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(store.tables["ticks"], "snapshot", interrupt)
    with pytest.raises(KeyboardInterrupt):
        store.read(EVERYTHING)


def test_the_engine_never_fetches_an_extension(store: DeltaStore) -> None:
    sql = "SELECT name, value FROM duckdb_settings() WHERE name LIKE 'auto%known_extensions'"
    assert {row["value"] for row in store.engine.ask(sql, {}).to_pylist()} == {"false"}


def test_the_log_is_short_and_the_lanes_numbers_survive_a_checkpoint(
    store: DeltaStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(delta_table.CONFIGURATION, "delta.checkpointInterval", "5")
    write_many(store, 12)
    log = store.root / "ticks" / "_delta_log"
    assert list(log.glob("*.checkpoint.parquet"))
    for file in log.glob("*.json"):
        if int(file.stem) <= 9:
            file.unlink()
    again = DeltaStore(store.root, zone=INDIA)
    version = DeltaTable(str(store.root / "ticks")).version()
    again.write(batch(prices("M&M", [OPEN + 11 * SECOND, OPEN + 12 * SECOND], [11, 12]), first=23))
    assert DeltaTable(str(store.root / "ticks")).version() == version


def test_a_slice_of_many_points_reads_back_equal(store: DeltaStore) -> None:
    chance = np.random.default_rng(12)
    times = OPEN + chance.integers(0, 3600 * SECOND, 20_000)
    closes = np.round(chance.uniform(100, 200, 20_000), 2)
    store.write(batch(prices("A", times.tolist(), closes.tolist())))
    expected = dict(zip(times.tolist(), closes.tolist(), strict=True))
    table = store.read(EVERYTHING)
    assert dict(zip(table["time"].to_pylist(), table["close"].to_pylist(), strict=True)) == expected
    assert table["time"].to_pylist() == sorted(expected)


def test_every_measurement_has_a_table_of_its_name(store: DeltaStore) -> None:
    assert set(store.tables) == set(store.writers) == set(MEASUREMENTS)
