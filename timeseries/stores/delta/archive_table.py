"""One table of the archive: the Delta table of a measurement on the object store, written by one data folder alone."""

from __future__ import annotations

import secrets
import time
import uuid
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import date
from pathlib import Path

import pyarrow as pa
from deltalake import DeltaTable, Schema
from deltalake.exceptions import CommitFailedError, DeltaError, TableNotFoundError
from deltalake.transaction import AddAction, CommitProperties, RemoveAction, Transaction

from timeseries.errors import StoreMisconfigured, StoreUnavailable
from timeseries.spool import durable
from timeseries.stores.delta.archived import Objects, origin
from timeseries.stores.delta.table import CONFIGURATION, EMPTY, LOG, FileStatistics, MeasurementTable, listing

OWNER = "archive-owner"  # in the store's folder: the name by which the archive's tables know it
CLAIM = "velox-owner"  # in the archive: the same name, there before its first table is
COPIES = "velox/copies"  # a transaction of the archive's table: the mark of its owner's last commit
STEP = 2**31  # marks of two commits lie at most so far apart
GRACE_HOURS = 1  # whoever reads the archive's tables by himself may hold a version so long
VACUUM_SECONDS = 3600.0


class ArchiveTable:
    """The archive's table of one measurement.

    The mark of its owner's last commit, a number that grows by chance, is kept both here and there. A data folder that
    was put back to an earlier time, or one of two copies, has another than the archive: it may lack points that are
    there, and so must not replace them.
    """

    def __init__(self, root: Path, table: MeasurementTable, bucket: Objects) -> None:
        self.root, self.table, self.bucket = root, table, bucket
        self.name = table.folder.name
        self._marks = root / f"archive-copies-{self.name}"
        self._vacuumed_at = -VACUUM_SECONDS
        self._remote: DeltaTable | None = None

    def files(self) -> pa.Table:
        """Return the archive's list of files as it was last seen, as a snapshot has that of a table."""
        actions = pa.table(self._remote.get_add_actions(flatten=True)) if self._remote is not None else EMPTY
        return actions if len(actions) else EMPTY

    def look(self) -> None:
        """See what the archive has now.

        Raises:
            StoreMisconfigured: another data folder writes it, or this one at a later time than it is of now; or the
                archive is elsewhere.
        """
        self._remote, marks = None, self._known()
        remote = self._found()
        if remote is None:
            if marks != (0, 0):
                raise StoreMisconfigured(
                    f"There is no archive of {self.name} at {self.bucket.url}, and this data folder has written one.",
                    field="VELOX_ARCHIVE_URL",
                    hint="Set the address that it had, or move its objects here; `manage.py archive --adopt` begins "
                    "anew where no day is in the archive alone.",
                )
            return
        self._require_own(remote.metadata().description)
        # The next mark is written here before it is committed there, so after a kill either may stand there.
        if (remote.transaction_version(COPIES) or 0) not in marks:
            if self._known() != marks:  # who only shows where days lie holds no lock: another process committed
                self.look()
                return
            raise StoreMisconfigured(
                f"The archive at {self.bucket.url} has days of {self.name} that this data folder does not know of: it "
                "was put back to an earlier time, or a copy of it works elsewhere.",
                hint="`manage.py archive --adopt` lists them here; nothing is replaced there until then.",
            )
        self._remote = remote

    def _require_own(self, owner: str | None) -> None:
        if owner != owner_of(self.root):
            raise StoreMisconfigured(
                f"The archive at {self.bucket.url} is that of another data folder.",
                field="VELOX_ARCHIVE_URL",
                hint="Give this one a prefix of its own; `manage.py archive --adopt` where the other is no more.",
            )

    def adopt(self) -> pa.Table:
        """Let this data folder be the one that writes the table; return the files that are there.

        Raises: StoreMisconfigured, where there is no table and days of it are in the archive alone.
        """
        self._remote = remote = self._found()
        if remote is None:
            snapshot = self.table.snapshot()
            if snapshot is not None and snapshot.archived is not None and len(snapshot.archived):
                raise StoreMisconfigured(
                    f"There is no archive of {self.name} at {self.bucket.url}, and days of it are there alone.",
                    field="VELOX_ARCHIVE_URL",
                    hint="Set the address that it had, or move its objects here.",
                )
            self._marks.unlink(missing_ok=True)
        made_by = None if remote is None else remote.metadata().description
        claimed_by = self.bucket.claim(CLAIM, made_by or owner_of(self.root))
        durable.replace_file(self.root / OWNER, (made_by or claimed_by).encode())
        if remote is None:
            return EMPTY
        mark = remote.transaction_version(COPIES) or 0
        self._know(mark, mark)
        return self.files()

    def _found(self) -> DeltaTable | None:
        try:
            return DeltaTable(self._url, storage_options=self.bucket.table_options)
        except TableNotFoundError:
            return None
        except (DeltaError, OSError) as error:
            reason = str(error).partition("\n")[0]
            raise StoreUnavailable(
                f"The archive at {self.bucket.url} cannot be read: {self.name}/{LOG}: {reason}",
                hint="Nothing is lost: what was not archived stays here, and is tried again.",
            ) from error

    def _made(self) -> DeltaTable:
        # Of two data folders that begin at once both could make the table, and the second one's would be taken for its.
        self._require_own(self.bucket.claim(CLAIM, owner_of(self.root)))
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
        last = remote.transaction_version(COPIES) or 0
        mark = last + 1 + secrets.randbelow(STEP)
        self._know(last, mark)
        named = [Transaction(f"velox/{day}", remote.version() + 1), Transaction(COPIES, mark)]
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

    def _known(self) -> tuple[int, int]:
        """Return the mark of the last commit that was seen, and that of the one that may have come to pass since."""
        try:
            last, mark = map(int, self._marks.read_text(encoding="ascii").split())
        except (FileNotFoundError, ValueError):
            return 0, 0
        return last, mark

    def _know(self, last: int, mark: int) -> None:
        durable.replace_file(self._marks, b"%d %d" % (last, mark))


def owner_of(root: Path) -> str:
    """Return the name of a store's folder by which the archive knows it, made at the first call."""
    path = root / OWNER
    with suppress(FileNotFoundError):
        return path.read_text(encoding="ascii")
    return durable.make_file(path, uuid.uuid4().hex.encode()).decode("ascii")


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
