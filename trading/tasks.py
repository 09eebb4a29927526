"""Celery tasks of the ledger: following the journal where no companion does."""

from __future__ import annotations

from contextlib import suppress

from celery import shared_task

from timeseries.worker.broker import FOLLOW
from trading.companion.follower import Follower
from trading.errors import LedgerNotReady, SourceBusy
from trading.queries.projection import is_behind


@shared_task(name=FOLLOW)
def follow() -> int:
    """Project new rows of the journal into points; return how many. Where a companion lives, it does so already."""
    count = 0
    if is_behind():
        follower = Follower()
        with suppress(SourceBusy, LedgerNotReady):
            while rows := follower.run_once():
                count += rows
        follower.close()
    return count
