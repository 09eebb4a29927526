"""The desk's notes of a day: when each is due, and what it says. Pure: sessions, facts and the clock are arguments.

*ready* comes before the day's first session, *closing* before each session ends in which something is open, *flat*
after the last session. Each is told once; one that was missed is told late for as long as it is still of use.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from zoneinfo import ZoneInfo

from trading.domain import display
from trading.domain.limits import LimitState, Usage
from trading.domain.sessions import DaySession
from trading.domain.values import Position

READY_BEFORE = timedelta(minutes=15)
CLOSING_BEFORE = (timedelta(minutes=15), timedelta(minutes=5))
FLAT_AFTER = timedelta(minutes=10)
FLAT_LASTS = timedelta(days=7)  # no exchange stays closed for longer but once in years
ALWAYS_TOLD = ("feed", "disk", "clock")  # parts that a *ready* names when they are well, too
NAMED_MAX = 10  # so many trades of one kind are named


class NoteKind(StrEnum):
    """Which of the day's notes it is."""

    READY = "ready"
    CLOSING = "closing"
    FLAT = "flat"


@dataclass(frozen=True, slots=True)
class DueNote:
    """One note of a day: told from ``due_at`` on, and where it was missed before ``until``.

    ``closes_at`` is when the session of a closing note ends.
    """

    kind: NoteKind
    day: date
    due_at: datetime
    until: datetime
    closes_at: datetime | None = None

    def key(self, account: str) -> str:
        """Return what tells this note of an account from every other."""
        closing = "" if self.closes_at is None else f" {self.closes_at - self.due_at} before {self.closes_at:%H:%M}Z"
        return f"note {account} {self.day} {self.kind}{closing}"


def schedule(
    day: date, watched: Collection[DaySession], held: Collection[DaySession], next_opens_at: datetime | None
) -> Iterator[DueNote]:
    """Yield the notes of a day: of the sessions ``watched`` for the account, and of those in which it holds or traded.

    A *ready* is of use until its session closes, a closing note until the next of them is due or the session ends, a
    *flat* until the next ready is due (``next_opens_at``: the next day's first opening). No session, no note.
    """
    if not watched:
        return
    first = min(watched, key=lambda session: session.opens_at)
    yield DueNote(NoteKind.READY, day, first.opens_at - READY_BEFORE, first.closes_at)
    for closes_at in sorted({session.closes_at for session in held}):
        ends = [closes_at - before for before in CLOSING_BEFORE[1:]] + [closes_at]
        for before, until in zip(CLOSING_BEFORE, ends, strict=True):
            yield DueNote(NoteKind.CLOSING, day, closes_at - before, until, closes_at)
    due_at = max(session.closes_at for session in held or watched) + FLAT_AFTER
    until = due_at + FLAT_LASTS if next_opens_at is None else next_opens_at - READY_BEFORE
    yield DueNote(NoteKind.FLAT, day, due_at, max(until, due_at))


@dataclass(frozen=True, slots=True)
class DeskNote:
    """A note as it is told: its verdict first, then its lines. ``is_fine`` where nothing is to be done."""

    verdict: str
    is_fine: bool
    lines: Sequence[str]

    @property
    def text(self) -> str:
        """Return all of it as lines."""
        return "\n".join((self.verdict, *self.lines))


@dataclass(frozen=True, slots=True)
class Desk:
    """What every note of an account needs: its code and currency, and the zone in which times are told."""

    account: str
    currency: str
    zone: ZoneInfo


@dataclass(frozen=True, slots=True)
class PartState:
    """How one part of VELOX is: ok, degraded, down or off, and what to do."""

    name: str
    status: str
    detail: str
    cure: str


@dataclass(frozen=True, slots=True)
class ReadyFacts:
    """What a *ready* note is made of; ``markets`` are words on exchanges whose day is not the usual one."""

    opens_at: datetime
    parts: Sequence[PartState]
    backup_at: datetime | None
    positions: Sequence[Position]
    limits: Sequence[LimitState]
    markets: Sequence[str]


@dataclass(frozen=True, slots=True)
class FlatFacts:
    """What a *flat* note is made of: what is open, P&L by strategy, trades closed on the day by P&L after known
    charges, the ids of trades of the day without a stop, how many are without known charges or unreviewed, and gaps."""

    positions: Sequence[Position]
    pnl_by_strategy: Mapping[str, Decimal]
    total_pnl: Decimal
    closed: Sequence[tuple[str, Decimal]]
    without_stop: Sequence[str]
    without_charges: int
    unreviewed: int
    gaps: Sequence[str]
    link: str


