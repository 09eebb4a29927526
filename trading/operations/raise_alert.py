"""Raising an alert, and saying that what it told of is over."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from trading.bookkeeping import arguments
from trading.errors import InvalidValue
from trading.models import Account, Alert
from trading.models.alert import KEY_CHARACTERS_MAX
from trading.queries.accounts import get_account
from trading.transactions import writing

TEXT_CHARACTERS_MAX = 20_000


@dataclass(frozen=True, slots=True)
class Notice:
    """What an alert says. ``key`` tells it from all others: put the account, the day or the trade into it.

    ``account`` is a code, "" for what is the whole desk's; ``component`` and ``code`` are words for programs.
    ``uid`` is the alert's where it was told before the ledger could take it.
    """

    kind: Alert.Kind
    key: str
    text: str
    account: str = ""
    component: str = ""
    code: str = ""
    cure: str = ""
    uid: str = ""


def raise_alert(notice: Notice, *, now: datetime) -> bool:
    """Write an alert, which is then sent to every channel; tell whether it is new.

    While an alert with this key has not recovered nothing is written. It never waits for a channel.

    Raises: InvalidValue, UnknownAccount, LedgerBusy, LedgerNotReady, LedgerReadOnly.
    """
    return bool(raise_alerts([notice], now=now))


def raise_alerts(notices: Sequence[Notice], *, now: datetime) -> int:
    """Write those alerts that do not last already, together; return how many.

    Raises: InvalidValue, UnknownAccount, LedgerBusy, LedgerNotReady, LedgerReadOnly; nothing was written then.
    """
    for notice in notices:
        arguments.free_text(notice.text, "text", characters_max=TEXT_CHARACTERS_MAX)
        if not notice.text or not 0 < len(notice.key) <= KEY_CHARACTERS_MAX:
            hint = f"An alert has a text, and a key of at most {KEY_CHARACTERS_MAX} characters."
            raise InvalidValue(f"{notice.key[:40]!r} is no alert.", field="key", hint=hint)
    if not notices:
        return 0
    with writing():
        accounts: dict[str, Account | None] = {"": None}
        accounts |= {code: get_account(code) for code in {notice.account for notice in notices} - {""}}
        by_key = {notice.key: notice for notice in notices}
        lasting = Alert.objects.filter(key__in=by_key, recovered_at=None).values_list("key", flat=True)
        for key in list(lasting):
            del by_key[key]
        Alert.objects.bulk_create(
            Alert(
                uid=notice.uid or uuid.uuid4().hex,
                key=key,
                kind=notice.kind,
                account=accounts[notice.account],
                component=notice.component,
                code=notice.code,
                text=notice.text,
                cure=notice.cure,
                first_seen_at=now,
                last_seen_at=now,
            )
            for key, notice in by_key.items()
        )
    return len(by_key)


def see_alert_again(key: str, *, now: datetime) -> None:
    """Count that what an alert tells of came back before it counted as over; without such an alert nothing is written.

    Raises: LedgerBusy, LedgerNotReady, LedgerReadOnly.
    """
    with writing():
        for alert in Alert.objects.filter(key=key, recovered_at=None):
            alert.count, alert.last_seen_at = alert.count + 1, now
            alert.save()


def recover_alert(key: str, *, now: datetime) -> bool:
    """Say that what an alert tells of is over, which is then sent where the alert was sent; tell whether there was one.

    Raises: LedgerBusy, LedgerNotReady, LedgerReadOnly.
    """
    with writing():
        alert = Alert.objects.filter(key=key, recovered_at=None).first()
        if alert is not None:
            alert.recovered_at = alert.last_seen_at = max(now, alert.first_seen_at)
            alert.save()
    return alert is not None
