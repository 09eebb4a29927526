"""A kept model, asked by a strategy about a signal that it is about to take."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

from django.conf import settings

from lab.domain.leaks import OWN
from lab.domain.learning_table import table_of
from lab.domain.model_card import ScoreAnswer
from lab.learning.fitting import Learner, loaded
from lab.queries.signal_labels import numbers_of
from lab.queries.signal_models import card_of, file_content, model_named
from trading.domain.chain import JSON
from trading.domain.conditions import Conditions
from trading.errors import InvalidValue, VeloxError
from trading.transactions import ask

MODELS_HELD = 8


class NoSkill(VeloxError):
    """A strategy whose model did not beat the baseline: there is nothing to ask."""

    code = "no_skill"


@dataclass(frozen=True, slots=True)
class SignalScorer:
    """A model in memory. ``learned_until`` is when the last outcome was there that it has learned from."""

    model: str
    names: tuple[str, ...]
    outcome: str
    learned_until: datetime
    learner: Learner

    def score(self, conditions: Conditions, at: datetime) -> float | None:
        """Return the outcome that is expected of a signal with these conditions; None of a time that the model has
        learned from, of which it would tell what came.

        Raises: InvalidValue where none of the model's conditions is among them.
        """
        by_name = numbers_of(conditions)
        if by_name.keys().isdisjoint(self.names):
            raise InvalidValue(
                f"Model {self.model} knows none of these conditions.",
                field="conditions",
                hint=f"It has learned {', '.join(self.names)}.",
            )
        if at <= self.learned_until:
            return None
        return float(self.learner.predict(table_of(self.names, [by_name]))[0])

    def scored(self, conditions: Conditions, at: datetime) -> dict[str, JSON]:
        """Return the conditions with the score among them, as ``model.score``: recorded with the signal, it is judged
        by the next report like any other."""
        number = self.score(conditions, at)
        return dict(conditions) if number is None else {**conditions, OWN: {"score": number, "name": self.model}}


def kept_model(strategy: str, account: str = "main") -> SignalScorer:
    """Return the newest model of a strategy's signals, read and loaded once in a process.

    Raises: InvalidValue where none was trained; NoSkill where none was kept; ModelDamaged where row or file is not what
        was written; MissingExtra, LedgerNotReady.
    """
    row = ask(model_named, account, strategy)
    return _loaded(row.training, row.file_digest, account, str(settings.DATA_DIR))


def told_score(strategy: str, account: str, conditions: Mapping[str, float], now: datetime) -> ScoreAnswer:
    """Return what a strategy's model expects now of conditions. Raises: as `kept_model`, InvalidValue."""
    model = kept_model(strategy, account)
    return {
        "model": model.model,
        "outcome": model.outcome,
        "score": model.score(conditions, now),
        "unknown": sorted(conditions.keys() - set(model.names)),
        "missing": [name for name in model.names if name not in conditions],
    }


@lru_cache(MODELS_HELD)
def _loaded(training: str, file_digest: str, account: str, _data_dir: str) -> SignalScorer:
    row = ask(model_named, account, training)
    card = card_of(row)
    if not file_digest:
        raise NoSkill(
            f"The model of {row.strategy} has no skill: the mean of past outcomes says as much.",
            hint="Train it on more signals, or on others of their conditions.",
        )
    return SignalScorer(
        card["model"],
        tuple(card["conditions"]),
        card["outcome"],
        datetime.fromisoformat(card["learned_until"]),
        loaded(file_content(row)),
    )
