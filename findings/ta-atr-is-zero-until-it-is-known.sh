#!/usr/bin/env bash
# An average true range of ta is 0.0 until it is known, and so is its ADX; the RSI beside them is NaN.
#
# Guess before the run (2026-11-28): what an indicator cannot tell yet is NaN, in every indicator of one library, as long as
# `fillna` is left off.
# Seen, ta 0.11.0 with pandas 3.1.1: `AverageTrueRange` answers 0.0 for its first 13 rows and `ADXIndicator` for its first 27,
# with fillna=False; `RSIIndicator` answers NaN for its first 13. A stop of two ATRs then lies at the entry price, a position
# sized by ATR is endless, and no test for NaN tells.
# What VELOX does: an indicator that is not known yet is not recorded; a recorded NaN is refused.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check ta==0.11.0 pandas==3.1.1
"$folder/venv/bin/python" - <<'PY'
import pandas as pd
from ta.momentum import RSIIndicator
from ta.trend import ADXIndicator
from ta.volatility import AverageTrueRange

close = pd.Series([100 + number % 7 * 0.5 + number * 0.1 for number in range(40)])
high, low = close + 1, close - 1
indicators = {
    "ATR": AverageTrueRange(high, low, close, window=14, fillna=False).average_true_range(),
    "ADX": ADXIndicator(high, low, close, window=14, fillna=False).adx(),
    "RSI": RSIIndicator(close, window=14, fillna=False).rsi(),
}
unknown = {"ATR": 13, "ADX": 27, "RSI": 13}
for name, column in indicators.items():
    first = column.iloc[: unknown[name]]
    print(name, "zeros:", int((first == 0).sum()), "NaN:", int(first.isna().sum()), "then", round(column.iloc[unknown[name]], 3))
for name in ("ATR", "ADX"):
    assert (indicators[name].iloc[: unknown[name]] == 0).all(), f"changed: {name} is no longer 0 before it is known"
    assert indicators[name].iloc[unknown[name]] > 0, f"changed: {name} is known at another row"
assert indicators["RSI"].iloc[: unknown["RSI"]].isna().all(), "changed: RSI is no longer NaN before it is known"
PY
echo "as stated"
