"""The heads of chains as they were published outside the database: beside it, in the log, with each backup."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import orjson
from django.conf import settings

from trading import heads
from trading.proof.chain import Published

LOG_BYTES_MAX = 64 << 20  # what is read of each day's log: its end
BACKUP_HEADS = ".heads.json"


def published(ledger: str) -> Published:
    """Return every head of this ledger that is found, by chain, sequence and source."""
    told: Published = {}
    for chain, head in heads.published(ledger).items():
        _tell(told, chain, head.sequence, "the heads' folder", head.mac)
    folder = Path(settings.DATA_DIR)
    for path in sorted((folder / "logs").glob("velox-*.jsonl")):
        _of_log(told, path, ledger)
    for path in sorted((folder / "backups").glob(f"*{BACKUP_HEADS}")):
        _of_backup(told, path, ledger)
    return told


def none(_ledger: str) -> Published:
    """Nothing is published: a copy stands for itself."""
    return {}


def _of_log(told: Published, path: Path, ledger: str) -> None:
    mark = f'"ledger":"{ledger}"'.encode()
    with path.open("rb") as file:
        file.seek(max(0, os.fstat(file.fileno()).st_size - LOG_BYTES_MAX))
        for line in file:
            if mark in line:
                context = _context(line)
                if context.get("ledger") == ledger and "head" in context:
                    _tell(told, context["account"], context["sequence"], f"the log {path.name}", context["head"])


def _context(line: bytes) -> dict[str, Any]:
    try:
        found = orjson.loads(line)
    except orjson.JSONDecodeError:
        return {}  # the first line of the part that was read, or one that a full disk cut
    context = found.get("context") if found.get("message") == "journal" and found.get("logger") == "trade" else None
    return context if isinstance(context, dict) else {}


def _of_backup(told: Published, path: Path, ledger: str) -> None:
    try:
        said = json.loads(path.read_text(encoding="utf-8"))
        if said["ledger"] == ledger:
            for chain, (sequence, mac) in said["heads"].items():
                _tell(told, chain, sequence, f"the backup {path.name.removesuffix(BACKUP_HEADS)}", mac)
    except (OSError, ValueError, KeyError, TypeError):
        return  # a backup proves itself when it is restored


def _tell(told: Published, chain: str, sequence: int, source: str, mac: str) -> None:
    told.setdefault(chain, {}).setdefault(sequence, {})[source] = mac
