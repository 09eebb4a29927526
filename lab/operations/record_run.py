"""Keeping what a command of the lab told, for the pages: with the odds of its time, once and for good."""

from __future__ import annotations

import hashlib
from datetime import UTC, date, datetime

from lab.models import KeptRun
from trading.transactions import writing

BACKTEST, OPTIMIZE, STOP_LAB, GAP = "backtest", "optimize", "stop_lab", "gap"
CANDLES, MOTIFS = "candles", "motifs"
RUN_CHARACTERS = 16


def record_run(
    kind: str,
    body: str,
    *,
    account: str,
    strategy: str,
    days: tuple[date, date],
    run: str = "",
    now: datetime | None = None,
) -> None:
    """Keep an answer, ``body``, as its command writes it in JSON; the same answer again adds none.

    Without a name of its own a run is named by the digest of what it told.

    Raises: LedgerBusy, LedgerNotReady, LedgerReadOnly.
    """
    digest = hashlib.sha256(f"{kind} {account} {body}".encode()).hexdigest()
    with writing():
        KeptRun.objects.get_or_create(
            digest=digest,
            defaults={
                "kind": kind,
                "run": run or digest[:RUN_CHARACTERS],
                "account": account,
                "strategy": strategy,
                "first_day": days[0],
                "last_day": days[1],
                "body": body,
                "recorded_at": now or datetime.now(UTC),
            },
        )
