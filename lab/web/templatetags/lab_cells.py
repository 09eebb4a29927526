"""How the pages of the lab write what its commands told: money as text, odds, parameters."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from django import template

register = template.Library()


@register.filter
def money_told(text: str | None) -> Decimal | None:
    """Return an amount that a command wrote."""
    return Decimal(text) if text else None


@register.filter
def odds(share: float | str | None) -> str:
    """Write a chance in percent; none is a dash, whose reason stands beside it."""
    return "—" if share is None or isinstance(share, str) else f"{100 * share:.1f}\u00a0%"


@register.filter
def parameters(numbers: Mapping[str, float] | None) -> str:
    """Write the parameters of a set."""
    return "—" if numbers is None else ", ".join(f"{name} {number:g}" for name, number in numbers.items())
