"""Notes of restores to an earlier time, signed with the journal's key, beside the published heads of their ledger.

A ledger that was put back lacks rows whose heads were published. Such a note says who put it back, to when, and which
heads went with that: every proof tells of it, and takes exactly these heads for no fault.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import NamedTuple

from timeseries.spool import durable
from trading import heads
from trading.domain.chain import canonical, chain_code

PURPOSE = "restore note"  # in the place of a predecessor's code: no other text has this one's code
_PREFIX, _SUFFIX = "restored-", ".json"


@dataclass(frozen=True, slots=True)
class RestoreNote:
    """One restore. ``made_at`` and ``restored_to`` are ISO texts, the latter may be a backup's name; ``timeline`` is
    PostgreSQL's that began with it, None where a backup took the ledger's place; ``stands`` has the last place of each
    chain that was left as it was, ``lost`` the heads beyond it, by chain and sequence."""

    ledger: str
    made_at: str
    by: str
    reason: str
    restored_to: str
    timeline: int | None
    stands: Mapping[str, tuple[int, str]]
    lost: Mapping[str, Mapping[int, str]]

    @property
    def heads_lost(self) -> int:
        """How many heads were lost."""
        return sum(map(len, self.lost.values()))


class NoteFile(NamedTuple):
    """The file of a note; ``note`` is None where it is damaged, or was not made with the journal's key."""

    name: str
    note: RestoreNote | None


def write(note: RestoreNote, key: str) -> Path:
    """Write a note (0600), signed, on disk when this returns. Raises: OSError."""
    folder = heads.folder(note.ledger)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = folder / f"{_PREFIX}{note.made_at.replace(':', '')}{_SUFFIX}"
    body = {
        **asdict(note),
        "lost": {chain: {str(at): mac for at, mac in lost.items()} for chain, lost in note.lost.items()},
    }
    text = canonical({**body, "code": chain_code(key, PURPOSE, canonical(body))})
    durable.write_file(path, text.encode())
    durable.sync_path(folder)
    return path


def kept(ledger: str, key: str | None) -> Iterator[NoteFile]:
    """Yield the notes of a ledger, the oldest first."""
    for path in sorted(heads.folder(ledger).glob(f"{_PREFIX}*{_SUFFIX}")):
        yield NoteFile(path.name, _read(path, ledger, key))


def _read(path: Path, ledger: str, key: str | None) -> RestoreNote | None:
    try:
        body = json.loads(path.read_text(encoding="utf-8"))
        code = body.pop("code")
        if key is None or code != chain_code(key, PURPOSE, canonical(body)) or body["ledger"] != ledger:
            return None
        body["stands"] = {chain: (int(at), str(mac)) for chain, (at, mac) in body["stands"].items()}
        body["lost"] = {chain: {int(at): str(mac) for at, mac in lost.items()} for chain, lost in body["lost"].items()}
        return RestoreNote(**body)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
