"""Tokens of the HTTP interface."""

from __future__ import annotations

from datetime import datetime

from trading.models import ApiToken


def all_tokens() -> list[ApiToken]:
    """Return every token by name, those that have ended as well, with account and end."""
    return list(ApiToken.objects.select_related("account", "revocation").order_by("name"))


def token_by_digest(sha256: str) -> ApiToken | None:
    """Return the token of a secret's SHA-256 with account and end, None where there is none."""
    return ApiToken.objects.select_related("account", "revocation").filter(sha256=sha256).first()


def is_alive(token: ApiToken, now: datetime) -> bool:
    """Say whether a token is neither revoked nor past its end."""
    return not hasattr(token, "revocation") and (token.expires_at is None or now < token.expires_at)
