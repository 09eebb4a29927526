"""A search that learns where to look: Optuna's tree-structured Parzen estimator, asked in batches of one size."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import optuna

from lab.domain.space import ParameterSet
from trading.strategies.parameters import ParameterSpan

BATCH = 10  # asked before any answer: stored with the run, so that the number of workers changes nothing

Judging = Callable[[Sequence[ParameterSet]], Sequence[float | None]]


def guided(spans: Mapping[str, ParameterSpan], trials: int, seed: int, judge: Judging) -> None:
    """Ask a judge for so many sets, each batch where the ones before have led; None is a set that failed."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    sampler = optuna.samplers.TPESampler(seed=seed)
    study = optuna.create_study(sampler=sampler, direction="maximize")
    grids = {name: span.grid() for name, span in spans.items()}
    places: dict[str, optuna.distributions.BaseDistribution] = {
        name: optuna.distributions.IntDistribution(0, len(grid) - 1) for name, grid in grids.items()
    }
    for start in range(0, trials, BATCH):
        asked = [study.ask(places) for _ in range(min(BATCH, trials - start))]
        sets = [tuple((name, grids[name][trial.params[name]]) for name in grids) for trial in asked]
        for trial, objective in zip(asked, judge(sets), strict=True):
            if objective is None:
                study.tell(trial, state=optuna.trial.TrialState.FAIL)
            else:
                study.tell(trial, objective)
