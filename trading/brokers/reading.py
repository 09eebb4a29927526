"""Rows of a file, each read or kept with the reason why not."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar

from trading.brokers.cells import INDIA, PlacedCell
from trading.brokers.document import Document
from trading.brokers.ordering import in_order_of_time
from trading.brokers.packed import PackedRows
from trading.brokers.values import Broker, FillLine, Place, Remark, Statement
from trading.errors import InvalidValue

Line = TypeVar("Line", bound="PlacedLine")
Read = TypeVar("Read")


class PlacedLine(Protocol):
    """A row, whatever container it stands in."""

    @property
    def place(self) -> Place: ...

    def __getitem__(self, name: str) -> PlacedCell: ...

    def get(self, name: str) -> PlacedCell:
        """Return the cell of a column that the file may lack."""


class RefusedRow(InvalidValue):
    """A row that cannot be taken for a reason of its own; ``reason`` is the remark's code."""

    code = "refused_row"

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message, hint="Correct the row or leave it out.")
        self.reason = reason


@dataclass(slots=True)
class ReadRows(Generic[Read]):
    """What rows gave: ``count`` is of all, whether read or not."""

    read: list[Read] | PackedRows[Read] = field(default_factory=list)
    ignored: list[Remark] = field(default_factory=list)
    rejected: list[Remark] = field(default_factory=list)
    count: int = 0

    def add(self, other: ReadRows[Read]) -> None:
        """Append what another table of the same file gave."""
        self.read.extend(other.read)
        self.ignored += other.ignored
        self.rejected += other.rejected
        self.count += other.count


def read_rows(
    lines: Iterable[Line], read_line: Callable[[Line], Read | Remark], *, into: PackedRows[Read] | None = None
) -> ReadRows[Read]:
    """Read every line. ``read_line`` returns a Remark for a row that is rightly left out, and raises for one that
    cannot be read: it is rejected, and the others are read on. What is read is added to the rows ``into``, where these
    are given."""
    rows: ReadRows[Read] = ReadRows() if into is None else ReadRows(into)
    for line in lines:
        rows.count += 1
        try:
            outcome = read_line(line)
        except InvalidValue as error:
            rows.rejected.append(rejected(line.place, error))
            continue
        if isinstance(outcome, Remark):
            rows.ignored.append(outcome)
        else:
            rows.read.append(outcome)
    return rows


def statement_of_fills(document: Document, broker: Broker, kind: str, rows: ReadRows[FillLine]) -> Statement:
    """Return an Indian broker's statement of fills, in order of time and trade id, of the days that they are of."""
    fills = in_order_of_time(rows.read)
    return Statement(
        file=document.name,
        sha256=document.sha256,
        broker=broker,
        kind=kind,
        zone=INDIA.key,
        rows_read=rows.count,
        first_day=fills[0].day if fills else None,
        last_day=fills[-1].day if fills else None,
        fills=fills,
        ignored=tuple(rows.ignored),
        rejected=tuple(rows.rejected),
        is_empty=not rows.count,
    )


def rejected(place: Place, error: InvalidValue) -> Remark:
    """Return why a row at a place was rejected: the reason that it was refused for, or the error's code."""
    return Remark(place, error.reason if isinstance(error, RefusedRow) else error.code, str(error))
