"""Walk-forward: parameters are chosen on the days before, and only the days after tell what that was worth."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import TypedDict

import numpy as np

from lab.backtest.charging import charged_as
from lab.backtest.code_digest import code_digest
from lab.backtest.days import TickQuestion, symbols_of
from lab.backtest.headline import headline
from lab.domain import space
from lab.domain.fills import UNKNOWN, FillModel
from lab.domain.odds import minimum_backtest_years, overfitting
from lab.domain.space import ParameterSet
from lab.domain.trials import DayDigest, TrialState
from lab.domain.windows import Objective, Window, windows_of
from lab.operations.record_run import OPTIMIZE, record_run
from lab.optimise.engines import LOCAL, Working, working
from lab.optimise.extras import need, of_extra
from lab.optimise.trying import Trying, days_of
from lab.queries.trials import trials_on
from timeseries.reader import Reader
from trading.domain.chain import canonical
from trading.domain.money import from_units
from trading.domain.plain_json import to_json
from trading.domain.statistics import sharpe
from trading.errors import InvalidValue
from trading.models import Account
from trading.queries.accounts import capital_flows
from trading.strategies.loading import load_strategy
from trading.strategies.parameters import ParameterSpan, Setting, parameters_of, set_parameters, spans_of
from trading.transactions import ask

GROUPS_MAX = 10  # of days, for the probability of overfitting: 252 ways to halve them
NULL_SAMPLES = 200
RUN_CHARACTERS = 16
GRID, RANDOM, GUIDED = "grid", "random", "tpe"
SEARCHES = (GRID, RANDOM, GUIDED)


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchRequest:
    """What to search: which parameters of a strategy, how, on which ticks, filled how, with whose capital."""

    strategy: str
    ticks: TickQuestion
    capital: Account
    model: FillModel
    objective: Objective
    search: str
    trials: int
    train_days: int
    test_days: int
    vary: Sequence[str] = ()
    settings: Mapping[str, Setting] | None = None
    seed: int = 0
    jobs: int = 1
    engine: str = LOCAL
    cluster: str | None = None


class WindowRow(TypedDict):
    """One window: what was chosen on its train days, and what that brought on its test days."""

    train_from: date
    train_to: date
    test_from: date
    test_to: date
    parameters: dict[str, int | float] | None
    train_objective: float | None
    test_pnl: Decimal
    test_trades: int


class SurfaceRow(TypedDict):
    """One set: its objective over all days, and the mean of the sets nearest to it."""

    parameters: dict[str, int | float]
    objective: float | None
    neighbours: float | None


class SearchAnswer(TypedDict):
    """A search's JSON object. Every figure but `surface` is of the joined test days."""

    run: str
    strategy: str
    objective: str
    search: str
    seed: int
    first_day: date
    last_day: date
    days: int
    test_days: int
    latency_ms: int
    slippage_ticks: int
    charges: str
    sets: int
    failed: int
    windows: list[WindowRow]
    trades_opened: int
    trades_closed: int
    censored: int
    unfilled: int
    total_pnl: Decimal
    sharpe: float | None
    trials: int
    trials_effective: float | None
    psr: float | None
    dsr: float | None
    pbo: float | None
    pbo_null: float | None
    pbo_null_low: float | None
    pbo_null_high: float | None
    track_record_days: float | None
    minimum_backtest_years: float
    why: dict[str, str]
    surface: list[SurfaceRow]


@dataclass(frozen=True, slots=True)
class WindowChoice:
    """A window, the set that was chosen on its train days (None: none could be), and what its test days brought."""

    window: Window
    numbers: ParameterSet | None
    objective: float | None
    digests: Sequence[DayDigest]


def walk_forward(request: SearchRequest, reader: Reader) -> SearchAnswer:
    """Search parameters walking forward, record every trial, and return what the chosen ones brought out of sample.

    The same search again answers the same, and goes on where it was broken off.

    Raises: InvalidValue for what cannot be searched; MissingExtra, TicksChanged, StoreUnavailable, LedgerBusy,
        LedgerNotReady.
    """
    if request.objective is Objective.NET and request.model.charged == UNKNOWN:
        raise InvalidValue(
            "Without charges nothing is net.", field="objective", hint="Give --charges, or --objective pnl."
        )
    if request.search == GUIDED:
        need("optuna", "lab", "--search tpe")
    with working(request.engine, request.jobs, request.cluster) as answers:
        trying, spans = _begun(request, reader, answers)
        windows = windows_of(list(trying.days), request.train_days, request.test_days)
        _search(request, trying, spans, windows)
    choices = [_choice(window, trying, request.objective) for window in windows]
    answer = _answer(request, trying, spans, choices)
    span, name = (answer["first_day"], answer["last_day"]), answer["strategy"]
    record_run(OPTIMIZE, to_json(answer), account=request.capital.code, strategy=name, days=span, run=answer["run"])
    return answer


