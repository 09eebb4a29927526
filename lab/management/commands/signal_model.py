"""`manage.py signal_model`: learn what a strategy's signals bring from their conditions, or learn that nothing does."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Callable, Sequence
from datetime import date

from django.utils import timezone

from lab.domain.model_card import ModelCard, ScoreAnswer
from lab.learning.requests import TrainingRequest
from lab.management.arguments import add_period_arguments, numbers_named
from lab.optimise.extras import of_extra
from lab.queries.signal_models import card_of, model_named
from timeseries.wiring import open_reader
from trading.errors import InvalidValue
from trading.management.base import VeloxCommand
from trading.management.output import Report, Table, add_format_arguments
from trading.management.report import Value
from trading.queries.accounts import get_account
from trading.transactions import ask

TRAIN, CARD, SCORE = "train", "card", "score"


class Command(VeloxCommand):
    help = (
        "Learn the outcomes of a strategy's signals from their recorded conditions (train), look at what the newest "
        "model is worth (card), or ask it about conditions (score). Judged on days that it was not taught of; kept "
        "only where it is nearer than the mean beyond luck."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        verbs = parser.add_subparsers(dest="verb", required=True)
        for verb, line in (
            (TRAIN, "learn, and record the card"),
            (CARD, "what the newest model is worth, or the one named"),
            (SCORE, "what the newest model expects of these conditions"),
        ):
            of_verb = verbs.add_parser(verb, help=line)
            of_verb.add_argument("strategy", metavar="ID", help="whose signals")
            of_verb.add_argument("--account", default="main", help="in which they are booked (default: main)")
            if verb == TRAIN:
                add_period_arguments(of_verb)
                of_verb.add_argument(
                    "--without", action="append", default=[], metavar="NAME", help="a condition to leave out"
                )
                of_verb.add_argument(
                    "--hypothetical", type=int, metavar="MINUTES",
                    help="learn from skipped signals, too, by what the price did for so long (default: leave them out)",
                )  # fmt: skip
            elif verb == SCORE:
                of_verb.add_argument("conditions", nargs="+", metavar="NAME=NUMBER", help="what was seen")
            add_format_arguments(of_verb)

    def answer(
        self,
        *,
        verb: str,
        strategy: str,
        account: str,
        first: date | None = None,
        last: date | None = None,
        without: Sequence[str] = (),
        hypothetical: int | None = None,
        conditions: Sequence[str] = (),
    ) -> bool:
        owner = ask(get_account, account)
        if verb == SCORE:
            score: Callable[..., ScoreAnswer] = of_extra(
                "lab.learning.scoring.told_score", "sklearn", "lab", "signal_model"
            )
            self.emit(_scored(score(strategy, account, numbers_named(conditions), timezone.now()), strategy))
            return True
        if verb == CARD:
            self.emit(_report(card_of(ask(model_named, account, strategy))))
            return True
        if hypothetical is not None and not 1 <= hypothetical <= 24 * 60:
            raise InvalidValue(f"hypothetical is {hypothetical}.", field="hypothetical", hint="Give 1 to 1440 minutes.")
        request = TrainingRequest(
            account=owner, strategy=strategy, first=first, last=last, without=frozenset(without),
            hypothetical_minutes=hypothetical,
        )  # fmt: skip
        train: Callable[..., ModelCard] = of_extra("lab.learning.training.train", "sklearn", "lab", "signal_model")
        self.emit(_report(train(request, open_reader())))
        return True


def _scored(answer: ScoreAnswer, strategy: str) -> Report:
    rows: list[list[Value]] = [[answer["model"], answer["outcome"], answer["score"]]]
    notes = [f"Not told: {', '.join(answer['missing'])}."] if answer["missing"] else []
    notes += [f"The model knows nothing of: {', '.join(answer['unknown'])}."] if answer["unknown"] else []
    return Report(f"Score {strategy}", answer, [Table("Score", ["Model", "Outcome", "Expected"], rows)], notes)


def _report(card: ModelCard) -> Report:
    """Return a card as tables: what was learned from, how far each learner was nearer than the mean, calibration."""
    unit = "multiples of the initial risk" if card["outcome"] == "r" else "money"
    taught: dict[str, Value] = {
        "Signals": card["labels"],
        "Days": card["days"],
        "from": card["first_day"],
        "to": card["last_day"],
        "Skipped": card["skipped"],
        "Hypothetical": card["hypotheticals"],
        "Mean outcome": card["mean"],
        "Conditions": len(card["conditions"]),
    }
    learners: list[list[Value]] = [["baseline (the mean)", 0.0, None, *[0.0] * card["folds"]]]
    learners += [[row["learner"], row["r2"], row["p"], *row["folds"]] for row in card["learners"]]
    folds = [f"Fold {number}" for number in range(1, card["folds"] + 1)]
    steps: list[list[Value]] = [[row["signals"], row["predicted"], row["outcome"]] for row in card["calibration"]]
    checks: list[list[Value]] = [[row["check"], "yes" if row["passed"] else "no"] for row in card["checks"]]
    tables = [
        Table(f"Model {card['model']} · {card['strategy']}", list(taught), [list(taught.values())]),
        Table(f"Out of sample: {card['verdict']}", ["Learner", "R²", "p", *folds], learners),
        Table("From the lowest expectation to the highest", ["Signals", "Expected", "Came"], steps),
        Table("Looked for leaks", ["Check", "Passed"], checks),
    ]
    notes = [
        f"Outcomes are {unit}, {card['charges']} charges.",
        f"p counts that {card['looks']} learners were tried on these days.",
        f"Learned: {', '.join(card['conditions'])}.",
        *(f"Not used: {name}, {reason}." for name, reason in card["not_used"].items()),
    ]
    kept = f"Kept: {card['kept']}; a score takes {card['score_microseconds']} µs."
    return Report(f"Model {card['model']}", card, tables, [*notes, kept if card["kept"] else "Nothing is kept."])
