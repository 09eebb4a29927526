"""How long calls took: counted by every process by itself, added up over all, and kept when one is killed."""

from __future__ import annotations

import multiprocessing
import os
import shutil
import signal
import threading
import time
from functools import partial
from pathlib import Path

import pytest

from tests.waiting import until
from timeseries.spool import latencies
from timeseries.spool.latencies import BOUNDS_SECONDS, BUCKETS, LatencyCounts, total_counts

NONE = [0] * (BUCKETS + 1)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "latencies"


def calls(folder: Path, kind: str) -> int:
    return sum(total_counts(folder)[kind][:BUCKETS])


def has_pages(folder: Path, total: int) -> bool:
    return calls(folder, "page") == total


def count_until_killed(folder: Path, times: int) -> None:
    counts = LatencyCounts(folder)
    for _ in range(times):
        counts.observe("page", 0.002)
    time.sleep(600)


def test_a_call_stands_in_the_bucket_of_its_bound_and_beyond_the_last_in_one_of_its_own(folder: Path) -> None:
    counts = LatencyCounts(folder)
    for seconds in (0.0, 0.001, 0.0011, 30.0, 31.0):
        counts.observe("page", seconds)
    words = total_counts(folder)["page"]
    assert words[:BUCKETS] == [2, 1, *[0] * (BUCKETS - 4), 1, 1]
    assert words[-1] == pytest.approx(61.0021 * 1e9)
    assert total_counts(folder)["api"] == NONE and len(BOUNDS_SECONDS) == BUCKETS - 1


def test_without_a_folder_there_are_no_counts_and_none_is_made_for_a_data_folder_that_is_gone(tmp_path: Path) -> None:
    folder = tmp_path / "gone" / "latencies"
    LatencyCounts(folder).observe("page", 1.0)
    assert set(map(tuple, total_counts(folder).values())) == {tuple(NONE)} and not folder.parent.exists()


def test_each_process_has_a_slot_and_a_killed_one_leaves_its_counts_to_the_next(folder: Path) -> None:
    mine = LatencyCounts(folder)
    mine.observe("page", 0.1)
    for total, files in ((101, 2), (201, 2)):  # the second takes over the first one's slot
        other = multiprocessing.get_context("spawn").Process(target=count_until_killed, args=(folder, 100))
        other.start()
        until(partial(has_pages, folder, total))
        assert other.pid is not None
        os.kill(other.pid, signal.SIGKILL)
        other.join()
        assert (calls(folder, "page"), len(list(folder.iterdir()))) == (total, files)
    mine.observe("page", 0.1)
    assert calls(folder, "page") == 202


def test_a_forked_child_counts_in_a_slot_of_its_own(folder: Path) -> None:
    counts = LatencyCounts(folder)
    counts.observe("shipping", 0.1)
    pid = os.fork()
    if not pid:
        counts.observe("shipping", 0.1)
        os._exit(0)
    os.waitpid(pid, 0)
    counts.observe("shipping", 0.1)
    assert (calls(folder, "shipping"), len(list(folder.iterdir()))) == (3, 2)


def test_threads_lose_no_count(folder: Path) -> None:
    counts = LatencyCounts(folder)

    def count() -> None:
        for _ in range(500):
            counts.observe("api", 0.001)

    threads = [threading.Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert calls(folder, "api") == 2000


def test_a_folder_that_was_removed_is_counted_in_anew(folder: Path) -> None:
    counts = LatencyCounts(folder)
    counts.observe("api", 0.001)
    shutil.rmtree(folder)
    counts.observe("api", 0.001)
    assert calls(folder, "api") == 1


@pytest.mark.parametrize("content", [b"", b"torn", b"\xff" * 5000, b"TLXOLEV1" * 400, b"VELOXLT1" + b"\xff" * 900])
def test_a_slot_that_is_torn_or_of_something_else_begins_anew(folder: Path, content: bytes) -> None:
    folder.mkdir()
    (folder / "0").write_bytes(content)
    assert calls(folder, "api") == 0
    LatencyCounts(folder).observe("api", 0.001)
    assert calls(folder, "api") == 1


def test_a_slot_of_a_version_with_fewer_kinds_counts_on(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as earlier:
        earlier.setattr(latencies, "KINDS", latencies.KINDS[:2])
        counts = LatencyCounts(folder)
        counts.observe("ledger_read", 0.001)
        counts.free()
    counts = LatencyCounts(folder)
    counts.observe("ledger_read", 0.001)
    counts.observe("api", 0.001)
    assert (calls(folder, "ledger_read"), calls(folder, "api"), len(list(folder.iterdir()))) == (2, 1, 1)


def test_a_disk_that_refuses_costs_nobody_a_call_and_is_asked_again_later(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder.write_text("no folder")
    counts = LatencyCounts(folder)
    counts.observe("api", 0.001)
    folder.unlink()
    counts.observe("api", 0.001)
    assert not folder.exists()
    monkeypatch.setattr(latencies, "AGAIN_SECONDS", 0.0)
    counts._again_at = 0.0
    counts.observe("api", 0.001)
    assert calls(folder, "api") == 1
