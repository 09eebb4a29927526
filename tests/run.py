"""`make test`: run every check and every test; what they need is installed (`make test` sees to that).

The tests on SQLite are told as they run. Beside them run the checks and then the tests on PostgreSQL, each told when it
is through: alone neither keeps two cores busy.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
WORKERS = "3"  # on two cores: tests wait for the processes that they start


def main(arguments: Sequence[str]) -> int:
    """Return 0 where every step passed, else the code of the first that did not."""
    os.environ["VELOX_DATA_DIR"] = str(ROOT / "var" / "check")
    tests = [sys.executable, "-m", "pytest", *arguments]
    # Whole files, in the order of conftest.py: the longest first.
    on_sqlite = [*tests, "-n", WORKERS, "--dist", "loadfile", "--no-loadscope-reorder"]
    on_postgres = [sys.executable, "-m", "tests.with_postgres", *tests, "-n", "2", "-m", "ledger"]
    with ThreadPoolExecutor(max_workers=1) as beside:
        others = beside.submit(_told_afterwards, [["make", "--no-print-directory", "check"], on_postgres])
        print(_shown(on_sqlite), flush=True)
        code = subprocess.run(on_sqlite, cwd=ROOT, check=False).returncode
        return code or others.result()


def _told_afterwards(steps: list[list[str]]) -> int:
    """Run the steps up to the first that fails, print what each wrote, and return the last one's code."""
    for step in steps:
        done = subprocess.run(step, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
        print(f"\n{_shown(step)}\n{done.stdout}", flush=True)
        if done.returncode:
            return done.returncode
    return 0


def _shown(step: list[str]) -> str:
    return "$ " + " ".join(step).replace(sys.executable, "python")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
