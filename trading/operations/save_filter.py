"""Keeping a user's own filters of lists. They are no facts: the journal does not tell of them."""

from __future__ import annotations

from django.db.models import Max

from timeseries.values import parse_name
from trading.errors import InvalidValue
from trading.models import SavedFilter, User
from trading.models.saved_filter import TRADES
from trading.transactions import writing

PER_USER_MAX = 50


def save_filter(user: User, name: str, query: str, page: str = TRADES) -> SavedFilter:
    """Keep a filter of a list under a name and return it, behind the others; a name that is taken gets the new filter.

    Raises: InvalidValue for what is no name of at most 60 characters, for a filter of more than 2,000, and for more
        than 50; LedgerBusy, LedgerNotReady.
    """
    name = parse_name(name.strip(), "name", 60)
    if len(query) > 2000:
        raise InvalidValue("The filter is too long.", field="query", hint="At most 2,000 characters.")
    with writing():
        own = SavedFilter.objects.filter(user=user)
        row = own.filter(page=page, name=name).first()
        if row is None:
            if own.count() >= PER_USER_MAX:
                raise InvalidValue(f"You keep {PER_USER_MAX} filters.", field="name", hint="Delete one first.")
            last = own.aggregate(last=Max("place"))["last"] or 0
            row = SavedFilter(user=user, page=page, name=name, place=last + 1)
        row.query = query
        row.save()
    return row


def delete_filter(user: User, pk: int) -> None:
    """Remove a filter of the user's; one that is not there is none. Raises: LedgerBusy, LedgerNotReady."""
    with writing():
        SavedFilter.objects.filter(user=user, pk=pk).delete()


def move_filter_up(user: User, pk: int) -> None:
    """Put a filter of the user's before the one before it in the same list. Raises: LedgerBusy, LedgerNotReady."""
    with writing():
        own = SavedFilter.objects.filter(user=user)
        rows = list(own.filter(page__in=own.filter(pk=pk).values("page")).order_by("place", "pk"))
        at = next((number for number, row in enumerate(rows) if row.pk == pk), 0)
        if at:
            rows[at - 1], rows[at] = rows[at], rows[at - 1]
        for place, row in enumerate(rows, 1):
            row.place = place
        SavedFilter.objects.bulk_update(rows, ["place"])
