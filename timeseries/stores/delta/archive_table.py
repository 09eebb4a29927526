"""One table of the archive: the Delta table of a measurement on the object store, written by one data folder alone."""

from __future__ import annotations

import time
import uuid
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path

import pyarrow as pa
from deltalake import DeltaTable, Schema
from deltalake.exceptions import CommitFailedError, TableNotFoundError
from deltalake.transaction import AddAction, CommitProperties, RemoveAction, Transaction

from timeseries.errors import StoreMisconfigured, StoreUnavailable
from timeseries.spool import durable
from timeseries.stores.delta.archived import Objects, origin
from timeseries.stores.delta.table import CONFIGURATION, EMPTY, FileStatistics, MeasurementTable, listing

OWNER = "archive-owner"  # in the store's folder: the name by which the archive's tables know it
COPIES = "velox/copies"  # a transaction of the archive's table: how often its owner has committed
GRACE_HOURS = 1  # whoever reads the archive's tables by himself may hold a version so long
VACUUM_SECONDS = 3600.0


class ArchiveTable:
    """The archive's table of one measurement.

    How often its owner has committed is counted both here and there. A data folder that was put back to an earlier time
    counts less than the archive: it may lack points that are there, and so must not replace them.
    """

    def __init__(self, root: Path, table: MeasurementTable, bucket: Objects) -> None:
        self.root, self.table, self.bucket = root, table, bucket
        self.name = table.folder.name
        self._count = root / f"archive-copies-{self.name}"
        self._vacuumed_at = -VACUUM_SECONDS
        self._remote: DeltaTable | None = None

    def files(self) -> pa.Table:
        """Return the archive's list of files as it was last seen, as a snapshot has that of a table."""
        actions = pa.table(self._remote.get_add_actions(flatten=True)) if self._remote is not None else EMPTY
        return actions if len(actions) else EMPTY

    def look(self) -> None:
        """See what the archive has now.

        Raises:
            StoreMisconfigured: another data folder writes it, or this one at a later time than it is of now.
        """
        self._remote = None
        remote = self._found()
        if remote is None:
            return
        if remote.metadata().description != owner_of(self.root):
            raise StoreMisconfigured(
                f"The archive at {self.bucket.url} is that of another data folder.",
                field="VELOX_ARCHIVE_URL",
                hint="Give this one a prefix of its own; `manage.py archive --adopt` where the other is no more.",
            )
        # The count here is written first, so after a kill it is one ahead at most.
        if (remote.transaction_version(COPIES) or 0) not in (self._counted(), self._counted() - 1):
            raise StoreMisconfigured(
                f"The archive at {self.bucket.url} has days of {self.name} that this data folder does not know of: it "
                "was put back to an earlier time.",
                hint="`manage.py archive --adopt` lists them here; nothing is replaced there until then.",
            )
        self._remote = remote

    def adopt(self) -> pa.Table:
        """Let this data folder be the one that writes the table; return the files that are there."""
        self._remote = remote = self._found()
        if remote is None:
            return EMPTY
        if remote.metadata().description:
            durable.replace_file(self.root / OWNER, str(remote.metadata().description).encode())
        self._count_as(remote.transaction_version(COPIES) or 0)
        return self.files()

    def _found(self) -> DeltaTable | None:
        try:
            return DeltaTable(self._url, storage_options=self.bucket.table_options)
        except TableNotFoundError:
            return None

    def _made(self) -> DeltaTable:
        return DeltaTable.create(
            self._url,
            self.table.schema,
            mode="error",
            partition_by=["day"],
            description=owner_of(self.root),
            configuration=CONFIGURATION,
            storage_options=self.bucket.table_options,
        )

    def commit(self, day: date, added: Sequence[AddAction], removed: Sequence[str]) -> None:
        """Commit what comes and goes of a day, whose name the transaction bears.

        Raises: StoreUnavailable, where another commit came first.
        """
        remote = self._remote = self._remote or self._made()
        names = {field.name for field in remote.schema().fields}
        if missing := [field for field in self.table.schema if field.name not in names]:
            remote.alter.add_columns(list(Schema.from_arrow(pa.schema(missing)).fields))
            remote.update_incremental()
        gone = [RemoveAction(path, True, time.time_ns() // 10**6) for path in removed]
        self._count_as((remote.transaction_version(COPIES) or 0) + 1)
        named = [Transaction(f"velox/{day}", remote.version() + 1), Transaction(COPIES, self._counted())]
        try:
            remote.create_write_transaction(
                [*gone, *added], "append", self.table.schema, ["day"],
                commit_properties=CommitProperties(app_transactions=named),
            )  # fmt: skip
        except CommitFailedError as error:
            raise StoreUnavailable(
                f"Another process wrote to the archive at the same time: {error}", hint="It is tried again."
            ) from error
        remote.update_incremental()

    def vacuum(self) -> None:
        """Delete the objects that were replaced or removed over an hour ago; once an hour."""
        if self._remote is not None and time.monotonic() - self._vacuumed_at >= VACUUM_SECONDS:
            self._vacuumed_at = time.monotonic()
            self._remote.vacuum(retention_hours=GRACE_HOURS, enforce_retention_duration=False, dry_run=False)

    @property
    def _url(self) -> str:
        return f"{self.bucket.url}/{self.name}"

    def _counted(self) -> int:
        try:
            return int(self._count.read_text(encoding="ascii"))
        except (FileNotFoundError, ValueError):
            return 0

    def _count_as(self, number: int) -> None:
        durable.replace_file(self._count, b"%d" % number)


def owner_of(root: Path) -> str:
    """Return the name of a store's folder by which the archive knows it, made at the first call."""
    path = root / OWNER
    if not path.exists():
        durable.replace_file(path, uuid.uuid4().hex.encode())
    return path.read_text(encoding="ascii")


def addition(row: Mapping[str, str | int | date | None]) -> AddAction:
    """Return what adds a file to a table's log, from a row of another log's list of files."""
    least, greatest, nulls = (_bounds(row, kind) for kind in ("min", "max", "null_count"))
    rows, size, day = row["num_records"], row["size_bytes"], row["partition.day"]
    assert isinstance(rows, int) and isinstance(size, int) and isinstance(day, date)
    counts = {name: entry for name, entry in nulls.items() if isinstance(entry, int)}
    statistics = FileStatistics(numRecords=rows, minValues=least, maxValues=greatest, nullCount=counts)
    return listing(origin(str(row["path"])), size, day, statistics)


def _bounds(row: Mapping[str, str | int | date | None], kind: str) -> dict[str, str | int]:
    """Return what the row tells of columns under a kind, such as `min.time`, by column."""
    of_kind = {name.removeprefix(f"{kind}."): entry for name, entry in row.items() if name.startswith(f"{kind}.")}
    return {name: entry for name, entry in of_kind.items() if isinstance(entry, str | int)}
