"""The archive on its worst days: each is told by one typed error, and costs no point."""

from __future__ import annotations

import errno
import os
import shutil
import signal
from datetime import date
from pathlib import Path

import pytest

from tests.s3_server import s3_server
from tests.timeseries.archives import folder_bucket
from tests.timeseries.batches import DAY, INDIA, SECOND, at, batch, prices
from timeseries.errors import StoreMisconfigured, StoreUnavailable
from timeseries.measurements import TICKS
from timeseries.spool import durable
from timeseries.stores.base import PointQuery
from timeseries.stores.delta import bucket as bucket_module
from timeseries.stores.delta.archive import Archive
from timeseries.stores.delta.bucket import ObjectStore
from timeseries.stores.delta.store import DeltaStore

OPEN = at("2021-04-12 09:15")
MONDAY = date(2021, 4, 12)
NOW = OPEN + 10 * DAY
EVERYTHING = PointQuery(TICKS, 0, 2**62)


@pytest.fixture
def place(tmp_path: Path) -> ObjectStore:
    return folder_bucket(tmp_path / "the archive")


def desk(folder: Path, bucket: ObjectStore) -> DeltaStore:
    return DeltaStore(folder / "delta", zone=INDIA, bucket=bucket)


def archive_of(store: DeltaStore) -> Archive:
    assert store.archive is not None
    return store.archive


def fill(store: DeltaStore) -> list[dict[str, object]]:
    """Write two days; return all points as they are read."""
    for number in range(4):
        start = OPEN + number // 2 * DAY + number * 60 * SECOND
        store.write(batch(prices("A", [start, start + SECOND], [1.0, 2.0]), first=1 + 2 * number))
    return store.read(EVERYTHING).to_pylist()


def refuses(*_: object, **__: object) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_of_two_copies_of_a_folder_the_one_that_comes_second_replaces_nothing(
    tmp_path: Path, place: ObjectStore
) -> None:
    """Both look, both count on, one commits: the other must not take the archive for its own afterwards."""
    first = desk(tmp_path, place)
    fill(first)
    archive_of(first).run(now=NOW, keep_local_days=None)
    shutil.copytree(first.root, tmp_path / "copy" / "delta")
    second = desk(tmp_path / "copy", place)
    [(_, looked)] = archive_of(second)._made()
    looked.look()
    first.write(batch(prices("A", [OPEN + 7 * SECOND], [7.0]), first=9))
    second.write(batch(prices("A", [OPEN + 8 * SECOND], [8.0]), first=9))
    archive_of(first).run(now=NOW, keep_local_days=0)
    points = first.read(EVERYTHING).to_pylist()
    with pytest.raises(StoreUnavailable, match="at the same time"):
        looked.commit(MONDAY, [], [])
    for _ in range(2):
        with pytest.raises(StoreMisconfigured, match="a copy of it works elsewhere"):
            archive_of(desk(tmp_path / "copy", place)).run(now=NOW, keep_local_days=0)
    archive_of(first).run(now=NOW, keep_local_days=0)
    assert first.read(EVERYTHING).to_pylist() == points
    assert archive_of(first).verify() == []


