"""Where the chains of the ledger end, published outside the database: after a restore, when no operation does it."""

from __future__ import annotations

from collections.abc import Collection

from django.db import DEFAULT_DB_ALIAS, connections

from trading import heads
from trading.models import JournalHead, Seal
from trading.proof.trials import TRIAL


def publish_ends(ledger: str, operation: str, *, lost: Collection[str] = ()) -> None:
    """Publish where each chain ends, over heads that a restore ``lost``."""
    for code, sequence, mac in JournalHead.objects.filter(sequence__gt=0).values_list(
        "account__code", "sequence", "mac"
    ):
        heads.publish(ledger, code, sequence, mac, operation, lost=lost)
    for sequence, mac in Seal.objects.order_by("-sequence").values_list("sequence", "mac")[:1]:
        heads.publish(ledger, heads.REFERENCES, sequence, mac, operation, lost=lost)
    with connections[DEFAULT_DB_ALIAS].cursor() as cursor:
        cursor.execute(f"SELECT sequence, mac FROM {TRIAL} ORDER BY sequence DESC LIMIT 1")  # noqa: S608
        for sequence, mac in cursor.fetchall():
            heads.publish(ledger, heads.TRIALS, sequence, mac, operation, lost=lost)
