"""The filters that a user keeps."""

from __future__ import annotations

from trading.models import SavedFilter, User
from trading.models.saved_filter import TRADES


def filters_of(user: User, page: str = TRADES) -> list[SavedFilter]:
    """Return the user's own filters of a list, in the order that the user gave them."""
    return list(SavedFilter.objects.filter(user=user, page=page).order_by("place", "pk"))
