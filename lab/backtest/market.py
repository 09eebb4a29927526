"""What the ledger says of instruments that a backtest trades."""

from __future__ import annotations

from django.conf import settings

from lab.domain.fills import TradedInstrument
from trading.bookkeeping.references import instrument_to_be
from trading.domain.money import to_units
from trading.models import Account, Instrument
from trading.queries.charge_estimates import group_of, segment_of
from trading.queries.instruments import find_instrument


def instrument_of(symbol: str) -> TradedInstrument:
    """Return what a backtest must know of an instrument; of one that was never used, what the ledger would say."""
    return traded(find_instrument(symbol) or instrument_to_be(symbol, Account(currency=settings.VELOX_CURRENCY)))


def traded(instrument: Instrument) -> TradedInstrument:
    """Return what a backtest must know of one of the ledger's instruments."""
    return TradedInstrument(
        to_units(instrument.multiplier),
        to_units(instrument.price_tick),
        segment_of(instrument),
        instrument.exchange.code,
        group_of(instrument),
    )
