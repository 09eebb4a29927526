#!/usr/bin/env bash
# VAR takes a number of deviations, as STDDEV does, and does nothing with it.
#
# Guess before the run (2026-11-28): `VAR(close, timeperiod, nbdev)` has the parameter of `STDDEV(close, timeperiod,
# nbdev)`, where 2 doubles the answer; it multiplies the variance, or its square does, but 2 gives something else than 1.
# Seen, TA-Lib 0.8.2: VAR is the same for every nbdev, to the last bit, and its help lists the parameter without a remark.
# A band or a stop set at two deviations by VAR lies at one, and an optimiser that varies it reports that the rule is
# insensitive.
# What VELOX does: it counts no variance by TA-Lib; what a strategy records is recorded under the strategy's name.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check TA-Lib==0.8.2 numpy==2.4.6
"$folder/venv/bin/python" -W ignore - <<'PY'
import numpy as np
import talib
from talib import abstract

prices = np.array([100.0, 101.5, 99.0, 102.0, 103.5, 101.0, 104.5])
variance = {deviations: talib.VAR(prices, timeperiod=5, nbdev=deviations)[-1] for deviations in (1.0, 2.0, 7.5)}
spread = {deviations: talib.STDDEV(prices, timeperiod=5, nbdev=deviations)[-1] for deviations in (1.0, 2.0)}
print("VAR by nbdev:   ", {key: float(value) for key, value in variance.items()})
print("STDDEV by nbdev:", {key: float(value) for key, value in spread.items()})
print("VAR's parameters:", dict(abstract.VAR.info["parameters"]))
assert "nbdev" in abstract.VAR.info["parameters"], "changed: VAR has no such parameter"
assert abs(spread[2.0] - 2 * spread[1.0]) < 1e-12, "changed: STDDEV"
assert len(set(variance.values())) == 1, "changed: VAR depends on it"
PY
echo "as stated"
