"""The facades behind tokens: one a token and process, so that what a token records has a source of its own.

A source that was not written for a while is let go, so that another web process may write it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from django.http import HttpRequest

from timeseries.recording.recorder import Recorder
from trading.bookkeeping import journal
from trading.data_manager import DataManager
from trading.models import ApiToken

IDLE_SECONDS = 60.0  # a shorter while would cost a slow program a segment for each of its batches
_lock = threading.Lock()
_facades: dict[str, DataManager] = {}  # by the token's SHA-256


def token_of(request: HttpRequest) -> ApiToken:
    """Return the token of a request that was let in."""
    token: ApiToken = vars(request)["auth"]
    return token


def facade_of(request: HttpRequest) -> DataManager:
    """Return the facade of the request's token."""
    return facade_for(token_of(request))


def facade_for(token: ApiToken) -> DataManager:
    """Return the facade of a token: of its account, under the source `api NAME`."""
    with _lock:
        if token.sha256 not in _facades:
            _facades[token.sha256] = DataManager(
                source=f"api {token.name}"[:64], account=token.account.code, on_storage_fault="raise"
            )
        return _facades[token.sha256]


@dataclass
class _Use:
    """How many calls record by a recorder now, when the last one ended, and whether its source is being let go."""

    calls: int = 0
    ended_at: float = 0.0
    is_leaving: bool = False


_changed = threading.Condition()
_uses: dict[Recorder, _Use] = {}
_watch: threading.Thread | None = None


@contextmanager
def recorder_of(token: ApiToken) -> Iterator[Recorder]:
    """Give the recorder of a token, which keeps its source until the call has ended and for a while after it.

    A batch that let go of it in the midst could not tell what another process records of the same batch meanwhile.
    """
    recorder = facade_for(token).telemetry.recorder
    with _changed:
        while (use := _uses.setdefault(recorder, _Use())).is_leaving:
            _changed.wait()
        use.calls += 1
        _keep_watch()
    try:
        yield recorder
    finally:
        with _changed:
            use.calls -= 1
            use.ended_at = time.monotonic()


def let_go(now: float) -> None:
    """Free the sources that nobody records under and that were not written for a while before a steady clock's now."""
    with _changed:
        idle = [each for each, use in _uses.items() if not use.calls and now >= use.ended_at + IDLE_SECONDS]
        for recorder in idle:
            _uses[recorder].is_leaving = True
    try:
        for recorder in idle:
            recorder.release()
    finally:
        with _changed:
            for recorder in idle:
                del _uses[recorder]
            _changed.notify_all()


def _keep_watch() -> None:
    """See to it that a thread lets go, where none does: a forked process has none."""
    global _watch  # noqa: PLW0603
    if _watch is None or not _watch.is_alive():
        _watch = threading.Thread(target=_look, name="velox-idle", daemon=True)
        _watch.start()


def _look() -> None:
    while True:
        with _changed:
            if not _uses:
                return
            _changed.wait(IDLE_SECONDS / 4)
        let_go(time.monotonic())


@contextmanager
def recording(request: HttpRequest) -> Iterator[DataManager]:
    """Give the token's facade; the journal names the token as author of what is written within."""
    with journal.on_behalf_of(f"token {token_of(request).name}"):
        yield facade_of(request)
