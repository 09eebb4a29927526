"""The channels that alerts go to: those of the environment, and those that operators keep in the ledger."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass, field

from django.conf import settings

from trading.domain.alert_address import addresses_of, label_of
from trading.errors import VeloxError
from trading.queries.alerts import channel_rows
from trading.transactions import ask

KEPT_IN_LEDGER = "row:"


@dataclass(frozen=True, slots=True)
class Recipient:
    """A place that alerts go to: one mailbox, chat or hook.

    ``key`` names it in the ledger and ``label`` to people; neither has the address.
    """

    key: str
    label: str
    url: str = field(repr=False)


def channels_of_environment() -> list[Recipient]:
    """Return the channels of VELOX_ALERT_URLS; one that is none is left out, which health tells with its place."""
    channels: list[Recipient] = []
    for url in settings.VELOX_ALERT_URLS:
        try:
            label = label_of(url, kinds=settings.VELOX_ALERT_KINDS)
        except VeloxError:
            continue
        # Keyed: from the code nobody finds the address by trying.
        code = hmac.new(str(settings.JOURNAL_KEY).encode(), url.encode(), hashlib.sha256).hexdigest()[:16]
        channels += _recipients(f"env:{code}", label, url)
    return channels


def all_channels() -> list[Recipient]:
    """Return every channel that is switched on. Raises: LedgerBusy, LedgerNotReady."""
    channels = channels_of_environment()
    for row in ask(channel_rows):
        if row.is_active:
            channels += _recipients(f"{KEPT_IN_LEDGER}{row.pk}", f"{row.name} ({row.label})", row.url)
    return channels


def _recipients(key: str, label: str, url: str) -> list[Recipient]:
    """Return a channel for each recipient of an address, the first under the address's own key."""
    urls = addresses_of(url)
    if len(urls) == 1:
        return [Recipient(key, label, urls[0])]
    return [
        Recipient(key if number == 1 else f"{key}/{number}", f"{label} {number} of {len(urls)}", each)
        for number, each in enumerate(urls, 1)
    ]
