"""Comparing an account's ledger with its broker's files and the hot copy, and keeping the breaks that are seen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from trading.brokers.values import Statement
from trading.domain.breaks import OpenBreak
from trading.domain.reconciliation import Reconciliation
from trading.errors import LedgerReadOnly
from trading.hot import cache
from trading.hot.differences import differing_entries, held_positions
from trading.operations.record_breaks import RecordedBreaks, record_breaks
from trading.queries.accounts import get_account
from trading.queries.instrument_names import NameMap
from trading.queries.open_breaks import open_breaks
from trading.queries.period import desk_date
from trading.queries.reconciliation import reconcile
from trading.transactions import reading


@dataclass(frozen=True, slots=True)
class BreaksSeen:
    """What one run compared, and the breaks that are open after it; ``is_kept`` is False on a read-only ledger."""

    run: Reconciliation
    breaks: RecordedBreaks
    is_kept: bool = True

    @property
    def verdict(self) -> str:
        """What the run comes to, in a sentence that claims no more than was compared."""
        count, left_out = len(self.breaks.open), len(self.run.left_out)
        kept = "" if self.is_kept else " The ledger is read-only here: when they were first seen was not kept."
        if count:
            return f"{count:,} {'break is' if count == 1 else 'breaks are'} open; nothing was booked.{kept}"
        names = ", ".join(each.comparison.value.replace("_", " ") for each in self.run.compared)
        if not names:
            return "Nothing was compared: no file was given, none was imported, and there is no hot copy."
        if left_out:
            return f"{left_out:,} lines could not be compared. Nothing else differs in {names}."
        return f"Nothing differs in what was compared: {names}."


def find_breaks(
    account: str,
    statements: Sequence[Statement],
    *,
    symbols: NameMap | None = None,
    first: date | None = None,
    last: date | None = None,
    plan: str | None = None,
    by: str = "",
    now: datetime,
) -> BreaksSeen:
    """Compare and keep what differs (see `queries.reconciliation.reconcile`); nothing is booked.

    Raises: UnknownAccount, LedgerNotReady, LedgerBusy.
    """
    with reading():
        run = reconcile(
            account,
            statements,
            symbols=symbols,
            first=first,
            last=last,
            plan=plan,
            hot=list(differing_entries(account, now)) if cache.is_shared() else None,
            held_hot=held_positions(account, desk_date(now)),
            now=now,
        )
    try:
        return BreaksSeen(run, record_breaks(run, as_of=now, by=by))
    except LedgerReadOnly:
        with reading():
            before = {each.difference.id: each for each in open_breaks(get_account(account))}
        seen = {each.id: before.get(each.id, OpenBreak(each, now)) for each in run.breaks}
        return BreaksSeen(run, RecordedBreaks(list((before | seen).values())), is_kept=False)
