"""What a ledger is worth nothing without, carried with its backups: the journal's key, and the published heads."""

from __future__ import annotations

import shutil
from pathlib import Path

import structlog
from django.conf import settings

from timeseries.spool import durable

KEY, HEADS = "journal.key", "heads"

log = structlog.get_logger("database")


def carry(folder: Path) -> None:
    """Copy the journal's key (0600) and the published heads, with the notes of restores, into a folder of backups."""
    source, target = Path(settings.DATA_DIR) / KEY, folder / KEY
    if source.exists() and not (target.exists() and target.read_bytes() == source.read_bytes()):
        durable.replace_file(target, source.read_bytes())
    if (heads := Path(settings.DATA_DIR) / HEADS).is_dir():
        shutil.copytree(heads, folder / HEADS, dirs_exist_ok=True)


def bring(folder: Path) -> None:
    """Take the journal's key from a folder of backups, where the data folder has none: before one is made anew."""
    source, target = folder / KEY, Path(settings.DATA_DIR) / KEY
    if source.exists() and not target.exists():
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        durable.replace_file(target, source.read_bytes())
        log.warning("the journal's key was taken from the backups", folder=str(folder))
