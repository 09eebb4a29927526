"""The embedded store under several processes at once, some of them killed."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.timeseries.batches import INDIA
from tests.timeseries.delta_workers import ROWS, slice_of
from tests.waiting import PATIENCE_SECONDS
from timeseries.measurements import TICKS
from timeseries.stores.base import PointQuery
from timeseries.stores.delta.store import DeltaStore

EVERYTHING = PointQuery(TICKS, 0, 2**62)


class Worker:
    """A process and the lines it has said so far."""

    def __init__(self, *arguments: object, module: str = "tests.timeseries.delta_workers") -> None:
        command = [sys.executable, "-m", module, *map(str, arguments)]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.lines: list[str] = []
        self.ear = threading.Thread(target=self._listen)
        self.ear.start()

    def _listen(self) -> None:
        assert self.process.stdout
        for line in self.process.stdout:
            self.lines.append(line.strip())

    def said(self, number: int, seconds: float = PATIENCE_SECONDS) -> list[str]:
        deadline = time.monotonic() + seconds
        while len(self.lines) < number and self.process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.005)
        return list(self.lines)

    def end(self, *, kill: bool = True) -> str:
        if kill:
            self.process.kill()
        _, errors = self.process.communicate() if self.ear.join() is None else ("", "")
        return errors


@contextmanager
def workers() -> Iterator[list[Worker]]:
    running: list[Worker] = []
    try:
        yield running
    finally:
        for worker in running:
            worker.end()


def log_of(folder: Path) -> list[dict]:
    lines = [
        line
        for file in sorted((folder / "ticks" / "_delta_log").glob("*.json"))
        for line in file.read_text().splitlines()
    ]
    return [json.loads(line) for line in lines]


def expected(source: str, slices: int) -> dict[tuple[str, int], float]:
    points = {}
    for number in range(slices):
        one = slice_of(source, number)
        points |= {(source, int(t)): float(c) for t, c in zip(one.time, one.columns["close"], strict=True)}
    return points


def stored(store: DeltaStore) -> dict[tuple[str, int], float]:
    table = store.read(EVERYTHING)
    keys = list(zip(table["source"].to_pylist(), table["time"].to_pylist(), strict=True))
    assert len(keys) == len(set(keys)), "a point came back twice"
    return dict(zip(keys, table["close"].to_pylist(), strict=True))


def test_of_two_shippers_racing_with_one_lane_each_slice_is_committed_once(tmp_path: Path) -> None:
    slices = 25
    with workers() as running:
        running += [Worker("write", tmp_path, "default", 0, slices) for _ in range(2)]
        for worker in running:
            assert len(worker.said(slices)) == slices, worker.end()
    versions = [action["txn"]["version"] for action in log_of(tmp_path) if "txn" in action]
    assert versions == [(number + 1) * ROWS for number in range(slices)]
    assert stored(DeltaStore(tmp_path, zone=INDIA)) == expected("default", slices)


def test_writers_of_different_lanes_do_not_hinder_each_other(tmp_path: Path) -> None:
    sources = ["one", "two/ticks", "तीन"]
    with workers() as running:
        running += [Worker("write", tmp_path, source, 0, 10) for source in sources]
        for worker in running:
            assert len(worker.said(10)) == 10, worker.end()
    everything = expected("one", 10) | expected("two/ticks", 10) | expected("तीन", 10)
    assert stored(DeltaStore(tmp_path, zone=INDIA)) == everything


@pytest.mark.chaos
def test_kills_of_writers_and_compactors_lose_nothing_and_readers_see_no_wrong_moment(tmp_path: Path) -> None:
    chance = random.Random(20210412)
    acknowledged = {"one": 0, "two": 0}
    store = DeltaStore(tmp_path, zone=INDIA)
    readings = 0
    for _ in range(4):
        with workers() as running:
            writers = {
                source: Worker("write", tmp_path, source, done, done + 10_000) for source, done in acknowledged.items()
            }
            running += [*writers.values(), Worker("care", tmp_path)]
            for writer in writers.values():
                writer.said(chance.randint(1, 6))
            until = time.monotonic() + chance.uniform(0.3, 1.0)
            while time.monotonic() < until:
                before = {source: done + len(writers[source].lines) for source, done in acknowledged.items()}
                found = stored(store)
                for source, done in before.items():
                    assert_prefix(found, source, done)
                readings += 1
        acknowledged = {source: done + len(writers[source].lines) for source, done in acknowledged.items()}
    assert min(acknowledged.values()) >= 5 and readings >= 5
    found = stored(DeltaStore(tmp_path, zone=INDIA))
    for source, done in acknowledged.items():
        assert_prefix(found, source, done)


def assert_prefix(found: dict[tuple[str, int], float], source: str, slices: int) -> None:
    """What was acknowledged is there with its last price; beyond it at most slices that were on their way."""
    sure = expected(source, slices)
    mine = {key: close for key, close in found.items() if key[0] == source}
    assert sure.keys() <= mine.keys()
    more = len(mine.keys() - sure.keys())
    later = expected(source, slices + -(-more // ROWS) + 1) if more else sure
    assert mine.keys() <= later.keys()
    assert all(close in (sure.get(key), later[key]) for key, close in mine.items())


def test_a_forked_child_is_told_that_the_store_is_unavailable(tmp_path: Path) -> None:
    worker = Worker("fork", tmp_path)
    assert worker.said(4)[:3] == ["StoreUnavailable store_unavailable"] * 3, worker.end()
    assert "panicked" not in worker.end(kill=False)
    assert worker.lines[3] == str(ROWS)
