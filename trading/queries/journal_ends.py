"""Where an account's journal ends, so that what was seen at an end can be told from what another ledger has there."""

from __future__ import annotations

from trading.models import Journal


def journal_end(account_id: int) -> tuple[int, str]:
    """Return the last row's (sequence, mac), (0, "") before there is one."""
    row = Journal.objects.filter(account_id=account_id).order_by("-sequence").values_list("sequence", "mac").first()
    return (0, "") if row is None else (int(row[0]), str(row[1]))


def holds_end(account_id: int, sequence: int, mac: str) -> bool:
    """Tell whether the journal has, or begins before, an end that was seen."""
    if sequence == 0:
        return True
    return Journal.objects.filter(account_id=account_id, sequence=sequence, mac=mac).exists()
