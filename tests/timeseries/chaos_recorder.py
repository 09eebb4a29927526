"""Kill recorders with SIGKILL at random moments and count what is left: `python -m tests.timeseries.chaos_recorder`.

The child acknowledges each returned call through a pipe. Segments are tiny, so that many kills fall into sealing and
rotation. Every acknowledged record has to be there once and unaltered; of those not acknowledged at most the one call
in flight may be there, too.
"""

from __future__ import annotations

import argparse
import dataclasses
import os
import random
import select
import signal
import struct
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from zoneinfo import ZoneInfo

from timeseries.recording.recorder import Recorder
from timeseries.spool.folder import Spool
from timeseries.spool.lane import Lane

ZONE = ZoneInfo("Asia/Kolkata")
SOURCE = "chaos"
START = 1_700_000_000 * 10**9
STRIDE = 10_000_000  # each child counts from its own multiple of this
SHARED = 9
KILLS_PER_SPOOL = 20
SEGMENT_BYTES = 4096
SYMBOLS = ("RELIANCE", "M&M", "NIFTY 50")
PACK = struct.Struct("<Q")


@dataclass
class Summary:
    kills: int = 0
    acknowledged: int = 0
    recorded: int = 0
    in_flight: int = 0  # recorded, though the call never returned
    segments: int = 0
    faults: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        state = "none lost, none twice, none altered" if not self.faults else "; ".join(self.faults[:5])
        return (
            f"{self.kills} kills, {self.acknowledged} acknowledged, {self.recorded} recorded "
            f"({self.in_flight} in flight), {self.segments} segments: {state}"
        )


def record(recorder: Recorder, number: int) -> bool:
    """Record the tick of this number: everything in it follows from the number."""
    tick = {"ltp": 1.0 + number, "volume": number * 3}
    return recorder.tick(SYMBOLS[number % 3], tick, instant_of(number))


def instant_of(number: int) -> int:
    """Return an instant that nine ticks share; the first few also with every other child: n survives the kills, too."""
    step = number - number % 9
    return START + (step % STRIDE if number % STRIDE < SHARED else step) * 1000


def child(root: Path, first: int, acknowledge: Callable[[int], None]) -> None:
    """Record without end, telling of each call that returned."""
    recorder = Recorder(root, source=SOURCE, account="main", zone=ZONE, segment_bytes=SEGMENT_BYTES)
    number = first
    while True:
        if not record(recorder, number):
            os._exit(3)
        acknowledge(number)
        number += 1


