"""Places in a list that goes by time: where a page of it ends, and the next one begins."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from django.db.models import Model, Q, QuerySet

Row = TypeVar("Row", bound=Model)


@dataclass(frozen=True, slots=True)
class RowPlace:
    """A place behind one row: its instant, and its key among the rows of that instant."""

    at: datetime
    pk: int


def page_of(
    rows: QuerySet[Row], by: str, *, after: RowPlace | None, limit: int
) -> tuple[Sequence[Row], RowPlace | None]:
    """Return at most ``limit`` rows by the column ``by`` behind a place, and the place of the next; None at the end.

    A row that is written meanwhile moves none of them: it is met where it belongs, or never.
    """
    if after is not None:
        rows = rows.filter(Q(**{f"{by}__gt": after.at}) | Q(**{by: after.at, "pk__gt": after.pk}))
    page = list(rows.order_by(by, "pk")[: limit + 1])
    if len(page) <= limit:
        return page, None
    return page[:limit], RowPlace(getattr(page[limit - 1], by), page[limit - 1].pk)
