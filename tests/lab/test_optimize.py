"""`manage.py optimize`: walking forward, again, killed midway, by two processes."""

from __future__ import annotations

import io
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pytest
from django.core.management import CommandError, call_command

from lab.domain.space import drawn, grid, neighbours, size_of, vary
from lab.domain.windows import Objective, windows_of
from lab.models import Trial
from lab.optimise import extras
from lab.queries.trials import trial_faults, trials_on
from tests.lab.made_days import OPENS, SECOND
from tests.waiting import until
from trading import summon
from trading.data_manager import DataManager
from trading.errors import InvalidValue
from trading.strategies.parameters import ParameterSpan

MANAGE = Path(__file__).parents[2] / "manage.py"
FIRST = date(2021, 4, 12)
SPAN = ("--from", "2021-04-12", "--to", "2021-04-23", "--train-days", "4", "--test-days", "2")
SMALL = ("--vary", "fast=2:4", "--vary", "slow=5:9:2", "--set", "atr_period=3", "--set", "quiet_share=0")
GRID = ("ema_cross", *SPAN, *SMALL, "--search", "grid")


def record_days(calendar_days: int = 12, ticks: int = 600) -> None:
    """Sessions of one share whose price wanders, on the weekdays of some days; a holiday among them has ticks too."""
    with DataManager(source="nse", account="main") as dm:
        for number in range(calendar_days):
            chance = np.random.default_rng(number)
            seconds = np.sort(chance.integers(0, 22_000, size=ticks))
            price = 1900 + chance.normal(0, 1.5, size=ticks).cumsum() + 9 * np.sin(np.arange(ticks) / 40)
            at = OPENS + (number * 86_400 + seconds) * SECOND
            dm.process_ticks({"symbol": ["RELIANCE"] * ticks, "timestamp": at, "ltp": np.round(price, 1)})


@pytest.fixture(autouse=True)
def desk(ledger, made_as, monkeypatch):
    monkeypatch.setattr(summon, "summon", lambda: None)
    made_as(record_days)
    return ledger


def searched(*arguments: object) -> dict:
    out = io.StringIO()
    call_command("optimize", *map(str, arguments), "--format", "json", stdout=out, stderr=io.StringIO())
    return json.loads(out.getvalue())


def refused(*arguments: object) -> str:
    with pytest.raises(CommandError) as error:
        searched(*arguments)
    assert error.value.returncode == 2
    return str(error.value)


def test_only_days_after_those_that_chose_are_told():
    answer = searched(*GRID)
    days = [FIRST + timedelta(days=number) for number in range(12)]
    trading = [day for day in days if day.weekday() < 5 and day not in (date(2021, 4, 14), date(2021, 4, 21))]
    assert (answer["days"], answer["test_days"], answer["sets"]) == (len(trading), len(trading) - 4, 9)
    tested = [
        day for row in answer["windows"] for day in trading if row["test_from"] <= day.isoformat() <= row["test_to"]
    ]
    assert tested == trading[4:]
    by_set = {tuple(sorted(outcome.setup.parameters.items())): outcome for outcome in trials_on("ema_cross", trading)}
    total = 0
    for row in answer["windows"]:
        train = [day for day in trading if row["train_from"] <= day.isoformat() <= row["train_to"]]
        test = [day for day in trading if row["test_from"] <= day.isoformat() <= row["test_to"]]
        assert max(train) < min(test)
        pnl = {key: {day: digest.pnl for day, digest in zip(of.setup.days, of.digests, strict=True)}
               for key, of in by_set.items()}  # fmt: skip
        best = max(pnl, key=lambda key: sum(pnl[key][day] for day in train))
        assert row["train_objective"] == pytest.approx(sum(pnl[best][day] for day in train) / 1e8)
        assert dict(best).items() >= row["parameters"].items()
        total += sum(pnl[best][day] for day in test)
    assert float(answer["total_pnl"]) == pytest.approx(total / 1e8)
    assert answer["trades_closed"] > 5
    assert 0 <= answer["pbo"] <= 1 and answer["pbo_null"] == pytest.approx(5 / 9)
    assert len(answer["surface"]) == 9 and answer["trials"] == 9


