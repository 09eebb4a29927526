"""Copies of the ledger that prove themselves: made online, checked by the same proof as the ledger, noted beside.

SQLite is copied by its own backup, PostgreSQL by `pg_dump`, whose copy is proved in a scratch database of the server.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sqlite3
import subprocess
import uuid
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from django.conf import settings
from django.db import DEFAULT_DB_ALIAS, connections
from django.db.utils import DatabaseError

from timeseries.spool import durable
from trading.domain.chain import JournalEntry, canonical, chain_code
from trading.errors import VeloxError
from trading.heads import REFERENCES
from trading.models.grafana_views import SCHEMA
from trading.progress import Progress
from trading.proof.heads import BACKUP_HEADS, none
from trading.proof.verification import NO_CHANGE, Proof, Verification
from trading.proof.verify import journal_key, verify_copy
from trading.transactions import LEDGER_APPS, known_migrations

_OF_LIBPQ = ("target_session_attrs", "sslmode", "sslrootcert", "sslcert", "sslkey", "connect_timeout")
_APPLIED = f"SELECT app, name FROM django_migrations WHERE app IN {LEDGER_APPS}"  # noqa: S608  (names of our own)
SUFFIX = {"sqlite": ".sqlite3", "postgresql": ".pgdump"}


class CopyRefused(VeloxError):
    """A copy that does not prove itself, or would take the place of a newer ledger; nothing was changed."""

    code = "copy_refused"


@dataclass(frozen=True, slots=True)
class Note:
    """The note beside a copy: which ledger it is of, where its chains end, the file's SHA-256."""

    ledger: str
    heads: dict[str, tuple[int, str]]
    sha256: str

    def text(self, key: str) -> str:
        """Return the note as its file has it, sealed with the journal's key."""
        body: JournalEntry = {"ledger": self.ledger, "heads": self.heads, "sha256": self.sha256}
        return canonical({**body, "code": chain_code(key, "", canonical(body))})


def _no_place(path: Path, error: OSError) -> CopyRefused:
    return CopyRefused(f"No copy can be kept in {path}: {error.strerror}.", hint="Look at its owner, mode and disk.")


def new_path(prefix: str) -> Path:
    """Return where a copy that is made now goes: prefix, time in UTC and suffix, in the folder of backups (0700)."""
    folder = Path(settings.DATA_DIR) / "backups"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise _no_place(folder, error) from error
    return folder / f"{prefix}{datetime.now(UTC):%Y%m%dT%H%M%S%fZ}{SUFFIX[vendor()]}"


def set_aside() -> Path:
    """Copy the ledger in place before another takes its place; return the copy."""
    copy = new_path("replaced-")
    copy_to(copy)
    return copy


def vendor() -> str:
    """Return the database that the ledger is in: sqlite or postgresql."""
    return connections[DEFAULT_DB_ALIAS].vendor


def copy_to(path: Path) -> None:
    """Write the ledger as it stands at this moment into a new file (0600), on disk when this returns."""
    try:
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600))
    except OSError as error:
        raise _no_place(path.parent, error) from error
    database = connections[DEFAULT_DB_ALIAS].settings_dict
    if vendor() == "sqlite":
        try:
            with closing(sqlite3.connect(database["NAME"])) as source, closing(sqlite3.connect(path)) as target:
                source.backup(target)  # one step, so one snapshot; writers go on
        except sqlite3.DatabaseError as error:
            raise CopyRefused(f"The ledger could not be copied: {error}.") from error
    else:
        # Without the views for Grafana: they hold nothing, and their role may be missing where the copy is put.
        run("pg_dump", "--format=custom", f"--exclude-schema={SCHEMA}", f"--file={path}", str(database["NAME"]))
    durable.sync_path(path)


def must_be_sound(path: Path) -> None:
    """Raise CopyRefused for a copy that does not pass its database's own check."""
    if vendor() != "sqlite":
        run("pg_restore", "--list", str(path))
        return
    try:
        with closing(sqlite3.connect(path)) as copy:
            (answer,) = copy.execute("PRAGMA integrity_check").fetchone()
    except sqlite3.DatabaseError as error:
        answer = str(error)
    if answer != "ok":
        raise CopyRefused(f"The ledger does not pass SQLite's own check ({answer}).")


def proved(path: Path, progress: Progress = lambda *_: None) -> Proof:
    """Return the proof of a copy. Raises: CopyRefused where it is no copy of a ledger at all, or of one of another
    version, whose tables this code cannot prove."""
    try:
        if vendor() == "sqlite":
            with closing(sqlite3.connect(f"{path.absolute().as_uri()}?immutable=1", uri=True)) as copy:
                rows = copy.execute(_APPLIED).fetchall()
            _must_be_of_this_version(path, set(rows))
            return verify_copy(path, progress=progress)
        with _scratch(path) as name:
            server = connections[DEFAULT_DB_ALIAS]
            connection = type(server)({**server.settings_dict, "NAME": name}, DEFAULT_DB_ALIAS)
            try:
                with connection.cursor() as cursor:  # Django's recorder would ask the ledger: their alias is one
                    cursor.execute(_APPLIED)
                    _must_be_of_this_version(path, set(cursor.fetchall()))
                return Verification(connection, journal_key(), none, None, progress).run()
            finally:
                connection.close()
    except (DatabaseError, sqlite3.DatabaseError) as error:
        raise CopyRefused(f"{path.name} is no sound copy of a ledger: {error}.") from error


