"""The proof of the desk's own ledger, or of a copy of it."""

from __future__ import annotations

from datetime import date, datetime, time
from pathlib import Path

from django.conf import settings
from django.db import DEFAULT_DB_ALIAS, connections

from trading import picture_files
from trading.domain.chain import journal_text
from trading.progress import Progress
from trading.proof.heads import none, published
from trading.proof.since_head import SinceHead
from trading.proof.verification import Proof, Verification
from trading.queries.period import desk_zone

# SQLite's values as they stand in the file: a converted boolean would hide a 7.
AS_STORED = {"detect_types": 0}


def verify_ledger(
    *, since: date | None = None, from_head: int | None = None, progress: Progress = lambda *_: None
) -> Proof:
    """Prove the desk's ledger. ``since`` leaves out trades that no operation touched from that day (the desk's) on;
    ``from_head`` is a sequence of the chain, or `since_head.NEWEST`, and only what was recorded after it is looked at.

    Raises: DatabaseError where it cannot be read.
    """
    since_text = None  # of the day's midnight at the desk, as the journal writes instants
    if since is not None:
        midnight = datetime.combine(since, time(), desk_zone())
        since_text = journal_text(midnight)
    default = connections[DEFAULT_DB_ALIAS]
    # A connection of its own: the proof's snapshot must not be anybody's transaction.
    options = {**default.settings_dict["OPTIONS"], **(AS_STORED if default.vendor == "sqlite" else {})}
    connection = type(default)({**default.settings_dict, "OPTIONS": options}, DEFAULT_DB_ALIAS)
    try:
        if from_head is not None:
            return SinceHead(connection, journal_key(), published, from_head, progress).run()
        return Verification(
            connection, journal_key(), published, since_text, progress, files=picture_files.folder()
        ).run()
    finally:
        connection.close()


def verify_copy(path: Path, *, progress: Progress = lambda *_: None) -> Proof:
    """Prove a SQLite file that nobody writes, and leave it and its folder as they are.

    Raises: DatabaseError where it is no ledger.
    """
    default = connections[DEFAULT_DB_ALIAS]
    options = {"uri": True, "timeout": 2, **AS_STORED}
    name = f"{path.absolute().as_uri()}?immutable=1"
    connection = type(default)({**default.settings_dict, "NAME": name, "OPTIONS": options}, DEFAULT_DB_ALIAS)
    try:
        return Verification(connection, journal_key(), none, None, progress).run()
    finally:
        connection.close()


def journal_key() -> str | None:
    """Return the journal's key without making one; None where it is lost."""
    path = Path(settings.DATA_DIR) / "journal.key"
    return path.read_text(encoding="utf-8").strip() if path.exists() else None
