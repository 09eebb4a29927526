"""The memory of a backtest in a process of its own, in bytes: `python -m bench.backtest_memory SYMBOL=FILE ...`."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

os.environ["VELOX_DATA_DIR"] = tempfile.mkdtemp(prefix="velox-bench-")

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "velox_site.settings")
django.setup()

from bench.backtest import day_of, played  # noqa: E402  (the settings come first)
from lab.backtest.walk import plainly  # noqa: E402

if __name__ == "__main__":
    files = dict(word.split("=", 1) for word in sys.argv[1:])
    played(day_of({symbol: Path(file) for symbol, file in files.items()}), plainly)
    # Not `ru_maxrss`: that has the peak of the process that started this one, where it is higher.
    print(1024 * int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0]))
