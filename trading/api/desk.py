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
_facades: dict[int, DataManager] = {}


def token_of(request: HttpRequest) -> ApiToken:
    """Return the token of a request that was let in."""
    token: ApiToken = vars(request)["auth"]
    return token


def facade_of(request: HttpRequest) -> DataManager:
    """Return the facade of the request's token: of its account, under the source `api NAME`."""
    token = token_of(request)
    with _lock:
        if token.pk not in _facades:
            _facades[token.pk] = DataManager(
                source=f"api {token.name}"[:64], account=token.account.code, on_storage_fault="raise"
            )
        return _facades[token.pk]


@contextmanager
def recording(request: HttpRequest) -> Iterator[DataManager]:
    """Give the token's facade; the journal names the token as author of what is written within."""
    with journal.on_behalf_of(f"token {token_of(request).name}"):
        yield facade_of(request)
