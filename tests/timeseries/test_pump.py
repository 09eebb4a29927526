"""The pump: every accepted point is somewhere, whatever fails in between."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from unittest import mock

import pytest

from tests.timeseries.batches import DAY, SECOND, at
from tests.timeseries.desks import Desk, desk_in
from timeseries.errors import FlushTimeout, SpoolFull, StoreUnavailable
from timeseries.measurements import TICKS, PointBatch
from timeseries.shipping import clearing, pump
from timeseries.shipping.shipper import ship_slice
from timeseries.spool.bell import Bell
from timeseries.spool.disk_space import Room, Space
from timeseries.stores.base import PointQuery, Refusal

OPEN = at("2021-04-12 09:15")
NONE = {"dead_lettered": 0, "expired": 0, "damaged": 0, "cleared": 0, "balance": 0}


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return desk_in(tmp_path)


def record(desk: Desk, count: int, first: int = 0, **more: object) -> None:
    numbers = range(first, first + count)
    desk.record("A", [OPEN + n * SECOND for n in numbers], [float(n + 1) for n in numbers], **more)


def closes(desk: Desk, account: str = "main") -> list[float]:
    return desk.reader.ticks("A", 0, 2**62, account=account).column("close").to_pylist()


def points(desk: Desk) -> dict:
    found = desk.pump.points()
    del found["oldest_seconds"], found["unsynced_seconds"]
    return found


def test_nothing_recorded_is_a_balance_of_nothing(desk: Desk) -> None:
    nothing = {"accepted": 0, "stored": 0, "spooled": 0, **NONE, "oldest_seconds": None, "unsynced_seconds": 0.0}
    assert desk.pump.points() == nothing
    assert desk.pump.sources() == []
    assert desk.pump.run_once().settled == 0
    assert desk.pump.drain(0)


def test_what_waits_is_shipped_and_counted(desk: Desk) -> None:
    record(desk, 10)
    assert points(desk) == {"accepted": 10, "stored": 0, "spooled": 10, **NONE}
    desk.clock.move(5)
    assert desk.pump.points()["oldest_seconds"] == pytest.approx(5, abs=2)
    assert desk.pump.run_once().settled == 10
    assert points(desk) == {"accepted": 10, "stored": 10, "spooled": 0, **NONE}
    assert closes(desk) == [float(n) for n in range(1, 11)]


def test_the_rows_of_the_spool_command_tell_each_lane(desk: Desk) -> None:
    record(desk, 3)
    recorder = desk.recorder(source="other")
    recorder.indicators("A", {"ema": 1}, at=OPEN)
    recorder.close()
    rows = {(row["source"], row["measurement"]): row for row in desk.pump.sources()}
    assert rows.keys() == {("default", "ticks"), ("other", "indicators")}
    row = rows["default", "ticks"]
    assert (row["spooled"], row["quarantined"], row["dead_lettered"]) == (3, 0, {})
    assert row["oldest_at"].endswith("Z")
    desk.pump.drain(10)
    assert {row["oldest_at"] for row in desk.pump.sources()} == {None}


def test_a_few_new_points_of_a_running_recorder_wait_a_moment_for_more(desk: Desk) -> None:
    recorder = desk.recorder()
    recorder.tick("A", {"ltp": 1, "timestamp": OPEN})
    assert desk.pump.run_once().settled == 0
    desk.clock.move(pump.LINGER_NS / SECOND)
    assert desk.pump.run_once().settled == 1
    recorder.tick("A", {"ltp": 2, "timestamp": OPEN})
    assert desk.pump.run_once().settled == 0
    desk.pump.bell.listen()
    assert Bell(desk.spool.root).ring()
    assert desk.pump.wait(1)
    assert desk.pump.run_once().settled == 1
    desk.pump.bell.close()
    recorder.close()


def test_many_new_points_do_not_wait(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pump, "MANY", 5)
    recorder = desk.recorder()
    for number in range(5):
        recorder.tick("A", {"ltp": 1, "timestamp": OPEN + number})
    assert desk.pump.run_once().settled == 5
    recorder.close()


def test_large_lanes_go_in_slices(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("timeseries.shipping.shipper.ship_slice.__kwdefaults__", {"rows": 4})
    record(desk, 10)
    assert desk.pump.run_once().settled == 10
    assert [len(batch) for batch in desk.store.batches] == [4, 4, 2]
    assert closes(desk) == [float(n) for n in range(1, 11)]


def test_a_pass_ends_when_its_time_is_up_though_a_backlog_is_left(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("timeseries.shipping.shipper.ship_slice.__kwdefaults__", {"rows": 4})
    record(desk, 10)
    record(desk, 10, source="other")
    found = []
    while (sweep := desk.pump.run_once(seconds=0)).settled:
        found.append((sweep.settled, desk.pump.is_behind, sweep.pause_seconds > 0))
    # Each lane has one slice of each pass, and the last one leaves nothing behind.
    assert found == [(8, True, False), (8, True, False), (4, False, True)]
    assert points(desk) == {"accepted": 20, "stored": 20, "spooled": 0, **NONE}


def test_a_pass_ends_though_the_feed_goes_on(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    recorder = desk.recorder()
    recorder.tick("A", {"ltp": 1, "timestamp": OPEN})
    write = desk.store.write

    def write_while_recording(batch: object) -> object:
        assert len(desk.store.batches) < 10, "the pump runs after the feed"
        refusals = write(batch)  # type: ignore[arg-type]
        recorder.tick("A", {"ltp": 1, "timestamp": OPEN})
        return refusals

    monkeypatch.setattr(desk.store, "write", write_while_recording)
    (lane,) = desk.spool.lanes()
    assert desk.pump.ship(lane) == 1
    recorder.close()


def test_a_store_that_is_down_holds_the_lane_and_drops_nothing(desk: Desk) -> None:
    record(desk, 3)
    desk.store.down = True
    first = desk.pump.run_once()
    assert (first.settled, first.held) == (0, 1)
    desk.store.down = False
    assert desk.pump.run_once().settled == 0, "it was tried again without a pause"
    desk.clock.move(pump.HOLD_SECONDS[0])
    assert desk.pump.run_once().settled == 3
    assert desk.pump.run_once().held == 0
    assert points(desk) == {"accepted": 3, "stored": 3, "spooled": 0, **NONE}


def test_the_pauses_of_a_held_lane_grow_to_a_bound(desk: Desk) -> None:
    record(desk, 1)
    desk.store.down = True
    pauses = []
    for _ in range(12):
        desk.pump.run_once()
        (care,) = desk.pump._lanes.values()
        pauses.append((care.hold_until - desk.clock.now) / SECOND)
        desk.clock.now = care.hold_until
    shortest, longest = pump.HOLD_SECONDS
    assert pauses[0] <= shortest
    assert longest / 2 <= pauses[-1] <= longest
    assert points(desk)["spooled"] == 1


def test_a_crash_between_writing_and_settling_changes_nothing(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    record(desk, 5)
    (lane,) = desk.spool.lanes()

    def crash(*_: object) -> None:
        raise OSError("killed")

    with monkeypatch.context() as patched:
        patched.setattr(lane, "settle", crash)
        with pytest.raises(OSError, match="killed"):
            desk.pump.ship(lane)
    assert points(desk) == {"accepted": 5, "stored": 0, "spooled": 5, **NONE}
    record(desk, 2, first=5)
    assert desk.pump.drain(10)
    assert points(desk) == {"accepted": 7, "stored": 7, "spooled": 0, **NONE}
    assert closes(desk) == [float(n) for n in range(1, 8)]


def test_nothing_is_settled_before_it_is_written(desk: Desk) -> None:
    record(desk, 5)
    seen = []
    write = desk.store.write
    desk.store.write = lambda batch: (seen.append(desk.spool.lanes()[0].outcome().through), write(batch))[1]  # type: ignore
    assert desk.pump.drain(10)
    assert seen == [0]


def test_a_lane_that_another_ships_is_left_to_it(desk: Desk) -> None:
    record(desk, 3)
    (lane,) = desk.spool.lanes()
    with lane.lease(owner="another"):
        assert desk.pump.run_once().settled == 0
        assert not desk.pump.drain(0.05)
    assert desk.pump.run_once().settled == 3


def test_a_segment_removed_by_hand_makes_the_sum_fail(desk: Desk) -> None:
    record(desk, 3)
    (lane,) = desk.spool.lanes()
    for segment in lane.segments():
        segment.unlink()
    assert points(desk)["balance"] == 3
    desk.pump.run_once()
    assert points(desk)["balance"] == 3
    record(desk, 2, first=3)
    assert desk.pump.run_once().settled
    found = points(desk)
    assert (found["accepted"], found["stored"], found["balance"]) == (5, 2, 3)


def test_a_damaged_record_is_counted_as_damaged_and_the_others_are_stored(desk: Desk) -> None:
    record(desk, 50)
    (lane,) = desk.spool.lanes()
    (segment,) = lane.segments()
    content = bytearray(segment.read_bytes())
    middle = content.find(bytearray.fromhex("0000000000003940"))  # 25.0, the close of the 25th
    content[middle] ^= 0xFF
    segment.write_bytes(content)
    before = points(desk)
    assert (before["accepted"], before["spooled"], before["damaged"], before["balance"]) == (50, 49, 1, 0)
    assert desk.pump.drain(10)
    after = points(desk)
    assert (after["stored"], after["spooled"], after["damaged"], after["balance"]) == (49, 0, 1, 0)
    assert closes(desk) == [float(n) for n in range(1, 51) if n != 25]


def test_two_accounts_of_one_source_are_counted_apart(desk: Desk) -> None:
    record(desk, 3)
    record(desk, 2, account="paper")
    assert desk.pump.drain(10)
    (lane,) = desk.spool.lanes()
    assert lane.outcome().stored == {"main": 3, "paper": 2}


def test_kept_segments_go_after_their_days_and_nothing_else_does(desk: Desk) -> None:
    record(desk, 3)
    (lane,) = desk.spool.lanes()
    desk.pump.run_once()
    (segment,) = lane.segments()
    desk.clock.move(3650 * DAY / SECOND)
    desk.pump.run_once()
    assert lane.segments() == [segment], "a clock that is ahead removes none"
    eight_days_ago = time.time() - 8 * DAY / SECOND
    os.utime(segment, (eight_days_ago, eight_days_ago))
    record(desk, 2, first=3)
    desk.pump.run_once(desk.clock.now + DAY)
    assert len(lane.segments()) == 1
    assert segment not in lane.segments()
    assert points(desk) == {"accepted": 5, "stored": 5, "spooled": 0, **NONE}
    assert closes(desk) == [1.0, 2.0, 3.0, 4.0, 5.0]


def test_flush_ships_by_itself_where_no_companion_runs(desk: Desk) -> None:
    record(desk, 3)
    recorder = desk.recorder(source="mine")
    recorder.tick("A", {"ltp": 1, "timestamp": OPEN})
    targets = desk.pump.targets(source="mine")
    assert targets == {("default", "ticks"): 3, ("mine", "ticks"): 1}
    desk.pump.wait_until_settled(targets, 10)
    assert points(desk) == {"accepted": 4, "stored": 4, "spooled": 0, **NONE}
    recorder.close()


def test_flush_does_not_wait_for_what_another_recorder_still_writes(desk: Desk) -> None:
    other = desk.recorder(source="other")
    other.tick("A", {"ltp": 1, "timestamp": OPEN})
    assert desk.pump.targets(source="mine") == {}
    assert desk.pump.everything() == {("other", "ticks"): 1}
    other.close()
    assert desk.pump.targets(source="mine") == {("other", "ticks"): 1}


def test_flush_says_what_still_waits_when_the_time_is_up(desk: Desk) -> None:
    record(desk, 3)
    desk.store.down = True
    started = time.monotonic()
    with pytest.raises(FlushTimeout, match="3 points still wait") as caught:
        desk.pump.wait_until_settled(desk.pump.everything(), 0.1)
    assert caught.value.code == "flush_timeout"
    assert time.monotonic() - started < 5
    assert points(desk)["spooled"] == 3


def test_flush_gives_a_companion_that_listens_but_does_nothing_a_moment_only(desk: Desk) -> None:
    deaf = Bell(desk.spool.root)
    deaf.listen()
    record(desk, 3)
    desk.pump.wait_until_settled(desk.pump.everything(), 10)
    assert points(desk)["stored"] == 3
    deaf.close()


@pytest.mark.parametrize("slices", [4, 2], ids=["to the end", "until it ends midway"])
def test_flush_leaves_shipping_to_a_companion_that_works_and_does_the_rest_itself(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, slices: int
) -> None:
    companion, now, left = desk.another_pump(), 0.0, slices
    companion.bell.listen()
    record(desk, 4)
    (lane,) = companion.spool.lanes()

    def sleep(_: float) -> None:
        """Between two looks of `flush` the companion ships a slice, in less than its patience; then time passes."""
        nonlocal now, left
        if desk.pump._draining is not None:
            time.sleep(0.001)
            return
        now += 0.4
        if left:
            left -= 1
            ship_slice(lane, companion.store, owner="the companion", rows=1)

    clock = SimpleNamespace(monotonic=lambda: now, sleep=sleep, perf_counter=time.perf_counter)
    monkeypatch.setattr(pump, "time", clock)
    desk.pump.wait_until_settled(desk.pump.everything(), 100)
    companion.bell.close()
    assert points(desk)["stored"] == 4
    assert [len(batch) for batch in desk.store.batches] == [4 - slices] * (slices < 4), "what flush shipped itself"


def test_a_bell_without_a_listener_is_not_heard(tmp_path: Path) -> None:
    bell = Bell(tmp_path / "spool")
    assert not bell.ring()
    bell.listen()
    assert bell.ring()
    assert bell.wait(1)
    assert not bell.wait(0)
    for _ in range(100_000):
        assert bell.ring()
        if bell.wait(0):
            break
    bell.close()
    assert not bell.ring()


# -- clearing an account ---------------------------------------------------------------------------------------------


def test_a_cleared_account_is_gone_from_store_and_spool_and_counted(desk: Desk) -> None:
    record(desk, 4, source="replay", account="replay")
    record(desk, 2)
    assert desk.pump.drain(10)
    record(desk, 3, first=4, source="replay", account="replay")
    assert desk.pump.clear_account("replay") == 7
    assert closes(desk, "replay") == []
    assert closes(desk) == [1.0, 2.0]
    assert points(desk)["balance"] == 0
    assert desk.pump.drain(10)
    assert points(desk) == {"accepted": 9, "stored": 2, "spooled": 0, **NONE, "cleared": 7}
    assert closes(desk, "replay") == []
    assert desk.pump.clear_account("replay") == 0


def test_what_is_recorded_after_the_clearing_stays(desk: Desk) -> None:
    record(desk, 4, account="replay")
    assert desk.pump.drain(10)
    desk.pump.clear_account("replay")
    record(desk, 3, account="replay")
    assert closes(desk, "replay") == [1.0, 2.0, 3.0]
    assert desk.pump.drain(10)
    assert closes(desk, "replay") == [1.0, 2.0, 3.0]
    assert points(desk) == {"accepted": 7, "stored": 3, "spooled": 0, **NONE, "cleared": 4}


@pytest.mark.parametrize("moment", ["before the lanes", "between the lanes", "in the store", "before it is forgotten"])
def test_a_clearing_cut_short_is_finished_by_the_next_pass_and_takes_no_later_point(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    record(desk, 4, source="one", account="replay")
    record(desk, 4, source="two", account="replay")
    assert desk.pump.drain(10)
    record(desk, 2, first=4, source="one", account="replay")
    with monkeypatch.context() as patched:
        cut(patched, desk, moment)
        with pytest.raises((StoreUnavailable, OSError)):
            desk.pump.clear_account("replay")
    assert points(desk)["balance"] == 0
    record(desk, 1, first=20, source="one", account="replay")
    record(desk, 1, first=21, source="two", account="replay")
    assert points(desk)["balance"] == 0
    desk.clock.move(100)
    assert desk.pump.drain(10)
    assert sorted(desk.store.read(PointQuery(TICKS, 0, 2**62)).column("close").to_pylist()) == [21.0, 22.0]
    assert points(desk) == {"accepted": 12, "stored": 2, "spooled": 0, **NONE, "cleared": 10}
    assert not (desk.spool.root / clearing.INTENT).exists()


def cut(patched: pytest.MonkeyPatch, desk: Desk, moment: str) -> None:
    def die(*_: object, **__: object) -> None:
        raise OSError("killed")

    calls = []
    real = clearing.cleared
    if moment == "before the lanes":
        patched.setattr(clearing, "_carry_out", die)
    elif moment == "between the lanes":
        patched.setattr(clearing, "cleared", lambda *a: die() if calls else (calls.append(1), real(*a))[1])
    elif moment == "in the store":
        patched.setattr(desk.store, "delete_account", die)
    else:
        patched.setattr(Path, "unlink", die)


def test_while_a_clearing_stands_nothing_is_shipped(desk: Desk) -> None:
    record(desk, 2, account="replay")
    assert desk.pump.drain(10)
    desk.store.down = True
    with pytest.raises(StoreUnavailable):
        desk.pump.clear_account("replay")
    record(desk, 2)
    assert desk.pump.run_once().settled == 0
    desk.store.down = False
    desk.clock.move(100)
    assert desk.pump.drain(10)
    assert closes(desk) == [1.0, 2.0]
    assert json.loads(json.dumps(desk.pump.points()))["balance"] == 0


def test_a_shipper_that_comes_while_an_account_is_cleared_is_turned_back(desk: Desk) -> None:
    record(desk, 2, account="replay")
    (lane,) = desk.spool.lanes()
    with clearing.shipping_allowed(desk.spool.root):
        pass
    intent = {"account": "replay", "through": [[lane.source, lane.measurement.name, 2]]}
    (desk.spool.root / clearing.INTENT).write_text(json.dumps(intent))
    with pytest.raises(clearing.ClearingUnfinished), clearing.shipping_allowed(desk.spool.root):
        pass
    assert desk.pump.ship(lane) == 2
    assert points(desk) == {"accepted": 2, "stored": 0, "spooled": 0, **NONE, "cleared": 2}


def test_clearing_waits_for_shippers_and_gives_up_in_the_end(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    record(desk, 2, account="replay")
    monkeypatch.setattr("timeseries.shipping.shipper.GATE_SECONDS", 0.05)
    with clearing.shipping_allowed(desk.spool.root), pytest.raises(StoreUnavailable):
        desk.pump.clear_account("replay")
    assert closes(desk, "replay") == [1.0, 2.0]
    assert desk.pump.clear_account("replay") == 2


def test_the_sum_is_right_at_every_moment_of_a_running_recorder(desk: Desk) -> None:
    stop = threading.Event()

    def feed() -> None:
        recorder = desk.recorder()
        number = 0
        while not stop.is_set():
            recorder.tick("A", {"ltp": 1.0 + number % 7, "timestamp": OPEN + number * 1000})
            number += 1
            if number % 50 == 0:
                stop.wait(0.001)  # some ten thousand ticks a second, and a turn for the others
        recorder.close()

    feeder = threading.Thread(target=feed)
    feeder.start()
    try:
        deadline, sums = time.monotonic() + 3, []
        while time.monotonic() < deadline or len(set(sums)) <= 5:
            found = desk.pump.points()
            sums.append(found["accepted"])
            assert found["balance"] == 0, found
            if len(sums) % 5 == 0:
                desk.pump.run_once()
                desk.clock.move(1)
    finally:
        stop.set()
        feeder.join()
    assert sums == sorted(sums)


class TestFlushInTime:
    """`flush` answers when its time is up, whatever the store is at."""

    @pytest.fixture
    def slow(self, desk: Desk, monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
        """A store that takes every slice when the event is set, and not before twenty seconds else."""
        done, real = threading.Event(), desk.store.write

        def write(batch: PointBatch) -> tuple[Refusal, ...]:
            refusals = real(batch)
            done.wait(20)
            return refusals

        monkeypatch.setattr(desk.store, "write", write)
        yield done
        done.set()
        if desk.pump._draining is not None:
            desk.pump._draining.join()

    def test_it_waits_for_no_slice_that_the_store_has_in_hand(self, desk: Desk, slow: threading.Event) -> None:
        record(desk, 10)
        began, answer = time.monotonic(), "all is settled"
        try:
            desk.pump.wait_until_settled(desk.pump.targets(), 0.2)
        except FlushTimeout as late:
            answer = late.message
        assert answer == "10 points still wait after 0.2 s."
        assert time.monotonic() - began < 10
        slow.set()
        desk.pump.wait_until_settled(desk.pump.targets(), 60)
        assert closes(desk) == [float(n) for n in range(1, 11)]

    def test_it_begins_no_slice_when_its_time_is_up(
        self, desk: Desk, slow: threading.Event, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("timeseries.shipping.shipper.ship_slice.__kwdefaults__", {"rows": 2})
        record(desk, 10)
        with pytest.raises(FlushTimeout):
            desk.pump.wait_until_settled(desk.pump.targets(), 0.2)
        slow.set()
        assert desk.pump._draining is not None
        desk.pump._draining.join()
        assert len(desk.store.batches) == 1
        assert points(desk)["spooled"] == 8


def test_kept_segments_make_room_the_oldest_first_before_a_tick_is_refused(desk: Desk) -> None:
    record(desk, 300, segment_bytes=4096)
    desk.recorder(source="other", segment_bytes=4096).close()
    desk.pump.drain(10)
    (lane,) = desk.spool.lanes()
    written = [segment.name for segment in sorted(lane.folder.glob("*.seg"))]
    room = Room(desk.spool.root)
    used = room.used()
    desk.pump.max_bytes = used * 2
    desk.pump.make_room(desk.clock())
    assert room.used() == used  # half of the limit is theirs
    desk.pump.max_bytes = used
    with pytest.raises(SpoolFull, match="The spool holds"):
        Room(desk.spool.root, max_bytes=used).claim(4096)
    desk.clock.move(16)
    desk.pump.run_once()
    left = [segment.name for segment in sorted(lane.folder.glob("*.seg"))]
    assert 0 < room.used() <= used // 2
    assert left == written[-len(left) :]
    Room(desk.spool.root, max_bytes=used).claim(4096)
    assert closes(desk) == [float(n) for n in range(1, 301)]
    assert points(desk) == {"accepted": 300, "stored": 300, "spooled": 0, **NONE}


def test_a_disk_that_runs_full_takes_the_room_of_every_kept_segment_and_of_none_that_waits(desk: Desk) -> None:
    record(desk, 300, segment_bytes=4096)
    desk.pump.drain(10)
    record(desk, 100, 300, segment_bytes=4096)
    full = Space(used=8192, limit=2**40, free=0, reserve=2**40)
    with mock.patch.object(Room, "space", return_value=full):
        desk.pump.make_room(desk.clock())
    assert points(desk) == {"accepted": 400, "stored": 300, "spooled": 100, **NONE}
    desk.pump.drain(10)
    assert closes(desk) == [float(n) for n in range(1, 401)]
