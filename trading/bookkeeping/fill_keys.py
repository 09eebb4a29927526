"""The key of a fill: its broker's id, which stands for one fill of an account, exchange and trading day.

Keys are rows of their own, written in the transaction that books the fill. A fill that turned a position stands in two
rows (numbers 0 and 1). Voiding keeps the key: what was taken back is not booked again by a file that still has it,
unless it is booked anew on purpose (`NewFill.takes_key`); then the key points to the new row.
"""

from __future__ import annotations

from datetime import date, datetime

from trading import rows
from trading.bookkeeping import references
from trading.domain.chain import JournalEntry
from trading.errors import IdConflict
from trading.models import Account, Correction, Fill, FillKey, Instrument, Trade
from trading.queries import facts

POINTS_TO = ("fill_id", "trade_id")  # of a key: all of it that may change


def must_be_free(
    account: Account, instrument: Instrument, fill_id: str, at: datetime, *, takes_key: bool = False
) -> None:
    """Raise IdConflict where the id stands for a fill of this day already; ``takes_key`` allows one that was voided."""
    keys = _keys(account.pk, instrument.exchange_id, references.day_of(at, instrument), fill_id)
    if keys and not (takes_key and _are_void(keys)):
        raise _conflict(keys)


def fill_of(trade: Trade, fill_id: str, at: datetime, *, takes_key: bool = False) -> Fill | None:
    """Return the trade's fill that has this id on the trading day of ``at``, None where the id is free.

    ``takes_key``: it is free as well where what it stands for was voided.

    Raises: IdConflict where another trade has it.
    """
    day = references.day_of(at, trade.instrument)
    keys = _keys(trade.account_id, trade.instrument.exchange_id, day, fill_id)
    if not keys or (takes_key and _are_void(keys)):
        return None
    own = next((key for key in keys if key.trade_id == trade.pk), None)
    if own is None:
        raise _conflict(keys)
    return rows.one(Fill, id=own.fill_id)


def rows_of(trade: Trade, fill_id: str, at: datetime) -> list[int]:
    """Return the primary keys of the fills that stand under this id on the trading day of ``at``, whatever trade."""
    day = references.day_of(at, trade.instrument)
    return [key.fill_id for key in _keys(trade.account_id, trade.instrument.exchange_id, day, fill_id)]


def keep(trade: Trade, fill: Fill, fill_id: str, *, number: int = 0, takes_key: bool = False) -> JournalEntry:
    """Write the key of a fill that was booked; return what the journal says of it.

    ``takes_key``: where a voided row has the key, it points to this fill from now on.
    """
    key = _key(trade, fill, fill_id, number)
    earlier = _keys(key.account_id, key.exchange_id, key.day, key.broker_fill_id) if takes_key else []
    taken = next((other for other in earlier if other.number == number), None)
    if taken is None:
        rows.insert(key)
        return _entry(key)
    key.pk = taken.pk
    rows.update(key, POINTS_TO, fill_id=taken.fill_id)
    return _entry(key, taken_from=taken.fill_id)


def follow(trade: Trade, fill: Fill) -> JournalEntry:
    """Give a fill that was moved to another trading day the key of that day, too; return what the journal says of it.

    The key of the day that was recorded stays: whoever says the fill again, as it was said or as it is right, means it.

    Raises: IdConflict where the id stands for another fill of that day.
    """
    if fill.fill_id is None:
        return {}
    key = _key(trade, fill, fill.fill_id, 0)
    keys = _keys(key.account_id, key.exchange_id, key.day, key.broker_fill_id)
    if any(other.fill_id == fill.pk for other in keys):
        return {}
    parts = {fill.pk}  # its other row, where it turned a position, may have gone ahead to that day
    for day in FillKey.objects.filter(fill=fill).values_list("day", flat=True):
        parts |= {row.fill_id for row in _keys(key.account_id, key.exchange_id, day, key.broker_fill_id)}
    strange = [other for other in keys if other.fill_id not in parts]
    if strange:
        raise _conflict(strange)
    key.number = max((other.number for other in keys), default=-1) + 1
    rows.insert(key)
    return _entry(key)


def _keys(account: int, exchange: int, day: date, fill_id: str) -> list[FillKey]:
    """Return the keys of an id on a day, in the order of their numbers."""
    return rows.fetch(
        FillKey, order_by="number", account_id=account, exchange_id=exchange, day=day, broker_fill_id=fill_id
    )


def _key(trade: Trade, fill: Fill, fill_id: str, number: int) -> FillKey:
    return FillKey(
        account_id=trade.account_id,
        exchange_id=trade.instrument.exchange_id,
        day=references.day_of(fill.at, trade.instrument),
        broker_fill_id=fill_id,
        number=number,
        fill=fill,
        trade=trade,
    )


def _are_void(keys: list[FillKey]) -> bool:
    """Tell whether none of the fills that these keys point to counts any more."""
    fills = {key.fill_id for key in keys if key.trade.state != Trade.State.VOID}
    voided = Correction.objects.filter(fill__in=fills, kind=facts.VOID).values_list("fill_id", flat=True)
    return fills <= set(voided)


def _entry(key: FillKey, *, taken_from: int | None = None) -> JournalEntry:
    taken: JournalEntry = {} if taken_from is None else {"from": taken_from}
    return {"fill_key": {"pk": key.pk, "day": key.day, "number": key.number, **taken}}


def _conflict(keys: list[FillKey]) -> IdConflict:
    """Return what is said of an id that these keys have: of one that counts, where there is any."""
    live = next((key for key in keys if not _are_void([key])), None)
    key = live or keys[0]
    fill, trade = key.fill, key.trade
    void = "It was voided and keeps its id: book it without one." if live is None else ""
    return IdConflict(
        f"Fill {key.broker_fill_id} of {key.day} is known as {fill.side} {fill.quantity:f} at {fill.price:f} on trade "
        f"{trade.trade_id} of {trade.trading_day}.",
        field="fill_id",
        hint=void or "Give another fill_id for another fill.",
    )
