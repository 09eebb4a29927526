"""/metrics: processor time of a scrape at 1,000 strategies and 50 open positions, and memory over 1,000 scrapes."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db import connections

from bench.harness import Figures, Row
from bench.ledger import ENTRY, EXIT, QUANTITY, ledger_of_its_own
from timeseries.recording.recorder import Recorder
from trading.metrics.snapshot import RecentSnapshot
from trading.metrics.text import Texts
from trading.operations.close_position import close_position
from trading.operations.open_position import open_position

STRATEGIES, POSITIONS, SCRAPES, WARM = 1_000, 50, 1_000, 100
CPU, GROWTH = "processor time of a scrape, ms", f"memory grown from scrape {WARM} to {SCRAPES}, MB"
CPU_MS_MAX, GROWTH_MB_MAX = 20, 2
FOLDERS = ("DATA_DIR", "SPOOL_DIR", "DELTA_DIR")


@contextmanager
def prepare() -> Iterator[Figures]:
    with ledger_of_its_own() as folder:
        kept = {name: getattr(settings, name) for name in FOLDERS}
        (folder / "journal.key").write_bytes((Path(kept["DATA_DIR"]) / "journal.key").read_bytes())
        for name, place in zip(FOLDERS, (folder, folder / "spool", folder / "delta"), strict=True):
            setattr(settings, name, place)
        recorder = Recorder(settings.SPOOL_DIR, source="feed", account="main", zone=ZoneInfo(settings.TIME_ZONE))
        try:
            _fill(recorder)
            yield Figures(lambda: _measured(recorder), {CPU: CPU_MS_MAX, GROWTH: GROWTH_MB_MAX}, "", is_long=True)
        finally:
            recorder.close()
            for name, place in kept.items():
                setattr(settings, name, place)


def _fill(recorder: Recorder) -> None:
    """Close one trade of each strategy today, and open positions whose symbols tick."""
    with connections["default"].cursor() as cursor:
        cursor.execute("PRAGMA synchronous = OFF")  # what is measured comes afterwards
    for number in range(STRATEGIES):
        _trade(f"closed {number}", f"strategy {number}")
    for number in range(POSITIONS):
        now = datetime.now(UTC)
        open_position(
            "main", f"open {number}", f"strategy {number}", f"S{number}",
            entry_price=ENTRY, quantity=QUANTITY, entry_time=now, stop_price=ENTRY - 10,
        )  # fmt: skip
        assert recorder.tick(f"S{number}", {"ltp": float(ENTRY)})


def _trade(trade_id: str, strategy: str) -> None:
    now = datetime.now(UTC)
    open_position("main", trade_id, strategy, "RELIANCE", entry_price=ENTRY, quantity=QUANTITY, entry_time=now)
    close_position("main", trade_id, strategy, "RELIANCE", exit_price=EXIT, exit_time=now)


def _measured(recorder: Recorder) -> dict[str, float]:
    """Scrape while the desk goes on: before each a tick came, before every tenth a trade."""
    texts, seconds, warm_mb = Texts(), 0.0, 0.0
    for number in range(SCRAPES):
        assert recorder.tick(f"S{number % POSITIONS}", {"ltp": float(ENTRY) + number % 7})
        if number % 10 == 0:
            _trade(f"scraped {number}", f"strategy {number % STRATEGIES}")
        if number == WARM:
            warm_mb = _resident_mb()
        started = time.process_time()
        snapshot = RecentSnapshot(
            patience_seconds=60
        ).get()  # in a thread that connects anew, as the web process's does
        assert snapshot is not None
        text, _ = texts.write(snapshot, "")
        seconds += time.process_time() - started
        assert text.count(b"\nvelox_pnl_realised{") == STRATEGIES
        assert text.count(b"\nvelox_position_pnl_unrealised{") == POSITIONS
    return {CPU: seconds / SCRAPES * 1000, GROWTH: _resident_mb() - warm_mb}


def _resident_mb() -> float:
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1]) / 1024


ROWS = [Row("scrape", "a scrape of /metrics at 1,000 strategies and 50 open positions", prepare, unit="", rounds=1)]
