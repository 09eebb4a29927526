"""An hour without InfluxDB at 2,000 ticks a second, compressed: `python -m tests.timeseries.outage [--ticks N]`.

A strategy records as fast as it can while the server is dead, its companion tries again and again; then the server
comes up and the companion drains. Counted back from the server: each symbol's ticks, their sum and their last instant.
The server is Debian's InfluxDB 1.6.7, killed and started again, or the InfluxDB 2 that VELOX_TEST_INFLUX_URL names,
behind a door that is shut and opened.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

from django.conf import settings

from tests.influxd_server import InfluxdServer, influxd_server
from tests.timeseries.influx_real import URL
from tests.timeseries.outage_server import Behind, behind_a_door
from tests.waiting import until
from timeseries import wiring
from trading import summon

ROOT = Path(__file__).resolve().parents[2]
PER_SECOND = 2_000
AN_HOUR = 3_600 * PER_SECOND
SYMBOLS = tuple(f"SYM{number:02d}" for number in range(50))
FIRST_NS = 1_618_199_100 * 10**9  # 12 April 2021, 09:15 in Asia/Kolkata
STEP_NS = 10**9 // PER_SECOND


def memory(pid: int) -> dict[str, float]:
    """Return a process's memory of its own in MB; the spool's maps, which the kernel may write out, are apart."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    sizes = {line.split(":")[0]: int(line.split()[1]) / 1024 for line in lines if line.startswith("Rss")}
    return {"own_mb": round(sizes["RssAnon"], 1), "mapped_mb": round(sizes["RssFile"] + sizes["RssShmem"], 1)}


@dataclass
class Outage:
    """What was seen; memory in MB of each process's own."""

    ticks: int
    recording_seconds: float = 0.0
    refused: int = 0
    recorder: list[float] = field(default_factory=list)  # after each tenth of the ticks
    companion: list[float] = field(default_factory=list)
    draining: list[float] = field(default_factory=list)  # the companion's, from the server's return on
    silent_seconds: float = 0.0  # from the server's return to the first slice that is settled
    drain_seconds: float = 0.0
    points: dict[str, Any] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        rate = self.ticks / self.drain_seconds
        return "\n".join(
            (
                f"{self.ticks:,} ticks recorded in {self.recording_seconds:.1f} s, {self.refused} refused",
                f"the recorder's memory, MB: {self.recorder}",
                f"the companion's: {self.companion}, while draining at most {max(self.draining)}",
                f"drained {self.silent_seconds:.1f} s after the server's return in {self.drain_seconds:.1f} s:"
                f" {rate:,.0f}/s, {rate / PER_SECOND:.0f} times the input",
                f"{self.points}",
                "; ".join(self.wrong) or "none lost, none twice, none altered",
            )
        )


def run(ticks: int, *, engine: InfluxdServer | Behind, environment: Mapping[str, str]) -> Outage:
    """Record while the engine is dead, start it, drain, and count back. ``environment`` leads to the desk, ours too."""
    seen, log = Outage(ticks), Path(settings.DATA_DIR) / "logs" / "velox.log"
    engine.kill()
    with subprocess.Popen(
        [sys.executable, "-m", "tests.timeseries.outage_recorder", str(ticks)],
        env=dict(environment), cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    ) as recorder:  # fmt: skip
        try:
            assert recorder.stdout is not None
            for told in map(json.loads, islice(recorder.stdout, 10)):
                seen.refused, seen.recording_seconds = told["refused"], told["seconds"]
                seen.recorder.append(told["own_mb"])
                seen.companion.append(memory(companion())["own_mb"])
            until(lambda: log.exists() and "a lane holds" in log.read_text())  # the companion has met the outage
            engine.start()
            drain(seen, through=ticks - seen.refused)
            seen.points = wiring.count_points()
            compare(seen, engine)
        finally:
            recorder.kill()
            os.kill(companion(), signal.SIGKILL)
    return seen


def companion() -> int:
    """Return the pid of the desk's companion, which the recorder's first tick has started."""
    while not (pid := summon.companion_pid()):
        time.sleep(0.01)
    return pid


def drain(seen: Outage, *, through: int) -> None:
    """Watch the companion ship everything."""
    lane = wiring.open_spool().lane("default", "ticks")
    returned_at, began_at, done = time.monotonic(), 0.0, 0
    while done < through:
        time.sleep(0.05)
        done = lane.outcome().through
        if done and not began_at:
            began_at = time.monotonic()
            seen.silent_seconds = began_at - returned_at
        seen.draining.append(memory(companion())["own_mb"])
        assert time.monotonic() - returned_at < 3_600, f"{done:,} of {through:,} after an hour"
    seen.drain_seconds = time.monotonic() - began_at


def compare(seen: Outage, engine: InfluxdServer | Behind) -> None:
    """Count back from the engine, symbol by symbol: how many, the sum of their prices, the last of them."""
    found = engine.totals()
    for first, symbol in enumerate(SYMBOLS):
        numbers = range(first, seen.ticks, len(SYMBOLS))
        last = float(FIRST_NS + numbers[-1] * STEP_NS)
        expected = (float(len(numbers)), float(sum(numbers) + len(numbers)), last)
        if found.get(symbol) != expected:
            seen.wrong.append(f"{symbol} has {found.get(symbol)}, not {expected}")
    parts = {"accepted": seen.ticks, "stored": seen.ticks, "spooled": 0, "balance": 0}
    seen.wrong += [f"{name} is {seen.points[name]}" for name, number in parts.items() if seen.points[name] != number]


@contextmanager
def a_server(folder: Path) -> Iterator[InfluxdServer | Behind]:
    if os.environ.get(URL):
        with behind_a_door() as real:
            yield real
    else:
        folder.mkdir()
        with influxd_server(folder) as engine:
            yield engine


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--ticks", type=int, default=AN_HOUR)
    ticks = arguments.parse_args().ticks
    with (
        tempfile.TemporaryDirectory(prefix="velox-outage-") as folder,
        a_server(Path(folder) / "influxd") as engine,
    ):
        os.environ |= {"VELOX_DATA_DIR": f"{folder}/data", "DJANGO_SETTINGS_MODULE": "velox_site.settings"}
        os.environ |= engine.environment
        subprocess.run([sys.executable, str(ROOT / "manage.py"), "migrate", "-v", "0"], check=True)
        seen = run(ticks, engine=engine, environment=os.environ)
    print(seen)
    return 1 if seen.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
