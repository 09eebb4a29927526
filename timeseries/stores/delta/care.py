"""What keeps a Delta table fast and small: compaction, vacuum, retention; and the removal of an account.

Every rewrite carries one transaction name, so of two that race from one snapshot the second is refused: otherwise two
compactions of the same files would both be kept, and a compaction would bring a removed account back.
"""

# ruff: noqa: S608  (names in the SQL come from the schemas, whatever a caller said goes in as a parameter)
from __future__ import annotations

import contextlib
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import pairwise
from math import log

import pyarrow as pa
import pyarrow.compute as pc
from deltalake.transaction import AddAction

from timeseries.errors import StoreMisconfigured, StoreUnavailable
from timeseries.spool import aging
from timeseries.stores.base import Bounds, damage_error
from timeseries.stores.delta.damage import Inspector
from timeseries.stores.delta.query import Engine, SqlParameters, selection_of
from timeseries.stores.delta.table import WRITTEN, FileStatistics, MeasurementTable, Overtaken, Snapshot, engine

REWRITE = "velox/rewrite"
GRACE_HOURS = 1  # a reader may hold a snapshot this long before its files are removed
MERGE_FILES = 8  # files of one size class that are merged into one of the next
ROWS_MAX = 60_000  # files of this size are left as they are
MERGED_MAX = 120_000  # rows of one merge: it keeps shipping waiting, and takes memory that the companion must have
ROW_GROUP = 65_536
SYMBOLS_ROWS = 500_000  # of a file by symbols
ATTEMPTS = 8


@dataclass(frozen=True)
class Group:
    """Files of one day that become one file; ``paths`` relative to the table."""

    day: date
    files: pa.Table


def compact(engine: Engine, table: MeasurementTable, inspector: Inspector, *, deadline: float) -> None:
    """Merge small files of a day into larger ones, sorted by account, source, tags and time, each point once.

    No merge begins after the deadline (`time.monotonic`): shipping waits meanwhile, and the next care goes on.
    """
    snapshot = table.snapshot()
    for group in _due(snapshot) if snapshot else ():
        if time.monotonic() > deadline:
            return
        with table.lock:
            current = table.snapshot()
            if current is None or not _holds(current, group):
                continue  # another process was here
            if len(inspector.damaged(group.files)):
                continue  # merged, what is wrong in it would look right; what is gone is filled again first
            with contextlib.suppress(Overtaken):
                _rewrite(engine, table, current, [group], moved_only=True)


def _due(snapshot: Snapshot) -> Iterator[Group]:
    """Yield, day by day, the files of a size class that has many, so that each row is rewritten only a few times."""
    classes: dict[tuple[date, int], list[int]] = defaultdict(list)
    if not len(snapshot.files):
        return
    last = pc.max(snapshot.files.column("partition.day")).as_py()
    days, rows = snapshot.files.column("partition.day").to_pylist(), snapshot.files.column("num_records").to_pylist()
    for number, (day, count) in enumerate(zip(days, rows, strict=True)):
        if count < ROWS_MAX:
            # Of a day that is over all small files are merged; of the running one only those of like size.
            classes[day, int(log(max(count, 1000), MERGE_FILES)) if day == last else 0].append(number)
    for (day, _), numbers in sorted(classes.items()):
        least = MERGE_FILES if day == last else 2
        for stretch in _stretches(numbers, rows) if len(numbers) >= least else ():
            yield Group(day, snapshot.files.take(pa.array(stretch)))


def _stretches(numbers: list[int], rows: list[int]) -> Iterator[list[int]]:
    """Yield the numbers of files in stretches of at most `MERGED_MAX` rows that are worth a merge."""
    stretch: list[int] = []
    for number in numbers:
        if stretch and sum(rows[member] for member in stretch) + rows[number] > MERGED_MAX:
            yield stretch
            stretch = []
        stretch.append(number)
    if len(stretch) > 1:
        yield stretch


def _rewrite(
    engine: Engine,
    table: MeasurementTable,
    snapshot: Snapshot,
    groups: list[Group],
    *,
    moved_only: bool,
    without: str | None = None,
) -> None:
    written = [_merged(engine, table, group, without) for group in groups]
    removed = [path for group in groups for path in group.files.column("path").to_pylist()]
    _replace(table, snapshot, removed, written, moved_only=moved_only)


def _replace(
    table: MeasurementTable,
    snapshot: Snapshot,
    removed: Sequence[str],
    written: Sequence[AddAction | None],
    *,
    moved_only: bool,
) -> None:
    """Commit what was written in the place of files; of what did not come to pass nothing stays. Raises: Overtaken."""
    added = [action for action in written if action is not None]
    for action in added:
        action.data_change = not moved_only
    try:
        table.commit(
            snapshot, added=added, removed=removed, transaction=(REWRITE, snapshot.version + 1), moved_only=moved_only
        )
    except Overtaken:
        table.discard(added)
        raise


