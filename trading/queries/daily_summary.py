"""The summary of one trading day (FACE §6), computed from the trades; and what was published of it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from trading.domain import display, figures
from trading.domain.figures import Capital, Exit
from trading.models import Account, DailySummary, Realisation, Trade
from trading.queries.accounts import first_values, get_account
from trading.queries.day_end import end_of_day
from trading.queries.exposure import Held, Span, held_over
from trading.queries.period import desk_date, parse_day
from trading.queries.reports import Selection
from trading.queries.statistics import Cut, History, capital_in, exits_of, history_of, trading_days

VOID = "VOID"


@dataclass(frozen=True, slots=True)
class Published:
    """The newest version of a day's published summary; ``body`` is its canonical JSON."""

    version: int
    body: str
    created_at: datetime


def build_daily_summary(
    account_code: str, day: date, *, now: datetime | None = None, known_at: datetime | None = None
) -> dict[str, Any]:
    """Return `{"date", "account", "currency", "strategies": [ROW], "total": ROW}` for one trading day.

    A ROW holds strategy_id (None in the total), the figures of `statistics.strategy_stats` that fit a day (no ratios of
    days, no dates), and exposure_seconds: how long at least one trade was open. Money is Decimal, ratios float or None,
    the date ISO text. A trade that stays open counts until the day's continuous trading ends, or until ``now``.
    ``known_at`` leaves out what was recorded from that instant on: trades, corrections, capital.

    Raises: UnknownAccount.
    """
    return summary_of_cut(Cut(get_account(account_code), known_at=known_at), day, now=now)


def summary_of_cut(cut: Cut, day: date, *, now: datetime | None = None) -> dict[str, Any]:
    """Return the same of a part of the account, such as one symbol."""
    exits = list(exits_of(cut, day, day))
    history = history_of(cut.account, day, known_at=cut.known_at)
    return _told(cut, day, exits, _spans(held_over(cut, day, day, now=now)), history)


def build_span(chosen: Selection, *, now: datetime) -> dict[str, Any]:
    """Return `{"account", "currency", "from", "to", "strategy", "symbol", "days": [SUMMARY], "total": ROW}`.

    SUMMARY is `build_daily_summary` of what was chosen; days without a trade, an exit or a position are left out. In
    the total the drawdown runs across the days. A day that has not come yet holds nothing.
    """
    cut, first, last = chosen.cut, chosen.first, chosen.last
    if first is None or last is None:
        return {**chosen.head(), "days": [], "total": _row(None, [], [], Capital(0, [], {}, {}))}
    exits = list(exits_of(cut, first, last))
    held: dict[date, list[Held]] = {}
    for one in held_over(cut, first, min(last, desk_date(now)), now=now):
        held.setdefault(one.day, []).append(one)
    by_day: dict[date, list[tuple[str, Exit]]] = {}
    for strategy_id, exit in exits:
        by_day.setdefault(exit.day, []).append((strategy_id, exit))
    everything = [exit for _, exit in exits]
    history = history_of(cut.account, last, known_at=cut.known_at)
    capital = capital_in(history, trading_days(cut, first, last), everything)
    spans = [one.span for of_day in held.values() for one in of_day]
    return {
        **chosen.head(),
        "days": [
            _told(cut, day, by_day.get(day, []), _spans(held.get(day, [])), history)
            for day in sorted(by_day.keys() | held)
        ],
        "total": _row(None, everything, spans, capital),
    }


def _told(
    cut: Cut, day: date, exits: list[tuple[str, Exit]], spans: dict[str, list[Span]], history: History
) -> dict[str, Any]:
    everything = [exit for _, exit in exits]
    capital = capital_in(history, [day], everything)
    names = sorted({name for name, _ in exits} | spans.keys())
    return {
        "date": day.isoformat(),
        "account": cut.account.code,
        "currency": cut.account.currency,
        "strategies": [
            _row(name, [exit for of, exit in exits if of == name], spans.get(name, []), capital) for name in names
        ],
        "total": _row(None, everything, [span for held in spans.values() for span in held], capital),
    }


def _spans(held: Iterable[Held]) -> dict[str, list[Span]]:
    """Return how long each strategy's trades were open on a day."""
    spans: dict[str, list[Span]] = {}
    for one in held:
        spans.setdefault(one.strategy_id, []).append(one.span)
    return spans


def summary_of(account_code: str, day: date | datetime | str | None, *, now: datetime) -> dict[str, Any]:
    """Return the summary of a day as a caller names it; None means the latest that has data, else today.

    Raises: UnknownAccount; InvalidValue for what is no day, and for one that has not begun by ``now``.
    """
    account = get_account(account_code)
    chosen = (latest_day(account, now=now) or desk_date(now)) if day is None else parse_day(day)
    end_of_day(account, chosen, now=now)
    return build_daily_summary(account_code, chosen, now=now)


def latest_day(account: Account, *, now: datetime) -> date | None:
    """Return the newest trading day on which, by ``now``, a trade was opened or something was realised, None where
    nothing was."""
    opened = Trade.objects.filter(account=account, opened_at__lte=now).exclude(state=VOID).order_by("-trading_day")
    realised = Realisation.objects.filter(account=account, at__lte=now).order_by("-day")
    days = first_values(account, opened.values("trading_day"), realised.values("day"))
    return max((day for day in days if day is not None), default=None)


def published_summary(account_code: str, day: date) -> Published | None:
    """Return the newest published version of a day, None where it was never published."""
    rows = DailySummary.objects.filter(account=get_account(account_code), day=day)
    newest = rows.order_by("-version").first()
    return None if newest is None else Published(newest.version, newest.body, newest.created_at)


def canonical(summary: Mapping[str, Any]) -> str:
    """Return a summary as canonical JSON: keys in order, money as plain strings; equal summaries have equal texts."""
    return json.dumps(summary, default=_plain, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def only(summary: Mapping[str, Any], strategy_id: str) -> dict[str, Any]:
    """Return the summary of one strategy: its row, and a total that is this row (zeros where it did nothing)."""
    rows = [row for row in summary["strategies"] if row["strategy_id"] == strategy_id]
    total = rows[0] if rows else _row(None, [], [], Capital(0, [], {}, {}))
    return {**summary, "strategies": rows, "total": {**total, "strategy_id": None}}


def _row(strategy_id: str | None, exits: list[Exit], spans: list[Span], capital: Capital) -> dict[str, Any]:
    made = figures.day_figures(exits, capital)
    return {"strategy_id": strategy_id, **made, "exposure_seconds": figures.exposure_seconds(spans)}


def _plain(value: Any) -> str:
    if isinstance(value, Decimal):
        return display.plain(value)
    raise TypeError(f"{type(value).__name__} has no place in a summary")
