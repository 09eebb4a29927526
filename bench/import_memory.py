"""The most memory that an import of a broker's file takes, of N fills and of ten times as many, each in a process.

`python -m bench.import_memory FILLS [dry]` is one of these processes: it makes a tradebook and a ledger, imports or
tries the one into the other, and prints the kilobytes.
"""

from __future__ import annotations

import contextlib
import os
import random
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime, time, timedelta
from io import StringIO
from pathlib import Path

import django
from django.core.management import call_command

from bench.harness import Figures, Row, Skipped

ROOT = Path(__file__).resolve().parent.parent
STATUS = Path("/proc/self/status")
FEW, MANY = 5_000, 50_000
GROWTH_MAX = 32.0  # MB
SYMBOLS, OF_A_DAY = 50, 1_000
HEADER = (
    "symbol,isin,trade_date,exchange,segment,series,trade_type,auction,quantity,price,trade_id,order_id,"
    "order_execution_time"
)


@contextmanager
def prepare() -> Iterator[Figures | Skipped]:
    if not STATUS.exists():
        yield Skipped("There is no /proc here that tells a process's most memory.")
        return
    names = {"imported": (), "dry run": ("dry",)}
    yield Figures(
        lambda: {_named(name): peak(MANY, *words) - peak(FEW, *words) for name, words in names.items()},
        {_named(name): GROWTH_MAX for name in names},
        "MB",
        is_long=True,
    )


def _named(way: str) -> str:
    return f"{way}: more for {MANY:,} fills than for {FEW:,}"


def peak(fills: int, *words: str) -> float:
    """Return the most memory, in MB, of a process that imports as many fills."""
    with tempfile.TemporaryDirectory(prefix="velox-bench-import-") as folder:
        command = [sys.executable, "-m", "bench.import_memory", str(fills), *words]
        environment = {**os.environ, "VELOX_DATA_DIR": folder, "DJANGO_SETTINGS_MODULE": "velox_site.settings"}
        answer = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
    return int(answer.stdout) / 1024


def tradebook(fills: int) -> Iterator[str]:
    """Yield the lines of a tradebook: trades of two fills, a thousand fills a day, of fifty shares."""
    source, day = random.Random(14), date(2023, 1, 1)
    yield HEADER
    for number in range(fills):
        if number % OF_A_DAY == 0:
            day += timedelta(days=3 if day.weekday() == 4 else 1)
        if number % 2 == 0:
            symbol, units = source.randrange(SYMBOLS), source.randrange(1, 40)
        price, at = 100 + 13 * symbol + source.randrange(400) / 20, datetime.combine(day, time(9, 15))
        at += timedelta(seconds=20 * (number % OF_A_DAY))
        yield (
            f"SYM{symbol:02d},INE{symbol:03d}A01010,{day},NSE,EQ,EQ,{('buy', 'sell')[number % 2]},false,{units}.000000,"
            f"{price:.6f},{10_000_000 + number},{1_100_000_000_000_000 + number},{at:%Y-%m-%dT%H:%M:%S}"
        )


def main(fills: str, way: str = "") -> None:
    django.setup()
    file = Path(os.environ["VELOX_DATA_DIR"]) / "tradebook.csv"
    with file.open("w") as lines:
        lines.writelines(f"{line}\n" for line in tradebook(int(fills)))
    call_command("migrate", verbosity=0)
    with contextlib.redirect_stdout(StringIO()), contextlib.redirect_stderr(StringIO()):
        call_command("broker_import", str(file), *(("--dry-run",) if way else ()), "--format", "json")
    # Not what `getrusage` tells: that begins with what the parent had.
    print(STATUS.read_text().split("VmHWM:")[1].split()[0])


ROWS = [
    Row("broker-memory", "memory of a broker's fills imported, ten times as many against a tenth", prepare, rounds=1),
]

if __name__ == "__main__":
    main(*sys.argv[1:])
