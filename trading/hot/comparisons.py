"""The last comparison of each account's hot copy with the ledger, kept in a small file for the health report."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

import orjson
from django.conf import settings

from timeseries.spool import durable
from timeseries.spool.locks import FileLock


@dataclass(frozen=True, slots=True)
class Compared:
    """The last comparison of an account; ``mended`` counts the wrong entries of all comparisons, the last then."""

    at: str
    missing: int
    behind: int
    wrong: int
    mended: int = 0
    mended_at: str | None = None


def note(account: str, counts: Mapping[str, int], now: datetime) -> None:
    """Keep the counts of entries that a comparison gave ({"missing", "behind", "wrong"}). Raises: OSError."""
    _path().parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with FileLock(_path().with_suffix(".lock")) as lock:
        lock.take(patient=True)  # the companion and a command may come at once: no count is lost
        comparisons = last()
        before = comparisons.get(account)
        mended, mended_at = (before.mended, before.mended_at) if before else (0, None)
        if counts["wrong"]:
            mended, mended_at = mended + counts["wrong"], now.isoformat()
        comparisons[account] = Compared(now.isoformat(), **counts, mended=mended, mended_at=mended_at)
        durable.replace_file(_path(), orjson.dumps({code: asdict(row) for code, row in comparisons.items()}))


def last() -> dict[str, Compared]:
    """Return the last comparison of each account; none where the file is not there or makes no sense."""
    try:
        return {code: Compared(**row) for code, row in orjson.loads(_path().read_bytes()).items()}
    except (OSError, AttributeError, TypeError, ValueError):
        return {}


def _path() -> Path:
    return Path(settings.DATA_DIR) / "hot_compared.json"
