"""An operator has the ledger proved at the press of a button, and sees how far it is and what it found."""

from __future__ import annotations

import threading
from datetime import UTC, datetime
from typing import Any

import pytest
from django.test import Client

from tests import page_desk
from tests.trading.book import opened
from tests.trading.tampering import unguarded
from tests.waiting import PATIENCE_SECONDS, until
from trading.proof import running
from trading.proof.desk import prove_desk

pytestmark = [pytest.mark.ledger, pytest.mark.usefixtures("ledger")]
PAGE = "/system/proof/"


@pytest.fixture
def operator(client: Client) -> Client:
    client.force_login(page_desk.member("operator"))
    return client


def outcome(operator: Client) -> str:
    """Press the button and wait for the end."""
    assert operator.post(PAGE)["Location"] == PAGE
    until(lambda: not running.is_running())
    page = operator.get(PAGE)
    assert "Refresh" not in page
    return page.content.decode()


def test_an_operator_sees_the_proof_and_what_it_found(operator: Client) -> None:
    opened()
    assert f'href="{PAGE}"' in operator.get("/admin/trading/journal/").content.decode()
    assert "Prove it now" in operator.get(PAGE).content.decode()
    assert "not made yet" in operator.get("/system/").content.decode()
    page = outcome(operator)
    assert "The ledger is proved." in page and "by operator" in page
    assert "<dt>Trade</dt><dd>1</dd>" in page
    assert '<span class="badge ok">proved</span>' in operator.get("/system/").content.decode()
    with unguarded() as cursor:
        cursor.execute("UPDATE trading_fill SET price = price + 1")
    page = outcome(operator)
    assert "1 difference found." in page and "trading_fill" in page
    assert "1 difference" in operator.get("/system/").content.decode()


def test_it_says_how_far_it_is_and_another_does_not_begin_meanwhile(
    operator: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened()
    is_far, goes_on = threading.Event(), threading.Event()
    begun: list[str] = []

    def slow(*, progress: Any) -> Any:
        begun.append("proof")
        progress("journal", 7, 20)
        is_far.set()
        assert goes_on.wait(PATIENCE_SECONDS)
        return prove_desk()

    monkeypatch.setattr(running, "NOTED_EVERY_SECONDS", 0.0)
    monkeypatch.setattr(running, "prove_desk", slow)
    operator.post(PAGE)
    assert is_far.wait(PATIENCE_SECONDS)
    page = operator.get(PAGE)
    assert page["Refresh"] == "2"
    assert "Journal: 7 of 20" in page.content.decode()
    assert '<progress max="20" value="7"' in page.content.decode()
    assert "disabled" in page.content.decode()
    operator.post(PAGE)
    assert not running.begin_proof("another")
    goes_on.set()
    until(lambda: not running.is_running())
    assert begun == ["proof"]
    assert "The ledger is proved." in operator.get(PAGE).content.decode()


def test_a_proof_that_fails_or_is_broken_off_says_so(operator: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(**_: Any) -> None:
        raise RuntimeError("no such table")

    monkeypatch.setattr(running, "prove_desk", fail)
    assert "It could not be proved: RuntimeError: no such table" in outcome(operator)
    running._note(running.ProofRun("asha", datetime.now(UTC).isoformat()))
    assert "ended before it was through" in operator.get(PAGE).content.decode()
    running._path().write_text("[1")
    assert "Prove it now" in operator.get(PAGE).content.decode()


def test_the_former_address_leads_here(operator: Client) -> None:
    assert operator.get("/admin/trading/journal/verify/")["Location"] == PAGE


@pytest.mark.parametrize("group", ["viewer", "reviewer"])
def test_nobody_else_does(client: Client, group: str) -> None:
    client.force_login(page_desk.member(group))
    assert (client.get(PAGE).status_code, client.post(PAGE).status_code) == (403, 403)
    assert not running.is_running() and running.newest_run() is None
    assert PAGE not in client.get("/admin/trading/journal/").content.decode()
    assert PAGE not in client.get("/system/").content.decode()