def _must_be_of_this_version(path: Path, applied: set[tuple[str, str]]) -> None:
    """Raise CopyRefused where the ledger that was copied is not exactly as new as this code."""
    if newer := sorted(applied - known_migrations()):
        raise CopyRefused(
            f"{path.name} was made by a newer VELOX: its ledger has {newer[-1][1]}, which this code does not know.",
            hint="The backup may be sound; only that version can prove and restore it. Install it.",
        )
    if lacking := sorted(known_migrations() - applied):
        newest = max((name for app, name in applied if app == "trading"), default="nothing")
        first = "as ledger.sqlite3 with this journal.key in a folder of its own, and VELOX_DATA_DIR naming that folder"
        if vendor() != "sqlite":
            first = "by `pg_restore` into a database of its own, and DATABASE_URL naming that, with this journal.key"
        raise CopyRefused(
            f"{path.name} was made by an older VELOX: its ledger ends at {newest} and lacks "
            f"{lacking[-1][0]}.{lacking[-1][1]}, so it cannot be proved as it is.",
            hint=f"It may well be sound. Bring it up to this version beside the ledger: put it {first}; there run "
            "`manage.py migrate`, `manage.py verify_ledger` and `manage.py backup`. Then restore that backup here.",
        )


def must_be_proved(path: Path, progress: Progress = lambda *_: None) -> Proof:
    """Return the proof of a copy that is sound. Raises: CopyRefused with the first thing found."""
    proof = proved(path, progress)
    if not proof.is_sound:
        first = next(difference for difference in proof.differences if difference.kind not in NO_CHANGE)
        raise CopyRefused(
            f"{path.name} does not prove itself: {len(proof.differences)} differences, the first in "
            f"{first.table or 'the file'} {first.field or ''} ({first.kind}: {first.stored}).",
            hint="`manage.py verify_ledger` lists all of them for the ledger itself.",
        )
    return proof


def note_of(path: Path, proof: Proof) -> Note:
    """Return the note to a copy that was proved."""
    ends = {code: (end["sequence"], end["mac"]) for code, end in proof.head.items() if end["sequence"]}
    return Note(proof.ledger, {**ends, REFERENCES: proof.references_end}, digest(path))


def write_note(path: Path, note: Note) -> None:
    """Write the note (0600) beside the copy, on disk when this returns."""
    key = journal_key() or ""
    descriptor = os.open(beside(path), os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(note.text(key))
        file.flush()
        durable.sync(file.fileno())


def check_note(path: Path) -> None:
    """Raise CopyRefused where the copy is not the file that its note was written for; without a note it may go on."""
    if not beside(path).exists():
        return
    try:
        body: JournalEntry = json.loads(beside(path).read_text(encoding="utf-8"))
        code = body.pop("code")
        is_ours = code == chain_code(journal_key() or "", "", canonical(body))
        is_whole = body["sha256"] == digest(path)
    except (ValueError, KeyError, OSError) as error:
        raise CopyRefused(f"The note beside {path.name} cannot be read: {error}.") from error
    if not is_whole:
        raise CopyRefused(f"{path.name} was cut or altered: it is not the file that its note tells of.")
    if not is_ours:
        raise CopyRefused(
            f"The note beside {path.name} was not made with this folder's journal.key.",
            hint="Bring the journal.key of the ledger that was backed up.",
        )


def beside(path: Path) -> Path:
    """Return where the note to a copy stands."""
    return path.with_name(path.name + BACKUP_HEADS)


def digest(path: Path) -> str:
    """Return the SHA-256 of a file, as hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def run(program: str, *arguments: str) -> None:
    """Run one of PostgreSQL's programs on the ledger's server. Raises: CopyRefused with its own words."""
    executable = shutil.which(program)
    if executable is None:
        raise CopyRefused(f"{program} is not installed.", hint="Install PostgreSQL's client programs.")
    database = connections[DEFAULT_DB_ALIAS].settings_dict
    names = {"PGHOST": "HOST", "PGPORT": "PORT", "PGUSER": "USER", "PGPASSWORD": "PASSWORD"}
    server = {name: str(database[key]) for name, key in names.items() if database[key]}
    # The copy comes from the server that the ledger is on: of several hosts, the one that takes writes.
    server |= {
        f"PG{key.replace('_', '').upper()}": str(option)
        for key, option in database["OPTIONS"].items()
        if key in _OF_LIBPQ
    }
    environment = {**os.environ, **server}
    done = subprocess.run([executable, *arguments], env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise CopyRefused(f"{program} failed: {' '.join(done.stderr.split())[:300]}")


@contextmanager
def _scratch(path: Path) -> Iterator[str]:
    """Restore a dump into a database of its own, and drop it afterwards."""
    name = f"velox_proof_{uuid.uuid4().hex}"
    run("createdb", name)
    try:
        run("pg_restore", "--exit-on-error", "--no-owner", f"--dbname={name}", str(path))
        yield name
    finally:
        run("dropdb", "--force", name)
