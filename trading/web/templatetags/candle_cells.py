"""The rows of a table of candles. Functions and no template, as `trade_cells`: a trade has hundreds of them."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from functools import lru_cache

from django import template
from django.utils import timezone
from django.utils.html import escape
from django.utils.safestring import SafeString

from trading.queries.trade_chart import PriceRow
from trading.web.templatetags import velox as write

register = template.Library()
CELLS_MAX = 10_000  # the prices of some symbols' days


@lru_cache(maxsize=CELLS_MAX)
def price_cell(price: Decimal | None, currency: str) -> str:
    """Return the cell of a price: most come again, as one candle's close is the next one's open."""
    return f'<td class="figure">{escape(write.price(price, currency))}</td>'


@register.simple_tag
def candle_rows(candles: Iterable[PriceRow], currency: str) -> SafeString:
    """Write candles as rows: when each began, its prices, its ticks, the stop at its end, what happened in it."""
    zone = timezone.get_current_timezone()
    return SafeString(
        "\n".join(
            f"<tr><td>{write.moment_element(candle.at.astimezone(zone))}</td>"
            f"{price_cell(candle.open, currency)}{price_cell(candle.high, currency)}"
            f"{price_cell(candle.low, currency)}{price_cell(candle.close, currency)}"
            f'<td class="figure">{candle.ticks}</td>{price_cell(candle.stop, currency)}'
            f"<td>{escape('; '.join(mark.words for mark in candle.marks)) if candle.marks else ''}</td></tr>"
            for candle in candles
        )
    )
