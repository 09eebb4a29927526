"""The worker's tasks, each a look at the spool when the doorbell rings. No message carries anything.

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
    """Return the pump of this worker's process, made after its fork, as the store's engines must be."""
    return open_pump()


@shared_task(name=FLUSH_TICKS)
def flush_ticks() -> int:
    """Ship the ticks and indicators that wait; return how many sequences were settled."""
    return _look(FLUSH_TICKS)


@shared_task(name=FLUSH_SNAPSHOTS)
def flush_snapshots() -> int:
    """Ship the snapshots and the journal's projections that wait; return how many sequences were settled."""
    return _look(FLUSH_SNAPSHOTS)


@shared_task(name=SWEEP)
def sweep() -> int:
    """Ship all points that wait, adopt dead recorders' lanes, care for the store; return how many were settled."""
    return _pump().run_once().settled


def _look(task: str) -> int:
    pump = _pump()
    return pump.look(lane for lane in pump.spool.lanes() if task_of(lane.measurement.name) == task)
