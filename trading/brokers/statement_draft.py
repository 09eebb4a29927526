"""What a reader has gathered from a file so far."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal

from trading.brokers.cells import INDIA, UnreadableCell
from trading.brokers.document import Document
from trading.brokers.packed import PackedRows
from trading.brokers.packed_fills import few_or_packed, packed_fills
from trading.brokers.reading import Read, ReadRows
from trading.brokers.values import (
    ActionLine,
    BillLine,
    Broker,
    ChargeLine,
    FillLine,
    NoteLine,
    Place,
    PositionLine,
    Remark,
    Statement,
)

HALF_PAISA = Decimal("0.005")


@dataclass(slots=True)
class StatementDraft:
    """The lines of a statement while its file is read; `statement` closes it."""

    document: Document
    fills: PackedRows[FillLine] = field(default_factory=packed_fills)
    charges: list[ChargeLine] = field(default_factory=list)
    bills: list[BillLine] = field(default_factory=list)
    positions: list[PositionLine] = field(default_factory=list)
    notes: list[NoteLine] = field(default_factory=list)
    actions: list[ActionLine] = field(default_factory=list)
    ignored: list[Remark] = field(default_factory=list)
    rejected: list[Remark] = field(default_factory=list)
    stated: dict[str, Decimal] = field(default_factory=dict)
    computed: dict[str, Decimal] = field(default_factory=dict)
    rounding: dict[str, Decimal] = field(default_factory=dict)
    rows_read: int = 0

    def ignore(self, place: Place, reason: str, text: str) -> None:
        """Keep that a row was left out on purpose."""
        self.ignored.append(Remark(place, reason, text))

    def reject(self, error: UnreadableCell, reason: str = "unreadable_cell") -> None:
        """Keep that a row could not be taken."""
        self.rejected.append(Remark(error.place, reason, str(error)))

    def add(self, rows: ReadRows[Read]) -> Sequence[Read]:
        """Take over why rows were left out and how many there were; return those that were read."""
        self.ignored += rows.ignored
        self.rejected += rows.rejected
        self.rows_read += rows.count
        return rows.read

    def compare(self, name: str, computed: Decimal, rounding: Decimal = Decimal(0)) -> None:
        """Put what the rows add up to beside a total that the file states, and nothing where it states none."""
        if name in self.stated:
            self.computed[name] = computed
            self.rounding[name] = rounding

    @property
    def is_empty(self) -> bool:
        """Say whether no row gave anything, nor was rejected."""
        lines = (self.fills, self.charges, self.bills, self.positions, self.notes, self.actions, self.rejected)
        return not any(lines)

    def statement(
        self,
        broker: Broker,
        kind: str,
        *,
        days: tuple[date, date] | None,
        client: str | None,
        is_empty: bool = False,
        zone: str = INDIA.key,
    ) -> Statement:
        """Return all that was gathered; the times are those of ``zone``."""
        return Statement(
            file=self.document.name,
            sha256=self.document.sha256,
            broker=broker,
            kind=kind,
            zone=zone,
            rows_read=self.rows_read,
            first_day=days[0] if days else None,
            last_day=days[1] if days else None,
            client=client,
            fills=few_or_packed(self.fills),
            charges=tuple(self.charges),
            bills=tuple(self.bills),
            positions=tuple(self.positions),
            notes=tuple(self.notes),
            actions=tuple(self.actions),
            ignored=tuple(self.ignored),
            rejected=tuple(self.rejected),
            stated=self.stated,
            computed=self.computed,
            rounding=self.rounding,
            is_empty=is_empty,
        )
