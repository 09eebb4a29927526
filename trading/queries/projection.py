"""How far the follower has come behind the journal."""

from __future__ import annotations

from django.db.models import F, Q
from django.db.utils import DatabaseError

from trading.models import JournalHead


def is_behind() -> bool:
    """Tell whether an account's journal has rows that are no points yet; False where there is no ledger."""
    waiting = JournalHead.objects.filter(sequence__gt=0).filter(
        Q(account__follower_cursor=None) | Q(account__follower_cursor__sequence__lt=F("sequence"))
    )
    try:
        return waiting.exists()
    except DatabaseError:
        return False
