"""`manage.py signal_model`: an effect is found, noise is not believed, leaks are refused by name."""

from __future__ import annotations

import io
import json
import os
import stat
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from django.core.management import CommandError, call_command
from django.db.utils import DatabaseError

from lab.domain.folds import DAY_NS, Fold, LabelTimes, purged_folds
from lab.domain.learning_table import LearningTable
from lab.learning.fitting import BOOSTING, RIDGE, fitted
from lab.learning.judging import judge
from lab.learning.scoring import NoSkill, kept_model
from lab.models import SignalModel
from lab.queries import signal_labels
from tests.lab import signals_made
from tests.trading.book import sql
from trading import summon
from trading.data_manager import DataManager
from trading.models import Signal
from trading.operations.record_signal import record_signal

Run = Callable[..., Any]


def run(verb: str, *arguments: object, strategy: str = "edgy") -> Any:
    out = io.StringIO()
    words = (verb, strategy, *map(str, arguments), "--format", "json")
    call_command("signal_model", *words, stdout=out, stderr=io.StringIO())
    return json.loads(out.getvalue())


# -- the folds matter --------------------------------------------------------------------------------------------------


def overlapping_noise(seed: int) -> LearningTable:
    """A price without memory; each label is its move over the next two hours, taken every minute, told only the time
    and the price so far."""
    chance, minutes, horizon = np.random.default_rng(seed), 375, 120
    rows, outcomes, begins, days = [], [], [], []
    for day in range(8):
        price = chance.normal(size=minutes + horizon).cumsum()
        for minute in range(minutes):
            rows.append([day * 1000 + minute, price[minute]])
            outcomes.append(price[minute + horizon] - price[minute])
            begins.append(day * DAY_NS + minute * 60 * 10**9)
            days.append(day)
    begins = np.array(begins, dtype=np.int64)
    times = LabelTimes(begins, begins + horizon * 60 * 10**9, np.array(days, dtype=np.int64))
    return LearningTable(("clock", "price"), np.array(rows), np.array(outcomes), times, np.ones(len(rows), dtype=bool))


def nearest(_name: str, conditions: np.ndarray, outcomes: np.ndarray) -> Any:
    """A learner that answers what it saw next to a row."""
    from sklearn.neighbors import KNeighborsRegressor

    return KNeighborsRegressor(n_neighbors=2).fit(conditions, outcomes)


def test_noise_with_overlapping_labels_looks_like_skill_only_where_folds_are_shuffled():
    table = overlapping_noise(1)
    places = np.random.default_rng(0).permutation(len(table.outcomes))
    parts = np.array_split(places, 5)
    shuffled = [Fold(np.setdiff1d(places, part), np.sort(part)) for part in parts]
    assert judge("nearest", table, shuffled, nearest, looks=1).r2 > 0.95
    folds = purged_folds(table.times, 5, embargo_days=1)
    for name, learner in (("nearest", nearest), (RIDGE, fitted), (BOOSTING, fitted)):
        judgement = judge(name, table, folds, learner, looks=2)
        assert judgement.r2 <= 0.05, name
        assert not judgement.beats_the_baseline, name


