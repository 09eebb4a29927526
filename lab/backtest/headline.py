"""The odds beside a headline: how often its strategy was tried on its days, and what that leaves of the figure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from statistics import variance

import numpy as np

from lab.domain.odds import SharpeSample, deflated_sharpe, effective_trials, minimum_track_record, probabilistic_sharpe
from lab.domain.trials import TrialOutcome, TrialState
from trading.domain import figures, statistics
from trading.domain.figures import TRADING_DAYS_MIN
from trading.queries.statistics import History, capital_beside

FEW_DAYS = f"fewer than {TRADING_DAYS_MIN} days"


@dataclass(frozen=True, slots=True)
class Headline:
    """What stands beside a result, each None with its reason in ``why``.

    ``trials`` were ever made with the strategy on any of the days, ``trials_effective`` is what they amount to where
    they are alike. ``psr`` and ``dsr`` are of daily returns; ``track_record_days`` is how many days make ``psr`` 95 %.
    """

    trials: int
    trials_effective: float | None
    psr: float | None
    dsr: float | None
    track_record_days: float | None
    why: Mapping[str, str] = field(default_factory=dict)


def headline(
    pnl: Mapping[date, int], days: Sequence[date], flows: Mapping[date, int], tried: Sequence[TrialOutcome]
) -> Headline:
    """Return the odds of a result, in units by day, among all that was ``tried`` on its days, itself included.

    ``flows`` is the capital that came in by date, as daily returns are of capital.
    """
    series = [_by_day(trial) for trial in tried if trial.state is TrialState.FINISHED]
    effective = _effective(series, days, others=len(tried) - len(series))
    returns = daily_returns(pnl, days, flows)
    sample = SharpeSample.of(returns) if returns is not None and len(days) >= TRADING_DAYS_MIN else None
    if sample is None:
        reason = FEW_DAYS if len(days) < TRADING_DAYS_MIN else "days that are all alike, or without capital"
        return Headline(len(tried), effective, None, None, None, dict.fromkeys(("psr", "dsr"), reason))
    psr = probabilistic_sharpe(sample)
    record = minimum_track_record(sample)
    spread = _variance_of_ratios(series, days, flows)
    if len(tried) == 1:
        return Headline(1, effective, psr, psr, record)
    if spread is None:
        return Headline(len(tried), effective, psr, None, record, {"dsr": "the other trials have no Sharpe ratio"})
    return Headline(len(tried), effective, psr, deflated_sharpe(sample, variance=spread, trials=len(tried)), record)


def daily_returns(pnl: Mapping[date, int], days: Sequence[date], flows: Mapping[date, int]) -> list[float] | None:
    """Return the return of each day on the capital at its start; None where a day starts without any."""
    of_days = {day: pnl.get(day, 0) for day in days}
    capital = capital_beside(History(dict(flows), of_days), list(days), of_days)
    return statistics.daily_returns(figures.days_of(of_days, capital), capital.at_start)


def _by_day(trial: TrialOutcome) -> dict[date, int]:
    return {day: digest.pnl for day, digest in zip(trial.setup.days, trial.digests, strict=True)}


def _effective(series: Sequence[Mapping[date, int]], days: Sequence[date], *, others: int) -> float | None:
    """Return what the trials amount to; of those that do not cover all of the days nobody can tell, so each counts."""
    whole = [[trial[day] for day in days] for trial in series if all(day in trial for day in days)]
    rest = len(series) - len(whole) + others
    if not whole or len(days) < TRADING_DAYS_MIN:
        return None
    return rest + effective_trials(np.array(whole, dtype=np.float64).T)


def _variance_of_ratios(
    series: Sequence[Mapping[date, int]], days: Sequence[date], flows: Mapping[date, int]
) -> float | None:
    """Return the variance of the trials' Sharpe ratios, each over those of the days that it has; None below two."""
    ratios = []
    for trial in series:
        own = [day for day in days if day in trial]
        returns = daily_returns(trial, own, flows) if len(own) > 1 else None
        sample = None if returns is None else SharpeSample.of(returns)
        if sample is not None:
            ratios.append(sample.sharpe)
    return variance(ratios) if len(ratios) > 1 else None
