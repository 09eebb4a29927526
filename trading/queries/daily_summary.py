"""The summary of one trading day (FACE §6), computed from the trades; and what was published of it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

from django.db.models import Max, Q, QuerySet

from trading.domain import display, figures
from trading.domain.figures import Capital, Exit
from trading.domain.sessions import Calendar
from trading.models import Account, DailySummary, Realisation, Trade
from trading.queries import as_known
from trading.queries.accounts import get_account
from trading.queries.period import desk_date, parse_day
from trading.queries.sessions import DEFAULT_GROUP, calendar_of
from trading.queries.statistics import Cut, capital_over, exits_of

VOID = "VOID"
Span = tuple[datetime, datetime]


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

    A ROW holds strategy_id (None in the total), the keys of FACE §5 that fit a day, and exposure_seconds: how long at
    least one trade was open. Money is Decimal, ratios float or None, the date ISO text. A trade that stays open
    counts until the day's continuous trading ends, or until ``now``. ``known_at`` leaves out what was recorded from
    that instant on: trades, corrections, capital.

    Raises: UnknownAccount.
    """
    account = get_account(account_code)
    exits = list(exits_of(Cut(account, known_at=known_at), day, day))
    spans = _spans(account, day, now, known_at)
    everything = [exit for _, exit in exits]
    capital = capital_over(account, [day], everything, known_at=known_at)
    names = sorted({name for name, _ in exits} | spans.keys())
    return {
        "date": day.isoformat(),
        "account": account.code,
        "currency": account.currency,
        "strategies": [
            _row(name, [exit for of, exit in exits if of == name], spans.get(name, []), capital) for name in names
        ],
        "total": _row(None, everything, [span for held in spans.values() for span in held], capital),
    }


def summary_of(account_code: str, day: date | datetime | str | None, *, now: datetime) -> dict[str, Any]:
    """Return the summary of a day as a caller names it; None means the latest that has data, else today.

    Raises: UnknownAccount, InvalidValue.
    """
    chosen = (latest_day(account_code) or desk_date(now)) if day is None else parse_day(day)
    return build_daily_summary(account_code, chosen, now=now)


def latest_day(account_code: str) -> date | None:
    """Return the newest trading day on which a trade was opened or something was realised, None where nothing was."""
    account = get_account(account_code)
    opened = Trade.objects.filter(account=account).exclude(state=VOID).aggregate(day=Max("trading_day"))["day"]
    realised = Realisation.objects.filter(account=account).aggregate(day=Max("day"))["day"]
    return max((day for day in (opened, realised) if day is not None), default=None)


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


def _spans(account: Account, day: date, now: datetime | None, known_at: datetime | None) -> dict[str, list[Span]]:
    """How long each strategy's trades were open on the day; one that was opened but held for no time is there too."""
    spans: dict[str, list[Span]] = {}
    calendars: dict[tuple[str, str], Calendar] = {}
    for strategy_id, exchange, group, opened_at, closed_at in _touching(account, day, known_at):
        calendar = calendars.setdefault((exchange, group), calendar_of(exchange, group or DEFAULT_GROUP))
        span = _held(calendar, day, opened_at, closed_at)
        if span is None:
            continue
        start, stop = span[0], min(span[1], now) if now is not None and closed_at is None else span[1]
        spans.setdefault(strategy_id, []).append((start, max(start, stop)))
    return spans


def _touching(
    account: Account, day: date, known_at: datetime | None
) -> Iterator[tuple[str, str, str, datetime, datetime | None]]:
    rows: QuerySet[Trade] = Trade.objects.filter(account=account, trading_day__lte=day).exclude(state=VOID)
    if known_at is not None:
        rows = rows.filter(as_known.untouched(known_at))
        for known in as_known.retold(account, known_at):
            instrument = known.trade.instrument
            where = (instrument.exchange.code, instrument.session_group)
            yield known.strategy_id, *where, known.opened_at, known.closed_at
    # No zone is a day away from UTC: this is wide enough in every one of them, and `_held` decides.
    since = datetime.combine(day, time(), UTC) - timedelta(days=1)
    still = rows.filter(Q(closed_at=None) | Q(closed_at__gte=since))
    yield from still.values_list(
        "strategy__code", "instrument__exchange__code", "instrument__session_group", "opened_at", "closed_at"
    )


def _held(calendar: Calendar, day: date, opened_at: datetime, closed_at: datetime | None) -> Span | None:
    """What of a trade lies in the day: a trade carried in starts with the day's trading, one carried on ends with
    it."""
    midnight, next_midnight = calendar.bounds(day)
    if opened_at >= next_midnight or (closed_at is not None and closed_at < midnight):
        return None
    session = calendar.continuous(day)
    opens = session.opens_at if session else midnight
    closes = session.closes_at if session else (next_midnight if not calendar.rows else midnight)
    start = opened_at if opened_at >= midnight else opens
    stop = closed_at if closed_at is not None and closed_at < next_midnight else closes
    carried_through_a_closed_day = start != opened_at and stop <= start
    return None if carried_through_a_closed_day else (start, max(start, stop))


def _plain(value: Any) -> str:
    if isinstance(value, Decimal):
        return display.plain(value)
    raise TypeError(f"{type(value).__name__} has no place in a summary")
