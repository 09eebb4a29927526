"""Learners judged out of sample: fitted on each fold's own rows, asked about days that those do not touch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from lab.domain.folds import Fold
from lab.domain.learning_table import LearningTable
from lab.domain.scores import chance_of_gain, out_of_sample_r2
from lab.learning.fitting import Learner
from timeseries.measurements import FloatArray
from trading.progress import tell

Fitting = Callable[[str, FloatArray, FloatArray], Learner]


@dataclass(frozen=True, slots=True)
class Judgement:
    """A learner's predictions of every real row, each by a fit that knows nothing of its days, and what they are worth:
    over all (``r2``) and by fold; ``p`` is the chance that it is nearer than the baseline by luck alone."""

    name: str
    predicted: FloatArray
    r2: float | None
    by_fold: tuple[float | None, ...]
    p: float | None

    @property
    def beats_the_baseline(self) -> bool:
        """Whether it is nearer than the mean of what was trained on, beyond what luck explains (5 of 100)."""
        return self.r2 is not None and self.r2 > 0 and self.p is not None and self.p < 0.05


def judge(name: str, table: LearningTable, folds: Sequence[Fold], fitted: Fitting, *, looks: int) -> Judgement:
    """Judge a learner beside the baseline, which is the mean outcome of what each fold trains on.

    Hypothetical outcomes are learned from, and never judged by.
    """
    predicted, reference = np.full((2, len(table.outcomes)), np.nan)
    by_fold = []
    for number, (train, test) in enumerate(folds, start=1):
        asked = test[table.is_real[test]]
        reference[asked] = table.outcomes[train][table.is_real[train]].mean()
        learner = fitted(name, table.conditions[train], table.outcomes[train])
        predicted[asked] = learner.predict(table.conditions[asked])
        by_fold.append(out_of_sample_r2(table.outcomes[asked], predicted[asked], reference[asked]))
        tell(f"folds of {name}", number, len(folds))
    real = table.is_real
    columns = table.outcomes[real], predicted[real], reference[real]
    p = chance_of_gain(table.times.days[real], *columns, looks=looks)
    return Judgement(name, predicted[real], out_of_sample_r2(*columns), tuple(by_fold), p)
