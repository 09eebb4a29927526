"""A large ledger is proved by two processes: what is found, and what is counted, does not depend on the second one."""

from __future__ import annotations

from contextlib import closing
from datetime import date

import pytest
from django.db import connection

from tests.trading.book import closed, opened, row
from tests.trading.tampering import unguarded
from trading.operations.publish_daily_summary import publish_daily_summary
from trading.proof import entries, helper, verify
from trading.proof.chain import PublishedHeads
from trading.proof.entries import Entries
from trading.proof.helper import Helper
from trading.proof.rows import StoredRow, Tables
from trading.proof.verification import Proof
from trading.proof.verify import verify_ledger
from trading.queries.accounts import get_account

pytestmark = [pytest.mark.ledger, pytest.mark.usefixtures("ledger")]


@pytest.fixture
def helped(monkeypatch: pytest.MonkeyPatch) -> list[Helper]:
    """Every ledger is large, and there are two processors; returns the helpers that read the same as we do."""
    helpers: list[Helper] = []
    begins_with = Helper.begins_with

    def noted(one: Helper, tables: Tables) -> bool | None:
        begins = begins_with(one, tables)
        helpers.extend([one] if begins else [])
        return begins

    monkeypatch.setattr(Helper, "begins_with", noted)
    monkeypatch.setattr(helper, "HELPED_MIN", 0)
    monkeypatch.setattr("os.sched_getaffinity", lambda _pid: {0, 1})
    monkeypatch.setattr(entries, "BUCKET", 2)
    return helpers


def a_day() -> None:
    for number in range(7):
        opened(f"T{number}", charges=number)
        closed(f"T{number}")
    publish_daily_summary(get_account("main"), date(2024, 3, 15))


def facts(proof: Proof) -> list[object]:
    return [*sorted(map(str, proof.differences)), proof.checked, proof.head]


def alone() -> list[object]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(helper, "HELPED_MIN", 10**9)
        return facts(verify_ledger())


def test_two_processes_prove_what_one_proves(helped: list[Helper]) -> None:
    a_day()
    assert facts(verify_ledger()) == alone()
    assert verify_ledger().ok
    assert len(helped) == 2


def test_two_processes_find_what_one_finds(helped: list[Helper]) -> None:
    """In the first bucket, which this process takes, in the last, which the other takes, and in the chain."""
    a_day()
    with unguarded() as cursor:
        for name in ("T0", "T6"):
            cursor.execute("UPDATE trading_fill SET price = price + 1 WHERE trade_id = %s", [row(name).pk])
        cursor.execute("UPDATE trading_journal SET mac = %s WHERE sequence = 3", ["0" * 64])
        cursor.execute("UPDATE trading_journal SET body = REPLACE(body, 'T3', 'T9') WHERE sequence = 7")
        cursor.execute("UPDATE trading_daytotal SET trades_without_charges = 3")
    found = facts(verify_ledger())
    assert found == alone()
    assert len(helped) == 1
    assert len(found) > 8


@pytest.mark.parametrize("part", ["file", "shares"])
def test_one_goes_on_alone_when_the_other_dies(
    part: str, helped: list[Helper], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before its first part, and before the trades."""
    a_day()
    begin = getattr(Helper, part)

    def dying(one: Helper, *arguments: object) -> object:
        one._process.kill()
        return begin(one, *arguments)

    monkeypatch.setattr(Helper, part, dying)
    assert facts(verify_ledger()) == alone()
    assert len(helped) == 1


def test_both_begin_anew_when_somebody_wrote_between_their_snapshots(
    helped: list[Helper], monkeypatch: pytest.MonkeyPatch
) -> None:
    opened("T1")
    ends_of, asked = helper.ends_of, 0

    def written_after(tables: Tables) -> list[StoredRow]:
        nonlocal asked
        ends, asked = ends_of(tables), asked + 1
        if asked == 1:
            opened("T2")
        return ends

    monkeypatch.setattr(helper, "ends_of", written_after)
    proof = verify_ledger()
    # On PostgreSQL both have the one snapshot, come what may.
    attempts = 1 if connection.vendor == "postgresql" else 2
    assert (proof.ok, proof.checked["trade"], len(helped), asked) == (True, attempts, 1, attempts)


def test_heads_of_what_is_written_during_the_proof_are_no_findings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever commits while the logs are read has published heads that the snapshot, had it begun, would not know."""
    opened("T1")
    published = verify.published

    def written_before(ledger: str) -> PublishedHeads:
        opened("T2")
        return published(ledger)

    monkeypatch.setattr(verify, "published", written_before)
    assert verify_ledger().differences == []


def test_an_index_that_exceeds_its_bound_gives_back_every_entry_in_its_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(entries, "HELD_MAX", 3)
    monkeypatch.setattr(entries, "BUCKET", 4)
    with closing(Entries()) as index:
        for row_number in range(40):
            index.add(row_number * 7 % 13, row_number, 1)
        places = index.places()
        assert [(place.low, place.high) for place in places] == [(None, 3), (3, 7), (7, 11), (11, None)]
        given = [entry for place in places for entry in index.bucket(place).entries.tolist()]
    assert given == sorted(([number * 7 % 13, number, 1] for number in range(40)), key=lambda entry: entry[0])
