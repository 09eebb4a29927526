"""Write the sample market file beside this script: a day of a share that does not exist, the same on every machine.

python examples/make_sample.py [FILE]
"""

from __future__ import annotations

import gzip
import sys
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

sys.path.insert(0, str(Path(__file__).parents[1]))
from trading.simulator import Share, simulate

KOLKATA = ZoneInfo("Asia/Kolkata")
OPENS, CLOSES = datetime(2024, 3, 15, 9, 15, tzinfo=KOLKATA), datetime(2024, 3, 15, 15, 30, tzinfo=KOLKATA)
SAMPLE = Share("SAMPLE", price=742.50, ticks=9_000, size=40)
FILE = Path(__file__).with_name("SAMPLE_15_March.csv.gz")
SECOND = 10**9


def rows() -> str:
    """Return the file's text: naive wall times to the second, last prices, the day's volume so far."""
    (day,) = simulate(int(OPENS.timestamp()) * SECOND, int(CLOSES.timestamp()) * SECOND, seed=15, shares=[SAMPLE])
    stamps = (datetime.fromtimestamp(instant // SECOND, UTC).astimezone(KOLKATA) for instant in day.time.tolist())
    columns = zip(stamps, day.price.tolist(), day.day_volume.tolist(), strict=True)
    lines = (f"{stamp:%Y-%m-%d %H:%M:%S},{price:.2f},{volume:.0f}\n" for stamp, price, volume in columns)
    return "timestamp,ltp,volume\n" + "".join(lines)


if __name__ == "__main__":
    file = Path(sys.argv[1]) if len(sys.argv) > 1 else FILE
    file.write_bytes(gzip.compress(rows().encode(), mtime=0))
