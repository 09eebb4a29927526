"""The rows of a table of candles. Functions and no template, as `trade_cells`: a trade has hundreds of them."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

from django import template
from django.utils import timezone
from django.utils.html import escape
from django.utils.safestring import SafeString

from trading.queries.trade_chart import PriceRow
from trading.web.templatetags import velox as write

register = template.Library()


class PriceCells(dict[Decimal | None, str]):
    """The cell of each price in a currency: most come again, as one candle's close is the next one's open."""

    def __init__(self, currency: str) -> None:
        self.currency = currency

    def __missing__(self, price: Decimal | None) -> str:
        self[price] = cell = f'<td class="figure">{escape(write.price(price, self.currency))}</td>'
        return cell


@register.simple_tag
def candle_rows(candles: Iterable[PriceRow], currency: str) -> SafeString:
    """Write candles as rows: when each began, its prices, its ticks, the stop at its end, what happened in it."""
    zone, cells = timezone.get_current_timezone(), PriceCells(currency)
    return SafeString(
        "\n".join(
            f"<tr><td>{write.moment_element(candle.at.astimezone(zone))}</td>"
            f"{cells[candle.open]}{cells[candle.high]}{cells[candle.low]}{cells[candle.close]}"
            f'<td class="figure">{candle.ticks}</td>{cells[candle.stop]}'
            f"<td>{escape('; '.join(mark.words for mark in candle.marks)) if candle.marks else ''}</td></tr>"
            for candle in candles
        )
    )
