"""The learners: scikit-learn's, fitted, asked, and kept as skops. The only module that knows either."""

from __future__ import annotations

from typing import Protocol

import numpy as np
import skops.io
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.impute import SimpleImputer
from sklearn.linear_model import RidgeCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import ThreadpoolController

from timeseries.measurements import FloatArray

RIDGE, BOOSTING = "ridge", "boosting"
PENALTIES = tuple(10.0**power for power in range(-1, 5))
# What a kept file may hold besides what skops knows: no other type is ever made of one.
TRUSTED = ("numpy.dtype", "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor")


class Learner(Protocol):
    """What learns outcomes (one each row) from conditions (a column each, NaN where one was not recorded)."""

    def fit(self, conditions: FloatArray, outcomes: FloatArray) -> Learner: ...

    def predict(self, conditions: FloatArray) -> FloatArray: ...


class OneThread:
    """A learner in one thread: on a few rows many threads are slower, on a busy desk a hundred times."""

    def __init__(self, learner: Learner) -> None:
        self.learner = learner
        self._pools = ThreadpoolController()

    def fit(self, conditions: FloatArray, outcomes: FloatArray) -> Learner:
        with self._pools.limit(limits=1):
            self.learner.fit(conditions, outcomes)
        return self

    def predict(self, conditions: FloatArray) -> FloatArray:
        with self._pools.limit(limits=1):
            return self.learner.predict(conditions)


def fitted(name: str, conditions: FloatArray, outcomes: FloatArray) -> Learner:
    """Return a learner that knows these rows alone: what it scales by or fills in is learned from them, too.

    Of a condition that none of these rows has it learns nothing.
    """
    # Trees take a column with a NaN here and there, but not one without a number.
    conditions = np.where(np.isnan(conditions).all(axis=0), 0.0, conditions)
    learner: Learner = (
        make_pipeline(
            SimpleImputer(strategy="median", add_indicator=True, keep_empty_features=True),
            StandardScaler(),
            RidgeCV(PENALTIES),
        )
        if name == RIDGE
        else HistGradientBoostingRegressor(
            max_iter=100, learning_rate=0.05, max_leaf_nodes=8, min_samples_leaf=20, l2_regularization=1.0,
            early_stopping=False, random_state=0,
        )
    )  # fmt: skip
    return OneThread(learner).fit(conditions, outcomes)


def dumped(learner: Learner) -> bytes:
    """Return a learner as it is kept."""
    content: bytes = skops.io.dumps(learner.learner if isinstance(learner, OneThread) else learner)
    return content


def loaded(content: bytes) -> Learner:
    """Return a learner that was kept. Raises: whatever skops raises for types that are not `TRUSTED`."""
    return OneThread(skops.io.loads(content, trusted=list(TRUSTED)))
