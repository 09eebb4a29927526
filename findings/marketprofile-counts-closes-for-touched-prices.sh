#!/usr/bin/env bash
# A profile of the times at each price counts one price for each half hour.
#
# Guess before the run (2026-11-29): MarketProfile's mode "tpo" is the known profile: each half hour is counted at every price between
# its low and its high, so that the price which most of them touched is the point of control.
# Seen, MarketProfile 0.2.0: each candle counts at its close alone. Three half hours that all traded from 100 to 101 and closed at
# 100, 101 and 101 have one count at 100, two at 101 and none at 100.50, which every one of them touched; the value area is of
# closes, and moves when the candles are cut otherwise.
# What VELOX does: it makes no profile; volume at a price is a question to its ticks.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check MarketProfile==0.2.0 pandas==2.3.3
"$folder/venv/bin/python" -W ignore - <<'PY'
import pandas as pd
from market_profile import MarketProfile

halves = pd.date_range("2026-01-05 09:15", periods=3, freq="30min")
closes = [100.0, 101.0, 101.0]
candles = pd.DataFrame({"Open": 100.5, "High": 101.0, "Low": 100.0, "Close": closes, "Volume": 1}, index=halves)
profile = MarketProfile(candles, tick_size=0.5, mode="tpo")[halves[0] : halves[-1]].profile
seen = {float(price): int(count) for price, count in profile.items()}
print("half hours at each price", seen, "- each of the three touched", [100.0, 100.5, 101.0])
assert seen == {100.0: 1, 101.0: 2}, "changed: what is counted"
PY
echo "as stated"
