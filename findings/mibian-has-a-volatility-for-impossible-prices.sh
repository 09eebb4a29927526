#!/usr/bin/env bash
# An option's price that no volatility gives has an implied volatility of 500 %, or of nearly none.
#
# Guess before the run (2026-11-29): a call is worth at most its underlying and at least what it is worth exercised: for a price beyond
# that, as a stale quote has it, mibian raises or answers None.
# Seen, mibian 0.1.3 (which needs scipy and does not say so): it halves the interval from 0 to 500 until it ends, and answers the
# end. A call at 120 on an underlying of 100 "has" 500.0 %, one at 0.01 where it is worth at least 0.41 has 0.00001 %; put back
# into the same formula, they give other prices. A fair price of 5.00 comes back within 0.01. Greeks made from such a volatility
# look like any others.
# What VELOX does: it computes no implied volatility; where a figure has no value it is None, and says why.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check mibian==0.1.3 scipy==1.16.3
"$folder/venv/bin/python" -W ignore - <<'PY'
import mibian

CONTRACT = [100, 100, 5, 30]  # underlying, strike, interest in %, days
seen = {}
for price in (5.0, 120.0, 0.01):
    volatility = mibian.BS(CONTRACT, callPrice=price).impliedVolatility
    seen[price] = (volatility, mibian.BS(CONTRACT, volatility=volatility).callPrice)
    print(f"a call at {price} has {volatility} %, at which it is worth {seen[price][1]:.4f}")
assert abs(seen[5.0][1] - 5) < 0.01, "changed: a fair price"
assert seen[120.0][0] == 500 and seen[120.0][1] < 100, "changed: a price above the underlying's"
assert seen[0.01][0] < 0.001 and seen[0.01][1] > 0.4, "changed: a price below what it is worth exercised"
PY
echo "as stated"
