"""Restores to an earlier time that were noted: what they lost is told, and is no difference."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime

from trading import heads, restore_notes
from trading.proof.chain import JOURNAL, PublishedHeads
from trading.proof.references import SEAL
from trading.proof.rows import StoredRow, Tables
from trading.proof.trials import TRIAL
from trading.restore_notes import NoteFile, RestoreNote

NOTE = "note"  # the kind of a difference: a note that fits no restore


def take_lost(tables: Tables, published: PublishedHeads, files: Iterable[NoteFile]) -> list[RestoreNote]:
    """Take what noted restores lost out of the published heads, and return these notes.

    One that is damaged, has another's signature, or tells of no state that this ledger was put back to, is a
    difference, and whatever it says was lost stays one.
    """
    fitting: list[RestoreNote] = []
    in_order = list(files)
    for place, (name, note) in enumerate(in_order):
        later = [file.note for file in in_order[place + 1 :] if file.note is not None]
        reason = "its signature is not that of journal.key" if note is None else _misfit(tables, note, fitting, later)
        if note is None or reason is not None:
            tables.findings.add(NOTE, "restore note", name, None, reason, "a note of a restore of this ledger")
            continue
        fitting.append(note)
        for chain, lost in note.lost.items():
            for sequence, mac in lost.items():
                sources = published.get(chain, {}).get(sequence, {})
                for source in [source for source, head in sources.items() if head == mac]:
                    del sources[source]
    return fitting


def _misfit(
    tables: Tables, note: RestoreNote, earlier: Iterable[RestoreNote], later: Sequence[RestoreNote]
) -> str | None:
    """Return why a note tells of no restore of this ledger."""
    if note.timeline is not None and note.timeline in {former.timeline for former in earlier}:
        return f"timeline {note.timeline} began with one restore, which another note tells of"
    for chain, (sequence, mac) in note.stands.items():
        if any(chain in next_note.stands and next_note.stands[chain][0] < sequence for next_note in later):
            continue  # the row went with a later restore
        stored = mac_at(tables, chain, sequence)
        if sequence and stored not in (mac, None):
            return f"row {sequence} of {chain or 'the seals'} is not the one that it was put back to"
        if sequence and stored is None and not _is_cleared(tables, chain, sequence):
            return f"row {sequence} of {chain or 'the seals'}, that it was put back to, is not there"
    lost = ((chain, at) for chain, of_chain in note.lost.items() for at in of_chain)
    if note.timeline is not None and any(at <= note.stands.get(chain, (0, ""))[0] for chain, at in lost):
        return "it names heads as lost that the restore left"
    return None


def restore_facts(note: RestoreNote) -> dict[str, str | int]:
    """Return a note as `verify_ledger --format json` prints it."""
    return {
        "made_at": note.made_at, "by": note.by, "reason": note.reason, "restored_to": note.restored_to,
        "heads_lost": note.heads_lost,
    }  # fmt: skip


def lost_heads(
    tables: Tables, ledger: str, key: str, published: PublishedHeads
) -> tuple[dict[str, tuple[int, str]], dict[str, dict[int, str]]]:
    """Return the published heads that this ledger lacks and no note tells of, by chain and sequence, and the last place
    before them that a published head and the ledger share, by chain."""
    take_lost(tables, published, restore_notes.kept(ledger, key))
    stands: dict[str, tuple[int, str]] = {}
    lost: dict[str, dict[int, str]] = {}
    for chain, by_sequence in published.items():
        macs = {sequence: mac_at(tables, chain, sequence) for sequence in by_sequence}
        of_chain = {
            sequence: head
            for sequence, sources in by_sequence.items()
            for head in sources.values()
            if head != macs[sequence] and not (macs[sequence] is None and _is_cleared(tables, chain, sequence))
        }
        if of_chain:
            first = min(of_chain)
            shared = [(sequence, mac) for sequence, mac in macs.items() if mac is not None and sequence < first]
            stands[chain], lost[chain] = max(shared, default=(0, "")), of_chain
    return stands, lost


def recorded_at(tables: Tables, chain: str, sequence: int) -> str | datetime | None:
    """Return when a chain's row was recorded; None where there is none."""
    instant: str | datetime
    for (instant,) in _rows(tables, chain, "recorded_at", "AND sequence = %s", sequence):
        return instant
    return None


def mac_at(tables: Tables, chain: str, sequence: int) -> str | None:
    """Return the code of a chain's row; None where there is none."""
    for (mac,) in _rows(tables, chain, "mac", "AND sequence = %s", sequence):
        return str(mac)
    return None


def _is_cleared(tables: Tables, chain: str, sequence: int) -> bool:
    """Tell whether a row that is not there was cleared with its account: the chain's end is at it or behind it."""
    account = "account_id = (SELECT id FROM trading_account WHERE code = %s)"
    ends = tables.rows(f"SELECT sequence FROM trading_journalhead WHERE {account}", chain)  # noqa: S608
    return any(end >= sequence for (end,) in ends)


def _rows(tables: Tables, chain: str, columns: str, condition: str, *parameters: int) -> Iterator[StoredRow]:
    table = {heads.REFERENCES: SEAL, heads.TRIALS: TRIAL}.get(chain)
    if table is not None:
        yield from tables.rows(f"SELECT {columns} FROM {table} WHERE 1 = 1 {condition}", *parameters)  # noqa: S608
        return
    account = "account_id = (SELECT id FROM trading_account WHERE code = %s)"
    yield from tables.rows(f"SELECT {columns} FROM {JOURNAL} WHERE {account} {condition}", chain, *parameters)  # noqa: S608
