"""Marks beside a lane: what was written of whose input, after any kill and after a power loss."""

from __future__ import annotations

from pathlib import Path

import pytest

from timeseries.spool import marks as marking
from timeseries.spool.counter import CounterMap
from timeseries.spool.marks import BatchProgress, LaneMarks, RowMark


def mark(
    position: int = 0, rows: int = 10, *, stream: str = "s", batch: int = 1, refused: tuple[int, ...] = ()
) -> RowMark:
    rejected = tuple((place, "invalid_value", "ltp") for place in refused)
    return RowMark(stream, batch, position, rows, rows - len(refused), rejected)


def test_what_the_lane_issued_behind_a_mark_tells_how_many_rows_need_not_come_again(tmp_path: Path) -> None:
    LaneMarks(tmp_path, issued=7).add(mark(refused=(0, 3)), sequence=7)
    for issued, rows in ((7, 0), (8, 2), (9, 3), (10, 5), (14, 9), (15, 10), (99, 10)):
        done = LaneMarks(tmp_path, issued=issued).progress("s", 1, issued=issued)
        assert done is not None and (done.rows, done.accepted) == (rows, min(issued - 7, 8)), issued
        (tmp_path / marking.NAME).unlink()
        LaneMarks(tmp_path, issued=7).add(mark(refused=(0, 3)), sequence=7)


def test_records_that_others_put_behind_an_unfinished_mark_are_not_its(tmp_path: Path) -> None:
    LaneMarks(tmp_path, issued=0).add(mark(), sequence=0)
    reopened = LaneMarks(tmp_path, issued=4)  # killed after four of ten
    assert reopened.progress("s", 1, issued=4) == BatchProgress(4, 4)
    reopened.close()
    later = LaneMarks(tmp_path, issued=50)  # a recorder without marks was there in between
    assert later.progress("s", 1, issued=50) == BatchProgress(4, 4)
    later.add(mark(4, 6), sequence=50)
    assert later.progress("s", 1, issued=56) == BatchProgress(10, 10)
    assert LaneMarks(tmp_path, issued=53).progress("s", 1, issued=53) == BatchProgress(7, 7)


def test_marks_behind_what_a_power_loss_left_are_void(tmp_path: Path) -> None:
    first = LaneMarks(tmp_path, issued=0)
    first.add(mark(0, 10), sequence=0)
    first.add(mark(10, 10), sequence=10)
    first.add(mark(0, 5, batch=2), sequence=20)
    first.close()
    after = LaneMarks(tmp_path, issued=13)
    assert (after.newest("s"), after.progress("s", 1, issued=13)) == (1, BatchProgress(13, 13))
    after.add(mark(13, 7), sequence=13)
    after.close()
    assert LaneMarks(tmp_path, issued=20).progress("s", 1, issued=20) == BatchProgress(20, 20)


def test_a_batch_that_has_ended_keeps_its_answer_and_the_last_sixteen_are_known(tmp_path: Path) -> None:
    marks = LaneMarks(tmp_path, issued=0)
    for batch in range(20):
        marks.add(mark(batch=batch, rows=3), sequence=3 * batch)
        marks.add(RowMark("s", batch, 3, answer=f"answer {batch}"), sequence=3 * batch + 3)
    for each in (marks, LaneMarks(tmp_path, issued=60)):
        assert each.newest("s") == 19
        assert [each.progress("s", batch, issued=60) is None for batch in range(20)] == [True] * 3 + [False] * 17
        assert each.progress("s", 5, issued=60) == BatchProgress(3, 3, (), "answer 5")
    assert marks.newest("other") is None and marks.progress("other", 1, issued=60) is None


def test_streams_take_turns_in_one_lane(tmp_path: Path) -> None:
    marks = LaneMarks(tmp_path, issued=0)
    marks.add(mark(stream="a"), sequence=0)
    marks.add(mark(stream="b", batch=4), sequence=10)
    for each in (marks, LaneMarks(tmp_path, issued=12)):
        assert each.progress("a", 1, issued=12) == BatchProgress(10, 10)
        assert each.progress("b", 4, issued=12) == BatchProgress(2, 2)


@pytest.mark.parametrize("cut", [1, 9, 20])
def test_a_line_that_was_not_written_to_its_end_is_no_mark_and_spoils_no_other(tmp_path: Path, cut: int) -> None:
    marks = LaneMarks(tmp_path, issued=0)
    marks.add(mark(0, 10), sequence=0)
    whole = (tmp_path / marking.NAME).read_bytes()
    marks.add(mark(10, 10), sequence=10)
    path = tmp_path / marking.NAME
    path.write_bytes(path.read_bytes()[: len(whole) + cut])
    after = LaneMarks(tmp_path, issued=10)
    assert after.progress("s", 1, issued=10) == BatchProgress(10, 10)
    after.add(mark(10, 10), sequence=10)
    assert LaneMarks(tmp_path, issued=20).progress("s", 1, issued=20) == BatchProgress(20, 20)


def test_a_disk_that_fills_up_in_the_midst_of_a_line_spoils_no_later_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    marks = LaneMarks(tmp_path, issued=0)
    marks.add(mark(0, 10), sequence=0)
    write_all = marking.durable.write_all

    def half(descriptor: int, content: bytes) -> None:
        write_all(descriptor, content[: len(content) // 2])
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch, pytest.raises(OSError):
        patch.setattr(marking.durable, "write_all", half)
        marks.add(mark(10, 10), sequence=10)
    assert marks.progress("s", 1, issued=10) == BatchProgress(10, 10)
    marks.add(mark(10, 5), sequence=10)
    assert LaneMarks(tmp_path, issued=15).progress("s", 1, issued=15) == BatchProgress(15, 15)


def test_the_file_is_written_anew_and_says_the_same_also_after_a_power_loss(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(marking, "FILE_BYTES", 2000)
    marks, counter = LaneMarks(tmp_path, issued=0), CounterMap(tmp_path)
    sizes = []
    for number in range(500):
        marks.add(mark(10 * number, 10, refused=(10 * number + 4,)), sequence=9 * number)
        if number == 200:
            marks.add(mark(0, 1, stream="other", refused=(0,)), sequence=9 * 201)
            counter.synced(9 * 400)
        sizes.append((tmp_path / marking.NAME).stat().st_size)
    assert max(sizes[:100]) > 2000 and sizes[-1] < 2 * max(sizes[:400])
    counter.close()
    for issued in (9 * 500, 9 * 450 + 3, 9 * 401):
        after = LaneMarks(tmp_path, issued=issued)
        done = after.progress("s", 1, issued=issued)
        assert done is not None and done.accepted == issued, issued
        assert [place for place, _, _ in done.rejected] == [10 * n + 4 for n in range(500) if 10 * n + 4 < done.rows]
        assert after.progress("other", 1, issued=issued) == BatchProgress(1, 0, ((0, "invalid_value", "ltp"),))


def test_what_takes_too_much_room_is_forgotten_the_oldest_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(marking, "FILE_BYTES", 2000)
    monkeypatch.setattr(marking, "BYTES_KEPT", 2000)
    marks, counter = LaneMarks(tmp_path, issued=0), CounterMap(tmp_path)
    for number in range(300):
        counter.synced(number)
        marks.add(mark(0, 1, stream=f"s{number}"), sequence=number)
    counter.close()
    for each in (marks, LaneMarks(tmp_path, issued=300)):
        assert each.newest("s0") is None and each.newest("s299") == 1
    assert (tmp_path / marking.NAME).stat().st_size < 8000
