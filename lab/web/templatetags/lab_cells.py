"""How the pages of the lab write what its commands told: money as text, odds, parameters."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from decimal import Decimal

from django import template
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from lab.domain.fills import UNKNOWN, filled_as
from lab.queries.runs import ToldAnswer
from trading.web.templatetags import velox

register = template.Library()

FIGURES = {
    "psr": "PSR", "dsr": "DSR", "pbo": "PBO", "trials_effective": "Trials that differ",
    "track_record_days": "Days for a PSR of 95\u00a0%", "charges": "Charges",
}  # fmt: skip
IN_TILES = ("dsr", "pbo")
OBJECTIVES = {"pnl": "P&L", "net": "Net P&L", "sharpe": "Sharpe ratio"}
STEPS = {"backtest_pnl": "Backtest P&L", "live_pnl": "Live P&L"}
PERCENT = "\u00a0% of each fill"
CENT = Decimal("0.01")


@register.filter
def money_told(text: str | None) -> Decimal | None:
    """Return an amount that a command wrote."""
    return Decimal(text) if text else None


@register.filter
def span(first: date, last: date) -> str:
    """Write the days of a run."""
    return velox.day(first) if first == last else f"{velox.day(first)} – {velox.day(last)}"


@register.filter
def objective_title(objective: str) -> str:
    """Name what sets of parameters are chosen by."""
    return OBJECTIVES.get(objective, objective)


@register.filter
def objective(worth: float | None, currency: str) -> str:
    """Write what a set is worth by its objective: money, or without a currency a ratio."""
    if not currency:
        return velox.ratio(worth)
    return velox.pnl(None if worth is None else Decimal(repr(worth)).quantize(CENT), currency)


@register.filter
def step_title(step: str) -> str:
    """Name a step of the gap."""
    return STEPS.get(step, step.replace("_", " ").capitalize())


@register.filter
def fills(answer: ToldAnswer) -> str:
    """Write how a run's orders were filled; runs of an older VELOX did not say it of searches."""
    return filled_as(answer["latency_ms"], answer["slippage_ticks"]) if "latency_ms" in answer else "—"


@register.filter
def charged(charges: str) -> str:
    """Write what was charged: a percentage, a plan of the schedule, or nothing that is known."""
    if charges == UNKNOWN:
        return "no charges are known"
    return f"charges {charges}{PERCENT if charges.replace('.', '').isdecimal() else ''}"


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
    texts = enumerate((reason or "").split("`"))
    return format_html_join("", "{}", ((format_html("<code>{}</code>", text) if n % 2 else text,) for n, text in texts))


@register.filter
def not_in_tiles(why: Mapping[str, str]) -> list[tuple[str, str]]:
    """Return what is missing beside the figures of the tiles: names together that have one reason, and that reason."""
    in_tiles = {why[name] for name in IN_TILES if name in why}
    together: dict[str, list[str]] = {}
    for name, reason in why.items():
        if reason not in in_tiles:
            together.setdefault(reason, []).append(FIGURES.get(name, name))
    return [(", ".join(names), reason) for reason, names in together.items()]
