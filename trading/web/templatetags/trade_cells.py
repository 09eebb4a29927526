"""What stands in the cells of a list of trades.

Functions and no template: a page draws hundreds of cells, and a template's chain of conditions for each took a quarter
of the page's time.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date

from django import template
from django.template import Context
from django.utils.html import format_html
from django.utils.safestring import SafeString

from trading.domain import display
from trading.domain.flags import meaning
from trading.queries.trade_list import TradeRow
from trading.web.templatetags import velox as write
from trading.web.trade_columns import TradeColumn

register = template.Library()


@dataclass(frozen=True, slots=True)
class List:
    """What the cells of one list share: its currency, the query of its links, whether the day stands under a time, and
    the day beside which it need not."""

    currency: str
    trade_query: str
    shows_day: bool
    day: date | None


@register.simple_tag(takes_context=True)
def trade_cell(context: Context, column: TradeColumn, row: TradeRow) -> str:
    """Write the cell of a trade in a column."""
    query, shows_day = str(context.get("trade_query") or ""), bool(context.get("show_day"))
    shared = List(context["account"].currency, query, shows_day, context.get("day"))
    return CELLS[column.key](row, shared)


def symbol(row: TradeRow, shared: List) -> SafeString:
    origin = f"{row.trade.strategy_id} · {row.trade.trade_id}"
    return format_html(
        '<a class="symbol" href="{}{}">{}</a><span class="under clip" title="{}">{}</span>',
        *(write.trade_address(row.pk), shared.trade_query, row.trade.symbol, origin, origin),
    )


def realised(row: TradeRow, shared: List) -> str:
    return write.pnl(row.trade.realised_pnl, shared.currency) if has_realised(row) else display.UNDEFINED


def earned(row: TradeRow, shared: List) -> str:
    return write.pnl(row.earned, shared.currency) if has_realised(row) else display.UNDEFINED


def has_realised(row: TradeRow) -> bool:
    """Tell whether there is a result to show: an open trade has one once a part of it was closed."""
    return row.result != "open" or bool(row.trade.realised_pnl)


def result(row: TradeRow, shared: List) -> SafeString:
    badge = write.result_badge(row.result)
    odd = write.slips(row.trade.flags)
    if not odd:
        return badge
    return format_html('{} <span class="badge warn" title="{}">look</span>', badge, "; ".join(map(meaning, odd)))


def opened(row: TradeRow, shared: List) -> str:
    at = write.clock(row.trade.opened_at, row.trade.flags)
    is_of_day = not shared.shows_day and row.trading_day == (shared.day or row.trading_day)
    return at if is_of_day else format_html('{}<span class="under">{}</span>', at, write.day(row.trading_day))


def gap(row: TradeRow, shared: List) -> str:
    if row.excursion["gap"]:
        return format_html('<span class="badge warn">{}</span>', row.excursion["gap"])
    if row.excursion["ticks"] is None:
        return format_html('<span class="quiet">{}</span>', "not measured")
    return "no gap"


def review(row: TradeRow, shared: List) -> SafeString:
    if row.review is None or not row.review.rating:
        return format_html('<span class="quiet">{}</span>', write.words(row.review_state))
    words = f"{row.review.rating} of 5"
    return format_html(
        '<span title="{}"><span class="unseen">{}</span><span aria-hidden="true">{}</span></span>',
        *(words, words, write.stars(row.review.rating)),
    )


CELLS: dict[str, Callable[[TradeRow, List], str]] = {
    "symbol": symbol,
    "pnl": realised,
    "earned": earned,
    "result": result,
    "side": lambda row, _: (row.trade.side or display.UNDEFINED).capitalize(),
    "opened": opened,
    "closed": lambda row, _: write.moment(row.trade.closed_at, row.trade.flags),
    "held": lambda row, _: write.held(row.held_seconds),
    "quantity": lambda row, shared: write.quantity(row.quantity, shared.currency),
    "entry": lambda row, shared: write.price(row.entry_price, shared.currency),
    "charges": lambda row, shared: write.money(row.trade.charges, shared.currency),
    "r": lambda row, _: write.signed(row.r_multiple),
    "strategy": lambda row, _: row.trade.strategy_id or display.UNDEFINED,
    "trade_id": lambda row, _: row.trade.trade_id or display.UNDEFINED,
    "exit_reason": lambda row, _: row.trade.exit_reason or display.UNDEFINED,
    "stop": lambda row, shared: write.price(row.trade.stop_price, shared.currency),
    "target": lambda row, shared: write.price(row.trade.target_price, shared.currency),
    "risk": lambda row, shared: write.money(row.trade.initial_risk, shared.currency),
    "mae": lambda row, shared: write.pnl(row.excursion["mae"], shared.currency),
    "mfe": lambda row, shared: write.pnl(row.excursion["mfe"], shared.currency),
    "gap": gap,
    "tags": lambda row, _: write.listed(row.review.tags) if row.review else display.UNDEFINED,
    "flags": lambda row, _: "; ".join(map(meaning, row.trade.flags)) or display.UNDEFINED,
    "review": review,
}
