"""One measurement as a Delta Lake table: its snapshot, its files, its commits. The only importer of `deltalake`.

Rows carry `written`, the number of the table version they were written for. A lane's commits follow one another, so of
two rows of one series and time the one with the higher `written` was written last.
"""

from __future__ import annotations

import json
import os
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import TypedDict

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from deltalake import DeltaTable, Schema
from deltalake.exceptions import CommitFailedError, DeltaError, TableNotFoundError
from deltalake.transaction import AddAction, CommitProperties, PostCommitHookProperties, RemoveAction, Transaction

from timeseries.errors import StoreDamaged, StoreUnavailable
from timeseries.measurements import MEASUREMENTS, TIMES, Kind, Measurement
from timeseries.spool import durable
from timeseries.stores.delta.archived import TRANSACTION, ArchivedFiles, Objects
from timeseries.stores.delta.file import seal
from timeseries.stores.tables import point_schema

WRITTEN = "written"
UNTOLD = 2**63 - 1  # how far a file reaches that does not tell it
LOG = "_delta_log"
OPENINGS, OPENING_SECONDS = 3, 0.02
CONFIGURATION = {
    "delta.logRetentionDuration": "interval 1 days",
    "delta.deletedFileRetentionDuration": "interval 1 hours",
}
TROUBLE = (DeltaError, duckdb.Error, pa.ArrowException, OSError)


class FileStatistics(TypedDict):
    """What Delta's log tells of a file, under Delta's names; the columns' bounds are texts or integers."""

    numRecords: int
    minValues: dict[str, str | int]
    maxValues: dict[str, str | int]
    nullCount: dict[str, int]


class Overtaken(Exception):
    """Another process committed under the same name from the same snapshot; look again."""


class _Process:
    """Whether this process was forked after the engine's first use: its threads stayed behind, so it would panic."""

    used = False
    forked = False

    @classmethod
    def after_fork(cls) -> None:
        cls.forked = cls.used


os.register_at_fork(after_in_child=_Process.after_fork)


@contextmanager
def engine() -> Iterator[None]:
    """Turn whatever the engines raise, panics included, into `StoreUnavailable`."""
    if _Process.forked:
        raise StoreUnavailable(
            "This process was forked after its parent had used the embedded store.",
            hint="Start it with spawn, or read before the fork.",
        )
    _Process.used = True
    try:
        yield
    except TROUBLE as error:
        is_of_the_disk = isinstance(error, OSError) and error.errno is not None
        cure = "Look at the disk and the rights of the data folder's delta/."
        hint = cure if is_of_the_disk else "Nothing accepted is lost; it is tried again."
        raise StoreUnavailable(f"The embedded store cannot answer: {error}", hint=hint) from error
    except BaseException as error:
        # The Rust side panics with a BaseException of its own, which no `except Exception` of a caller would meet.
        if type(error).__name__ != "PanicException":
            raise
        raise StoreUnavailable(f"The embedded store's engine broke down: {error}") from None


@dataclass(frozen=True)
class Snapshot:
    """One version of the table. ``files`` has a row per file: path, rows, day, least and greatest of its columns.

    ``archived`` has the same of those that lie in the archive alone, by the index with the number ``index``.
    ``table_id`` is another once the log was made anew.
    """

    table_id: str
    version: int
    files: pa.Table
    field_names: frozenset[str]
    transaction: Callable[[str], int | None]
    index: int = 0
    archived: pa.Table | None = None

    @cached_property
    def all_files(self) -> pa.Table:
        """The files of the table and, after them, the archived ones."""
        if self.archived is None or not len(self.archived):
            return self.files
        return pa.concat_tables([self.files, self.archived], promote_options="default")

    @cached_property
    def day_states(self) -> dict[date, str]:
        """The state of each day's points: another once one more was written, the same when files were merged.

        Merging keeps the row that was written last, and each row is written above all that were there. It is empty
        where a file of the day does not tell how far it reaches.
        """
        name = f"max.{WRITTEN}"
        files = self.all_files
        if not len(files):
            return {}
        days = files.column("partition.day").to_pylist()
        is_told = name in files.column_names
        numbers = files.column(name).to_pylist() if is_told else [None] * len(days)
        highest: dict[date, int] = {}
        for day, number in zip(days, numbers, strict=True):
            reached = UNTOLD if number is None else number
            highest[day] = max(highest.get(day, reached), reached)
        return {day: "" if number == UNTOLD else f"{self.table_id}/{number}" for day, number in highest.items()}

    @property
    def next_written(self) -> int:
        """The number for rows that are written now: above that of every row there, also where the log was made anew."""
        highest = pc.max(self.all_files.column(f"max.{WRITTEN}")).as_py() if len(self.all_files) else None
        return max(self.version, highest or 0) + 1


