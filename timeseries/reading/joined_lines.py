"""Points of sources that took over from each other, read as those of one."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from timeseries.spool.hand_overs import SourceLines

INSTANT = ["symbol", "exchange_time"]


def in_one_line(points: pa.Table, line: tuple[str, ...]) -> pa.Table:
    """Return the points of a line's sources, ascending, each with its source.

    Each source counts the points of one instant from 0 on: those of a later one are put behind those of the former.
    """
    sources = [points.filter(pc.equal(points.column("source"), source)) for source in line]
    joined, *later = [each for each in sources if len(each)] or [points.slice(0, 0)]
    if not later:
        return joined
    for following in later:
        joined = pa.concat_tables([joined, _behind(joined, following)])
    return joined.take(pc.sort_indices(joined, [("time", "ascending"), ("symbol", "ascending")]))


def as_first_of_line(points: pa.Table, lines: SourceLines) -> pa.Table:
    """Return points as `in_one_line` has them, those of a line under the name of its first source."""
    named = set(pc.unique(points.column("source")).to_pylist())
    handed = {lines.of(source) for source in named if len(lines.of(source)) > 1}
    if not handed:
        return points
    place = points.column_names.index("source")
    tables = [points.filter(pc.invert(pc.is_in(points.column("source"), pa.array(sorted(lines.lines)))))]
    for line in sorted(handed):
        joined = in_one_line(points, line)
        name = pa.repeat(pa.scalar(line[0], points.schema.field(place).type), len(joined))
        tables.append(joined.set_column(place, points.schema.field(place), name))
    joined = pa.concat_tables(tables)
    return joined.take(pc.sort_indices(joined, [(name, "ascending") for name in ("time", "symbol", "source")]))


def _behind(points: pa.Table, following: pa.Table) -> pa.Table:
    """Return the following points with times behind those of the others that have their instant."""
    ends = points.group_by(INSTANT).aggregate([("time", "max")])
    numbered = following.select(INSTANT).append_column("place", pa.array(np.arange(len(following))))
    shared = numbered.join(ends, INSTANT, join_type="inner")
    time = following.column("time").to_numpy().copy()
    places = shared.column("place").to_numpy()
    time[places] += shared.column("time_max").to_numpy() - shared.column("exchange_time").to_numpy() + 1
    place = following.column_names.index("time")
    return following.set_column(place, following.schema.field(place), pa.array(time))
