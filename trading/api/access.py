"""Who asks: a token by its secret, alive, from where it may come, with the scope, and not too fast."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from ipaddress import ip_address, ip_network

import structlog
from django.conf import settings
from django.http import HttpRequest
from ninja.security import HttpBearer

from trading.api.problems import ScopeMissing, TooManyRequests, WrongNetwork
from trading.models import ApiToken, TokenScope
from trading.operations.make_token import digest
from trading.queries.tokens import is_alive, token_by_digest
from trading.token_use import note_use
from trading.transactions import ask

BURST_SECONDS = 2.0  # so much of its rate a token may use at once


@dataclass(slots=True)
class _Bucket:
    """How many requests a token may still send at once, and when that was so."""

    left: float
    at: float


class Rates:
    """How fast each token asks, in this process. Each has the rate for itself."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._buckets: dict[int, _Bucket] = {}

    def admit(self, token: ApiToken, rate: float, now: float) -> None:
        """Count one request at a moment of a steady clock, at most ``rate`` a second. Raises: TooManyRequests."""
        most = rate * BURST_SECONDS
        with self._lock:
            bucket = self._buckets.setdefault(token.pk, _Bucket(most, now))
            bucket.left = min(most, bucket.left + max(0.0, now - bucket.at) * rate)
            bucket.at = now
            if bucket.left < 1:
                raise TooManyRequests((1 - bucket.left) / rate)
            bucket.left -= 1


rates = Rates()


class TokenWith(HttpBearer):
    """A bearer's token that has a scope. A login is no token: no cookie is looked at."""

    def __init__(self, scope: TokenScope) -> None:
        super().__init__()
        self.scope = scope

    def authenticate(self, request: HttpRequest, token: str) -> ApiToken | None:
        """Return the token, None where none is alive. Raises: WrongNetwork, ScopeMissing, TooManyRequests."""
        row = admitted(token, self.scope, str(request.META.get("REMOTE_ADDR", "")))
        if row is not None:
            structlog.contextvars.bind_contextvars(caller=row.name, account=row.account.code)
        return row


def admitted(secret: str, scope: TokenScope, address: str) -> ApiToken | None:
    """Return the token of a request from this address, None where none is alive.

    Raises: WrongNetwork, ScopeMissing, TooManyRequests.
    """
    row = known_token(secret, scope, address)
    return None if row is None else admit(row)


def known_token(secret: str, scope: TokenScope, address: str) -> ApiToken | None:
    """Return the token that may do this from this address, None where none is alive.

    Raises: WrongNetwork, ScopeMissing.
    """
    row = ask(token_by_digest, digest(secret))
    if row is None or not is_alive(row, datetime.now(UTC)):
        return None
    _must_come_from(row, address)
    if scope not in row.scopes.split():
        raise ScopeMissing(
            f"The token {row.name!r} may {row.scopes}, not {scope.value}.",
            hint="`manage.py token make` makes one that may.",
        )
    return row


def admit(token: ApiToken) -> ApiToken:
    """Count one request of a token and return it. Raises: TooManyRequests."""
    rates.admit(token, settings.VELOX_API_REQUESTS_PER_SECOND, time.monotonic())
    note_use(token, datetime.now(UTC))
    return token


def _must_come_from(token: ApiToken, address: str) -> None:
    networks = token.networks.split()
    try:
        peer = ip_address(address)
    except ValueError:  # a socket of this host has no address
        peer = None
    if networks and (peer is None or not any(peer in ip_network(network) for network in networks)):
        raise WrongNetwork(
            f"The token {token.name!r} is not used from {address or 'here'}.",
            hint=f"It may come from {token.networks}.",
        )
