"""The embedded store: Delta Lake tables on local disk, one per measurement, partitioned by trading day, read by DuckDB.

A point may stand in several files (a repeat, a replay); every reading takes the one written last, and compaction keeps
only that one. Exactness never rests on the transaction that a lane's commits carry: it spares repeats and races.
"""

# ruff: noqa: S608  (names in the SQL come from the schemas, whatever a caller said goes in as a parameter)
from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import nullcontext, suppress
from datetime import timedelta
from pathlib import Path
from typing import TypeVar
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from timeseries.errors import InvalidValue, StoreDamaged, StoreMisconfigured, StoreUnavailable, WrongLanguage
from timeseries.measurements import MEASUREMENTS, TICKS, Measurement, PointBatch
from timeseries.stores.base import (
    QUERY_SECONDS,
    CandleFault,
    ClosedDays,
    Damage,
    FirstPoint,
    Parameter,
    PointQuery,
    Refusal,
    damage_error,
)
from timeseries.stores.delta import care as delta_care
from timeseries.stores.delta import sql as delta_sql
from timeseries.stores.delta.appending import Appender
from timeseries.stores.delta.archive import Archive
from timeseries.stores.delta.archived import CACHE_BYTES, Objects
from timeseries.stores.delta.closed_days import CandleKeeper
from timeseries.stores.delta.damage import Inspector, losses, note_loss
from timeseries.stores.delta.log import relist
from timeseries.stores.delta.newest import newest_points
from timeseries.stores.delta.query import Engine, FileSelection, as_reading, conditions, rows_of, select, selection_of
from timeseries.stores.delta.table import (
    LOG,
    TROUBLE,
    MeasurementTable,
    engine,
    tables_of,
)
from timeseries.stores.tables import point_schema
from timeseries.values import day_of, midnight

ATTEMPTS = 5
SECOND = 10**9
VACUUM_EVERY = 1800 * SECOND
CARE_SECONDS = 2.0
Answer = TypeVar("Answer")


