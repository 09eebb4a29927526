"""The rows of a cut of a period's exits. Functions and no template, as `trade_cells`: a period has hundreds of them."""

from __future__ import annotations

from html import escape

from django import template
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from trading.domain.shapes import PartRow
from trading.web.templatetags import velox as write

register = template.Library()
_ROW = (
    '<tr><th scope="row">{}</th><td class="figure">{}</td><td class="figure">{}</td><td class="figure">{}</td>'
    '<td class="figure quiet">{} – {}</td><td class="figure">{}</td><td class="figure quiet">{} – {}</td>'
    '<td class="figure">{}</td><td class="figure quiet">{} – {}</td><td class="figure">{}</td></tr>'
)


@register.simple_tag
def cut_rows(rows: list[PartRow], cut: str, currency: str, account_query: str) -> SafeString:
    """Write the parts of a cut as rows, a line each: the part's name, which leads to its page where it is a day, its
    P&L, its trades, and what they let expect, each with the ends of its interval."""
    return SafeString("".join(f"{_row(row, cut, currency, account_query)}\n" for row in rows))


def _row(row: PartRow, cut: str, currency: str, account_query: str) -> str:
    shown_key = escape(row["key"])
    if cut == "day":
        shown_key = format_html('<a href="{}{}">{}</a>', reverse("day", args=[row["key"]]), account_query, row["key"])
    # Of the cells the key alone may need escaping: the others are numbers, and elements that are safe.
    return _ROW.format(
        shown_key,
        write.pnl(row["total_pnl"], currency),
        write.quantity(row["total_trades"], currency),
        write.percent(row["win_rate"]),
        *(write.ratio(end, 0) for end in (row["win_rate_low"], row["win_rate_high"])),
        write.pnl(row["expectancy"], currency),
        *(write.money(end, currency) for end in (row["expectancy_low"], row["expectancy_high"])),
        *(write.ratio(row[name]) for name in ("expectancy_r", "expectancy_r_low", "expectancy_r_high")),
        write.ratio(row["profit_factor"]),
    )
