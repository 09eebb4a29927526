"""Trades that closed, read from the journal behind the bookings, as notices."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime, timedelta

from trading.domain.amounts import money_text
from trading.domain.chain import Body
from trading.models import Account, Alert, AlertCursor, Journal, JournalHead, Trade
from trading.operations.raise_alert import Notice, raise_alerts
from trading.transactions import reading, together

ROWS_MAX = 500  # of one account's journal in a pass
NEWS = timedelta(hours=1)  # a close of longer ago is no news: a file, or a journal that nobody followed
FOLLOWED = (Account.Book.LIVE, Account.Book.PAPER)


def tell_closed_trades(*, now: datetime) -> int:
    """Raise an alert for each trade that closed since the last call; return how many.

    At the first call every account's journal is followed from its end, later that of a new account from its beginning.
    Whoever is killed in between tells each trade once nevertheless: the alert and the place in the journal are one
    commit.

    Raises: LedgerBusy, LedgerNotReady, LedgerReadOnly.
    """
    with reading():
        heads = list(JournalHead.objects.select_related("account").filter(account__book__in=FOLLOWED))
        cursors = dict(AlertCursor.objects.values_list("account_id", "sequence"))
    count = 0
    for head in heads:
        after = cursors.get(head.account_id, 0 if cursors else None)
        if after is not None and after >= head.sequence:
            continue
        with reading():
            rows = [] if after is None else _rows(head.account, after)
            notices = list(_notices(head.account, rows, now))
        with together():
            count += raise_alerts(notices, now=now)
            last = rows[-1].sequence if rows else head.sequence
            AlertCursor.objects.update_or_create(account=head.account, defaults={"sequence": last})
    return count


def _rows(account: Account, after: int) -> list[Journal]:
    return list(Journal.objects.filter(account=account, sequence__gt=after).order_by("sequence")[:ROWS_MAX])


def _notices(account: Account, rows: list[Journal], now: datetime) -> Iterator[Notice]:
    for row in rows:
        body: Body = json.loads(row.body)
        realised = body.get("realised") or {}
        if "trade" not in body or not realised.get("closes"):
            continue
        trade = Trade.objects.select_related("strategy", "instrument").filter(pk=body["trade"]["pk"]).first()
        if trade is None or trade.closed_at is None or now - trade.closed_at > NEWS:
            continue
        pnl = money_text(trade.realised_pnl, account.currency)
        charges = (
            "charges unknown" if trade.charges is None else f"charges {money_text(trade.charges, account.currency)}"
        )
        reason = f", {trade.exit_reason}" if trade.exit_reason else ""
        # What it brought stands first: of a long text a message of several has the beginning alone.
        text = f"{pnl} ({charges}): {trade.side} {body['trade']['symbol']} of {trade.strategy.code} closed{reason}."
        yield Notice(Alert.Kind.TRADE, f"trade:{account.code}:{row.sequence}", text, account=account.code)
