"""Kinds of columns of an exported file, and a block of its rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

import pyarrow as pa


class ColumnKind(Enum):
    """The kind of a column's cells.

    A price, quantity or charge; a value, sum or ratio of such; an instant; a date; a whole number; a JSON object.
    """

    AMOUNT = "amount"
    VALUE = "value"
    TIME = "time"
    DAY = "day"
    COUNT = "count"
    OBJECT = "object"


# Wide enough for all that the ledger holds and narrow enough to be multiplied: price × quantity has 38 digits, which
# is what decimals of 128 bits hold. (pyarrow itself asks for one digit more: cast to decimal256 there.)
TYPES = {
    ColumnKind.AMOUNT: pa.decimal128(19, 8),
    ColumnKind.VALUE: pa.decimal128(28, 8),
    ColumnKind.TIME: pa.timestamp("us", "UTC"),
    ColumnKind.DAY: pa.date32(),
    ColumnKind.COUNT: pa.int64(),
}


@dataclass(frozen=True, slots=True)
class ExportBlock:
    """Some rows of an exported file, as columns by name in the order of the file.

    Columns are of `TYPES`; those of no kind and objects (their JSON) are texts, and a dictionary of texts where few
    differ. Of the rows in ``is_untimed`` the times in ``dated`` are known to the day only: the date at the desk.
    """

    columns: Mapping[str, pa.Array]
    kinds: Mapping[str, ColumnKind]
    is_untimed: pa.BooleanArray
    dated: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.is_untimed)

    def times(self, name: str) -> tuple[pa.TimestampArray, pa.BooleanArray]:
        """Return a column of times, and which of them are known to the day only."""
        untimed = self.is_untimed if name in self.dated else pa.array([False] * len(self), pa.bool_())
        return self.columns[name], untimed
