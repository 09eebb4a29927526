"""Replaying market files with the real command: from opening the files until the store has acknowledged every tick."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import count
from pathlib import Path

from bench.former import against_former
from bench.harness import Figures, Row
from bench.scenarios.replayed_file import write_lines
from trading.simulator import simulate
from trading.strategies.base import instant, nanoseconds

ROOT = Path(__file__).resolve().parent.parent
OPENS, CLOSES = datetime(2021, 4, 12, 3, 45, tzinfo=UTC), datetime(2021, 4, 12, 10, tzinfo=UTC)
FIGURE = "100,000 ticks"


@contextmanager
def prepare() -> Iterator[Figures]:
    """Give each round a source of its own in one data folder, so that every round records all ticks."""
    with tempfile.TemporaryDirectory(prefix="velox-bench-", ignore_cleanup_errors=True) as folder:
        environment = {**os.environ, "VELOX_DATA_DIR": folder}
        files = market_files(Path(folder))
        manage(environment, "migrate", "--verbosity", "0")
        rounds = count()

        def measure() -> dict[str, float]:
            source = f"round {next(rounds)}"
            answer = json.loads(manage(environment, "replay", *map(str, files), "--source", source, "--format", "json"))
            if answer["ticks_stored"] != answer["rows_read"]:
                raise RuntimeError(f"of {answer['rows_read']} rows {answer['ticks_stored']} are stored")
            return {FIGURE: answer["elapsed_seconds"] / answer["ticks_stored"] * 100_000}

        yield Figures(measure, {FIGURE: 1.0}, "seconds")


def manage(environment: dict[str, str], *arguments: str) -> str:
    command = [sys.executable, str(ROOT / "manage.py"), *arguments]
    return subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout


def market_files(folder: Path) -> list[Path]:
    """Return the real files where they are, else a simulated day of as many symbols."""
    real = Path(os.environ.get("VELOX_TEST_DATA", ROOT.parent / "shared" / "data")) / "nse-ticks-2021"
    return sorted(real.glob("*.csv")) or list(simulated_files(folder))


def simulated_files(folder: Path) -> Iterator[Path]:
    for seed in range(3):
        for symbol in simulate(nanoseconds(OPENS), nanoseconds(CLOSES), seed=seed):
            path = folder / f"{symbol.name} {seed}.csv"
            columns = zip(symbol.time.tolist(), symbol.price.tolist(), symbol.day_volume.tolist(), strict=True)
            rows = "".join(f"{instant(time).isoformat()},{price},{volume:.0f}\n" for time, price, volume in columns)
            path.write_text(f"timestamp,ltp,volume\n{rows}")
            yield path


MEMORY_MARK, GROWTH_MARK = 400.0, 40.0
SMALL, LARGE = 50, 500  # megabytes of CSV
LINE_BYTES = 38


@contextmanager
def memory() -> Iterator[Figures]:
    """Replay a small and a large file (of `REPLAY_MEGABYTES`) by the command, each into a folder of its own."""
    large = float(os.environ.get("REPLAY_MEGABYTES", LARGE))

    def measure() -> dict[str, float]:
        small, peak = peak_mb(SMALL), peak_mb(large)
        return {f"peak at {large:g} MB": peak, f"beyond {SMALL} MB's": peak - small}

    yield Figures(
        measure, {f"peak at {large:g} MB": MEMORY_MARK, f"beyond {SMALL} MB's": GROWTH_MARK}, "MB", is_long=True
    )


def peak_mb(megabytes: float) -> float:
    """Return the peak of the command's memory for a file of this size."""
    with tempfile.TemporaryDirectory(prefix="velox-bench-", ignore_cleanup_errors=True) as folder:
        environment, file = {**os.environ, "VELOX_DATA_DIR": folder}, Path(folder) / "feed.csv"
        manage(environment, "migrate", "--verbosity", "0")
        write_lines(file, int(megabytes * 1e6 / LINE_BYTES))
        command = [sys.executable, str(ROOT / "manage.py"), "replay", str(file), "--format", "json"]
        process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            raise RuntimeError(f"The replay ended with {process.returncode}: see above.")
        return usage.ru_maxrss / 1024


ROWS = [
    Row(
        "replayed_file",
        "a market file of 500,000 lines until all of it is in the spool, with nobody who ships",
        lambda: against_former("replayed_file"),
        mark=1.5,
        unit="lines per second",
    ),
    Row("replay_memory", "peak of memory of replaying a file", memory, unit="MB", is_asked_for=True),
    Row(
        "replay",
        "real files with --strategy none, until the store has them",
        prepare,
        mark=1.0,
        unit="seconds",
        settings={"mark": "1.0 s = 100,000 ticks/s", "stretch": "0.4 s = 250,000 ticks/s", "store": "Delta tables"},
    ),
]
