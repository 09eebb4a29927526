"""The ledger's newest state, copied to the hot state: open positions, trailing stops, strategy counters, day sums.

One entry each per account, put in one step under the journal's sequence: readers never see half of a write, a slow
writer never undoes a faster one's, and "nothing is open" is an entry while an absent one means "unknown". The counters
are counted in the ledger and never added to in the cache, so that a lost cache loses no count. The ledger stays the
truth: `book` decides where the copy may answer.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import structlog
from django.db.models import Count, Max

from trading.errors import LedgerBusy
from trading.hot import cache
from trading.models import JournalHead, Signal, StopChange, Trade
from trading.queries.accounts import get_account
from trading.queries.day import day_bounds, day_figures
from trading.queries.instruments import shown_symbol
from trading.queries.period import desk_date
from trading.queries.trades import OPEN, trade_values
from trading.transactions import reading

PARTS = ("positions", "stops", "counters", "day")
ATTEMPTS_MAX = 5

Book = dict[str, dict[str, Any]]
Version = tuple[int, int]  # the journal's sequence, when it was read (ns UTC)

log = structlog.get_logger("system")


def name_of(account: str, part: str) -> str:
    """Return the key of one of an account's `PARTS`."""
    return cache.key("book", account, part)


def sequences() -> dict[str, int]:
    """Return how far each account's journal has come, by code. Raises: LedgerNotReady, LedgerBusy."""
    with reading():
        return dict(JournalHead.objects.order_by("account__code").values_list("account__code", "sequence"))


def rebuild(account: str, now: datetime) -> dict[str, int]:
    """Put an account's book as the ledger has it, and return what stood there instead: {"missing", "behind", "wrong"}.

    What was wrong (of the ledger's sequence or beyond, but not what the ledger says) is taken away first and logged.

    Raises: LedgerNotReady, LedgerBusy; ConnectionError where the cache took nothing.
    """
    there, version, names = _beside(account, now)
    kinds = {name: _compared(there.get(name), entry, version[0]) for name, entry in names.items()}
    wrong = [name for name, kind in kinds.items() if kind == "wrong"]
    if wrong:
        cache.drop(wrong)
        log.warning("the hot state was not what the ledger says", account=account, entries=len(wrong))
    if not cache.put("book", names, dict.fromkeys(names, version)):
        raise ConnectionError("the cache took nothing")
    return {kind: list(kinds.values()).count(kind) for kind in ("missing", "behind", "wrong")}


def find_wrong(account: str, now: datetime) -> Iterator[tuple[str, Any, Any]]:
    """Yield each part whose copy is not what the ledger says: its name, what is copied, what it should be.

    A copy that is missing or behind is none of them. Raises: LedgerNotReady, LedgerBusy.
    """
    there, version, names = _beside(account, now)
    for part in PARTS:
        copied, true = there.get(name := name_of(account, part)), names[name]
        if copied is not None and _compared(copied, true, version[0]) == "wrong":
            yield part, copied.get(part), true[part]


def _beside(account: str, now: datetime) -> tuple[Book, Version, Book]:
    """Return the copies that are there, and the version and the entries that the ledger tells, by key."""
    # The copies first: one that is put meanwhile, of a newer state than the ledger's that was read, would look wrong.
    there = cache.get_many([name_of(account, part) for part in PARTS])
    version, book = _from_ledger(account, desk_date(now))
    return there, version, {name_of(account, part): entry for part, entry in book.items()}


def _compared(there: dict[str, Any] | None, entry: dict[str, Any], sequence: int) -> str:
    if there is None:
        return "missing"
    found = there.get("sequence")
    if isinstance(found, int) and found < sequence:
        return "behind"
    if found == sequence and there.get("desk_date") != entry["desk_date"]:
        return "behind"
    same = {**there, "as_of": 0} == {**entry, "as_of": 0}
    return "fine" if same else "wrong"


