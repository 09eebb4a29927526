"""Recording trials: every look at the data, once and for good."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from django.conf import settings
from django.db import DEFAULT_DB_ALIAS, connections, transaction

from lab.domain.trials import TrialOutcome
from lab.models import Trial
from lab.queries.trials import ledger_name, trials_of
from trading import heads
from trading.domain.chain import canonical, chain_code
from trading.transactions import writing

ROWS_AT_ONCE = 200  # in one statement


def record_trials(outcomes: Sequence[TrialOutcome], *, now: datetime | None = None) -> int:
    """Add a row for each trial that was never made before, all in one transaction, and return how many those are.

    A trial that is there already stays as it was first made, whatever became of it this time.

    Raises: LedgerBusy, LedgerNotReady, LedgerReadOnly.
    """
    at = now or datetime.now(UTC)
    by_key = {outcome.setup.key: outcome for outcome in reversed(outcomes)}
    with writing():
        connection = connections[DEFAULT_DB_ALIAS]
        if connection.vendor == "postgresql":  # whoever comes next waits for this transaction
            with connection.cursor() as cursor:
                cursor.execute("LOCK TABLE lab_trial IN SHARE ROW EXCLUSIVE MODE")
        last = Trial.objects.order_by("-sequence").values_list("sequence", "mac").first()
        sequence, mac = last or (0, "")
        recorded, rows = trials_of(by_key), []
        for key, outcome in reversed(by_key.items()):
            if key not in recorded:
                sequence, previous, days = sequence + 1, mac, outcome.setup.days
                body = canonical({**outcome.as_body(), "sequence": sequence, "recorded_at": at})
                mac = chain_code(str(settings.JOURNAL_KEY), previous, body)
                row = Trial(key=key, strategy=outcome.setup.strategy, first_day=min(days), last_day=max(days))
                row.state, row.body, row.recorded_at = str(outcome.state), body, at
                row.sequence, row.mac, row.previous_mac = sequence, mac, previous
                rows.append(row)
        Trial.objects.bulk_create(rows, batch_size=ROWS_AT_ONCE)
        ledger = ledger_name()
        if rows and ledger:
            transaction.on_commit(lambda: heads.publish(ledger, heads.TRIALS, sequence, mac, "record trials"))
    return len(rows)
