"""The archive of closed days: each is whole in exactly one place that answers, whatever happens in between."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import date, timedelta
from pathlib import Path
from unittest.mock import Mock

import obstore
import pyarrow as pa
import pytest
from deltalake import DeltaTable

from tests.s3_server import s3_server
from tests.timeseries.archives import folder_bucket
from tests.timeseries.batches import DAY, INDIA, SECOND, Point, at, batch, prices
from timeseries.errors import InvalidValue, StoreDamaged, StoreMisconfigured, StoreUnavailable
from timeseries.measurements import TICKS
from timeseries.stores.base import PointQuery
from timeseries.stores.delta import archive as archive_module
from timeseries.stores.delta import archived as archived_module
from timeseries.stores.delta import care
from timeseries.stores.delta.archive import Archive
from timeseries.stores.delta.archive_table import ArchiveTable, owner_of
from timeseries.stores.delta.archived import FOLDER, is_archived
from timeseries.stores.delta.bucket import ObjectStore, S3Access
from timeseries.stores.delta.store import DeltaStore

OPEN = at("2021-04-12 09:15")
MONDAY, TUESDAY = date(2021, 4, 12), date(2021, 4, 13)
NOW = OPEN + 10 * DAY
EVERYTHING = PointQuery(TICKS, 0, 2**62)
KILLS = int(os.environ.get("VELOX_ARCHIVE_KILLS", "10"))
SEED = int(os.environ.get("VELOX_SEED", "7"))


@pytest.fixture(params=["folder", "s3"])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[str, S3Access]]:
    """Where an archive is, and how that is reached."""
    if request.param == "folder":
        yield (tmp_path / "the archive").as_uri(), {}
        return
    with s3_server(tmp_path) as server:
        yield server.url, server.access


@pytest.fixture
def bucket(address: tuple[str, S3Access]) -> ObjectStore:
    return ObjectStore(*address)


@pytest.fixture
def place(tmp_path: Path) -> ObjectStore:
    """The place of an archive in a folder, for what does not depend on the object store."""
    return folder_bucket(tmp_path / "the archive")


def desk(folder: Path, bucket: ObjectStore | None, **more: int) -> DeltaStore:
    return DeltaStore(folder / "delta", zone=INDIA, bucket=bucket, **more)


def archive_of(store: DeltaStore) -> Archive:
    assert store.archive is not None
    return store.archive


def fill(store: DeltaStore, days: int = 3) -> list[dict[str, object]]:
    """Write some batches a day, Monday first; return all points as they are read."""
    for number in range(4 * days):
        day, part = divmod(number, 4)
        times = [OPEN + day * DAY + (10 * part + second) * SECOND for second in range(10)]
        points: list[Point] = prices("M&M" if part % 2 else "A", times, [float(part + second) for second in range(10)])
        store.write(batch(points, first=1 + 10 * number))
    return store.read(EVERYTHING).to_pylist()


def places(store: DeltaStore) -> dict[date, str]:
    return {row.day: row.place for row in archive_of(store).days()}


def here(store: DeltaStore) -> list[str]:
    return sorted(DeltaTable(str(store.root / "ticks")).file_uris())


def indexes(store: DeltaStore) -> list[Path]:
    return sorted((store.root / "ticks" / FOLDER).glob("index-*"))


def rows_of(candles: pa.Table) -> str:
    """Return the rows as a text: what is unknown in them is a NaN, which equals nothing."""
    return str(candles.to_pylist())


def there(bucket: ObjectStore) -> pa.Table:
    """Read the archive's own table as anybody would."""
    return DeltaTable(f"{bucket.url}/ticks", storage_options=bucket.table_options).to_pyarrow_table()


