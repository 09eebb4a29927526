"""The channels of alerts that operators keep in the ledger: written, switched off and on, never read back."""

from __future__ import annotations

from datetime import datetime

from django.conf import settings

from timeseries.values import parse_name
from trading.domain.alert_address import label_of
from trading.errors import InvalidValue
from trading.models import AlertChannel
from trading.transactions import writing

NAME_CHARACTERS_MAX = 60


def write_alert_channel(name: str, url: str, *, by: str, now: datetime) -> AlertChannel:
    """Keep the address of a channel under a name and return its row; a name that is taken gets the new address.

    Raises: InvalidValue for a name or an address that is none, and for a channel without an author; LedgerBusy,
        LedgerNotReady, LedgerReadOnly.
    """
    name = parse_name(name.strip(), "name", NAME_CHARACTERS_MAX)
    if not by:
        raise InvalidValue("A channel has an author.", field="by")
    label = label_of(url, kinds=settings.VELOX_ALERT_KINDS)
    with writing():
        row = AlertChannel.objects.filter(name=name).first() or AlertChannel(name=name)
        row.url, row.label, row.is_active, row.author, row.written_at = url.strip(), label, True, by, now
        row.save()
    return row


def switch_alert_channel(name: str, *, is_active: bool, by: str, now: datetime) -> AlertChannel:
    """Switch a channel on or off and return its row. Raises: InvalidValue where there is none; LedgerBusy,
    LedgerNotReady, LedgerReadOnly."""
    with writing():
        row = AlertChannel.objects.filter(name=name).first()
        if row is None:
            raise InvalidValue(
                f"There is no channel {name[:60]!r}.", field="name", hint="`manage.py alerts --channels` lists them."
            )
        row.is_active, row.author, row.written_at = is_active, by, now
        row.save()
    return row