def _begun(request: SearchRequest, reader: Reader, answers: Working) -> tuple[Trying, dict[str, ParameterSpan]]:
    strategy = load_strategy(request.strategy)
    if strategy is None:
        raise InvalidValue("There is nothing to search.", field="strategy", hint="Name a strategy.")
    if request.trials < 1:
        raise InvalidValue(f"trials is {request.trials}.", field="trials", hint="Give at least 1.")
    set_parameters(strategy, request.settings or {})
    spans = space.vary(spans_of(strategy), request.vary)
    fixed = [(name, setting) for name, setting in parameters_of(strategy).items() if name not in spans]
    symbols = tuple(symbols_of(reader, request.ticks))
    days = days_of(request.ticks, symbols, reader)
    trying = Trying(
        request.strategy, strategy, tuple((name, setting) for name, setting in fixed if not isinstance(setting, str)),
        request.ticks, symbols, request.model, days, answers, code_digest(strategy),
    )  # fmt: skip
    return trying, spans


def _search(
    request: SearchRequest, trying: Trying, spans: Mapping[str, ParameterSpan], windows: Sequence[Window]
) -> None:
    """Try the sets that the search comes to."""
    if request.search == GRID:
        trying.try_sets(space.grid(spans, request.trials), space.size_of(spans))
    elif request.search == RANDOM:
        trying.try_sets(space.drawn(spans, request.trials, request.seed), request.trials)
    else:
        guided = of_extra("lab.optimise.guided.guided", "optuna", "lab", "--search tpe")
        for number, window in enumerate(windows):  # each knows its own train days alone

            def judge(sets: Sequence[ParameterSet], window: Window = window) -> list[float | None]:
                trying.try_sets(sets, request.trials * len(windows))
                return [_objective(trying, numbers, window.train, request.objective) for numbers in sets]

            guided(spans, request.trials, request.seed + number, judge)


def _objective(trying: Trying, numbers: ParameterSet, days: Sequence[date], objective: Objective) -> float | None:
    """Return the objective of a set over some days; None where it failed."""
    outcome = trying.outcomes[numbers]
    if outcome.state is not TrialState.FINISHED:
        return None
    if objective is Objective.NET and any(digest.uncharged for digest in outcome.digests):
        raise InvalidValue(
            f"The schedule does not know all charges of {', '.join(outcome.setup.symbols)} on these days.",
            field="objective",
            hint="`manage.py backtest` with the same --charges says which; give a percentage, or --objective pnl.",
        )
    pnl = {day: digest.pnl for day, digest in zip(outcome.setup.days, outcome.digests, strict=True)}
    worth = objective.of([pnl[day] for day in days])
    return worth if np.isfinite(worth) else None


def _choice(window: Window, trying: Trying, objective: Objective) -> WindowChoice:
    """Choose the best set of a window's train days, the first of equal ones."""
    worth = {numbers: _objective(trying, numbers, window.train, objective) for numbers in trying.outcomes}
    defined = {numbers: number for numbers, number in worth.items() if number is not None}
    if not defined:
        return WindowChoice(window, None, None, [DayDigest()] * len(window.test))  # nothing was traded
    best = max(defined, key=lambda numbers: defined[numbers])
    outcome = trying.outcomes[best]
    by_day = dict(zip(outcome.setup.days, outcome.digests, strict=True))
    return WindowChoice(window, best, defined[best], [by_day[day] for day in window.test])