def test_days_that_are_over_are_copied_and_the_running_one_is_not(tmp_path: Path, bucket: ObjectStore) -> None:
    store = desk(tmp_path, bucket)
    points = fill(store)
    archive_of(store).run(now=OPEN + 2 * DAY, keep_local_days=None)
    assert list(places(store).values()) == ["both", "both", "here"]
    copied = there(bucket)
    assert len(copied) == 80
    names = ("time", "symbol", "close")
    assert sorted(zip(*(copied[name].to_pylist() for name in names), strict=True)) == sorted(
        tuple(point[name] for name in names) for point in points[:80]
    )
    version = DeltaTable(f"{bucket.url}/ticks", storage_options=bucket.table_options).version()
    archive_of(store).run(now=OPEN + 2 * DAY, keep_local_days=None)
    assert DeltaTable(f"{bucket.url}/ticks", storage_options=bucket.table_options).version() == version
    assert archive_of(store).verify() == []


def test_a_dropped_day_is_read_from_the_archive_also_by_another_process(tmp_path: Path, bucket: ObjectStore) -> None:
    store = desk(tmp_path, bucket)
    points = fill(store)
    archive_of(store).run(now=NOW, keep_local_days=8)
    assert list(places(store).values()) == ["archive", "archive", "both"]
    assert len(here(store)) == 4
    for reader in (store, desk(tmp_path, bucket)):
        assert reader.read(EVERYTHING).to_pylist() == points
        assert reader.newest(PointQuery(TICKS, 0, OPEN + DAY)).to_pylist()[0]["time"] == OPEN + 39 * SECOND
        assert {point.day for point in reader.first_points(EVERYTHING)} == {MONDAY, TUESDAY, date(2021, 4, 14)}
        answer = reader.query_sql("SELECT count(*) AS n, sum(close) AS s FROM ticks", {})
        assert answer.to_pylist() == [{"n": 120, "s": sum(float(str(point["close"])) for point in points)}]
    assert archive_of(store).verify() == []


def test_what_is_at_hand_is_not_fetched_again_and_old_copies_make_room(tmp_path: Path, place: ObjectStore) -> None:
    store = desk(tmp_path, place)
    fill(store)
    archive_of(store).run(now=NOW, keep_local_days=0)
    monday = PointQuery(TICKS, OPEN, OPEN + DAY)
    first = store.read(monday)
    shutil.rmtree(tmp_path / "the archive")
    assert store.read(monday).equals(first)
    with pytest.raises(StoreDamaged, match="of the archive is gone"):
        store.read(PointQuery(TICKS, OPEN + DAY, OPEN + 2 * DAY))