@pytest.mark.parametrize("name", [RIDGE, BOOSTING])
def test_a_condition_that_a_folds_own_days_never_saw_is_no_condition_there(name: str):
    chance = np.random.default_rng(3)
    edge = chance.normal(size=300)
    late = np.where(np.arange(300) < 240, np.nan, edge)  # recorded from the last fold's days on
    table = LearningTable(
        ("edge", "late"), np.column_stack([edge, late]), edge + chance.normal(size=300) * 0.1,
        LabelTimes(*(np.arange(300, dtype=np.int64) * step for step in (DAY_NS // 4, DAY_NS // 4, 1))),
        np.ones(300, dtype=bool),
    )  # fmt: skip
    rows = np.arange(300)
    folds = [Fold(np.setdiff1d(rows, test), test) for test in (rows[240:], rows[:120], rows[120:240])]
    alone = replace(table, names=("edge",), conditions=table.conditions[:, :1])
    judged, without = (judge(name, of, folds, fitted, looks=2) for of in (table, alone))
    assert judged.by_fold[0] == pytest.approx(without.by_fold[0], abs=1e-9)
    assert judged.r2 > 0.8


# -- the command -------------------------------------------------------------------------------------------------------


@pytest.fixture
def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(summon, "summon", lambda: None)


@pytest.fixture
def taught(alone: None, made_as: Any) -> None:
    made_as(signals_made.planted)


@pytest.mark.ledger
def test_an_effect_is_found_kept_and_asked(taught: None, data_dir: Any):
    card = run("train")
    assert (card["labels"], card["days"], card["outcome"], card["charges"]) == (240, 12, "r", "before")
    assert card["verdict"] == "skill" and card["kept"] in ("ridge", "boosting")
    assert card["conditions"] == ["edge", "other", "side"] and card["not_used"] == {"regime": "a text"}
    best = max(card["learners"], key=lambda row: row["r2"])
    assert best["r2"] == pytest.approx(0.5, abs=0.1)  # as much effect as noise
    assert best["p"] < 0.01 and len(best["folds"]) == card["folds"] == 5
    assert all(check["passed"] for check in card["checks"]) and card["looks"] == 2
    steps = card["calibration"]
    assert sum(step["signals"] for step in steps) == 240
    assert steps[0]["outcome"] < -0.5 < 0.5 < steps[-1]["outcome"]
    assert 0 < card["score_microseconds"] < 10**6
    assert run("card") == run("card", strategy=card["model"]) == card

    low, high = run("score", "edge=-1.5"), run("score", "edge=1.5", "volume=3")
    assert low["score"] < -0.5 < 0.5 < high["score"]
    assert high["missing"] == ["other", "side"] and high["unknown"] == ["volume"]
    [path] = (data_dir / "models").iterdir()
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
    assert stat.S_IMODE(os.stat(path.parent).st_mode) == 0o700


def test_the_same_training_again_adds_none_and_another_is_another_look(taught: None):
    first = run("train")
    assert run("train") == first and SignalModel.objects.count() == 1
    other = run("train", "--without", "other")
    assert other["looks"] == 4 and other["not_used"]["other"] == "left out by --without"
    assert run("card") == other


def test_a_swapped_file_and_a_row_put_in_are_refused_until_it_is_trained_again(taught: None, data_dir: Any):
    card = run("train")
    [path] = (data_dir / "models").iterdir()
    whole = path.read_bytes()
    path.write_bytes(whole[:-1] + b"?")
    with pytest.raises(CommandError, match="is not the file that was kept") as error:
        run("score", "edge=1")
    assert error.value.returncode == 2
    path.unlink()
    with pytest.raises(CommandError, match="cannot be read"):
        run("score", "edge=1")
    assert run("train")["model"] == card["model"]
    assert run("score", "edge=1.5")["score"] > 0.5
    row = SignalModel.objects.last()
    SignalModel.objects.create(
        training="f" * 64, file_digest=row.file_digest, account="main", strategy="edgy", first_day=row.first_day,
        last_day=row.last_day, body=row.body, mac="0" * 64, recorded_at=row.recorded_at,
    )  # fmt: skip
    with pytest.raises(CommandError, match="is not what was written"):
        run("card")


@pytest.mark.ledger
def test_no_row_of_a_model_is_changed_or_removed(taught: None):
    run("train")
    for statement in ("DELETE FROM lab_signalmodel", "UPDATE lab_signalmodel SET strategy = 'other'"):
        with pytest.raises(DatabaseError, match="append-only"):
            sql(statement)


def test_a_score_is_recorded_with_the_signal_and_judged_by_the_next_report(taught: None):
    run("train")
    scorer, later = kept_model("edgy"), signals_made.FIRST + timedelta(days=60)
    assert kept_model("edgy") is scorer  # loaded once
    with DataManager(source="nse") as dm:
        for number in range(6):
            at = later + timedelta(minutes=30 * number)
            seen = scorer.scored({"edge": number - 2.5, "other": 0.0, "side": "LONG"}, at)
            dm.open_position(f"L{number}", "edgy", "RELIANCE", 1000, 10, at, signal_conditions=seen)
            dm.close_position(f"L{number}", "edgy", "RELIANCE", 1000 + number, at + timedelta(minutes=5))
    out = io.StringIO()
    call_command(
        "signal_report", "--from", str(later.date()), "--to", str(later.date()), "--format", "json", stdout=out
    )
    assert "model.score" in {row["condition"] for row in json.loads(out.getvalue())["conditions"]}
    assert "model.score" in run("train")["not_used"]


def test_of_a_time_that_it_has_learned_from_a_model_says_nothing(taught: None):
    run("train")
    scorer = kept_model("edgy")
    assert scorer.score({"edge": 1.0}, signals_made.FIRST) is None
    assert scorer.scored({"edge": 1.0}, signals_made.FIRST) == {"edge": 1.0}
    assert scorer.score({"edge": 1.0}, datetime(2024, 6, 1, tzinfo=UTC)) > 0


def test_noise_has_no_skill_and_nothing_is_kept(alone: None, made_as: Any, data_dir: Any):
    made_as(signals_made.unplanted)
    card = run("train")
    assert card["verdict"] == "no skill" and card["kept"] is None and card["score_microseconds"] is None
    assert not (data_dir / "models").exists()
    with pytest.raises(CommandError, match="no skill"):
        run("score", "edge=1")
    with pytest.raises(NoSkill):
        kept_model("edgy")
    out = io.StringIO()
    call_command("signal_model", "card", "edgy", stdout=out)
    assert "Out of sample: no skill" in out.getvalue() and "Nothing is kept." in out.getvalue()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"exit_price": "same"}, "exit_price: known afterwards"),
        ({"peek": "outcome"}, "peek: as good as the outcome itself"),
        ({"seen_at": "later"}, "seen_at: recorded after the decision"),
    ],
)
def test_what_was_not_known_at_the_decision_is_refused_by_name(taught: None, monkeypatch: Any, change: Any, words: str):
    """The ledger cannot be bent, so what is read of it is."""
    read = signal_labels.Signal.from_db.__func__

    def bent(kind: Any, *arguments: Any) -> Any:
        signal = read(kind, *arguments)
        [(name, how)] = change.items()
        trade = signal.pk and signal_labels.Trade.objects.get(pk=signal.trade_id)
        signal.conditions[name] = {
            "same": float(signal.pk),
            "outcome": float(trade.realised_pnl) ** 3,
            "later": (signal.at + timedelta(seconds=1)).isoformat(),
        }[how]
        return signal

    monkeypatch.setattr(Signal, "from_db", classmethod(bent))
    with pytest.raises(CommandError, match=words) as error:
        run("train")
    assert error.value.returncode == 2 and "--without" in str(error.value)
    assert SignalModel.objects.count() == 0
    run("train", "--without", next(iter(change)))


