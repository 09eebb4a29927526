"""Dead letters: points that a store will never take, kept in their lane byte for byte with status and reason.

One line of JSON per point, keyed by its sequence: a slice that was repeated after a crash appends again, and the later
line stands. Appended and synced before the slice is settled, so no settled point is in neither place.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import orjson

from timeseries.spool import durable
from timeseries.spool.lease import Lease

FILE = "dead_letters.jsonl"
_suspect: set[Path] = set()  # folders whose file this process could not sync


class _Refused(Protocol):
    @property
    def sequence(self) -> int: ...
    @property
    def account(self) -> str: ...
    @property
    def line(self) -> bytes: ...
    @property
    def status(self) -> int: ...
    @property
    def word(self) -> str: ...
    @property
    def reason(self) -> str: ...


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """One refused point: ``line`` as it was sent, without its line break."""

    sequence: int
    account: str
    status: int
    word: str
    reason: str
    line: bytes


def append(folder: Path, refusals: Sequence[_Refused]) -> None:
    """Append the refused points, durable on return. Raises OSError; then the slice must not be settled."""
    if not refusals:
        return
    lines = _lines(refusals)
    if folder in _suspect:
        durable.replace_file(folder / FILE, _lines(read(folder)) + lines)
        _suspect.discard(folder)
        return
    descriptor = os.open(folder / FILE, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    size = os.fstat(descriptor).st_size
    try:
        # A former append may have been torn by a crash: its rest must not swallow the first of these.
        durable.write_all(descriptor, b"\n" + lines if size else lines)
        durable.sync(descriptor)
    except OSError:
        # The kernel may have dropped what it could not write, and would call the next fsync of this file a success:
        # these letters go, and the next ones are written to another file together with all that stood here.
        _suspect.add(folder)
        with contextlib.suppress(OSError):
            os.ftruncate(descriptor, size)
        raise
    finally:
        os.close(descriptor)
    durable.sync_file(folder)


def read(folder: Path, *, but: Collection[int] = ()) -> list[DeadLetter]:
    """Return the letters by sequence, each once, without those of ``but``; a torn line was never settled."""
    try:
        content = (folder / FILE).read_bytes()
    except FileNotFoundError:
        return []
    letters: dict[int, DeadLetter] = {}
    for text in content.splitlines():
        try:
            entry = orjson.loads(text)
            letter = DeadLetter(**{**entry, "line": entry["line"].encode()})
        except (ValueError, TypeError, KeyError):
            continue
        letters[letter.sequence] = letter
    return [letters[sequence] for sequence in sorted(letters.keys() - set(but))]


def replace(held: Lease, letters: Iterable[DeadLetter]) -> None:
    """Replace the lane's letters by these. Raises LeaseLost, OSError; then the former ones stand."""
    held.put(FILE, _lines(letters))


def _lines(letters: Iterable[_Refused]) -> bytes:
    return b"".join(
        orjson.dumps(
            {
                "sequence": letter.sequence,
                "account": letter.account,
                "status": letter.status,
                "word": letter.word,
                "reason": letter.reason,
                "line": letter.line.decode(),
            },
            option=orjson.OPT_APPEND_NEWLINE,
        )
        for letter in letters
    )
