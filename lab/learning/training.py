"""Training a model of a strategy's signals: checked for leaks, judged out of sample, kept where it has skill."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib.metadata import version

import numpy as np

from lab.domain.folds import Fold, LabelTimes, leaking_folds, purged_folds
from lab.domain.leaks import TOO_GOOD, is_named_afterwards
from lab.domain.learning_table import LearningTable, OutcomeUnit, columns_of, table_of
from lab.domain.model_card import LeakCheck, ModelCard
from lab.domain.scores import calibration, rank_correlation
from lab.learning.fitting import BOOSTING, RIDGE, Learner, dumped, fitted
from lab.learning.judging import Judgement, judge
from lab.learning.requests import TooFewLabels, TrainingRequest
from lab.models import SignalModel
from lab.operations.keep_model import keep_model
from lab.queries.hypotheticals import hypothetical_labels
from lab.queries.signal_labels import LabelledSignals, SignalLabel, signal_labels
from lab.queries.signal_models import ModelDamaged, card_of, earlier_trainings, file_content
from timeseries.measurements import FloatArray
from trading.domain.chain import canonical
from trading.domain.money import SCALE
from trading.domain.plain_json import to_json
from trading.errors import InvalidValue
from trading.queries.excursions import TickReader
from trading.strategies.base import instant
from trading.transactions import ask

LEARNED_AS = "signals 1"  # counts up whenever the same labels would be learned otherwise
LABELS_MIN, FOLDS = 200, 5
EMBARGO_DAYS = 1
NAME_CHARACTERS = 16  # of the training's digest, which name its model
STEPS = 5  # of the calibration
LEARNERS = (RIDGE, BOOSTING)
TIMED = 100  # scores, one after the other
PACKAGES = ("scikit-learn", "skops", "numpy")
NO_SKILL, SKILL = "no skill", "skill"


class LeakingConditions(InvalidValue):
    """Conditions that were not known when the signal was decided."""

    code = "leaking_conditions"


@dataclass(frozen=True, slots=True)
class Lesson:
    """What is learned from: the table, the labels that its real rows are of, and what a card says of them."""

    table: LearningTable
    labels: Sequence[SignalLabel]
    gathered: LabelledSignals
    outcome: OutcomeUnit
    is_after_charges: bool
    not_used: Mapping[str, str]
    hypotheticals: int = 0
    checks: list[LeakCheck] = field(default_factory=list)


def train(request: TrainingRequest, reader: TickReader) -> ModelCard:
    """Learn outcomes of signals from their conditions, record the card, and return it. The same again adds none.

    Raises: TooFewLabels below 200 signals or 5 days; LeakingConditions by name; ModelNotKept; StoreUnavailable for
        hypotheticals; LedgerBusy, LedgerNotReady.
    """
    lesson = _lesson(request, reader)
    training = _training_digest(request, lesson)
    for row in SignalModel.objects.filter(training=training).order_by("-pk")[:1]:
        try:
            if row.file_digest:
                file_content(row)
            return card_of(row)
        except ModelDamaged:  # it is trained again: its file has another digest, and a row of its own
            pass
    first, last = lesson.labels[0].day, lesson.labels[-1].day
    trainings = ask(earlier_trainings, request.account.code, request.strategy, first, last) | {training}
    folds = purged_folds(lesson.table.times, FOLDS, embargo_days=EMBARGO_DAYS)
    if min(lesson.table.is_real[fold.train].sum() for fold in folds) < LABELS_MIN // FOLDS:
        raise TooFewLabels(
            "The outcomes of the signals overlap so much that some days leave nothing to learn from.",
            hint="Give more days, or signals whose trades end sooner.",
        )
    looks = len(LEARNERS) * len(trainings)
    judged = [judge(name, lesson.table, folds, fitted, looks=looks) for name in LEARNERS]
    best = max(judged, key=lambda judgement: -np.inf if judgement.r2 is None else judgement.r2)
    learner = None
    if best.beats_the_baseline:
        learner = fitted(best.name, lesson.table.conditions, lesson.table.outcomes)
    card = _card(request, lesson, training, folds, judged, best, learner, looks)
    row = keep_model(
        None if learner is None else dumped(learner),
        training=training,
        account=request.account.code,
        strategy=request.strategy,
        days=(first, last),
        card=to_json(card),
    )
    return card_of(row)


def _lesson(request: TrainingRequest, reader: TickReader) -> Lesson:
    gathered = ask(signal_labels, request.account, request.strategy, request.first, request.last)
    labels = sorted(gathered.labels, key=lambda label: (label.day, label.at, label.pk))
    days = len({label.day for label in labels})
    if len(labels) < LABELS_MIN or days < FOLDS:
        raise TooFewLabels(
            f"{request.strategy} has {len(labels)} signals with a closed trade on {days} days.",
            hint=f"A model needs {LABELS_MIN} on {FOLDS} days; signal_report judges one condition at a time.",
        )
    names, not_used = columns_of([label.conditions for label in labels], request.without, gathered.texts)
    _refuse("known afterwards", [name for name in names if is_named_afterwards(name)])
    _refuse("recorded after the decision", sorted(gathered.late - request.without))
    if not names:
        raise LeakingConditions("There is no condition to learn from.", hint="Record numbers with the signals.")
    outcome = OutcomeUnit.R if all(label.risk for label in labels) else OutcomeUnit.PNL
    is_after_charges = all(label.charges is not None for label in labels)
    outcomes = np.array([_outcome(label, outcome, is_after_charges) for label in labels])
    conditions = table_of(names, [label.conditions for label in labels])
    _refuse("as good as the outcome itself", _too_good(names, conditions, outcomes))
    checks: list[LeakCheck] = [
        {"check": "no condition is named after an outcome", "passed": True},
        {"check": "every signal was recorded no later than its trade", "passed": True},
        {"check": "no condition is an instant after the decision", "passed": True},
        {"check": f"no condition ranks as the outcome does ({TOO_GOOD} or more)", "passed": True},
    ]
    times = LabelTimes(*(np.array(column, dtype=np.int64) for column in zip(
        *((label.at, label.closed_at, label.day.toordinal()) for label in labels), strict=True)))  # fmt: skip
    table = LearningTable(names, conditions, outcomes, times, np.ones(len(labels), dtype=np.bool_))
    lesson = Lesson(table, labels, gathered, outcome, is_after_charges, not_used, checks=checks)
    return lesson if request.hypothetical_minutes is None else _with_hypotheticals(request, lesson, reader)


def _with_hypotheticals(request: TrainingRequest, lesson: Lesson, reader: TickReader) -> Lesson:
    """Return the lesson with the skipped signals behind the real ones, marked as what they are."""
    if lesson.outcome is not OutcomeUnit.R:
        raise InvalidValue(
            "Trades without a stop are judged by P&L, which a signal that was not taken has none of.",
            field="hypothetical",
            hint="Leave --hypothetical out.",
        )
    added = ask(
        hypothetical_labels, request.account, request.strategy, request.first, request.last,
        minutes=request.hypothetical_minutes or 1, reader=reader,
    )  # fmt: skip
    table, days = lesson.table, {label.day for label in lesson.labels}
    added = [label for label in added if label.day in days]
    rows = [(label.at, label.ends, label.day.toordinal()) for label in added]
    beside = np.array(rows, dtype=np.int64).reshape(len(rows), 3)
    times = (table.times.begins, table.times.ends, table.times.days)
    whole = LearningTable(
        table.names,
        np.vstack([table.conditions, table_of(table.names, [label.conditions for label in added])]),
        np.append(table.outcomes, [label.r for label in added]),
        LabelTimes(*(np.append(column, end) for column, end in zip(times, beside.T, strict=True))),
        np.append(table.is_real, np.zeros(len(added), dtype=np.bool_)),
    )
    return replace(lesson, table=whole, hypotheticals=len(added))


def _refuse(reason: str, names: Sequence[str]) -> None:
    if names:
        raise LeakingConditions(
            f"{', '.join(names)}: {reason}.",
            field="conditions",
            hint="A model that learns from these tells nothing beforehand: leave them out by --without NAME.",
        )


def _outcome(label: SignalLabel, outcome: OutcomeUnit, is_after_charges: bool) -> float:
    units = label.pnl - (label.charges or 0 if is_after_charges else 0)
    return units / (label.risk or 1) if outcome is OutcomeUnit.R else units / SCALE


def _too_good(names: Sequence[str], conditions: FloatArray, outcomes: FloatArray) -> list[str]:
    """Return the conditions that rank signals as their outcomes do: nothing that is known beforehand does."""
    suspects = []
    for name, column in zip(names, conditions.T, strict=True):
        is_there = ~np.isnan(column)
        correlation = rank_correlation(column[is_there], outcomes[is_there])
        if is_there.sum() >= LABELS_MIN // 2 and abs(correlation) >= TOO_GOOD:
            suspects.append(name)
    return suspects


def _training_digest(request: TrainingRequest, lesson: Lesson) -> str:
    """Return the digest of what is learned and how: the same has the same."""
    table = lesson.table
    head = canonical({
        "account": request.account.code, "strategy": request.strategy, "names": list(table.names),
        "learned_as": LEARNED_AS, "hypothetical_minutes": request.hypothetical_minutes, "outcome": str(lesson.outcome),
        "after_charges": lesson.is_after_charges, "versions": _versions(),
    })  # fmt: skip
    whole = hashlib.sha256(head.encode())
    for column in (table.conditions, table.outcomes, table.times.begins, table.times.ends, table.times.days):
        whole.update(np.ascontiguousarray(column).tobytes())
    return whole.hexdigest()


def _versions() -> dict[str, str]:
    return {name: version(name) for name in PACKAGES}


def _card(
    request: TrainingRequest,
    lesson: Lesson,
    training: str,
    folds: Sequence[Fold],
    judged: Sequence[Judgement],
    best: Judgement,
    learner: Learner | None,
    looks: int,
) -> ModelCard:
    table, labels = lesson.table, lesson.labels
    real = table.is_real
    leaks = leaking_folds(table.times, list(folds))
    return {
        "model": training[:NAME_CHARACTERS],
        "account": request.account.code,
        "strategy": request.strategy,
        "first_day": labels[0].day,
        "last_day": labels[-1].day,
        "learned_until": instant(int(table.times.ends.max())).isoformat(),
        "days": len(np.unique(table.times.days[real])),
        "labels": len(labels),
        "skipped": lesson.gathered.skipped,
        "hypotheticals": lesson.hypotheticals,
        "hypothetical_minutes": request.hypothetical_minutes,
        "outcome": str(lesson.outcome),
        "charges": "after" if lesson.is_after_charges else "before",
        "mean": float(table.outcomes[real].mean()),
        "conditions": list(table.names),
        "not_used": dict(lesson.not_used),
        "checks": [*lesson.checks, {"check": "no fold trains on what overlaps its test", "passed": leaks == 0}],
        "folds": len(folds),
        "embargo_days": EMBARGO_DAYS,
        "purged": sum(len(table.outcomes) - len(fold.train) - len(fold.test) for fold in folds),
        "looks": looks,
        "learners": [
            {"learner": of.name, "r2": of.r2, "folds": list(of.by_fold), "p": of.p} for of in judged
        ],
        "verdict": NO_SKILL if learner is None else SKILL,
        "kept": None if learner is None else best.name,
        "calibration": [
            {"signals": step.size, "predicted": step.predicted, "outcome": step.outcome}
            for step in calibration(table.outcomes[real], best.predicted, STEPS)
        ],
        "score_microseconds": None if learner is None else _microseconds(learner, table.conditions[:1]),
        "versions": _versions(),
    }  # fmt: skip


def _microseconds(learner: Learner, row: FloatArray) -> float:
    """Return how long a score takes: the median of many, one after the other."""
    seconds = []
    for _ in range(TIMED):
        begun = time.perf_counter()
        learner.predict(row)
        seconds.append(time.perf_counter() - begun)
    return round(float(np.median(seconds)) * 1e6, 1)
