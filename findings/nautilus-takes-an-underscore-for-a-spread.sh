#!/usr/bin/env bash
# A share whose symbol holds an underscore can be added, fed and ordered in nautilus_trader, and cannot be filled.
#
# Guess before the run (2026-11-29): a symbol is opaque text. What the instrument's constructor and the engine accept is
# traded, and BAJAJ_AUTO (as data vendors write BAJAJ-AUTO in file names) fills like any other share.
# Seen, nautilus_trader 1.221.0: the instrument and its ticks are taken without a word; the first market order that fills
# raises ValueError, since the symbol is then read as a spread of two legs. The same run of BAJAJ-AUTO fills at the tick.
# What VELOX does: its symbols are opaque; the bench, which runs this library beside it, leaves the underscore out.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check nautilus_trader==1.221.0
"$folder/venv/bin/python" -W ignore - <<'PY'
from nautilus_trader.backtest.engine import BacktestEngine, BacktestEngineConfig
from nautilus_trader.config import LoggingConfig, StrategyConfig
from nautilus_trader.model.currencies import INR
from nautilus_trader.model.data import TradeTick
from nautilus_trader.model.enums import AccountType, AggressorSide, OmsType, OrderSide
from nautilus_trader.model.identifiers import InstrumentId, Symbol, TradeId, Venue
from nautilus_trader.model.instruments import Equity
from nautilus_trader.model.objects import Money, Price, Quantity
from nautilus_trader.trading.strategy import Strategy


class BuysOnce(Strategy):
    """Buys one share at the first tick."""

    def __init__(self, instrument_id):
        super().__init__(StrategyConfig())
        self.instrument_id, self.is_done = instrument_id, False

    def on_start(self):
        self.subscribe_trade_ticks(self.instrument_id)

    def on_trade_tick(self, tick):
        if not self.is_done:
            self.is_done = True
            self.submit_order(self.order_factory.market(self.instrument_id, OrderSide.BUY, Quantity.from_int(1)))


def fills_of(name):
    """Return how many fills a run of three ticks makes, or the error that ends it."""
    engine = BacktestEngine(BacktestEngineConfig(logging=LoggingConfig(bypass_logging=True)))
    nse = Venue("NSE")
    engine.add_venue(nse, OmsType.NETTING, AccountType.CASH, [Money(100_000, INR)], base_currency=INR)
    instrument_id = InstrumentId(Symbol(name), nse)
    engine.add_instrument(Equity(instrument_id, Symbol(name), INR, 2, Price.from_str("0.05"), Quantity.from_int(1), 0, 0))
    one = Quantity.from_int(1)
    engine.add_data([
        TradeTick(instrument_id, Price(3600 + step, 2), one, AggressorSide.BUYER, TradeId(str(step)), at, at)
        for step, at in enumerate((10**18, 10**18 + 10**9, 10**18 + 2 * 10**9))
    ])
    engine.add_strategy(BuysOnce(instrument_id))
    try:
        engine.run()
        return len([order for order in engine.cache.orders() if order.is_closed])
    except ValueError as error:
        return f"ValueError: {error}"
    finally:
        engine.dispose()


seen = {name: fills_of(name) for name in ("BAJAJ-AUTO", "BAJAJ_AUTO")}
print(seen)
assert seen["BAJAJ-AUTO"] == 1, "changed: the plain run"
assert str(seen["BAJAJ_AUTO"]).startswith("ValueError"), "changed: an underscore is taken for text"
PY
echo "as stated"
