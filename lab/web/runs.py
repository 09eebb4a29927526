"""The pages of the lab's runs: all of them, one, and of a search its surface and its windows."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from decimal import Decimal

from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.views.decorators.http import require_safe

from lab.domain.windows import Objective
from lab.models import KeptRun
from lab.operations.record_run import BACKTEST, CANDLES, GAP, MOTIFS, OPTIMIZE, STOP_LAB
from lab.queries.runs import ToldRun, ToldWindow, days_of_run, has_run, looks_since, run_keys, told_runs
from lab.queries.signal_models import card_of, models_of
from lab.queries.trials import trial_counts
from lab.web.drawings import bars_of, curve_of, surface_map
from lab.web.files import asked_file
from lab.web.templatetags.lab_cells import objective_title, step_title
from trading.domain.money import from_units
from trading.domain.plain_json import to_json
from trading.models import Account
from trading.queries.accounts import all_accounts, pick_account
from trading.web.choice import AccountChoice, chosen_account, page
from trading.web.templatetags.velox import day as day_title

PER_PAGE, SETS_SHOWN, TRADES_SHOWN = 25, 100, 200
SECTION = "lab"
TITLES = {BACKTEST: "Backtest", OPTIMIZE: "Search", STOP_LAB: "Other stops", GAP: "Live against backtest",
          CANDLES: "Candlesticks", MOTIFS: "Motifs"}  # fmt: skip


@require_safe
def run_list(request: HttpRequest) -> HttpResponse:
    """Show what was tried: the runs of an account, its models, and how often each strategy was looked at in all."""
    choice = chosen_account(request)
    keys = Paginator(run_keys(choice.account.code), PER_PAGE).get_page(request.GET.get("page"))
    models = models_of(choice.account.code)
    is_demo = choice.account.book == Account.Book.DEMO
    return page(
        request, "lab/runs.html", SECTION, choice,
        keys=keys, runs=[(run, TITLES.get(run.row.kind, run.row.kind)) for run in told_runs(list(keys.object_list))],
        models=[(row, card_of(row)) for row in models], counts=trial_counts(),
        is_making=is_demo and not has_run(choice.account.code, OPTIMIZE),  # the last that a demo makes
    )  # fmt: skip


@require_safe
def run_page(request: HttpRequest, pk: int) -> HttpResponse:
    """Show one run: its figures, the odds that they are luck, and what is missing with its reason."""
    run, choice = _run(pk)
    answer, currency = run.answer, choice.account.currency
    if run.row.kind == STOP_LAB:
        return _stops(request, run, choice)
    if run.row.kind == GAP:
        return _gap(request, run, choice)
    if run.row.kind in (CANDLES, MOTIFS):
        return _patterns(request, run, choice)
    days = days_of_run(run.row) if run.row.kind == BACKTEST else {}
    rows = [{"day": day, **digest._asdict(), "pnl": from_units(digest.pnl), "charges": from_units(digest.charges)}
            for day, digest in days.items()]  # fmt: skip
    file = asked_file(request, f"run-{run.row.run}", run.row.body, to_json(rows or answer.get("windows", [])))
    if file is not None:
        return file
    amounts = [row["pnl"] for row in rows] or [Decimal(window["test_pnl"]) for window in answer.get("windows", [])]
    labels = [day_title(day) for day in days] or _test_ends(answer.get("windows", []))
    return page(
        request, "lab/run.html", SECTION, choice,
        run=run, answer=answer, title=TITLES.get(run.row.kind, run.row.kind), is_search=run.row.kind == OPTIMIZE,
        chart=curve_of("P&L so far, day by day" if days else "P&L of the test days so far", labels, amounts, currency),
        since=looks_since(run.row),
    )  # fmt: skip


def _stops(request: HttpRequest, run: ToldRun, choice: AccountChoice) -> HttpResponse:
    rules = run.answer["rules"]
    names, amounts = [rule["rule"] for rule in rules], [Decimal(rule["pnl"]) for rule in rules]
    title = "P&L of each rule before the days held out" if run.answer["held_out_from"] else "P&L of each rule"
    chart = bars_of(title, names, amounts, choice.account.currency)
    file = asked_file(request, f"stops-{run.row.run}", run.row.body, to_json(rules))
    return file or page(
        request, "lab/stops.html", SECTION, choice,
        run=run, answer=run.answer, chart=chart, since=looks_since(run.row),
    )  # fmt: skip


def _gap(request: HttpRequest, run: ToldRun, choice: AccountChoice) -> HttpResponse:
    steps, trades = run.answer["waterfall"], run.answer["trades"]
    labels = list(map(step_title, steps))
    chart = bars_of("From the backtest to the live book", labels, list(map(Decimal, steps.values())),
                    choice.account.currency)  # fmt: skip
    rows = [
        {**{key: cell for key, cell in trade.items() if key != "waterfall"}, **trade["waterfall"]} for trade in trades
    ]
    file = asked_file(request, f"gap-{run.row.run}", run.row.body, to_json(rows))
    return file or page(
        request, "lab/gap.html", SECTION, choice,
        run=run, answer=run.answer, steps=steps.items(), names=list(steps), chart=chart,
        trades=[(trade, list(trade["waterfall"].values())) for trade in trades[:TRADES_SHOWN]],
        left_off=max(0, len(trades) - TRADES_SHOWN),  # no look since makes a booked trade likelier to be luck
    )  # fmt: skip


def _patterns(request: HttpRequest, run: ToldRun, choice: AccountChoice) -> HttpResponse:
    rows = run.answer["patterns"]
    file = asked_file(request, f"patterns-{run.row.run}", run.row.body, to_json(rows))
    return file or page(
        request, "lab/patterns.html", SECTION, choice,
        run=run, answer=run.answer, title=TITLES[run.row.kind], is_motifs=run.row.kind == MOTIFS,
        patterns=rows[:TRADES_SHOWN], holding=sum(row["holds"] for row in rows), since=looks_since(run.row),
    )  # fmt: skip


@require_safe
def surface_page(request: HttpRequest, pk: int) -> HttpResponse:
    """Show every set of a search with the sets nearest to it: a peak that stands alone is luck."""
    run, choice = _search(pk)
    sets = run.answer["surface"]
    file = asked_file(request, f"surface-{run.row.run}", run.row.body, to_json(sets))
    if file is not None:
        return file
    best = [row for row in sets if row["objective"] is not None]
    labels = ["the best", *([""] * (len(best) - 2)), "the worst"][: len(best)]
    currency = unit_of(run, choice)
    return page(
        request, "lab/surface.html", SECTION, choice,
        run=run, answer=run.answer, sets=sets[:SETS_SHOWN], left_off=max(0, len(sets) - SETS_SHOWN),
        surface=surface_map(sets),
        chart=bars_of(f"{objective_title(run.answer['objective'])} of each set", labels,
                      [row["objective"] or 0.0 for row in best], currency),
        unit=currency,
    )  # fmt: skip


@require_safe
def windows_page(request: HttpRequest, pk: int) -> HttpResponse:
    """Show the windows of a walk-forward: what was chosen on its train days, and what that brought after them."""
    run, choice = _search(pk)
    windows = run.answer["windows"]
    file = asked_file(request, f"windows-{run.row.run}", run.row.body, to_json(windows))
    amounts, labels = [Decimal(window["test_pnl"]) for window in windows], _test_ends(windows)
    currency = choice.account.currency
    return file or page(
        request, "lab/windows.html", SECTION, choice,
        run=run, answer=run.answer, windows=windows, unit=unit_of(run, choice),
        chart=bars_of("P&L of each window’s test days", labels, amounts, currency),
        curve=curve_of("P&L of the test days so far", labels, amounts, currency),
    )  # fmt: skip


def unit_of(run: ToldRun, choice: AccountChoice) -> str:
    """Return the currency of a search's objective; none of a ratio."""
    return "" if run.answer["objective"] == Objective.SHARPE else choice.account.currency


def choice_of(account: str) -> AccountChoice:
    """Return the account that a row of the lab is of, among all."""
    accounts = all_accounts()
    return AccountChoice(pick_account(accounts, account), accounts)


def _test_ends(windows: Sequence[ToldWindow]) -> list[str]:
    return [day_title(date.fromisoformat(window["test_to"])) for window in windows]


def _run(pk: int) -> tuple[ToldRun, AccountChoice]:
    row = get_object_or_404(KeptRun, pk=pk)
    return ToldRun.of(row), choice_of(row.account)


def _search(pk: int) -> tuple[ToldRun, AccountChoice]:
    run, choice = _run(pk)
    if run.row.kind != OPTIMIZE:
        raise Http404("This run is no search: it has one set of parameters.")
    return run, choice
