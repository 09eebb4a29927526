"""A table in a file, in parts that are sealed one by one: who seeks the rows of one strategy or symbol reads, proves
and unpacks little else.

The file begins with a line: a seal of the head, and the head as JSON. It tells what the writer says of the table, and
of each part what it holds, its size and its seal: no part can be changed, moved or left out without the key.
"""

from __future__ import annotations

import hmac
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TypedDict

import numpy as np
import pyarrow as pa

from timeseries.spool import durable
from trading.domain.chain import seal_of
from trading.queries.lines import numbers

ROWS_MIN = 16_384  # of a part but the last: of many strategies and symbols there would be thousands of smaller ones
PACKED = pa.ipc.IpcWriteOptions(compression="lz4")
Values = Mapping[str, int]  # by column, what rows are to have in it


class About(TypedDict):
    """What the writer says of a table: its layout, the last migration, and the end of the journal it was read at."""

    layout: str
    migration: str
    mark: tuple[str, int, str, str]


class _Section(TypedDict):
    size: int
    seal: str
    holds: dict[str, list[int]]  # by column that the table was parted by, which values


class BrokenSeal(Exception):
    """A file, or a part of it that was sought, is not as it was written."""


def read_parts(file: Path, key: str, wanted: Callable[[About], Values | None]) -> tuple[About, pa.Table] | None:
    """Return what the writer said of a table, and all rows that have the values which are ``wanted`` then, and maybe
    others; None where ``wanted`` has no use for the file.

    Raises: OSError, BrokenSeal.
    """
    with file.open("rb") as stream:
        seal, _, text = stream.readline().partition(b" ")
        _prove(key, text, seal)
        head = json.loads(text)
        sections: list[_Section] = head["parts"]
        values = wanted(head["about"])
        if values is None:
            return None
        tables, start = [], stream.tell()
        for section in sections:
            if all(value in section["holds"].get(name, (value,)) for name, value in values.items()):
                stream.seek(start)
                body = stream.read(section["size"])
                _prove(key, body, section["seal"].encode())
                tables.append(pa.ipc.open_stream(pa.py_buffer(body)).read_all())
            start += section["size"]
    return head["about"], pa.concat_tables(tables, promote_options="default").unify_dictionaries()


def write_parts(file: Path, key: str, about: About, table: pa.Table, by: Sequence[str]) -> None:
    """Write a table, parted by columns of whole numbers; without any, as one part in the order that it has.

    Raises: OSError.
    """
    sections: list[_Section] = []
    bodies: list[pa.Buffer] = []
    for rows in (table.slice(0, 0), *_parted(table, by)):  # the first one so that columns are there of no rows
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, rows.schema, options=PACKED) as stream:
            stream.write_table(rows.combine_chunks())
        body = sink.getvalue()
        holds = {name: np.unique(numbers(rows[name])).tolist() for name in by if len(rows)}
        sections.append({"size": body.size, "seal": seal_of(key, memoryview(body)).hex(), "holds": holds})
        bodies.append(body)
    text = json.dumps({"about": about, "parts": sections}).encode() + b"\n"
    with durable.replacing(file) as fresh:
        fresh.writelines((seal_of(key, text).hex().encode(), b" ", text, *bodies))


def _parted(table: pa.Table, by: Sequence[str]) -> Iterator[pa.Table]:
    """Yield the rows in order of some columns, apart where their values change and a part has `ROWS_MIN`."""
    if not by:
        yield table
        return
    columns = [numbers(table[name]) for name in by]
    order = np.lexsort(columns[::-1])
    changes = np.flatnonzero(np.any([np.diff(column[order]) != 0 for column in columns], axis=0)) + 1
    start = 0
    for change in (*changes.tolist(), len(order)):
        if change - start >= ROWS_MIN or change == len(order):
            yield table.take(pa.array(order[start:change]))
            start = change


def _prove(key: str, content: bytes, seal: bytes) -> None:
    if not hmac.compare_digest(seal_of(key, content).hex().encode(), seal):
        raise BrokenSeal
