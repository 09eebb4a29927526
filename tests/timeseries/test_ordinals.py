"""n of `time = exchange_time + n`: in order of arrival, across restarts, and never a point over another."""

from __future__ import annotations

import random
import shutil
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.timeseries.spools import OPEN_NS, lane, recorder, stored
from timeseries.errors import StoreUnavailable
from timeseries.spool import ordinals

SECOND = 10**9


def offsets(root: Path) -> list[int]:
    return [point["time"] - point["exchange_time"] for point in stored(root)]


def test_ticks_of_one_instant_stand_behind_one_another(tmp_path: Path) -> None:
    desk = recorder(tmp_path)
    for symbol, second in [("A", 0), ("A", 0), ("B", 0), ("A", 5), ("A", 0), ("A", 5), ("B", 0)]:
        desk.tick(symbol, {"ltp": 1}, OPEN_NS + second * SECOND)
    assert offsets(tmp_path) == [0, 1, 0, 0, 2, 1, 1]
    desk.close()


def test_n_goes_on_after_a_restart(tmp_path: Path) -> None:
    for _ in range(3):
        desk = recorder(tmp_path)
        desk.tick("A", {"ltp": 1}, OPEN_NS)
        desk.tick("A", {"ltp": 1}, OPEN_NS)
        desk.tick("A", {"ltp": 1}, OPEN_NS - SECOND)
        desk.close()
    assert offsets(tmp_path) == [0, 1, 0, 2, 3, 1, 4, 5, 2]


def test_a_replay_meets_its_own_points(tmp_path: Path) -> None:
    instants = [OPEN_NS + second * SECOND for second in (0, 0, 3, 1, 3, 3, 0)]
    times = []
    for _ in range(2):
        desk = recorder(tmp_path, ordinals="restart", segment_bytes=4096)
        for instant in instants:
            desk.tick("A", {"ltp": 1}, instant)
        desk.close()
        times.append([point["time"] for point in stored(tmp_path)][-len(instants) :])
    assert times[0] == times[1]
    assert len(set(times[0])) == len(instants)


def test_a_point_in_the_nanosecond_of_another_is_moved_behind_it(tmp_path: Path) -> None:
    desk = recorder(tmp_path)
    for instant in (0, 0, 1, 0, 2, 1, 0, 5):
        desk.tick("A", {"ltp": 1}, OPEN_NS + instant)
    times = [point["time"] for point in stored(tmp_path)]
    assert len(set(times)) == 8
    desk.close()
    desk = recorder(tmp_path)
    for instant in (0, 1, 2, 3, 4, 5, 6, 7, 8):
        desk.tick("A", {"ltp": 1}, OPEN_NS + instant)
    times = [point["time"] for point in stored(tmp_path)]
    assert len(set(times)) == 17
    desk.close()


@pytest.fixture
def forgetful(monkeypatch: pytest.MonkeyPatch) -> None:
    """Remember next to nothing: what is asked for comes from the segments."""
    monkeypatch.setattr(ordinals, "INSTANTS_MAX", 5)
    monkeypatch.setattr(ordinals, "SEGMENTS_KEPT", 1)


