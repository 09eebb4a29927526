"""A backtest: one walk over stored ticks, its figures, and its place among all that was ever tried."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import TypedDict

from lab.backtest import outcome
from lab.backtest.charging import ChargedLines, charge_by_plan, charged_as
from lab.backtest.code_digest import code_digest, versions
from lab.backtest.days import DayTicks, TickQuestion, days_with_ticks, symbols_of, ticking_days
from lab.backtest.desk import LabDesk
from lab.backtest.headline import headline
from lab.backtest.market import instrument_of
from lab.backtest.orders import OrderBook
from lab.backtest.skipping import can_skip, skipping
from lab.backtest.walk import plainly, walk
from lab.domain.fills import FillModel
from lab.domain.trials import DayDigest, TrialOutcome, TrialSetup, TrialState
from lab.operations.record_run import BACKTEST, record_run
from lab.operations.record_trials import record_trials
from lab.queries.trials import trials_on
from timeseries.reader import Reader
from trading.domain.money import from_units
from trading.domain.plain_json import to_json
from trading.domain.shapes import PeriodFigures
from trading.errors import InvalidValue, VeloxError
from trading.models import Account
from trading.progress import tell
from trading.queries.accounts import capital_flows
from trading.strategies.base import Strategy
from trading.strategies.loading import load_strategy
from trading.strategies.parameters import Setting, parameters_of, set_parameters
from trading.transactions import ask

RUN_CHARACTERS = 16  # of a trial's key, which name its run


class BacktestFailed(VeloxError):
    """A strategy that raised an error of its own; the trial is recorded as failed."""

    code = "backtest_failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class BacktestRequest:
    """What to try: a strategy by name with its parameters (texts or numbers), on which ticks, filled how, with whose
    capital."""

    strategy: str
    ticks: TickQuestion
    capital: Account
    settings: Mapping[str, Setting] = field(default_factory=dict)
    model: FillModel = field(default_factory=FillModel)
    is_plain: bool = False  # every tick in turn, also where that can be skipped


class BacktestAnswer(TypedDict):
    """A backtest's JSON object."""

    run: str
    strategy: str
    parameters: dict[str, Setting]
    source: str
    first_day: date
    last_day: date
    days: int
    ticks: int
    latency_ms: int
    slippage_ticks: int
    charges: str
    charges_by_head: dict[str, Decimal | None]
    trades_opened: int
    trades_closed: int
    censored: int
    unfilled: int
    total_pnl: Decimal
    statistics: PeriodFigures
    trials: int
    trials_effective: float | None
    psr: float | None
    dsr: float | None
    pbo: float | None
    track_record_days: float | None
    why: dict[str, str]


@dataclass(slots=True)
class DaysSeen:
    """What a walk has seen of the days so far."""

    days: list[date] = field(default_factory=list)
    digests: list[str] = field(default_factory=list)
    sources: set[str] = field(default_factory=set)
    ticks: int = 0
    is_reading: bool = False  # what is raised now is the store's, else it is the strategy's


@dataclass(frozen=True, slots=True)
class Backtest:
    """A walk that is over: what is told of it, and the desk with its trades."""

    answer: BacktestAnswer
    desk: LabDesk


