#!/usr/bin/env bash
# The VWAP of a day contains the end of the day before.
#
# Guess before the run (2026-11-28): ta's docstring says that VWAP divides by the volume "for the current day" and that it
# starts when trading opens; over an index of two sessions the first bar of the second is that bar's own typical price.
# Seen, ta 0.11.0 with pandas 3.1.1: it is the average of the last 14 rows, whatever their days. After a gap of 50 at the
# opening the second session's first VWAP lies 47 above its price, and after the 14th bar it forgets the opening, so it is
# not the day's benchmark at the close either. No warning; the index of times is never looked at.
# What VELOX does: it counts no VWAP of its own; what a strategy records as one is recorded under the strategy's name.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check ta==0.11.0 pandas==3.1.1
"$folder/venv/bin/python" -W ignore - <<'PY'
import pandas as pd
from ta.volume import VolumeWeightedAveragePrice

BARS = 75
times = [pd.Timestamp(f"2026-01-0{day} 09:15") + pd.Timedelta(minutes=5 * bar) for day in (5, 6) for bar in range(BARS)]
close = pd.Series([150 + bar * 0.01 for bar in range(BARS)] + [100 + bar * 0.1 for bar in range(BARS)], index=times)
volume = pd.Series(1000.0, index=times)
# high, low and close are one here, so the typical price is the close
vwap = VolumeWeightedAveragePrice(close, close, close, volume).volume_weighted_average_price()
second = close.iloc[BARS:]
by_hand = (second * 1000).cumsum() / (1000.0 * pd.Series(range(1, BARS + 1), index=second.index))
for name, bar in (("first bar", 0), ("last bar", BARS - 1)):
    print(f"second day, {name}: VWAP {vwap.iloc[BARS + bar]:.2f}, of the day by hand {by_hand.iloc[bar]:.2f}")
assert vwap.iloc[BARS] - by_hand.iloc[0] > 40, "changed: the second day starts anew"
assert abs(vwap.iloc[-1] - second.iloc[-14:].mean()) < 1e-9, "changed: not the last 14 rows"
assert vwap.iloc[-1] - by_hand.iloc[-1] > 3, "changed: the day's whole volume is counted"
PY
echo "as stated"
