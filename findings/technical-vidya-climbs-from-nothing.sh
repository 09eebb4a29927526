#!/usr/bin/env bash
# The average of a price that stands at 100 is 0, and that of a share at 2,450 is 1,381 after twenty bars.
#
# Guess before the run (2026-11-30; a first print had hinted otherwise): VIDYA is an exponential average whose speed follows the market, so
# of a price that does not move it is that price, and of one that moves by half a rupee it is near it from its first value on.
# Seen, technical 1.7.0 (of freqtrade) with TA-Lib 0.8.2 and pandas 2.3.3: it begins at 0 instead of at a price, and the stiller the market,
# the slower it climbs: never at 100 flat; of 2,450 with half a rupee up twice and down once by turns it is 316 after ten bars and
# still 70 below the price after sixty. For that time the price is above its average, so a rule "buy above VIDYA" is long in
# every share at the start of every series. Nothing is NaN.
# What VELOX does: it computes no such average; its own strategies count averages of closed candles with talipp.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check technical==1.7.0 TA-Lib==0.8.2 pandas==2.3.3 numpy==2.4.6
"$folder/venv/bin/python" -W ignore - <<'PY'
import pandas as pd
from technical.indicators import VIDYA


def average(closes):
    return VIDYA(pd.DataFrame({"close": closes}, dtype=float)).round(1)


still = average([100] * 60)
steps = [0.5, 0.5, -0.5]  # two up, one down
moving = average(pd.Series([2450, *(steps[bar % 3] for bar in range(300))]).cumsum())
print("at 100 flat:", still.iloc[-1], "- at 2,450, after 10, 20, 30, 60 bars:", moving.iloc[[10, 20, 30, 60]].tolist())
print("missing:", int(moving.isna().sum()), "- at the end:", moving.iloc[-1])
assert still.iloc[-1] == 0, "changed: of a still price"
assert moving.iloc[10] < 400 and moving.iloc[20] < 1500 < 2450 < moving.iloc[-1] and not moving.isna().any(), "changed: of a price that moves"
PY
echo "as stated"
