"""The page of VELOX itself: parts and cures, points, dead letters of one account, backups, the hot copy, the tasks."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from django.test import Client
from django.utils import timezone

from tests import page_desk
from tests.trading.test_web_pages import Read, read, words
from timeseries import presence
from timeseries.shipping.resending import Retried
from trading.domain import amounts
from trading.errors import StoreUnavailable
from trading.health import system as health_system
from trading.hot import cache, comparisons
from trading.operations.back_up import back_up
from trading.web import system
from trading.web.templatetags import velox

__all__ = ["read"]

pytestmark = pytest.mark.usefixtures("ledger", "alone")
PAGE = "/system/"


def answered(command: str) -> Any:
    output = StringIO()
    try:
        call_command(command, "--format", "json", stdout=output, stderr=StringIO())
    except SystemExit as ended:
        assert ended.code in (0, 1)
    return json.loads(output.getvalue())


def letter(account: str, number: int = 1) -> dict[str, str | int]:
    return {
        "source": "feed",
        "measurement": "ticks",
        "sequence": number,
        "account": account,
        "status": 400,
        "word": "refused",
        "reason": f"no room for {account} <b>",
        "line": f"ticks,symbol=RELIANCE,account={account} close={number}",
    }


def test_it_shows_the_figures_of_the_commands(read: Read) -> None:
    page_desk.ticks(minutes=2)
    page, health, spool = words(read(PAGE)), answered("health"), answered("spool")
    assert health["points"]["accepted"] == 26
    for name in ("accepted", *system.TERMS):
        assert f"{velox.words(name).capitalize()} {amounts.number(health['points'][name], 'INR')} " in page, name
    for name, part in health["parts"].items():
        assert velox.part_name(name) in page
        if part["status"] not in ("ok", "off"):
            assert f"Do: {part['cure']}" in page
    for lane in spool["sources"]:
        assert lane["source"] in page and f"{velox.words(lane['measurement'])} " in page
        assert lane["spooled"] in (24, 2) and f" {lane['spooled']} " in page
    assert "balanced" in page


def test_a_part_that_is_not_well_stands_with_its_cure(read: Read, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("trading.health.faults.FREE_BYTES_LOW", 1 << 62)
    page = words(read(PAGE))
    assert "Do: Make room, or move VELOX_DATA_DIR to a larger disk." in page


def test_dead_letters_are_those_of_the_account_and_others_are_counted(
    read: Read, monkeypatch: pytest.MonkeyPatch
) -> None:
    letters = [letter("main", number) for number in range(1, 54)] + [letter("replay", 99)]
    monkeypatch.setattr(health_system, "list_letters", lambda _: letters)
    page = read(PAGE)
    assert "53 of this account, 1 of others" in words(page)
    assert "no room for main &lt;b&gt;" in page and "no room for replay" not in page
    assert "The first 50;" in words(page) and "close=51" not in page
    of_replay = read(PAGE, account="replay")
    assert "1 of this account, 53 of others" in words(of_replay) and "no room for main" not in of_replay
    assert "Offer all once more" not in page  # to a viewer


def test_an_operator_offers_them_once_more_and_nobody_else(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    class Pump:
        def retry_dead_letters(self) -> Retried:
            asked.append("retry")
            if len(asked) > 1:
                raise StoreUnavailable("The store does not answer.")
            return Retried(stored=3, refused=2)

    monkeypatch.setattr(health_system, "list_letters", lambda _: [letter("main")])
    monkeypatch.setattr(system, "open_pump", Pump)
    for name in ("viewer", "reviewer"):
        client.force_login(page_desk.member(name))
        assert client.post(PAGE).status_code == 403
    assert asked == []
    client.force_login(page_desk.member("operator"))
    assert "Offer all once more" in client.get(PAGE).content.decode()
    assert "3 of all accounts stored now, 2 refused again" in words(client.post(PAGE).content.decode())
    failed = client.post(PAGE)
    assert failed.status_code == 400 and "The store does not answer." in failed.content.decode()


def test_a_store_that_has_no_dead_letters_says_so(client: Client) -> None:
    client.force_login(page_desk.member("operator"))
    answer = client.post(PAGE)
    assert answer.status_code == 400 and "Dead letters are InfluxDB" in answer.content.decode()


def test_the_newest_backup_and_what_waits_for_one_are_shown(read: Read) -> None:
    page_desk.trades(2)
    assert "Newest — Oldest fact in none" in words(read(PAGE))
    back_up()
    page = words(read(PAGE))
    assert f"Newest {timezone.localtime():%-d %b %Y}" in page and "Oldest fact in none —" in page


def test_the_hot_copy_is_compared_for_the_account_alone(read: Read, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "there is nothing to compare" in words(read(PAGE))
    monkeypatch.setattr(cache, "is_shared", lambda: True)
    monkeypatch.setattr(cache, "ping", lambda: 1.0)
    assert "the companion does once a minute" in words(read(PAGE))
    now = datetime.now(UTC)
    comparisons.note("main", {"missing": 1, "behind": 2, "wrong": 37}, now - timedelta(minutes=1))
    comparisons.note("replay", {"missing": 0, "behind": 0, "wrong": 0}, now)
    page = words(read(PAGE))
    assert "Wrong then 37 Missing 1 Behind 2 Mended in all 37" in page and "mended Compared" in page
    other = words(read(PAGE, account="replay"))
    assert "Wrong then 0" in other and "as the ledger" in other and "Wrong then 37" not in other


def test_worker_and_beat_are_shown_where_there_is_a_broker(read: Read, settings: Any) -> None:
    assert "the companion does their work" in words(read(PAGE))
    settings.CELERY_BROKER_URL = "memory://"
    presence.mark(settings.DATA_DIR, "worker")
    page = words(read(PAGE))
    assert "Workers there It showed itself" in page and "Schedule absent It was never there." in page


def test_what_cannot_be_read_is_said_and_the_rest_stands(read: Read, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise OSError("the disk is gone")

    for name in ("list_letters", "count"):
        monkeypatch.setattr(health_system, name, fail)
    page_desk.ticks(minutes=1)
    page = words(read(PAGE))
    for part in ("dead letters", "spool"):
        assert f"The {part} cannot be read: the disk is gone" in page
    assert "Spool of points" in page
