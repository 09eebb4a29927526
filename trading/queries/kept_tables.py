"""Columns of a large account that stay on disk from one process to the next, and grow by what was booked since.

A table has rows of trades, or of signals. Its file says at which end of the account's journal it was read; the rows of
the journal since then name what they touched, and that alone is read anew. A file is a copy that can be made again from
the ledger: it is used where its seals, by the journal's key, are whole and the journal still leads on from where it was
read; else all is read anew. Who deletes it loses nothing.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from threading import Lock
from typing import Protocol, TypeVar

import numpy as np
import pyarrow as pa
import structlog
from django.conf import settings
from django.db.models import F, Max, Model, QuerySet
from django.db.models.lookups import Exact

from trading.domain.chain import Body
from trading.models import Account
from trading.queries.kept import LedgerMark, last_migration, mark_of, rows_between
from trading.queries.lines import numbers
from trading.queries.sealed_parts import About, BrokenSeal, Values, read_parts, write_parts

log = structlog.get_logger("system")
Row = TypeVar("Row", bound=Model)

SOUGHT_MIN = 20_000  # fewer rows an index finds sooner than a file is read
SOUGHT_SHARE = 20  # and a smaller share of all than a twentieth, too, where a file is not read by the parts sought
SHARE = 4  # of a table's rows: an account that has more of them is read without an index
STEPS_MAX = 50_000  # rows of the journal that are looked at for what they touched; after more all is read anew
STEPS_KEPT = 2_000  # as many may be behind a file before it is written anew
FOLDER = "columns"
# Operations that change nothing of any trade. One that neither names a trade nor stands here makes all read anew.
BESIDE = frozenset(
    {
        *("create_account", "add_capital", "publish_daily_summary", "write_day_note", "set_limit"),
        *("record_signal", "import_file", "import_fills", "propose_actions", "decide_action", "state_charges"),
        *("set_brokerage_plan", "record_breaks", "approve_breaks", "make_token", "revoke_token"),
    }
)


class RowReader(Protocol):
    """Reads the rows of an account: of trades or signals with some keys, or (None) of all."""

    def __call__(self, account: Account, keys: Collection[int] | None, /) -> pa.Table: ...


Touches = Callable[[str, Body], Collection[int] | None]  # of an operation and its body; None where that is not certain


def trade_touched(operation: str, body: Body) -> Collection[int] | None:
    """Return the key of the trade that a row of the journal may have changed."""
    if operation in BESIDE:
        return ()
    return (body["trade"]["pk"],) if "trade" in body else None


def signal_recorded(operation: str, body: Body) -> Collection[int] | None:
    """Return the key of the signal that a row of the journal tells of: what it recorded never changes."""
    if "signal_pk" in body:
        return (body["signal_pk"],)
    return () if operation in BESIDE or "trade" in body else None


class KeptTable:
    """One kind of columns, in rows of a ``key``. ``layout`` changes with what they are: a file of another is none.
    ``by`` are the columns by whose values rows are often sought."""

    def __init__(
        self,
        name: str,
        layout: str,
        read: RowReader,
        key: str = "trade_id",
        touches: Touches = trade_touched,
        by: Sequence[str] = (),
    ):
        self._name, self._layout, self._read, self._key, self._touches = name, layout, read, key, touches
        self._by = by
        self._lock = Lock()

    def of(self, account: Account, **values: int) -> pa.Table:
        """Return the account's rows as they stand now, in no order: those that have some values in some columns."""
        mark = mark_of(account)  # before the rows: what comes in between is touched by a later row of the journal
        table = self._kept(account, mark, values)
        if table is None:
            table = self._read(account, None)
            self._keep(account, table, mark)
        mask = np.ones(len(table), dtype=bool)
        for name, value in values.items():
            mask &= numbers(table[name]) == value
        return table if mask.all() else table.filter(pa.array(mask))

    def is_worth_it(
        self, account: Account, rows: QuerySet[Model], *, is_parted: bool = False, at_most: int = sys.maxsize
    ) -> bool:
        """Tell whether so many of an account's rows are sought that what is kept of them is read in less time; of more
        than ``at_most`` nothing is to be kept. ``is_parted``: rows are sought by what the table is parted by alone."""
        newest = _newest(rows.model)
        has_parts = is_parted and os.path.exists(self._file(account))  # False where the folder cannot be looked into
        most = SOUGHT_MIN if has_parts else max(SOUGHT_MIN, newest // SOUGHT_SHARE)
        return at_most >= newest > most and mark_of(account).sequence > 0 and rows.order_by()[: most + 1].count() > most

    def _file(self, account: Account) -> Path:
        return Path(settings.DATA_DIR, FOLDER, f"{self._name}-{account.pk}")

    def _kept(self, account: Account, mark: LedgerMark, values: Values) -> pa.Table | None:
        """Return the rows with some values, and maybe others, from the file and of what was touched since; None where
        there is no file, or one that is not whole, of another layout, or from where the journal does not lead on."""

        def wanted(about: About) -> Values | None:  # a migration may rewrite rows
            is_ours = about["layout"] == self._layout and about["migration"] == last_migration()
            return None if not is_ours else values if mark.sequence - about["mark"][1] <= STEPS_KEPT else {}

        try:
            kept = read_parts(self._file(account), str(settings.JOURNAL_KEY), wanted)
        except (OSError, BrokenSeal):
            return None
        if kept is None:
            return None
        table, since = kept[1], LedgerMark(*kept[0]["mark"])
        touched = touched_between(account, since, mark, self._touches)
        if touched is None:
            return None
        if touched:
            stands = table.filter(pa.array(~np.isin(numbers(table[self._key]), list(touched))))
            both = pa.concat_tables([stands, self._read(account, touched)], promote_options="default")
            table = both.unify_dictionaries()
        if mark.sequence - since.sequence > STEPS_KEPT:
            self._keep(account, table, mark)
        return table

    def _keep(self, account: Account, table: pa.Table, mark: LedgerMark) -> None:
        """Write the file, where that can be done: a report is right without it."""
        file = self._file(account)
        about = About(layout=self._layout, migration=last_migration(), mark=mark)
        try:
            file.parent.mkdir(mode=0o700, exist_ok=True)
            with self._lock:
                write_parts(file, str(settings.JOURNAL_KEY), about, table.unify_dictionaries(), self._by)
        except OSError as error:
            log.info("columns are not kept", file=str(file), error=str(error))


def is_most(model: type[Model], account: Account) -> bool:
    """Tell whether so much of a table is the account's that all of it may be read (`of_most`)."""
    own, newest = (model._default_manager.filter(account=account).count(), _newest(model))
    return newest > 0 and SHARE * own >= newest


def of_most(rows: QuerySet[Row], account: Account) -> QuerySet[Row]:
    """Return those rows that are an account's, by no index: one row after the other takes a fifth of the time of an
    index's order, and an expression has no index."""
    return rows.filter(Exact(F("account_id") + 0, account.pk)).order_by()


def _newest(model: type[Model]) -> int:
    return int(model._default_manager.aggregate(last=Max("pk"))["last"] or 0)


def touched_between(
    account: Account, since: LedgerMark, until: LedgerMark, touches: Touches = trade_touched
) -> set[int] | None:
    """Return the keys of what rows of the account's journal touched after one mark up to a later one.

    None where that is not certain: the ledger is another, the journal does not lead from the one end to the other in
    `STEPS_MAX` rows, or one of them may have changed more than it names.
    """
    if since.ledger != until.ledger or not 0 <= until.sequence - since.sequence <= STEPS_MAX:
        return None
    if since[:3] == until[:3]:
        return set()
    rows = rows_between(account, since, until)
    if rows is None:
        return None
    touched: set[int] = set()
    for operation, body in rows:
        keys = touches(operation, json.loads(body))
        if keys is None:
            return None
        touched.update(keys)
    return touched