def test_the_same_search_again_adds_no_trial_and_another_counts_on():
    first = searched(*GRID)
    assert searched(*GRID) == first
    assert Trial.objects.count() == 9
    wider = searched("ema_cross", *SPAN, "--vary", "fast=2:4", "--vary", "slow=5:10:1", *SMALL[4:], "--search", "grid")
    assert (wider["sets"], wider["trials"]) == (18, 18)  # nine of them are those of before
    assert list(trial_faults()) == []


@pytest.mark.parametrize("search", ["random", "tpe"])
def test_two_processes_tell_the_same_table_as_one(desk, search):
    if desk.vendor != "sqlite":
        return  # the second desk is a copy of the first one's file
    arguments = ["ema_cross", *SPAN, *SMALL, "--search", search, "--trials", "6"]
    copy = shutil.copytree(desk.data_dir, desk.data_dir.parent / "copy")
    command = [sys.executable, str(MANAGE), "optimize", *arguments, "--jobs", "2", "--format", "json"]
    env = {**desk.env, "VELOX_DATA_DIR": str(copy)}
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    out = io.StringIO()
    call_command("optimize", *arguments, "--format", "json", stdout=out, stderr=io.StringIO())
    assert out.getvalue() == done.stdout
    with closing(sqlite3.connect(copy / "ledger.sqlite3")) as other:
        keys = [key for (key,) in other.execute("SELECT key FROM lab_trial ORDER BY sequence")]
    assert keys == list(Trial.objects.order_by("sequence").values_list("key", flat=True))