def backtest(request: BacktestRequest, reader: Reader) -> Backtest:
    """Walk a strategy over stored ticks, record the trial, and return its figures.

    Raises: InvalidValue for an unknown strategy or parameter, for days without a tick and for bars; BacktestFailed
        where the strategy raises; StoreUnavailable, LedgerBusy, LedgerNotReady.
    """
    strategy = _strategy(request)
    symbols = symbols_of(reader, request.ticks)
    book = OrderBook(request.model, {symbol: instrument_of(symbol) for symbol in symbols})
    desk, seen = LabDesk(book), DaysSeen()
    days = _watched(
        days_with_ticks(reader, request.ticks, symbols, ticking_days(reader, request.ticks, symbols)),
        seen,
        request.ticks,
    )
    failure: Exception | None = None
    try:
        walk(desk, strategy, days, plainly if request.is_plain or not can_skip(strategy) else skipping)
    except Exception as error:  # the strategy's own, whatever it is
        if seen.is_reading:
            raise
        failure = error
    if not seen.days:
        raise InvalidValue(
            f"Account {request.ticks.account} has no tick of {', '.join(symbols) or 'any symbol'} on these days.",
            field="from",
            hint="--ticks names the account under which they were recorded, --source who recorded them.",
        )
    setup = TrialSetup(
        strategy=strategy.strategy_id, code=code_digest(strategy), parameters=parameters_of(strategy),
        account=request.ticks.account, source=request.ticks.source, symbols=symbols, days=seen.days,
        ticks=seen.digests, latency_ms=request.model.latency_ms, slippage_ticks=request.model.slippage_ticks,
        charges=charged_as(request.model),
    )  # fmt: skip
    if failure is not None:
        text = f"{type(failure).__name__}: {failure}"
        record_trials([TrialOutcome(setup=setup, state=TrialState.FAILED, failure=text, versions=versions())])
        raise BacktestFailed(f"Strategy {strategy.strategy_id} failed: {text}") from failure
    lines = charge_by_plan(desk)
    digests = outcome.digests_of(desk, seen.days)
    run = setup.key[:RUN_CHARACTERS]
    record_trials([TrialOutcome(setup=setup, digests=list(digests.values()), versions=versions(), run=run)])
    answer = _answer(request, setup, seen, desk, digests, lines)
    span = seen.days[0], seen.days[-1]
    record_run(BACKTEST, to_json(answer), account=request.capital.code, strategy=setup.strategy, days=span, run=run)
    return Backtest(answer, desk)


def _strategy(request: BacktestRequest) -> Strategy:
    strategy = load_strategy(request.strategy)
    if strategy is None:
        raise InvalidValue("There is nothing to try.", field="strategy", hint="Name a strategy.")
    set_parameters(strategy, request.settings)
    return strategy


def _watched(days: Iterator[DayTicks], seen: DaysSeen, asked: TickQuestion) -> Iterator[DayTicks]:
    """Hand days on, and keep what is told of them."""
    seen.is_reading = True
    for day in days:
        seen.is_reading = False
        seen.days.append(day.day)
        seen.digests.append(day.digest())
        seen.sources |= {ticks.source for ticks in day.symbols}
        seen.ticks += len(day)
        tell("days", (day.day - asked.first).days + 1, (asked.last - asked.first).days + 1)
        yield day
        seen.is_reading = True
    seen.is_reading = False


def _answer(
    request: BacktestRequest,
    setup: TrialSetup,
    seen: DaysSeen,
    desk: LabDesk,
    digests: Mapping[date, DayDigest],
    lines: ChargedLines,
) -> BacktestAnswer:
    days: Sequence[date] = setup.days
    flows = ask(capital_flows, request.capital, until=days[-1])
    pnl = {day: digest.pnl for day, digest in digests.items()}
    odds = headline(pnl, days, flows, ask(trials_on, setup.strategy, days))
    return {
        "run": setup.key[:RUN_CHARACTERS],
        "strategy": setup.strategy,
        "parameters": dict(setup.parameters),
        "source": ", ".join(sorted(seen.sources)),
        "first_day": days[0],
        "last_day": days[-1],
        "days": len(days),
        "ticks": seen.ticks,
        "latency_ms": setup.latency_ms,
        "slippage_ticks": setup.slippage_ticks,
        "charges": request.model.charged,
        "charges_by_head": {
            str(head): None if units is None else from_units(units) for head, units in lines.by_head.items()
        },
        "trades_opened": sum(digest.opened for digest in digests.values()),
        "trades_closed": sum(digest.closed for digest in digests.values()),
        "censored": sum(digest.censored for digest in digests.values()),
        "unfilled": sum(digest.unfilled for digest in digests.values()),
        "total_pnl": from_units(sum(pnl.values())),
        "statistics": outcome.statistics_of(desk, days, flows),
        "trials": odds.trials,
        "trials_effective": odds.trials_effective,
        "psr": odds.psr,
        "dsr": odds.dsr,
        "pbo": None,
        "track_record_days": odds.track_record_days,
        "why": {
            **odds.why,
            "pbo": "one set of parameters; `optimize` compares many",
            **({"charges": "; ".join(lines.findings)} if lines.findings else {}),
        },
    }