def test_what_is_newest_is_answered_without_a_fetch(
    tmp_path: Path, place: ObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A symbol that has not traded for long, one that never did, and one among many of its days."""
    store = desk(tmp_path, place)
    fill(store)
    store.write(batch(prices("OLD", [OPEN, OPEN + SECOND], [5.0, 6.0]), first=121))
    ask = PointQuery(TICKS, 0, 2**62, {"account": "main"}, symbols=("A", "M&M", "NEVER", "OLD"))
    before = store.newest(ask).sort_by("symbol")
    assert before["close"].to_pylist() == [11.0, 12.0, 6.0]
    archive_of(store).run(now=NOW, keep_local_days=0)

    def fetch(*_: object) -> None:
        raise AssertionError("nothing is fetched for what is newest")

    monkeypatch.setattr(place, "fetch", fetch)
    assert desk(tmp_path, place).newest(ask).sort_by("symbol").equals(before)
    assert len(store.newest(PointQuery(TICKS, 0, 2**62, {"account": "main"}))) == 1
    monkeypatch.undo()
    cut = PointQuery(TICKS, 0, OPEN + 2 * DAY + 5 * SECOND, {"account": "main"}, symbols=("A",))
    assert store.newest(cut)["time"].to_pylist() == [OPEN + 2 * DAY + 4 * SECOND]
    kept = sorted((store.root / "ticks" / "_newest").iterdir())
    for file in kept:
        file.write_bytes(file.read_bytes()[:-1] + b"?")
    assert store.newest(ask).sort_by("symbol").equals(before), "what is damaged is fetched"
    archive_of(store).restore(MONDAY)
    assert len([*(store.root / "ticks" / "_newest").iterdir()]) < len(kept)


def test_what_is_newest_in_an_archive_that_was_taken_over_is_fetched_once(
    tmp_path: Path, place: ObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = desk(tmp_path, place)
    fill(store)
    store.write(batch(prices("OLD", [OPEN, OPEN + SECOND], [5.0, 6.0]), first=121))
    archive_of(store).run(now=NOW, keep_local_days=0)
    other = desk(tmp_path / "other", place)
    other.write(batch(prices("B", [OPEN], [1.0]), source="two"))
    archive_of(other).adopt()
    ask = PointQuery(TICKS, 0, 2**62, {"account": "main"}, symbols=("A", "M&M", "NEVER", "OLD"))
    before = other.newest(ask).sort_by("symbol")
    assert before.equals(store.newest(ask).sort_by("symbol"))
    other.tables["ticks"].archived.give_up_copies()
    monkeypatch.setattr(place, "fetch", lambda *_: pytest.fail("it was fetched before"))
    assert other.newest(ask).sort_by("symbol").equals(before)


def test_more_than_may_be_kept_at_hand_is_not_fetched_at_once(
    tmp_path: Path, place: ObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(store := desk(tmp_path, place))
    archive_of(store).run(now=NOW, keep_local_days=0)
    size = archive_of(store).days()[0].bytes
    small = desk(tmp_path, place, cache_bytes=size + 100)
    monkeypatch.setattr("timeseries.stores.delta.archived.SPARED_SECONDS", -1.0)
    for day in range(3):
        assert len(small.read(PointQuery(TICKS, OPEN + day * DAY, OPEN + (day + 1) * DAY))) == 40
        copies = [*(small.root / "ticks" / FOLDER).glob("day=*/*.parquet")]
        assert sum(copy.stat().st_size for copy in copies) <= size + 100
    with pytest.raises(StoreUnavailable, match="at once"):
        small.read(EVERYTHING)


def test_a_late_tick_of_an_archived_day_is_read_at_once_and_archived_later(tmp_path: Path, bucket: ObjectStore) -> None:
    store = desk(tmp_path, bucket)
    fill(store)
    archive_of(store).run(now=NOW, keep_local_days=0)
    late = OPEN + 5 * SECOND
    store.write(batch(prices("A", [late, late + 1], [99.0, 98.0]), first=121))
    expected = store.read(EVERYTHING).to_pylist()
    assert len(expected) == 121
    assert [row["close"] for row in expected if row["time"] == late] == [99.0]
    assert places(store)[MONDAY] == "here"
    archive_of(store).run(now=NOW, keep_local_days=0)
    assert places(store)[MONDAY] == "archive"
    assert here(store) == []
    assert store.read(EVERYTHING).to_pylist() == expected


def test_the_candles_of_a_dropped_day_stay_those_that_were_counted(
    tmp_path: Path, place: ObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = desk(tmp_path, place)
    fill(store)
    for _ in range(2):
        store.keep_closed_days(now=NOW)
    query = PointQuery(TICKS, OPEN, OPEN + SECOND, {"account": "main"}, symbols=("A",))
    before = store.closed_days(query, by_day=False)
    assert (before.uncounted, len(before.candles)) == ((), 1)
    archive_of(store).run(now=NOW, keep_local_days=0)

    def fetch(*_: object) -> None:
        raise AssertionError("nothing is fetched for a candle that is kept")

    monkeypatch.setattr(place, "fetch", fetch)
    assert rows_of(store.closed_days(query, by_day=False).candles) == rows_of(before.candles)
    monkeypatch.undo()
    store.recount_closed_days(now=NOW)
    assert rows_of(store.closed_days(query, by_day=False).candles) == rows_of(before.candles)


def test_without_its_address_an_archived_day_is_refused_by_name_and_the_others_answer(
    tmp_path: Path, place: ObjectStore
) -> None:
    fill(store := desk(tmp_path, place))
    archive_of(store).run(now=NOW, keep_local_days=9)
    without = desk(tmp_path, None)
    assert len(without.read(PointQuery(TICKS, OPEN + DAY, 2**62))) == 80
    with pytest.raises(StoreMisconfigured, match="VELOX_ARCHIVE_URL"):
        without.read(EVERYTHING)
    with pytest.raises(StoreMisconfigured, match="VELOX_ARCHIVE_URL"):
        without.delete_account("main")
    without.write(batch(prices("A", [OPEN + 20 * DAY], [1.0]), first=121))
    assert len(store.read(EVERYTHING)) == 121


def test_a_damaged_object_is_named_and_never_read(tmp_path: Path, place: ObjectStore) -> None:
    store = desk(tmp_path, place)
    fill(store)
    archive_of(store).run(now=NOW, keep_local_days=0)
    objects = sorted((tmp_path / "the archive" / "ticks" / "day=2021-04-12").glob("*.parquet"))
    content = bytearray(objects[0].read_bytes())
    content[len(content) // 2] ^= 1
    objects[0].write_bytes(content)
    objects[1].unlink()
    for reader in (store, desk(tmp_path, place)):
        with pytest.raises(StoreDamaged, match=r"of the archive is (damaged|gone)"):
            reader.read(EVERYTHING)
        assert len(reader.read(PointQuery(TICKS, OPEN + DAY, 2**62))) == 80
    assert sorted(fault.reason for fault in archive_of(store).verify()) == ["is damaged", "is gone"]


def test_a_day_whose_copy_is_damaged_stays_here(tmp_path: Path, place: ObjectStore) -> None:
    store = desk(tmp_path, place)
    points = fill(store)
    archive_of(store).run(now=NOW, keep_local_days=None)
    copy = next((tmp_path / "the archive" / "ticks" / "day=2021-04-12").glob("*.parquet"))
    copy.write_bytes(copy.read_bytes()[::-1])
    with pytest.raises(StoreDamaged, match="2021-04-12 stays here"):
        archive_of(store).run(now=NOW, keep_local_days=0)
    assert places(store)[MONDAY] == "both"
    assert store.read(EVERYTHING).to_pylist() == points
    copy.unlink()
    shutil.copy(store.root / "ticks" / "day=2021-04-12" / copy.name, copy)
    archive_of(store).run(now=NOW, keep_local_days=0)
    assert places(store)[MONDAY] == "archive"


def test_a_day_is_brought_back(tmp_path: Path, bucket: ObjectStore) -> None:
    store = desk(tmp_path, bucket)
    points = fill(store)
    archive_of(store).run(now=NOW, keep_local_days=0)
    assert archive_of(store).restore(MONDAY) == 4
    assert places(store) == {MONDAY: "both", TUESDAY: "archive", date(2021, 4, 14): "archive"}
    assert store.read(EVERYTHING).to_pylist() == points
    with pytest.raises(InvalidValue, match="Nothing of 2021-04-12"):
        archive_of(store).restore(MONDAY)


def test_an_account_is_removed_from_the_archive_too(tmp_path: Path, bucket: ObjectStore) -> None:
    store = desk(tmp_path, bucket)
    fill(store)
    tags = {"symbol": "A", "account": "other"}
    store.write(batch([(tags, OPEN + SECOND, {"kind": "price", "close": 5.0})], first=121))
    archive_of(store).run(now=NOW, keep_local_days=8)
    assert "other" in there(bucket)["account"].to_pylist()
    remove, refused = care.delete_account, list[str]()

    def removed(*arguments: object) -> None:
        with pytest.raises(StoreUnavailable) as caught:  # its pass would drop again what was brought back
            archive_of(desk(tmp_path, bucket)).run(now=NOW, keep_local_days=8)
        refused.append(caught.value.message)
        remove(*arguments)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(care, "delete_account", removed)
        store.delete_account("other")
    assert set(refused) == {"Another process works on the archive."}
    assert set(there(bucket)["account"].to_pylist()) == {"main"}
    assert (len(there(bucket)), len(store.read(EVERYTHING))) == (120, 120)
    store.delete_account("main")
    assert (len(there(bucket)), len(store.read(EVERYTHING))) == (0, 0)


def test_what_is_beyond_the_retention_is_gone_here_and_there(tmp_path: Path, bucket: ObjectStore) -> None:
    store = desk(tmp_path, bucket)
    fill(store)
    archive_of(store).run(now=NOW, keep_local_days=0)
    archive_of(store).run(now=NOW, keep_local_days=0, retention_days=1)
    assert sorted(places(store)) == [TUESDAY, date(2021, 4, 14)]
    assert (len(store.read(EVERYTHING)), len(there(bucket))) == (80, 80)


def test_a_clock_that_is_years_ahead_takes_nothing_from_here_nor_from_there(tmp_path: Path, place: ObjectStore) -> None:
    store = desk(tmp_path, place)
    points = fill(store)
    far = OPEN + 4000 * DAY
    archive_of(store).run(now=far, keep_local_days=2, retention_days=2)
    assert list(places(store).values()) == ["both", "both", "both"]
    archive_of(store).run(now=far, keep_local_days=1, retention_days=2)
    assert list(places(store).values()) == ["archive", "both", "both"]
    assert (store.read(EVERYTHING).to_pylist(), len(there(place))) == (points, 120)


def test_another_data_folder_writes_nothing_there_until_it_takes_it_over(tmp_path: Path, bucket: ObjectStore) -> None:
    store = desk(tmp_path, bucket)
    points = fill(store)
    archive_of(store).run(now=NOW, keep_local_days=0)
    other = desk(tmp_path / "other", bucket)
    other.write(batch(prices("B", [OPEN], [1.0]), source="two"))
    with pytest.raises(StoreMisconfigured, match="another data folder"):
        archive_of(other).run(now=NOW, keep_local_days=0)
    assert len(there(bucket)) == 120
    assert archive_of(other).adopt() == 12
    assert [row for row in other.read(EVERYTHING).to_pylist() if row["source"] == "default"] == points
    archive_of(other).run(now=NOW, keep_local_days=0)
    assert len(there(bucket)) == len(other.read(EVERYTHING)) == 121


def test_of_two_folders_that_begin_an_archive_at_once_one_is_refused(
    tmp_path: Path, bucket: ObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, other = desk(tmp_path, bucket), desk(tmp_path / "other", bucket)
    fill(store)
    other.write(batch(prices("B", [OPEN], [1.0]), source="two"))
    found, waiting = ArchiveTable._found, [other.root]

    def found_too_early(table: ArchiveTable) -> DeltaTable | None:
        remote = found(table)
        if waiting == [table.root]:
            waiting.clear()
            archive_of(store).run(now=NOW, keep_local_days=0)  # between the other's look and its making of the table
        return remote

    monkeypatch.setattr(ArchiveTable, "_found", found_too_early)
    with pytest.raises(StoreMisconfigured, match="another data folder"):
        archive_of(other).run(now=NOW, keep_local_days=0)
    assert len(there(bucket)) == 120
    assert len(other.read(EVERYTHING)) == 1


def test_a_folder_that_was_put_back_to_an_earlier_time_replaces_nothing(tmp_path: Path, bucket: ObjectStore) -> None:
    store = desk(tmp_path, bucket)
    fill(store, 1)
    archive_of(store).run(now=NOW, keep_local_days=None)
    shutil.copytree(store.root, tmp_path / "before")
    store.write(batch(prices("A", [OPEN + 3600 * SECOND], [7.0]), first=41))
    archive_of(store).run(now=NOW, keep_local_days=None)
    shutil.rmtree(store.root)
    shutil.move(tmp_path / "before", store.root)
    again = desk(tmp_path, bucket)
    again.write(batch(prices("A", [OPEN + 7200 * SECOND], [8.0]), first=41))
    with pytest.raises(StoreMisconfigured, match="put back to an earlier time"):
        archive_of(again).run(now=NOW, keep_local_days=0)
    archive_of(again).adopt()
    assert len(again.read(EVERYTHING)) == 42
    archive_of(again).run(now=NOW, keep_local_days=0)
    assert len(again.read(EVERYTHING)) == 42
    assert {7.0, 8.0} <= set(there(bucket)["close"].to_pylist())


def test_an_index_that_is_gone_is_no_empty_archive(tmp_path: Path, place: ObjectStore) -> None:
    store = desk(tmp_path, place)
    points = fill(store)
    archive_of(store).run(now=NOW, keep_local_days=0)
    for index in indexes(store):
        index.unlink()
    again = desk(tmp_path, place)
    with pytest.raises(StoreUnavailable, match="which days are archived is not known"):
        again.read(EVERYTHING)
    with pytest.raises(StoreUnavailable, match="which days are archived is not known"):
        again.damages()
    archive_of(again).adopt()
    assert again.read(EVERYTHING).to_pylist() == points
    assert desk(tmp_path, place).read(EVERYTHING).to_pylist() == points


def test_a_log_that_is_made_anew_keeps_what_is_archived(tmp_path: Path, place: ObjectStore) -> None:
    store = desk(tmp_path, place)
    points = fill(store)
    archive_of(store).run(now=NOW, keep_local_days=8)
    shutil.rmtree(store.root / "ticks" / "_delta_log")
    again = desk(tmp_path, place)
    for damage in again.damages():
        again.drop(damage)
    assert again.read(EVERYTHING).to_pylist() == points


def test_each_commit_of_a_day_names_it(tmp_path: Path, place: ObjectStore) -> None:
    store = desk(tmp_path, place)
    fill(store)
    archive_of(store).run(now=NOW, keep_local_days=None)
    store.write(batch(prices("A", [OPEN + DAY + 3600 * SECOND], [7.0]), first=121))  # late, on Tuesday
    archive_of(store).run(now=NOW, keep_local_days=None)
    named = DeltaTable(f"{place.url}/ticks").transaction_version
    versions = [named(f"velox/{day}") for day in (MONDAY, TUESDAY, MONDAY + timedelta(days=2))]
    assert versions == [1, 4, 3]


def test_two_processes_of_a_folder_that_begin_at_once_know_it_by_one_name(
    tmp_path: Path, place: ObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, name, names = desk(tmp_path, place), uuid.uuid4, list[str]()
    fill(store, 1)

    def overtaken() -> uuid.UUID:
        monkeypatch.setattr(uuid, "uuid4", name)
        names.append(owner_of(store.root))  # the other one, between this one's look and its writing
        return name()

    monkeypatch.setattr(uuid, "uuid4", overtaken)
    assert [owner_of(store.root), owner_of(store.root)] == names * 2
    archive_of(store).run(now=NOW, keep_local_days=0)
    assert set(places(desk(tmp_path, place)).values()) == {"archive"}


def test_two_at_once_do_not_work_on_one_archive(tmp_path: Path, place: ObjectStore) -> None:
    store = desk(tmp_path, place)
    fill(store, 1)
    with archive_of(store)._alone(), pytest.raises(StoreUnavailable, match="Another process works on the archive"):
        archive_of(desk(tmp_path, place)).run(now=NOW, keep_local_days=None)
    assert archive_of(store).failing() is None


def test_whoever_is_told_how_far_it_is_waits_for_the_other_for_a_while(
    tmp_path: Path, place: ObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, steps = desk(tmp_path, place), list[str]()
    fill(store, 1)
    monkeypatch.setattr(archive_module, "LOOK_SECONDS", 0.0)
    with ExitStack() as other:
        other.enter_context(archive_of(store)._alone())

        def tell(stage: str, done: int, total: int) -> None:
            steps.append(stage)
            if len(steps) == 3:
                other.close()

        days = archive_of(desk(tmp_path, place)).run(now=NOW, keep_local_days=0, tell=tell)
    assert [row.place for row in days] == ["archive"]
    assert steps == ["waiting for another process"] * 3 + ["ticks"]
    monkeypatch.setattr(archive_module, "WAIT_SECONDS", 0.0)
    with archive_of(store)._alone(), pytest.raises(StoreUnavailable, match="Another process works on the archive"):
        archive_of(desk(tmp_path, place)).restore(MONDAY, tell=tell)


@pytest.mark.parametrize("is_late", [False, True], ids=["after the look", "before it"])
def test_where_days_lie_is_told_also_while_another_process_archives(
    tmp_path: Path, place: ObjectStore, monkeypatch: pytest.MonkeyPatch, is_late: bool
) -> None:
    store, found = desk(tmp_path, place), ArchiveTable._found
    fill(store)
    archive_of(store).run(now=OPEN + DAY, keep_local_days=None)

    def found_meanwhile(table: ArchiveTable) -> DeltaTable | None:
        monkeypatch.setattr(ArchiveTable, "_found", found)
        remote = None if is_late else found(table)
        archive_of(store).run(now=NOW, keep_local_days=None)  # two days more: two commits
        return remote or found(table)

    monkeypatch.setattr(ArchiveTable, "_found", found_meanwhile)
    assert places(desk(tmp_path, place)) == {MONDAY: "both", TUESDAY: "both" if is_late else "here"} | {
        MONDAY + timedelta(days=2): "both" if is_late else "here"
    }


def test_a_store_that_puts_over_what_is_there_is_refused(
    tmp_path: Path, place: ObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, put = desk(tmp_path, place), obstore.put
    fill(store, 1)
    monkeypatch.setattr(obstore, "put", lambda *args, mode="", **more: put(*args, mode="overwrite", **more))
    with pytest.raises(StoreMisconfigured, match="If-None-Match"):
        archive_of(store).run(now=NOW, keep_local_days=None)
    assert not (tmp_path / "the archive" / "ticks").exists()


def test_an_archive_that_does_not_answer_leaves_everything_here(tmp_path: Path, place: ObjectStore) -> None:
    store = desk(tmp_path, ObjectStore("s3://desk/archive", {"endpoint": "http://127.0.0.1:9", "region": "x"}))
    points = fill(store, 1)
    with pytest.raises(StoreUnavailable, match="cannot answer"):
        archive_of(store).run(now=NOW, keep_local_days=0)
    assert store.read(EVERYTHING).to_pylist() == points


def test_files_that_were_merged_after_the_copy_are_copied_again_before_the_drop(
    tmp_path: Path, bucket: ObjectStore
) -> None:
    store = desk(tmp_path, bucket)
    points = fill(store)
    archive_of(store).run(now=NOW, keep_local_days=None)
    store.care(now=NOW)
    assert len(here(store)) < 12
    archive_of(store).run(now=NOW, keep_local_days=0)
    assert set(places(store).values()) == {"archive"}
    assert store.read(EVERYTHING).to_pylist() == points
    assert len(there(bucket)) == 120


def test_the_first_copy_has_a_symbol_in_few_files(
    tmp_path: Path, place: ObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(care, "SYMBOLS_ROWS", 30)
    store = desk(tmp_path, place)
    names = [f"S{number}" for number in range(8)]
    for number in range(6):
        times = [OPEN + (number * 10 + second) * SECOND for second in range(10)]
        points = [point for name in names for point in prices(name, times, [float(number)] * 10)]
        store.write(batch(points, first=1 + 80 * number))
    before = store.read(EVERYTHING).to_pylist()
    archive_of(store).run(now=NOW, keep_local_days=0)
    files = DeltaTable(f"{place.url}/ticks").get_add_actions(flatten=True)
    spans = sorted(zip(*(pa.table(files)[name].to_pylist() for name in ("min.symbol", "max.symbol")), strict=True))
    assert spans == [(name, name) for name in names]
    assert store.read(EVERYTHING).to_pylist() == before
    version = DeltaTable(f"{place.url}/ticks").version()
    archive_of(store).run(now=NOW, keep_local_days=0)
    assert DeltaTable(f"{place.url}/ticks").version() == version


@pytest.mark.parametrize("step", ["put", "commit", "list_as", "drop"])
def test_a_fault_at_any_step_leaves_every_day_whole(
    tmp_path: Path, place: ObjectStore, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a kill there would leave: the next pass goes on from it."""
    store = desk(tmp_path, place)
    points = fill(store)
    targets = {
        "put": (place, "put"),
        "commit": (archive_module.ArchiveTable, "commit"),
        "list_as": (store.writers["ticks"].archived, "list_as"),
        "drop": (store.writers["ticks"], "commit"),
    }
    target, name = targets[step]
    real, left = getattr(target, name), [2]

    def fails(*args: object, **more: object) -> object:
        left[0] -= 1
        if not left[0]:
            raise StoreUnavailable("Killed.")
        return real(*args, **more)

    monkeypatch.setattr(target, name, fails)
    with pytest.raises(StoreUnavailable, match="Killed"):
        archive_of(store).run(now=NOW, keep_local_days=0)
    monkeypatch.undo()
    again = desk(tmp_path, place)
    assert again.read(EVERYTHING).to_pylist() == points
    archive_of(again).run(now=NOW, keep_local_days=0)
    assert set(places(again).values()) == {"archive"}
    assert again.read(EVERYTHING).to_pylist() == points
    assert len(there(place)) == 120


def test_an_index_counts_until_the_next_one_is_committed(
    tmp_path: Path, place: ObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Passes that are killed again and again before their commit each leave an index that never counted."""
    store = desk(tmp_path, place)
    points = fill(store)
    archive_of(store).run(now=NOW, keep_local_days=9)
    monkeypatch.setattr(archived_module, "SPARED_SECONDS", -1.0)
    for _ in range(3):
        killed = desk(tmp_path, place)
        monkeypatch.setattr(killed.writers["ticks"], "commit", Mock(side_effect=StoreUnavailable("Killed.")))
        with pytest.raises(StoreUnavailable, match="Killed"):
            archive_of(killed).run(now=NOW, keep_local_days=0)
        assert desk(tmp_path, place).read(EVERYTHING).to_pylist() == points
    archive_of(store).run(now=NOW, keep_local_days=0)
    assert set(places(store).values()) == {"archive"}
    assert desk(tmp_path, place).read(EVERYTHING).to_pylist() == points
    assert len(indexes(store)) == 2


def test_an_index_that_has_just_stopped_counting_is_left_to_whoever_is_about_to_read_it(
    tmp_path: Path, place: ObjectStore
) -> None:
    store = desk(tmp_path, place)
    fill(store)
    archive_of(store).run(now=NOW, keep_local_days=9)
    (counting,) = indexes(store)
    os.utime(counting, (0, 0))
    archive_of(store).run(now=NOW, keep_local_days=0)
    assert len(indexes(store)) == 3
    assert counting in indexes(store)


def test_archiving_that_is_killed_at_random_loses_and_doubles_nothing(
    tmp_path: Path, address: tuple[str, S3Access], bucket: ObjectStore
) -> None:
    """Another process archives and brings back without end and is killed; ticks come in meanwhile."""
    chance, store = random.Random(SEED), desk(tmp_path, bucket)
    fill(store, 2)
    sequence = 81
    command = [sys.executable, "-m", "tests.timeseries.archives", str(tmp_path), address[0], json.dumps(address[1])]
    for number in range(KILLS // 2):  # on each of the two
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as worker:
            try:
                for _ in range(chance.randrange(1, 4)):
                    assert worker.stdout is not None and worker.stdout.readline()
                late = OPEN + (number % 2) * DAY + (1000 + number) * SECOND
                store.write(batch(prices("A", [late], [float(number)]), first=sequence))
                sequence += 1
                worker.stdout.read(chance.randrange(1, 20))
            finally:
                worker.send_signal(signal.SIGKILL)
                _, complaint = worker.communicate()
        assert complaint == "", complaint
        rows = desk(tmp_path, bucket).read(EVERYTHING)
        assert len(rows) == sequence - 1, f"after kill {number}"
        assert len(set(zip(rows["symbol"].to_pylist(), rows["time"].to_pylist(), strict=True))) == sequence - 1
    archive_of(store).run(now=NOW, keep_local_days=0)
    assert set(places(store).values()) == {"archive"}
    assert archive_of(store).verify() == []
    assert len(there(bucket)) == len(store.read(EVERYTHING)) == sequence - 1


def test_paths_of_archived_files_are_told_from_those_here() -> None:
    assert is_archived("_archived/day=2021-04-12/a.parquet")
    assert not is_archived("day=2021-04-12/a.parquet")
