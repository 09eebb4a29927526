#!/usr/bin/env bash
# An indicator that forgets old inputs, to bound its memory, silently begins anew when few enough are left.
#
# Guess before the run (2026-11-28): purge_oldest() is there for endless streams, and an RSI or EMA carries its averages
# in its outputs, so what comes after a purge is what would have come without it.
# Seen, talipp 2.7.0: the seed is recognised by the number of inputs that are left. RSI(3) that keeps its last three
# inputs gives other values (7.2 for 27.2 at the end of 60 inputs), EMA(3) and SMMA(3) that keep two become plain averages of
# the last three. With one more input kept all are right to the last bit. Nothing is raised and nothing is None.
# What VELOX does: its strategies never purge an indicator; they live for a session.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check talipp==2.7.0
"$folder/venv/bin/python" - <<'PY'
import random

from talipp.indicators import EMA, RSI, SMMA

random.seed(1)
prices = [100 + random.gauss(0, 1) * number**0.5 for number in range(60)]


def streamed(kind, keep):
    indicator = kind(3)
    for price in prices:
        indicator.add(price)
        if len(indicator.input_values) > keep:
            indicator.purge_oldest(len(indicator.input_values) - keep)
    return indicator[-1]


for kind, too_few in ((RSI, 3), (EMA, 2), (SMMA, 2)):
    whole, purged, enough = kind(3, prices)[-1], streamed(kind, too_few), streamed(kind, too_few + 1)
    print(f"{kind.__name__}(3): never purged {whole:.6f}, {too_few} inputs kept {purged:.6f}, {too_few + 1} kept {enough:.6f}")
    assert enough == whole, "changed: one more input does not help"
    assert abs(purged - whole) > 0.1, "changed: a purge keeps the values"
PY
echo "as stated"
