"""The files of a table that lie in the archive alone: which they are, and those of them that were fetched to be read.

The index is a list of files as the table's log has them. It counts from the commit that took them out of the table on,
which carries the index's number; so a day is in the table, or by the index in the archive, and never in neither.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Protocol

import pyarrow as pa
import pyarrow.parquet as pq

from timeseries.errors import StoreDamaged, StoreMisconfigured, StoreUnavailable
from timeseries.spool import durable
from timeseries.stores.delta.file import is_whole

FOLDER = "_archived"  # in the table's folder; vacuum leaves folders alone that begin with a line
TRANSACTION = "velox/archived"  # its version is the number of the index that counts
CACHE_BYTES = 10 * 2**30
SPARED_SECONDS = 60.0  # a file that was asked for so lately may be about to be read


class Objects(Protocol):
    """The place of the archive, with objects by name; ``table_options`` are for the engine of Delta tables there."""

    url: str
    table_options: dict[str, str]

    def require_conditional_put(self) -> None:
        """Raise StoreMisconfigured where an object can be put over one that is there although that was forbidden."""

    def claim(self, name: str, text: str) -> str:
        """Put a text there where no object has its name; return the one that is there then."""

    def put(self, name: str, file: Path) -> None:
        """Put a file there under a name that is its alone; where the object is there already nothing is sent."""

    def fetch(self, name: str, target: Path) -> None:
        """Write an object's bytes to a file. Raises: StoreUnavailable; StoreDamaged, where there is no such object."""


class ArchivedFiles:
    """The index of one table's archived files, and their copies at hand.

    Args:
        folder: the table's folder, whose name is its name in the archive.
        objects: the archive; None where none is set, and then what is archived cannot be read.
        cache_bytes: how much of what was fetched is kept at hand.
    """

    def __init__(self, folder: Path, objects: Objects | None = None, *, cache_bytes: int = CACHE_BYTES) -> None:
        self.table, self.folder = folder.name, folder / FOLDER
        self.objects, self.cache_bytes = objects, cache_bytes
        self._read: tuple[int, pa.Table] | None = None

    def listed(self, number: int | None) -> pa.Table | None:
        """Return the files of the index with this number, their paths within the table; None: nothing is archived."""
        if not number:
            return None
        if self._read is None or self._read[0] != number:
            try:
                self._read = number, pq.read_table(self._index(number), partitioning=None)
            except (FileNotFoundError, pa.ArrowInvalid) as error:
                # No StoreDamaged: what heals the store would make the table's log anew, without what is archived.
                raise StoreUnavailable(
                    f"{self.table}/{FOLDER}/{self._index(number).name} of the embedded store is gone or damaged: which "
                    "days are archived is not known.",
                    hint="`manage.py archive --adopt` makes it anew from the archive.",
                ) from error
        return self._read[1]

    def list_as(self, number: int, files: pa.Table) -> None:
        """Write the index with this number, durably; nobody reads it before a commit names it."""
        self.folder.mkdir(mode=0o700, exist_ok=True)
        path = self._index(number)
        pq.write_table(files, path.with_suffix(".new"))
        durable.sync_path(path.with_suffix(".new"))
        path.with_suffix(".new").rename(path)
        durable.sync_path(self.folder)

    def give_up_lists(self, counted: int) -> None:
        """Note that this index counts no longer, now that the next one is committed; delete those before it that have
        not counted for a minute: a process that slept since it read the log may still be about to read one."""
        with suppress(FileNotFoundError):
            os.utime(self._index(counted))
        for old in self.folder.glob("index-*"):
            if old.stem < self._index(counted).stem and time.time() - old.stat().st_mtime > SPARED_SECONDS:
                old.unlink(missing_ok=True)

    def newest_number(self) -> int:
        """Return the highest number of an index that is there, 0 where none is."""
        return max((int(path.stem.removeprefix("index-")) for path in self.folder.glob("index-*.parquet")), default=0)

    def _index(self, number: int) -> Path:
        return self.folder / f"index-{number:09d}.parquet"

    def bring(self, files: pa.Table) -> None:
        """Fetch those of the files that are archived and not at hand.

        Raises:
            StoreMisconfigured: no archive is set.
            StoreUnavailable: the archive does not answer, or they are more than may be kept at hand.
            StoreDamaged: the archive has other bytes than were put there, or none.
        """
        if not len(files):
            return
        missing, size = [], 0
        paths, sizes = (files.column(name).to_pylist() for name in ("path", "size_bytes"))
        for path, bytes_ in zip(paths, sizes, strict=True):
            if is_archived(path) and not self._is_at_hand(path):
                missing.append(path)
                size += bytes_
        if not missing:
            return
        if self.objects is None:
            raise StoreMisconfigured(
                f"{len(missing)} files of {self.table} are in the archive, and VELOX_ARCHIVE_URL is not set.",
                field="VELOX_ARCHIVE_URL",
                hint="Set it to the address under which they were archived.",
            )
        if size > self.cache_bytes:
            raise StoreUnavailable(
                f"The question would fetch {size / 2**30:.1f} GiB of {self.table} from the archive at once; "
                f"{self.cache_bytes / 2**30:.1f} GiB are kept at hand.",
                hint="Ask for fewer days at a time, raise VELOX_ARCHIVE_CACHE_BYTES, or ask the archive's own tables.",
            )
        self._make_room(size)
        for path in missing:
            self._fetch(self.objects, path)

    def _is_at_hand(self, path: str) -> bool:
        try:
            os.utime(self._copy(path))  # what was asked for last is given up last
        except FileNotFoundError:
            return False
        return True

    def _copy(self, path: str) -> Path:
        return self.folder / origin(path)

    def _fetch(self, objects: Objects, path: str) -> None:
        target = self._copy(path)
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".fetching-", dir=self.folder) as scratch:
            copy = Path(scratch) / target.name
            objects.fetch(f"{self.table}/{origin(path)}", copy)
            if not is_whole(copy):
                raise StoreDamaged(
                    f"{self.table}/{origin(path)} of the archive is damaged: its day cannot be read whole.",
                    hint="Put the object back from a copy; `manage.py archive --verify` names every one.",
                )
            copy.rename(target)

    def _make_room(self, size: int) -> None:
        """Give up what was asked for longest ago, so that ``size`` more bytes are within what is kept."""
        copies = sorted((file.stat().st_mtime, file.stat().st_size, file) for file in self._copies())
        kept = sum(bytes_ for _, bytes_, _ in copies)
        for used_at, bytes_, file in copies:
            if kept + size <= self.cache_bytes or time.time() - used_at < SPARED_SECONDS:
                return
            file.unlink(missing_ok=True)
            kept -= bytes_

    def _copies(self) -> Iterator[Path]:
        return self.folder.glob("day=*/*.parquet")

    def give_up_copies(self) -> None:
        """Delete everything that was fetched."""
        for folder in self.folder.glob("day=*"):
            shutil.rmtree(folder, ignore_errors=True)


def is_archived(path: str) -> bool:
    """Tell whether a path within the table is that of an archived file's copy."""
    return path.startswith(f"{FOLDER}/")


def origin(path: str) -> str:
    """Return the path that an archived file had in the table, and has in the archive."""
    return path.removeprefix(f"{FOLDER}/")


def as_archived(files: pa.Table) -> pa.Table:
    """Return a list of files of the table as that of archived ones."""
    place = files.column_names.index("path")
    paths = [path if is_archived(path) else f"{FOLDER}/{path}" for path in files.column("path").to_pylist()]
    return files.set_column(place, files.field(place), pa.array(paths, files.field(place).type))
