"""The proof of the whole desk: of the ledger, and of its copy in the hot state."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime

from trading.errors import LedgerBusy, LedgerNotReady
from trading.hot import cache, ledger_copy
from trading.progress import Progress
from trading.proof.rows import Difference
from trading.proof.verification import Proof
from trading.proof.verify import verify_ledger


def prove_desk(
    *, since: date | None = None, from_head: int | None = None, progress: Progress = lambda *_: None
) -> Proof:
    """Prove the ledger (`verify_ledger`), then compare positions, stops, counters and the day's sums in the hot state.

    A copy that is wrong is a difference of kind "cache"; one that is missing or behind is none, and without a Redis
    there is none to look at. Nothing is mended: the companion and `rebuild_cache` do that.

    Raises: DatabaseError where the ledger cannot be read.
    """
    proof = verify_ledger(since=since, from_head=from_head, progress=progress)
    if not cache.is_shared():
        return proof
    differences, compared = list(proof.differences), 0
    for account in proof.head:
        try:
            wrong = list(ledger_copy.find_wrong(account, datetime.now(UTC)))
        except (LedgerBusy, LedgerNotReady):
            continue  # it changes too fast, or is no ledger: there is nothing to hold the copy against
        compared += len(ledger_copy.SECTIONS)
        for section, stored, expected in wrong:
            name = ledger_copy.name_of(account, section)
            differences.append(Difference("cache", "hot state", name, section, stored, expected))
    return replace(proof, differences=differences, checked={**proof.checked, "cached_entries": compared})