@pytest.mark.parametrize("step", ["list_as", "put back", "fetch"])
def test_a_full_disk_is_told_as_such_and_costs_nothing(
    tmp_path: Path, place: ObjectStore, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = desk(tmp_path, place)
    points = fill(store)
    if step == "list_as":
        archive_of(store).run(now=NOW, keep_local_days=None)
        monkeypatch.setattr(store.writers["ticks"].archived, "list_as", refuses)
        monkeypatch.setattr(durable, "replace_file", refuses)  # nor can be noted that it failed
        with pytest.raises(StoreUnavailable, match="No space left"):
            archive_of(store).run(now=NOW, keep_local_days=0)
    else:
        archive_of(store).run(now=NOW, keep_local_days=0)
        target = (place, "fetch") if step == "fetch" else (durable, "replace_file")
        monkeypatch.setattr(*target, refuses)
        with pytest.raises(StoreUnavailable, match=r"No space left.*Look at the disk"):
            archive_of(store).restore(MONDAY)
    monkeypatch.undo()
    assert desk(tmp_path, place).read(EVERYTHING).to_pylist() == points
    if step != "list_as":
        assert archive_of(store).restore(MONDAY) > 0
    archive_of(store).run(now=NOW, keep_local_days=0)
    assert {row.place for row in archive_of(store).days()} == {"archive"}
    assert store.read(EVERYTHING).to_pylist() == points


def test_another_address_is_no_empty_archive(tmp_path: Path, place: ObjectStore) -> None:
    store = desk(tmp_path, place)
    points = fill(store)
    archive_of(store).run(now=NOW, keep_local_days=9)
    moved = desk(tmp_path, folder_bucket(tmp_path / "another"))
    for ask in (archive_of(moved).days, archive_of(moved).verify, archive_of(moved).adopt):
        with pytest.raises(StoreMisconfigured, match="There is no archive of ticks at"):
            ask()
    with pytest.raises(StoreMisconfigured, match="There is no archive of ticks at"):
        archive_of(moved).run(now=NOW, keep_local_days=0)
    assert archive_of(store).restore(MONDAY) > 0
    archive_of(moved).adopt()
    archive_of(moved).run(now=NOW, keep_local_days=0)
    assert moved.read(EVERYTHING).to_pylist() == points


def test_late_ticks_and_the_retention_wait_for_an_archive_that_is_away(tmp_path: Path, place: ObjectStore) -> None:
    store = desk(tmp_path, place)
    fill(store)
    archive_of(store).run(now=NOW, keep_local_days=0)
    away = DeltaStore(
        store.root, zone=INDIA, retention_days=1,
        bucket=ObjectStore("s3://desk/archive", {"endpoint": "http://127.0.0.1:9", "region": "x"}),
    )  # fmt: skip
    away.write(batch(prices("A", [OPEN + 2 * DAY, OPEN + DAY + SECOND * 7], [5.0, 7.0]), first=9))
    away.care(now=NOW)
    assert [row["close"] for row in away.read(PointQuery(TICKS, OPEN + 2 * DAY, 2**62)).to_pylist()] == [5.0]
    with pytest.raises(StoreUnavailable, match="cannot answer"):
        archive_of(away).run(now=NOW, keep_local_days=0, retention_days=1)
    assert len(desk(tmp_path, place).read(EVERYTHING)) == 10
    archive_of(store).run(now=NOW, keep_local_days=0, retention_days=1)
    assert len(store.read(EVERYTHING)) == 6
    assert archive_of(store).verify() == []


def test_one_wrong_bit_in_the_archive_s_log_is_told_as_the_archive_s(tmp_path: Path, place: ObjectStore) -> None:
    store = desk(tmp_path, place)
    points = fill(store)
    archive_of(store).run(now=NOW, keep_local_days=None)
    entry = tmp_path / "the archive" / "ticks" / "_delta_log" / f"{1:020d}.json"
    content = bytearray(entry.read_bytes())
    content[content.index(b'{"add"') + 1] ^= 1
    entry.write_bytes(content)
    again = desk(tmp_path, place)
    with pytest.raises(StoreUnavailable, match=r"The archive at .* cannot be read"):
        archive_of(again).run(now=NOW, keep_local_days=0)
    assert again.read(EVERYTHING).to_pylist() == points
    failing = archive_of(again).failing()
    assert failing is not None
    assert "cannot be read" in failing.error


def test_a_server_that_takes_these_credentials_no_longer_is_told_with_what_to_set(tmp_path: Path) -> None:
    with s3_server(tmp_path) as server:
        store = desk(tmp_path, ObjectStore(server.url, server.access))
        points = fill(store)
        archive_of(store).run(now=NOW, keep_local_days=0)
        refused = desk(tmp_path, ObjectStore(server.url, {**server.access, "secret_access_key": "of yesterday"}))
        refused.write(batch(prices("A", [OPEN + 7 * SECOND], [7.0]), first=9))
        for ask in (lambda: refused.read(EVERYTHING), lambda: archive_of(refused).run(now=NOW, keep_local_days=0)):
            with pytest.raises(StoreMisconfigured, match=r"refuses this desk.*VELOX_ARCHIVE_SECRET_ACCESS_KEY"):
                ask()
        archive_of(store).run(now=NOW, keep_local_days=0)
        assert len(store.read(EVERYTHING)) == len(points) + 1


def test_a_server_that_hangs_is_left_after_a_bounded_time_and_one_that_dies_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bucket_module, "PUT_SECONDS", 1)
    monkeypatch.setattr(bucket_module, "SILENT_SECONDS", 1)
    monkeypatch.setattr(bucket_module, "LOG_SECONDS", 1)
    monkeypatch.setattr(bucket_module, "RETRIES", 0)
    with s3_server(tmp_path) as server:
        store = desk(tmp_path, ObjectStore(server.url, server.access))
        points = fill(store)
        archive_of(store).run(now=NOW, keep_local_days=9)
        put = ObjectStore.put

        def stopped(self: ObjectStore, name: str, file: Path) -> None:
            os.kill(server.pid, signal.SIGSTOP)
            put(self, name, file)

        monkeypatch.setattr(ObjectStore, "put", stopped)
        store.write(batch(prices("A", [OPEN + 7 * SECOND], [7.0]), first=9))
        with pytest.raises(StoreUnavailable, match="cannot answer"):
            archive_of(store).run(now=NOW, keep_local_days=0)
        with pytest.raises(StoreUnavailable, match="cannot"):  # Delta's own client, too
            archive_of(store).days()
        os.kill(server.pid, signal.SIGCONT)
        monkeypatch.setattr(ObjectStore, "put", put)
        archive_of(store).run(now=NOW, keep_local_days=0)
        assert {row.place for row in archive_of(store).days()} == {"archive"}
        assert len(store.read(EVERYTHING)) == len(points) + 1
        store.write(batch(prices("A", [OPEN + 9 * SECOND], [9.0]), first=10))
        os.kill(server.pid, signal.SIGKILL)
        with pytest.raises(StoreUnavailable, match="cannot"):
            archive_of(store).run(now=NOW, keep_local_days=0)
        assert len(store.read(EVERYTHING)) == len(points) + 2
