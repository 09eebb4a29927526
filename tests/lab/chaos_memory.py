"""`make chaos`: a search of 2,000 sets over 20 days of 2,000 ticks stays below 1 GiB.

`python -m tests.lab.chaos_memory [--trials N]` prints the peak of the process that searches.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
import time
from argparse import ArgumentParser
from pathlib import Path

from tests.lab.chaos_engines import MAKE, ROOT

MEMORY_MAX = 1 << 30
TICKS = 2000
SPAN = ("--from", "2021-04-12", "--to", "2021-05-10", "--train-days", "10", "--test-days", "5")


def main() -> int:
    parser = ArgumentParser()
    parser.add_argument("--trials", type=int, default=2000)
    trials = str(parser.parse_args().trials)
    with tempfile.TemporaryDirectory(prefix="velox") as place:
        environment = {**os.environ, "VELOX_DATA_DIR": str(Path(place) / "desk"), "PYTHONPATH": str(ROOT)}
        make = [sys.executable, "-m", "tests.lab.chaos_engines", MAKE, "29", str(TICKS)]
        subprocess.run(make, cwd=ROOT, env=environment, check=True)
        of_making = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
        search = [sys.executable, str(ROOT / "manage.py"), "optimize", "ema_cross", *SPAN, "--trials", trials]
        began = time.monotonic()
        process = subprocess.Popen(search, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL)
        _, status, usage = os.wait4(process.pid, 0)
        peak = usage.ru_maxrss * 1024
        print(f"{trials} sets: peak {peak >> 20} MiB in {time.monotonic() - began:.0f} s ({usage.ru_utime:.0f} s CPU); "
              f"making the ticks took {of_making >> 10} MiB")  # fmt: skip
        return 0 if status == 0 and peak < MEMORY_MAX else 1


if __name__ == "__main__":
    sys.exit(main())
