#!/usr/bin/env bash
# A trade that earned nothing is a won trade with a profit of 0.
#
# Guess before the run (2026-11-29): backtrader's TradeAnalyzer tells won and lost trades; one that was closed at its entry price is in
# neither (or in "even", as the same report has streaks of won and lost alone).
# Seen, backtrader 1.9.78.123: of two trades, one without a result and one that lost 10, one counts as won and the longest streak
# of won trades is 1; its average profit, 0, is an average of wins. Stops that are raised to the entry price make many
# such trades: the win rate of that rule is higher than what it earns.
# What VELOX does: wins, losses and break-evens are three counts, and the win rate says of how many.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check backtrader==1.9.78.123 pandas==2.3.3
"$folder/venv/bin/python" -W ignore - <<'PY'
import backtrader
import pandas as pd

prices = [100, 100, 100, 110, 110, 100, 100, 100]
days = pd.date_range("2026-01-05", periods=len(prices), freq="D")
candles = pd.DataFrame({name: prices for name in ("open", "high", "low", "close")} | {"volume": 1}, index=days)


class Twice(backtrader.Strategy):
    """Buys and sells at 100, then buys at 110 and sells at 100."""

    def next(self):
        if len(self) in (1, 4):
            self.buy()
        if len(self) in (2, 5):
            self.close()


engine = backtrader.Cerebro()
engine.adddata(backtrader.feeds.PandasData(dataname=candles))
engine.addstrategy(Twice)
engine.addanalyzer(backtrader.analyzers.TradeAnalyzer, _name="trades")
seen = engine.run()[0].analyzers.trades.get_analysis()
print("closed", seen.total.closed, "- won", seen.won.total, seen.won.pnl.total, "- lost", seen.lost.total, seen.lost.pnl.total)
print("longest streak of won trades", seen.streak.won.longest)
assert (seen.total.closed, seen.lost.total, seen.lost.pnl.total) == (2, 1, -10), "changed: the trades themselves"
assert (seen.won.total, seen.won.pnl.total, seen.streak.won.longest) == (1, 0, 1), "changed: the trade without a result"
PY
echo "as stated"
