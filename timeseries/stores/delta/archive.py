"""The archive: closed days on an object store as Delta tables, and the passes that bring them there and back.

A day is copied once it is over, file by file as it lies here, in one commit of the archive's table. It may be dropped
here later: every object is read back first, and one commit of the table here both takes the files out and names the
index that has them. Killed anywhere, the next pass finds what is done already.
"""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Literal
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.compute as pc
from deltalake.transaction import AddAction

from timeseries.errors import InvalidValue, StoreDamaged, StoreMisconfigured, StoreUnavailable, VeloxError
from timeseries.spool import durable
from timeseries.spool.aging import AHEAD_DAYS_MAX
from timeseries.spool.locks import FileLock
from timeseries.stores.base import Bounds
from timeseries.stores.delta.archive_table import ArchiveTable, addition
from timeseries.stores.delta.archived import Objects, as_archived, is_archived, origin
from timeseries.stores.delta.archived_newest import give_up_newest, keep_newest
from timeseries.stores.delta.care import ATTEMPTS, REWRITE, days_ahead, group_by_symbol
from timeseries.stores.delta.damage import Inspector
from timeseries.stores.delta.file import is_whole, partition_day
from timeseries.stores.delta.query import Engine
from timeseries.stores.delta.table import EMPTY, MeasurementTable, Overtaken, Snapshot, engine
from timeseries.values import day_of

LOCK, FAILING = "archive.lock", "archive-failing"  # in the store's folder
WAIT_SECONDS, LOOK_SECONDS = 600.0, 0.2  # for another process that works on the archive
DayPlace = Literal["here", "both", "archive"]
Tell = Callable[[str, int, int], None]  # what is done, how many are done before it, of how many


@dataclass(frozen=True, slots=True)
class ArchivedDay:
    """Where a day of one measurement lies: here, here and in the archive, or in the archive alone."""

    day: date
    measurement: str
    place: DayPlace
    files: int
    bytes: int
    rows: int


@dataclass(frozen=True, slots=True)
class ObjectFault:
    """An object of the archive that is past reading, and why."""

    name: str
    reason: str


@dataclass(frozen=True, slots=True)
class Failing:
    """Passes that fail: since when (ns UTC), and why the last one did; ``is_refused``: none will end well before a
    person has changed what is set."""

    since: int
    error: str
    is_refused: bool = False


