"""A backtest of three real files beside the same in nautilus_trader, which lives in an environment of its own.

The peer (LGPL) is run, never imported: `var/peer/env` is made here from the package index. Both play the plain cross of
two averages over 64,889 ticks; reading files is out on both sides, strategy, fills, P&L and statistics are in. The
peer's P&L differs by the tick that fills it: it is a peer for speed, no oracle.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from itertools import cycle, islice
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow.csv

from bench.harness import Figures, Row, Skipped
from lab.backtest.days import DayTicks, SymbolTicks, counting
from lab.backtest.desk import LabDesk
from lab.backtest.orders import OrderBook
from lab.backtest.outcome import digests_of, statistics_of
from lab.backtest.skipping import skipping
from lab.backtest.walk import WalkDay, plainly, walk
from lab.domain.fills import FillModel, TradedInstrument
from tests.lab.plain_cross import PlainCross
from trading.queries.market_day import MarketDay
from trading.strategies.parameters import set_parameters

ROOT = Path(__file__).resolve().parent.parent
PEER = "nautilus_trader==1.221.0"
STEMS = {"RELIANCE": "RELIANCE", "M&M": "MM", "BAJAJ-AUTO": "BAJAJ_AUTO"}
DAY = date(2021, 4, 12)
OPENS_AT = datetime(2021, 4, 12, 3, 45, tzinfo=UTC)
PLAIN, SKIPPING, SWEEP, MEMORY = "plain walk", "skipping walk", "a set of a sweep", "peak of memory"
SETS = [(fast, slow) for fast in range(3, 13) for slow in range(15, 35, 2)]  # a hundred
SETS_A_ROUND = 5


@contextmanager
def prepare() -> Iterator[Figures | Skipped]:
    """Yield CPU per tick as a share of the peer's, walk by walk, the two sides in turn."""
    folder = Path(os.environ.get("VELOX_TEST_DATA", ROOT.parent / "shared" / "data")) / "nse-ticks-2021"
    files = {symbol: folder / f"{stem}_12_April.csv" for symbol, stem in STEMS.items()}
    python = peer_python()
    if python is None or not all(file.is_file() for file in files.values()):
        yield Skipped("there are no market files (VELOX_TEST_DATA)" if python else f"{PEER} could not be installed")
        return
    # To the peer a symbol with an underscore is a spread of two.
    words = [f"{stem.replace('_', '')}={files[symbol]}" for symbol, stem in STEMS.items()]
    command = [str(python), "-P", str(ROOT / "bench" / "backtest_peer.py"), *words]
    day = day_of(files)
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as peer:

        def theirs(words: str = "") -> dict[str, float]:
            assert peer.stdin is not None and peer.stdout is not None
            peer.stdin.write(f"{words}\n")
            peer.stdin.flush()
            return dict(json.loads(peer.stdout.readline()))

        memory = peak_of(files) / theirs()["peak"]
        sets = cycle(SETS[::7] + SETS)  # the first ones are far apart

        def measure() -> dict[str, float]:
            answer = theirs()
            of_peer = answer["seconds"] / answer["ticks"]
            asked = list(islice(sets, SETS_A_ROUND))
            peers = sum(theirs(f"{fast} {slow}")["seconds"] for fast, slow in asked)
            return {
                PLAIN: played(day, plainly) / of_peer,
                SKIPPING: played(day, skipping) / of_peer,
                SWEEP: swept(day, asked) / peers,
                MEMORY: memory,
            }

        marks = {PLAIN: 1.0, SKIPPING: 0.2, SWEEP: 0.2, MEMORY: 1.0}
        yield Figures(measure, marks, "of the peer's CPU per tick, and of its memory")
        assert peer.stdin is not None
        peer.stdin.close()


