"""Alerts that the ledger could not take yet, in a file too: who watches next tells them under the same ids."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import asdict
from datetime import datetime
from pathlib import Path

import structlog

from timeseries.spool import durable
from trading.models import Alert
from trading.operations.raise_alert import Notice

UntoldAlerts = dict[str, tuple[Notice, datetime]]  # by key: the notice with its uid, and when it was raised

log = structlog.get_logger("system")


def read_untold(path: Path) -> UntoldAlerts:
    """Return what the one before left; nothing where there is no file, or one that makes no sense."""
    try:
        rows = json.loads(path.read_bytes())
        notices = [Notice(**{**row, "kind": Alert.Kind(row["kind"])}) for row, _ in rows]
        return {notice.key: (notice, datetime.fromisoformat(at)) for notice, (_, at) in zip(notices, rows, strict=True)}
    except (OSError, ValueError, TypeError, KeyError):
        return {}


def keep_untold(path: Path, untold: UntoldAlerts) -> None:
    """Keep these alerts in place of those in the file; a disk that takes none keeps none of them from being told."""
    try:
        if untold:
            rows = [[asdict(notice), raised_at.isoformat()] for notice, raised_at in untold.values()]
            durable.replace_file(path, json.dumps(rows).encode())
        else:
            with suppress(FileNotFoundError):
                path.unlink()
    except OSError as error:
        log.warning("alerts that the ledger does not take are in memory alone", error=error.strerror)
