"""Tokens in the admin: an operator makes one, sees its secret once, and revokes it; nobody else does."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import pytest

from tests.trading.test_admin_imports import sent, words
from tests.trading.test_admin_trades import As, as_user
from tests.trading.test_api import Caller, _fresh_rates  # noqa: F401 - a fixture
from trading.models import ApiToken, Journal
from trading.operations.make_token import make_token

__all__ = ["as_user"]

pytestmark = pytest.mark.usefixtures("proved", "alone")
TOKENS = "/admin/trading/apitoken/"
FIELDS = {"program": "notebook", "scopes": ["read"], "networks": "127.0.0.0/8", "expires_at": "2099-01-01"}


def test_an_operator_makes_a_token_sees_its_secret_once_and_revokes_it(as_user: As) -> None:
    operator = as_user("operator")
    body = {"token": "go", **{f"token-{name}": text for name, text in FIELDS.items()}}
    page = operator.post(f"{TOKENS}make/", body)
    [secret] = re.findall(r'id="secret">(velox_[\w-]+)<', page.content.decode())
    assert "no-store" in page["Cache-Control"] and secret not in str(page.client.cookies)
    program, token = Caller(secret), ApiToken.objects.get()
    assert program.get("positions")[0] == 200
    assert (token.author, token.scopes, token.networks) == ("operator", "read", "127.0.0.0/8")
    assert token.expires_at == datetime(2098, 12, 31, 18, 30, tzinfo=UTC)
    for address in (TOKENS, f"{TOKENS}{token.pk}/change/"):
        shown = words(operator, address)
        assert "API token" in shown and "Api token" not in shown
        assert "notebook" in shown and "alive" in shown and secret not in shown and token.sha256 not in shown
        assert f"{datetime.now():%Y}" in shown  # the minute of its last use
    assert sent(operator, f"{TOKENS}{token.pk}/revoke/", "revoke") == 302
    assert program.get("positions")[0] == 401
    assert "revoked" in words(operator, TOKENS)
    assert "/revoke/" not in operator.get(f"{TOKENS}{token.pk}/change/").content.decode()
    authors = Journal.objects.filter(operation__in=["make_token", "revoke_token"]).values_list("recorded_by", flat=True)
    assert list(authors) == ["operator", "operator"]


def test_what_makes_no_token_is_told_in_words(as_user: As) -> None:
    operator = as_user("operator")
    make_token("main", "notebook", ["read"], by="asha")
    for wrong in (
        {},
        {"program": "a", "scopes": []},
        {"program": "a", "networks": "here"},
        {"expires_at": "2001-01-01"},
    ):
        assert sent(operator, f"{TOKENS}make/", "token", **{**FIELDS, **wrong}) == 200
    assert ApiToken.objects.count() == 1
    assert operator.get(f"{TOKENS}make/?account=nobody").status_code == 404


@pytest.mark.parametrize("role", ["viewer", "reviewer"])
def test_nobody_else_sees_or_makes_tokens(as_user: As, role: str) -> None:
    make_token("main", "notebook", ["read"], by="asha")
    other, pk = as_user(role), ApiToken.objects.get().pk
    for address in (TOKENS, f"{TOKENS}{pk}/change/", f"{TOKENS}make/", f"{TOKENS}{pk}/revoke/"):
        assert other.get(address).status_code == 403, address
    assert sent(other, f"{TOKENS}make/", "token", **FIELDS) == 403
    assert sent(other, f"{TOKENS}{pk}/revoke/", "revoke") == 403
    assert ApiToken.objects.count() == 1 and not hasattr(ApiToken.objects.get(), "revocation")
