#!/usr/bin/env bash
# The money flow index of prices that only rise is 0 where the volume falls.
#
# Guess before the run (2026-11-29): indicatorts' MFI is the usual one, "positive" money flow being that of candles whose typical
# price rose: prices that rise at each candle have an index of 100, whatever the volumes.
# Seen, indicatorts 2.2.2 (npm): the sign comes from whether price times volume rose, not from the price. Prices that rise by 1 %
# a candle on volumes that fall by more have an index of 0 ("nobody buys"), where TA-Lib 0.7.0 says 100; with volumes that
# stay the same both say 100. A morning whose volumes fall from the opening on looks "oversold" whatever its prices do.
# What VELOX does: indicators are the strategy's, recorded as they are handed over; it computes none of its own.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check TA-Lib==0.7.0 numpy==2.3.5
cd "$folder"
npm init --yes >/dev/null
npm install --silent --no-audit --no-fund indicatorts@2.2.2 >/dev/null
cat >flow.mjs <<'JS'
import { mfi } from 'indicatorts'

const prices = Array.from({ length: 20 }, (_, candle) => 100 + candle)
const newest = (volumes) => mfi(prices, prices, prices, volumes, { period: 14 }).at(-1)
console.log(newest(prices.map(() => 1000)), newest(prices.map((_, candle) => 2000 - 50 * candle)))
JS
seen=$(node flow.mjs)
usual=$("$folder/venv/bin/python" - <<'PY'
import numpy as np
import talib

prices, candles = 100.0 + np.arange(20), np.arange(20)
same, falling = np.full(20, 1000.0), 2000.0 - 50 * candles
print(*(round(talib.MFI(prices, prices, prices, volumes, 14)[-1]) for volumes in (same, falling)))
PY
)
echo "rising prices; volumes the same, falling: indicatorts $seen, TA-Lib $usual"
test "$seen" = "100 0" || { echo "changed: indicatorts"; exit 1; }
test "$usual" = "100 100" || { echo "changed: TA-Lib"; exit 1; }
echo "as stated"
