"""The facades behind tokens: one a token and process, so that what a token records has a source of its own."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from django.http import HttpRequest

from trading.bookkeeping import journal
from trading.data_manager import DataManager
from trading.models import ApiToken

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


@contextmanager
def recording(request: HttpRequest) -> Iterator[DataManager]:
    """Give the token's facade; the journal names the token as author of what is written within."""
    with journal.on_behalf_of(f"token {token_of(request).name}"):
        yield facade_of(request)
