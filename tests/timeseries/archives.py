"""Archives for tests. As a program: archive a folder's days and bring them back, without end, saying each step."""

from __future__ import annotations

import json
import sys
import threading
from pathlib import Path
from typing import Any

import pyarrow as pa

from tests.timeseries.batches import INDIA
from timeseries.measurements import PointBatch
from timeseries.stores.base import Refusal
from timeseries.stores.delta.bucket import ObjectStore
from timeseries.stores.delta.store import DeltaStore

_one = threading.Lock()
FAR = 2**62  # an instant at which every day of the tests is over, ns UTC
NONE = -1  # days that stay here: not even the newest one


def folder_bucket(folder: Path) -> ObjectStore:
    """Return the place of an archive in a folder."""
    return ObjectStore(folder.resolve().as_uri(), {})


class ArchivedStore(DeltaStore):
    """A store whose days lie in the archive alone as soon as something of them was written."""

    def write(self, batch: PointBatch) -> tuple[Refusal, ...]:
        refusals = super().write(batch)
        self.archive_all()
        return refusals

    def restore(self, batch: PointBatch) -> None:
        super().restore(batch)
        self.archive_all()

    def archive_all(self) -> None:
        """Copy every day and drop it here; what was fetched is fetched again."""
        assert self.archive is not None
        with _one:
            self.archive.run(now=FAR, keep_local_days=NONE)
        for table in self.tables.values():
            table.archived.give_up_copies()


class LazilyArchivedStore(ArchivedStore):
    """Such a store whose days go there when somebody asks: an object store takes its time."""

    _is_due = False

    def write(self, batch: PointBatch) -> tuple[Refusal, ...]:
        self._is_due = True
        return DeltaStore.write(self, batch)

    def archive_written(self) -> None:
        """Archive what was written since somebody asked last."""
        if self._is_due:
            self._is_due = False
            self.archive_all()

    def _answer(self, *arguments: Any) -> Any:
        self.archive_written()
        return super()._answer(*arguments)

    def query_sql(self, *arguments: Any, **more: Any) -> pa.Table:
        self.archive_written()
        return super().query_sql(*arguments, **more)


def archived_store(folder: Path, bucket: ObjectStore | None = None) -> ArchivedStore:
    """Return a store in a folder, its archive beside it or, lazily, on an object store."""
    if bucket is not None:
        return LazilyArchivedStore(folder / "delta", zone=INDIA, bucket=bucket)
    return ArchivedStore(folder / "delta", zone=INDIA, bucket=folder_bucket(folder / "the archive"))


def main() -> None:
    folder, url, access = sys.argv[1:]
    store = DeltaStore(Path(folder) / "delta", zone=INDIA, bucket=ObjectStore(url, json.loads(access)))
    assert store.archive is not None
    while True:
        for row in store.archive.run(now=FAR, keep_local_days=NONE, tell=lambda *step: print(*step, flush=True)):
            if row.place == "archive":
                store.archive.restore(row.day)
                print("restored", row.day, flush=True)
        store.care(now=FAR)


if __name__ == "__main__":
    main()
