"""Pumps in processes of their own: `python -m tests.timeseries.pump_workers ROLE FOLDER`."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

from tests.timeseries.batches import INDIA
from timeseries.shipping.pump import Pump
from timeseries.shipping.shipper import ship_slice
from timeseries.spool.folder import Spool
from timeseries.spool.lane import Lane
from timeseries.stores.delta.store import DeltaStore


def die(*_: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    role, folder = sys.argv[1], Path(sys.argv[2])
    pump = Pump(Spool(folder / "spool"), DeltaStore(folder / "delta", zone=INDIA))
    ship_slice.__kwdefaults__["rows"] = 20  # many slices, so that there is much to race for
    if role == "die before settling":
        Lane.settle = die  # type: ignore[method-assign]
    if role == "die before writing":
        DeltaStore.write = die  # type: ignore[method-assign]
    print("ready", flush=True)
    while True:
        settled = pump.run_once().settled
        if settled:
            print(settled, flush=True)
        pump.wait(0.01)
