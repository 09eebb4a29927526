"""Tries to log in, counted and bounded: five in a quarter of an hour for one user name from one address.

Each pair has a file of its own in the data folder, so that all processes of the desk count together, with a Redis or
without, and no try is written into the ledger. A try is counted before its password is looked at: of a hundred sent at
once five are looked at. What is counted while it is locked is nothing, so a lock always ends.
"""

from __future__ import annotations

import hmac
import json
import os
import time
import unicodedata
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import structlog
from django.conf import settings

from timeseries.spool.locks import FileLock

TRIES_MAX = 5
WINDOW_SECONDS = 900.0

log = structlog.get_logger("system")


@dataclass(frozen=True, slots=True)
class Tries:
    """The number of tries in the window, the newest included; ``wait_seconds`` above 0: it is not allowed yet."""

    count: int
    wait_seconds: float = 0.0


def begin(name: str, address: str) -> Tries:
    """Count one more try, unless the window is full. Where the folder cannot be written it is allowed, and logged:
    a full disk must not keep people from the page that says so."""
    try:
        for old in _folder().glob("*"):
            with suppress(FileNotFoundError):
                if old.stat().st_mtime < time.time() - WINDOW_SECONDS:
                    old.unlink()
        path = _path(name, address)
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with FileLock(path) as file:
            file.take(patient=True)
            now = time.time()
            try:
                counted = sorted(float(at) for at in json.loads(os.pread(file.descriptor, 4096, 0)))
            except (ValueError, TypeError):
                counted = []  # a new file, or one that a full disk cut
            # Either way: where the clock was set back, the tries of a minute ago are to come.
            times = [at for at in counted if abs(now - at) < WINDOW_SECONDS]
            if len(times) >= TRIES_MAX:
                return Tries(len(times), times[0] + WINDOW_SECONDS - now)
            os.ftruncate(file.descriptor, 0)
            os.pwrite(file.descriptor, json.dumps([*times, now]).encode(), 0)
            os.utime(file.descriptor, (now, now))
            return Tries(len(times) + 1)
    except OSError as error:
        log.error("a try to log in cannot be counted", error=str(error))
        return Tries(0)


def succeeded(name: str, address: str) -> None:
    """Forget the tries of a user who has logged in."""
    with suppress(OSError):
        _path(name, address).unlink(missing_ok=True)


def unlock(name: str | None) -> int:
    """Forget the tries for a user name from every address, or all of them; return for how many pairs."""
    paths = list(_folder().glob("*" if name is None else f"{_coded('name', normal(name))}-*"))
    for path in paths:
        path.unlink(missing_ok=True)
    return len(paths)


def normal(name: str) -> str:
    """Return the user name that Django's form makes of what was typed: one user has one count."""
    return unicodedata.normalize("NFKC", name.strip())


def _folder() -> Path:
    return Path(settings.DATA_DIR) / "logins"


def _path(name: str, address: str) -> Path:
    return _folder() / f"{_coded('name', normal(name))}-{_coded('address', address)}"


def _coded(kind: str, text: str) -> str:
    """Return a code that tells nothing: people type a password where the user name goes."""
    key, message = str(settings.JOURNAL_KEY).encode(), f"login {kind} {text}".encode("utf-8", "surrogatepass")
    return hmac.new(key, message, "sha256").hexdigest()[:32]
