"""What the ledger says of instruments that a backtest trades."""

from __future__ import annotations

from lab.domain.fills import TradedInstrument
from trading.domain.money import to_units
from trading.queries.instruments import find_instrument


def instrument_of(symbol: str) -> TradedInstrument:
    """Return what a backtest must know of an instrument; of one that was never used, what the ledger would say."""
    instrument = find_instrument(symbol)
    if instrument is None:
        return TradedInstrument()
    return TradedInstrument(to_units(instrument.multiplier), to_units(instrument.price_tick))
