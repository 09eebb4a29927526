"""Keys of fills that an import books (see `fill_keys`), many at a time; keys of replaced trades are taken over."""

from __future__ import annotations

from collections.abc import Collection
from datetime import date

from trading import rows
from trading.bookkeeping.fill_keys import POINTS_TO
from trading.domain.chain import JournalEntry
from trading.models import Account, Fill, FillKey, Instrument, Trade
from trading.transactions import busy

CHUNK = 500  # SQLite takes no more than some thousand parameters
KeyName = tuple[date, str, int]  # day, the broker's id, number


def key_of(trade: Trade, fill: Fill, day: date, *, number: int) -> FillKey:
    """Return the key of a fill that is written already."""
    return FillKey(
        account_id=trade.account_id,
        exchange_id=trade.instrument.exchange_id,
        day=day,
        broker_fill_id=fill.fill_id or "",
        number=number,
        fill_id=fill.pk,
        trade_id=trade.pk,
    )


def keys_of(account: Account, instrument: Instrument, ids: Collection[str]) -> list[FillKey]:
    """Return the keys that some ids have on any day, with their trades."""
    keys: list[FillKey] = []
    names = sorted(ids)
    for start in range(0, len(names), CHUNK):
        chunk = names[start : start + CHUNK]
        of = FillKey.objects.filter(account=account, exchange=instrument.exchange_id, broker_fill_id__in=chunk)
        keys += of.select_related("trade")
    return keys


def write(keys: Collection[FillKey], earlier: Collection[FillKey]) -> dict[int, JournalEntry]:
    """Write the keys of new fills; return what the journal says of each, by its fill's primary key.

    A key that is among ``earlier``, of a trade that was voided, points to the new fill from now on. Raises: LedgerBusy
    where another trade took the id meanwhile.
    """
    by_name = {name_of(key): key for key in earlier}
    bodies: dict[int, JournalEntry] = {}
    new = []
    for key in keys:
        taken = by_name.get(name_of(key))
        if taken is None:
            new.append(key)
            continue
        if taken.trade.state != Trade.State.VOID:
            raise busy(f"fill {key.broker_fill_id} was booked at the same time")
        key.pk = taken.pk
        rows.update(key, POINTS_TO, fill_id=taken.fill_id)
        bodies[key.fill_id] = {"fill_key": {**_named(key), "from": taken.fill_id}}
    rows.insert_many(new)
    return bodies | {key.fill_id: {"fill_key": _named(key)} for key in new}


def name_of(key: FillKey) -> KeyName:
    """Return what names a key within its account and exchange."""
    return key.day, key.broker_fill_id, key.number


def _named(key: FillKey) -> JournalEntry:
    return {"pk": key.pk, "day": key.day, "number": key.number}