def peer_python() -> Path | None:
    """Return the interpreter of the peer's environment, made where it is missing; None where it cannot be."""
    environment = ROOT / "var" / "peer" / "env"
    python = environment / "bin" / "python"
    try:
        if not python.exists():
            subprocess.run([sys.executable, "-m", "venv", environment], check=True)
        if subprocess.run([python, "-c", "import nautilus_trader"], capture_output=True, check=False).returncode:
            subprocess.run([python, "-m", "pip", "install", "--quiet", PEER], check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return python


def day_of(files: dict[str, Path]) -> DayTicks:
    """Return the ticks of the files in their own order, late ones dropped."""
    symbols = []
    for symbol, file in sorted(files.items()):
        rows = pyarrow.csv.read_csv(file)
        wall = rows.column("timestamp").to_numpy().astype("datetime64[s]").astype(np.int64)
        time_ns = (wall - 19_800) * 10**9  # India is 5:30 ahead
        kept = time_ns >= np.maximum.accumulate(time_ns)
        price = rows.column("ltp").to_numpy().astype(np.float64)[kept]
        absent = np.full(len(price), np.nan)
        market = MarketDay(symbol, DAY, midnight(DAY), midnight(DAY + timedelta(days=1)), OPENS_AT,
                           OPENS_AT + timedelta(hours=6, minutes=15), True)  # fmt: skip
        at = time_ns[kept]
        symbols.append(SymbolTicks(symbol, "file", at, price, absent, absent, at, counting(at, market), market))
    places = np.argsort(np.argsort(np.concatenate([ticks.time for ticks in symbols]), kind="stable"), kind="stable")
    cuts = np.cumsum([len(ticks.time) for ticks in symbols])[:-1]
    placed = [placed_at(ticks, place) for ticks, place in zip(symbols, np.split(places, cuts), strict=True)]
    return DayTicks(DAY, placed)


def placed_at(ticks: SymbolTicks, place: np.ndarray) -> SymbolTicks:
    return SymbolTicks(ticks.symbol, ticks.source, ticks.time, ticks.price, ticks.volume, ticks.day_volume, place,
                       ticks.counts, ticks.market)  # fmt: skip


def midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=ZoneInfo("Asia/Kolkata")).astimezone(UTC)


def played(day: DayTicks, by: WalkDay) -> float:
    """Walk the day once; return the CPU seconds a tick."""
    began = time.process_time()
    desk = LabDesk(OrderBook(FillModel(0, 0), {ticks.symbol: TradedInstrument() for ticks in day.symbols}))
    walk(desk, PlainCross(), [day], by)
    figures = statistics_of(desk, [DAY], {date(2000, 1, 1): 10**13})
    seconds = time.process_time() - began
    if (figures["total_trades"], str(figures["total_pnl"])) != (41, "50.5"):
        raise RuntimeError(f"{figures['total_trades']} trades, {figures['total_pnl']}")
    return seconds / len(day)


def swept(day: DayTicks, sets: Sequence[tuple[int, int]]) -> float:
    """Play the day to each set as a worker of a search does; return the CPU seconds."""
    instruments = {ticks.symbol: TradedInstrument() for ticks in day.symbols}
    began = time.process_time()
    for fast, slow in sets:
        strategy, desk = PlainCross(), LabDesk(OrderBook(FillModel(0, 0), instruments))
        set_parameters(strategy, {"fast": fast, "slow": slow})
        walk(desk, strategy, [day], skipping)
        digests_of(desk, [DAY])
    return time.process_time() - began


def peak_of(files: dict[str, Path]) -> int:
    """Return the peak of memory, in bytes, of a process that plays the files once, tick by tick."""
    words = [f"{symbol}={file}" for symbol, file in files.items()]
    command = [sys.executable, "-m", "bench.backtest_memory", *words]
    return int(subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout)


ROWS = [
    Row(
        "backtest",
        "three real files, a plain cross of averages, against nautilus_trader",
        prepare,
        unit="CPU per tick",
        settings={
            "peer": PEER,
            "mark": "plain and memory at most 1.0, skipping and a sweep at most 0.2",
            "stretch": "skipping 0.083",
        },
    )
]
