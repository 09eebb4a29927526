"""How the pages write money, numbers, times and durations. A builtin of every template, the admin's included."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from functools import lru_cache
from html import escape
from typing import Any
from zoneinfo import ZoneInfo

from django import template
from django.conf import settings
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from trading.domain import amounts, corrections, display, flags, values
from trading.domain.charge_heads import HEAD_TITLES, Head
from trading.domain.sessions import trading_day
from trading.models import Account, Fill, Instrument, Trade
from trading.queries.instruments import shown_symbol
from trading.web import choice
from trading.web.trade_columns import USUAL, TradeColumn

register = template.Library()

PART_NAMES = {
    "ledger": "Ledger",
    "spool": "Spool of points",
    "store": "Time-series store",
    "shipper": "Shipping to the store",
    "intake": "Facts that wait",
    "follower": "Journal as points",
    "hot": "Newest values",
    "broker": "Message broker",
    "worker": "Workers",
    "beat": "Schedule",
    "feed": "Market feed",
    "disk": "Disk",
    "logs": "Logs",
    "clock": "Clocks",
    "site": "Site",
    "alerts": "Alerts",
    "duties": "Work by period",
}


@register.inclusion_tag("velox/parts/demo_banner.html")
def demo_banner() -> dict[str, Any]:
    """Show that the data folder is a demo's. A tag, so that pages without a request (500) have it too."""
    return {"is_demo": settings.IS_DEMO}


@register.simple_tag(takes_context=True, name="account_query")
def account_query_with(context: Mapping[str, Account], **parameters: str) -> str:
    """Write the end of a link that stays in the page's account and asks for more by these parameters."""
    return choice.account_query(context["account"], **parameters)


@register.simple_tag
def usual_columns() -> tuple[TradeColumn, ...]:
    """Return the columns of a list of trades that nobody chose others for."""
    return USUAL


@register.filter
def price(value: Decimal | None, currency: str) -> str:
    """Write a price exactly, an average one to the ledger's 8 decimals: a desk's prices may have them all."""
    return amounts.amount(value, currency)


@register.filter
def money(value: Decimal | None, currency: str) -> SafeString:
    """Write an amount of money, rounded for reading; what was cut off shows under the pointer."""
    return _amount(value, currency, "exact", signed=False)


@register.filter
def pnl(value: Decimal | None, currency: str) -> SafeString:
    """Write a profit or loss: always with its sign, coloured as the sign says."""
    return _amount(value, currency, f"exact {amounts.tone(value)}", signed=True)


@register.filter
def short_pnl(value: Decimal | None, currency: str) -> str:
    """Write a gain or loss in the room of a square of the calendar."""
    return amounts.short(value, currency)


@register.filter
def tone(value: Decimal | None) -> str:
    return amounts.tone(value)


def _amount(value: Decimal | None, currency: str, css: str, *, signed: bool) -> SafeString:
    # Pages have these by the hundred, and format_html takes several times as long.
    rounded, exact = amounts.rounded(value, currency), amounts.amount(value, currency, signed=signed)
    if rounded == value:
        return SafeString(f'<span class="{css}">{escape(exact)}</span>')
    text = amounts.amount(rounded, currency, signed=signed)
    return SafeString(f'<span class="{css}" title="{escape(exact)}">{escape(text)}</span>')


@register.filter
def quantity(value: Decimal | int | None, currency: str) -> str:
    return amounts.number(value, currency)


@register.filter
def count(number: int) -> str:
    """Write a whole number that is of no account."""
    return display.count(number)


@register.filter
def ratio(value: float | None, decimals: int = 2) -> str:
    text = display.ratio(value, decimals=decimals)
    return text.replace("-", amounts.MINUS)


@register.filter
def number(value: float | None) -> str:
    """Write a number as it was recorded, to eight significant digits."""
    return display.UNDEFINED if value is None else f"{value:.8g}".replace("-", amounts.MINUS)


@register.filter
def charge_head(head: Head) -> str:
    """Write a head of charges for people."""
    return HEAD_TITLES[head]


@register.filter
def percent(value: float | None) -> str:
    return display.UNDEFINED if value is None else f"{ratio(value, 1)}\u00a0%"


@register.filter
def held(seconds: float | None) -> str:
    return display.duration(seconds)


@lru_cache(maxsize=65_536)
def trade_address(pk: int) -> str:
    """Return the address of a trade's page; kept, since a list drawn after each fill asks for all of its own."""
    return reverse("trade", args=[pk])