class Archive:
    """The archive of one store; one process at a time works on it.

    Args:
        root: the store's folder.
        tables: its tables, for writing.
        inspectors: the checks of their files.
        bucket: where the archive is.
        engine: what files are written anew with.
        zone: the desk's zone, whose dates partition the tables.
    """

    def __init__(
        self,
        root: Path,
        tables: Mapping[str, MeasurementTable],
        inspectors: Mapping[str, Inspector],
        bucket: Objects,
        engine: Engine,
        zone: ZoneInfo,
    ) -> None:
        self.root, self.bucket, self.engine, self.zone, self.inspectors = root, bucket, engine, zone, inspectors
        self._tables = [(table, ArchiveTable(root, table, bucket)) for table in tables.values()]
        self._is_probed = False

    def run(
        self, *, now: int, keep_local_days: int | None, retention_days: int | None = None, tell: Tell | None = None
    ) -> list[ArchivedDay]:
        """Copy the days that are over, drop those that need not lie here any longer, and forget those beyond the
        retention; return where each day lies then. ``now`` in ns UTC; None: all stays here, or for ever.

        Whoever is told how far it is waits for another process that works on the archive, at most ten minutes.

        A day with a damaged file waits until that is healed. The retention counts back from the newest day that is
        stored, and so does dropping where the clock is weeks ahead of it.

        Raises:
            StoreUnavailable: the archive does not answer, or another process works on it; what was done stands.
            StoreMisconfigured: the archive is another folder's, or its store has no conditional put.
            StoreDamaged: an object is not what was put there.
        """
        today = day_of(now, self.zone)
        with self._alone(tell), self._noted(now):
            self._probe()
            ahead = timedelta(days=days_ahead((table for table, _ in self._tables), today))
            newest = today - ahead if ahead.days > AHEAD_DAYS_MAX else today
            for table, archive in self._made():
                archive.look()
                if retention_days is not None:
                    self._expire(table, archive, today - ahead - timedelta(days=retention_days))
                days = [day for day in _days(table.snapshot()) if day < today]
                copies = _by_day(archive.files())
                for number, day in enumerate(days):
                    if tell:
                        tell(archive.name, number, len(days))
                    copied = self._copy(table, archive, day, copies.get(day, set()))
                    if keep_local_days is not None and (newest - day).days > keep_local_days:
                        self._drop(table, day, copied)
                archive.vacuum()
        return self.days()

    def failing(self) -> Failing | None:
        """Return since when and why passes fail; None: the last one ended well, or there was none."""
        try:
            entry = json.loads((self.root / FAILING).read_text(encoding="utf-8"))
            return Failing(int(entry["since"]), str(entry["error"]), entry.get("is_refused") is True)
        except (FileNotFoundError, ValueError, KeyError, TypeError):
            return None

    def days(self) -> list[ArchivedDay]:
        """Return where each day lies. Raises: StoreUnavailable, StoreMisconfigured."""
        rows = []
        with engine():
            for table, archive in self._made():
                archive.look()
                snapshot, copies = table.snapshot(), set(_paths(archive.files()))
                for day in _days(snapshot):
                    files = _of_day(snapshot.all_files, day) if snapshot else EMPTY
                    here = [path for path in _paths(files) if not is_archived(path)]
                    place: DayPlace = "archive" if not here else "both" if copies.issuperset(here) else "here"
                    size, count = (pc.sum(files.column(name)).as_py() for name in ("size_bytes", "num_records"))
                    rows.append(ArchivedDay(day, archive.name, place, len(files), size, count))
        return sorted(rows, key=lambda row: (row.day, row.measurement))

    def verify(self, *, tell: Tell | None = None) -> list[ObjectFault]:
        """Read every object that counts and compare its checksum; return those past reading. Raises:
        StoreUnavailable."""
        faults = []
        with engine():
            for table, archive in self._made():
                archive.look()
                copies = set(_paths(archive.files()))
                needed = {origin(path) for path in _paths(_archived(table.snapshot()))}
                for path in sorted(needed - copies):
                    faults.append(ObjectFault(f"{archive.name}/{path}", "no commit of the archive names it"))
                for number, path in enumerate(sorted(copies)):
                    if tell:
                        tell(archive.name, number, len(copies))
                    if reason := self._fault_of(f"{archive.name}/{path}"):
                        faults.append(ObjectFault(f"{archive.name}/{path}", reason))
        return faults

    def restore(self, day: date, *, tell: Tell | None = None) -> int:
        """Bring a day that is in the archive alone back here; return how many files came. It waits as `run` does.

        Raises:
            InvalidValue: nothing of that day is in the archive alone.
        """
        with self._alone(tell):
            count = sum(self._restore(table, day) for table, _ in self._made())
        if not count:
            raise InvalidValue(f"Nothing of {day} is in the archive alone.", field="restore", hint="What is lies here.")
        return count

    def adopt(self, *, tell: Tell | None = None) -> int:
        """Write from now on the archive of a data folder that is no more, or of this one at a later time, and list what
        is there; return how many files. Of rows that are here and there each counts once. It waits as `run` does."""
        with self._alone(tell):
            self._probe()
            adopted = [(table, archive.adopt()) for table, archive in self._tables]
            for table, files in adopted:
                if len(files):
                    try:
                        table.snapshot()
                    except StoreUnavailable:  # the index is gone: no version can be told before there is another
                        table.archived.list_as(table.index(), as_archived(files))
                    self._list(table, lambda _: True, joining=as_archived(files), anew=True)
            return sum(len(files) for _, files in adopted)

    @contextmanager
    def clearing(self, account: str) -> Iterator[None]:
        """Bring the days that can hold an account's points back here, where they are taken out within; then copy those
        days again that the archive has otherwise. No pass drops them meanwhile."""
        with self._alone():
            self._probe()
            for table, _ in self._made():
                for row in _archived(table.snapshot()).to_pylist():
                    if Bounds(row.get("min.account"), row.get("max.account")).admits(account):
                        self._restore(table, row["partition.day"])
            yield
            for table, archive in self._made():
                archive.look()
                for day, copies in sorted(_by_day(archive.files()).items()):
                    self._copy(table, archive, day, copies)

    # -- one day of one table ----------------------------------------------------------------------------------------

    def _copy(self, table: MeasurementTable, archive: ArchiveTable, day: date, copies: set[str]) -> pa.Table:
        """Let the archive, which has ``copies`` of a day, have exactly the files that count here of it.

        Return those that lie here, none of them where one is damaged. The first copy is of files by symbol.
        """
        if day not in _days_of(_archived(table.snapshot())):
            group_by_symbol(self.engine, table, self.inspectors[table.measurement.name], day)
        snapshot = table.snapshot()
        files = EMPTY if snapshot is None else _of_day(snapshot.all_files, day)
        if len(self.inspectors[table.measurement.name].damaged(files)):
            return EMPTY
        new = [row for row in files.to_pylist() if origin(row["path"]) not in copies]
        gone = copies - {origin(path) for path in _paths(files)}
        for row in new:
            self.bucket.put(f"{archive.name}/{row['path']}", table.folder / row["path"])
        if new or gone:
            archive.commit(day, [addition(row) for row in new], sorted(gone))
        return EMPTY if snapshot is None else _of_day(snapshot.files, day)

    def _drop(self, table: MeasurementTable, day: date, here: pa.Table) -> None:
        """Take the files of a day that were copied out of the table here, each of whose objects is read back first."""
        for path in _paths(here):
            if reason := self._fault_of(f"{table.folder.name}/{path}"):
                raise StoreDamaged(
                    f"{table.folder.name}/{path} of the archive {reason}: {day} stays here.",
                    hint="Remove that object and run `manage.py archive` again.",
                )

        def is_as_it_was(current: Snapshot) -> bool:  # else the next pass copies the day again
            return _paths(_of_day(current.files, day)) == _paths(here)

        if len(here):
            keep_newest(self.engine, table, _paths(here))
            self._list(table, is_as_it_was, joining=as_archived(here), removed=_paths(here))

    def _restore(self, table: MeasurementTable, day: date) -> int:
        """Bring the files of a day that are in the archive alone back into the table here; return how many."""
        files = _of_day(_archived(table.snapshot()), day)
        if not len(files):
            return 0
        table.archived.bring(files)
        for path in _paths(files):
            target = table.folder / origin(path)
            target.parent.mkdir(mode=0o700, exist_ok=True)
            durable.replace_file(target, (table.folder / path).read_bytes())
        durable.sync_path(table.folder)
        added = [addition(row) for row in files.to_pylist()]
        self._list(table, lambda current: bool(len(_of_day(_archived(current), day))), without=day, added=added)
        return len(files)

    def _expire(self, table: MeasurementTable, archive: ArchiveTable, before: date) -> None:
        """Forget the archived days before a date for good: here first, so that no reading asks for what is gone."""
        for day in _days_of(_archived(table.snapshot())):
            if day < before:
                self._list(table, lambda _: True, without=day)
        for day, copies in _by_day(archive.files()).items():
            if day < before:
                archive.commit(day, [], sorted(copies))

    def _list(
        self,
        table: MeasurementTable,
        is_due: Callable[[Snapshot], bool],
        *,
        joining: pa.Table | None = None,
        without: date | None = None,
        anew: bool = False,
        added: Sequence[AddAction] = (),
        removed: Sequence[str] = (),
    ) -> None:
        """Let another index count from one commit on, with files ``joining`` it or without a day; files of the table
        come and go with it. Nothing where that is not due in the newest version. ``anew``: without what was listed."""
        for _ in range(ATTEMPTS):
            with table.lock:
                snapshot = table.complete()
                if not is_due(snapshot):
                    return
                listed = EMPTY if anew else _archived(snapshot)
                if without is not None and len(listed):
                    listed = listed.filter(pc.not_equal(listed.column("partition.day"), pa.scalar(without)))
                if joining is not None:
                    listed = pa.concat_tables([listed, joining], promote_options="default") if len(listed) else joining
                number = max(snapshot.index, table.archived.newest_number()) + 1
                table.archived.list_as(number, listed)
                try:
                    table.commit(
                        snapshot,
                        added=added,
                        removed=removed,
                        transaction=(REWRITE, snapshot.version + 1),
                        index=number,
                    )
                except Overtaken:
                    continue
                table.archived.give_up_lists(snapshot.index)
                give_up_newest(table, _paths(listed))
                return
        raise StoreUnavailable(f"Other writers of {table.folder.name} kept coming first.", hint="It is tried again.")

    def _fault_of(self, name: str) -> str:
        """Read an object and return what is wrong with it; empty: it is whole."""
        with tempfile.TemporaryDirectory(prefix=".verifying-", dir=self.root) as scratch:
            copy = Path(scratch) / name.rpartition("/")[2]
            try:
                self.bucket.fetch(name, copy)
            except StoreDamaged:
                return "is gone"
            return "" if is_whole(copy) else "is damaged"

    def _made(self) -> list[tuple[MeasurementTable, ArchiveTable]]:
        return [(table, archive) for table, archive in self._tables if table.snapshot() is not None]

    @contextmanager
    def _noted(self, now: int) -> Iterator[None]:
        """Note of a pass that fails since when they do, and of one that ends well that they do no longer."""
        try:
            yield
        except (VeloxError, OSError) as error:
            failing = self.failing()
            since, is_refused = now if failing is None else failing.since, isinstance(error, StoreMisconfigured)
            entry = asdict(Failing(since, str(error), is_refused))
            with suppress(OSError):  # a full disk may be the very fault
                durable.replace_file(self.root / FAILING, json.dumps(entry).encode())
            raise
        (self.root / FAILING).unlink(missing_ok=True)

    @contextmanager
    def _alone(self, tell: Tell | None = None) -> Iterator[None]:
        """Hold the lock of whoever works on the archive; wait for it where somebody is told of that."""
        self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
        until = time.monotonic() + (WAIT_SECONDS if tell else 0.0)
        with FileLock(self.root / LOCK) as lock, engine():
            while not lock.take():
                if time.monotonic() >= until:
                    raise StoreUnavailable("Another process works on the archive.", hint="Wait until it is done.")
                if tell:
                    tell("waiting for another process", 0, 0)
                time.sleep(LOOK_SECONDS)
            yield

    def _probe(self) -> None:
        """See once that the object store keeps two commits apart. Raises: StoreMisconfigured."""
        if not self._is_probed:
            self.bucket.require_conditional_put()
            self._is_probed = True


def _archived(snapshot: Snapshot | None) -> pa.Table:
    return EMPTY if snapshot is None or snapshot.archived is None else snapshot.archived


def _days(snapshot: Snapshot | None) -> list[date]:
    return [] if snapshot is None else _days_of(snapshot.all_files)


def _days_of(files: pa.Table) -> list[date]:
    return sorted(_by_day(files))


def _by_day(files: pa.Table) -> dict[date, set[str]]:
    days: dict[date, set[str]] = {}
    for path in _paths(files):
        days.setdefault(partition_day(origin(path)), set()).add(path)
    return days


def _of_day(files: pa.Table, day: date) -> pa.Table:
    return files.filter(pa.array([partition_day(origin(path)) == day for path in _paths(files)], pa.bool_()))


def _paths(files: pa.Table) -> list[str]:
    paths: list[str] = files.column("path").to_pylist()
    return paths
