"""The card of a model of signals: what it learned from, how it was judged, and what it is worth."""

from __future__ import annotations

from datetime import date
from typing import TypedDict


class LearnerRow(TypedDict):
    """One learner's row of a card."""

    learner: str
    r2: float | None
    folds: list[float | None]
    p: float | None


class LeakCheck(TypedDict):
    """One thing that was looked for before anything was learned; a training goes on only where all passed."""

    check: str
    passed: bool


class CalibrationRow(TypedDict):
    """Some neighbouring predictions of a card."""

    signals: int
    predicted: float
    outcome: float


class ModelCard(TypedDict):
    """A card's JSON object."""

    model: str
    account: str
    strategy: str
    first_day: date
    last_day: date
    learned_until: str
    days: int
    labels: int
    skipped: int
    hypotheticals: int
    hypothetical_minutes: int | None
    outcome: str
    charges: str
    mean: float
    conditions: list[str]
    not_used: dict[str, str]
    checks: list[LeakCheck]
    folds: int
    embargo_days: int
    purged: int
    looks: int
    learners: list[LearnerRow]
    verdict: str
    kept: str | None
    calibration: list[CalibrationRow]
    score_microseconds: float | None
    versions: dict[str, str]


class ScoreAnswer(TypedDict):
    """A score's JSON object: ``unknown`` are conditions that the model knows nothing of, ``missing`` those that it
    was not told."""

    model: str
    outcome: str
    score: float | None
    unknown: list[str]
    missing: list[str]
