"""One day, segment and market while its charges are computed: each fill's unrounded heads, and what they rest on."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date

from trading.domain.charge_heads import Head, Segment
from trading.domain.charge_products import ChargedFill
from trading.domain.charge_schedule import Sure, weakest

HEADS = (*(Head.BROKERAGE, Head.STT, Head.CTT, Head.EXCHANGE, Head.IPFT, Head.SEBI, Head.STAMP, Head.GST, Head.DP),)


@dataclass(frozen=True, slots=True)
class ChargeFinding:
    """Why a head of a day is not known, or what an estimate of it rests on."""

    day: date
    segment: str
    exchange: str
    head: Head | None
    text: str


@dataclass(slots=True)
class ChargedSection:
    """One day, segment and market while it is computed: each fill's unrounded heads, and what they rest on."""

    day: date
    segment: Segment | None
    exchange: str
    fills: list[ChargedFill]
    exact: dict[str, dict[Head, int | None]] = field(default_factory=dict)
    sure: dict[Head, Sure] = field(default_factory=dict)
    findings: dict[tuple[Head | None, str], ChargeFinding] = field(default_factory=dict)

    def add(self, fill: ChargedFill, head: Head, amount: int | None) -> None:
        """Add an amount to a fill's head; None makes it unknown."""
        heads = self.exact.setdefault(fill.key, dict.fromkeys(HEADS, 0))
        before = heads[head]
        heads[head] = None if amount is None or before is None else before + amount

    def leave_open(self, text: str) -> None:
        """Let every head of every fill be unknown, for this reason."""
        self.note(None, text)
        self.exact = {fill.key: dict.fromkeys(HEADS) for fill in self.fills}

    def note(self, head: Head | None, text: str) -> None:
        """Keep a finding once."""
        self.findings[head, text] = ChargeFinding(self.day, self.segment or "", self.exchange, head, text)

    def rest_on(self, head: Head, mark: Sure) -> None:
        """Let a head be no surer than this."""
        self.sure[head] = weakest(self.sure.get(head, Sure.RECOMPUTED), mark)

    def sum_of(self, head: Head) -> int | None:
        """Return the unrounded sum of a head, None where a fill's part is not known."""
        amounts = [heads[head] for heads in self.exact.values()]
        total = 0
        for amount in amounts:
            if amount is None:
                return None
            total += amount
        return total
