"""Instruments and strategies by the names that callers use; they come into being at first use."""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from dataclasses import asdict
from datetime import date, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

from django.conf import settings

from trading import rows
from trading.domain.contract_symbols import contract_of
from trading.domain.money import to_units
from trading.errors import CurrencyMismatch, InvalidValue, NotTradable
from trading.models import Account, Exchange, Instrument, Strategy
from trading.queries.instruments import find_instrument, split_symbol

INDIA = "Asia/Kolkata"


def instrument_of(symbol: str, account: Account) -> Instrument:
    """Return the instrument, made with the desk's defaults and unreviewed where it is new."""
    code, name = split_symbol(symbol)
    exchange = rows.one(Exchange, code=code)
    if exchange is None:  # the default exchange's name was changed since the ledger was made
        exchange, _ = Exchange.objects.get_or_create(code=code, defaults={"zone": settings.TIME_ZONE})
    instrument = rows.one(Instrument, exchange_id=exchange.pk, symbol=name)
    if instrument is None:
        defaults = _terms(exchange, name, account)
        instrument, _ = Instrument.objects.get_or_create(exchange=exchange, symbol=name, defaults=defaults)
    instrument.exchange = exchange
    return instrument


def instrument_to_be(symbol: str, account: Account) -> Instrument:
    """Return the instrument that `instrument_of` would make of a symbol; nothing is written."""
    code, name = split_symbol(symbol)
    exchange = rows.one(Exchange, code=code) or Exchange(code=code, zone=settings.TIME_ZONE)
    return Instrument(exchange=exchange, symbol=name, **_terms(exchange, name, account))


def _terms(exchange: Exchange, name: str, account: Account) -> dict[str, str | date | Decimal | None]:
    """Return what a new instrument has beside its name.

    The symbol of a contract on an Indian exchange proves terms of it: never its lot or multiplier.
    """
    contract = contract_of(name) if exchange.zone == INDIA else None
    return {"currency": account.currency, **({} if contract is None else asdict(contract))}


def strategy_of(strategy_id: str) -> Strategy:
    """Return the strategy, made where it is new."""
    return rows.one(Strategy, code=strategy_id) or Strategy.objects.get_or_create(code=strategy_id)[0]


def must_be_tradable(instrument: Instrument) -> None:
    """Raise NotTradable for an index."""
    if instrument.kind == Instrument.Kind.INDEX:
        raise NotTradable(
            f"{instrument.symbol} is an index.", field="symbol", hint="Trade a future or a fund on it instead."
        )


def must_be_in_currency(instrument: Instrument, account: Account) -> None:
    """Raise CurrencyMismatch unless the account keeps its books in the instrument's currency: nothing adds two."""
    if instrument.currency != account.currency:
        code = shlex.quote(f"{account.code}-{instrument.currency.lower()}")
        line = f"manage.py account create {code} --book {account.book}"
        raise CurrencyMismatch(
            f"{instrument.symbol} is traded in {instrument.currency}, account {account.code} is kept in "
            f"{account.currency}.",
            field="symbol",
            hint=f"Book it in an account in {instrument.currency}: `{line} --currency {instrument.currency}`.",
        )


def must_be_bookable(symbols: Iterable[str], account: Account) -> None:
    """Raise CurrencyMismatch where one of these symbols, as far as it is known and tradable, has another currency."""
    for symbol in symbols:
        instrument = find_instrument(symbol)
        if instrument is not None and instrument.kind != Instrument.Kind.INDEX:
            must_be_in_currency(instrument, account)


def must_be_on_step(quantity: Decimal, instrument: Instrument) -> None:
    """Raise InvalidValue for a quantity that is no multiple of the instrument's step."""
    if to_units(quantity) % to_units(instrument.quantity_step):
        raise InvalidValue(
            f"quantity is {quantity}.", field="quantity", hint=f"It goes in steps of {instrument.quantity_step:f}."
        )


def grid_flags(price: Decimal, quantity: Decimal, instrument: Instrument) -> set[str]:
    """Return the flags of a quantity off the lot and of a price off the tick: odd, but no reason to refuse."""
    off_lot = to_units(quantity) % to_units(instrument.lot)
    off_tick = to_units(price) % to_units(instrument.price_tick)
    return ({"off_lot"} if off_lot else set()) | ({"off_price_tick"} if off_tick else set())


def day_of(instant: datetime, instrument: Instrument) -> date:
    """Return the trading day: the date in the exchange's zone."""
    return instant.astimezone(ZoneInfo(instrument.exchange.zone)).date()
