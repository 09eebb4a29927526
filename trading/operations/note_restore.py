"""Noting that PostgreSQL was put back to an earlier time, or went on at a standby that lacked commits."""

from __future__ import annotations

from datetime import UTC, datetime

import structlog
from django.db import DEFAULT_DB_ALIAS, connections

from trading import restore_notes, timelines
from trading.bookkeeping.chain_ends import publish_ends
from trading.errors import InvalidValue, LedgerNotReady
from trading.models import JournalHead
from trading.proof.heads import published
from trading.proof.restores import lost_heads, recorded_at
from trading.proof.rows import Findings, Tables
from trading.proof.verify import journal_key
from trading.restore_notes import RestoreNote
from trading.rows import utc
from trading.transactions import writers_alone

log = structlog.get_logger("database")


def note_restore(*, by: str, reason: str, now: datetime, to: datetime | None = None) -> RestoreNote:
    """Note which published heads a restore of PostgreSQL lost, signed with the journal's key; return the note.

    ``to`` is the time that it was put back to, unless given that of the last row that it left. Writers wait meanwhile.

    Raises: InvalidValue where there is no such restore (no head is lost, the server's timeline began with none, or it
        is noted already), where the ledger stands at a later time than ``to``, and for an empty name or reason;
        LedgerNotReady without the journal's key; LedgerBusy.
    """
    for name, text in (("by", by), ("reason", reason)):
        if not text.strip():
            raise InvalidValue(f"{name} is empty.", field=name, hint="A note says who restored, and why.")
    key = journal_key()
    if key is None:
        raise LedgerNotReady("journal.key is not there.", hint="Bring it from the backups' folder: it signs the note.")
    with writers_alone():
        ledger = str(JournalHead.objects.exclude(ledger="").order_by("pk").values_list("ledger", flat=True)[0])
        timeline = _new_timeline(ledger, key)
        tables = Tables(connections[DEFAULT_DB_ALIAS], Findings())
        stands, lost = lost_heads(tables, ledger, key, published(ledger))
        if not lost:
            raise InvalidValue("No published head is lost.", hint="There is nothing to note.")
        instants = [recorded_at(tables, chain, sequence) for chain, (sequence, _) in stands.items()]
        left_at = max((utc(instant) for instant in instants if instant is not None), default=None)
        if to is not None and left_at is not None and left_at > to:
            raise InvalidValue(
                f"The ledger was not put back to {to.isoformat()}: it has kept a row of {left_at.isoformat()}.",
                field="to",
                hint="Give the time of the restore, or leave it out.",
            )
        restored_to = to or left_at or now
        note = RestoreNote(
            ledger, now.astimezone(UTC).isoformat(), by, reason, restored_to.astimezone(UTC).isoformat(), timeline,
            stands, lost,
        )  # fmt: skip
        restore_notes.write(note, key)
        publish_ends(ledger, "restore", lost={mac for of_chain in lost.values() for mac in of_chain.values()})
    log.warning("restore noted", by=by, reason=reason, restored_to=note.restored_to, heads_lost=note.heads_lost)
    return note


def _new_timeline(ledger: str, key: str) -> int:
    """Return the timeline of the server, which a restore or a promotion began. Raises: InvalidValue for another one."""
    connection = connections[DEFAULT_DB_ALIAS]
    if connection.vendor != "postgresql":
        raise InvalidValue(
            "The ledger is a file, of which nobody can tell that it was put back.",
            hint="Take the file out of its place and bring it by `manage.py restore FILE --force`.",
        )
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_walfile_name(pg_current_wal_lsn())")
        timeline = timelines.of_wal_file(cursor.fetchone()[0])
    noted = {file.note.timeline for file in restore_notes.kept(ledger, key) if file.note is not None}
    if timeline == 1 or timeline in noted:
        reason = (
            "is its first: it was never put back" if timeline == 1 else "began with a restore that is noted already"
        )
        raise InvalidValue(
            f"The server's timeline {timeline} {reason}.",
            hint="`manage.py verify_ledger` lists what is lost: find out why.",
        )
    return timeline
