"""What was ever tried."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import date

from django.conf import settings
from django.db.models import Count, Max, Min, Q

from lab.domain.trials import TrialOutcome, outcome_of
from lab.models import Trial
from trading import heads
from trading.domain.chain import chain_code
from trading.models import JournalHead
from trading.proof.heads import published

KEYS_AT_ONCE = 500  # in one question: SQLite takes so many parameters


@dataclass(frozen=True, slots=True)
class TrialCount:
    """How often a strategy was tried on anything at all, and on which days."""

    strategy: str
    trials: int
    failed: int
    pruned: int
    first_day: date
    last_day: date


def trial_counts() -> list[TrialCount]:
    """Return how often each strategy was tried, by name."""
    counts = {"failed": Count("pk", filter=Q(state="failed")), "pruned": Count("pk", filter=Q(state="pruned"))}
    days = {"first": Min("first_day"), "last": Max("last_day")}
    rows = Trial.objects.values("strategy").annotate(trials=Count("pk"), **counts, **days).order_by("strategy")
    return [TrialCount(*row) for row in rows.values_list("strategy", "trials", *counts, *days)]


def trials_on(strategy: str, days: Collection[date]) -> list[TrialOutcome]:
    """Return every trial that was made with a strategy on any of these days, of any code and parameters, in order."""
    if not days:
        return []
    rows = Trial.objects.filter(strategy=strategy, first_day__lte=max(days), last_day__gte=min(days))
    outcomes = (outcome_of(text) for text in rows.order_by("sequence").values_list("body", flat=True).iterator())
    asked = set(days)
    return [outcome for outcome in outcomes if not asked.isdisjoint(outcome.setup.days)]


def trials_of(keys: Collection[str]) -> dict[str, TrialOutcome]:
    """Return those of the trials that were made already, by key."""
    wanted: list[str] = sorted(keys)
    outcomes: dict[str, TrialOutcome] = {}
    for start in range(0, len(wanted), KEYS_AT_ONCE):
        rows = Trial.objects.filter(key__in=wanted[start : start + KEYS_AT_ONCE])
        outcomes |= {key: outcome_of(text) for key, text in rows.values_list("key", "body")}
    return outcomes


def trial_of_run(run: str) -> TrialOutcome | None:
    """Return the trial that a backtest's run is, None where the registry has none of that id."""
    bodies = list(Trial.objects.filter(key__startswith=run).values_list("body", flat=True)[:2]) if run else []
    return outcome_of(bodies[0]) if len(bodies) == 1 else None


def ledger_name() -> str:
    """Return the ledger's identity, under which the heads of its chains are published; "" before it has any."""
    return JournalHead.objects.exclude(ledger="").values_list("ledger", flat=True).first() or ""


def trial_faults() -> Iterator[str]:
    """Yield what is wrong with the registry's chain: a row that was changed, put between or taken out, or cut off
    behind a head that was published outside the database."""
    previous, key, number = "", str(settings.JOURNAL_KEY), 0
    ends = published(ledger_name()).get(heads.TRIALS, {})
    for number, row in enumerate(Trial.objects.order_by("sequence").iterator(), start=1):
        if row.sequence != number:
            yield f"trial {number} is missing: {row.sequence} follows"
            return
        if row.previous_mac != previous or row.mac != chain_code(key, previous, row.body):
            yield f"trial {number} does not continue the chain"
        outcome = outcome_of(row.body)
        days = outcome.setup.days
        columns = (row.key, row.strategy, row.first_day, row.last_day, row.state)
        if columns != (outcome.setup.key, outcome.setup.strategy, min(days), max(days), str(outcome.state)):
            yield f"trial {number} has other columns than its body"
        previous = row.mac
        if any(mac != row.mac for mac in ends.pop(number, {}).values()):
            yield f"trial {number} is another than the one that was published"
    for last, sources in sorted(ends.items())[-1:]:
        yield f"the trials after {number} were cut off: {last} were published in {', '.join(sources)}"
