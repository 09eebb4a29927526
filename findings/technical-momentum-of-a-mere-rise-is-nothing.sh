#!/usr/bin/env bash
# A market that only rises has the relative momentum index of one that only falls: 0.
#
# Guess before the run (2026-11-30; a first print of a rise had hinted otherwise): the index is 100 less 100 over 1 + gains ÷ losses, as
# an RSI: near 100 in a rise that had a fall long before, 100 where there was none, 0 in a fall.
# Seen, technical 1.7.0 (of freqtrade) with TA-Lib 0.8.2 and pandas 2.3.3: a rise of 54 bars after a fall of six is at 99.7, a rise
# of 60 bars without any fall at 0, which is the value of a fall of 60. Where the average loss is zero the answer is 0,
# the far end of the scale. So a share without a falling bar since its listing or since the data begin is oversold by as
# much as can be, and a rule that buys below 30 buys at each bar.
# What VELOX does: it computes no momentum; a strategy records its own beside the signal.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check technical==1.7.0 TA-Lib==0.8.2 pandas==2.3.3 numpy==2.4.6
"$folder/venv/bin/python" -W ignore - <<'PY'
import pandas as pd
from technical.indicators import RMI


def last(closes):
    return round(float(RMI(pd.DataFrame({"close": closes}, dtype=float)).iloc[-1]), 1)


rise, fall = list(range(100, 160)), list(range(200, 140, -1))
after_a_fall = [100, 99, 98, 97, 96, 95, 94, *range(95, 148)]
seen = {"a rise": last(rise), "a fall": last(fall), "a fall of six, then a rise": last(after_a_fall)}
print(seen)
assert list(seen.values()) == [0, 0, 99.7], "changed"
PY
echo "as stated"