def _merged(
    engine: Engine,
    table: MeasurementTable,
    group: Group,
    without: str | None,
    symbols: tuple[str, str] | None = None,
) -> AddAction | None:
    """Write the group's points, each once, as one file; return what adds it, None where no point is left.

    ``without`` leaves out an account, ``symbols`` takes those from the first to the second alone.
    """
    selection = selection_of(table, group.files)
    path = table.new_path(group.day)
    keys = ", ".join(f'"{name}"' for name in (*table.measurement.series_tags, "time"))
    columns = ", ".join(f'"{name}"' for name in table.schema.names if name != "day")
    once = f"DISTINCT ON ({keys})" if selection.overlapping else ""
    wanted = [] if without is None else ["account <> $without"]
    if symbols is not None:
        wanted.append("symbol BETWEEN $first AND $last")
    where = f" WHERE {' AND '.join(wanted)}" if wanted else ""
    files = f"SELECT * FROM read_parquet($files, hive_partitioning=false, union_by_name=true){where}"
    sql = (
        f"COPY (SELECT {once} {columns} FROM (FROM blank UNION ALL BY NAME {files}) ORDER BY {keys}, {WRITTEN} DESC)"
        f" TO $target (FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE {ROW_GROUP})"
    )
    blank = table.schema.remove(table.schema.get_field_index("day")).empty_table()
    parameters: SqlParameters = {"files": selection.paths, "target": str(table.folder / path)}
    if without is not None:
        parameters["without"] = without
    if symbols is not None:
        parameters |= {"first": symbols[0], "last": symbols[1]}
    engine.run(sql, parameters, blank=blank)
    statistics = statistics_of(engine, table, path)
    if not statistics["numRecords"]:
        (table.folder / path).unlink()
        return None
    return table.action(path, group.day, statistics)


def group_by_symbol(engine: Engine, table: MeasurementTable, inspector: Inspector, day: date) -> None:
    """Write the files of a day that is over anew, so that a symbol's points are in as few of them as can be; nothing
    where they are, or where one of them is damaged."""
    snapshot = table.snapshot()
    if snapshot is None or "symbol" not in table.measurement.series_tags or not len(snapshot.files):
        return
    files = snapshot.files.filter(pc.equal(snapshot.files.column("partition.day"), pa.scalar(day)))
    if _is_by_symbol(files) or len(inspector.damaged(files)):
        return
    group = Group(day, files)
    written = [_merged(engine, table, group, None, span) for span in _spans(engine, table, group)]
    with table.lock:
        current = table.snapshot()
        if current is not None and _holds(current, group):
            with contextlib.suppress(Overtaken):
                _replace(table, current, files.column("path").to_pylist(), written, moved_only=True)
        else:  # another process merged some of them
            table.discard([action for action in written if action is not None])


def _holds(snapshot: Snapshot, group: Group) -> bool:
    """Tell whether every file of the group is in this version still."""
    held = set(snapshot.files.column("path").to_pylist())
    return held.issuperset(group.files.column("path").to_pylist())


def _is_by_symbol(files: pa.Table) -> bool:
    """Tell whether no symbol but one at the edge of two files is in more than one of them."""
    if len(files) < 2 or not {"min.symbol", "max.symbol"} <= {*files.column_names}:
        return True
    spans = sorted(zip(files["min.symbol"].to_pylist(), files["max.symbol"].to_pylist(), strict=True))
    return all(before[1] <= after[0] for before, after in pairwise(spans))


def _spans(engine: Engine, table: MeasurementTable, group: Group) -> Iterator[tuple[str, str]]:
    """Yield the first and the last symbol of each file to be, of about `SYMBOLS_ROWS` points."""
    files = "read_parquet($files, hive_partitioning=false)"
    sql = f"SELECT symbol, count(*) AS n FROM {files} GROUP BY symbol ORDER BY symbol"
    rows = engine.ask(sql, {"files": selection_of(table, group.files).paths}).to_pylist()
    first, reached = None, 0
    for row in rows:
        first = row["symbol"] if first is None else first
        reached += row["n"]
        if reached >= SYMBOLS_ROWS or row is rows[-1]:
            yield first, row["symbol"]
            first, reached = None, 0


