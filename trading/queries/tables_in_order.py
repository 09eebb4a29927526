"""Columns of rows in an order, of some thousands at a time: read from the database, or taken from a table of all."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
from django.db.models import QuerySet
from numpy.typing import NDArray

from trading.queries.columns import fetched_blocks
from trading.queries.lines import NO_REPEATS, LineColumn, Repeats, keys_of, numbers, table_of_keys

if TYPE_CHECKING:
    from django.db.models import Model


def tables_in_order(
    rows: QuerySet[Model],
    columns: Mapping[str, LineColumn],
    at_a_time: int,
    *,
    repeats: Repeats = NO_REPEATS,
    whole: Callable[[], pa.Table] | None = None,
    by: Sequence[str] = (),
) -> Iterator[pa.Table]:
    """Yield columns of some rows (`table_of`) in their order, of so many rows at a time, so that nobody has all of
    them; ``columns`` has their keys (`pk`). ``whole`` returns a table that has them all, where one is kept; ``by`` are
    the columns that tell their order, where such do.

    The database brings keys in that order, and then the rows of some keys as one text: a text per row takes twice as
    long. As long as it brings keys, SQLite shows the rows as they stood when it began. Where the whole tells the order,
    it brings all keys as one text.
    """
    if whole is not None and by:
        wanted = keys_of(rows)
        yield from _sorted(whole(), wanted, by, at_a_time)  # what it has is at least as new as the keys
        return
    every: _ByKey | None = None
    for (keys,) in fetched_blocks(rows.values_list("pk"), at_a_time):
        wanted = np.array(keys, dtype=np.int64)
        if whole is not None and every is None:
            every = _ByKey(whole())  # only now, as above
        table = (every or _ByKey(table_of_keys(rows, columns, repeats, wanted))).of(wanted)
        if len(table):  # else all were taken away meanwhile, as those of a replay may be
            yield table


def _sorted(table: pa.Table, wanted: NDArray[np.int64], by: Sequence[str], at_a_time: int) -> Iterator[pa.Table]:
    """Yield the rows of some keys, those of a table that has all, by some of its columns."""
    places = places_by(table, by)
    places = places[np.isin(numbers(table["pk"])[places], wanted)]
    for start in range(0, len(places), at_a_time):
        yield _taken(table, places[start : start + at_a_time])


def places_by(table: pa.Table, names: Sequence[str]) -> NDArray[np.int64]:
    """Return the places of a table's rows in the order of some of its columns."""
    places = np.arange(len(table))
    for name in reversed(names):
        places = places[np.argsort(numbers(table[name])[places], kind="stable")]
    return places


def _taken(table: pa.Table, places: NDArray[np.int64]) -> pa.Table:
    """Return the rows at some places; those that stand there in that order are not copied."""
    first = int(places[0]) if len(places) else 0
    is_stretch = np.array_equal(places, np.arange(first, first + len(places)))
    return table.slice(first, len(places)) if is_stretch else table.take(pa.array(places))


class _ByKey:
    """A table whose rows are found by their keys (`pk`)."""

    def __init__(self, table: pa.Table) -> None:
        self._table, self._keys = table, numbers(table["pk"])
        self._order = np.argsort(self._keys)

    def of(self, wanted: NDArray[np.int64]) -> pa.Table:
        """Return the rows of some keys in their order, but for those that are not there."""
        if not len(self._keys):
            return self._table
        places = np.minimum(np.searchsorted(self._keys, wanted, sorter=self._order), len(self._keys) - 1)
        places = self._order[places]
        return _taken(self._table, places[self._keys[places] == wanted])
