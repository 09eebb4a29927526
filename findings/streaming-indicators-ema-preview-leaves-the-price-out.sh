#!/usr/bin/env bash
# What a strategy asks an EMA for at a bar that is still open is the average of bars that are over.
#
# Guess (2026-11-30): compute(price) tells what update(price) will tell, and changes nothing, as with the package's SMA.
# Seen, streaming_indicators 0.1.8 (written for live bars): EMA.compute tells the plain mean of the last bars before,
# whatever price it is given: after 100, 102, 101, 103 the preview of 104 is 101.5, and update(104) is 102.0; of
# prices as far apart as 1 and 1,000 the preview is the same. A crossing of two such averages is told late, and before the
# bar closes none of them moves. SMA and WMA of the package tell the same by compute as by update.
# What VELOX does: its own strategies count averages of closed candles alone, with talipp.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check streaming_indicators==0.1.8 numpy==2.4.6 pandas==3.0.2
"$folder/venv/bin/python" -W ignore - <<'PY'
from streaming_indicators import EMA, SMA, WMA

PRICES = [100.0, 102.0, 101.0, 103.0, 104.0, 106.0, 105.0, 107.0]


def told(average):
    """What an average of five tells before and after each price."""
    return [(average.compute(price), average.update(price)) for price in PRICES][4:]


for kind in (SMA, WMA):
    assert all(before == after for before, after in told(kind(5))), "changed: of another average as well"
seen = [(round(float(before), 2), round(float(after), 2)) for before, after in told(EMA(5))]
print("EMA of 5, before and after each price:", seen)
assert seen == [(101.5, 102.0), (102.0, 103.33), (102.67, 103.89), (103.5, 104.93)], "changed: the preview is another"
average = EMA(5)
for price in PRICES:
    average.update(price)
print("previews of 1 and of 1000:", float(average.compute(1.0)), float(average.compute(1000.0)))
assert average.compute(1.0) == average.compute(1000.0), "changed: the price counts"
PY
echo "as stated"
