"""What a worker does for the ledger: it follows the journal where no companion does."""

from __future__ import annotations

from contextlib import suppress

from celery import shared_task

from timeseries.worker.broker import FOLLOW
from trading.companion.follower import Follower
from trading.errors import LedgerNotReady, SourceBusy
from trading.queries.projection import is_behind


@shared_task(name=FOLLOW)
def follow() -> int:
    """Project what is new in the journal; returns how many rows. Where there is a companion, it is at it already."""
    number = 0
    if is_behind():
        follower = Follower()
        with suppress(SourceBusy, LedgerNotReady):
            while rows := follower.run_once():
                number += rows
        follower.close()
    return number
