"""Recorder, shipper and pump killed at their system calls and at random, before an InfluxDB that fails.

A seeded share of `python -m tests.timeseries.chaos_kills`, which `make chaos` runs at every call and for long.
"""

from __future__ import annotations

import os
import random
import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from tests.timeseries.chaos_kills import FAULTS, LIVES, RETRY, ROLES, Life, at_calls, at_random, bad
from tests.timeseries.influx_server import FaultyInflux, faulty_influx
from tests.timeseries.victims import CallNumber, kill_at, why_strace_cannot_trace

SEED = int(os.environ.get("VELOX_SEED", "7"))
CALLS_PER_ROLE = 16
ROUNDS = 10


@pytest.fixture
def influx() -> Iterator[FaultyInflux]:
    with faulty_influx() as server:
        server.behaviour.bad = bad
        yield server


@pytest.fixture
def strace() -> None:
    if hindrance := why_strace_cannot_trace():
        pytest.skip(hindrance)


@pytest.mark.chaos
def test_a_process_killed_at_a_call_has_not_made_it(tmp_path: Path, strace: None) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    first.touch()

    def rename_twice() -> None:
        os.rename(first, second)
        os.rename(second, first)

    assert kill_at(rename_twice, ("rename", 1))
    assert (first.exists(), second.exists()) == (True, False)
    assert kill_at(rename_twice, ("rename", 2))
    assert (first.exists(), second.exists()) == (False, True)
    assert not kill_at(partial(os.rename, second, first), ("rename", 2))


@pytest.mark.chaos
def test_what_is_killed_is_the_whole_life_of_a_segment(tmp_path: Path, strace: None, influx: FaultyInflux) -> None:
    lives = {role: Life(role, tmp_path / role, influx).calls() for role in LIVES}
    names = {role: {re.sub(r"at2?$", "", name) for name, _ in calls} for role, calls in lives.items()}
    assert names["recorder"] >= {"mkdir", "flock", "fallocate", "rename", "truncate", "pwrite64", "ftruncate", "fsync"}
    assert names["shipper"] >= {"flock", "connect", "sendto", "recvfrom", "write", "fsync", "rename"}
    assert names["pump"] >= {*names["shipper"], "pwrite64", "ftruncate", "unlink"}
    assert names[RETRY] >= {"flock", "sendto", "write", "fsync", "rename"}


@pytest.mark.chaos
def test_kills_at_system_calls_lose_and_double_nothing(tmp_path: Path, strace: None, influx: FaultyInflux) -> None:
    chance = random.Random(SEED)

    def share(calls: list[CallNumber]) -> list[CallNumber]:
        of_each_name = [chance.choice([call for call in calls if call[0] == name]) for name in dict(calls)]
        return of_each_name + chance.sample(calls, max(0, CALLS_PER_ROLE - len(of_each_name)))

    summary = at_calls(tmp_path, influx, share=share)
    assert summary.faults == []
    # A server's answer may come in one piece more or less.
    assert summary.kills.total() >= len(LIVES) * CALLS_PER_ROLE - 4


@pytest.mark.chaos
def test_kills_at_random_lose_and_double_nothing(tmp_path: Path, influx: FaultyInflux) -> None:
    summary = at_random(tmp_path, influx, random.Random(SEED), rounds=ROUNDS)
    assert summary.faults == []
    assert summary.kills == dict.fromkeys(ROLES, ROUNDS)
    assert summary.stored > 100
    assert summary.dead_lettered > 0


def test_the_server_can_do_wrong_whatever_a_server_can() -> None:
    statuses = {act for act in FAULTS if isinstance(act, int)}
    assert statuses >= {400, 401, 404, 413, 422, 429, 500, 503}
    assert {*FAULTS} - statuses == {"hang", "drop before", "drop after", "cut gzip before", "cut gzip after"}
