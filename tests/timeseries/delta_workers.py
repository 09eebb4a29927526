"""Processes of their own for the tests of the store: `python -m tests.timeseries.delta_workers ROLE FOLDER ...`."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

from tests.timeseries.batches import INDIA, SECOND, at, batch, prices
from timeseries.errors import StoreUnavailable
from timeseries.measurements import TICKS
from timeseries.stores.base import PointQuery
from timeseries.stores.delta.store import DeltaStore

OPEN = at("2021-04-12 09:15")
ROWS = 50


def slice_of(source: str, number: int):
    """Return the slice of this number: its times and prices follow from it, and it overlaps the one before."""
    first = number * ROWS + 1
    times = [OPEN + (first + step - (step % 7)) * SECOND + step for step in range(ROWS)]
    return batch(prices("RELIANCE", times, [float(first + step) for step in range(ROWS)]), source=source, first=first)


def write(store: DeltaStore, source: str, start: int, stop: int) -> None:
    """Write the slices and say each number once it is acknowledged."""
    for number in range(start, stop):
        while True:
            try:
                store.write(slice_of(source, number))
                break
            except StoreUnavailable:
                continue
        print(number, flush=True)


def care(store: DeltaStore) -> None:
    while True:
        store.care(now=time.time_ns())
        # Without any grace, so that readers meet it: but only what compaction replaced, for a file that is being
        # written must have its grace.
        table = store.writers["ticks"]
        if table.snapshot() is not None:
            table._table.vacuum(retention_hours=0, dry_run=False, enforce_retention_duration=False)
        print("cared", flush=True)


def fork(store: DeltaStore) -> None:
    """Use the store, fork, and say what the child meets."""
    query = PointQuery(TICKS, 0, 2**62)
    store.write(slice_of("default", 0))
    store.read(query)
    if os.fork() == 0:
        for call in (lambda: store.read(query), lambda: store.write(slice_of("default", 1)), store.ping):
            try:
                call()
                print("answered", flush=True)
            except StoreUnavailable as error:
                print("StoreUnavailable", error.code, flush=True)
        os._exit(0)
    os.wait()
    print(len(store.read(query)), flush=True)


if __name__ == "__main__":
    role, folder, *rest = sys.argv[1:]
    subject = DeltaStore(Path(folder), zone=INDIA)
    if role == "write":
        write(subject, rest[0], int(rest[1]), int(rest[2]))
    else:
        {"care": care, "fork": fork}[role](subject)
