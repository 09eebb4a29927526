"""A pump that ships to InfluxDB in a process of its own: `python -m tests.timeseries.influx_pump_worker FOLDER URL`."""

from __future__ import annotations

import sys
from pathlib import Path

from tests.timeseries.batches import INDIA
from timeseries import pump
from timeseries.spool import Spool
from timeseries.stores.influx import InfluxServer, InfluxStore

if __name__ == "__main__":
    folder, url = Path(sys.argv[1]), sys.argv[2]
    pump.HOLD_SECONDS = (0.001, 0.01)  # the test has no patience
    server = InfluxServer(url, org="velox", token="t", timeout_seconds=(1.0, 0.1))
    store = InfluxStore(server, bucket="velox", zone=INDIA)
    store.slice_rows = 40  # many slices, so that there are many moments to be killed in
    pumping = pump.Pump(Spool(folder / "spool"), store)
    print("ready", flush=True)
    while True:
        pumping._rung = True
        pumping.run_once()
        pumping.wait(0.002)