def ready_note(desk: Desk, facts: ReadyFacts, *, now: datetime) -> DeskNote:
    """Return the note before the day's first session."""
    faults = [state for state in facts.parts if state.status in ("degraded", "down")]
    crossed = [limit for limit in facts.limits if limit.state == Usage.CROSSED]
    is_ready = not faults and not crossed
    opens = facts.opens_at.astimezone(desk.zone)
    late = "" if now < facts.opens_at else " (told late: it is open)"
    lines = [*facts.markets, f"First session opens at {opens:%H:%M}{late}."]
    lines += [f"{fault.name} {fault.status}: {fault.detail} Do: {fault.cure}".strip() for fault in faults]
    usual = [state for state in facts.parts if state.name in ALWAYS_TOLD and state not in faults]
    lines += [f"{state.name} {state.status}: {state.detail}" for state in usual]
    if facts.backup_at is None:
        lines.append("Backup: none was made.")
    else:
        lines.append(f"Backup: {display.duration((now - facts.backup_at).total_seconds())} old.")
    carried = [_position(desk, held) for held in facts.positions]
    lines += [f"Carried over: {len(carried) or 'nothing'}.", *carried[:NAMED_MAX]]
    lines += [f"Limits in force: {len(facts.limits) or 'none'}.", *(_limit(desk, limit) for limit in facts.limits)]
    word = "Ready" if is_ready else "NOT READY"
    return DeskNote(f"{word}: account {desk.account}, {opens:%A %Y-%m-%d}.", is_ready, lines)


def closing_note(desk: Desk, closes_at: datetime, positions: Sequence[Position], *, now: datetime) -> DeskNote:
    """Return the note before a session ends: what is open in it."""
    minutes = max(0, -(-int((closes_at - now).total_seconds()) // 60))
    closes = closes_at.astimezone(desk.zone)
    number = f"{len(positions)} trade{'s' if len(positions) != 1 else ''}"
    verdict = f"{number} open, {minutes} min left: account {desk.account}, until {closes:%H:%M}."
    return DeskNote(verdict, not positions, [_position(desk, held) for held in positions])


def flat_note(desk: Desk, day: date, facts: FlatFacts) -> DeskNote:
    """Return the note after the day's last session."""
    is_flat = not facts.positions

    def money(amount: Decimal) -> str:
        return display.money(amount, desk.currency)

    lines = [_position(desk, held) for held in facts.positions[:NAMED_MAX]]
    lines.append(f"P&L after known charges, {desk.currency}: {money(facts.total_pnl)}.")
    lines += [f"{name}: {money(pnl)}" for name, pnl in facts.pnl_by_strategy.items()]
    if facts.closed:
        best, worst = max(facts.closed, key=lambda trade: trade[1]), min(facts.closed, key=lambda trade: trade[1])
        lines.append(
            f"Best {best[0]} {money(best[1])}, worst {worst[0]} {money(worst[1])}, of {len(facts.closed)} closed."
        )
    else:
        lines.append("No trade was closed.")
    if facts.without_stop:
        ids = ", ".join(facts.without_stop[:NAMED_MAX]) + (", ..." if len(facts.without_stop) > NAMED_MAX else "")
        lines.append(f"Without a stop: {len(facts.without_stop)} ({ids}).")
    lines += [f"Without known charges: {facts.without_charges}."] if facts.without_charges else []
    lines += [f"To review: {facts.unreviewed}."] if facts.unreviewed else []
    lines += [f"Feed gaps: {len(facts.gaps)}.", *facts.gaps[:NAMED_MAX]] if facts.gaps else []
    lines.append(facts.link)
    word = "Flat" if is_flat else f"NOT FLAT, {len(facts.positions)} open"
    return DeskNote(f"{word}: account {desk.account}, {day}.", is_flat, lines)


def _position(desk: Desk, held: Position) -> str:
    pnl = "P&L not known" if held.unrealised_pnl is None else display.money(held.unrealised_pnl, desk.currency)
    return f"{held.symbol} {held.side} {held.open_quantity:f} ({held.strategy_id} {held.trade_id}): {pnl}"


def _limit(desk: Desk, limit: LimitState) -> str:
    def amount(size: Decimal | None) -> str:
        if size is None:
            return "not known"
        return display.money(size, desk.currency) if limit.is_money else f"{size:f}"

    scope = "account" if limit.strategy_id is None else limit.strategy_id
    return f"{limit.title} ({scope}): {amount(limit.used)} of {amount(limit.limit)}, {limit.state}"
