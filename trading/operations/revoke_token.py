"""Ending a token at once."""

from __future__ import annotations

from datetime import UTC, datetime

from trading.bookkeeping import journal
from trading.domain.chain import JournalEntry
from trading.errors import InvalidValue
from trading.models import ApiToken, TokenRevocation
from trading.transactions import writing


def revoke_token(name: str, *, by: str, now: datetime | None = None) -> TokenRevocation:
    """End a token and return its end, which stays; a token that has ended before keeps its first end.

    Raises: InvalidValue for a name that no token has, and for an author without a name; LedgerBusy, LedgerNotReady.
    """
    now = now or datetime.now(UTC)
    if not by:
        raise InvalidValue("A token is revoked by somebody.", field="by", hint="Say who revokes it.")
    with writing():
        token = ApiToken.objects.select_related("account").filter(name=name).first()
        if token is None:
            raise InvalidValue(f"There is no token {name!r}.", field="name", hint="`manage.py token` lists them.")
        head = journal.lock_head(token.account)
        if earlier := TokenRevocation.objects.filter(token=token).first():
            return earlier
        end = TokenRevocation.objects.create(account=token.account, token=token, author=by, revoked_at=now)
        body: JournalEntry = {"token_pk": token.pk, "revocation_pk": end.pk}
        journal.append(token.account, "revoke_token", body, now=now, by=by, head=head)
    return end