def test_below_200_labels_there_is_no_model(taught: None):
    with pytest.raises(CommandError, match="edgy has 180 signals with a closed trade on 9 days") as error:
        run("train", "--to", "2024-03-14")
    assert error.value.returncode == 2
    with pytest.raises(CommandError, match="nobody has 0 signals"):
        run("train", strategy="nobody")
    with pytest.raises(CommandError, match="no model of edgy"):
        run("card")


def test_skipped_signals_are_counted_and_only_as_marked_hypotheticals_learned_from(taught: None):
    with DataManager(source="nse") as dm:
        for number in range(40):
            at = signals_made.FIRST + timedelta(minutes=3 * number, seconds=1)
            seen = {"edge": 1.0, "other": 0.0, "side": "LONG", "price": 100.0, "stop": 99.0}
            dm.process_tick("RELIANCE", {"ltp": 100.0 + number / 100}, at=at)
            record_signal("main", "edgy", "RELIANCE", at, seen, decision="SKIPPED", reason="late")
    card = run("train")
    assert (card["skipped"], card["hypotheticals"], card["hypothetical_minutes"]) == (40, 0, None)
    assert card["labels"] == 240
    other = run("train", "--hypothetical", 15)
    assert (other["skipped"], other["hypotheticals"], other["hypothetical_minutes"]) == (40, 39, 15)
    assert other["labels"] == sum(step["signals"] for step in other["calibration"]) == 240
    assert other["mean"] == card["mean"]  # of those that were taken


def test_trades_without_a_stop_are_judged_by_their_money(alone: None, ledger: Any):
    signals_made.made(0.8, stop=False)
    card = run("train")
    assert card["outcome"] == "pnl" and card["verdict"] == "skill"
    with pytest.raises(CommandError, match="Leave --hypothetical out"):
        run("train", "--hypothetical", 15)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [(("--account", "nobody"), "no account"), (("--hypothetical", "0"), "1 to 1440"), (("--from", "x"), "date is")],
)
def test_what_cannot_be_trained_is_refused_with_what_to_do(taught: None, arguments: Any, words: str):
    with pytest.raises(CommandError, match=words):
        run("train", *arguments)


@pytest.mark.parametrize("word", ["edge", "edge=x", "=1", "edge=nan", "edge=inf"])
def test_a_condition_is_a_name_and_a_number(taught: None, word: str):
    with pytest.raises(CommandError, match="NAME=NUMBER"):
        run("score", word)