def test_a_search_that_is_killed_goes_on_and_loses_and_doubles_no_trial(desk):
    command = [sys.executable, str(MANAGE), "optimize", "ema_cross", *SPAN, *SMALL[4:], "--vary", "fast=2:6",
               "--vary", "slow=7:14", "--search", "grid", "--format", "json"]  # fmt: skip
    process = subprocess.Popen(command, env=desk.env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    until(lambda: Trial.objects.count() >= 20 or process.poll() is not None)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    at_the_kill = dict(Trial.objects.values_list("key", "mac"))
    assert 20 <= len(at_the_kill) < 40
    answer = searched(*command[3:-2])
    assert answer["sets"] == answer["trials"] == Trial.objects.count() == 40
    assert dict(Trial.objects.filter(key__in=at_the_kill).values_list("key", "mac")) == at_the_kill
    assert list(trial_faults()) == []


def test_a_set_that_fails_is_counted_and_never_chosen(tmp_path, monkeypatch):
    (tmp_path / "strategy_that_fails_at_three.py").write_text(
        "from trading.strategies.ema_cross import EmaCross\n"
        "class Fragile(EmaCross):\n"
        "    def start_day(self, watch):\n"
        "        if self.fast == 3: raise RuntimeError('three')\n"
        "        return super().start_day(watch)\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    answer = searched("strategy_that_fails_at_three:Fragile", *SPAN, *SMALL, "--search", "grid")
    assert (answer["sets"], answer["failed"], answer["trials"]) == (9, 3, 9)
    assert all(row["parameters"]["fast"] != 3 for row in answer["windows"])
    assert [row["objective"] for row in answer["surface"][-3:]] == [None] * 3


def test_a_worker_that_is_killed_is_told_and_what_was_recorded_stands(desk, tmp_path):
    if desk.vendor != "sqlite":
        return
    (tmp_path / "strategy_that_dies.py").write_text(
        "import os, signal\nfrom trading.strategies.ema_cross import EmaCross\n"
        "class Dying(EmaCross):\n"
        "    def start_day(self, watch):\n"
        "        if self.fast == 4: os.kill(os.getpid(), signal.SIGKILL)\n"
        "        return super().start_day(watch)\n"
    )
    words = ["strategy_that_dies:Dying", *SPAN, *SMALL[4:], "--vary", "fast=2:4", "--vary", "slow=5:14", "--search"]
    command = [sys.executable, str(MANAGE), "optimize", *words, "grid", "--jobs", "2"]
    done = subprocess.run(command, env=desk.env, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 2 and "A worker ended without an answer" in done.stderr, done.stderr
    assert "Traceback" not in done.stderr
    assert Trial.objects.count() == 20 and list(trial_faults()) == []  # the batch before


def test_net_needs_charges():
    assert "nothing is net" in refused(*GRID, "--objective", "net")
    for charges in ("0.03", "zerodha"):
        answer = searched(*GRID, "--objective", "net", "--charges", charges)
        assert answer["objective"] == "net"
    assert answer["trials"] == 18
    assert "does not know all charges of RELIANCE" in refused(*GRID, "--objective", "net", "--charges", "groww")


def test_what_an_extra_has_is_named_where_it_is_missing(monkeypatch):
    monkeypatch.setattr(extras, "find_spec", lambda name: None)
    assert "extra `lab`" in refused(*GRID, "--jobs", "2")
    assert "extra `lab-ray`" in refused(*GRID, "--engine", "ray")
    assert "requirements-lab-dask.txt" in refused(*GRID, "--engine", "dask")
    assert "needs optuna" in refused(*GRID[:-1], "tpe")
    assert searched(*GRID)["sets"] == 9


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--train-days", "8"), "none to test on"),
        (("--train-days", "0"), "train_days is 0"),
        (("--test-days", "0"), "test_days is 0"),
        (("--trials", "8"), "The grid has 9 sets"),
        (("--trials", "0"), "trials is 0"),
        (("--vary", "speed"), "--vary 'speed'"),
        (("--vary", "stop_ranges=9:1"), "from 0.5 to 10.0"),
        (("--vary", "stop_ranges=1:2:0"), "LOW:HIGH"),
        (("--vary", "step_ranges=a:b"), "LOW:HIGH"),
        (("--jobs", "0"), "jobs is 0"),
        (("--cluster", "tcp://127.0.0.1:8786"), "has no cluster"),
        (("--seed", "-1"), "seed is -1"),
    ],
)
def test_what_cannot_be_searched_is_refused_with_what_to_do(arguments, words):
    assert words in refused(*GRID, *arguments)


def test_a_table_has_the_windows_and_the_surface():
    out = io.StringIO()
    call_command("optimize", *GRID, stdout=out)
    for words in ("Out of sample", "Overfitted", "Windows", "Its neighbours", "fast=2 slow=5"):
        assert words in out.getvalue()


# -- the parts ---------------------------------------------------------------------------------------------------------

SPANS = {"a": ParameterSpan(1, 3), "b": ParameterSpan(0.1, 0.5, 0.1)}


def test_a_grid_is_every_set_in_order_without_the_digits_of_added_floats():
    assert [dict(numbers) for numbers in grid(SPANS, 15)][:5] == [{"a": 1, "b": n / 10} for n in range(1, 6)]
    assert size_of(SPANS) == 15
    with pytest.raises(InvalidValue, match="15 sets"):
        grid(SPANS, 14)


def test_sets_drawn_are_all_different_and_the_same_for_a_seed():
    assert drawn(SPANS, 7, 1) == drawn(SPANS, 7, 1) != drawn(SPANS, 7, 2)
    assert len(set(drawn(SPANS, 14, 1))) == 14
    assert drawn(SPANS, 99, 1) == grid(SPANS, 99)


def test_neighbours_are_a_step_away():
    sets = grid(SPANS, 15)
    near = neighbours(sets, SPANS)[7]  # a = 2, b = 0.3
    assert {tuple(dict(sets[place]).values()) for place in near} == {(2, 0.2), (2, 0.4), (1, 0.3), (3, 0.3)}
    assert neighbours(sets[:1], SPANS) == [[]]


def test_what_varies_is_named_once_and_within_its_span():
    assert vary(SPANS, []) == SPANS
    assert vary(SPANS, ["b=0.2:0.4"]) == {"b": ParameterSpan(0.2, 0.4, 0.1)}
    for words in (["a", "a"], ["c"], ["a=0:3"], ["a=1:2:3:4"], ["a=1"], ["a=1.5:2"]):
        with pytest.raises(InvalidValue):
            vary(SPANS, words)


def test_windows_go_on_without_a_gap_and_the_last_may_be_short():
    days = [FIRST + timedelta(days=number) for number in range(9)]
    windows = windows_of(days, 4, 2)
    assert [day for window in windows for day in window.test] == days[4:]
    assert [len(window.train) for window in windows] == [4, 4, 4]
    assert len(windows[-1].test) == 1


def test_an_objective_that_is_not_defined_is_the_lowest():
    assert Objective.SHARPE.of([5, 5, 5]) == -float("inf")
    assert Objective.PNL.of([10**8, -3 * 10**8]) == -2
