"""What every proof stands on: the schema, the key, the heads told outside the ledger, and the sealed reference rows."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from trading import restore_notes
from trading.proof.chain import PublishedHeads
from trading.proof.heads import add_heads_of_summaries
from trading.proof.references import SealedRows, check_heads, compare_references, own_key, read_seals
from trading.proof.restores import take_lost
from trading.proof.rows import Tables
from trading.proof.schema import check_schema
from trading.restore_notes import RestoreNote


class Ground(NamedTuple):
    """The key (None where it is lost), the published heads, the seals, and how much was checked of each kind."""

    key: str | None
    published: PublishedHeads
    sealed: SealedRows
    of_schema: dict[str, int]
    of_seals: dict[str, int]


def published_before(
    tables: Tables, key: str | None, published_of: Callable[[str], PublishedHeads]
) -> tuple[PublishedHeads, list[RestoreNote]]:
    """Return the heads of this ledger's identity that are published by now, but those that noted restores lost, and
    the notes.

    To be asked before the snapshot begins: whoever commits while a long log is read has heads beyond it.
    """
    ledgers = tables.rows("SELECT ledger FROM trading_journalhead WHERE ledger <> '' ORDER BY id LIMIT 1")
    ledger = ledgers[0][0] if ledgers else ""
    published = published_of(ledger)
    if key is None or not published:  # without the key no note can be read; a copy stands for itself
        return published, []
    return published, take_lost(tables, published, restore_notes.kept(ledger, key))


def prove_ground(tables: Tables, key: str | None, published: PublishedHeads) -> Ground:
    """Find what differs in it, by tables of one snapshot, and add the heads of summaries to the ``published`` ones."""
    of_schema = check_schema(tables)
    key = own_key(tables, key)
    add_heads_of_summaries(published, tables)
    sealed = read_seals(tables, key, published)
    check_heads(tables, sealed, published)
    of_seals = {"seals": sealed.count, "references": compare_references(tables, sealed, key)}
    return Ground(key, published, sealed, of_schema, of_seals)
