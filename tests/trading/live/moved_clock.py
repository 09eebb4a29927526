"""`manage.py` whose clock another process sets: `python -m tests.trading.live.moved_clock FILE COMMAND...`.

The file's eight bytes are how many ns the clock is ahead of the system's. The clock that counts seconds stays as it is.
"""

from __future__ import annotations

import mmap
import runpy
import sys
import time
from pathlib import Path
from struct import Struct

AHEAD = Struct("<q")


def set_clock(file: Path, ahead_ns: int) -> None:
    """Set the clock of the processes that read this file."""
    with file.open("r+b" if file.exists() else "w+b") as opened:
        opened.write(AHEAD.pack(ahead_ns))


if __name__ == "__main__":
    with open(sys.argv.pop(1), "rb") as opened:
        ahead, system_ns = mmap.mmap(opened.fileno(), AHEAD.size, access=mmap.ACCESS_READ), time.time_ns
    # Before anything is imported that keeps the function.
    time.time_ns = lambda: system_ns() + AHEAD.unpack(ahead)[0]
    time.time = lambda: time.time_ns() / 10**9
    runpy.run_module("velox_site", run_name="__main__")
