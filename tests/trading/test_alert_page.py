"""`/alerts/` and `manage.py alerts`: one account's and the desk's, nothing of an address, operators alone act."""

from __future__ import annotations

import io
import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.test import Client

from tests import page_desk
from tests.trading.tampering import unguarded
from tests.webhook import webhook
from trading.domain.alert_address import label_of
from trading.errors import InvalidValue
from trading.models import Alert, AlertChannel, Seal
from trading.operations.create_account import create_account
from trading.operations.raise_alert import Notice, raise_alert
from trading.operations.write_alert_channel import switch_alert_channel, write_alert_channel
from trading.proof.verify import verify_ledger

pytestmark = pytest.mark.usefixtures("ledger")

AT = datetime(2026, 1, 5, 4, 0, tzinfo=UTC)
SECRET = "123456:secret-token"


def answer(*arguments: str) -> Any:
    out = io.StringIO()
    call_command("alerts", *arguments, "--format", "json", stdout=out)
    return json.loads(out.getvalue())


def test_an_account_sees_its_own_alerts_and_the_whole_desks(client: Client) -> None:
    create_account("paper", book="paper", currency="INR", zone="Asia/Kolkata", capital=1, capital_date="2000-01-01")
    page_desk.alerts()
    raise_alert(Notice(Alert.Kind.NOT_FLAT, "flat:paper", "not flat", account="paper"), now=AT)
    client.force_login(page_desk.member("viewer"))
    main, paper = (client.get(f"/alerts/{query}").content.decode() for query in ("", "?account=paper"))
    assert "of ema_cross closed" in main and "not flat" not in main
    assert "of ema_cross closed" not in paper and "not flat" in paper
    for text in (main, paper):
        assert "Redis does not answer" in text and "&lt;b&gt;" in text and "<b> 0.9" not in text
    assert main.index("Redis") < main.index("GB free")  # what lasts stands first
    faults = client.get("/alerts/?kind=fault").content.decode()
    assert "of ema_cross closed" not in faults and "Redis" in faults
    rows = answer()["alerts"]
    assert [row["part"] for row in rows] == ["hot", "", "disk"]
    assert rows[0]["deliveries"][0]["error"] == "refused (HTTP 500)"
    assert [row["account"] for row in answer("--account", "paper", "--kind", "not_flat")["alerts"]] == ["paper"]


@pytest.mark.parametrize("limit", ["0", "-1"])
def test_no_alert_at_all_cannot_be_asked_for(limit: str) -> None:
    with pytest.raises(CommandError, match=f"limit is {limit}") as refused:
        answer("--limit", limit)
    assert refused.value.returncode == 2


def test_a_fault_alone_lasts_and_what_is_told_once_is_told(client: Client) -> None:
    kinds = (Alert.Kind.LIMIT, Alert.Kind.NOT_FLAT, Alert.Kind.FAULT, Alert.Kind.TRADE)
    for number, kind in enumerate(kinds):
        raise_alert(Notice(kind, f"key {number}", f"of {kind}.", "main"), now=AT + timedelta(minutes=number))
    client.force_login(page_desk.member("viewer"))
    text = client.get("/alerts/").content.decode()
    assert [text.count(f">{state}</span>") for state in ("lasts", "told")] == [1, 3]
    assert re.findall(r"of (fault|trade|not_flat|limit)\.", text) == ["fault", "trade", "not_flat", "limit"]


def test_nobody_reads_an_address_back(client: Client) -> None:
    page_desk.alerts()
    client.force_login(page_desk.member("asha"))
    csv, dump = io.StringIO(), io.StringIO()
    call_command("alerts", "--format", "csv", stdout=csv)
    call_command("dumpdata", "trading.alertchannel", stdout=dump)
    texts = [
        client.get("/alerts/").content.decode(),
        json.dumps(answer("--channels")),
        json.dumps(answer()),
        csv.getvalue(),
        dump.getvalue(),
    ]
    assert '"url": "***"' in dump.getvalue()
    texts += [*Seal.objects.values_list("body", flat=True), str(AlertChannel.objects.get())]
    assert all(SECRET not in text for text in texts) and AlertChannel.objects.get().url.count(SECRET) == 1
    assert verify_ledger().ok
    with unguarded() as cursor:  # an address that was changed past VELOX is named, and not told
        cursor.execute("UPDATE trading_alertchannel SET url = 'tgram://another/1'")
    (difference,) = verify_ledger().differences
    assert (difference.table, difference.field) == ("trading_alertchannel", "url")
    assert "another/1" not in str(difference.stored) and SECRET not in str(difference.expected)


