"""The gap between a live book and its backtest, trade by trade, step by step."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from decimal import Decimal
from typing import TypedDict

from lab.backtest.charging import charged_model
from lab.backtest.days import TickQuestion
from lab.domain.fills import FillModel, LabTrade
from lab.domain.trials import TrialOutcome, TrialState
from lab.domain.waterfall import BookComparison, BookFill, BookTrade, compare
from lab.operations.backtest import RUN_CHARACTERS, Backtest, BacktestRequest, backtest
from lab.operations.record_run import GAP, record_run
from lab.operations.try_stops import BOOKED
from lab.queries.books import book_of, with_ticks
from lab.queries.runs import search_of_run
from lab.queries.trials import trial_of_run
from timeseries.reader import Reader
from trading.domain.money import from_units
from trading.domain.plain_json import to_json
from trading.domain.position import ENTRY_SIDE
from trading.errors import InvalidValue
from trading.models import Account
from trading.strategies.base import instant, nanoseconds
from trading.strategies.loading import load_strategy
from trading.strategies.parameters import Setting
from trading.transactions import ask

SECOND = 10**9
PAIR, MISSED, EXTRA = "pair", "missed", "extra"
STILL_OPEN = "still open, or with a partner that is"


@dataclass(frozen=True, slots=True, kw_only=True)
class GapRequest:
    """Which live book, and what it is compared with: a run by its id, else one made now of ``settings`` without latency
    and slippage. ``charged`` None gives each of its trades the charges of its live partner."""

    account: Account
    strategy: str  # as it is loaded
    ticks: TickQuestion
    run: str | None = None
    settings: Mapping[str, Setting] = field(default_factory=dict)
    charged: FillModel | None = None
    tolerance_seconds: int = 60


class GapStep(TypedDict):
    """The waterfall of one pair or of all, after known charges: `backtest_pnl` and all steps are `live_pnl`."""

    backtest_pnl: Decimal
    missed: Decimal
    extra: Decimal
    timing_in: Decimal
    slip_in: Decimal
    timing_out: Decimal
    slip_out: Decimal
    quantity: Decimal
    charges: Decimal
    live_pnl: Decimal


class GapRow(TypedDict):
    """One pair, or a trade that stands alone."""

    kind: str
    symbol: str
    side: str
    trade_id: str | None
    backtest_trade_id: str | None
    opened_at: datetime | None
    backtest_opened_at: datetime | None
    waterfall: GapStep


class GapAnswer(TypedDict):
    """The JSON object of `gap`."""

    account: str
    strategy: str
    parameters: dict[str, Setting]
    run: str
    first_day: date
    last_day: date
    latency_ms: int
    slippage_ticks: int
    charges: str
    tolerance_seconds: int
    pairs: int
    missed: int
    extra: int
    left_out: dict[str, int]
    trades_without_charges: int
    waterfall: GapStep
    trades: list[GapRow]


def find_gap(request: GapRequest, reader: Reader) -> GapAnswer:
    """Compare a live book with a backtest of its days, and tell step by step where they part.

    Raises: InvalidValue for an unknown strategy, and for a run that is not in the registry, failed, or would come out
        otherwise today; BacktestFailed, StoreUnavailable, LedgerBusy, LedgerNotReady.
    """
    strategy = load_strategy(request.strategy)
    if strategy is None:
        raise InvalidValue("There is nothing to compare.", field="strategy", hint="Name a strategy.")
    asked = request.ticks
    run = _walked(request, strategy.strategy_id, reader)
    symbols = asked.symbols or (() if request.run is None else list(run.desk.book.instruments))
    live, left_out = ask(book_of, request.account, strategy.strategy_id, asked.first, asked.last, symbols)
    trades = [
        trade
        for trade in run.desk.trades
        if trade.fills and asked.first <= trade.day <= asked.last and (not symbols or trade.symbol in symbols)
    ]
    priced = with_ticks(reader, live, asked.account, asked.source)
    as_live = request.run is None and request.charged is None
    tolerance = request.tolerance_seconds * SECOND
    comparison = compare(priced, map(_played, trades), tolerance, charged_as_live=as_live)
    if comparison.still_open:
        left_out[STILL_OPEN] = len(comparison.still_open)
    answer = run.answer
    gap: GapAnswer = {
        "account": request.account.code,
        "strategy": answer["strategy"],
        "parameters": answer["parameters"],
        "run": answer["run"],
        "first_day": asked.first,
        "last_day": asked.last,
        "latency_ms": answer["latency_ms"],
        "slippage_ticks": answer["slippage_ticks"],
        "charges": BOOKED if as_live else answer["charges"],
        "tolerance_seconds": request.tolerance_seconds,
        "pairs": len(comparison.pairs),
        "missed": len(comparison.missed),
        "extra": len(comparison.extra),
        "left_out": left_out,
        "trades_without_charges": sum(trade.charges is None for trade in comparison.live),
        "waterfall": step_of(comparison),
        "trades": rows_of(comparison),
    }
    record_run(
        GAP, to_json(gap), account=request.account.code, strategy=answer["strategy"], days=(asked.first, asked.last)
    )
    return gap


def _walked(request: GapRequest, strategy: str, reader: Reader) -> Backtest:
    """Return the run that the book is compared with: walked again as the registry has it, or made now."""
    if request.run is None:
        model = replace(request.charged or FillModel(), latency_ms=0, slippage_ticks=0)
        return backtest(
            BacktestRequest(
                strategy=request.strategy, ticks=request.ticks, capital=request.account, settings=request.settings,
                model=model,
            ),
            reader,
        )  # fmt: skip
    _must_be_no_search(request.run)
    trial = ask(trial_of_run, request.run)
    if trial is None or trial.setup.strategy != strategy or trial.state is not TrialState.FINISHED:
        raise InvalidValue(
            f"The registry has no run {request.run!r} of {strategy} that came to its end.",
            field="run",
            hint="`manage.py backtest` tells the id of its run; leave --run out, and one is made now.",
        )
    run = backtest(_as_recorded(request, trial), reader)
    if run.answer["run"] != trial.setup.key[:RUN_CHARACTERS]:
        raise InvalidValue(
            f"Run {request.run} would come out otherwise today: its ticks, the strategy or the charges have changed.",
            field="run",
            hint="Leave --run out, and one is made now.",
        )
    return run


def _must_be_no_search(run: str) -> None:
    """Raise InvalidValue for a run of `optimize`, and tell what its newest window has sets."""
    search = ask(search_of_run, run)
    if search is None:
        return
    sets = [window["parameters"] for window in search.answer["windows"] if window["parameters"]]
    settings = " ".join(f"--set {name}={number:g}" for name, number in (sets[-1] if sets else {}).items())
    raise InvalidValue(
        f"Run {run} is a search: each of its windows has parameters of its own.",
        field="run",
        hint=f"Leave --run out, and give those of its newest window: {settings}." if sets else "Leave --run out.",
    )


def _as_recorded(request: GapRequest, trial: TrialOutcome) -> BacktestRequest:
    setup = trial.setup
    charges = setup.charges.split()[0]  # of a plan the schedule's digest follows
    return BacktestRequest(
        strategy=request.strategy,
        ticks=TickQuestion(setup.account, setup.source, setup.symbols, setup.days[0], setup.days[-1]),
        capital=request.account,
        settings=setup.parameters,
        model=charged_model(FillModel(setup.latency_ms, setup.slippage_ticks), charges),
    )


def _played(trade: LabTrade) -> BookTrade:
    entry = ENTRY_SIDE[trade.holding.side]
    sides: dict[bool, list[BookFill]] = {True: [], False: []}
    for fill in trade.fills:
        execution = fill.execution
        sides[execution.side == entry].append(BookFill(nanoseconds(fill.at), execution.price, execution.quantity))
    return BookTrade(
        trade_id=trade.trade_id, symbol=trade.symbol, side=trade.holding.side, multiplier=trade.holding.multiplier,
        entries=sides[True], exits=sides[False], gross=trade.holding.realised_pnl, charges=trade.holding.charges,
        is_closed=trade.is_over,
    )  # fmt: skip


def step_of(comparison: BookComparison) -> GapStep:
    """Return the waterfall of a comparison as it is told."""
    steps = {name: from_units(units) for name, units in comparison.waterfall._asdict().items()}
    return {
        "backtest_pnl": from_units(comparison.played_pnl),
        "missed": steps["missed"],
        "extra": steps["extra"],
        "timing_in": steps["timing_in"],
        "slip_in": steps["slip_in"],
        "timing_out": steps["timing_out"],
        "slip_out": steps["slip_out"],
        "quantity": steps["quantity"],
        "charges": steps["charges"],
        "live_pnl": from_units(comparison.live_pnl),
    }


def rows_of(comparison: BookComparison) -> list[GapRow]:
    """Return pairs and trades that stand alone, in order of time."""
    rows = [_row(PAIR, BookComparison(pairs=[pair]), pair.live, pair.played) for pair in comparison.pairs]
    rows += [_row(EXTRA, BookComparison(extra=[trade]), trade, None) for trade in comparison.extra]
    rows += [_row(MISSED, BookComparison(missed=[trade]), None, trade) for trade in comparison.missed]
    return [row for _, row in sorted(rows, key=lambda row: row[0])]


def _row(
    kind: str, comparison: BookComparison, live: BookTrade | None, played: BookTrade | None
) -> tuple[tuple[int, str], GapRow]:
    """Return a row and what it is ordered by."""
    trade = live or played
    if trade is None:
        raise ValueError("a row is of a trade")
    return (trade.opened_at, trade.symbol), {
        "kind": kind,
        "symbol": trade.symbol,
        "side": trade.side,
        "trade_id": None if live is None else live.trade_id,
        "backtest_trade_id": None if played is None else played.trade_id,
        "opened_at": None if live is None else instant(live.opened_at),
        "backtest_opened_at": None if played is None else instant(played.opened_at),
        "waterfall": step_of(comparison),
    }
