"""How the pages of the lab write what its commands told: money as text, odds, parameters."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from django import template
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

register = template.Library()

FIGURES = {
    "psr": "PSR", "dsr": "DSR", "pbo": "PBO", "trials_effective": "Trials that differ",
    "track_record_days": "Days for a PSR of 95\u00a0%", "charges": "Charges",
}  # fmt: skip
IN_TILES = ("dsr", "pbo")


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


@register.filter
def with_code(reason: str | None) -> SafeString:
    """Write a reason, commands in it as such."""
    parts = enumerate((reason or "").split("`"))
    return format_html_join("", "{}", ((format_html("<code>{}</code>", part) if n % 2 else part,) for n, part in parts))


@register.filter
def not_in_tiles(why: Mapping[str, str]) -> list[tuple[str, str]]:
    """Return what is missing beside the figures of the tiles: names together that have one reason, and that reason."""
    said = {why[name] for name in IN_TILES if name in why}
    together: dict[str, list[str]] = {}
    for name, reason in why.items():
        if reason not in said:
            together.setdefault(reason, []).append(FIGURES.get(name, name))
    return [(", ".join(names), reason) for reason, names in together.items()]
