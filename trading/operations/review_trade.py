"""Keeping a person's review of a trade."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from timeseries.values import parse_name
from trading import rows
from trading.bookkeeping import arguments, journal
from trading.bookkeeping.booking import trade_body
from trading.domain.chain import JournalEntry
from trading.errors import InvalidValue, UnknownTrade
from trading.models import Review, Trade, User
from trading.transactions import writing

RATINGS = range(1, 6)


def review_trade(
    trade_pk: int,
    *,
    by: User,
    rating: int | None = None,
    tags: Sequence[str] = (),
    mistakes: str = "",
    notes: str = "",
    state: str = Review.State.DONE,
) -> Review:
    """Keep a review and return it as it now stands; the journal keeps every version of it with its author.

    Raises: InvalidValue, UnknownTrade, LedgerBusy, LedgerNotReady.
    """
    if rating is not None and (isinstance(rating, bool) or rating not in RATINGS):
        raise InvalidValue(f"rating is {rating!r}.", field="rating", hint="Give 1 to 5, or none.")
    review: JournalEntry = {
        "state": arguments.one_of(state, "state", tuple(Review.State.values)),
        "rating": rating,
        "tags": [parse_name(tag, "tags") for tag in tags],
        "mistakes": arguments.free_text(mistakes, "mistakes"),
        "notes": arguments.free_text(notes, "notes"),
    }
    now = datetime.now(UTC)
    with writing():
        trade = Trade.objects.select_related("account", "strategy", "instrument__exchange").filter(pk=trade_pk).first()
        if trade is None:
            raise UnknownTrade(f"There is no trade {trade_pk}.", field="trade")
        journal.lock_head(trade.account)
        row = rows.one(Review, trade_id=trade.pk) or Review(trade=trade)
        if row.pk is not None and all(getattr(row, name) == review[name] for name in review):
            return row
        for name in review:
            setattr(row, name, review[name])
        row.reviewed_by, row.reviewed_at = by, now
        row.save()
        body: JournalEntry = {"trade": trade_body(trade), "review": review, "review_pk": row.pk}
        journal.append(trade.account, "review_trade", body, now=now, by=by.get_username())
    return row
