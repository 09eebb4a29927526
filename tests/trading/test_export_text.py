"""Blocks of odd cells as CSV and JSON: what Python's own writers make of the same rows, one by one."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading.domain.export import TYPES, ColumnKind, ExportBlock
from trading.domain.money import MAX_UNITS, from_units
from trading.domain.plain_json import to_json
from trading.domain.row_texts import FEW
from trading.domain.spreadsheet import cell
from trading.pages.export_text import csv_lines, json_objects

DESK = ZoneInfo("Asia/Kolkata")
KINDS = {
    "amount": ColumnKind.AMOUNT,
    "value": ColumnKind.VALUE,
    "opened_at": ColumnKind.TIME,
    "measured_at": ColumnKind.TIME,
    "day": ColumnKind.DAY,
    "ticks": ColumnKind.COUNT,
    "conditions": ColumnKind.OBJECT,
}
ODD = (
    "",
    "=1+1",
    "-a",
    " +b",
    "＝c",
    "@d",
    "\t",
    "a,b",
    'say "so"',
    "two\r\nlines",
    "\\",
    "\x7f",
    "é—ü",
    "10:15",
    "None",
)
TEXTS = st.one_of(st.none(), st.sampled_from(ODD), st.text(st.characters(exclude_categories=["Cs"]), max_size=5))
NEAR = st.integers(-3 * 10**8, 3 * 10**8)  # units around zero
CENTS, QUARTERS = (st.integers(-(10**7), 10**7).map(lambda number, step=step: number * step) for step in (10**6, 10**4))
UNITS = st.one_of(
    NEAR, CENTS, QUARTERS, st.integers(-MAX_UNITS, MAX_UNITS), st.sampled_from([0, 1, -1, 10**8, -(10**8)])
)
AMOUNTS = st.one_of(st.none(), UNITS.map(from_units))
VALUES = st.one_of(AMOUNTS, st.integers(-(10**27), 10**27).map(lambda units: Decimal(units).scaleb(-8)))
TIMES = st.one_of(
    st.none(),
    st.datetimes(datetime(1971, 1, 1), datetime(2100, 1, 1)).map(lambda at: at.replace(tzinfo=UTC)),
    st.sampled_from([datetime(2024, 3, 15, 4, 0, tzinfo=UTC), datetime(2024, 3, 15, 18, 30, tzinfo=UTC)]),
)
JSONS = st.one_of(
    st.just({}),
    st.dictionaries(
        st.sampled_from(["rsi", 'a "b"', "é"]), st.one_of(st.integers(0, 9), st.sampled_from(ODD)), max_size=2
    ),
)
COUNTS, DAYS = st.one_of(st.none(), st.integers(0, 9)), st.dates(date(1971, 1, 1))
ROWS = st.tuples(TEXTS, TEXTS, AMOUNTS, VALUES, TIMES, TIMES, DAYS, COUNTS, JSONS, st.booleans())


def block_of(rows: Sequence[tuple[Any, ...]]) -> ExportBlock:
    text, word, amount, value, opened_at, measured_at, day, ticks, conditions, untimed = zip(*rows, strict=True)
    columns = {
        "text": pa.array(text, pa.string()),
        "word": pa.array(word, pa.string()).dictionary_encode(),
        "amount": pa.array(amount, TYPES[ColumnKind.AMOUNT]),
        "value": pa.array(value, TYPES[ColumnKind.VALUE]),
        "opened_at": pa.array(opened_at, TYPES[ColumnKind.TIME]),
        "measured_at": pa.array(measured_at, TYPES[ColumnKind.TIME]),
        "day": pa.array(day, pa.date32()),
        "ticks": pa.array(ticks, pa.int64()),
        "conditions": pa.array([to_json(content) for content in conditions], pa.string()),
    }
    return ExportBlock(columns, KINDS, pa.array(untimed), ("opened_at",))


def cells_of(row: tuple[Any, ...]) -> list[Any]:
    """Return a row's cells: at the desk, one that is known to the day alone a date."""
    *cells, untimed = row
    at_desk = [content.astimezone(DESK) if isinstance(content, datetime) else content for content in cells]
    return [at.date() if at and untimed and place == 4 else at for place, at in enumerate(at_desk)]


def assert_written_as_python_writes(rows: Sequence[tuple[Any, ...]]) -> None:
    block, cells = block_of(rows), list(map(cells_of, rows))
    file = io.StringIO()
    csv.writer(file).writerows([cell(content) for content in row] for row in cells)
    assert str(csv_lines(block), "utf-8") == file.getvalue()
    objects = [dict(zip(block.columns, row, strict=True)) for row in cells]
    assert str(json_objects(block), "utf-8") == to_json(objects)[1:-1]


@given(st.lists(ROWS, min_size=1, max_size=12))
def test_odd_cells_are_written_as_python_writes_each_of_them(rows: list[tuple[Any, ...]]) -> None:
    assert_written_as_python_writes(rows)


@pytest.mark.parametrize("step", [1, 10**4, 10**6, 10**8], ids=["eight", "four", "two", "whole"])
def test_many_different_cells_are_written_so_too(step: int) -> None:
    at, rows = datetime(2024, 3, 15, 4, 0, tzinfo=UTC), []
    for number in range(4 * FEW):
        amount = None if number % 7 == 3 else from_units((-1) ** number * (number * 12_345_679 % 10**11) // step * step)
        time = None if number % 5 == 2 else at.replace(minute=number % 60, microsecond=number % 3 * 125)
        text = f"{'=' if number % 11 == 1 else ''}T{number}"
        rows.append(
            (text, f"w {number}", amount, amount, time, time, at.date(), number, {"n": number}, number % 4 == 0)
        )
    assert_written_as_python_writes(rows)
    assert_written_as_python_writes(
        [(*row[:2], from_units(number * step * 10**5), *row[3:]) for number, row in enumerate(rows)]
    )
