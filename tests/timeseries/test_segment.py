"""A segment's bytes: kept readable for ever, and after damage all is there but the record touched."""

from __future__ import annotations

import os
import random
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.timeseries.golden.make import GOLDEN, fill
from tests.timeseries.spools import NOW, OPEN_NS, lane, recorder, rows, stored
from timeseries.measurements import TICKS
from timeseries.spool.counter import ISSUED, CounterMap
from timeseries.spool.folder import Spool
from timeseries.spool.frames import FORMAT_VERSION, HEADER_SIZE, Header, unpack_header, with_crc
from timeseries.spool.lane import Lane
from timeseries.spool.segment import CHUNK, SegmentWriter

TICKS_COUNT = 5


def small_lane(root: Path, *, sealed: bool) -> tuple[Lane, list[dict[str, Any]]]:
    """A lane with one small segment of two series; returns it with what it holds."""
    desk = recorder(root, segment_bytes=2048)
    for number in range(TICKS_COUNT):
        desk.tick(("RELIANCE", "M&M")[number % 2], {"ltp": 100.5 + number, "volume": number}, OPEN_NS + number // 2)
    if sealed:
        desk.close()
    else:
        desk._writer.abandon()  # as a process that was killed leaves it
    found = lane(root)
    return found, rows(found.pending(after=0, limit=100))


def read(folder: Path) -> tuple[list[dict[str, Any]], int, int, int]:
    """Read the lane as a process would that never saw it before."""
    part = Lane(folder, "desk", TICKS).pending(after=0, limit=100)
    return rows(part), part.last_sequence, part.damaged, part.quarantined


def only_the_record_touched_is_lost(folder: Path, before: list[dict[str, Any]], *, lost_at_most: int = 1) -> None:
    left, last, damaged, quarantined = read(folder)
    by_sequence = {point["sequence"]: point for point in before}
    assert all(point == by_sequence[point["sequence"]] for point in left), "a record was altered"
    assert len(before) - len(left) <= lost_at_most, "more than the record touched is lost"
    assert len({point["sequence"] for point in left}) == len(left)
    assert len(left) + damaged + quarantined == last == len(before)


@pytest.mark.parametrize("sealed", [True, False])
def test_every_single_bit_flip_costs_at_most_the_record_touched(tmp_path: Path, sealed: bool) -> None:
    found, before = small_lane(tmp_path, sealed=sealed)
    assert len(before) == TICKS_COUNT
    (path,) = found.segments()
    good = path.read_bytes()
    places = [place for place, octet in enumerate(good) if octet]
    chance = random.Random(1)
    places += chance.sample([place for place, octet in enumerate(good) if not octet], 100)
    for place in places:
        # All of them where nothing moves any more; an open segment is looked at twice, so one of each byte there.
        for bit in range(8) if sealed else [chance.randrange(8)]:
            path.write_bytes(good[:place] + bytes([good[place] ^ 1 << bit]) + good[place + 1 :])
            only_the_record_touched_is_lost(found.folder, before)


@pytest.mark.parametrize("sealed", [True, False])
def test_every_cut_keeps_the_records_before_it(tmp_path: Path, sealed: bool) -> None:
    found, before = small_lane(tmp_path, sealed=sealed)
    (path,) = found.segments()
    good = path.read_bytes()
    ends = frame_ends(good)
    for length in [*range(ends[-1] + 10), *range(ends[-1] + 10, len(good), 37)]:
        path.write_bytes(good[:length])
        whole = sum(end <= length for end in ends)
        only_the_record_touched_is_lost(found.folder, before, lost_at_most=TICKS_COUNT - whole)


def frame_ends(data: bytes) -> list[int]:
    """Walk the tick frames of an undamaged segment, independently of the reader."""
    ends, place = [], HEADER_SIZE
    while data[place : place + 2] == b"\xf7\xa5" and len(ends) < TICKS_COUNT:
        length = int.from_bytes(data[place + 4 : place + 8], "little")
        place += length
        if data[place - length + 2] == 2:
            ends.append(place)
    assert len(ends) == TICKS_COUNT
    return ends


def test_a_lost_block_in_the_middle_costs_the_records_it_touched(tmp_path: Path) -> None:
    found, _ = small_lane(tmp_path, sealed=True)
    (path,) = found.segments()
    good = path.read_bytes()
    ends = frame_ends(good)
    path.write_bytes(good[: ends[1] + 10] + bytes(ends[3] - ends[1] - 20) + good[ends[3] - 10 :])
    left, last, damaged, _ = read(found.folder)
    assert [point["sequence"] for point in left] == [1, 2, 5]
    assert (last, damaged) == (5, 2)


def test_damage_in_a_long_run_of_frames_costs_the_records_touched(tmp_path: Path) -> None:
    desk = recorder(tmp_path, segment_bytes=1 << 22)
    count = 30_000  # more than one chunk of reading
    times = np.arange(OPEN_NS, OPEN_NS + count)
    assert desk.ticks({"ltp": np.arange(1.0, count + 1), "timestamp": times}, symbol="RELIANCE").accepted == count
    desk.close()
    found = lane(tmp_path)
    (path,) = found.segments()
    data = bytearray(path.read_bytes())
    chance, start, length = random.Random(3), frame_start(bytes(data)), 56
    first_beyond_a_chunk = (CHUNK - start + HEADER_SIZE) // length
    touched = {*chance.sample(range(count), 40), *range(first_beyond_a_chunk - 2, first_beyond_a_chunk + 3)}
    for frame in touched:
        data[start + frame * length + chance.randrange(length)] ^= 1 << chance.randrange(8)
    path.write_bytes(data)
    for limit in (count, 777):
        numbers, after, damaged = [], 0, 0
        reader = Lane(found.folder, "desk", TICKS)
        while (part := reader.pending(after=after, limit=limit)).last_sequence > after:
            assert (part.batch.columns["close"] == part.batch.sequences).all()
            numbers += part.batch.sequences.tolist()
            after, damaged = part.last_sequence, damaged + part.damaged
        assert set(range(1, count + 1)) - set(numbers) == {frame + 1 for frame in touched}
        assert (after, damaged) == (count, len(touched))
        assert reader.tail(after=0) == (count - len(touched), len(touched))


def test_a_damaged_open_segment_is_sealed_without_losing_more(tmp_path: Path) -> None:
    found, before = small_lane(tmp_path, sealed=False)
    (path,) = found.segments()
    good = bytearray(path.read_bytes())
    good[frame_ends(bytes(good))[2] + 20] ^= 1
    path.write_bytes(good)
    assert Spool(tmp_path / "spool").adopt("desk")
    only_the_record_touched_is_lost(found.folder, before)
    assert path.stat().st_size < 2048
    assert found.tail(after=0) == (TICKS_COUNT - 1, 1)


def test_text_that_looks_like_a_frame_is_not_taken_for_one(tmp_path: Path) -> None:
    desk, other = recorder(tmp_path), recorder(tmp_path, source="other")
    desk.tick("RELIANCE", {"ltp": 1}, OPEN_NS)
    for number in range(2):
        other.tick("RELIANCE", {"ltp": 1}, OPEN_NS + number)
    segment = lane(tmp_path, source="other").segments()[0].read_bytes()
    start = frame_start(segment)
    forged = segment[start + 56 : start + 112]
    assert int.from_bytes(forged[8:16], "little") == 2  # whole, and of the sequence that is missing
    desk.close(), other.close()
    # The same bytes in a segment of another writer, where the frame that held them is damaged.
    path = tmp_path / "spool/desk/ticks/0000000002.seg"
    header = Header("desk", "ticks", 1, 2, NOW, 1, os.urandom(16))
    writer = SegmentWriter(path, header, 4096)
    writer.define(1, {"account": "main", "symbol": "M&M"})
    writer.map[writer.position : writer.position + len(forged)] = forged
    writer.abandon()
    counter = CounterMap(path.parent)
    counter.words[ISSUED] = 2
    counter.close()
    assert [point["symbol"] for point in stored(tmp_path)] == ["RELIANCE"]
    assert lane(tmp_path).tail(after=0) == (1, 1)


def frame_start(data: bytes) -> int:
    place = HEADER_SIZE
    while data[place + 2] != 2:
        place += int.from_bytes(data[place + 4 : place + 8], "little")
    return place


@pytest.fixture
def alien(tmp_path: Path) -> Iterator[tuple[Path, SegmentWriter]]:
    """An open segment in which a frame of any kind can be put by hand."""
    folder = tmp_path / "spool/desk/ticks"
    desk = recorder(tmp_path, segment_bytes=4096)
    desk.tick("RELIANCE", {"ltp": 1}, OPEN_NS)
    segment = desk._writer.lanes["ticks"].segment
    yield folder, segment
    desk.close()


@pytest.mark.parametrize(("place", "octet"), [(2, 9), (3, 1)])
def test_a_whole_frame_of_an_unknown_kind_or_version_is_kept_and_counted(
    tmp_path: Path, alien: tuple[Path, SegmentWriter], place: int, octet: int
) -> None:
    folder, segment = alien
    start = frame_start(bytes(segment.map))
    body = bytearray(segment.map[start : start + 52])
    body[place] = octet
    segment.map[start : start + 56] = with_crc(bytes(body), segment.seed)
    left, last, damaged, quarantined = read(folder)
    assert (left, last, damaged, quarantined) == ([], 1, 0, 1)
    assert lane(tmp_path).waiting(after=0) == 1


def test_a_tick_with_a_field_of_later_code_is_kept_and_counted(alien: tuple[Path, SegmentWriter]) -> None:
    folder, segment = alien
    start = frame_start(bytes(segment.map))
    body = bytearray(segment.map[start : start + 52])
    body[36:40] = (1 << 20).to_bytes(4, "little")
    segment.map[start : start + 56] = with_crc(bytes(body), segment.seed)
    assert read(folder)[3] == 1


def test_a_segment_of_a_later_format_is_kept_whole(tmp_path: Path) -> None:
    found, _ = small_lane(tmp_path, sealed=True)
    (path,) = found.segments()
    data = path.read_bytes()
    later = bytearray(data[: HEADER_SIZE - 4])
    later[8] = FORMAT_VERSION + 1
    head = with_crc(bytes(later), 0)
    assert unpack_header(head) is not None
    path.write_bytes(head + data[HEADER_SIZE:])
    left, last, damaged, quarantined = read(found.folder)
    assert (left, last, damaged, quarantined) == ([], TICKS_COUNT, 0, TICKS_COUNT)
    assert Lane(found.folder, "desk", TICKS).remove_kept(before_ns=2**62, through=100) == 0
    assert path.exists()


def test_the_golden_segments_of_format_1_read_as_they_were_written(tmp_path: Path) -> None:
    shutil.copytree(GOLDEN, tmp_path / "spool")
    fresh = tmp_path / "fresh"
    fill(fresh)
    for name in ("ticks", "indicators", "position_snapshots", "executions"):
        source = "ledger" if name == "executions" else "golden, & co"
        old, new = (stored(root, name, source) for root in (tmp_path, fresh))
        assert old == new
        assert len(old) > 1


def test_the_golden_ticks_are_these(tmp_path: Path) -> None:
    shutil.copytree(GOLDEN, tmp_path / "spool")
    first, second, third, *_ = stored(tmp_path, "ticks", "golden, & co")
    assert first == {
        "account": "main",
        "source": "golden, & co",
        "symbol": "RELIANCE",
        "sequence": 1,
        "time": OPEN_NS,
        "exchange_time": OPEN_NS,
        "kind": "price",
        "close": 2450.05,
        "day_volume": 100.0,
    }
    assert (second["time"], second["exchange_time"]) == (OPEN_NS + 1, OPEN_NS)
    assert third["kind"] == "bar"
    assert (third["open"], third["high"], third["low"], third["close"]) == (10.0, 12.5, 9.5, 11.0)
