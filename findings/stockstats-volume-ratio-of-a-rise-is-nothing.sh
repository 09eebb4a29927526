#!/usr/bin/env bash
# The volume ratio of a market that rises climbs to 5,100 and is 0 with the next bar that rises.
#
# Guess before the run (2026-11-30; a first print of a rise had hinted otherwise): the ratio is the volume of the rising bars over that
# of the falling ones in 26 bars: 2,500 with one that fell, and more, infinite or NaN with none.
# Seen, stockstats 0.6.10 with pandas 2.3.3: 2,500 with one that fell, and 0 with none, as in a market that only fell. Where nothing is
# below the line the answer is 0. In a rise from the first row on that row, which has no change, counts by half, so the
# ratio is 5,100 at the 26th bar and 0 at the 27th. "Low volume ratio, nobody buys" is told of the strongest of all markets.
# What VELOX does: it has no volume ratio; figures that are not defined are None.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check stockstats==0.6.10 pandas==2.3.3 numpy==2.4.6
"$folder/venv/bin/python" -W ignore - <<'PY'
import pandas as pd
from stockstats import wrap


def ratio(closes):
    index = pd.date_range("2026-01-05 09:15", periods=len(closes), freq="min")
    frame = pd.DataFrame({column: closes for column in ("open", "high", "low", "close")}, index=index, dtype=float)
    return wrap(frame.assign(volume=1000.0))["vr"].round(1).tolist()


rise, fall = ratio(range(100, 140)), ratio(range(200, 160, -1))
one_fell = ratio([*range(100, 130), 128, *range(129, 138)])
print("a rise, bars 25 to 28:", rise[24:28], "- a fall, at the end:", fall[-1], "- one bar fell:", one_fell[-1])
assert rise[24:28] == [4900, 5100, 0, 0], "changed: of a rise"
assert fall[-1] == 0 and one_fell[-1] == 2500, "changed: of a fall, or of a rise with one bar that fell"
PY
echo "as stated"
