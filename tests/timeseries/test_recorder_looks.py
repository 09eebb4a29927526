"""What a recorder looks at about once a second: whether its files are there, and who else should live beside it."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.timeseries.spools import NOW, OPEN_NS, lane, recorder, stored
from timeseries.recording import writer
from timeseries.recording.recorder import Recorder
from timeseries.spool.folder import Spool

SECOND = 10**9


class Clock:
    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> int:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def _empty(spool: Path) -> None:
    for path in spool.iterdir():
        shutil.rmtree(path)


def _remove(spool: Path) -> None:
    shutil.rmtree(spool)


def _replace(spool: Path) -> None:
    """Put a copy in the folder's place: everything has its name and its bytes."""
    shutil.copytree(spool, spool.with_name("copy"))
    spool.rename(spool.with_name("former"))
    spool.with_name("copy").rename(spool)


def _remove_segment(spool: Path) -> None:
    next(spool.rglob("*.seg")).unlink()


def _remove_lock(spool: Path) -> None:
    (spool / "desk" / "lock").unlink()


@pytest.mark.parametrize("away", [_empty, _remove, _replace, _remove_segment, _remove_lock])
def test_files_that_are_removed_under_a_recorder_are_missed_within_a_second_or_two(
    tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch, away: Callable[[Path], None]
) -> None:
    monkeypatch.setattr(writer, "PATIENCE_NS_MAX", SECOND // 2)
    desk = recorder(tmp_path, clock=clock)
    for number in range(10):
        assert desk.tick("A", {"ltp": 1 + number}, OPEN_NS + number)
    away(tmp_path / "spool")
    clock.now += 2 * SECOND
    began = time.monotonic()
    assert not desk.tick("A", {"ltp": 11}, OPEN_NS + 10)
    refused = 1
    while not desk.tick("A", {"ltp": 777}, OPEN_NS + 11):
        refused += 1
        assert time.monotonic() - began < 60
    assert time.monotonic() - began > 0.5  # whoever removes them may be at it still
    assert desk.faults == {"spool_removed": refused}
    assert desk.tick("A", {"ltp": 778}, OPEN_NS + 12)  # by itself, without a restart
    assert lane(tmp_path).removed() == 10 + refused
    assert lane(tmp_path).refused()[:2] == (0, 0)
    desk.close()
    assert [point["close"] for point in stored(tmp_path)][-2:] == [777, 778]
    assert Spool(tmp_path / "spool").holder("desk") is None


CALLS: dict[str, Callable[[Recorder], bool]] = {
    "tick": lambda desk: desk.tick("A", {"ltp": 1}, OPEN_NS),
    "ticks": lambda desk: desk.ticks({"ltp": [1.0], "timestamp": [OPEN_NS]}, symbol="A").accepted == 1,
    "indicators": lambda desk: desk.indicators("A", {"ema": 1}, at=OPEN_NS),
    "snapshot": lambda desk: desk.snapshot("S", "A", 1, 1, None, None, at=OPEN_NS),
}


@pytest.mark.parametrize("kind", CALLS)
def test_every_kind_of_record_looks(tmp_path: Path, clock: Clock, kind: str) -> None:
    looks: list[int] = []
    desk = recorder(tmp_path, clock=clock, look_after=lambda: looks.append(clock.now))
    for _ in range(3):
        assert CALLS[kind](desk)
    assert looks == [NOW]
    clock.now += 2 * SECOND
    for _ in range(3):
        assert CALLS[kind](desk)
    assert looks == [NOW, NOW + 2 * SECOND]
    clock.now -= 3600 * SECOND  # set back: an hour without a look would be long
    for _ in range(3):
        assert CALLS[kind](desk)
    assert looks == [NOW, NOW + 2 * SECOND, NOW - 3598 * SECOND]
    _empty(tmp_path / "spool")
    clock.now += 2 * SECOND
    assert not CALLS[kind](desk)
    assert desk.faults == {"spool_removed": 1}
    desk.close()


def test_two_recorders_of_a_process_go_on_together_in_the_new_folder(
    tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "PATIENCE_NS_MAX", 0)
    first, second = recorder(tmp_path, clock=clock), recorder(tmp_path, clock=clock, account="paper")
    for desk in (first, second):
        assert desk.tick("A", {"ltp": 1}, OPEN_NS)
    _empty(tmp_path / "spool")
    clock.now += 2 * SECOND
    assert not first.tick("A", {"ltp": 2}, OPEN_NS)
    for desk in (second, first, second):
        assert desk.tick("A", {"ltp": 3}, OPEN_NS)
    first.close()
    second.close()
    assert [point["account"] for point in stored(tmp_path)] == ["paper", "main", "paper"]
    assert lane(tmp_path).removed() == 3
