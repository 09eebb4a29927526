"""What an import has to say of each file, and of all of them: one form for the command, its JSON and the page."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TypedDict

from trading.brokers.values import Remark, Statement
from trading.errors import VeloxError
from trading.queries.corporate_actions import ProposedAction

REMARKS_MAX = 200  # of a file; the counts are of all


class RejectedRows(TypedDict):
    """Rows that could not be taken."""

    total: int
    by_reason: dict[str, int]


class ActionBody(TypedDict):
    """A corporate action that waits for a person; ``action`` is its number, null where it is not kept yet."""

    action: int | None
    day: str
    kind: str
    symbol: str
    text: str


class FileBody(TypedDict):
    """A file in the JSON of `broker_import`; money as plain strings."""

    name: str
    sha256: str
    broker: str
    kind: str
    zone: str
    period: dict[str, str | None]
    rows_read: int
    fills: int
    already_known: int
    ignored: dict[str, int]
    rejected: RejectedRows
    opening_sales: int
    charges: int
    actions: list[ActionBody]
    stated: dict[str, str]
    computed: dict[str, str]
    agrees: bool
    refused: dict[str, str] | None
    findings: list[str]
    rows: list[dict[str, str | int]]


@dataclass(slots=True)
class FileReport:
    """One file: its statement and what became of its fills, or the error for which nothing of it was taken."""

    name: str
    statement: Statement | None = None
    refusal: VeloxError | None = None
    fills: int = 0
    already_known: int = 0
    opening_sales: int = 0
    charges: int = 0  # lines of stated charges that are new
    trades_opened: int = 0
    trades_closed: int = 0
    actions: Sequence[ProposedAction] = ()
    refused: Sequence[Remark] = ()
    findings: list[str] = field(default_factory=list)

    @property
    def rejected(self) -> list[Remark]:
        """Rows that could not be read, and rows that the ledger could not take."""
        return [*(self.statement.rejected if self.statement is not None else ()), *self.refused]

    @property
    def is_fine(self) -> bool:
        """Whether there is nothing to look at."""
        if self.statement is None or self.refusal is not None:
            return False
        return not (self.rejected or self.findings or self.statement.contradictions)

    def as_dict(self) -> FileBody:
        """Return the file as the JSON has it."""
        statement, rejected = self.statement, self.rejected
        return {
            "name": self.name,
            "sha256": statement.sha256 if statement else "",
            "broker": statement.broker.value if statement else "",
            "kind": statement.kind if statement else "",
            "zone": statement.zone if statement else "",
            "period": {"from": _day(statement, is_last=False), "to": _day(statement, is_last=True)},
            "rows_read": statement.rows_read if statement else 0,
            "fills": self.fills,
            "already_known": self.already_known,
            "ignored": dict(Counter(remark.reason for remark in statement.ignored)) if statement else {},
            "rejected": {"total": len(rejected), "by_reason": dict(Counter(row.reason for row in rejected))},
            "opening_sales": self.opening_sales,
            "charges": self.charges,
            "actions": [
                {
                    "action": action.pk or None,
                    "day": action.day.isoformat(),
                    "kind": action.kind,
                    "symbol": action.symbol,
                    "text": action.text,
                }
                for action in self.actions
            ],
            "stated": _plain(statement.stated.items()) if statement else {},
            "computed": _plain(statement.computed.items()) if statement else {},
            "agrees": statement is not None and not statement.contradictions,
            "refused": None if self.refusal is None else {"code": self.refusal.code, "message": str(self.refusal)},
            "findings": list(self.findings),
            "rows": [
                {"sheet": row.place.sheet, "row": row.place.row, "reason": row.reason, "text": row.text}
                for row in rejected[:REMARKS_MAX]
            ],
        }


def totals(reports: Sequence[FileReport]) -> dict[str, int]:
    """Return the sums over all files."""
    return {
        "trades_opened": sum(report.trades_opened for report in reports),
        "trades_closed": sum(report.trades_closed for report in reports),
    }


def _plain(amounts: Iterable[tuple[str, Decimal]]) -> dict[str, str]:
    return {name: f"{amount:f}" for name, amount in amounts}


def _day(statement: Statement | None, *, is_last: bool) -> str | None:
    if statement is None:
        return None
    day = statement.last_day if is_last else statement.first_day
    return None if day is None else day.isoformat()
