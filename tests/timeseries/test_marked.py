"""Batches that come again: each row is recorded once, wherever the process was killed the first time."""

from __future__ import annotations

import os
import random
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.timeseries.spools import NOW, recorder, stored
from timeseries.errors import SpoolFull
from timeseries.measurements import INDICATORS, TICKS
from timeseries.recording import writer
from timeseries.recording.marked import MarkedStream, Marker
from timeseries.recording.recorder import Recorder
from timeseries.spool.marks import BatchProgress

ROWS = 10_000  # three slices of the columns' way


def columns(count: int = ROWS, *, bad: tuple[int, ...] = ()) -> dict[str, Any]:
    prices = np.arange(1.0, count + 1)
    prices[list(bad)] = -1.0
    return {"symbol": ["TCS"] * count, "ltp": prices, "timestamp": np.arange(NOW - count, NOW, dtype=np.int64)}


def as_rows(given: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the columns as dicts of two shapes, which the row by row way takes."""
    rows = [dict(zip(given, cells, strict=True)) for cells in zip(*given.values(), strict=True)]
    return [row | ({"volume": 1} if number % 2 else {}) for number, row in enumerate(rows)]


def send(dm: Recorder, given: Any, *, batch: int = 1) -> BatchProgress:
    """Send what is left of a batch, as a client does that sends all of it again."""
    stream = MarkedStream(dm, TICKS, "s")
    done = stream.progress(batch) or BatchProgress()
    rest = (
        given[done.rows :] if isinstance(given, list) else {name: cells[done.rows :] for name, cells in given.items()}
    )
    if len(rest if isinstance(rest, list) else rest["ltp"]):
        dm.ticks(rest, marker=Marker("s", batch, done.rows))
    progress = stream.progress(batch)
    assert progress is not None
    return progress


def prices(root: Path) -> list[float]:
    return [point["close"] for point in stored(root)]


def in_a_process_that_is_killed(root: Path, given: Any, *, after: int) -> None:
    """Send a batch in a process that ends in the midst of a write, once so many frames are there."""
    child = os.fork()
    if not child:
        put, written = writer.LaneWriter.put, 0

        def dying(self: writer.LaneWriter, frame: bytes, count: int = 1) -> None:
            nonlocal written
            if written + count > after:
                part = len(frame) // count * (after - written)
                assert self.segment is not None
                self.segment.map[self.segment.position : self.segment.position + part] = frame[:part]
                os._exit(0)
            put(self, frame, count)
            written += count

        writer.LaneWriter.put = dying  # type: ignore[method-assign]
        try:
            send(recorder(root), given)
        finally:
            os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


@pytest.mark.parametrize("copied", [slice(32, None), slice(32, -300), slice(0, 0)])
def test_of_frames_that_a_killed_process_copied_without_the_first_ones_head_none_is_there(
    tmp_path: Path, copied: slice
) -> None:
    """memcpy may store the first bytes last: what was copied behind them is whole, and was issued to nobody."""
    given = columns(3000)
    with closing(recorder(tmp_path)) as dm:
        send(dm, columns(10), batch=0)
    child = os.fork()
    if not child:

        def dying(self: writer.LaneWriter, frame: bytes, _: int = 1) -> None:
            assert self.segment is not None
            place = range(self.segment.position, self.segment.position + len(frame))[copied]
            self.segment.map[place.start : place.stop] = frame[copied]
            os._exit(0)

        writer.LaneWriter.put = dying  # type: ignore[method-assign]
        try:
            send(recorder(tmp_path), given)
        finally:
            os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    with closing(recorder(tmp_path)) as dm:
        assert send(dm, given) == BatchProgress(3000, 3000)
    assert prices(tmp_path) == [*columns(10)["ltp"], *given["ltp"]]


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("way", ["columns", "rows"])
def test_a_batch_that_was_killed_in_the_midst_and_comes_again_is_there_once(
    tmp_path: Path, seed: int, way: str
) -> None:
    random.seed(f"{seed} {way}")
    count = ROWS if way == "columns" else 300
    bad = tuple(sorted(random.sample(range(count), 20)))
    given: Any = columns(count, bad=bad)
    given = given if way == "columns" else as_rows(given)
    for _ in range(2):  # in the midst of the first slice, of a later one, or of the second attempt
        in_a_process_that_is_killed(tmp_path, given, after=random.randrange((count - 20) // 2))
    with_marks = recorder(tmp_path)
    for _ in range(2):
        done = send(with_marks, given)
        assert (done.rows, done.accepted, [row[0] for row in done.rejected]) == (count, count - 20, list(bad))
        assert {row[1:] for row in done.rejected} == {("price_not_positive", "ltp")}
    with_marks.close()
    assert prices(tmp_path) == [number + 1.0 for number in range(count) if number not in bad]


def test_ticks_of_others_between_a_batch_and_its_repeat_are_not_taken_for_its(tmp_path: Path) -> None:
    in_a_process_that_is_killed(tmp_path, columns(100), after=40)
    other = recorder(tmp_path)
    other.ticks([{"symbol": "INFY", "ltp": 7.0}] * 30)
    assert send(other, columns(100)) == BatchProgress(100, 100)
    other.ticks([{"symbol": "INFY", "ltp": 7.0}] * 30)
    other.close()
    assert prices(tmp_path).count(41.0) == 1
    assert len(prices(tmp_path)) == 160


def test_a_batch_whose_rows_are_all_refused_is_done(tmp_path: Path) -> None:
    dm = recorder(tmp_path)
    for batch, given in ((1, columns(50, bad=tuple(range(50)))), (2, [{"ltp": 5.0}, {"symbol": "TCS"}, "no tick"])):
        done = send(dm, given, batch=batch)
        assert (done.accepted, len(done.rejected)) == (0, done.rows), batch
    dm.close()
    assert stored(tmp_path) == []


def test_where_the_spool_is_full_the_rest_comes_when_there_is_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dm = recorder(tmp_path, on_storage_fault="raise", segment_bytes=64 << 10)
    with monkeypatch.context() as patch:
        segments = []

        def claim(self: Any, size: int) -> None:
            segments.append(size)
            if len(segments) > 2:
                raise SpoolFull("The spool is full.")

        patch.setattr(writer.Room, "claim", claim)
        with pytest.raises(SpoolFull):
            dm.ticks(columns(), marker=Marker("s", 1))
    done = MarkedStream(dm, TICKS, "s").progress(1)
    assert done is not None and 0 < done.accepted < ROWS and done.rows == done.accepted
    monkeypatch.setattr(writer.Patience, "check", lambda _: None)
    assert send(dm, columns()) == BatchProgress(ROWS, ROWS)
    dm.close()
    assert prices(tmp_path) == [number + 1.0 for number in range(ROWS)]


def test_a_batch_that_ended_keeps_its_answer(tmp_path: Path) -> None:
    dm = recorder(tmp_path)
    send(dm, columns(10))
    MarkedStream(dm, TICKS, "s").end(1, 10, "kept")
    dm.close()
    again = MarkedStream(recorder(tmp_path), TICKS, "s")
    assert again.newest() == 1
    assert again.progress(1) == BatchProgress(10, 10, (), "kept")
    assert MarkedStream(again.recorder, INDICATORS, "s").newest() is None