def test_operators_alone_write_channels_and_send_test_messages(client: Client) -> None:
    written = {"do": "write", "name": "desk", "url": "https://hooks.example.org/T0KEN"}
    client.force_login(page_desk.member("reviewer"))
    assert client.post("/alerts/", written).status_code == 403 and not AlertChannel.objects.exists()
    assert "Keep the channel" not in client.get("/alerts/").content.decode()
    client.force_login(page_desk.member("operator"))
    assert client.post("/alerts/", written).status_code == 302
    assert "https://hooks.example.org/…" in client.get("/alerts/").content.decode()
    refused = client.post("/alerts/", {**written, "url": "ftp://someone:T0KEN@example.org"})
    assert refused.status_code == 400 and "T0KEN" not in refused.content.decode()
    client.post("/alerts/", {"do": "off", "name": "desk"})
    assert not AlertChannel.objects.get().is_active
    client.post("/alerts/", {"do": "test"})
    assert Alert.objects.get().kind == "test" and "operator" in Alert.objects.get().text
    assert verify_ledger().ok


@pytest.mark.parametrize(
    ("address", "label"),
    [
        ("mailtos://user:pw@example.org?to=a@example.org", "mailtos://example.org/…"),
        ("slack://AAA/BBB/CCC", "slack://…"),
        ("json://127.0.0.1:8000/x", "json://127.0.0.1/…"),
        ("discord://1/secret", "discord://…"),
    ],
)
def test_what_is_shown_of_an_address(address: str, label: str) -> None:
    assert label_of(address, kinds=["discord"]) == label


@pytest.mark.parametrize(
    "address", ["", "secret", "json://example.org/secret", "http://10.0.0.1/secret", "discord://1/secret", "https://",
                "https://a b/secret", "https://x:99999/secret", "exec://secret"],
)  # fmt: skip
def test_what_is_no_channel_is_refused_without_a_word_of_it(address: str) -> None:
    with pytest.raises(InvalidValue) as refused:
        label_of(address)
    assert "secret" not in str(refused.value)


def test_the_command_keeps_channels_and_sends_a_test_message(monkeypatch: pytest.MonkeyPatch) -> None:
    with webhook() as hook:
        monkeypatch.setattr("sys.stdin", io.StringIO(f"{hook.url}\n"))
        assert answer("--add", "hook")["channels"] == [
            {"name": "hook", "channel": "json://127.0.0.1/…", "is_active": True}
        ]
        assert answer("--test")["test"] == [{"channel": "hook (json://127.0.0.1/…)", "state": "sent", "error": ""}]
        assert hook.titles() == ["Test"]
        answer("--off", "hook")
        with pytest.raises(SystemExit):
            answer("--test")
        assert len(hook.bodies) == 1
        with pytest.raises(CommandError):
            answer("--on", "nobody")


def test_an_address_of_the_environment_that_cannot_be_used_is_named_and_exit_1(settings: Any) -> None:
    """Beside one that works nobody would miss it."""
    with webhook() as hook:
        for addresses, sent in ((["nonsense"], 0), ([hook.url, "nonsense"], 1)):
            settings.VELOX_ALERT_URLS = addresses
            for deed, name in (("--channels", "channels"), ("--test", "test")):
                for form in ("table", "json"):
                    out = io.StringIO()
                    with pytest.raises(SystemExit) as ended:
                        call_command("alerts", deed, "--format", form, stdout=out)
                    assert ended.value.code == 1
                    told = " ".join(out.getvalue().split())
                    assert f"address {len(addresses)} cannot be used" in told and "There is no channel" not in told
                assert len(json.loads(out.getvalue())[name]) == sent


def test_a_channel_that_is_written_again_gets_the_new_address() -> None:
    write_alert_channel("desk", "tgram://1:a/2", by="asha", now=AT)
    switch_alert_channel("desk", is_active=False, by="asha", now=AT)
    row = write_alert_channel("desk", "mailtos://u:p@example.org", by="asha", now=AT)
    assert AlertChannel.objects.count() == 1 and row.is_active and row.label == "mailtos://example.org/…"
