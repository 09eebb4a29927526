"""What the desk's notes are made of: the sessions of an account's markets, and the facts of each note."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from urllib.parse import quote

from django.conf import settings
from django.db.models import Q

from trading.domain.desk_notes import (
    Desk,
    DeskNote,
    DueNote,
    FlatFacts,
    NoteKind,
    PartState,
    ReadyFacts,
    closing_note,
    flat_note,
    ready_note,
    schedule,
)
from trading.domain.sessions import HOLIDAY, DaySession
from trading.domain.values import Position
from trading.health.report import HealthLook
from trading.models import Account, DayTotal, Realisation, Review, Trade
from trading.queries.accounts import all_accounts
from trading.queries.daily_summary import build_daily_summary
from trading.queries.excursion_report import gaps_of
from trading.queries.exposure import Market
from trading.queries.limits import limits_in_force, measured_limits
from trading.queries.period import account_date, desk_zone
from trading.queries.positions_then import open_at_end_of
from trading.queries.sessions import DEFAULT_GROUP, calendar_of
from trading.queries.trades import OPEN, VOID
from trading.queries.valuation import LastTicks, open_trade_positions, priced

RECENT_DAYS = 30
AHEAD_DAYS_MAX = 7
HealthCheck = Callable[[datetime], HealthLook]


@dataclass(frozen=True, slots=True)
class Markets:
    """The markets on which an account holds something or traded on a day, and those watched for it beside them."""

    held: frozenset[Market]
    watched: frozenset[Market]


def noted_accounts(now: datetime) -> list[Account]:
    """Return the accounts that get notes: live and paper ones that hold something, traded within a month or have
    limits; without any of these the first live one."""
    since = (now - timedelta(days=RECENT_DAYS)).date()
    accounts = [account for account in all_accounts() if account.book in (Account.Book.LIVE, Account.Book.PAPER)]
    active = [account for account in accounts if _is_active(account, since, now)]
    return active or [account for account in accounts if account.book == Account.Book.LIVE][:1]


def _is_active(account: Account, since: date, now: datetime) -> bool:
    return (
        Trade.objects.filter(account=account, state=OPEN).exists()
        or DayTotal.objects.filter(account=account, day__gte=since).exists()
        or bool(limits_in_force(account, account_date(account, now)))
    )


def markets_of(account: Account, day: date) -> Markets:
    """Return an account's markets on a day: without any of its own, the default exchange is watched."""
    # No zone is a day away from UTC: openings are asked for by instants, as an index has them.
    since, until = (datetime.combine(day + timedelta(days=days), time(), UTC) for days in (-1, 2))
    columns = ("instrument__exchange__code", "instrument__session_group")
    trades = Trade.objects.filter(account=account).exclude(state=VOID).order_by()
    held = trades.filter(Q(state=OPEN)).values_list(*columns)
    opened = trades.filter(opened_at__gte=since, opened_at__lt=until, trading_day=day).values_list(*columns)
    realised = DayTotal.objects.filter(account=account).order_by().values_list(*columns)
    of_day = {*held, *opened, *realised.filter(day=day)}
    recent = {*realised.filter(day__gte=day - timedelta(days=RECENT_DAYS), day__lte=day).distinct()}
    return Markets(frozenset(of_day), frozenset(of_day | recent or {(settings.VELOX_EXCHANGE, DEFAULT_GROUP)}))


def notes_of_day(account: Account, day: date) -> list[DueNote]:
    """Return the notes that are due to an account on a day, those of sessions that run over midnight on their own."""
    markets = markets_of(account, day)
    return list(
        schedule(day, _sessions(markets.watched, day), _sessions(markets.held, day), _next_opening(markets, day))
    )


def note_of(
    account: Account, note: DueNote, last_ticks: LastTicks, health: HealthCheck, *, now: datetime
) -> DeskNote | None:
    """Return what a note says now; None of a session's end in which nothing is open."""
    desk = Desk(account.code, account.currency, desk_zone())
    if note.kind == NoteKind.READY:
        return ready_note(desk, _ready_facts(account, note, last_ticks, health, now), now=now)
    if note.kind == NoteKind.CLOSING and note.closes_at is not None:
        markets = {
            market for market in markets_of(account, note.day).held if _closes_at(market, note) == note.closes_at
        }
        positions = _open(account, last_ticks, markets)
        return closing_note(desk, note.closes_at, positions, now=now) if positions else None
    return flat_note(desk, note.day, _flat_facts(account, note, last_ticks, now))