# No `pa.array`: of a list it imports pandas, which each process of the desk would wait for.
EMPTY = pa.Table.from_batches([], pa.schema([("path", pa.string())]))


class MeasurementTable:
    """The Delta table of one measurement, made at its first write.

    A snapshot is of one moment; a commit is made from the newest snapshot taken here.
    """

    def __init__(self, folder: Path, measurement: Measurement, archived: ArchivedFiles | None = None) -> None:
        self.folder, self.measurement = folder, measurement
        self.archived = archived or ArchivedFiles(folder)
        self.schema = pa.schema([("day", pa.date32()), *point_schema(measurement), (WRITTEN, pa.int64())])
        texts = [field.name for field in measurement.fields if field.kind is Kind.TEXT]
        # The columns whose least and greatest value each file tells: what is asked for, and what is often all the same.
        self.ranged = (*measurement.series_tags, *texts, *TIMES, WRITTEN)
        self.lock = threading.RLock()
        self._table: DeltaTable | None = None
        self._snapshot: Snapshot | None = None
        self._log_stamp = (0, 0)

    def snapshot(self) -> Snapshot | None:
        """Return the table's newest version, None where there is no table yet."""
        with self.lock:
            if self._table is None:
                return self._open()
            if self._snapshot is not None and not self._moved(self._snapshot.version):
                return self._snapshot
            if self._table is None:
                return self._open()
            self._table.update_incremental()
            if self._snapshot is None or self._snapshot.version != self._table.version():
                self._snapshot = self._describe(self._table)
            return self._snapshot

    def _moved(self, version: int) -> bool:
        """Tell whether there may be a newer version. The log itself takes 2 ms to tell, as long as a symbol's day."""
        log = self.folder / LOG
        try:
            status = log.stat()
            stamp = (status.st_ino, status.st_mtime_ns)
        except FileNotFoundError:
            stamp = (0, 0)
        if stamp[0] != self._log_stamp[0]:
            self._table = None  # the log was made anew, or the folder replaced: versions count from another start
        # Two commits can fall within one tick of the file system's clock, so the next version's file is looked for too.
        same = stamp == self._log_stamp and not (log / f"{version + 1:020d}.json").exists()
        self._log_stamp = stamp
        return not same

    def index(self) -> int:
        """Return the number of the index of archived files that counts, by the log alone; 0 where none does."""
        return DeltaTable(str(self.folder)).transaction_version(TRANSACTION) or 0

    def forget(self) -> None:
        """Read the table anew at the next call: the folder may have been emptied or replaced."""
        with self.lock:
            self._table = self._snapshot = None

    def _open(self) -> Snapshot | None:
        """Open the newest version. Raises: StoreDamaged, where there are files and no log that tells of them all."""
        for attempt in range(OPENINGS):
            self.forget()
            self._moved(0)
            try:
                self._table = DeltaTable(str(self.folder))
                self._snapshot = self._describe(self._table)
                # Delta passes over an entry without content, of those since the last checkpoint, without a word.
                log = self.folder / LOG
                since = max((int(path.name[:20]) for path in log.glob("*.checkpoint*.parquet")), default=-1)
                entries = (log / f"{number:020d}.json" for number in range(since + 1, self._snapshot.version + 1))
                if not any(entry.exists() and not entry.stat().st_size for entry in entries):
                    return self._snapshot
                fault = "an entry of it is empty"
            except TableNotFoundError:
                if not any(self.folder.glob("day=*/*.parquet")):
                    return None
                fault = "it is gone"
            except DeltaError as error:
                fault = str(error).splitlines()[0]
            time.sleep(OPENING_SECONDS * (attempt + 1))  # another process may just be tidying it
        self.forget()
        raise StoreDamaged(
            f"{self.folder.name}/{LOG} of the embedded store is damaged ({fault}): {self.folder.name} cannot be read.",
            hint="The companion makes it anew from the files beside it; `manage.py resend --damaged` does so now.",
        )

    def complete(self) -> Snapshot:
        """Make the table or the columns of the measurement that it lacks; return its newest version."""
        with self.lock:
            snapshot = self.snapshot() or self._make()
            missing = [field for field in self.schema if field.name not in snapshot.field_names]
            if missing and self._table is not None:
                self._table.alter.add_columns(list(Schema.from_arrow(pa.schema(missing)).fields))
                self.forget()
                return self.complete()
            return snapshot

    def _make(self) -> Snapshot:
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            DeltaTable.create(
                str(self.folder), self.schema, mode="ignore", partition_by=["day"], configuration=CONFIGURATION
            )
        except DeltaError:
            # Of two processes that make the table at once one comes second, and finds it made.
            if not DeltaTable.is_deltatable(str(self.folder)):
                raise
        self._keep_log(0, 0)
        snapshot = self._open()
        if snapshot is None:
            raise StoreUnavailable(f"The table {self.folder.name} could not be made.")
        return snapshot

    def _describe(self, table: DeltaTable) -> Snapshot:
        actions = pa.table(table.get_add_actions(flatten=True))
        names = frozenset(field.name for field in table.schema().fields)
        index = table.transaction_version(TRANSACTION) or 0
        return Snapshot(
            table.metadata().id,
            table.version(),
            actions if len(actions) else EMPTY,
            names,
            table.transaction_version,
            index,
            self.archived.listed(index),
        )

    def commit(
        self,
        snapshot: Snapshot,
        *,
        added: Sequence[AddAction],
        removed: Sequence[str] = (),
        transaction: tuple[str, int],
        index: int | None = None,
        moved_only: bool = False,
        next_only: bool = False,
    ) -> None:
        """Commit files that come and go, durably, from ``snapshot``; ``moved_only``: the rows stay (compaction).

        ``index``: from this commit on the index of archived files with this number counts. ``next_only``: it is the
        version after ``snapshot`` or none at all, so that no other commit can have rows with the same `written`.

        Raises:
            Overtaken: another commit of this transaction's name, with ``next_only`` any, came first; nothing was
                committed.
        """
        with self.lock:
            if self._table is None or self._table.version() != snapshot.version:
                raise Overtaken
            try:
                log_inode = (self.folder / LOG).stat().st_ino
            except FileNotFoundError:
                raise Overtaken from None
            if log_inode != self._log_stamp[0]:  # into a log that was made anew no old version is committed
                raise Overtaken
            gone = [RemoveAction(path, not moved_only, time.time_ns() // 10**6) for path in removed]
            transactions = [transaction] if index is None else [transaction, (TRANSACTION, index)]
            properties = CommitProperties(
                max_commit_retries=0 if next_only else None,
                app_transactions=[Transaction(*named) for named in transactions],
            )
            hooks = PostCommitHookProperties(create_checkpoint=True, cleanup_expired_logs=False)
            try:
                self._table.create_write_transaction(
                    [*gone, *added], "append", self.schema, ["day"],
                    commit_properties=properties, post_commithook_properties=hooks,
                )  # fmt: skip
            except CommitFailedError as error:
                is_taken = (self.folder / LOG / f"{snapshot.version + 1:020d}.json").exists()
                if "concurrent" in str(error).lower() or (next_only and is_taken):
                    raise Overtaken from error
                raise
            self._table.update_incremental()
            self._keep_log(snapshot.version + 1, self._table.version())

    def _keep_log(self, first: int, last: int) -> None:
        log = self.folder / LOG
        for version in range(first, last + 1):
            durable.sync_path(log / f"{version:020d}.json")
        durable.sync_path(log)

    def add_file(self, day: date, rows: pa.Table) -> AddAction:
        """Write the rows, durably, as a file of the day's partition that no version holds yet."""
        path = self.new_path(day)
        pq.write_table(rows, self.folder / path, compression="zstd", compression_level=1, store_schema=False)
        bounds = {}
        for name in self.ranged:
            column = rows.column(name)
            if pa.types.is_dictionary(column.type):
                # The dictionary may name series of other rows: only what is used counts.
                array = column.combine_chunks()
                column = array.dictionary.take(pc.unique(array.indices))
            bounds[name] = pc.min_max(column).as_py()
        statistics: FileStatistics = {
            "numRecords": len(rows),
            "minValues": {name: bound["min"] for name, bound in bounds.items() if bound["min"] is not None},
            "maxValues": {name: bound["max"] for name, bound in bounds.items() if bound["max"] is not None},
            "nullCount": {name: rows.column(name).null_count for name in rows.column_names},
        }
        return self.action(path, day, statistics)

    def new_path(self, day: date) -> str:
        """Return a path within the table for a file of the day's partition, whose folder is there on return."""
        folder = self.folder / f"day={day.isoformat()}"
        if not folder.is_dir():
            folder.mkdir(mode=0o700, exist_ok=True)
            durable.sync_path(self.folder)
        return f"{folder.name}/{uuid.uuid4().hex}.parquet"

    def action(self, path: str, day: date, statistics: FileStatistics) -> AddAction:
        """Make a written file durable, its checksum in its name, and return what commits it."""
        file = seal(self.folder / path)
        file.chmod(0o600)
        durable.sync_path(file)
        durable.sync_path(file.parent)
        return listing(f"{file.parent.name}/{file.name}", file.stat().st_size, day, statistics)

    def vacuum(self, *, grace_hours: int) -> None:
        """Delete the files that no version of the last hours holds, half-written ones too, and the log's old part."""
        with self.lock:
            if self.snapshot() is None or self._table is None:
                return
            grace = {"retention_hours": grace_hours, "enforce_retention_duration": False, "full": True}
            if self._table.vacuum(dry_run=True, **grace):
                self._table.vacuum(dry_run=False, **grace)
            self._table.cleanup_metadata()

    def discard(self, added: Sequence[AddAction]) -> None:
        """Delete files that were written for a commit which did not come to pass."""
        for action in added:
            (self.folder / action.path).unlink(missing_ok=True)


def listing(path: str, size: int, day: date, statistics: FileStatistics) -> AddAction:
    """Return the log's entry for a file of ``size`` bytes at a path within the table."""
    text = json.dumps(statistics, ensure_ascii=False)  # escaped pairs are misread
    return AddAction(path, size, {"day": day.isoformat()}, time.time_ns() // 10**6, True, text)


def tables_of(root: Path, objects: Objects | None, *, cache_bytes: int) -> dict[str, MeasurementTable]:
    """Return the table of each measurement in a folder, by its name; see `ArchivedFiles` for the rest."""
    return {
        name: MeasurementTable(root / name, measurement, ArchivedFiles(root / name, objects, cache_bytes=cache_bytes))
        for name, measurement in MEASUREMENTS.items()
    }