@register.filter
def clock(at: datetime | None, words: Sequence[str] = ()) -> SafeString | str:
    """Write the time of day at the desk; the whole instant is in the element, for a pointer and for programs.

    Where the flags of its trade say that no time of day is known, the day takes its place.
    """
    if at is None:
        return display.UNDEFINED
    local = timezone.localtime(at)
    if flags.DAY_ONLY in words:
        return date_element(local.date())
    whole = f"{local:%Y-%m-%d %H:%M:%S} {local.tzname()}"
    return format_html('<time datetime="{}" title="{}">{}</time>', local.isoformat(), whole, f"{local:%H:%M:%S}")


@register.filter
def moment(at: datetime | None, words: Sequence[str] = ()) -> SafeString | str:
    """Write date and time at the desk; the date alone where the flags of its trade say that no time is known."""
    if at is None:
        return display.UNDEFINED
    local = timezone.localtime(at)
    if flags.DAY_ONLY in words:
        return date_element(local.date())
    return moment_element(local)


@register.filter
def of_trade(at: datetime | None, trade: Trade | values.Trade) -> SafeString | str:
    """Write the time of day of something of a trade, with its date where that is not the one of the opening."""
    opened_at = trade.opened_at
    if at is None or opened_at is None or timezone.localdate(at) == timezone.localdate(opened_at):
        return clock(at)
    return moment(at)


def moment_element(local: datetime) -> SafeString:
    """Write an instant of the desk's clock, for people and for programs."""
    text = local.isoformat()  # nothing in it is anybody's text, and a page holds hundreds
    return SafeString(f'<time class="nowrap" datetime="{text}">{day(local.date())} {text[11:19]}</time>')


@register.filter
def fill_time(fill: Fill) -> SafeString | str:
    """Write when a fill was at the desk, or its trading day where only that is known."""
    zone = ZoneInfo(fill.trade.instrument.exchange.zone)
    return date_element(trading_day(fill.at, zone)) if fill.is_day_only else of_trade(fill.at, fill.trade)


def date_element(value: date) -> SafeString:
    """Write a date, for people and for programs."""
    return format_html('<time class="nowrap" datetime="{}">{}</time>', value.isoformat(), day(value))


@register.filter
def day(value: date | None) -> str:
    return display.UNDEFINED if value is None else _day_text(value)


@lru_cache(1024)  # a page has one day hundreds of times
def _day_text(value: date) -> str:
    return f"{value.day} {value:%b %Y}"


@register.filter
def iso_day(value: str | None) -> date | None:
    """Return the date that a report writes as text."""
    return None if value is None else date.fromisoformat(value)


@register.filter
def instant(text: str | None) -> datetime | None:
    """Return the instant that a report writes as text."""
    return None if text is None else datetime.fromisoformat(text)


@register.filter
def flag(value: str) -> str:
    """Write a trade's flag for people."""
    return flags.meaning(value)


@register.filter
def slips(values: Sequence[str]) -> list[str]:
    """Return those of a trade's flags that are likely slips."""
    return flags.slips(values)


@register.filter
def result_badge(outcome: str) -> SafeString:
    """Write a trade's result as the badge that lists and its page show: "win" is "won"."""
    return format_html('<span class="badge {}">{}</span>', outcome, display.outcome(outcome))


@register.filter
def words(value: str) -> str:
    """Write a code word for people: `to_review` is "to review"."""
    return value.replace("_", " ")


@register.filter
def pairs(conditions: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """Return the entries of a dict; `.items` would find a key of that name first."""
    return list(conditions.items())


@register.filter
def condition(value: Any) -> str:
    return amounts.condition(value)


@register.filter
def changes(body: Mapping[str, Any], currency: str) -> list[tuple[str, str, str]]:
    """Return what a correction changed as (field, before, after)."""
    return corrections.changes(body, currency, timezone.get_default_timezone())


@register.filter
def signed(value: Decimal | None) -> SafeString:
    """Write a plain number with its sign, coloured as the sign says."""
    return format_html('<span class="exact {}">{}</span>', amounts.tone(value), amounts.signed(value))


@register.filter
def symbol(instrument: Instrument) -> str:
    """Write the name by which callers know an instrument."""
    return shown_symbol(instrument.exchange.code, instrument.symbol)


@register.filter
def stars(rating: int) -> str:
    return "★" * rating + "☆" * (5 - rating)


@register.filter
def listed(names: Sequence[str]) -> str:
    return ", ".join(str(name) for name in names) or display.UNDEFINED


@register.filter
def part_name(name: str) -> str:
    """Write the name of a part of VELOX for people."""
    return PART_NAMES.get(name, name)
