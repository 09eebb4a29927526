"""Rows of an account's journal as programs are told of them, by their sequence."""

from __future__ import annotations

import json
from datetime import datetime
from typing import NamedTuple

from trading.domain.chain import Body
from trading.models import Account, Journal, JournalHead

FACTS = ("fill", "realised", "stop", "signal", "flip", "exit_reason")  # of what else stands in a row people are told


class JournalEvent(NamedTuple):
    """One row: what was done, when and by whom, to which trade, and the facts that were booked."""

    sequence: int
    operation: str
    recorded_at: datetime
    recorded_by: str
    about: Body


def journal_end(account: Account) -> int:
    """Return the sequence of the account's last row, 0 where there is none."""
    last = JournalHead.objects.filter(account=account).values_list("sequence", flat=True).first()
    return int(last or 0)


def events_after(account: Account, sequence: int, *, limit: int) -> list[JournalEvent]:
    """Return at most ``limit`` rows behind a sequence, ascending."""
    rows = Journal.objects.filter(account=account, sequence__gt=sequence).order_by("sequence")[:limit]
    return [
        JournalEvent(row.sequence, row.operation, row.recorded_at, row.recorded_by, _about(json.loads(row.body)))
        for row in rows
    ]


def _about(body: Body) -> Body:
    trade = body.get("trade") or {}
    names = {
        "trade_id": trade.get("trade_id"),
        "strategy_id": trade.get("strategy") or body.get("strategy"),
        "symbol": trade.get("symbol") or body.get("symbol"),
    }
    return names | {name: body[name] for name in FACTS if name in body}