def _answer(
    request: SearchRequest, trying: Trying, spans: Mapping[str, ParameterSpan], choices: Sequence[WindowChoice]
) -> SearchAnswer:
    days = list(trying.days)
    tested = [
        (day, digest) for choice in choices for day, digest in zip(choice.window.test, choice.digests, strict=True)
    ]
    pnl = {day: digest.pnl for day, digest in tested}
    digests = [digest for _, digest in tested]
    name = trying.strategy.strategy_id
    flows = ask(capital_flows, request.capital, until=days[-1])
    odds = headline(pnl, list(pnl), flows, ask(trials_on, name, list(pnl)))
    overfit, reason = _overfitting(trying, days)
    why = dict(odds.why) | ({"pbo": reason} if reason else {})
    daily = [float(amount) for amount in pnl.values()]
    return {
        "run": _run(request, trying, spans),
        "strategy": name,
        "objective": str(request.objective),
        "search": request.search,
        "seed": request.seed,
        "first_day": days[0],
        "last_day": days[-1],
        "days": len(days),
        "test_days": len(pnl),
        "latency_ms": request.model.latency_ms,
        "slippage_ticks": request.model.slippage_ticks,
        "charges": charged_as(request.model),
        "sets": len(trying.outcomes),
        "failed": sum(outcome.state is TrialState.FAILED for outcome in trying.outcomes.values()),
        "windows": [_row(choice) for choice in choices],
        "trades_opened": sum(digest.opened for digest in digests),
        "trades_closed": sum(digest.closed for digest in digests),
        "censored": sum(digest.censored for digest in digests),
        "unfilled": sum(digest.unfilled for digest in digests),
        "total_pnl": from_units(sum(pnl.values())),
        "sharpe": sharpe(daily) if odds.psr is not None else None,
        "trials": odds.trials,
        "trials_effective": odds.trials_effective,
        "psr": odds.psr,
        "dsr": odds.dsr,
        **overfit,
        "track_record_days": odds.track_record_days,
        "minimum_backtest_years": minimum_backtest_years(max(odds.trials, 1)),
        "why": why,
        "surface": _surface(trying, spans, days, request.objective),
    }


def _run(request: SearchRequest, trying: Trying, spans: Mapping[str, ParameterSpan]) -> str:
    """Return the name of the search: the same search of the same ticks has the same."""
    body = canonical({
        "strategy": request.strategy, "code": trying.code, "fixed": dict(trying.fixed), "symbols": trying.symbols,
        "vary": {name: [span.low, span.high, span.step] for name, span in spans.items()}, "search": request.search,
        "objective": str(request.objective), "trials": request.trials, "seed": request.seed,
        "windows": [request.train_days, request.test_days], "ticks": list(trying.days.values()),
        "fills": [request.model.latency_ms, request.model.slippage_ticks, charged_as(request.model)],
    })  # fmt: skip
    return hashlib.sha256(body.encode()).hexdigest()[:RUN_CHARACTERS]


def _row(choice: WindowChoice) -> WindowRow:
    return {
        "train_from": choice.window.train[0],
        "train_to": choice.window.train[-1],
        "test_from": choice.window.test[0],
        "test_to": choice.window.test[-1],
        "parameters": None if choice.numbers is None else dict(choice.numbers),
        "train_objective": choice.objective,
        "test_pnl": from_units(sum(digest.pnl for digest in choice.digests)),
        "test_trades": sum(digest.closed for digest in choice.digests),
    }


class OverfittingFigures(TypedDict):
    """The probability of overfitting beside what it is without skill."""

    pbo: float | None
    pbo_null: float | None
    pbo_null_low: float | None
    pbo_null_high: float | None


def _overfitting(trying: Trying, days: Sequence[date]) -> tuple[OverfittingFigures, str]:
    """Return the probability that the best of all sets is overfitted, over all days; and why there is none."""
    finished = [outcome for outcome in trying.outcomes.values() if outcome.state is TrialState.FINISHED]
    groups = min(GROUPS_MAX, len(days) // 2 // 2 * 2)
    if len(finished) < 2 or groups < 4:
        none: OverfittingFigures = {"pbo": None, "pbo_null": None, "pbo_null_low": None, "pbo_null_high": None}
        return none, "fewer than two sets" if len(finished) < 2 else "fewer than eight days"
    pnl = np.array([[digest.pnl / 1e8 for digest in outcome.digests] for outcome in finished]).T
    overfit = overfitting(pnl, groups, samples=NULL_SAMPLES)
    return {
        "pbo": overfit.probability,
        "pbo_null": overfit.null,
        "pbo_null_low": overfit.null_low,
        "pbo_null_high": overfit.null_high,
    }, ""


def _surface(
    trying: Trying, spans: Mapping[str, ParameterSpan], days: Sequence[date], objective: Objective
) -> list[SurfaceRow]:
    """Return every set with its objective and its neighbours', the best first."""
    sets = list(trying.outcomes)
    worth = [_objective(trying, numbers, days, objective) for numbers in sets]
    rows: list[SurfaceRow] = []
    for numbers, own, places in zip(sets, worth, space.neighbours(sets, spans), strict=True):
        near = [number for place in places if (number := worth[place]) is not None]
        rows.append({
            "parameters": dict(numbers),
            "objective": own,
            "neighbours": float(np.mean(near)) if near else None,
        })  # fmt: skip
    return sorted(rows, key=lambda row: (row["objective"] is None, -(row["objective"] or 0.0)))