def fork_child(root: Path, first: int) -> tuple[int, int]:
    """Start a child; returns its pid and the pipe's end to read numbers from."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.close(reading)
            child(root, first, lambda number: _tell(writing, number))
        finally:
            os._exit(4)
    os.close(writing)
    return pid, reading


def _tell(writing: int, number: int) -> None:
    os.write(writing, PACK.pack(number))


def kill_one(root: Path, first: int, seconds: float) -> list[int]:
    """Kill a child this long after its first acknowledged record; returns the numbers acknowledged."""
    pid, reading = fork_child(root, first)
    data = b""
    try:
        deadline = None
        while deadline is None or time.perf_counter() < deadline:
            left = 10.0 if deadline is None else max(0.0, deadline - time.perf_counter())
            ready, _, _ = select.select([reading], [], [], left)
            if ready:
                part = os.read(reading, 1 << 16)
                assert part, "the child ended by itself"
                data += part
                deadline = deadline or time.perf_counter() + seconds
        os.kill(pid, signal.SIGKILL)
        while part := os.read(reading, 1 << 16):
            data += part
    finally:
        os.close(reading)
        _, status = os.waitpid(pid, 0)
    assert os.WIFSIGNALED(status), f"the child ended by itself: {status}"
    return [number for (number,) in PACK.iter_unpack(data)]


def recorded(lane: Lane) -> tuple[list[tuple[int, str, int, int, int]], int]:
    """Return (number, symbol, exchange_time, time, volume) of each record in order, and how many are damaged."""
    rows: list[tuple[int, str, int, int, int]] = []
    after = damaged = 0
    while True:
        part = lane.pending(after=after, limit=1000)
        batch = part.batch
        damaged += part.damaged + part.quarantined
        closes, volumes = batch.columns["close"].tolist(), batch.columns["volume"].tolist()
        symbols = [batch.series_table[index]["symbol"] for index in batch.series.tolist()]
        rows += [
            (int(close) - 1, symbol, exchange, time_, int(volume))
            for close, symbol, exchange, time_, volume in zip(
                closes, symbols, batch.exchange_time.tolist(), batch.time.tolist(), volumes, strict=True
            )
        ]
        if part.last_sequence == after:
            return rows, damaged
        after = part.last_sequence


def check(root: Path, acknowledged: list[list[int]], summary: Summary) -> None:
    """Compare what is on disk with what was acknowledged by each child in turn."""
    spool = Spool(root)
    if not spool.adopt(SOURCE):
        summary.faults.append("the source is still held")
    lane = spool.lane(SOURCE, "ticks")
    rows, damaged = recorded(lane)
    tail = lane.tail(after=0)
    numbers = [row[0] for row in rows]
    flight = set(numbers) - {number for part in acknowledged for number in part}
    expected = {part[-1] + 1 for part in acknowledged}
    if missing := [number for part in acknowledged for number in part if number not in set(numbers)]:
        summary.faults.append(f"{len(missing)} lost, the first is {missing[0]}")
    if len(set(numbers)) != len(numbers) or numbers != sorted(numbers):
        summary.faults.append("recorded twice or out of order")
    if flight - expected:
        summary.faults.append(f"{len(flight - expected)} that nobody recorded")
    summary.faults += [f"altered: {row}" for row in rows if not _is_true(row)]
    held: Counter[tuple[str, int]] = Counter()
    for _, symbol, exchange, time_, _ in rows:
        if time_ != exchange + held[symbol, exchange]:
            summary.faults.append(f"{symbol} at {exchange} has n = {time_ - exchange}, not {held[symbol, exchange]}")
        held[symbol, exchange] += 1
    if damaged or tail.damaged or lane.issued() != len(rows) or tail.whole != len(rows):
        summary.faults.append(f"{lane.issued()} issued, {len(rows)} read, {tail} counted, {damaged} damaged")
    summary.recorded, summary.in_flight, summary.segments = len(rows), len(flight), len(lane.segments())


def _is_true(row: tuple[int, str, int, int, int]) -> bool:
    number, symbol, exchange, _, volume = row
    return (symbol, exchange, volume) == (SYMBOLS[number % 3], instant_of(number), number * 3)


def run(root: Path, *, kills: int, seed: int) -> Summary:
    """Kill this many children one after the other, KILLS_PER_SPOOL of them on one spool."""
    chance = random.Random(seed)
    total = Summary()
    for first in range(0, kills, KILLS_PER_SPOOL):
        part = _run(root / str(first), min(KILLS_PER_SPOOL, kills - first), chance)
        for item in dataclasses.fields(Summary):
            setattr(total, item.name, getattr(total, item.name) + getattr(part, item.name))
        if total.faults:
            break
    return total


def _run(root: Path, kills: int, chance: random.Random) -> Summary:
    summary = Summary()
    acknowledged: list[list[int]] = []
    for kill in range(kills):
        acknowledged.append(kill_one(root, (kill + 1) * STRIDE, chance.uniform(0, 0.012)))
        summary.kills += 1
        summary.acknowledged += len(acknowledged[-1])
        # In between, the next child mends what the last one left; here a sweeper does.
        if kill % 5 == 4 or kill == kills - 1:
            check(root, acknowledged, summary)
        if summary.faults:
            break
    return summary


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--kills", type=int, default=200)
    arguments.add_argument("--seed", type=int, default=None)
    options = arguments.parse_args()
    seed = options.seed if options.seed is not None else random.SystemRandom().randrange(10**6)
    with tempfile.TemporaryDirectory(prefix="velox-chaos-") as folder:
        summary = run(Path(folder) / "spool", kills=options.kills, seed=seed)
    print(f"seed {seed}: {summary}")
    return 1 if summary.faults else 0


if __name__ == "__main__":
    sys.exit(main())
