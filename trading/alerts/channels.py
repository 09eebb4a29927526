"""The channels that alerts go to: those of the environment, and those that operators keep in the ledger."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass, field

from django.conf import settings

from trading.domain.alert_address import label_of
from trading.errors import VeloxError
from trading.queries.alerts import channel_rows
from trading.transactions import ask

KEPT_IN_LEDGER = "row:"


@dataclass(frozen=True, slots=True)
class Recipient:
    """A place that alerts go to. ``key`` names it in the ledger and ``label`` to people; neither has the address."""

    key: str
    label: str
    url: str = field(repr=False)


def channels_of_environment() -> list[Recipient]:
    """Return the channels of VELOX_ALERT_URLS; one that is none is left out, which health tells with its place."""
    channels = []
    for url in settings.VELOX_ALERT_URLS:
        try:
            label = label_of(url, kinds=settings.VELOX_ALERT_KINDS)
        except VeloxError:
            continue
        # Keyed: from the code nobody finds the address by trying.
        code = hmac.new(str(settings.JOURNAL_KEY).encode(), url.encode(), hashlib.sha256).hexdigest()[:16]
        channels.append(Recipient(f"env:{code}", label, url))
    return channels


def all_channels() -> list[Recipient]:
    """Return every channel that is switched on. Raises: LedgerBusy, LedgerNotReady."""
    rows = [row for row in ask(channel_rows) if row.is_active]
    kept = [Recipient(f"{KEPT_IN_LEDGER}{row.pk}", f"{row.name} ({row.label})", row.url) for row in rows]
    return [*channels_of_environment(), *kept]
