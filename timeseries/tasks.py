"""What a worker does when the doorbell rings: it looks at the spool. No message carries anything.

Losing, doubling or reordering every message changes nothing: the lease of each lane keeps two shippers apart, and the
sweep comes without any message but the schedule's.
"""

from __future__ import annotations

from functools import cache

from celery import shared_task

from timeseries.shipping.pump import Pump
from timeseries.wiring import open_pump
from timeseries.worker.broker import FLUSH_SNAPSHOTS, FLUSH_TICKS, SWEEP
from timeseries.worker.dispatch import task_of


@cache
def _pump() -> Pump:
    """The pump of this worker's process; made at its first task, after the fork: the store's engines need that."""
    return open_pump()


@shared_task(name=FLUSH_TICKS)
def flush_ticks() -> int:
    """Ship the ticks and indicators that wait; returns how many sequences were settled."""
    return _look(FLUSH_TICKS)


@shared_task(name=FLUSH_SNAPSHOTS)
def flush_snapshots() -> int:
    """Ship the snapshots and the journal's projections that wait; returns how many sequences were settled."""
    return _look(FLUSH_SNAPSHOTS)


@shared_task(name=SWEEP)
def sweep() -> int:
    """Ship whatever waits, adopt what dead recorders left, care for the store."""
    return _pump().run_once().settled


def _look(task: str) -> int:
    pump = _pump()
    return pump.look(lane for lane in pump.spool.lanes() if task_of(lane.measurement.name) == task)
