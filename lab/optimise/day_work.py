"""One day of some sets of parameters: what a worker is asked, and the digests that it answers with. JSON both ways."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import lru_cache

from django.conf import settings

from lab.backtest.charging import charge_by_plan
from lab.backtest.days import DayTicks, TickQuestion, read_day
from lab.backtest.desk import LabDesk
from lab.backtest.market import instrument_of
from lab.backtest.orders import OrderBook
from lab.backtest.outcome import digests_of
from lab.backtest.skipping import can_skip, skipping
from lab.backtest.walk import plainly, walk
from lab.domain.fills import FillModel, TradedInstrument
from lab.domain.space import ParameterSet
from lab.domain.trials import DayDigest
from timeseries.wiring import open_reader
from trading.strategies.loading import load_strategy
from trading.strategies.parameters import set_parameters

DAYS_HELD = 24  # whose ticks a process keeps: about 3 MB a day of three busy shares


@dataclass(frozen=True, slots=True)
class DayTask:
    """A run's question for one day: which strategy, ticks and fills, and the sets to try."""

    strategy: str
    fixed: ParameterSet
    question: TickQuestion
    symbols: tuple[str, ...]
    model: FillModel
    day: date
    sets: Sequence[ParameterSet]

    def text(self) -> str:
        """Return the task as it is sent."""
        asked, model = self.question, self.model
        percent = None if model.charge_percent is None else str(model.charge_percent)
        return json.dumps({
            "strategy": self.strategy, "fixed": self.fixed, "account": asked.account, "source": asked.source,
            "symbols": self.symbols, "model": [model.latency_ms, model.slippage_ticks, percent, model.plan],
            "day": self.day.isoformat(), "sets": self.sets,
        })  # fmt: skip

    @classmethod
    def of(cls, text: str) -> DayTask:
        """Return the task that a text tells."""
        body = json.loads(text)
        day, (latency, slippage, percent, plan) = date.fromisoformat(body["day"]), body["model"]
        symbols = tuple(body["symbols"])
        return cls(
            strategy=body["strategy"],
            fixed=_set_of(body["fixed"]),
            question=TickQuestion(body["account"], body["source"], symbols, day, day),
            symbols=symbols,
            model=FillModel(latency, slippage, None if percent is None else Decimal(percent), plan),
            day=day,
            sets=[_set_of(numbers) for numbers in body["sets"]],
        )


@dataclass(frozen=True, slots=True)
class DayAnswer:
    """What one day brought to each set, or the failure of its strategy; ``ticks`` is the digest of what was played."""

    ticks: str
    outcomes: Sequence[DayDigest | str]

    def text(self) -> str:
        """Return the answer as it is sent."""
        return json.dumps([self.ticks, [of if isinstance(of, str) else list(of) for of in self.outcomes]])

    @classmethod
    def of(cls, text: str) -> DayAnswer:
        """Return the answer that a text tells."""
        ticks, outcomes = json.loads(text)
        return cls(ticks, [of if isinstance(of, str) else DayDigest(*of) for of in outcomes])


def _set_of(numbers: Sequence[Sequence[str | int | float]]) -> ParameterSet:
    return tuple((str(name), number) for name, number in numbers if not isinstance(number, str))


def answer(text: str) -> str:
    """Play a day to each set of a task, each from the beginning, and return the answer."""
    task = DayTask.of(text)
    day, digest = held_day(task.question, task.symbols, task.day)
    instruments = {symbol: instrument_of(symbol) for symbol in task.symbols}
    return DayAnswer(digest, [_play(task, day, instruments, numbers) for numbers in task.sets]).text()


def held_day(asked: TickQuestion, symbols: tuple[str, ...], day: date) -> tuple[DayTicks, str]:
    """Return a day's ticks and their digest; a process reads it once as long as it needs no others."""
    return _held(asked.account, asked.source, symbols, day, str(settings.DATA_DIR))


@lru_cache(maxsize=DAYS_HELD)
def _held(
    account: str, source: str | None, symbols: tuple[str, ...], day: date, _data_dir: str
) -> tuple[DayTicks, str]:
    ticks = read_day(open_reader(), TickQuestion(account, source, symbols, day, day), symbols, day)
    return ticks, ticks.digest()


def _play(
    task: DayTask, day: DayTicks, instruments: Mapping[str, TradedInstrument], numbers: ParameterSet
) -> DayDigest | str:
    strategy = load_strategy(task.strategy)
    if strategy is None:
        return "there is no strategy"
    desk = LabDesk(OrderBook(task.model, instruments))
    try:
        set_parameters(strategy, dict(task.fixed) | dict(numbers))
        walk(desk, strategy, [day], skipping if can_skip(strategy) else plainly)
    except Exception as error:  # the strategy's own, whatever it is
        return f"{type(error).__name__}: {error}"
    charge_by_plan(desk)
    return digests_of(desk, [day.day])[day.day]
