"""The rows of a table of open positions. Functions and no template, as `trade_cells`: a desk may hold hundreds."""

from __future__ import annotations

from decimal import Decimal

from django import template
from django.template import Context
from django.utils.html import format_html
from django.utils.safestring import SafeString

from trading.domain import display
from trading.web.positions import OpenPosition
from trading.web.templatetags import velox as write

register = template.Library()

STALE_SECONDS = 2.0  # an older tick says how old it is


@register.simple_tag(takes_context=True)
def position_row(context: Context, entry: OpenPosition) -> SafeString:
    """Write the row of an open position; one of a past day (``is_past`` of the page) without prices of now."""
    held, currency = entry.position, context["account"].currency
    return format_html(
        '<tr><td><a class="symbol" href="{}">{}</a><span class="under clip">{}</span></td><td>{}</td>'
        '<td class="figure">{}</td><td class="figure">{}</td>{}<td class="figure">{}{}</td><td>{}</td></tr>',
        write.trade_address(entry.pk),
        held.symbol,
        held.strategy_id,
        (held.side or display.UNDEFINED).capitalize(),
        write.quantity(held.open_quantity, currency),
        write.price(held.avg_price, currency),
        "" if context["is_past"] else priced_cells(entry, currency),
        write.price(held.stop_price, currency),
        under("How much better the last price is than the stop", entry.to_stop, "away"),
        write.moment(held.opened_at, held.flags),
    )


def priced_cells(entry: OpenPosition, currency: str) -> SafeString:
    """Write the last price with its time, and the unrealised P&L with its R."""
    held = entry.position
    seen: str = ""
    if held.last_price_at is not None:
        is_stale = entry.tick_seconds is not None and entry.tick_seconds >= STALE_SECONDS
        age = f", {write.held(entry.tick_seconds)} old" if is_stale else ""
        seen = format_html('<span class="under">{}{}</span>', write.clock(held.last_price_at), age)
    hint = "What closing now would bring of the whole trade, in units of its initial risk"
    return format_html(
        '<td class="figure">{}{}</td><td class="figure">{}{}</td>',
        write.price(held.last_price, currency),
        seen,
        write.pnl(held.unrealised_pnl, currency),
        under(hint, entry.in_risks, "R"),
    )


def under(hint: str, figure: Decimal | None, unit: str) -> str:
    """Write a signed figure below another; nothing where it is not known."""
    if figure is None:
        return ""
    return format_html('<span class="under" title="{}">{} {}</span>', hint, write.signed(figure), unit)
