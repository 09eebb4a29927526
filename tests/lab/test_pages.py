"""The pages of the lab: the figures of their commands, files beside tables, a fixed number of queries."""

from __future__ import annotations

import csv
import io
import json
import re
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from lab.domain.trials import TrialOutcome
from lab.models import KeptRun, SignalModel
from lab.operations.record_run import BACKTEST, record_run
from lab.operations.record_trials import record_trials
from lab.queries.trials import trials_on
from lab.web.drawings import surface_map
from tests import page_desk
from tests.lab import lab_desk
from tests.trading.test_web_pages import Read, read, words
from trading import summon
from trading.domain import amounts, display

__all__ = ["read"]

QUERIES_MAX = 14  # the login's and the account's among them


@pytest.fixture(autouse=True)
def desk(ledger: Any, made_as: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(summon, "summon", lambda: None)
    made_as(lab_desk.filled)


def told(kind: str) -> tuple[int, dict]:
    row = KeptRun.objects.filter(kind=kind).latest("pk")
    return row.pk, json.loads(row.body)


def money(text: str) -> str:
    return amounts.money_text(Decimal(text), "INR", signed=True)


@pytest.mark.parametrize("kind", ["optimize", "backtest", "stop_lab", "gap"])
def test_a_page_tells_what_its_command_tells_and_hands_it_on(read: Read, client: Client, kind: str):
    answer = json.loads(lab_desk.answered(kind))
    pk, kept = told(kind)
    assert kept == answer
    page = words(read(f"/lab/runs/{pk}/"))
    assert kind == "gap" or f"Trials on these days (N) {answer['trials']}" in page
    if kind == "stop_lab":
        for row in answer["rules"]:
            assert f"{row['rule']}" in page and f"{row['stopped']} {row['censored']} {money(row['pnl'])}" in page
    elif kind == "gap":
        for name, amount in answer["waterfall"].items():
            assert f"{name.replace('_', ' ').capitalize().replace('pnl', 'P&L')} {money(amount)}" in page
    else:
        assert money(answer["total_pnl"]) in page
        shown = [display.ratio(100 * answer[name], decimals=1) for name in ("psr", "dsr", "pbo") if answer[name]]
        assert all(figure in page.replace("−", "-") for figure in shown)
        assert all(page.count(reason.replace("`", "")) == 1 for reason in answer["why"].values())
    download = client.get(f"/lab/runs/{pk}/", {"format": "json"})
    assert json.loads(download.content) == answer
    assert download["Content-Disposition"].startswith("attachment")


def test_the_windows_and_the_surface_are_those_of_the_search(read: Read, client: Client):
    pk, answer = told("optimize")
    windows, surface = words(read(f"/lab/runs/{pk}/windows/")), words(read(f"/lab/runs/{pk}/surface/"))
    for row in answer["windows"]:
        assert money(row["test_pnl"]) in windows
    for row in answer["surface"]:
        objective, near = (money(f"{row[name]:.2f}") for name in ("objective", "neighbours"))
        assert f"fast {row['parameters']['fast']}, slow {row['parameters']['slow']} {objective} {near}" in surface
    assert "fast by slow" in surface
    [head, *rows] = csv.reader(io.StringIO(client.get(f"/lab/runs/{pk}/windows/", {"format": "csv"}).content.decode()))
    assert head == list(answer["windows"][0])
    assert [row[head.index("test_pnl")] for row in rows] == [row["test_pnl"] for row in answer["windows"]]
    [head, *rows] = csv.reader(io.StringIO(client.get(f"/lab/runs/{pk}/surface/", {"format": "csv"}).content.decode()))
    assert [json.loads(row[0]) for row in rows] == [row["parameters"] for row in answer["surface"]]


def test_the_days_of_a_backtest_add_up_to_its_headline(read: Read, client: Client):
    pk, answer = told("backtest")
    text = client.get(f"/lab/runs/{pk}/", {"format": "csv"}).content.decode() if read("/lab/") else ""
    [head, *rows] = csv.reader(io.StringIO(text))
    assert sum(Decimal(row[head.index("pnl")]) for row in rows) == Decimal(answer["total_pnl"])
    assert sum(int(row[head.index("closed")]) for row in rows) == answer["trades_closed"]
    assert len(rows) == answer["days"]


def test_a_card_shows_what_the_command_says(read: Read, client: Client):
    card = json.loads(lab_desk.answered("signal_model"))
    pk = SignalModel.objects.get().pk
    page = words(read(f"/lab/models/{pk}/"))
    assert f"Verdict {card['verdict']}" in page and f"Signals {card['labels']}" in page
    for row in card["learners"]:
        assert f"{row['r2']:.3f}".replace("-", "−") in page
    for step in card["calibration"]:
        figures = (f"{step[name]:.3f}".replace("-", "−") for name in ("predicted", "outcome"))
        assert f"{step['signals']} {' '.join(figures)}" in page
    assert all(check["check"].capitalize() in page for check in card["checks"])
    assert json.loads(client.get(f"/lab/models/{pk}/", {"format": "json"}).content) == card


def test_the_list_has_the_newest_answer_of_each_run_of_one_account(read: Read):
    page = words(read("/lab/"))
    assert "5 runs with its capital, 1 model of its signals" in page
    assert all(title in page for title in ("Backtest", "Search", "Other stops", "Live against backtest", "edgy"))
    _, answer = told("backtest")
    record_run(BACKTEST, json.dumps({**answer, "trials": 77}), account="main", strategy="ema_cross",
               days=(KeptRun.objects.first().first_day,) * 2, run=answer["run"])  # fmt: skip
    page = words(read("/lab/"))
    assert "5 runs" in page and " 77 " in page
    other = words(read("/lab/", account="replay"))
    assert "0 runs" in other and "No run was made with this account’s capital yet" in other
    assert "No model was trained yet" in other and "ema_cross" in other  # the count is of every account


def test_looks_that_came_after_a_run_are_said(read: Read):
    pk, _ = told("backtest")
    assert "Since then" not in words(read(f"/lab/runs/{pk}/"))
    outcome = trials_on("ema_cross", [KeptRun.objects.get(pk=pk).first_day])[0]
    setup = replace(outcome.setup, seed=9)
    record_trials([TrialOutcome(setup=setup, digests=outcome.digests)])
    assert "Since then 1 more trial of ema_cross was made" in words(read(f"/lab/runs/{pk}/"))
    gap, _ = told("gap")  # no odds are told of what was booked
    assert "Since then" not in words(read(f"/lab/runs/{gap}/"))


def test_pages_ask_the_same_number_of_questions_whatever_they_show(read: Read, client: Client):
    pages = {
        "/lab/": None, f"/lab/runs/{told('backtest')[0]}/": None, f"/lab/runs/{told('optimize')[0]}/": None,
        f"/lab/runs/{told('optimize')[0]}/surface/": None, f"/lab/runs/{told('optimize')[0]}/windows/": None,
        f"/lab/runs/{told('stop_lab')[0]}/": None, f"/lab/runs/{told('gap')[0]}/": None,
        f"/lab/models/{SignalModel.objects.get().pk}/": None,
    }  # fmt: skip

    def count(address: str) -> int:
        with CaptureQueriesContext(
            connection,
        ) as asked:
            read(address)
        return len(asked)

    before = {address: count(address) for address in pages}
    assert max(before.values()) <= QUERIES_MAX, before
    _, answer = told("backtest")
    for number in range(20):
        record_run(BACKTEST, json.dumps({**answer, "seed": number}), account="main", strategy="ema_cross",
                   days=(KeptRun.objects.first().first_day,) * 2, run=f"r{number}")  # fmt: skip
    assert {address: count(address) for address in pages} == before


@pytest.mark.parametrize("part", ["surface", "windows"])
def test_what_is_no_search_has_neither_surface_nor_windows(client: Client, read: Read, part: str):
    read("/lab/")
    assert client.get(f"/lab/runs/{told('backtest')[0]}/{part}/").status_code == 404
    assert client.get("/lab/runs/999/").status_code == client.get("/lab/models/999/").status_code == 404
    assert client.get(f"/lab/runs/{told('backtest')[0]}/", {"format": "xml"}).status_code == 404


def test_a_surface_is_drawn_of_two_parameters_only():
    def row(objective: float | None, **parameters: float) -> Any:
        return {"parameters": parameters, "objective": objective, "neighbours": None}

    drawn = surface_map([row(2.0, a=1, b=1, c=3), row(-1.0, a=1, b=2, c=3), row(None, a=2, b=1, c=3)])
    assert (drawn.first, drawn.second, drawn.columns) == ("a", "b", [1, 2])
    [(one, [high, low]), (two, [failed, untried])] = drawn.lines
    assert (one, two, high.strength, high.tone, low.strength, low.tone) == (1, 2, 3, "gain", 2, "loss")
    assert failed.objective is untried.objective is None and failed.strength == 0
    assert surface_map([row(1.0, a=1), row(1.0, a=2)]) is None
    assert surface_map([]) is None
    assert surface_map([row(1.0, a=number, b=number % 2) for number in range(50)]) is None


def test_names_are_escaped(read: Read):
    _, answer = told("backtest")
    record_run(BACKTEST, json.dumps({**answer, "source": "<b>x</b>"}), account="main", strategy=page_desk.EVIL_STRATEGY,
               days=(KeptRun.objects.first().first_day,) * 2, run="evil")  # fmt: skip
    page = read(f"/lab/runs/{KeptRun.objects.latest('pk').pk}/")
    assert "<b>x</b>" not in page and "<i>" not in page
    assert not re.search(r'style="', page)
