"""What `manage.py doctor --fix` does about faults: only what touches nothing that was accepted."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from django.db import DEFAULT_DB_ALIAS, connections

from timeseries import wiring
from trading import intake, summon
from trading.health import faults
from trading.hot import comparisons, ledger_copy


def checkpoint() -> str:
    """Apply SQLite's write-ahead log to the ledger's file and cut it, as far as no reader needs it."""
    with connections[DEFAULT_DB_ALIAS].cursor() as cursor:
        cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        is_busy, _, _ = cursor.fetchone()
    return "A reader still needs the log; it stays." if is_busy else "The log is applied and cut."


def heal_store() -> str:
    """Fill the store's damaged files again from the kept segments."""
    mendings = wiring.open_pump().heal()
    whole = sum(mending.mended for mending in mendings)
    return f"{whole} of {len(mendings)} damaged files are whole again."


def start_companion() -> str:
    """Start a companion where none lives."""
    summon.summon()
    return "A companion is started."


def retry_letters() -> str:
    """Offer each dead letter to the store once more."""
    retried = wiring.open_pump().retry_dead_letters()
    return f"{retried.stored} points are stored now, {retried.refused} were refused again."


def post_facts() -> str:
    """Post the facts that wait for the ledger, in their order."""
    return f"{intake.of_this_folder().post()} facts are decided."


def rewrite_copy() -> str:
    """Make the hot copy of every account anew from the ledger."""
    now, wrong = datetime.now(UTC), 0
    for account in ledger_copy.sequences():
        counts = ledger_copy.rebuild(account, now)
        comparisons.note(account, counts, now)
        wrong += counts["wrong"]
    return f"The copy is that of the ledger; {wrong} entries were wrong."


MENDINGS: dict[str, Callable[[], str]] = {
    faults.WAL_LARGE.key: checkpoint,
    faults.STORE_DAMAGED.key: heal_store,
    faults.NO_COMPANION.key: start_companion,
    faults.NOBODY_SHIPS.key: start_companion,
    faults.DEAD_LETTERS.key: retry_letters,
    faults.FACTS_WAIT.key: post_facts,
    faults.COPY_STALE.key: rewrite_copy,
}
