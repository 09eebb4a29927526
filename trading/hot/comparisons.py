"""What the comparisons of the hot state with the ledger found: a small file, for whoever asks how it went."""

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


def note(account: str, found: Mapping[str, int], now: datetime) -> None:
    """Keep what a comparison found ({"missing", "behind", "wrong"}). Raises: OSError."""
    _path().parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with FileLock(_path().with_suffix(".lock")) as lock:
        lock.take(patient=True)  # the companion and a command may come at once: no count is lost
        known = last()
        before = known.get(account)
        mended, mended_at = (before.mended, before.mended_at) if before else (0, None)
        if found["wrong"]:
            mended, mended_at = mended + found["wrong"], now.isoformat()
        known[account] = Compared(now.isoformat(), **found, mended=mended, mended_at=mended_at)
        durable.replace_file(_path(), orjson.dumps({code: asdict(one) for code, one in known.items()}))


def last() -> dict[str, Compared]:
    """Return the last comparison of each account; none where the file is not there or makes no sense."""
    try:
        return {code: Compared(**said) for code, said in orjson.loads(_path().read_bytes()).items()}
    except (OSError, AttributeError, TypeError, ValueError):
        return {}


def _path() -> Path:
    return Path(settings.DATA_DIR) / "hot_compared.json"
