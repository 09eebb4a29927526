"""The filters that a user keeps."""

from __future__ import annotations

from trading.models import SavedFilter, User


def filters_of(user: User) -> list[SavedFilter]:
    """Return the user's own filters, in the order that the user gave them."""
    return list(SavedFilter.objects.filter(user=user).order_by("place", "pk"))
