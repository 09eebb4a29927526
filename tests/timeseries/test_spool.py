"""Lanes on disk: who holds them, what waits, what became of it, and that the sum can fail."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.timeseries.spools import NOW, OPEN_NS, lane, recorder, rows, stored
from timeseries.errors import SourceBusy
from timeseries.spool.counter import ISSUED, CounterMap
from timeseries.spool.folder import Spool, folder_name, source_name
from timeseries.spool.lane import Lane, LeaseHeld, Outcome


def fill(root: Path, count: int, **options: object) -> Lane:
    desk = recorder(root, segment_bytes=4096, **options)
    for number in range(count):
        desk.tick(("RELIANCE", "M&M")[number % 2], {"ltp": 1 + number, "volume": number}, OPEN_NS + number)
    desk.close()
    return lane(root)


@given(st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=64))
def test_a_sources_folder_gives_its_name_back(source: str) -> None:
    name = folder_name(source)
    assert source_name(name) == source
    assert "/" not in name
    assert not name.startswith(".")


def test_slices_of_any_size_give_every_record_once(tmp_path: Path) -> None:
    found = fill(tmp_path, 500)
    assert len(found.segments()) > 3
    everything = rows(found.pending(after=0, limit=10**6))
    assert [point["close"] for point in everything] == [1 + number for number in range(500)]
    for limit in (1, 7, 100, 499, 500, 501):
        for reader in (found, lane(tmp_path)):
            after, points = 0, []
            while (part := reader.pending(after=after, limit=limit)).last_sequence > after:
                assert len(part.batch) <= limit
                points += rows(part)
                after = part.last_sequence
            assert points == everything
    assert rows(found.pending(after=250, limit=3)) == everything[250:253]
    assert found.pending(after=500, limit=5).last_sequence == 500


def test_an_open_segment_is_read_while_it_is_written(tmp_path: Path) -> None:
    desk = recorder(tmp_path)
    reader, after = lane(tmp_path), 0
    for number in range(50):
        desk.tick("RELIANCE", {"ltp": 1 + number}, OPEN_NS + number)
        part = reader.pending(after=after, limit=10)
        assert [point["close"] for point in rows(part)] == [1 + number]
        after = part.last_sequence
        assert reader.tail(after=0) == (number + 1, 0)
    assert reader.oldest_pending_ns(0) == NOW
    assert reader.oldest_pending_ns(50) is None
    desk.close()


def test_what_waits_is_counted_from_the_files(tmp_path: Path) -> None:
    found = fill(tmp_path, 300)
    assert found.issued() == 300
    assert [found.waiting(after=after) for after in (0, 1, 150, 299, 300)] == [300, 299, 150, 1, 0]


@pytest.mark.parametrize("which", [0, 1, -1])
def test_a_segment_removed_by_hand_is_neither_waiting_nor_damaged(tmp_path: Path, which: int) -> None:
    fill(tmp_path, 300)
    path = lane(tmp_path).segments()[which]
    found = lane(tmp_path)
    before = len(found.pending(after=0, limit=1000).batch)
    lost = before - len(stored_without(tmp_path, path))
    assert lost > 0
    left = lane(tmp_path).pending(after=0, limit=1000)
    assert (len(left.batch), left.damaged) == (300 - lost, 0)
    tail = lane(tmp_path).tail(after=0)
    assert (tail.whole, tail.damaged) == (300 - lost, 0)
    assert lane(tmp_path).issued() - tail.whole - tail.damaged == lost  # the sum fails, as it should


def stored_without(root: Path, path: Path) -> list[dict[str, object]]:
    path.unlink()
    return stored(root)


def test_an_outcome_is_durable_and_whole(tmp_path: Path) -> None:
    found = fill(tmp_path, 3)
    assert found.outcome() == Outcome()
    outcome = Outcome(2, {"main": 1}, {"400": 1}, expired=3, cleared_through={"replay": 9})
    with found.lease(owner="the test") as lease:
        found.settle(outcome, lease)
    assert lane(tmp_path).outcome() == outcome
    (found.folder / "outcome").write_text('{"through": 5, "of later code": 1}')
    assert found.outcome().through == 5


def test_a_lease_keeps_a_second_shipper_out_until_the_first_is_gone(tmp_path: Path) -> None:
    found = fill(tmp_path, 1)
    first, second = found.lease(owner="first"), lane(tmp_path).lease(owner="second")
    with first, pytest.raises(LeaseHeld, match="first"), second:
        pass
    with found.lease(owner="second"):
        pass


@pytest.fixture
def holder(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that records under the source `desk` and then waits."""
    code = (
        "import sys; from pathlib import Path; from tests.timeseries.spools import recorder, OPEN_NS\n"
        "desk = recorder(Path(sys.argv[1])); desk.tick('RELIANCE', {'ltp': 1}, OPEN_NS)\n"
        "print('recorded', flush=True); sys.stdin.read()"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdin is not None
    assert process.stdout.readline() == "recorded\n"
    yield process
    process.kill()
    process.wait()
    process.stdin.close()
    process.stdout.close()


def test_a_second_process_is_told_who_holds_the_source(tmp_path: Path, holder: subprocess.Popen[str]) -> None:
    desk = recorder(tmp_path)
    with pytest.raises(SourceBusy) as error:
        desk.tick("RELIANCE", {"ltp": 1}, OPEN_NS)
    assert error.value.pid == holder.pid
    assert Spool(tmp_path / "spool").holder("desk") == holder.pid
    assert not Spool(tmp_path / "spool").adopt("desk")
    other = recorder(tmp_path, source="other")
    assert other.tick("RELIANCE", {"ltp": 1}, OPEN_NS)
    other.close()


def test_a_killed_holder_frees_the_source_and_is_adopted(tmp_path: Path, holder: subprocess.Popen[str]) -> None:
    spool = Spool(tmp_path / "spool")
    os.kill(holder.pid, signal.SIGKILL)
    holder.wait()
    assert spool.holder("desk") is None
    before = stored(tmp_path)
    assert len(before) == 1
    assert spool.adopt("desk")
    (path,) = lane(tmp_path).segments()
    assert path.stat().st_size < 4096
    assert stored(tmp_path) == before
    assert spool.adopt("desk")
    assert stored(tmp_path) == before


def test_looking_for_the_holder_never_costs_a_recorder_its_source(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool")
    fill(tmp_path, 1)
    pid = os.fork()
    if pid == 0:
        deadline = time.monotonic() + 0.5
        while time.monotonic() < deadline:
            spool.holder("desk")
            spool.adopt("desk")
        os._exit(0)
    try:
        for number in range(30):
            desk = recorder(tmp_path)
            assert desk.tick("RELIANCE", {"ltp": 2 + number}, OPEN_NS)
            desk.close()
    finally:
        os.waitpid(pid, 0)
    assert len(stored(tmp_path)) == 31


def test_a_counter_that_lags_behind_a_whole_frame_is_put_right(tmp_path: Path) -> None:
    found = fill(tmp_path, 5)
    counter = CounterMap(found.folder)
    counter.words[ISSUED] = 4
    counter.close()
    assert len(stored(tmp_path)) == 4  # nobody was told of the fifth
    assert Spool(tmp_path / "spool").adopt("desk")
    assert found.issued() == 5
    assert len(stored(tmp_path)) == 5


def test_a_lost_counter_is_made_again_from_the_segments(tmp_path: Path) -> None:
    found = fill(tmp_path, 5)
    (found.folder / "issued").unlink()
    desk = recorder(tmp_path)
    desk.tick("RELIANCE", {"ltp": 9}, OPEN_NS)
    desk.close()
    assert [point["sequence"] for point in stored(tmp_path)] == [1, 2, 3, 4, 5, 6]


def test_records_that_a_power_loss_took_are_damaged_not_forgotten(tmp_path: Path) -> None:
    found = fill(tmp_path, 5)
    counter = CounterMap(found.folder)
    counter.words[ISSUED] = 9
    counter.close()
    desk = recorder(tmp_path)
    desk.tick("RELIANCE", {"ltp": 9}, OPEN_NS)
    desk.close()
    # Sealed segments tell their own end: what lies between is in no segment at all, and the sum fails.
    assert [point["sequence"] for point in stored(tmp_path)] == [1, 2, 3, 4, 5, 10]


def test_kept_segments_go_when_they_are_settled_and_old(tmp_path: Path) -> None:
    found = fill(tmp_path, 300)
    count = len(found.segments())
    assert found.remove_kept(before_ns=0, through=300) == 0
    assert found.remove_kept(before_ns=2**62, through=0) == 0
    assert found.removed_until() == 0
    assert found.remove_kept(before_ns=2**62, through=150) > 0
    assert 0 < found.removed_until() < OPEN_NS + 150
    assert [point["sequence"] for point in rows(found.pending(after=150, limit=1000))] == list(range(151, 301))
    assert found.remove_kept(before_ns=2**62, through=300) > 0
    assert found.segments() == []
    assert found.removed_until() == OPEN_NS + 299
    assert count > 1
    desk = recorder(tmp_path)
    desk.tick("RELIANCE", {"ltp": 9}, OPEN_NS + 10**9)
    desk.close()
    assert [point["sequence"] for point in stored(tmp_path)] == [301]


def test_a_lane_of_later_code_is_seen_and_kept(tmp_path: Path) -> None:
    found = fill(tmp_path, 5)
    found.folder.rename(found.folder.with_name("quotes"))
    (later,) = Spool(tmp_path / "spool").lanes()
    part = later.pending(after=0, limit=100)
    assert (later.measurement.name, len(part.batch), part.quarantined, part.damaged) == ("quotes", 0, 5, 0)
    assert later.waiting(after=0) == 5


def test_sync_asks_the_disk_for_every_file_of_the_lane(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    desk = recorder(tmp_path, segment_bytes=4096)
    for number in range(100):
        desk.tick("RELIANCE", {"ltp": 1 + number}, OPEN_NS)
    synced: list[str] = []
    real = os.fsync
    monkeypatch.setattr(os, "fsync", lambda file: (synced.append(os.readlink(f"/proc/self/fd/{file}")), real(file)))
    found = lane(tmp_path)
    found.sync()
    paths = [str(path) for path in [*found.segments(), found.folder / "issued", found.folder]]
    assert len(paths) > 3
    assert sorted(synced) == sorted(paths)
    synced.clear()
    found.sync()  # sealed ones stay as they are
    assert sorted(synced) == sorted(paths[-3:-1])  # nor does the folder have a new name
    synced.clear()
    lane(tmp_path).sync()  # and another process need not ask for what this one has found safe
    assert sorted(synced) == sorted(paths[-3:])
    desk.close()


def test_the_folders_are_for_their_owner_alone_and_links_are_refused(tmp_path: Path) -> None:
    found = fill(tmp_path, 5)
    for path in (tmp_path / "spool").rglob("*"):
        assert path.stat().st_mode & 0o077 == 0, path
    (target := tmp_path / "elsewhere").write_bytes(b"")
    (found.folder / "0000000002.new").symlink_to(target)
    (found.folder / "leases").symlink_to(target)
    with pytest.raises(OSError, match="symbolic links"), found.lease(owner="x"):
        pass
    desk = recorder(tmp_path)
    desk.tick("RELIANCE", {"ltp": 1}, OPEN_NS)
    desk.close()
    assert target.read_bytes() == b""
