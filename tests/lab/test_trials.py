"""The registry of trials: every look counted once, for good, in the ledger's database."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import date
from typing import Any
from unittest.mock import patch

import pytest
from django.db import connection, connections
from django.db.utils import DatabaseError

from lab.domain.trials import DayDigest, TrialOutcome, TrialSetup, TrialState, outcome_of
from lab.models import Trial
from lab.operations.record_run import BACKTEST, record_run
from lab.operations.record_trials import record_trials
from lab.queries.trials import trial_faults, trials_of, trials_on
from tests.trading.book import sql
from trading import heads
from trading.errors import LedgerNotReady
from trading.operations.back_up import back_up
from trading.operations.restore import restore
from trading.proof.verify import verify_ledger

pytestmark = [pytest.mark.ledger, pytest.mark.usefixtures("ledger")]

DAYS = (date(2021, 4, 12), date(2021, 4, 13))
SETUP = TrialSetup(
    strategy="ema_cross", code="c0de", parameters={"fast": 9, "slow": 21, "share": 0.0003}, account="main", source=None,
    symbols=("RELIANCE",), days=DAYS, ticks=("aa", "bb"), latency_ms=500, slippage_ticks=1, charges="none",
)  # fmt: skip
OUTCOME = TrialOutcome(setup=SETUP, digests=(DayDigest(-150, 20, 2, 2), DayDigest(99, 0, 1, 0, 1, 2)), run="r1")


def tried(**changes: Any) -> TrialOutcome:
    return replace(OUTCOME, setup=replace(SETUP, **changes))


def test_a_trial_is_read_back_as_it_was_written():
    assert record_trials([OUTCOME]) == 1
    [outcome] = trials_on("ema_cross", DAYS)
    assert outcome.setup.key == SETUP.key
    assert outcome.as_body() == OUTCOME.as_body()
    assert outcome_of(Trial.objects.get().body).digests == OUTCOME.digests


def test_the_same_look_again_adds_none_and_any_other_adds_one():
    others = [
        tried(code="0ther"), tried(parameters={"fast": 10}), tried(source="nse"), tried(symbols=("TCS",)),
        tried(days=DAYS[:1], ticks=("aa",)), tried(ticks=("aa", "cc")), tried(latency_ms=0), tried(slippage_ticks=0),
        tried(charges="0.03"), tried(seed=1), tried(account="replay"), tried(strategy="opening_range"),
    ]  # fmt: skip
    assert record_trials([OUTCOME, OUTCOME, *others]) == 1 + len(others)
    assert record_trials([*others, replace(OUTCOME, state=TrialState.FAILED, run="r2")]) == 0
    assert Trial.objects.count() == 1 + len(others)
    assert trials_of([SETUP.key])[SETUP.key].run == "r1"
    assert list(trial_faults()) == []


def test_failed_and_pruned_trials_are_looks_too():
    record_trials([
        replace(tried(seed=1), state=TrialState.FAILED, digests=(), failure="ZeroDivisionError"),
        replace(tried(seed=2), state=TrialState.PRUNED, digests=OUTCOME.digests[:1]),
    ])  # fmt: skip
    assert [outcome.state for outcome in trials_on("ema_cross", DAYS)] == [TrialState.FAILED, TrialState.PRUNED]


def test_looks_are_counted_by_the_days_that_they_share():
    weeks = [date(2021, 4, day) for day in (5, 12, 19)]
    record_trials([tried(days=[day], ticks=["aa"]) for day in weeks])
    record_trials([tried(days=[weeks[0], weeks[2]], ticks=["aa", "bb"])])  # not the day between
    assert [len(trials_on("ema_cross", [day])) for day in weeks] == [2, 1, 2]
    assert len(trials_on("ema_cross", weeks)) == 4
    assert trials_on("opening_range", weeks) == trials_on("ema_cross", []) == []


def test_no_trial_is_changed_or_removed():
    record_trials([OUTCOME, tried(seed=1)])
    for statement in ("DELETE FROM lab_trial", "UPDATE lab_trial SET state = 'pruned'", "UPDATE lab_trial SET id = id"):
        with pytest.raises(DatabaseError, match="append-only"):
            sql(statement)
    if connection.vendor == "postgresql":
        with pytest.raises(DatabaseError, match="append-only: TRUNCATE"):
            sql("TRUNCATE lab_trial")
    assert Trial.objects.count() == 2


def without_guard(table: str = "lab_trial") -> None:
    for event in ("update", "delete"):
        on_table = f" ON {table}" if connection.vendor == "postgresql" else ""
        sql(f"DROP TRIGGER {table}_keeps_{event}{on_table}")


def test_a_run_that_is_deleted_takes_no_look_with_it():
    record_trials([OUTCOME, tried(seed=1)])
    record_run(BACKTEST, "{}", account="main", strategy="ema_cross", days=DAYS, run="r1")
    without_guard("lab_keptrun")
    sql("DELETE FROM lab_keptrun")
    assert len(trials_on("ema_cross", DAYS)) == 2


@pytest.mark.parametrize(
    ("statement", "fault"),
    [
        ("DELETE FROM lab_trial WHERE sequence = 2", "trial 2 is missing"),
        ("UPDATE lab_trial SET body = REPLACE(body, 'c0de', 'c1de') WHERE sequence = 2", "trial 2"),
        ("UPDATE lab_trial SET strategy = 'another' WHERE sequence = 3", "trial 3 has other columns"),
    ],
)
def test_whoever_takes_a_look_back_past_the_triggers_is_found(statement: str, fault: str):
    record_trials([OUTCOME, tried(seed=1), tried(seed=2)])
    without_guard()
    sql(statement)
    assert any(line.startswith(fault) for line in trial_faults())
    assert any(difference.table == "lab_trial" for difference in verify_ledger().differences)  # the triggers


def test_a_tail_that_is_cut_off_is_a_finding_of_the_proof():
    record_trials([OUTCOME])
    record_trials([tried(seed=1), tried(seed=2)])
    assert verify_ledger().checked["lab_trial"] == 3 and verify_ledger().ok
    without_guard()
    sql("DELETE FROM lab_trial WHERE sequence > 1")
    assert any("the trials after 1 were cut off: 3 were published" in line for line in trial_faults())
    cuts = [of for of in verify_ledger().differences if of.kind == "head" and "folder" in str(of.field)]
    assert [(cut.table, cut.stored, str(cut.expected)[:2]) for cut in cuts] == [("lab_trial", 1, "3 ")]


def test_a_tail_that_is_made_anew_is_a_finding_too():
    record_trials([OUTCOME])
    record_trials([tried(seed=1)])
    without_guard()
    sql("DELETE FROM lab_trial WHERE sequence = 2")
    with patch.object(heads, "publish"):
        record_trials([tried(seed=7)])
    assert list(trial_faults()) == ["trial 2 is another than the one that was published"]
    assert any(of.kind == "head" and of.table == "lab_trial" for of in verify_ledger().differences)


@pytest.mark.parametrize(
    "change", ["sequence = 0", "state = 'odd'", "last_day = '2000-01-01'", "strategy = ''", "previous_mac = mac"]
)
def test_the_database_refuses_by_itself_what_python_refuses(change: str):
    record_trials([OUTCOME, tried(seed=1)])
    without_guard()
    change = "previous_mac = ''" if change == "previous_mac = mac" else change
    with pytest.raises(DatabaseError):
        sql(f"UPDATE lab_trial SET {change}")


def test_trials_are_in_every_backup():
    record_trials([OUTCOME])
    path = back_up()
    record_trials([tried(seed=1)])
    restore(path, force=True)
    assert [outcome.setup.key for outcome in trials_on("ema_cross", DAYS)] == [SETUP.key]
    assert record_trials([tried(seed=2)]) == 1
    assert verify_ledger().ok and list(trial_faults()) == []
    without_guard()
    sql("DELETE FROM lab_trial WHERE sequence = 2")
    assert any(line.startswith("the trials after 1 were cut off") for line in trial_faults())


def test_a_restored_registry_has_its_head_at_once():
    record_trials([OUTCOME, tried(seed=1)])
    restore(back_up(), force=True)
    without_guard()
    sql("DELETE FROM lab_trial WHERE sequence = 2")
    assert any(line.startswith("the trials after 1 were cut off") for line in trial_faults())


def test_a_ledger_without_room_for_trials_is_told_to_be_migrated(no_tables: Any):
    with pytest.raises(LedgerNotReady, match="migrate"):
        record_trials([OUTCOME])


def test_two_who_record_at_once_make_one_chain():
    def record(seed: int) -> int:
        try:
            return record_trials([tried(seed=seed), OUTCOME])
        finally:
            connections.close_all()

    with ThreadPoolExecutor(4) as threads:
        assert sum(threads.map(record, range(8))) == 9
    assert list(trial_faults()) == []
