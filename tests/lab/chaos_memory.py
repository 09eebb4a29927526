"""`make chaos`: a search of 2,000 sets over 20 days of 2,000 ticks stays below 1 GiB.

`python -m tests.lab.chaos_memory [--trials N]` prints the peak of the process that searches, and every minute how far
it is: 2,000 sets take about eleven minutes of CPU.
"""

from __future__ import annotations

import os
import resource
import sqlite3
import subprocess
import sys
import tempfile
import time
from argparse import ArgumentParser
from contextlib import closing
from pathlib import Path

from tests.lab.chaos_engines import MAKE, ROOT

MEMORY_MAX = 1 << 30
TICKS = 2000
CALENDAR_DAYS = 30  # of which 20 are trading days
SPAN = ("--from", "2021-04-12", "--to", "2021-05-11", "--train-days", "10", "--test-days", "5")
TELLING_SECONDS = 60


def watched(process: subprocess.Popen[bytes], ledger: Path) -> tuple[int, resource.struct_rusage]:
    """Wait for a search, saying every minute how many sets its ledger has; return its status and what it used."""
    began = told = time.monotonic()
    while True:
        pid, status, usage = os.wait4(process.pid, os.WNOHANG)
        if pid:
            return status, usage
        time.sleep(0.2)
        if time.monotonic() - told >= TELLING_SECONDS:
            told = time.monotonic()
            with closing(sqlite3.connect(ledger)) as rows:
                sets = rows.execute("SELECT count(*) FROM lab_trial").fetchone()[0]
            print(f"{sets} sets in {told - began:.0f} s", flush=True)


def main() -> int:
    parser = ArgumentParser()
    parser.add_argument("--trials", type=int, default=2000)
    trials = str(parser.parse_args().trials)
    with tempfile.TemporaryDirectory(prefix="velox") as place:
        desk = Path(place) / "desk"
        environment = {**os.environ, "VELOX_DATA_DIR": str(desk), "PYTHONPATH": str(ROOT)}
        make = [sys.executable, "-m", "tests.lab.chaos_engines", MAKE, str(CALENDAR_DAYS), str(TICKS)]
        subprocess.run(make, cwd=ROOT, env=environment, check=True)
        of_making = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
        search = [sys.executable, str(ROOT / "manage.py"), "optimize", "ema_cross", *SPAN, "--trials", trials]
        began = time.monotonic()
        process = subprocess.Popen(search, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL)
        status, usage = watched(process, desk / "ledger.sqlite3")
        peak = usage.ru_maxrss * 1024
        print(f"{trials} sets: peak {peak >> 20} MiB in {time.monotonic() - began:.0f} s ({usage.ru_utime:.0f} s CPU); "
              f"making the ticks took {of_making >> 10} MiB")  # fmt: skip
        return 0 if status == 0 and peak < MEMORY_MAX else 1


if __name__ == "__main__":
    sys.exit(main())