def _sessions(markets: frozenset[Market], day: date) -> list[DaySession]:
    sessions = (calendar_of(*market).continuous(day) for market in sorted(markets))
    return [session for session in sessions if session is not None]


def _closes_at(market: Market, note: DueNote) -> datetime | None:
    session = calendar_of(*market).continuous(note.day)
    return None if session is None else session.closes_at


def _next_opening(markets: Markets, day: date) -> datetime | None:
    """Return when the first session opens after a day."""
    for days in range(1, AHEAD_DAYS_MAX + 1):
        sessions = _sessions(markets.watched, day + timedelta(days=days))
        if sessions:
            return min(session.opens_at for session in sessions)
    return None


def _open(account: Account, last_ticks: LastTicks, markets: set[Market] | None = None) -> list[Position]:
    """Return what is open in an account at its last prices, the oldest first; on some markets alone, or on all."""
    trades = [
        (row, position)
        for row, position in open_trade_positions(account)
        if markets is None or (row.instrument.exchange.code, row.instrument.session_group) in markets
    ]
    return [position for _, position in priced(trades, last_ticks)]


def _ready_facts(
    account: Account, note: DueNote, last_ticks: LastTicks, health: HealthCheck, now: datetime
) -> ReadyFacts:
    look = health(now)
    watched = markets_of(account, note.day).watched
    opens_at = min(session.opens_at for session in _sessions(watched, note.day))
    words = set()
    for exchange, group in watched:
        calendar = calendar_of(exchange, group)
        for row in calendar.dated_rows(note.day):
            is_closed = row.kind == HOLIDAY and calendar.continuous(note.day) is None
            if is_closed or row.kind != HOLIDAY:
                words.add(f"{exchange}: {'holiday' if is_closed else 'special session'}, {row.note}.")
    return ReadyFacts(
        opens_at=opens_at,
        parts=[
            PartState(name, state["status"], state["detail"], state["cure"])
            for name, state in look.report["parts"].items()
        ],
        backup_at=None if look.backups is None else look.backups.newest_at,
        positions=_open(account, last_ticks),
        limits=measured_limits(account, last_ticks, now=now).states,
        markets=sorted(words),
    )


def _flat_facts(account: Account, note: DueNote, last_ticks: LastTicks, now: datetime) -> FlatFacts:
    """Return what a *flat* note says. What is open is what is open now, at its last prices, until the next session is
    near, whichever date it is at the desk by then: after it, what was open when the day ended."""
    day = note.day
    summary = build_daily_summary(account, day, now=now)
    closes = Realisation.objects.filter(account=account, day=day, closes=True)
    closed = closes.values_list("trade__trade_id", "trade__realised_pnl", "trade__charges")
    zone = desk_zone()
    without_stop = Trade.objects.filter(account=account, pk__in=closes.values("trade"), initial_stop_price=None)
    return FlatFacts(
        positions=_open(account, last_ticks)
        if now < note.until
        else [position for _, position in open_at_end_of(account, day)],
        pnl_by_strategy={str(row["strategy_id"]): row["total_pnl"] for row in summary["strategies"]},
        total_pnl=summary["total"]["total_pnl"],
        closed=[(trade_id, pnl - (charges or 0)) for trade_id, pnl, charges in closed],
        without_stop=list(without_stop.order_by("opened_at").values_list("trade_id", flat=True)),
        without_charges=summary["total"]["trades_without_charges"],
        unreviewed=closes.exclude(trade__review__state=Review.State.DONE).count(),
        gaps=[
            f"{gap['symbol']} {gap['starts_at'].astimezone(zone):%H:%M}–{gap['ends_at'].astimezone(zone):%H:%M}"
            for gap in gaps_of(account, day, day)
        ],
        link=f"{settings.VELOX_SITE_URL.rstrip('/')}/days/{day}/?account={quote(account.code)}",
    )
