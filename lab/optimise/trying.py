"""Trying sets of parameters on every day of a run: worked on in batches, each batch recorded before the next begins.

What the registry has already is not worked on again, so a run that was killed goes on by starting over.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date

from lab.backtest.charging import charged_as
from lab.backtest.code_digest import versions
from lab.backtest.days import TickQuestion, ticking_days
from lab.domain.fills import FillModel
from lab.domain.space import ParameterSet
from lab.domain.trials import DayDigest, TrialOutcome, TrialSetup, TrialState
from lab.operations.record_trials import record_trials
from lab.optimise.day_work import DayAnswer, DayTask, held_day
from lab.optimise.engines import Working
from lab.queries.trials import trials_of
from timeseries.reader import Reader
from trading.errors import VeloxError
from trading.progress import tell
from trading.strategies.base import Strategy
from trading.strategies.parameters import parameters_of, set_parameters
from trading.transactions import ask

BATCH = 20  # sets between two writes of the registry: what a kill costs at most


class TicksChanged(VeloxError):
    """Ticks of a day that are others than when the run began; what was recorded stands, start it again."""

    code = "ticks_changed"


@dataclass(slots=True)
class Trying:
    """The sets of one run: ``name`` is the strategy as it is loaded, ``days`` are its trading days with the digests of
    their ticks, ``working`` answers its tasks."""

    name: str
    strategy: Strategy
    fixed: ParameterSet
    question: TickQuestion
    symbols: tuple[str, ...]
    model: FillModel
    days: Mapping[date, str]
    working: Working
    code: str
    outcomes: dict[ParameterSet, TrialOutcome] = field(default_factory=dict)

    def try_sets(self, sets: Sequence[ParameterSet], total: int) -> None:
        """Try each set on each day, record it, and keep what came of it."""
        new = [numbers for numbers in dict.fromkeys(sets) if numbers not in self.outcomes]
        for start in range(0, len(new), BATCH):
            batch = new[start : start + BATCH]
            setups = {numbers: self._setup(numbers) for numbers in batch}
            recorded = ask(trials_of, [setup.key for setup in setups.values()])
            lacking = [numbers for numbers in batch if setups[numbers].key not in recorded]
            outcomes = list(self._work(lacking, setups)) if lacking else []
            record_trials(outcomes)
            recorded |= {outcome.setup.key: outcome for outcome in outcomes}
            self.outcomes |= {numbers: recorded[setups[numbers].key] for numbers in batch}
            tell("sets", len(self.outcomes), total)

    def _setup(self, numbers: ParameterSet) -> TrialSetup:
        set_parameters(self.strategy, dict(self.fixed) | dict(numbers))
        return TrialSetup(
            strategy=self.strategy.strategy_id, code=self.code,
            parameters=parameters_of(self.strategy), account=self.question.account, source=self.question.source,
            symbols=self.symbols, days=list(self.days), ticks=list(self.days.values()),
            latency_ms=self.model.latency_ms, slippage_ticks=self.model.slippage_ticks, charges=charged_as(self.model),
        )  # fmt: skip

    def _work(self, sets: Sequence[ParameterSet], setups: Mapping[ParameterSet, TrialSetup]) -> Iterator[TrialOutcome]:
        tasks = [
            DayTask(self.name, self.fixed, self.question, self.symbols, self.model, day, sets).text()
            for day in self.days
        ]
        answers = [DayAnswer.of(text) for text in self.working(tasks)]
        if [answer.ticks for answer in answers] != list(self.days.values()):
            raise TicksChanged("The ticks of a day are others than when this run began.", hint="Start it again.")
        installed = versions()
        for place, numbers in enumerate(sets):
            of_days = [answer.outcomes[place] for answer in answers]
            digests = [digest for digest in of_days if isinstance(digest, DayDigest)]
            outcome = TrialOutcome(setup=setups[numbers], digests=digests, versions=installed)
            failures = [failure for failure in of_days if isinstance(failure, str)]
            if failures:
                outcome = replace(outcome, state=TrialState.FAILED, digests=(), failure=failures[0])
            yield outcome


def days_of(question: TickQuestion, symbols: tuple[str, ...], reader: Reader) -> dict[date, str]:
    """Return the digest of each trading day that has a tick within its session, in order."""
    days: dict[date, str] = {}
    calendar = ticking_days(reader, question, symbols)
    for number, day in enumerate(calendar, start=1):
        ticks, digest = held_day(question, symbols, day)
        if any(of.counts.any() for of in ticks.symbols):
            days[day] = digest
        tell("days", number, len(calendar))
    return days
