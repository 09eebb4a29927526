"""Two bots on one desk: a short with a partial exit, a skipped signal, a restart, an event loop.

Run it with the project's Python after `manage.py migrate`: `.venv/bin/python examples/two_bots.py`. It starts each bot
as a process of its own, the first one twice, and then prints the day by strategy.
"""

import asyncio
import subprocess
import sys
from datetime import datetime

from velox_site.desk import DataManager, money_text


def now() -> datetime:
    """Return an aware time: right also in the hour that a clock change repeats."""
    return datetime.now().astimezone()


def reversion() -> None:
    """Sell short; leave with half on the first run, with the rest on the second, as after a crash."""
    with DataManager(source="reversion") as dm:  # a source of its own: two processes never share one
        dm.process_tick("TCS", {"ltp": 3120.00})
        position = dm.get_position("reversion", "TCS")
        if position is None or not position.open_quantity:
            dm.open_position("R1", "reversion", "TCS", 3120.00, 20, now(), side="SHORT", stop_price=3150.00)
            dm.add_fill("R1", "BUY", 3110.00, 10, now(), charges="12.40")
            print(f"reversion: short {dm.get_trade('R1').open_quantity} TCS, ends in the midst of it")
        else:
            print(f"reversion: back again, finds {position.trade_id} open with {position.open_quantity}")
            trade = dm.close_position(position.trade_id, "reversion", "TCS", 3105.00, now(), exit_reason="target")
            dm.close_position(position.trade_id, "reversion", "TCS", 3105.00, now())  # said twice: nothing changes
            print(f"reversion: closed with {money_text(trade.realised_pnl, 'INR')} before charges")


async def breakout() -> None:
    """Await the same calls; a signal that is not followed is recorded, too."""
    with DataManager(source="breakout") as dm:
        for price in (1498.00, 1501.50, 1512.00):
            dm.process_tick("INFY", {"ltp": price})  # takes microseconds: never awaited
        await dm.aio.record_signal(
            "breakout", "INFY", now(), {"high": 1501.5, "volume_ratio": 0.7}, decision="SKIPPED", reason="thin volume"
        )
        await dm.aio.open_position("B1", "breakout", "INFY", 1502.00, 5, now(), signal_conditions={"volume_ratio": 2.1})
        trade = await dm.aio.close_position("B1", "breakout", "INFY", 1512.00, now(), exit_reason="target")
        print(f"breakout: closed with {money_text(trade.realised_pnl, 'INR')}, one signal skipped")


def desk() -> None:
    """Run the bots, each in a process of its own, then print the day."""
    for bot in ("reversion", "breakout", "reversion"):
        subprocess.run([sys.executable, __file__, bot], check=True)
    with DataManager() as dm:
        day = dm.get_daily_summary()
        for row in day["strategies"]:
            print(f"{row['strategy_id']}: {row['total_trades']} trade, {money_text(row['total_pnl'], day['currency'])}")


if __name__ == "__main__":
    bot = sys.argv[1] if len(sys.argv) > 1 else ""
    if bot == "breakout":
        asyncio.run(breakout())
    elif bot == "reversion":
        reversion()
    else:
        desk()
