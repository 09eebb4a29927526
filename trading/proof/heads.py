"""The heads of chains that were published outside the database: beside it, in the log, with each backup."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import orjson
from django.conf import settings

from trading import heads
from trading.proof.chain import NUMBER_END, PublishedHeads
from trading.proof.rows import Tables

LOG_BYTES_MAX = 64 << 20  # what is read of each day's log: its end
BACKUP_HEADS = ".heads.json"
BACKUP = "the backup "  # what the name of such a source begins with


def published(ledger: str) -> PublishedHeads:
    """Return every head of this ledger that is found, by chain, sequence and source."""
    folder = Path(settings.DATA_DIR)
    published_heads: PublishedHeads = {}
    for chain, head in heads.published(ledger).items():
        published_heads.setdefault(chain, {}).setdefault(head.sequence, {})["the heads' folder"] = head.mac
    for path in sorted((folder / "logs").glob("velox-*.jsonl")):
        for chain, sequence, mac in _of_log(path, ledger):
            sources, source = published_heads.setdefault(chain, {}).setdefault(sequence, {}), f"the log {path.name}"
            while sources.get(source, mac) != mac:
                source += ", again"  # after a failover the log has both: the one that was lost and the one in its place
            sources[source] = mac
    for path in sorted((folder / "backups").glob(f"*{BACKUP_HEADS}")):
        source = f"{BACKUP}{path.name.removesuffix(BACKUP_HEADS)}"
        for chain, sequence, mac in _of_backup(path, ledger):
            published_heads.setdefault(chain, {}).setdefault(sequence, {})[source] = mac
    return published_heads


def add_heads_of_summaries(published_heads: PublishedHeads, tables: Tables) -> None:
    """Add the heads that published summaries name; people keep those outside the database."""
    for code, sequence, head, day, version in tables.rows(
        "SELECT a.code, s.journal_sequence, s.journal_head, s.day, s.version FROM trading_dailysummary s "
        "JOIN trading_account a ON a.id = s.account_id WHERE s.journal_sequence > 0 "
        "AND s.journal_sequence < %s",
        NUMBER_END,
    ):
        source = f"daily summary {day} version {version}"
        published_heads.setdefault(code, {}).setdefault(sequence, {})[source] = head


def none(_ledger: str) -> PublishedHeads:
    """Return no heads: a copy stands for itself."""
    return {}


def _of_log(path: Path, ledger: str) -> Iterator[tuple[str, int, str]]:
    """Yield chain, sequence and head of each line of a day's log that published one."""
    mark = f'"ledger":"{ledger}"'.encode()
    with path.open("rb") as file:
        file.seek(max(0, os.fstat(file.fileno()).st_size - LOG_BYTES_MAX))
        for line in file:
            if mark not in line:
                continue
            try:
                entry = orjson.loads(line)
            except orjson.JSONDecodeError:
                continue  # the first line that was read is not whole, and a full disk may have cut another
            context = entry.get("context")
            is_of_journal = entry.get("message") == "journal" and entry.get("logger") == "trade"
            if is_of_journal and isinstance(context, dict) and context.get("ledger") == ledger and "head" in context:
                yield context["account"], context["sequence"], context["head"]


def _of_backup(path: Path, ledger: str) -> Iterator[tuple[str, int, str]]:
    """Yield chain, sequence and head of each chain that a backup's note names."""
    try:
        note = json.loads(path.read_text(encoding="utf-8"))
        if note["ledger"] == ledger:
            for chain, (sequence, mac) in note["heads"].items():
                yield chain, sequence, mac
    except (OSError, ValueError, KeyError, TypeError):
        return  # a backup proves itself when it is restored
