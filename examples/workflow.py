"""One trade from signal to statistics: what a strategy records, in the order in which it happens.

Run it with the project's Python after `manage.py migrate`: `.venv/bin/python examples/workflow.py`. The percentages it
reports are ten times too high on purpose: the ledger keeps its own and flags what differs.
"""

from datetime import datetime

from velox_site.desk import DataManager

dm = DataManager()

# The signal was taken: open the position, with what was seen.
dm.open_position(
    "TRD001", "scalping_pro", "RELIANCE", 2450.00, 10, datetime.now(), signal_conditions={"rsi": 45.5, "ema9": 2448.0}
)

# The market moves: a bar, the indicators computed from it, how the position stands.
dm.process_tick("RELIANCE", {"open": 2450, "high": 2455, "low": 2448, "close": 2453, "volume": 1500})
dm.cache_indicators("RELIANCE", {"rsi": 45.5, "ema9": 2448.0, "atr": 15.5})
dm.update_position_snapshot("scalping_pro", "RELIANCE", 2453.00, 10, 30.00, 1.22)

# The stop follows the price, then the target is hit.
dm.update_trailing_sl("TRD001", "scalping_pro", "RELIANCE", 2445.00, 2455.00, "ATR")
dm.close_position("TRD001", "scalping_pro", "RELIANCE", 2465.00, datetime.now(), 150.00, 6.12, "Target hit")

stats = dm.get_strategy_stats("scalping_pro", days=30)
print(f"Win Rate: {stats['win_rate']:.2f}%")
print(f"Total P&L: ${stats['total_pnl']:.2f}")
