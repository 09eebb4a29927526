"""What a process holds does not grow with the commits that it made to the embedded store."""

from __future__ import annotations

import platform
import subprocess
import sys
from pathlib import Path

import pytest

COMMITS = """
import sys
from datetime import date, timedelta
from pathlib import Path
from timeseries.measurements import TICKS
from timeseries.stores.delta.table import MeasurementTable, listing
from trading.small_memory import stay_small

stay_small()

def held() -> int:
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("RssAnon"))

table = MeasurementTable(Path(sys.argv[1]), TICKS)
bounds = {name: f"A{name}" for name in TICKS.series_tags}
statistics = {"numRecords": 1, "minValues": bounds, "maxValues": bounds, "nullCount": {}}
for number in range(120):
    day = date(2020, 1, 1) + timedelta(days=number // 4)
    added = [listing(f"day={day}/{number}.parquet", 1000, day, statistics)]
    table.commit(table.complete(), added=added, transaction=("replay/ticks", number))
    if number == 30:
        before = held()
print(held() - before)
"""


@pytest.mark.skipif(platform.system() != "Linux", reason="memory is read from /proc")
def test_commits_leave_no_memory_behind(tmp_path: Path) -> None:
    command = [sys.executable, "-c", COMMITS, str(tmp_path / "ticks")]
    kilobytes = int(subprocess.run(command, capture_output=True, check=True).stdout)
    assert kilobytes < 8_000
