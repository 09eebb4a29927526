"""The rows of a table of candles. Functions and no template, as `trade_cells`: a trade has hundreds of them."""

from __future__ import annotations

from django import template
from django.utils.html import format_html
from django.utils.safestring import SafeString

from trading.queries.trade_chart import PriceRow
from trading.web.templatetags import velox as write

register = template.Library()


@register.simple_tag
def candle_row(candle: PriceRow, currency: str) -> SafeString:
    """Write a candle as a row: when it began, its prices, its ticks, the stop at its end, what happened in it."""
    return format_html(
        '<tr><td>{}</td><td class="figure">{}</td><td class="figure">{}</td><td class="figure">{}</td>'
        '<td class="figure">{}</td><td class="figure">{}</td><td class="figure">{}</td><td>{}</td></tr>',
        write.moment(candle.at),
        *(write.price(price, currency) for price in (candle.open, candle.high, candle.low, candle.close)),
        candle.ticks,
        write.price(candle.stop, currency),
        "; ".join(mark.words for mark in candle.marks),
    )