@pytest.mark.parametrize("mode", ["continue", "restart"])
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.usefixtures("forgetful")
def test_what_is_forgotten_is_found_in_the_segments(tmp_path: Path, mode: str, seed: int) -> None:
    chance = random.Random(seed)
    expected: Counter[tuple[str, int]] = Counter()
    for _ in range(3):
        desk = recorder(tmp_path, ordinals=mode, segment_bytes=2048)
        if mode == "restart":
            expected.clear()
        before = len(offsets(tmp_path)) if lane(tmp_path).folder.exists() else 0
        wanted = []
        for step in range(150):
            key = (chance.choice("AB"), OPEN_NS + (step // 10 - chance.randrange(12)) * SECOND)
            desk.tick(key[0], {"ltp": 1}, key[1])
            wanted.append(expected[key])
            expected[key] += 1
        assert offsets(tmp_path)[before:] == wanted
        desk.close()


def test_columns_count_as_single_ticks_do(tmp_path: Path) -> None:
    chance = random.Random(5)
    instants = [OPEN_NS + chance.randrange(40) * SECOND for _ in range(400)]
    for name, columns in (("single", False), ("columns", True)):
        desk = recorder(tmp_path / name, segment_bytes=4096)
        for part in range(0, 400, 80):
            some = instants[part : part + 80]
            if columns:
                desk.ticks({"ltp": [1.0] * len(some), "timestamp": some}, symbol="A")
            else:
                for instant in some:
                    desk.tick("A", {"ltp": 1.0}, instant)
        desk.close()
    assert offsets(tmp_path / "single") == offsets(tmp_path / "columns")


@pytest.mark.parametrize("limit", [10**6, 500])
def test_instants_that_came_many_at_once_are_remembered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: int
) -> None:
    monkeypatch.setattr(ordinals, "INSTANTS_MAX", limit)
    desk = recorder(tmp_path, segment_bytes=16_384)
    expected: Counter[int] = Counter()
    wanted = []
    for first in range(0, 3000, 600):
        times = list(range(OPEN_NS + first * SECOND, OPEN_NS + (first + 600) * SECOND, SECOND))
        assert desk.ticks({"ltp": [1.0] * 600, "timestamp": times}, symbol="A").accepted == 600
        late = [OPEN_NS + (first - 300 + step * 40) * SECOND + step % 2 * 500 for step in range(20)]
        for instant in [*late, *late]:
            desk.tick("A", {"ltp": 1.0}, instant)
        for instant in [*times, *late, *late]:
            wanted.append(expected[instant])
            expected[instant] += 1
    assert offsets(tmp_path) == wanted
    desk.close()


def test_two_spellings_of_a_symbol_in_one_call_share_its_nanoseconds(tmp_path: Path) -> None:
    """One in one code point, one in two: both name one series."""
    desk, count = recorder(tmp_path), 20
    times = [OPEN_NS + number // 2 * SECOND for number in range(count)]
    names = ["\u00e9" if number % 2 else "e\u0301" for number in range(count)]
    assert desk.ticks({"symbol": names, "ltp": [1.0] * count, "timestamp": times}).accepted == count
    desk.close()
    assert {point["symbol"] for point in stored(tmp_path)} == {"\u00e9"}
    assert sorted(offsets(tmp_path)) == [0] * (count // 2) + [1] * (count // 2)


@pytest.fixture
def removed(tmp_path: Path) -> Iterator[Path]:
    """A lane whose segments were shipped and removed."""
    desk = recorder(tmp_path)
    for _ in range(3):
        desk.tick("A", {"ltp": 1}, OPEN_NS)
    desk.close()
    found = lane(tmp_path)
    assert found.remove_kept(before_ns=2**62, through=found.issued()) == 1
    yield tmp_path


def test_the_store_is_asked_only_for_what_was_removed(removed: Path) -> None:
    asked: list[Any] = []

    def history(measurement: Any, tags: Any, instant: int) -> int:
        asked.append((measurement.name, dict(tags), instant))
        return 3

    desk = recorder(removed, history=history)
    desk.tick("A", {"ltp": 1}, OPEN_NS + 60 * SECOND)
    assert asked == []
    desk.tick("A", {"ltp": 1}, OPEN_NS)
    desk.tick("A", {"ltp": 1}, OPEN_NS)
    assert asked == [("ticks", {"account": "main", "source": "desk", "symbol": "A"}, OPEN_NS)]
    assert offsets(removed) == [0, 3, 4]
    desk.close()


def test_a_store_that_cannot_tell_is_a_storage_fault_and_nothing_is_overwritten(removed: Path) -> None:
    def history(*_: Any) -> int:
        raise StoreUnavailable("The store is down.")

    desk = recorder(removed, history=history)
    assert desk.tick("A", {"ltp": 1}, OPEN_NS) is False
    assert desk.tick("A", {"ltp": 1}, OPEN_NS + 60 * SECOND) is True
    assert desk.ticks({"ltp": [1.0], "timestamp": [OPEN_NS]}, symbol="A").rejected[0][1] == "store_unavailable"
    assert desk.tick("A", {"ltp": 1}, OPEN_NS) is False  # the fast way, too
    assert desk.faults == {"store_unavailable": 3}
    assert len(stored(removed)) == 1
    desk.close()


def test_an_instant_in_the_midst_of_a_long_run_costs_one_search(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    count = 20_000
    desk = recorder(tmp_path, segment_bytes=65_536)
    assert desk.ticks({"ltp": [1.0] * count, "timestamp": [OPEN_NS] * count}, symbol="A").accepted == count
    desk.close()
    looked: list[int] = []
    real = ordinals.Ordinals._points
    monkeypatch.setattr(ordinals.Ordinals, "_points", lambda *at: (looked.append(at[2]), real(*at))[1])
    desk = recorder(tmp_path)
    assert desk.tick("A", {"ltp": 2.0}, OPEN_NS + 1)
    assert len(looked) < 10
    assert desk.tick("A", {"ltp": 3.0}, OPEN_NS)
    assert desk.tick("A", {"ltp": 4.0}, OPEN_NS + 1)
    assert desk.tick("A", {"ltp": 5.0}, OPEN_NS + count // 2)
    assert len(looked) < 30
    desk.close()
    times = [point["time"] for point in stored(tmp_path)][-4:]
    assert times == [OPEN_NS + count + number for number in range(4)]


def test_a_killed_recorders_long_run_is_passed_over_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ordinals, "MARGIN_NS", 10)
    desk = recorder(tmp_path / "living")
    for _ in range(50):
        desk.tick("A", {"ltp": 1.0}, OPEN_NS)
    shutil.copytree(tmp_path / "living", tmp_path / "killed")
    desk.close()
    desk = recorder(tmp_path / "killed")
    for _ in range(2):
        assert desk.tick("A", {"ltp": 2.0}, OPEN_NS + 1)
    desk.close()
    assert offsets(tmp_path / "killed") == [*range(50), 49, 50]


@pytest.mark.parametrize("mode", ["memory", "blocks", "segments", "both"])
@pytest.mark.parametrize("seed", range(3))
def test_no_point_ever_takes_the_nanosecond_of_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: str, seed: int
) -> None:
    monkeypatch.setattr(ordinals, "WIDTHS", (2, 16))
    if mode == "both":
        monkeypatch.setattr(ordinals, "INSTANTS_MAX", 50)
    chance, number = random.Random(seed), 0
    expected: list[int] = []
    taken: set[int] = set()
    newest_of: dict[int, int] = {}
    desk = recorder(tmp_path, segment_bytes=2048)
    for step in range(60):
        if (mode == "segments" and step % 7 == 0) or (mode == "both" and step % 20 == 0):
            desk.close()
            desk = recorder(tmp_path, segment_bytes=2048)
        size = 300 if mode == "blocks" and step % 20 == 0 else 1
        base = chance.choice((0, 1, 2, 3, 7, 40, 41)) if size == 1 else step * 1000
        for instant in range(base, base + size):
            time = newest_of.get(instant, instant)
            while time in taken:
                time += 1
            taken.add(time)
            expected.append(OPEN_NS + time)
            newest_of[instant] = time + 1
        columns = {"ltp": [1.0] * size, "timestamp": [OPEN_NS + n for n in range(base, base + size)]}
        assert desk.ticks(columns, symbol="A").accepted == size
        number += size
    desk.close()
    assert [point["time"] for point in stored(tmp_path)] == expected
    assert len(set(expected)) == number
