"""`make chaos`: the long form of the kill tests, one after the other; stops at the first that finds a fault."""

from __future__ import annotations

import subprocess
import sys

RUNS = [
    ["tests.timeseries.chaos_recorder", "--kills", "200"],
]


def main() -> int:
    for run in RUNS:
        print("$ python -m " + " ".join(run), flush=True)
        code = subprocess.run([sys.executable, "-m", *run], check=False).returncode
        if code:
            return code
    return 0


if __name__ == "__main__":
    sys.exit(main())
