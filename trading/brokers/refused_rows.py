"""Rows that are left out of a statement, each with a stable code and a sentence."""

from __future__ import annotations

from trading.brokers.cells import UnreadableCell
from trading.brokers.values import Place, Remark
from trading.errors import InvalidValue


class RowRefused(InvalidValue):
    """A row whose cells can be read and which still cannot be taken, at ``place`` for ``reason``, a stable code."""

    code = "row_refused"

    def __init__(self, place: Place, reason: str, message: str) -> None:
        super().__init__(message)
        self.place = place
        self.reason = reason


def remark_of(error: RowRefused | UnreadableCell) -> Remark:
    """Return why a row was rejected, for the statement that goes on without it."""
    reason = error.reason if isinstance(error, RowRefused) else error.code
    return Remark(error.place, reason, error.message)
