#!/usr/bin/env bash
# Returns without a losing day, one of them above 100 %, are taken for prices: every figure is another one then.
#
# Guess before the run (2026-11-28): `quantstats.stats` takes a series of returns for what its documentation calls it; a day
# of +150 %, as a bought option may bring, makes the volatility greater and nothing else.
# Seen, quantstats 0.0.86 with pandas 3.1.1: a series whose least value is 0 or more and whose greatest is above 1 is turned
# into returns once more by pct_change, without a warning. Of +20 %, +150 %, +10 % the volatility is 83.4, by hand it is 12.4;
# with a last day of -0.0001 % the two agree. The drawdown of four winning days is -75 %.
# What VELOX does: a figure is told by its name which of the two it takes, and never looks at the values to find out.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check quantstats==0.0.86 pandas==3.1.1
"$folder/venv/bin/python" -W ignore - <<'PY'
import math

import pandas as pd
from quantstats import stats


def of_days(*returns: float) -> pd.Series:
    return pd.Series(returns, index=pd.bdate_range("2026-01-05", periods=len(returns)))


winning, with_a_loss = of_days(0.2, 1.5, 0.1), of_days(0.2, 1.5, 0.1 - 1e-6, -1e-6)
by_hand = winning.std() * math.sqrt(252)
print("volatility by hand:", round(by_hand, 2), "quantstats:", round(float(stats.volatility(winning)), 2))
print("with a tiny loss, by hand:", round(with_a_loss.std() * math.sqrt(252), 2), "quantstats:", round(float(stats.volatility(with_a_loss)), 2))
drawdown = float(stats.max_drawdown(of_days(0.5, 1.2, 0.8, 0.3)))
print("drawdown of four winning days:", drawdown)
assert abs(stats.volatility(with_a_loss) - with_a_loss.std() * math.sqrt(252)) < 1e-9, "changed: not the plain volatility"
assert stats.volatility(winning) > 6 * by_hand, "changed: the winning days are taken for returns now"
assert abs(drawdown + 0.75) < 1e-9, "changed: four winning days have no drawdown now"
PY
echo "as stated"
