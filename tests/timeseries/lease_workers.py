"""Shippers in processes of their own that come to a halt: `python -m tests.timeseries.lease_workers ROLE FOLDER`.

Each says "here" and halts, and goes on once it is let: "writing" before the store has anything, "settling" between the
outcome's bytes and its name.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

from tests.timeseries.batches import INDIA
from timeseries.shipping.shipper import ship_slice
from timeseries.spool import durable
from timeseries.spool.folder import Spool
from timeseries.spool.lane import LeaseHeld
from timeseries.stores.delta.store import DeltaStore


def halt(folder: Path) -> None:
    print("here", flush=True)
    while not (folder / "go").exists():
        time.sleep(0.01)


if __name__ == "__main__":
    role, folder = sys.argv[1], Path(sys.argv[2])
    store, write, write_file = DeltaStore(folder / "delta", zone=INDIA), DeltaStore.write, durable.write_file
    if role == "writing":
        DeltaStore.write = lambda self, batch: (halt(folder), write(self, batch))[1]  # type: ignore[method-assign]
    if role == "settling":
        durable.write_file = lambda path, content: (write_file(path, content), halt(folder))[0]
    (lane,) = Spool(folder / "spool").lanes()
    try:
        print(ship_slice(lane, store, owner=f"the {role} one", rows=3), flush=True)
    except LeaseHeld as error:
        print(error.code, flush=True)
