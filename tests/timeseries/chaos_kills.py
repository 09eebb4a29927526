"""Kill recorder, shipper and pump before an InfluxDB that fails: `python -m tests.timeseries.chaos_kills [--kills N]`.

First each of them alone at every system call of a segment's life (strace), then all three together at random moments.
What was accepted is counted here, in memory that no kill reaches; afterwards the server must have each such point, once
and as it was given, or the lane its dead letter. Of what was never acknowledged only the call in flight may be there.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path

from tests.timeseries.batches import DAY, INDIA, SECOND, at
from tests.timeseries.influx_server import FaultyInflux, Key, faulty_influx
from tests.timeseries.victims import CallNumber, Told, Victim, calls_of, kill_at, why_strace_cannot_trace
from timeseries.errors import StoreUnavailable
from timeseries.recording import source
from timeseries.recording.recorder import Recorder
from timeseries.shipping import pump, resending
from timeseries.shipping.shipper import ship_slice
from timeseries.spool import dead_letters, lease
from timeseries.spool.folder import Spool
from timeseries.spool.lease import LeaseHeld
from timeseries.stores.influx.server import InfluxServer
from timeseries.stores.influx.store import InfluxStore

OPEN = at("2021-04-12 09:15")
SEGMENT_BYTES = 4096
SLICE_ROWS = 40  # many slices, so that there are many moments to be killed in
FAULTS: tuple[int | str, ...] = (
    400, 401, 403, 404, 408, 413, 422, 429, 500, 503, "hang", "drop before", "drop after", "cut gzip before",
    "cut gzip after",
)  # fmt: skip
ROUNDS_PER_SPOOL = 20
STALE_SECONDS = 0.05  # a shipper that is silent for so long is overtaken: the tests have no patience
TICKS_PER_ROUND = 300

Ticks = dict[int, float]  # time in ns to price


@dataclass
class Summary:
    kills: Counter[str] = field(default_factory=Counter)
    accepted: int = 0
    stored: int = 0
    dead_lettered: int = 0
    in_flight: int = 0  # stored, though the call never returned
    answers: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        state = "0 lost, 0 doubled, 0 altered" if not self.faults else "; ".join(self.faults[:5])
        return (
            f"{self.kills.total()} kills ({_listed(self.kills)}), {self.accepted} accepted, {self.stored} stored, "
            f"{self.dead_lettered} dead letters, {self.in_flight} in flight: {state}\n"
            f"met: {_listed(self.answers) or 'nothing else'}"
        )

    def add(self, other: Summary) -> None:
        self.kills += other.kills
        self.accepted += other.accepted
        self.stored += other.stored
        self.dead_lettered += other.dead_lettered
        self.in_flight += other.in_flight
        self.answers += other.answers
        self.faults += other.faults


def _listed(counts: Counter[str]) -> str:
    return ", ".join(f"{number} {name}" for name, number in sorted(counts.items()))


def bad(line: bytes) -> int:
    """One line in fifty is refused for good."""
    last = line[-11:-9]
    return {b"17": 400, b"67": 422}.get(last, 0)


def good(_: bytes) -> int:
    return 0


def tick_of(number: int) -> tuple[int, float]:
    return OPEN + number * SECOND, number + 0.5


# -- what is killed --------------------------------------------------------------------------------------------------


class Inline:
    """A thread that is none: closing runs in one of its own, whose calls would be counted apart."""

    def __init__(self, *, target: Callable[[], None], **_: object) -> None:
        self.start = target

    def join(self, _: float) -> None:
        pass


def record(root: Path, told: Told, count: int) -> None:
    """Record this many ticks from the one told of on, and close."""
    source.threading = argparse.Namespace(Thread=Inline)  # type: ignore[assignment]
    recorder = Recorder(root, source="default", account="main", zone=INDIA, segment_bytes=SEGMENT_BYTES)
    for number in range(told.number, told.number + count):
        instant, price = tick_of(number)
        assert recorder.tick("A", {"ltp": price, "timestamp": instant})
        told.number = number + 1
    recorder.sync()
    recorder.close()


def _store(url: str) -> InfluxStore:
    store = InfluxStore(
        InfluxServer(url, org="velox", token="t", timeout_seconds=(1.0, 0.1)), bucket="velox", zone=INDIA
    )
    store.slice_rows = SLICE_ROWS
    return store


def ship(root: Path, url: str, *, endless: bool = False) -> None:
    """Sync and ship each lane until nothing waits."""
    spool, store = Spool(root), _store(url)
    waits = True
    while waits or endless:
        waits = False
        for lane in spool.lanes():
            try:
                lane.sync()
                waits |= ship_slice(lane, store, owner="shipper").settled > 0
            except (StoreUnavailable, LeaseHeld):
                waits = True


def sweep(root: Path, url: str, *, endless: bool = False) -> None:
    """Adopt, ship, and remove what is shipped, until nothing waits."""
    pump.HOLD_SECONDS = (0.001, 0.01)
    sweeper = pump.Pump(Spool(root), _store(url), keep_shipped_days=0)
    waits = True
    while waits or endless:
        sweeper._rung, sweeper._cared_at = True, 0
        sweeper.run_once()
        waits = any(lane.outcome().through < lane.issued() for lane in sweeper.spool.lanes())


# -- the check -------------------------------------------------------------------------------------------------------


def check(root: Path, influx: FaultyInflux, accepted: Ticks, possible: Ticks) -> Summary:
    """Ship what still waits, then compare the server with what was accepted."""
    influx.behaviour.plan = []
    spool, moved = Spool(root), [time.time_ns()]
    server = InfluxServer(influx.url, org="velox", token="t", timeout_seconds=(1.0, 1.0))
    store = InfluxStore(server, bucket="velox", zone=INDIA)
    sweeper = pump.Pump(spool, store, clock=lambda: moved[0])
    summary = Summary(accepted=len(accepted))
    if (balance := sweeper.points()["balance"]) != 0:
        summary.faults.append(f"the balance was {balance} before the last pass")
    while sweeper.points()["spooled"] and moved[0] < time.time_ns() + DAY:
        moved[0] += 301 * SECOND
        sweeper.run_once()
    found = sweeper.points()
    server.close()
    letters = [
        letter for lane in spool.lanes() for letter in dead_letters.read(lane.folder, but=lane.outcome().retried)
    ]
    summary.faults += _compared(influx, accepted, possible, [letter.line for letter in letters])
    there = sum(instant in accepted or instant in possible for _, instant in influx.points)
    summary.stored, summary.dead_lettered = there, len(letters)
    summary.in_flight = sum(instant not in accepted for _, instant in influx.points)
    counted = [found[name] for name in ("accepted", "stored", "spooled", "dead_lettered", "damaged", "balance")]
    if counted != [there + len(letters), there, 0, len(letters), 0, 0]:
        summary.faults.append(f"counted as {found}")
    return summary


def _compared(influx: FaultyInflux, accepted: Ticks, possible: Ticks, letters: list[bytes]) -> list[str]:
    lines = [series + b" " + fields + b" %d" % instant for (series, instant), fields in influx.points.items()] + letters
    expected = {instant: _line(instant, price) for instant, price in (accepted | possible).items()}
    faults = []
    times = Counter(int(line.rsplit(b" ", 1)[1]) for line in lines)
    if lost := accepted.keys() - times.keys():
        faults.append(f"{len(lost)} lost, the first is {min(lost)}")
    if unknown := times.keys() - expected.keys():
        faults.append(f"{len(unknown)} that nobody recorded, the first is {min(unknown)}")
    if doubled := [instant for instant, number in times.items() if number > 1]:
        faults.append(f"{len(doubled)} doubled, the first is {min(doubled)}")
    altered = [line for line in lines if _without_reception(line) != expected.get(int(line.rsplit(b" ", 1)[1]))]
    if altered:
        faults.append(f"{len(altered)} altered, the first is {altered[0]!r}")
    if wrong := [line for line in letters if not bad(line)]:
        faults.append(f"{len(wrong)} dead letters that are good, the first is {wrong[0]!r}")
    return faults


def _line(instant: int, price: float) -> bytes:
    return (
        f"ticks,account=main,source=default,symbol=A exchange_time={instant}i,present=3i,"
        f'kind="price",close={price} {instant}'
    ).encode()


def _without_reception(line: bytes) -> bytes:
    """Return the line without the one thing that a recorder adds by its own clock."""
    before, _, rest = line.partition(b",received_time=")
    return before + b"," + rest.partition(b",")[2]


# -- at every system call --------------------------------------------------------------------------------------------

ROLES = ("recorder", "shipper", "pump")
RETRY = "retry of dead letters"
LIVES = (*ROLES, RETRY)
RECORDED = 150  # ticks of which a killed recorder left the last in an open segment
MORE = 250  # that the recorder records: three segments follow one another


@dataclass
class Life:
    """A segment's life, or the part of it that one role has in it, over and over again from the same beginning."""

    role: str
    folder: Path
    influx: FaultyInflux

    def __post_init__(self) -> None:
        self.template, self.root, self.told = self.folder / "template", self.folder / "spool", Told()

        def die() -> None:
            record(self.template, self.told, RECORDED // 3)
            recorder = Recorder(
                self.template, source="default", account="main", zone=INDIA, segment_bytes=SEGMENT_BYTES
            )
            for number in range(self.told.number, RECORDED):
                instant, price = tick_of(number)
                assert recorder.tick("A", {"ltp": price, "timestamp": instant})
                self.told.number = number + 1

        victim = Victim(die)  # ends without closing
        victim.go()
        assert victim.end() == 0
        self.stored: dict[Key, bytes] = {}
        if self.role == RETRY:
            self.influx.behaviour.bad = bad
            check(self.template, self.influx, self._accepted(), {})  # ships everything
            self.stored = dict(self.influx.points)

    def begin(self) -> None:
        shutil.rmtree(self.root, ignore_errors=True)
        shutil.copytree(self.template, self.root)
        self.told.number = RECORDED
        self.influx.points = dict(self.stored)
        self.influx.behaviour.bad = good if self.role == RETRY else bad
        self.influx.behaviour.plan = [503, 204, "drop after", 204, 404, 204] if self.role in ("shipper", "pump") else []

    def work(self) -> None:
        if self.role == "recorder":
            record(self.root, self.told, MORE)
        elif self.role == "shipper":
            ship(self.root, self.influx.url)
        elif self.role == RETRY:
            resending.retry(Spool(self.root), _store(self.influx.url), owner="operator")
        else:
            sweep(self.root, self.influx.url)

    def calls(self) -> list[CallNumber]:
        """Return the system calls of a life that nobody cuts short; all is well at its end."""
        self.begin()
        found = calls_of(self.work)
        if faults := self.verdict().faults:
            raise AssertionError(faults)
        return found

    def kill(self, call: CallNumber) -> Summary:
        self.begin()
        killed = kill_at(self.work, call)
        summary = self.verdict()
        summary.kills[self.role] += killed
        if summary.faults:
            summary.faults = [f"{self.role} killed at {call[0]} {call[1]}: {fault}" for fault in summary.faults]
        return summary

    def verdict(self) -> Summary:
        flight = dict([tick_of(self.told.number)]) if self.role == "recorder" else {}
        if self.role == RETRY:
            self.work()
        return check(self.root, self.influx, self._accepted(), flight)

    def _accepted(self) -> Ticks:
        return dict(map(tick_of, range(self.told.number)))


def at_calls(folder: Path, influx: FaultyInflux, *, share: Callable[[list[CallNumber]], list[CallNumber]]) -> Summary:
    """Kill each role at the share of its system calls."""
    total = Summary()
    for role in LIVES:
        life = Life(role, folder / role, influx)
        for call in share(life.calls()):
            total.add(life.kill(call))
            if total.faults:
                return total
    return total


# -- at random -------------------------------------------------------------------------------------------------------


def at_random(root: Path, influx: FaultyInflux, chance: random.Random, *, rounds: int) -> Summary:
    """Kill the three of them in each round while the server does whatever it can do wrong; some are stopped before."""
    total = Summary()
    influx.behaviour.bad, influx.behaviour.sparing = bad, True
    for first in range(0, rounds, ROUNDS_PER_SPOOL):
        influx.points.clear()
        total.add(_one_spool(root / str(first), influx, chance, min(ROUNDS_PER_SPOOL, rounds - first)))
        if total.faults:
            break
    return total


def _one_spool(root: Path, influx: FaultyInflux, chance: random.Random, rounds: int) -> Summary:
    accepted: Ticks = {}
    possible: Ticks = {}
    told, answers, kills = Told(), Counter[str](), Counter[str]()
    for _ in range(rounds):
        first = told.number
        plan = chance.choices((204, *FAULTS), weights=(len(FAULTS), *(1 for _ in FAULTS)), k=12)
        influx.behaviour.plan = list(plan)
        refuses = chance.random() < 0.15
        with influx.refusing() if refuses else nullcontext():
            victims = {
                "recorder": Victim(lambda: _record_slowly(root, told)),
                "shipper": Victim(lambda: _impatient(ship, root, influx.url)),
                "pump": Victim(lambda: _impatient(sweep, root, influx.url)),
            }
            for victim in victims.values():
                victim.go()
            time.sleep(chance.uniform(0, 0.03))
        time.sleep(chance.uniform(0, 0.08))
        if chance.random() < 0.2:
            stopped = chance.choice(("shipper", "pump"))
            answers[f"stopped {stopped}s"] += 1
            _overtake(victims[stopped])
            time.sleep(chance.uniform(0, 0.03))
        for name in chance.sample(ROLES, 3):
            victims[name].kill()
            time.sleep(chance.choice((0, 0.001, 0.005)))
        codes = {name: victim.end() for name, victim in victims.items()}
        kills.update(name for name, code in codes.items() if code == -9)
        accepted |= dict(map(tick_of, range(first, told.number)))
        possible |= dict([tick_of(told.number)])
        told.number += 1
        answers.update(str(act) for act in plan[: len(plan) - len(influx.behaviour.plan)] if act != 204)
        answers["refused connections"] += refuses
        if set(codes.values()) != {-9}:
            return Summary(kills, faults=[f"ended by themselves: {codes}"])
    summary = check(root, influx, accepted, possible)
    summary.kills, summary.answers = kills, answers
    return summary


def _impatient(work: Callable[..., None], root: Path, url: str) -> None:
    lease.BEAT_SECONDS, lease.STALE_SECONDS = STALE_SECONDS / 5, STALE_SECONDS
    work(root, url, endless=True)


def _overtake(victim: Victim) -> None:
    """Stop the process for so long that others take its leases over, and let it wake up."""
    os.kill(victim.pid, signal.SIGSTOP)
    time.sleep(2 * STALE_SECONDS)
    os.kill(victim.pid, signal.SIGCONT)


def _record_slowly(root: Path, told: Told) -> None:
    """Record until killed, in bursts with pauses; never so much that the server becomes the bottleneck."""
    recorder = Recorder(root, source="default", account="main", zone=INDIA, segment_bytes=SEGMENT_BYTES)
    goal = told.number + TICKS_PER_ROUND
    while True:
        instant, price = tick_of(told.number)
        assert recorder.tick("A", {"ltp": price, "timestamp": instant})
        told.number += 1
        if told.number % 10 == 0 or told.number > goal:
            time.sleep(0.002)


# -- the long run ----------------------------------------------------------------------------------------------------


def run(folder: Path, *, kills: int, seed: int) -> Summary:
    """Kill at every system call, then at random, this many times at least."""
    total = Summary()
    with faulty_influx() as influx:
        if hindrance := why_strace_cannot_trace():
            total.faults.append(hindrance)
            return total
        total.add(at_calls(folder / "calls", influx, share=list))
        print(f"at every system call: {total}", flush=True)
        missing = max(0, kills - total.kills.total())
        if not total.faults:
            total.add(at_random(folder / "random", influx, random.Random(seed), rounds=-(-missing // len(ROLES))))
    return total


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--kills", type=int, default=2300)
    arguments.add_argument("--seed", type=int, default=None)
    options = arguments.parse_args()
    seed = options.seed if options.seed is not None else random.SystemRandom().randrange(10**6)
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="velox-chaos-") as folder:
        summary = run(Path(folder), kills=options.kills, seed=seed)
    print(f"seed {seed}, {time.monotonic() - started:.0f} s: {summary}")
    return 1 if summary.faults else 0


if __name__ == "__main__":
    sys.exit(main())
