"""Instruments by the names that callers use: `RELIANCE`, or `BSE:RELIANCE`."""

from __future__ import annotations

from django.conf import settings

from timeseries.values import parse_name
from trading.models import Exchange, Instrument

SIGNED_KINDS = ("FUTURE", "SPREAD")  # a future settles below zero, a spread trades there


def split_symbol(symbol: str) -> tuple[str, str]:
    """Return exchange and symbol of a caller's name: without a known exchange before a colon, the default one.

    Raises: InvalidValue for what is no name.
    """
    symbol = parse_name(symbol, "symbol")
    code, colon, rest = symbol.partition(":")
    if colon and rest and Exchange.objects.filter(code=code).exists():
        return code, rest
    return settings.VELOX_EXCHANGE, symbol


def find_instrument(symbol: str) -> Instrument | None:
    """Return the instrument of a caller's name, None where it was never used."""
    code, name = split_symbol(symbol)
    return Instrument.objects.filter(exchange__code=code, symbol=name).select_related("exchange").first()


def may_be_negative(symbol: str) -> bool:
    """Tell whether prices of 0 and below are prices of this instrument."""
    instrument = find_instrument(symbol)
    return instrument is not None and instrument.kind in SIGNED_KINDS


def shown_symbol(exchange_code: str, symbol: str) -> str:
    """Return the name by which callers know an instrument."""
    return symbol if exchange_code == settings.VELOX_EXCHANGE else f"{exchange_code}:{symbol}"