class DeltaStore:
    """`Store` on local disk. Any number of processes may read and write one folder at once.

    Args:
        root: the folder of the tables; made at the first write.
        zone: the desk's zone, whose dates partition the tables.
        retention_days: whole days older than this are removed by `care`; None keeps everything.
        bucket: where days that are over are archived; None: all stays here, and nothing is read there.
        cache_bytes: how much that was fetched from the archive is kept at hand.
    """

    name = "delta"
    label = "Delta tables"
    slice_rows = 50_000

    def __init__(
        self,
        root: Path,
        *,
        zone: ZoneInfo,
        retention_days: int | None = None,
        bucket: Objects | None = None,
        cache_bytes: int = CACHE_BYTES,
    ) -> None:
        self.root, self.zone, self.retention_days = root, zone, retention_days
        # A commit is made from the very snapshot that was checked: readers must not move it on, so they have their own.
        self.writers, self.tables = (tables_of(root, bucket, cache_bytes=cache_bytes) for _ in range(2))
        self.inspectors = {name: Inspector(table) for name, table in self.tables.items()}
        self.engine = Engine(root / ".scratch")
        self.care_engine = Engine(root / ".scratch", threads=1, memory="96MB")  # what it cannot hold goes to the disk
        self.candles = CandleKeeper(
            root, self.tables[TICKS.name], Inspector(self.tables[TICKS.name]), self.care_engine, zone
        )
        self.appender = Appender(self.writers, self._intact_points, self.engine, zone)
        self.archive = (
            None if bucket is None else Archive(root, self.writers, self.inspectors, bucket, self.care_engine, zone)
        )
        self._vacuumed_at = 0

    def write(self, batch: PointBatch) -> tuple[Refusal, ...]:
        """Keep the points; durable on return. None is ever refused."""
        self.appender.write(batch, self.appender.unknown)
        return ()

    def restore(self, batch: PointBatch) -> None:
        """Keep the points but those that stand there as they are or were received later; durable on return."""
        self.appender.write(batch, self.appender.lost)

    def read(self, query: PointQuery) -> pa.Table:
        """Return the points of the query, each once."""
        table = self.tables[query.measurement.name]
        return self._answer(table, query, lambda selection: self._points(table, selection, query))

    def read_intact(self, query: PointQuery) -> pa.Table:
        """Return the points of the query that are in no damaged file."""
        table = self.tables[query.measurement.name]
        with engine():
            return self._intact_points(table, select(table, table.snapshot(), query), query)

    def _intact_points(self, table: MeasurementTable, selection: FileSelection, query: PointQuery) -> pa.Table:
        inspector = self.inspectors[query.measurement.name]
        damaged = inspector.damaged(selection.files)
        return self._points(table, selection_of(table, inspector.without(selection.files, damaged)), query)

    def _points(self, table: MeasurementTable, selection: FileSelection, query: PointQuery) -> pa.Table:
        if not len(selection):
            return point_schema(query.measurement, query.fields).empty_table()
        question = rows_of(table, selection, query)
        free = [tag for tag in query.measurement.series_tags if tag not in query.tags]
        order = ", ".join(f'"{name}"' for name in ("time", *free))
        sql = f"{question.sql} ORDER BY {order}" if free else question.sql
        points = as_reading(self.engine.ask(sql, question.parameters), question, query)
        times = points.column("time").to_numpy()
        if free or (times[1:] >= times[:-1]).all():  # a compacted file of one series is in order already
            return points
        return points.take(pa.array(np.argsort(times, kind="stable")))

    def newest(self, query: PointQuery) -> pa.Table:
        """Return the query's newest point by exchange time; where it names symbols, of each of them."""
        table = self.tables[query.measurement.name]
        return self._answer(table, query, lambda selection: newest_points(self.engine, table, selection, query))

    def first_points(self, query: PointQuery) -> list[FirstPoint]:
        """Return the first point of each day and source in the query."""
        table = self.tables[query.measurement.name]

        def answer(selection: FileSelection) -> list[FirstPoint]:
            if not len(selection):
                return []
            days = dict(zip(selection.paths, selection.files.column("partition.day").to_pylist(), strict=True))
            where, parameters = conditions(selection, query)
            sql = (
                "SELECT filename, source, min(time) AS first FROM "
                f"read_parquet($files, hive_partitioning=false, filename=true){where} GROUP BY ALL"
            )
            rows = self.engine.ask(sql, parameters).to_pylist()
            return [FirstPoint(days[row["filename"]], row["source"], row["first"]) for row in rows]

        return self._answer(table, query, answer)

    def _answer(self, table: MeasurementTable, query: PointQuery, answer: Callable[[FileSelection], Answer]) -> Answer:
        selection: FileSelection | None = None
        with engine():
            for attempt in range(ATTEMPTS):
                try:
                    selection = select(table, table.snapshot(), query) if selection is None else selection
                    return answer(selection)
                except TROUBLE:
                    # A file may be gone: vacuum passed a reader that slept beyond the grace, or the folder was emptied.
                    if attempt == ATTEMPTS - 1:
                        raise
                    table.forget()
                    selection = None
                    with suppress(*TROUBLE):
                        selection = select(table, table.snapshot(), query)
                        self._require_sound(selection.files, query.measurement.name)
        raise AssertionError("unreachable")

    def _require_sound(self, files: pa.Table, name: str) -> None:
        """Raise StoreDamaged where one of a measurement's files is past reading."""
        inspector = self.inspectors[name]
        damaged = inspector.absent(files)
        if not len(damaged):
            damaged = inspector.damaged(files, anew=True)
        if len(damaged):
            raise damage_error(inspector.damages(damaged))

    def damages(self, *, seconds: float = 0.0) -> list[Damage]:
        """Return the files that are past reading; read for ``seconds`` those that this process has not read yet."""
        damages: list[Damage] = []
        until = time.monotonic() + seconds
        with engine():
            for name, inspector in self.inspectors.items():
                try:
                    snapshot = self.tables[name].snapshot()
                except StoreDamaged:
                    damages.append(Damage(self.tables[name].measurement, LOG, None, 0, {}, {}))
                    continue
                if snapshot is not None and len(snapshot.files):
                    left = max(0.0, until - time.monotonic())
                    damages += inspector.damages(inspector.damaged(snapshot.files, seconds=left))
        return damages

    def last_written(self, source: str, measurement: Measurement) -> int | None:
        """Return the lane's last sequence of which the table's log knows; None where it knows none."""
        with engine():
            snapshot = self.tables[measurement.name].snapshot()
            return None if snapshot is None else snapshot.transaction(f"{source}/{measurement.name}")

    def lost(self) -> int:
        """Return how many rows were lost with files that were dropped."""
        return losses(self.root)

    def drop(self, damage: Damage, *, lost: int = 0) -> None:
        """Take a damaged file out of its table; what is lost with it is counted first."""
        with engine():
            if damage.path == LOG:
                relist(
                    self.engine,
                    self.writers[damage.measurement.name],
                    lambda day: (midnight(day, self.zone), midnight(day + timedelta(days=1), self.zone) - 1),
                )
                return
            if lost:
                note_loss(self.root, damage, lost)
            with self.candles.changing_ticks(day=damage.day) if damage.measurement == TICKS else nullcontext():
                delta_care.drop(self.writers[damage.measurement.name], [damage.path])

    def query_sql(self, text: str, parameters: Mapping[str, Parameter], *, timeout: float = QUERY_SECONDS) -> pa.Table:
        """Return the answer to one SELECT over a view per measurement: times int64 ns UTC, `$name` a parameter."""
        with engine():
            try:
                return delta_sql.ask(self.tables.values(), text, parameters, timeout=timeout)
            except (*TROUBLE, InvalidValue):
                # Where a table that the question names has a file that is past reading, that is what is wrong.
                for name, table in self.tables.items():
                    snapshot = table.snapshot() if name in text else None
                    if snapshot is not None:
                        self._require_sound(snapshot.files, name)
                raise

    def query_flux(self, text: str, parameters: Mapping[str, Parameter], *, timeout: float = QUERY_SECONDS) -> pa.Table:
        """Refuse: this store speaks SQL."""
        raise WrongLanguage("The embedded store speaks SQL.", hint="Use query_sql; query_flux is for InfluxDB.")

    def ticks_from(self) -> int:
        """Return the first instant: what the retention has removed here has no candles left beside it."""
        return -(2**63) + 1

    def keeps_minutes(self) -> bool:
        """Tell that nobody writes minutes here: `keep_closed_days` counts them from whole days of ticks."""
        return False

    def keep_minutes(self, batch: PointBatch) -> None:
        """Refuse: nobody asks this where `keeps_minutes` is false."""
        raise StoreMisconfigured(
            "The embedded store takes no single minutes.", hint="It counts whole days: `keep_closed_days`."
        )

    def minutes(self, query: PointQuery) -> pa.Table:
        """Return no row: no minutes outlast their ticks here."""
        return point_schema(query.measurement, query.fields).empty_table()

    def closed_days(self, query: PointQuery, *, by_day: bool) -> ClosedDays:
        """Return the kept candles of the days that the query's times touch, beside the days that have none."""
        with engine():
            return self.candles.read(query, by_day=by_day)

    def keep_closed_days(self, *, now: int) -> int:
        """Count the candles of days that are over and have none of theirs."""
        with engine():
            return self.candles.keep(now=now)

    def recount_closed_days(self, *, now: int) -> int:
        """Forget all kept candles of closed days and count them from ticks."""
        with engine():
            with self.candles.changing_ticks():
                pass
            return self.candles.keep(now=now)

    def check_closed_days(self) -> list[CandleFault]:
        """Compare the kept candles of closed days with their ticks."""
        with engine():
            return self.candles.check()

    def sources(self, query: PointQuery) -> frozenset[str] | None:
        """Return the sources of the files that may hold an answer; None where one of them has several."""
        table = self.tables[query.measurement.name]
        with engine():
            files = select(table, table.snapshot(), query).files
        if not len(files):
            return frozenset()
        if not {"min.source", "max.source"} <= {*files.column_names}:
            return None
        least, greatest = files.column("min.source"), files.column("max.source")
        if least.null_count or not pc.all(pc.equal(least, greatest)).as_py():
            return None
        return frozenset(pc.unique(least).to_pylist())

    def delete_account(self, account: str) -> None:
        """Remove every point of the account, in all measurements and in the archive."""
        archive = nullcontext() if self.archive is None else self.archive.clearing(account)
        with archive, engine(), self.candles.changing_ticks(account=account):
            for name, table in self.writers.items():
                delta_care.delete_account(self.engine, table, self.inspectors[name], account)

    def days_ahead(self, *, now: int) -> int:
        """Return by how many days ``now`` (ns UTC) is ahead of what is stored, from where the retention counts back."""
        return delta_care.days_ahead(self.writers.values(), day_of(now, self.zone))

    def care(self, *, now: int) -> None:
        """Compact what grew, drop whole days beyond the retention, vacuum what nobody reads any more.

        A fault of one table keeps no other from its care, and is raised at the end.
        """
        deadline = time.monotonic() + CARE_SECONDS
        is_vacuum_due = now - self._vacuumed_at >= VACUUM_EVERY
        if is_vacuum_due:
            self._vacuumed_at = now
        faults: list[StoreUnavailable] = []
        oldest = None
        if self.retention_days is not None:
            oldest = day_of(now, self.zone) - timedelta(days=self.retention_days + self.days_ahead(now=now))
        for name, table in self.writers.items():
            try:
                with engine():
                    if oldest is not None:
                        delta_care.expire(table, before=oldest)
                    delta_care.compact(self.care_engine, table, self.inspectors[name], deadline=deadline)
                    if is_vacuum_due:
                        table.vacuum(grace_hours=delta_care.GRACE_HOURS)
            except StoreUnavailable as error:
                faults.append(error)
        if faults:
            raise faults[0]

    def ping(self) -> float:
        """Return the milliseconds of a small real read."""
        started = time.perf_counter()
        if self.root.exists() and not self.root.is_dir():
            raise StoreUnavailable(f"{self.root.name} is no folder.", hint="Move it away; the tables are made anew.")
        sql = "SELECT time FROM read_parquet($files) LIMIT 1"
        for measurement in MEASUREMENTS.values():
            query = PointQuery(measurement, -(2**63), 2**63 - 1, {}, ())
            if self._answer(
                self.tables[measurement.name],
                query,
                lambda selection: (
                    len(selection)
                    and len(self.engine.ask(sql, {"files": selection_of(selection.table, selection.files[:1]).paths}))
                ),
            ):
                break
        return (time.perf_counter() - started) * 1000
