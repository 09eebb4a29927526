"""Looks for patterns in stored ticks: which days, how many looks that made, and what is told of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import TypedDict

from lab.backtest.code_digest import versions
from lab.backtest.days import TickQuestion
from lab.domain.candle_grid import Windows, windows_of
from lab.domain.fills import UNKNOWN
from lab.domain.followed import CORRECTION, LUCK_MAX
from lab.domain.trials import TrialOutcome, TrialSetup
from lab.operations.record_run import CANDLES, MOTIFS, record_run
from lab.operations.record_trials import record_trials
from lab.patterns.grids import GriddedDays, gridded
from lab.patterns.looks import LookedDay, PatternLook, PatternRow, looked_day
from lab.queries.trials import trials_on
from timeseries.reader import Reader
from trading.domain.plain_json import to_json
from trading.errors import InvalidValue
from trading.strategies.parameters import Setting
from trading.transactions import ask

LOOKED_AS = "patterns 1"  # counts up whenever the same pattern on the same ticks would be seen otherwise
NAMES = {CANDLES: "patterns candles", MOTIFS: "patterns motifs"}  # under which looks are counted


@dataclass(frozen=True, slots=True, kw_only=True)
class PatternRequest:
    """Which ticks, as candles of so many minutes; what follows until so many candles later is the answer. The last
    days are held out, half of them where it is not told how many. ``width`` and ``count`` are of motifs."""

    account: str
    ticks: TickQuestion
    minutes: int = 1
    horizon: int = 5
    held_out_days: int | None = None
    width: int = 30
    count: int = 10
    seed: int = 0


class PatternAnswer(TypedDict):
    """The JSON object of `patterns`. ``trials`` were ever made on any of the days, and are what chances are corrected
    for; ``masked`` windows say nothing; ``left_out`` ones were too many to compare."""

    kind: str
    symbols: list[str]
    first_day: date
    last_day: date
    held_out_from: date
    days: int
    held_out_days: int
    minutes: int
    horizon: int
    width: int
    windows: int
    masked: dict[str, int]
    left_out: int
    correction: str
    trials: int
    patterns: Sequence[PatternRow]


@dataclass(frozen=True, slots=True)
class LookedDays:
    """The days of a request on both sides of the cut, and what their windows are."""

    gridded: GriddedDays
    days: list[LookedDay]
    windows: list[Windows]
    width: int
    held_out: list[date]


def looked_days(request: PatternRequest, reader: Reader, width: int) -> LookedDays:
    """Return the days of a request, cut in those before and those held out.

    Raises: InvalidValue for fewer than two days, and where none is left on one side; StoreUnavailable.
    """
    whole = gridded(reader, request.ticks, request.minutes)
    calendar = list(whole.digests)
    held_out = len(calendar) // 2 if request.held_out_days is None else request.held_out_days
    if not 1 <= held_out < len(calendar):
        raise InvalidValue(
            f"{held_out} of {len(calendar)} days are held out.", field="hold_out", hint="Leave a day on each side."
        )
    outside = frozenset(calendar[-held_out:])
    windows = [windows_of(grid, width) for grid in whole.grids]
    days = [
        looked_day(grid, of_grid.clear, request.horizon, is_held_out=grid.day in outside)
        for grid, of_grid in zip(whole.grids, windows, strict=True)
    ]
    return LookedDays(whole, days, windows, width, calendar[-held_out:])


def record_looks(
    request: PatternRequest, kind: str, looked: LookedDays, looks: Sequence[PatternLook], *, seen_by: str
) -> int:
    """Record a trial for each look, and return how many were ever made on any of the days.

    Raises: LedgerBusy, LedgerNotReady, LedgerReadOnly.
    """
    calendar, name = list(looked.gridded.digests), NAMES[kind]
    parameters: dict[str, Setting] = {
        "minutes": request.minutes, "horizon": request.horizon, "width": looked.width,
        "held_out_days": len(looked.held_out),
    }  # fmt: skip
    outcomes = []
    for look in looks:
        setup = TrialSetup(
            strategy=name, code=f"{LOOKED_AS} {seen_by}",
            parameters=parameters | {"pattern": look.pattern, "sign": look.sign or 0},
            account=request.ticks.account, source=request.ticks.source, symbols=looked.gridded.symbols, days=calendar,
            ticks=list(looked.gridded.digests.values()), latency_ms=0, slippage_ticks=0, charges=UNKNOWN,
            seed=request.seed if kind == MOTIFS else None,
        )  # fmt: skip
        digests = look.digests(looked.days, calendar)
        outcomes.append(TrialOutcome(setup=setup, digests=digests, versions=versions()))
    record_trials(outcomes)
    return len(ask(trials_on, name, calendar))


def keep_answer(
    request: PatternRequest, kind: str, looked: LookedDays, rows: Sequence[PatternRow], *, trials: int, left_out: int
) -> PatternAnswer:
    """Return the answer, kept for the pages. Raises: LedgerBusy, LedgerNotReady, LedgerReadOnly."""
    calendar = list(looked.gridded.digests)
    answer: PatternAnswer = {
        "kind": kind,
        "symbols": list(looked.gridded.symbols),
        "first_day": calendar[0],
        "last_day": calendar[-1],
        "held_out_from": looked.held_out[0],
        "days": len(calendar),
        "held_out_days": len(looked.held_out),
        "minutes": request.minutes,
        "horizon": request.horizon,
        "width": looked.width,
        "windows": sum(int(of_grid.clear.sum()) for of_grid in looked.windows),
        "masked": {
            "with a gap": sum(of_grid.gap for of_grid in looked.windows),
            "forward-filled": sum(of_grid.filled for of_grid in looked.windows),
            "flat": sum(of_grid.flat for of_grid in looked.windows),
        },
        "left_out": left_out,
        "correction": CORRECTION,
        "trials": trials,
        "patterns": rows,
    }
    span = calendar[0], calendar[-1]
    record_run(kind, to_json(answer), account=request.account, strategy=NAMES[kind], days=span)
    return answer


def is_beyond_luck(corrected: float | None) -> bool:
    """Tell whether a corrected chance is below 5 of 100."""
    return corrected is not None and corrected < LUCK_MAX
