#!/usr/bin/env bash
# Money in and out on one day: a gain of one paisa is an infinite rate, a loss of one paisa is -100 %.
#
# Guess before the run (2026-11-28): `xirr` of flows that all have one date cannot be solved, since no power of the rate
# stands before them; the documentation's answer for what cannot be solved is None.
# Seen, pyxirr 0.10.8: 100.00 in and 100.01 out on one day is inf, 99.99 out is -1.0, 100.00 out is 0.0. All three are
# floats, so a test for None passes them; with a third flow on the same day it is None. An intraday trade's "return" of
# -100 % then stands beside its loss of a paisa, and one inf makes a mean of many trades infinite.
# What VELOX does: only returns of whole days are annualised, and a growth without a finite figure is no figure (None).
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check pyxirr==0.10.8
"$folder/venv/bin/python" -W ignore - <<'PY'
import datetime
import math

import pyxirr

day = datetime.date(2026, 1, 5)
seen = {out: pyxirr.xirr([day, day], [-100.0, out]) for out in (100.01, 99.99, 100.0)}
three = pyxirr.xirr([day] * 3, [-100.0, 50.0, 50.01])
for out, rate in seen.items():
    print("100.00 in,", out, "out on one day:", rate)
print("with a third flow:", three)
assert math.isinf(seen[100.01]), "changed: a gain within a day"
assert seen[99.99] == -1.0, "changed: a loss within a day"
assert three is None, "changed: three flows on one day"
PY
echo "as stated"
