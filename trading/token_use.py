"""When tokens were last used, to the minute: one file a token in the data folder, so that no request writes the ledger.

Each host tells of what came to it.
"""

from __future__ import annotations

import os
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from django.conf import settings

from trading.models import ApiToken

MINUTE = 60


def note_use(token: ApiToken, now: datetime) -> None:
    """Keep that a token is used now. A folder that takes no file keeps nobody from the desk: it is left as it was."""
    minute = int(now.timestamp()) // MINUTE * MINUTE
    path = _path(token)
    with suppress(OSError):
        try:
            if path.stat().st_mtime >= minute:
                return
        except FileNotFoundError:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            path.touch(mode=0o600)
        os.utime(path, (minute, minute))


def last_use(token: ApiToken) -> datetime | None:
    """Return the minute in which a token was last used here, None where it never was."""
    try:
        return datetime.fromtimestamp(_path(token).stat().st_mtime, UTC)
    except OSError:
        return None


def _path(token: ApiToken) -> Path:
    return settings.DATA_DIR / "tokens" / token.sha256
