"""Kinds of columns of an exported file."""

from __future__ import annotations

from enum import Enum


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
