"""Charges of days as a broker states them, beside what the ledger has stated and what the schedule estimates. Pure.

Exchange and IPFT are compared as one sum, since some brokers put the one inside the other. STT, CTT and stamp are whole
rupees of a day and may not differ; of the others 0.02 a day is rounding. An estimate that rests on a row of the
schedule marked `?` is shown with that mark and makes no break.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal

from trading.domain.breaks import Break, BreakKind, Figures, Proposal, Remedy, plain
from trading.domain.charge_heads import Head
from trading.domain.stated_charges import ChargeSource

ZERO, PER_DAY = Decimal(0), Decimal("0.02")
_WHOLE_RUPEES = (Head.STT.value, Head.CTT.value, Head.STAMP.value)
_TOGETHER = {Head.EXCHANGE: "exchange+ipft", Head.IPFT: "exchange+ipft"}
_UNSETTLED = "?"


@dataclass(frozen=True, slots=True)
class LedgerCharge:
    """A head of one day, segment and market as the ledger has it: what was stated with its source, and the estimate
    with how sure it is; None where there is none."""

    day: date
    segment: str
    head: Head
    stated: Decimal | None = None
    source: str = ""
    estimate: Decimal | None = None
    sure: str = ""


@dataclass(frozen=True, slots=True)
class BrokerCharge:
    """A charge that a file states of ``day`` to ``last_day``; ``segment`` "" where it is not apart by them.

    ``file`` is the SHA-256 of the file, "" of what was imported before.
    """

    day: date
    last_day: date
    segment: str
    head: Head
    amount: Decimal
    file: str = ""
    is_note: bool = False


@dataclass(frozen=True, slots=True)
class MarkedLine:
    """A difference that is no break, since the estimate rests on a row of the schedule that is not settled."""

    day: date
    last_day: date
    segment: str
    head: str
    estimate: Decimal
    broker: Decimal
    sure: str = _UNSETTLED


@dataclass(slots=True)
class ChargeComparison:
    """What differs, and what would if the schedule were sure."""

    breaks: list[Break] = field(default_factory=list)
    marked: list[MarkedLine] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Document:
    """The file that states charges: its hash, and whether it is a contract note."""

    sha256: str
    is_note: bool


@dataclass(frozen=True, slots=True)
class _Line:
    """What one comparison is of: some days, a segment, and a head or two together."""

    day: date
    last_day: date
    segment: str
    head: str

    @property
    def key(self) -> dict[str, str]:
        days = {"day": self.day.isoformat(), "last_day": self.last_day.isoformat()}
        return {**days, "segment": self.segment, "head": self.head}

    def limit(self, days: int) -> Decimal:
        """Return by how much the line may differ over so many days."""
        return ZERO if self.head in _WHOLE_RUPEES else PER_DAY * max(days, 1)

    @property
    def words(self) -> str:
        period = str(self.day) if self.day == self.last_day else f"{self.day} to {self.last_day}"
        return " ".join(filter(None, (self.head, self.segment, period)))


def charge_breaks(ledger: Iterable[LedgerCharge], broker: Iterable[BrokerCharge]) -> ChargeComparison:
    """Return where what a broker states is not what the ledger has stated, or not what the schedule says.

    Of one line a contract note stands before other files. What the broker does not state is not compared.
    """
    comparison = ChargeComparison()
    rows: defaultdict[str, defaultdict[date, list[LedgerCharge]]] = defaultdict(lambda: defaultdict(list))
    for row in ledger:
        rows[_TOGETHER.get(row.head, row.head.value)][row.day].append(row)
    days = {head: sorted(by_day) for head, by_day in rows.items()}
    stated: defaultdict[_Line, defaultdict[tuple[bool, str], dict[Head, Decimal]]] = defaultdict(
        lambda: defaultdict(dict)
    )
    for charge in broker:
        line = _line_of(charge)
        amounts = stated[line][not charge.is_note, charge.file]
        amounts[charge.head] = amounts.get(charge.head, ZERO) + charge.amount
    for line, files in stated.items():
        firmest = min(is_other for is_other, _ in files)
        of_head = days.get(line.head, [])
        within = of_head[bisect_left(of_head, line.day) : bisect_right(of_head, line.last_day)]
        of_line = [row for day in within for row in rows[line.head][day] if line.segment in ("", row.segment)]
        for (is_other, file), amounts in sorted(files.items(), key=lambda each: each[0]):
            if is_other == firmest and _compare(line, of_line, amounts, _Document(file, not is_other), comparison):
                break
    return comparison


def key_of(charge: BrokerCharge) -> dict[str, str]:
    """Return the key under which a stated charge is compared."""
    return _line_of(charge).key


def _line_of(charge: BrokerCharge) -> _Line:
    return _Line(charge.day, charge.last_day, charge.segment, _TOGETHER.get(charge.head, charge.head.value))


def _compare(
    line: _Line,
    rows: Sequence[LedgerCharge],
    amounts: dict[Head, Decimal],
    document: _Document,
    comparison: ChargeComparison,
) -> bool:
    """Compare a line of one file; return whether it makes a break."""
    amount = sum(amounts.values(), ZERO)
    own = [row.stated for row in rows if row.stated is not None]
    total = sum(own, ZERO) if own else None
    estimates = [row.estimate for row in rows if row.estimate is not None]
    estimate = sum(estimates, ZERO) if rows and len(estimates) == len(rows) else None
    unsettled = any(row.sure == _UNSETTLED for row in rows)
    limit = line.limit(len({row.day for row in rows}))
    figures: Figures = {
        "stated": plain(total),
        "source": ", ".join(sorted({row.source for row in rows if row.stated is not None})) or None,
        "estimate": plain(estimate),
        "sure": _UNSETTLED if unsettled else None,
    }
    if estimate is not None and abs(estimate - amount) > limit and unsettled:
        comparison.marked.append(MarkedLine(line.day, line.last_day, line.segment, line.head, estimate, amount))
    is_owed = bool(amount) or total is not None
    if is_owed and (total is None or abs(total - amount) > limit):
        noted = any(row.source == ChargeSource.NOTE for row in rows) and not document.is_note
        is_stated = bool(document.sha256) and not noted
        proposal = _statement(line, amounts, total, document) if is_stated else _look(line, amount, total, noted)
        comparison.breaks.append(_break(BreakKind.CHARGES, line, figures, amount, proposal))
        return True
    if estimate is not None and abs(estimate - amount) > limit and not unsettled:
        text = f"Look at {line.words}: the broker charged {plain(amount)}, the schedule says {plain(estimate)}."
        comparison.breaks.append(
            _break(BreakKind.CHARGES_ESTIMATE, line, figures, amount, Proposal(Remedy.LOOK, text, line.key))
        )
        return True
    return False


def _break(kind: BreakKind, line: _Line, ledger: Figures, amount: Decimal, proposal: Proposal) -> Break:
    scope = frozenset({line.segment} if line.segment else ())
    return Break(kind, line.key, line.day, ledger, {"stated": plain(amount)}, proposal, scope=scope)


def _look(line: _Line, amount: Decimal, total: Decimal | None, is_noted: bool) -> Proposal:
    """Return what is to be done where stating it again would change nothing: something firmer stands."""
    other = "a contract note" if is_noted else "what the ledger has of its fills"
    text = f"Look at {line.words}: {other} says {plain(total)}, the broker's file {plain(amount)}."
    return Proposal(Remedy.LOOK, text, line.key)


def _statement(line: _Line, amounts: dict[Head, Decimal], total: Decimal | None, document: _Document) -> Proposal:
    """Return that the broker's amounts be stated as those of its document."""
    words = ", ".join(f"{head.value} {plain(amount)}" for head, amount in amounts.items())
    instead = "the ledger has none stated" if total is None else f"the ledger has {plain(total)}"
    days = {"day": line.day.isoformat(), "last_day": line.last_day.isoformat(), "segment": line.segment}
    heads = {head.value: plain(amount) for head, amount in amounts.items()}
    source = {"source": str(ChargeSource.NOTE if document.is_note else ChargeSource.FILE), "document": document.sha256}
    return Proposal(Remedy.STATE_CHARGES, f"State {words} for {line.words}: {instead}.", {**days, **heads, **source})
