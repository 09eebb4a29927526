"""The terms of an instrument as callers give them: checked, and in the forms of its columns."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import date
from decimal import Decimal
from typing import Any

from timeseries.values import Number, parse_name
from trading.bookkeeping import arguments
from trading.domain.chain import journal_text
from trading.domain.money import parse_amount, parse_quantity
from trading.errors import InvalidValue
from trading.models import Instrument

TermInput = Number | date | None  # a term as a caller has it; "" is none
Term = str | Decimal | date | None  # a term as its column has it

GROUP_MAX = 8
KINDS = tuple(Instrument.Kind.values)
_CURRENCY = re.compile("[A-Z]{3}")
# What the figures or the flags of its trades follow from.
FOLDED = ("kind", "multiplier", "lot", "quantity_step", "price_tick")


def currency(code: TermInput, field: str = "currency") -> str:
    """Return a currency's code. Raises: InvalidValue."""
    if not isinstance(code, str) or not _CURRENCY.fullmatch(code):
        raise InvalidValue(f"{field} is {code!r}.", field=field, hint="Give three capital letters, such as INR.")
    return str(code)


def terms_of(terms: Mapping[str, TermInput]) -> dict[str, Term]:
    """Return the terms of an instrument, each as its column keeps it. Raises: InvalidValue."""
    if unknown := sorted(terms.keys() - PARSERS.keys()):
        raise InvalidValue(
            f"An instrument has no {unknown[0]}.", field=unknown[0], hint=f"It has {', '.join(PARSERS)}."
        )
    return {name: PARSERS[name](term, name) for name, term in terms.items()}


def text_of(term: Term) -> str | None:
    """Return a term as a correction's body keeps it."""
    if isinstance(term, Decimal):
        return journal_text(term)
    return None if term is None or term == "" else str(term)


def _date(term: TermInput, field: str) -> date | None:
    if term is None or term == "":
        return None
    try:
        return term if isinstance(term, date) else date.fromisoformat(term if isinstance(term, str) else "")
    except ValueError:
        raise InvalidValue(f"{field} is {term!r}.", field=field, hint="Give a day such as 2026-12-31.") from None


PARSERS: dict[str, Callable[[Any, str], Term]] = {
    "kind": lambda term, field: arguments.one_of(term, field, KINDS),
    "currency": currency,
    "multiplier": parse_quantity,
    "lot": parse_quantity,
    "quantity_step": parse_quantity,
    "price_tick": parse_quantity,
    "session_group": lambda term, field: parse_name(term, field) if term else "",
    "underlying": lambda term, field: parse_name(term, field) if term else "",
    "share_group": lambda term, field: parse_name(term, field, GROUP_MAX) if term else "",
    "expiry": _date,
    "strike": lambda term, field: None if term is None or term == "" else parse_amount(term, field),
}
