"""Instruments by the names that callers use: `RELIANCE`, or `BSE:RELIANCE`."""

from __future__ import annotations

from django.conf import settings
from django.db.models import Q

from timeseries.values import parse_name
from trading.errors import InvalidValue
from trading.models import Exchange, Instrument

# Oil was settled at -37.63, and what two legs differ by has either sign.
SIGNED_KINDS = (Instrument.Kind.FUTURE, Instrument.Kind.SPREAD)


def exchanges() -> list[str]:
    """Return the exchanges that a name may begin with; the default one is among them before it was used."""
    return sorted({*Exchange.objects.values_list("code", flat=True), settings.VELOX_EXCHANGE})


def split_symbol(symbol: str) -> tuple[str, str]:
    """Return exchange and symbol of a caller's name: without a colon, the default exchange's.

    Raises: InvalidValue for what is no name, or begins with an exchange that nobody knows.
    """
    symbol = parse_name(symbol, "symbol")
    code, colon, rest = symbol.partition(":")
    if not colon:
        return settings.VELOX_EXCHANGE, symbol
    codes = exchanges()
    if code not in codes or not rest:
        raise InvalidValue(
            f"symbol is {symbol!r}: no exchange is called {code!r}.",
            field="symbol",
            hint=f"Known are {', '.join(codes)}; `manage.py sessions --load FILE` adds the exchanges of a file.",
        )
    return code, rest


def exchange_of(symbol: str) -> str:
    """Return the exchange of a symbol that VELOX shows, without looking it up."""
    return symbol.rpartition(":")[0] or str(settings.VELOX_EXCHANGE)


def is_named(symbol: str, *, of: str = "") -> Q:
    """Return the lookup of what is booked under a caller's name; ``of`` is the path to the instrument.

    A name with a prefix that nobody knew at the time was booked on the default exchange, and is found there.

    Raises: InvalidValue for what is no name.
    """
    path, name = f"{of}__" if of else "", parse_name(symbol, "symbol")
    code, colon, rest = name.partition(":")
    whole = Q(**{f"{path}exchange__code": settings.VELOX_EXCHANGE, f"{path}symbol": name})
    return whole | Q(**{f"{path}exchange__code": code, f"{path}symbol": rest}) if colon else whole


def find_instrument(symbol: str) -> Instrument | None:
    """Return the instrument of a caller's name, None where it was never used.

    Raises: InvalidValue as `split_symbol`, but for a name under which an older VELOX has booked.
    """
    instruments = list(Instrument.objects.filter(is_named(symbol)).select_related("exchange"))
    if not instruments:
        split_symbol(symbol)
    return min(instruments, key=lambda instrument: ":" in instrument.symbol, default=None)


def plain_name(symbol: str) -> str:
    """Return a caller's name as `shown_symbol` writes it: without the default exchange.

    Raises: InvalidValue for what is no name.
    """
    return parse_name(symbol, "symbol").removeprefix(f"{settings.VELOX_EXCHANGE}:")


def may_be_negative(symbol: str) -> bool:
    """Tell whether prices of 0 and below are prices of this instrument."""
    instrument = find_instrument(symbol)
    return instrument is not None and instrument.kind in SIGNED_KINDS


def shown_symbol(exchange_code: str, symbol: str) -> str:
    """Return the name by which callers know an instrument."""
    return symbol if exchange_code == settings.VELOX_EXCHANGE else f"{exchange_code}:{symbol}"