def _from_ledger(account: str, day: date) -> tuple[Version, Book]:
    """Return the version and the entries of one state of the ledger: none that changed while it was read."""
    with reading():
        for _ in range(ATTEMPTS_MAX):
            as_of, before = time.time_ns(), _sequence(account)
            parts = {part: build(account, day) for part, build in BUILT.items()}
            if _sequence(account) == before:
                said = {"sequence": before, "as_of": as_of, "desk_date": day.isoformat()}
                return (before, as_of), {part: {**said, part: entry} for part, entry in parts.items()}
    raise LedgerBusy("The ledger changes faster than it can be copied.")


def _sequence(account: str) -> int:
    return JournalHead.objects.filter(account__code=account).values_list("sequence", flat=True).first() or 0


def _open(account: str) -> Iterable[Trade]:
    rows = Trade.objects.filter(account=get_account(account), state=OPEN)
    return rows.select_related("account", "strategy", "instrument__exchange").order_by("opened_at", "pk")


def _positions(account: str, _: date) -> list[dict[str, Any]]:
    rows = list(_open(account))
    return [
        {
            **{name: _plain(value) for name, value in trade.as_dict().items()},
            "open_cost": _plain(row.open_cost),
            "multiplier": _plain(row.instrument.multiplier),
        }
        for row, trade in zip(rows, trade_values(rows), strict=True)
    ]


def _stops(account: str, _: date) -> list[dict[str, Any]]:
    """The last step of each open trade's trailing stop."""
    changes = StopChange.objects.filter(trade__account=get_account(account), trade__state=OPEN)
    last = changes.values("trade").annotate(last=Max("pk")).values("last")
    rows = changes.filter(pk__in=last).select_related("trade__strategy", "trade__instrument__exchange").order_by("pk")
    return [
        {
            "trade_id": row.trade.trade_id,
            "strategy_id": row.trade.strategy.code,
            "symbol": shown_symbol(row.trade.instrument.exchange.code, row.trade.instrument.symbol),
            "stop_price": _plain(row.stop_price),
            "extreme_price": _plain(row.extreme_price),
            "method": row.method,
            "at": _plain(row.at),
        }
        for row in rows
    ]


def _counters(account: str, day: date) -> dict[str, dict[str, int]]:
    """How much each strategy did on the day: trades opened and closed, signals taken and skipped, trades open now."""
    found, (start, stop) = get_account(account), day_bounds(day)
    trades, within = Trade.objects.filter(account=found), {"gte": start, "lt": stop}
    signals = Signal.objects.filter(account=found, **{f"at__{word}": at for word, at in within.items()})
    counted = {
        "trades_opened": trades.filter(**{f"opened_at__{word}": at for word, at in within.items()}),
        "trades_closed": trades.filter(**{f"closed_at__{word}": at for word, at in within.items()}),
        "trades_open": trades.filter(state=OPEN),
        "signals_taken": signals.filter(decision="TAKEN"),
        "signals_skipped": signals.filter(decision="SKIPPED"),
    }
    counters: dict[str, dict[str, int]] = {}
    for name, rows in counted.items():
        for strategy, count in rows.order_by().values_list("strategy__code").annotate(n=Count("pk")):
            counters.setdefault(strategy, dict.fromkeys(counted, 0))[name] = count
    return counters


def _day(account: str, day: date) -> dict[str, Any]:
    return {name: _plain(value) for name, value in day_figures(get_account(account), day).items()}


BUILT: dict[str, Callable[[str, date], Any]] = {
    "positions": _positions,
    "stops": _stops,
    "counters": _counters,
    "day": _day,
}


def _plain(value: Any) -> Any:
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    return list(value) if isinstance(value, tuple) else value


# -- reading ----------------------------------------------------------------------------------------------------------


def read(account: str, part: str, *, since_ns: int = 0) -> dict[str, Any] | None:
    """Return an entry of an account as it was copied: "sequence", "as_of", "desk_date" and the part under its name.

    None where that is unknown or older than ``since_ns``.
    """
    name = name_of(account, part)
    entry = cache.get_many([name]).get(name) if cache.is_shared() else None
    if entry is None or not isinstance(entry.get("as_of"), int) or entry["as_of"] < since_ns:
        return None
    return entry


def is_as_new_as_the_ledger(account: str, entry: dict[str, Any]) -> bool:
    """Tell whether nothing was written since an entry was copied."""
    return bool(entry.get("sequence") == _sequence(account))
