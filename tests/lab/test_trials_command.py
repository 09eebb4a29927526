"""`manage.py trials`."""

from __future__ import annotations

import io
import json

import pytest
from django.core.management import call_command

from lab.operations.record_trials import record_trials
from tests.lab.test_trials import OUTCOME, tried, without_guard
from tests.trading.book import sql


def told() -> dict:
    out = io.StringIO()
    call_command("trials", format="json", stdout=out)
    return json.loads(out.getvalue())


def test_each_strategy_is_told_with_how_often_it_was_tried(ledger):
    assert told() == {"strategies": [], "faults": []}
    record_trials([tried(seed=seed) for seed in range(45)])
    record_trials([tried(strategy="a second")])
    second, first = told()["strategies"]
    assert (second["strategy"], second["trials"], second["minimum_backtest_years"]) == ("a second", 1, 0)
    assert (first["trials"], first["failed"], first["first_day"], first["last_day"]) == (
        45, 0, "2021-04-12", "2021-04-13",
    )  # fmt: skip
    assert first["minimum_backtest_years"] == pytest.approx(4.998, abs=1e-3)


def test_a_registry_that_is_not_whole_is_a_finding(ledger):
    record_trials([OUTCOME, tried(seed=1)])
    without_guard()
    sql("DELETE FROM lab_trial WHERE sequence = 1")
    out = io.StringIO()
    with pytest.raises(SystemExit) as ended:
        call_command("trials", stdout=out)
    assert ended.value.code == 1
    assert "trial 1 is missing" in out.getvalue()
