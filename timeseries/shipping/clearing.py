"""Remove an account's points everywhere, all or none seen: an intent on disk is carried out by whoever meets it next.

The intent names how far each lane had come, so points that the account records afterwards stay, whenever the work is
finished. While an intent stands nothing is shipped: a shipper would count points that are about to go.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import orjson

from timeseries.shipping.shipper import gate
from timeseries.spool import durable
from timeseries.spool.folder import Spool
from timeseries.spool.lane import Outcome
from timeseries.stores.base import Store

INTENT = ".clearing.json"


class ClearingUnfinished(Exception):
    """The refusal to ship while an account is being cleared."""


def clear(spool: Spool, store: Store, account: str) -> None:
    """Remove an account's points from the store and from what waits; count them as cleared. Repeatable.

    Raises:
        StoreUnavailable: the points do not count any more, and go from the store with the next pass of the pump.
    """
    resume(spool, store)
    with gate(spool.root, alone=True):
        through = [[lane.source, lane.measurement.name, lane.issued()] for lane in spool.lanes()]
        durable.replace_file(spool.root / INTENT, orjson.dumps({"account": account, "through": through}))
        _carry_out(spool, store)


def resume(spool: Spool, store: Store) -> None:
    """Finish the clearing of an account that was cut short."""
    if (spool.root / INTENT).exists():
        with gate(spool.root, alone=True):
            _carry_out(spool, store)


@contextmanager
def shipping_allowed(root: Path) -> Iterator[None]:
    """Hold the gate as one of many shippers.

    Raises:
        ClearingUnfinished: call `resume` first.
    """
    with gate(root):
        if (root / INTENT).exists():
            raise ClearingUnfinished
        yield


def _carry_out(spool: Spool, store: Store) -> None:
    try:
        intent = orjson.loads((spool.root / INTENT).read_bytes())
    except FileNotFoundError:
        return  # another process finished it
    for source, measurement, through in intent["through"]:
        lane = spool.lane(source, measurement)
        with lane.lease(owner=f"clear {os.getpid()}") as lease:
            lane.settle(cleared(lane.outcome(), intent["account"], through), lease)
    store.delete_account(intent["account"])
    (spool.root / INTENT).unlink()


def cleared(outcome: Outcome, account: str, through: int) -> Outcome:
    """Return a lane's outcome with the account's stored points counted as cleared, and its waiting ones marked so."""
    stored = {code: number for code, number in outcome.stored.items() if code != account}
    marks = {**outcome.cleared_through, account: max(through, outcome.cleared_through.get(account, 0))}
    number = outcome.cleared + outcome.stored.get(account, 0)
    return replace(outcome, stored=stored, cleared=number, cleared_through=marks)
