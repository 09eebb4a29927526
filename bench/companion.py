"""What the companion takes beside a recorder: CPU and files while single ticks come in, memory while columns do.

`COMPANION_SECONDS=600 make bench ROW=companion` feeds it longer. A share of the CPU is of one core and of its own time,
so that what else runs on the machine counts little; the peak of memory is the kernel's (VmHWM).
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from zoneinfo import ZoneInfo

from bench.harness import Figures, Row
from timeseries.stores.delta.store import DeltaStore

ROOT = Path(__file__).resolve().parent.parent
SECONDS = float(os.environ.get("COMPANION_SECONDS", "60"))
SINGLE, COLUMNS = 5_000, 180_000  # ticks a second
ENOUGH = 0.99  # of the ticks that were to come
CPU, FILES, MEMORY = "CPU, % of a core", "files of a day", "peak of memory, MB"
TICKS = os.sysconf("SC_CLK_TCK")


@contextmanager
def single_ticks() -> Iterator[Figures]:
    yield Figures(lambda: _beside(SINGLE), {CPU: 25.0, FILES: 64.0}, "", is_long=True)


@contextmanager
def columns() -> Iterator[Figures]:
    yield Figures(lambda: _beside(COLUMNS, "columns"), {MEMORY: 500.0}, "", is_long=True)


def _beside(rate: int, *words: str) -> dict[str, float]:
    """Feed a companion of a folder of its own; return what it took until the feed's end."""
    with tempfile.TemporaryDirectory(prefix="velox-bench-", ignore_cleanup_errors=True) as folder:
        environment = {**os.environ, "VELOX_DATA_DIR": folder}
        manage = [sys.executable, str(ROOT / "manage.py")]
        subprocess.run([*manage, "migrate", "--verbosity", "0"], env=environment, check=True)
        companion = subprocess.Popen([*manage, "ship", "--watch"], env=environment, stdout=subprocess.DEVNULL)
        try:
            lock = Path(folder) / "companion.lock"
            while not lock.exists() or lock.read_text() != str(companion.pid):  # else the feed would start another
                time.sleep(0.05)
            feed = [sys.executable, "-m", "bench.companion_feed", str(rate), str(SECONDS), *words]
            before, began = _cpu_seconds(companion.pid), time.monotonic()
            answer = json.loads(subprocess.run(feed, env=environment, check=True, capture_output=True, cwd=ROOT).stdout)
            if answer["accepted"] < ENOUGH * rate * SECONDS:
                print(f"only {answer['accepted']} of {rate * SECONDS:.0f} ticks came: {answer}", file=sys.stderr)
            cpu = 100 * (_cpu_seconds(companion.pid) - before) / (time.monotonic() - began)
            peak = _peak_mb(companion.pid)
        finally:
            companion.terminate()
            companion.wait()
        return {CPU: cpu, MEMORY: peak, FILES: _files(Path(folder) / "delta")}


def _cpu_seconds(pid: int) -> float:
    """Return the CPU time of a process and of its children that live, as the syncer does."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return sum(_stat(int(member)) for member in (pid, *children))


def _stat(pid: int) -> float:
    words: Sequence[str] = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(words[11]) + int(words[12])) / TICKS


def _peak_mb(pid: int) -> float:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024


def _files(folder: Path) -> float:
    """Let the store merge what is to be merged; return the most files of a measurement and day."""
    store, versions = DeltaStore(folder, zone=ZoneInfo("Asia/Kolkata")), None
    while versions != (versions := [table.snapshot() and table.snapshot().version for table in store.tables.values()]):
        store.care(now=time.time_ns())
    snapshots = [snapshot for table in store.tables.values() if (snapshot := table.snapshot()) is not None]
    days = [Counter(snapshot.files.column("partition.day").to_pylist()) for snapshot in snapshots]
    return max(count for of_table in days for count in of_table.values())


ROWS = [
    Row("companion", "the companion while 5,000 single ticks a second come in", single_ticks, is_asked_for=True),
    Row("companion_columns", "the companion while 180,000 ticks a second come in", columns, is_asked_for=True),
]
