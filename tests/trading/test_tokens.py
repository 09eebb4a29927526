"""Tokens: made and revoked by somebody, their secret told once and kept nowhere, their last use to the minute."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from tests.trading.book import snapshot
from trading import checks, token_use
from trading.errors import IdConflict, InvalidValue, UnknownAccount
from trading.models import Journal
from trading.operations.make_token import digest, make_token
from trading.operations.revoke_token import revoke_token
from trading.queries.tokens import is_alive, token_by_digest

pytestmark = [pytest.mark.ledger, pytest.mark.usefixtures("proved")]
NOW = datetime(2026, 11, 27, 9, 15, 30, tzinfo=UTC)


def told(*arguments: str) -> Any:
    out = StringIO()
    call_command("token", *arguments, "--format", "json", stdout=out)
    return json.loads(out.getvalue())


def test_a_secret_is_told_once_and_is_in_no_table_and_no_log(data_dir: Path) -> None:
    made = told("make", "grafana", "--scope", "read", "--scope", "record", "--network", "10.0.0.0/8", "--by", "asha")
    secret = made["secret"]
    assert secret.startswith("velox_") and len(secret) > 40
    (token,) = made["tokens"]
    assert (token["scopes"], token["networks"], token["state"]) == (["read", "record"], ["10.0.0.0/8"], "alive")
    assert "secret" not in told() and secret not in json.dumps(told())
    assert secret not in repr(snapshot())
    assert all(secret.encode() not in path.read_bytes() for path in data_dir.rglob("*") if path.is_file())
    row = token_by_digest(digest(secret))
    assert row is not None and row.name == "grafana" and token_by_digest(digest(secret + "x")) is None


def test_a_token_ends_by_its_time_or_at_once_and_its_first_end_stays() -> None:
    token = make_token("main", "a", ["read"], by="asha", expires_at=NOW + timedelta(days=1), now=NOW).token
    assert is_alive(token, NOW) and not is_alive(token, NOW + timedelta(days=1))
    end = revoke_token("a", by="asha", now=NOW)
    assert revoke_token("a", by="ravi").revoked_at == end.revoked_at
    row = token_by_digest(token.sha256)
    assert row is not None and not is_alive(row, NOW)
    assert told()["tokens"][0]["state"] == "revoked"
    assert [each.operation for each in Journal.objects.all()] == ["make_token", "revoke_token"]
    assert [each.recorded_by for each in Journal.objects.all()] == ["asha", "asha"]
    with pytest.raises(IdConflict, match="another name"):
        make_token("main", "a", ["read"], by="asha")


@pytest.mark.parametrize(
    ("wrong", "match"),
    [
        ({"name": "a\nb"}, "name"),
        ({"name": "x" * 61}, "name"),
        ({"scopes": []}, "may do nothing"),
        ({"scopes": ["read", "approve"]}, "scopes is 'approve'"),
        ({"by": ""}, "author"),
        ({"networks": ["10.0.0.1/8"]}, "host bits"),
        ({"networks": ["10.0.0.0/8"] * 21}, "At most 20"),
        ({"expires_at": NOW}, "later instant"),
        ({"expires_at": datetime(2100, 1, 1)}, "later instant"),
    ],
)
def test_what_no_token_can_be_is_refused_and_nothing_is_written(wrong: dict[str, Any], match: str) -> None:
    before = snapshot()
    asked = {"name": "a", "scopes": ["read"], "by": "asha", "now": NOW} | wrong
    with pytest.raises(InvalidValue, match=match):
        make_token("main", **asked)
    with pytest.raises(UnknownAccount):
        make_token("nobody", "a", ["read"], by="asha")
    with pytest.raises(InvalidValue, match="no token"):
        revoke_token("a", by="asha")
    with pytest.raises(CommandError):
        told("make", "a", "--scope", "read", "--expires", "tomorrow")
    assert snapshot() == before


def test_the_last_use_is_kept_to_the_minute_outside_the_ledger(data_dir: Path) -> None:
    token = make_token("main", "a", ["read"], by="asha").token
    before = snapshot()
    assert token_use.last_use(token) is None
    for second in (0, 20, 29, 31):
        token_use.note_use(token, NOW + timedelta(seconds=second))
    assert token_use.last_use(token) == NOW.replace(second=0) + timedelta(minutes=1)
    assert told()["tokens"][0]["last_used_at"] == "2026-11-27T09:16:00Z"
    assert snapshot() == before


def test_checks_tell_of_proxies_that_anybody_may_be_and_of_pinned_tokens_behind_an_unknown_one(settings: Any) -> None:
    assert checks.proxies_are_few() == []
    settings.VELOX_TRUSTED_PROXIES = ["10.0.0.2", "0.0.0.0/0"]
    assert [message.id for message in checks.proxies_are_few()] == ["velox.E002"]
    settings.VELOX_TRUSTED_PROXIES, settings.IS_HTTPS = [], True
    make_token("main", "free", ["read"], by="asha")
    assert checks.pinned_tokens_see_their_callers(databases=["default"]) == []
    make_token("main", "pinned", ["read"], by="asha", networks=["10.0.0.0/8"])
    assert [message.id for message in checks.pinned_tokens_see_their_callers(databases=["default"])] == ["velox.W003"]
    assert checks.pinned_tokens_see_their_callers() == []
    settings.VELOX_TRUSTED_PROXIES = ["10.0.0.2"]
    assert checks.pinned_tokens_see_their_callers(databases=["default"]) == []
