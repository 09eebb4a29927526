"""Removing what was replayed into an account."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from django.db.models import QuerySet

from trading import picture_files
from trading.bookkeeping import journal
from trading.domain.chain import JournalEntry
from trading.errors import InvalidValue
from trading.models import (
    Account,
    ActionDecision,
    Alert,
    AlertDelivery,
    ApiToken,
    BreakEvent,
    BrokerFile,
    BrokerFill,
    CorporateAction,
    Correction,
    DailySummary,
    DayNote,
    DayTotal,
    Excursion,
    FeedGap,
    Fill,
    FillKey,
    HoldingCost,
    Journal,
    Limit,
    Realisation,
    Review,
    Screenshot,
    ScreenshotWithdrawal,
    Signal,
    SignalCondition,
    StatedCharge,
    StopChange,
    TokenRevocation,
    Trade,
)
from trading.queries.accounts import get_account
from trading.transactions import writing

MAIN = "main"


def clear_account(account_code: str, *, by: str = "") -> dict[str, int]:
    """Remove the account's trades, signals, tokens and chain in one transaction; return the rows removed by kind.

    What remains of it is one row in the chain of `main`: who, how many, and where the chain ended. The account, its
    capital and its sequence numbers stay; none is used again.

    Raises: InvalidValue for an account whose book is not `replay`; UnknownAccount, LedgerBusy, LedgerNotReady.
    """
    now = datetime.now(UTC)
    with writing():
        account = get_account(account_code)
        if account.book != Account.Book.REPLAY:
            raise InvalidValue(
                f"Account {account_code} is {account.book}.",
                field="account",
                hint="Only an account whose book is replay can be cleared.",
            )
        main = get_account(MAIN)
        journal.lock_head(main)
        head = journal.lock_head(account)
        pictures = list(Screenshot.objects.filter(account=account).values_list("name", flat=True))
        removed = {name: rows.delete()[0] for name, rows in _rows(account).items()}
        if any(removed.values()):
            ends: JournalEntry = {"last_sequence": head.sequence, "last_head": head.mac}
            body: JournalEntry = {"cleared": account_code, "rows": removed, **ends}
            journal.append(main, "clear_account", body, now=now, by=by)
    picture_files.remove(pictures)
    return removed


def _rows(account: Account) -> dict[str, QuerySet[Any, Any]]:
    """Return the account's rows by kind, the dependent ones first."""
    return {
        "alert_deliveries": AlertDelivery.objects.filter(alert__account=account),
        "alerts": Alert.objects.filter(account=account),
        "summaries": DailySummary.objects.filter(account=account),
        "limits": Limit.objects.filter(account=account),
        "day_notes": DayNote.objects.filter(account=account),
        "stated_charges": StatedCharge.objects.filter(account=account),
        "corrections": Correction.objects.filter(account=account),
        "screenshot_ends": ScreenshotWithdrawal.objects.filter(account=account),
        "screenshots": Screenshot.objects.filter(account=account),
        "reviews": Review.objects.filter(trade__account=account),
        "excursions": Excursion.objects.filter(trade__account=account),
        "feed_gaps": FeedGap.objects.filter(account=account),
        "day_totals": DayTotal.objects.filter(account=account),
        "realisations": Realisation.objects.filter(account=account),
        "fill_keys": FillKey.objects.filter(account=account),
        "fills": Fill.objects.filter(trade__account=account),
        "stop_changes": StopChange.objects.filter(trade__account=account),
        "conditions": SignalCondition.objects.filter(signal__account=account),
        "signals": Signal.objects.filter(account=account),
        "trades": Trade.objects.filter(account=account),
        "action_decisions": ActionDecision.objects.filter(account=account),
        "corporate_actions": CorporateAction.objects.filter(account=account),
        "holding_costs": HoldingCost.objects.filter(account=account),
        "broker_fills": BrokerFill.objects.filter(account=account),
        "broker_files": BrokerFile.objects.filter(account=account),
        "breaks": BreakEvent.objects.filter(account=account),
        "token_ends": TokenRevocation.objects.filter(account=account),
        "tokens": ApiToken.objects.filter(account=account),
        "journal": Journal.objects.filter(account=account),
    }
