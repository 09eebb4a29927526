"""Corrections in words for people: each field as it was and as it is now."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, tzinfo
from decimal import Decimal

from trading.domain import amounts, display

MONEY = ("price", "charges")


def changes(body: Mapping[str, Mapping[str, str | None]], currency: str, zone: tzinfo) -> list[tuple[str, str, str]]:
    """Return (field, old text, new text) of each field that a correction's body names."""
    return [
        (name, _text(name, body["was"].get(name), currency, zone), _text(name, text, currency, zone))
        for name, text in body.get("now", {}).items()
    ]


def _text(name: str, text: str | None, currency: str, zone: tzinfo) -> str:
    if text is None:
        return display.UNDEFINED
    if name in MONEY:
        return amounts.amount(Decimal(text), currency)
    if name == "quantity":
        return amounts.number(Decimal(text), currency)
    return f"{datetime.fromisoformat(text).astimezone(zone):%d %b %Y %H:%M:%S}" if name == "at" else text
