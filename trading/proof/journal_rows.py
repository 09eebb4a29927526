"""A few rows of the journal proved by themselves: their own codes, and the links to the rows beside them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from django.conf import settings

from trading.domain.chain import chain_code
from trading.models import Account, Journal, JournalHead


@dataclass(frozen=True, slots=True)
class ProvedRow:
    """A row of the journal, and what does not fit in it; nothing where it is as it was written."""

    row: Journal
    fault: str


def proved(account: Account, rows: Iterable[Journal]) -> list[ProvedRow]:
    """Return rows of an account's journal with their faults, in their order; the whole is proved by `verify_ledger`."""
    own = list(rows)
    beside = {row.sequence + step for row in own for step in (-1, 1)}
    codes = {
        sequence: (previous, code)
        for sequence, previous, code in Journal.objects.filter(account=account, sequence__in=beside).values_list(
            "sequence", "previous_mac", "mac"
        )
    }
    head = JournalHead.objects.filter(account=account).values_list("sequence", "mac").first()
    return [ProvedRow(row, _fault(row, codes, head)) for row in own]


def _fault(row: Journal, codes: dict[int, tuple[str, str]], head: tuple[int, str] | None) -> str:
    if chain_code(str(settings.JOURNAL_KEY), row.previous_mac, row.body) != row.mac:
        return "its text is not what was written"
    before, after = codes.get(row.sequence - 1), codes.get(row.sequence + 1)
    if before is not None and before[1] != row.previous_mac:
        return "the row before it is another one"
    if after is not None and after[0] != row.mac:
        return "the row after it follows another one"
    if after is None and head != (row.sequence, row.mac):
        return "it is the last row, and the journal ends with another one"
    return ""
