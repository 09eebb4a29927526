#!/usr/bin/env bash
# A record that lost 4,900 rupees has a profit factor of 2.
#
# Guess before the run (2026-11-30): the profit factor is what the won trades earned over what the lost ones lost: a trade
# that won 100 and one that lost 5,000 have 0.02, and whatever lost money in the end is below 1.
# Seen, backtesting 0.6.6 (backtesting.py): it divides the sums of the trades' returns in per cent, whatever was staked. Ten
# shares that rose by a tenth and a thousand that fell by a twentieth are 10 over 5: "Profit Factor" 2.0 and
# "Expectancy [%]" 2.5 beside a "Return [%]" of -0.49. A rule that doubles its stake after each win is chosen for losing.
# SQN, two lines below, is of money and negative.
# What VELOX does: its profit factor is the sum of the wins over that of the losses, in rupees.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check backtesting==0.6.6 pandas==3.1.1 numpy==2.4.6
"$folder/venv/bin/python" -W ignore - <<'PY'
import pandas as pd
from backtesting import Backtest, Strategy

PRICES = [100, 100, 100, 110, 110, 110, 100, 100, 100, 95, 95, 95]


class Stakes(Strategy):
    def init(self):
        pass

    def next(self):
        bar = len(self.data) - 1
        if bar in (1, 5):
            self.buy(size=10 if bar == 1 else 1000)
        if bar in (3, 9):
            self.position.close()


days = pd.date_range("2026-01-05", periods=len(PRICES), freq="D")
prices = pd.DataFrame({column: PRICES for column in ("Open", "High", "Low", "Close")}, index=days, dtype=float)
report = Backtest(prices, Stakes, cash=1_000_000).run()
results = report["_trades"]["PnL"].tolist()
print("results", results, "- profit factor", report["Profit Factor"], "- expectancy", round(report["Expectancy [%]"], 2))
assert results == [100, -5000], "changed: the trades"
assert round(report["Profit Factor"], 9) == 2, "changed: the profit factor is of money"
assert report["Return [%]"] < 0 < report["Expectancy [%]"], "changed: the expectancy is of money"
PY
echo "as stated"
