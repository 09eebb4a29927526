"""The terms of an instrument, as callers say them: checked, and in the forms of its columns."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date
from decimal import Decimal
from typing import Any

from timeseries.values import parse_name
from trading.bookkeeping import arguments
from trading.domain.money import parse_amount, parse_quantity
from trading.errors import InvalidValue
from trading.models import Instrument

KINDS = tuple(Instrument.Kind.values)
CURRENCY_LETTERS = 3
# What the figures or the flags of its trades follow from.
FOLDED = ("kind", "multiplier", "lot", "quantity_step", "price_tick")


def currency(value: Any, field: str = "currency") -> str:
    """Return a currency's code. Raises: InvalidValue."""
    is_code = isinstance(value, str) and len(value) == CURRENCY_LETTERS and value.isascii() and value.isalpha()
    if not is_code or value != value.upper():
        raise InvalidValue(f"{field} is {value!r}.", field=field, hint="Give three capital letters, such as INR.")
    return str(value)


def terms_of(said: Mapping[str, Any]) -> dict[str, Any]:
    """Return the terms that are given, each as its column keeps it. Raises: InvalidValue."""
    if unknown := sorted(said.keys() - PARSERS.keys()):
        raise InvalidValue(
            f"An instrument has no {unknown[0]}.", field=unknown[0], hint=f"It has {', '.join(PARSERS)}."
        )
    return {name: PARSERS[name](value, name) for name, value in said.items()}


def text_of(value: Any) -> str | None:
    """Return a term as a correction's body keeps it."""
    if isinstance(value, Decimal):
        return f"{value:f}"
    return None if value is None or value == "" else str(value)


def _kind(value: Any, field: str) -> str:
    return arguments.one_of(value, field, KINDS)


def _date(value: Any, field: str) -> date | None:
    if value is None or value == "":
        return None
    try:
        return value if isinstance(value, date) else date.fromisoformat(value)
    except (TypeError, ValueError):
        raise InvalidValue(f"{field} is {value!r}.", field=field, hint="Give a day such as 2026-12-31.") from None


def _optional_amount(value: Any, field: str) -> Decimal | None:
    return None if value is None or value == "" else parse_amount(value, field)


def _optional_name(value: Any, field: str) -> str:
    return parse_name(value, field) if value else ""


PARSERS: dict[str, Callable[[Any, str], Any]] = {
    "kind": _kind,
    "currency": currency,
    "multiplier": parse_quantity,
    "lot": parse_quantity,
    "quantity_step": parse_quantity,
    "price_tick": parse_quantity,
    "session_group": _optional_name,
    "underlying": _optional_name,
    "expiry": _date,
    "strike": _optional_amount,
}
