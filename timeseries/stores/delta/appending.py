"""Appending to the embedded store's tables: which points of a batch are written, and their commit."""

# ruff: noqa: S608  (names in the SQL come from the schemas)
from __future__ import annotations

from collections.abc import Callable, Mapping
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from timeseries.errors import StoreUnavailable
from timeseries.measurements import PointBatch
from timeseries.stores.base import PointQuery
from timeseries.stores.delta.query import Engine, FileSelection, select
from timeseries.stores.delta.table import TROUBLE, WRITTEN, MeasurementTable, Overtaken, Snapshot, engine
from timeseries.stores.tables import by_day, in_series_order, point_schema, table_of

ATTEMPTS = 16  # of several writers one comes through each time
# Of a batch in the order of its series, what is to be written; the last argument is the lane's last sequence so far.
Choice = Callable[[MeasurementTable, Snapshot, PointBatch, int | None], pa.Table]
IntactPoints = Callable[[MeasurementTable, FileSelection, PointQuery], pa.Table]


class Appender:
    """What appends batches to a store's tables.

    Args:
        tables: by measurement, for writing alone: a commit is made from the very snapshot that was checked.
        intact_points: reads the points of files, without those that only damaged ones hold.
        zone: the desk's zone, whose dates partition the tables.
    """

    def __init__(
        self, tables: Mapping[str, MeasurementTable], intact_points: IntactPoints, engine: Engine, zone: ZoneInfo
    ) -> None:
        self.tables, self.intact_points, self.engine, self.zone = tables, intact_points, engine, zone

    def write(self, batch: PointBatch, choose: Choice) -> None:
        """Append what is chosen of a batch; durable on return. Raises: StoreUnavailable."""
        if not len(batch):
            return
        table = self.tables[batch.measurement.name]
        with engine(), table.lock:
            for attempt in range(ATTEMPTS):
                try:
                    self._append(table, batch, choose)
                except Overtaken:
                    continue
                except TROUBLE:
                    if attempt:
                        raise
                    table.forget()  # the folder may have been emptied or replaced
                else:
                    return
        raise StoreUnavailable("Other writers of this table kept coming first.", hint="It is tried again.")

    def _append(self, table: MeasurementTable, batch: PointBatch, choose: Choice) -> None:
        snapshot = table.complete()
        lane = f"{batch.source}/{batch.measurement.name}"
        seen = snapshot.transaction(lane)
        rows = choose(table, snapshot, in_series_order(batch), seen)
        if not len(rows):
            return
        rows = rows.append_column(WRITTEN, pa.array(np.full(len(rows), snapshot.next_written)))
        added = [table.add_file(day, of_day) for day, of_day in by_day(rows, self.zone)]
        try:
            # What is sent again does not set the lane back: a repeat of what follows must be known as one.
            last = max(int(batch.sequences[-1]), seen or 0)
            # Two commits of one number would leave the state of their day as it was, and so candles without the second.
            table.commit(snapshot, added=added, transaction=(lane, last), next_only=True)
        except Overtaken:
            table.discard(added)
            raise

    def unknown(self, table: MeasurementTable, snapshot: Snapshot, batch: PointBatch, seen: int | None) -> pa.Table:
        """Return the points without those that a repeat would write again.

        What the lane's transaction has passed is looked up and not just dropped: a spool that was made anew counts from
        one again, and its points are no repeats.
        """
        if seen is None or int(batch.sequences.min()) > seen:
            return table_of(batch)
        old = batch.sequences <= seen
        passed, stored = self._beside_stored(table, snapshot, batch.take(old))
        unstored = self.engine.ask("FROM passed EXCEPT FROM stored", {}, passed=passed, stored=stored)
        return pa.concat_tables([unstored.cast(passed.schema), table_of(batch.take(~old)).cast(passed.schema)])

    def lost(self, table: MeasurementTable, snapshot: Snapshot, batch: PointBatch, seen: int | None) -> pa.Table:
        """Return the points of which no intact file has this one or a later one of its series and time."""
        points, stored = self._beside_stored(table, snapshot, batch)
        same = " AND ".join(f'points."{name}" = stored."{name}"' for name in (*table.measurement.series_tags, "time"))
        sql = f"SELECT points.* FROM points ANTI JOIN stored ON {same} AND stored.received_time >= points.received_time"
        return self.engine.ask(sql, {}, points=points, stored=stored).cast(points.schema)

    def _beside_stored(
        self, table: MeasurementTable, snapshot: Snapshot, batch: PointBatch
    ) -> tuple[pa.Table, pa.Table]:
        """Return the points as a reading would, and what is stored in the stretch of their times."""
        points = table_of(batch).cast(point_schema(table.measurement))
        bounds = pc.min_max(points.column("time")).as_py()
        query = PointQuery(table.measurement, bounds["min"], bounds["max"] + 1, {"source": batch.source})
        return points, self.intact_points(table, select(table, snapshot, query), query)
