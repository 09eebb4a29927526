"""The archive on a real S3 server: a day's copy beside plain puts of its files, a symbol-day's candles beside local.

``ARCHIVE_TICKS`` is the number of a day's ticks (20 million). The server is that of the tests (`make s3`).
"""

from __future__ import annotations

import math
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import count
from pathlib import Path

import numpy as np
from deltalake import DeltaTable

from bench.harness import Pair, Pairs, Row, Skipped
from bench.store import DAY, MIDNIGHT, OPEN, SECOND, SEGMENT_ROWS, SYMBOLS, ZONE, points
from tests.s3_server import CACHE, S3Server, s3_server
from timeseries.reader import Reader
from timeseries.spool.folder import Spool
from timeseries.stores.delta import store as delta_store
from timeseries.stores.delta.bucket import ObjectStore
from timeseries.stores.delta.store import DeltaStore

TICKS_A_DAY = int(os.environ.get("ARCHIVE_TICKS", "20000000"))
LATER = MIDNIGHT + 5 * 86_400 * SECOND
SESSION = 6 * 3600 * SECOND  # over which the ticks are spread
COPIED, READ = 0.5, 0.2  # of a plain copy; of the local speed


@contextmanager
def prepare() -> Iterator[Pairs | Skipped]:
    if shutil.which("versitygw", path=f"{CACHE}{os.pathsep}{os.environ.get('PATH', '')}") is None:
        yield Skipped("there is no S3 server: make s3")
        return
    with tempfile.TemporaryDirectory(prefix="velox-bench-archive-") as name:
        folder = Path(name)
        here = DeltaStore(folder / "here", zone=ZONE)
        _fill(here)
        with s3_server(folder) as server:
            _archived(here, f"{server.url}-first", server, keep_local_days=None)  # its files are by symbol from then on
            shutil.copytree(here.root, folder / "there", ignore=shutil.ignore_patterns(".scratch"))  # it comes and goes
            there = _archived(DeltaStore(folder / "there", zone=ZONE), server.url, server, keep_local_days=0)
            local, archived = _candles(here, folder), _candles(there, folder)
            assert archived() == local()
            yield Pairs({
                "a day's copy, of plain puts of the same files": (_copies(here, server), COPIED),
                "candles of a symbol-day, its files at hand": (Pair(archived, local), READ),
                "candles of a symbol-day, first reading": (Pair(_anew(there, archived), local), READ),
            })  # fmt: skip


def _fill(store: DeltaStore) -> None:
    """Write a day of ticks and let it be merged."""
    step = SESSION * len(SYMBOLS) // TICKS_A_DAY
    for first in range(0, TICKS_A_DAY, SEGMENT_ROWS):
        batch = points(first + 1, SEGMENT_ROWS, OPEN)
        times = OPEN + (first + np.arange(SEGMENT_ROWS)) // len(SYMBOLS) * step
        store.write(replace(batch, time=times, exchange_time=times))
    delta_store.CARE_SECONDS = math.inf
    store.care(now=LATER)


def _archived(store: DeltaStore, url: str, server: S3Server, *, keep_local_days: int | None) -> DeltaStore:
    """Archive a folder's day at an address of its own, as if it were at none before, and return its store."""
    for note in store.root.glob("archive-*"):
        note.unlink()
    there = DeltaStore(store.root, zone=ZONE, bucket=ObjectStore(url, server.access))
    assert there.archive is not None
    there.archive.run(now=LATER, keep_local_days=keep_local_days)
    return there


def _copies(store: DeltaStore, server: S3Server) -> Pair:
    # What was merged into others lies there for another hour: it is of no day's copy.
    files = sorted(map(Path, DeltaTable(str(store.root / "ticks")).file_uris()))
    size, numbers = sum(file.stat().st_size for file in files), count()

    def ours() -> int:
        _archived(store, f"{server.url}-{next(numbers)}", server, keep_local_days=None)
        return size

    def reference() -> int:
        place = ObjectStore(f"{server.url}-plain-{next(numbers)}", server.access)
        for file in files:
            place.put(file.name, file)
        return size

    return Pair(ours, reference)


def _candles(store: DeltaStore, folder: Path) -> Callable[[], int]:
    reader = Reader(Spool(folder / "spool"), store, zone=ZONE)

    def read() -> int:
        table = reader.candles(
            "SYM25", every=60 * SECOND, start=DAY.start, stop=DAY.stop, source=None, account="main", sessions=[DAY]
        )
        assert len(table) > 100
        return len(table)

    return read


def _anew(store: DeltaStore, read: Callable[[], int]) -> Callable[[], int]:
    def first() -> int:
        for table in store.tables.values():
            table.archived.give_up_copies()
        return read()

    return first


ROWS = [
    Row(
        "archive",
        f"{TICKS_A_DAY // 10**6} million ticks of a day on an S3 server",
        prepare,
        unit="bytes or candles per second",
        settings={"ARCHIVE_TICKS": str(TICKS_A_DAY)},
    )
]
