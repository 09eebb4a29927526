"""`manage.py spool --audit`: what was settled as stored is looked for in the store, point by point."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.timeseries.batches import SECOND, at
from tests.timeseries.desks import Desk, desk_in
from tests.timeseries.test_commands import manage
from timeseries.shipping.audit import audit
from timeseries.stores.delta.store import DeltaStore
from timeseries.stores.tables import table_of

OPEN = at("2021-04-12 09:15")
HOUR = 3600 * SECOND


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return desk_in(tmp_path / "data")


def record(desk: Desk, count: int = 6, symbol: str = "M&M", first: int = OPEN, **more: object) -> None:
    desk.record(symbol, [first + n * SECOND for n in range(count)], [float(n + 1) for n in range(count)], **more)


def found(desk: Desk) -> tuple[int, int, int]:
    done = manage(desk, "spool", "--audit", "--format", "json")
    rows = json.loads(done.stdout)["audit"]
    return done.returncode, sum(row["checked"] for row in rows), sum(row["missing"] for row in rows)


def refill_without(desk: Desk, missing: set[int]) -> None:
    """Make the store anew from what it was given, but for these rows of each batch."""
    batches = list(desk.store.batches)
    shutil.rmtree(desk.store.root)
    fresh = DeltaStore(desk.store.root, zone=desk.store.zone)
    for batch in batches:
        kept = [row for row in range(len(batch)) if row not in missing]
        fresh.write(batch.take(kept))


def test_what_is_stored_is_found_and_what_waits_is_not_looked_for(desk: Desk) -> None:
    record(desk)
    record(desk, symbol="TCS", first=OPEN + 5 * HOUR)
    assert found(desk) == (0, 0, 0)
    assert desk.pump.drain(30)
    record(desk, 2, first=OPEN + HOUR)
    assert found(desk) == (0, 12, 0)
    assert "all of 12 kept points are in the store" in manage(desk, "spool", "--audit").stdout


def test_a_point_that_the_store_lost_is_named_though_the_sum_is_right(desk: Desk) -> None:
    record(desk)
    assert desk.pump.drain(30)
    refill_without(desk, {3})
    assert desk.pump.points()["balance"] == 0
    assert manage(desk, "spool").returncode == 0
    assert found(desk) == (1, 6, 1)
    [row] = audit(desk.spool, desk.store)
    assert [(one["symbol"], one["time"]) for one in row["examples"]] == [("M&M", "2021-04-12T03:45:03.000000000Z")]
    shown = manage(desk, "spool", "--audit").stdout
    assert "1 of 6 kept points are not in the store" in shown
    assert "symbol=M&M" in shown and "2021-04-12T03:45:03.000000000Z" in shown


def test_an_emptied_store_lacks_everything_until_it_is_filled_again(desk: Desk) -> None:
    record(desk, 8)
    assert desk.pump.drain(30)
    shutil.rmtree(desk.store.root)
    assert found(desk) == (1, 8, 8)
    assert "and 3 more" in manage(desk, "spool", "--audit").stdout
    desk.pump.resend(0)
    assert found(desk) == (0, 8, 0)


def test_a_point_of_another_series_at_the_same_time_does_not_stand_in(desk: Desk) -> None:
    record(desk)
    assert desk.pump.drain(30)
    [batch] = desk.store.batches
    shutil.rmtree(desk.store.root)
    series = tuple({**entry, "symbol": "OTHER"} for entry in batch.series_table)
    other = type(batch)(**{**vars_of(batch), "series_table": series})
    assert len(table_of(other)) == 6
    DeltaStore(desk.store.root, zone=desk.store.zone).write(other)
    assert found(desk) == (1, 6, 6)


def vars_of(batch: object) -> dict[str, object]:
    return {name: getattr(batch, name) for name in batch.__dataclass_fields__}  # type: ignore[attr-defined]


def test_what_was_cleared_or_is_beyond_the_retention_is_not_missing(desk: Desk) -> None:
    record(desk)
    assert desk.pump.drain(30)
    shutil.rmtree(desk.store.root)
    [row] = audit(desk.spool, desk.store, retention_days=30)
    assert (row["checked"], row["missing"]) == (0, 0)
    desk.pump.clear_account("main")
    assert found(desk) == (0, 0, 0)
