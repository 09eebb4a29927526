"""What a broker's statement says of charges, as amounts of a day or a period: its rows added up."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from trading.brokers.values import Broker, ChargeLine, Head, Statement
from trading.domain.stated_charges import ChargeSource, ChargeStatement

_Key = tuple[date, date, str, Head]  # first day, last day, segment ("" for the whole), head


def charge_statements(statement: Statement, source: ChargeSource) -> list[ChargeStatement]:
    """Return the amounts by day or period, segment and head that a statement has as a note, or as a file.

    What the rows of fills state is of their day, and joins its charge lines where there are any. Left out is what
    cannot be brought to fills without guessing: a file's amounts of an untold segment (some mean futures and options by
    that, some everything), a note's beside amounts of segments, and those of one contract over several days. Where an
    exchange's charge stands without IPFT beside it, that is in it: it is stated as 0, so that nobody adds it again.
    Sums are rounded half-even at the 8th decimal.
    """
    is_note = source == ChargeSource.NOTE
    sums: dict[_Key, Decimal] = defaultdict(Decimal)
    lines = [line for line in statement.charges if line.on_note == is_note]
    for line in lines:
        is_of_contract = line.last_day != line.day and line.instrument is not None
        if not is_of_contract and (is_note or line.segment is not None):
            sums[line.day, line.last_day, line.segment or "", line.head] += line.amount
    for fill in statement.fills if lines and not is_note else ():
        for head, amount in fill.charges.items() if fill.segment is not None else ():
            sums[fill.day, fill.day, fill.segment or "", head] += amount
    for day, last_day, segment, head in [*sums]:
        if head is Head.EXCHANGE:
            sums[day, last_day, segment, Head.IPFT] += 0
    sums = {key: amount if amount == round(amount, 8) else round(amount, 8) for key, amount in sums.items()}
    apart = {(day, last_day, head) for day, last_day, segment, head in sums if segment}
    return [
        ChargeStatement(day=day, last_day=last_day, segment=segment, head=head, amount=amount, source=source)
        for (day, last_day, segment, head), amount in sorted(sums.items())
        if segment or (day, last_day, head) not in apart
    ]


def all_charge_statements(statement: Statement) -> list[ChargeStatement]:
    """Return what a statement has as a note, then what it has as a file."""
    return [line for source in (ChargeSource.NOTE, ChargeSource.FILE) for line in charge_statements(statement, source)]


@dataclass(frozen=True, slots=True)
class StatedFile:
    """What is kept of a statement whose charges would be recorded before another's: of its fills their sums alone."""

    sha256: str
    broker: Broker
    kind: str
    charges: tuple[ChargeLine, ...]
    lines: tuple[ChargeStatement, ...]

    @classmethod
    def of(cls, statement: Statement) -> StatedFile:
        """Return what a statement states."""
        lines = tuple(all_charge_statements(statement))
        return cls(statement.sha256, statement.broker, statement.kind, statement.charges, lines)