def statistics_of(engine: Engine, table: MeasurementTable, path: str) -> FileStatistics:
    """Read a file of the table and return its statistics as Delta's log has them."""
    names = [field.name for field in table.schema if field.name != "day"]
    counts = ", ".join(f'count("{name}") AS "n_{name}"' for name in names)
    bounds = ", ".join(f'min("{name}") AS "min_{name}", max("{name}") AS "max_{name}"' for name in table.ranged)
    sql = f"SELECT count(*) AS total, {counts}, {bounds} FROM read_parquet($files, hive_partitioning=false)"
    row = engine.ask(sql, {"files": [str(table.folder / path)]}).to_pylist()[0]
    return {
        "numRecords": row["total"],
        "minValues": {name: row[f"min_{name}"] for name in table.ranged if row[f"min_{name}"] is not None},
        "maxValues": {name: row[f"max_{name}"] for name in table.ranged if row[f"max_{name}"] is not None},
        "nullCount": {name: row["total"] - row[f"n_{name}"] for name in names},
    }


def delete_account(engine: Engine, table: MeasurementTable, inspector: Inspector, account: str) -> None:
    """Rewrite the files that can hold the account's points, in one commit; a damaged one of its own is dropped.

    Raises:
        StoreDamaged: a damaged file may hold points of others, too.
    """
    seen = table.snapshot()
    if seen is not None and seen.archived is not None and len(_of_account(seen.archived, account)):
        raise StoreMisconfigured(
            f"Points of {account} in {table.folder.name} are in the archive, and VELOX_ARCHIVE_URL is not set.",
            field="VELOX_ARCHIVE_URL",
            hint="Set it: they are removed there, too.",
        )
    damages = inspector.damages(inspector.damaged(_of_account(seen.files, account))) if seen is not None else []
    if mixed := [damage for damage in damages if damage.tags["account"] != Bounds(account, account)]:
        raise damage_error(mixed)
    drop(table, [damage.path for damage in damages])
    for _ in range(ATTEMPTS):
        with table.lock, contextlib.suppress(Overtaken):
            snapshot = table.snapshot()
            groups = list(_holding(engine, table, snapshot, account)) if snapshot and len(snapshot.files) else []
            if snapshot is not None and groups:
                _rewrite(engine, table, snapshot, groups, moved_only=False, without=account)
            return
    raise StoreUnavailable(
        f"The account's points in {table.folder.name} could not be removed: other writers came first."
    )


def _of_account(files: pa.Table, account: str) -> pa.Table:
    """Return the files whose bounds admit the account."""
    if not len(files):
        return files
    least, greatest = files.column("min.account"), files.column("max.account")
    return files.filter(pc.and_(pc.less_equal(least, account), pc.greater_equal(greatest, account)))


def _holding(engine: Engine, table: MeasurementTable, snapshot: Snapshot, account: str) -> Iterator[Group]:
    held = _of_account(snapshot.files, account)
    if not len(held):
        return
    sql = (
        "SELECT DISTINCT filename FROM read_parquet($files, hive_partitioning=false, filename=true) "
        "WHERE account = $account"
    )
    paths = selection_of(table, held).paths
    holding = set(engine.ask(sql, {"files": paths, "account": account}).column("filename").to_pylist())
    for number, day in enumerate(held.column("partition.day").to_pylist()):
        if paths[number] in holding:
            yield Group(day, held.slice(number, 1))


def drop(table: MeasurementTable, paths: Sequence[str]) -> None:
    """Take the files at these paths, as far as they are in it, out of the table."""
    for _ in range(ATTEMPTS):
        with table.lock, contextlib.suppress(Overtaken):
            snapshot = table.snapshot()
            held = set(snapshot.files.column("path").to_pylist()) if snapshot and len(snapshot.files) else set()
            if snapshot is not None and (old := [path for path in paths if path in held]):
                table.commit(snapshot, added=[], removed=old, transaction=(REWRITE, snapshot.version + 1))
            return
    raise StoreUnavailable(f"Other writers of {table.folder.name} kept coming first.", hint="Try again.")


def expire(table: MeasurementTable, *, before: date) -> None:
    """Remove the whole days before a date; of two processes that do so at once, one comes second and leaves it."""
    with table.lock, contextlib.suppress(Overtaken):
        snapshot = table.snapshot()
        if snapshot is None or not len(snapshot.files):
            return
        old = snapshot.files.filter(pc.less(snapshot.files.column("partition.day"), before)).column("path").to_pylist()
        if old:
            table.commit(snapshot, added=[], removed=old, transaction=(REWRITE, snapshot.version + 1))


def days_ahead(tables: Iterable[MeasurementTable], today: date) -> int:
    """Return by how many days ``today`` is ahead of all that the tables have (`aging.days_ahead`); one that cannot be
    read has no say."""
    days = set[date]()
    for table in tables:
        with contextlib.suppress(StoreUnavailable), engine():
            snapshot = table.snapshot()
            days.update(() if snapshot is None else snapshot.day_states)
    return aging.days_ahead(days, today)
