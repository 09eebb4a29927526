"""Making a token with which a program uses an account over HTTP."""

from __future__ import annotations

import secrets
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from ipaddress import ip_network

from timeseries.values import parse_name
from trading.bookkeeping import arguments, journal
from trading.domain.chain import JournalEntry
from trading.errors import IdConflict, InvalidValue
from trading.models import ApiToken, TokenScope
from trading.transactions import writing

PREFIX = "velox_"  # so that a secret that leaked into a text is found there
NETWORKS_MAX = 20
_SECRET_BYTES = 32
TOLD = ("name", "sha256", "scopes", "networks", "expires_at")


@dataclass(frozen=True, slots=True)
class NewToken:
    """A token just made, with its secret: shown once and kept nowhere."""

    token: ApiToken
    secret: str


def make_token(
    account: str,
    name: str,
    scopes: Collection[str],
    *,
    by: str,
    expires_at: datetime | None = None,
    networks: Collection[str] = (),
    now: datetime | None = None,
) -> NewToken:
    """Make a token of an account and return it with its secret, which nobody can read again.

    Raises: InvalidValue for what is no name of at most 60 characters, for no scope or an unknown one, for what is no
        network such as `10.0.0.0/8`, for an end that is past, and for an author without a name; IdConflict for a name
        that a token has or had; UnknownAccount, LedgerBusy, LedgerNotReady.
    """
    now = now or datetime.now(UTC)
    name = parse_name(name, "name", 60)
    if not by:
        raise InvalidValue("A token has an author.", field="by", hint="Say who makes it.")
    if not scopes:
        raise InvalidValue("The token may do nothing.", field="scopes", hint=f"Give {' or '.join(TokenScope.values)}.")
    wanted = {arguments.one_of(scope, "scopes", tuple(TokenScope.values)) for scope in scopes}
    if expires_at is not None and (expires_at.tzinfo is None or expires_at <= now):
        raise InvalidValue(f"The token would end at {expires_at}.", field="expires_at", hint="Give a later instant.")
    secret = PREFIX + secrets.token_urlsafe(_SECRET_BYTES)
    row = ApiToken(
        name=name,
        sha256=digest(secret),
        scopes=" ".join(scope for scope in TokenScope.values if scope in wanted),
        networks=_networks(networks),
        expires_at=expires_at,
        author=by,
        made_at=now,
    )
    with writing():
        row.account, head = journal.lock_account(account)
        if ApiToken.objects.filter(name=name).exists():
            raise IdConflict(
                f"There is, or was, a token {name!r}.",
                field="name",
                hint="Choose another name: what it recorded stays under its own.",
            )
        row.save()
        body: JournalEntry = {"token": {each: getattr(row, each) for each in TOLD}, "token_pk": row.pk}
        journal.append(row.account, "make_token", body, now=now, by=by, head=head)
    return NewToken(row, secret)


def digest(secret: str) -> str:
    """Return what is kept of a secret. It is 32 random bytes: nobody finds it by guessing, so one hash is enough."""
    return sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def _networks(networks: Collection[str]) -> str:
    if len(networks) > NETWORKS_MAX:
        raise InvalidValue(f"{len(networks)} networks.", field="networks", hint=f"At most {NETWORKS_MAX}.")
    try:
        return " ".join(sorted({str(ip_network(network)) for network in networks}))
    except ValueError as error:
        raise InvalidValue(f"{error}.", field="networks", hint="Give networks such as 10.0.0.0/8 or ::1.") from error
