"""A copy of the ledger's newest state in the hot state: open positions, trailing stops, strategy counters, day sums.

Each of these `SECTIONS` is one entry per account, put in one step under the journal's sequence: readers never see half
of a write, a slow writer never undoes a faster one's, and "nothing is open" is an entry while an absent one means
"unknown". The counters are counted in the ledger and never added to in the cache, so that a lost cache loses no count.
The ledger stays the truth: `trading.book` decides where the copy may answer.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import structlog
from django.db.models import Count, Max

from trading.domain.chain import journal_text
from trading.errors import LedgerBusy
from trading.hot import cache
from trading.hot.cache import HotEntry
from trading.models import JournalHead, Signal, StopChange, Trade
from trading.queries.accounts import get_account
from trading.queries.day import day_bounds, day_figures
from trading.queries.instruments import shown_symbol
from trading.queries.period import desk_date
from trading.queries.trades import OPEN, VOID, trade_values
from trading.queries.valuation import open_trades
from trading.transactions import reading

SECTIONS = ("positions", "stops", "counters", "day")
ATTEMPTS_MAX = 5

Version = tuple[int, int]  # the journal's sequence, when it was read (ns UTC)

log = structlog.get_logger("system")


def name_of(account: str, section: str) -> str:
    """Return the cache's key of one of an account's `SECTIONS`."""
    return cache.key("book", account, section)


def sequences() -> dict[str, int]:
    """Return how far each account's journal has come, by code. Raises: LedgerNotReady, LedgerBusy."""
    with reading():
        return dict(JournalHead.objects.order_by("account__code").values_list("account__code", "sequence"))


def rebuild(account: str, now: datetime) -> dict[str, int]:
    """Copy an account's newest state from the ledger; return how many entries were {"missing", "behind", "wrong"}.

    What was wrong (of the ledger's sequence or beyond, but not what the ledger says) is taken away first and logged.

    Raises: LedgerNotReady, LedgerBusy; ConnectionError where the cache took nothing.
    """
    copies, version, entries = _beside(account, now)
    kinds = {name: _compared(copies.get(name), entry, version[0]) for name, entry in entries.items()}
    wrong = [name for name, kind in kinds.items() if kind == "wrong"]
    if wrong:
        cache.drop(wrong)
        log.warning("the hot state was not what the ledger says", account=account, entries=len(wrong))
    if not cache.put("book", entries, dict.fromkeys(entries, version)):
        raise ConnectionError("the cache took nothing")
    return {kind: list(kinds.values()).count(kind) for kind in ("missing", "behind", "wrong")}


def find_wrong(account: str, now: datetime) -> Iterator[tuple[str, Any, Any]]:
    """Yield each section whose copy is not what the ledger says: its name, its copy, and what the copy should be.

    A copy that is missing or behind is none of them. Raises: LedgerNotReady, LedgerBusy.
    """
    copies, version, entries = _beside(account, now)
    for section in SECTIONS:
        copied, true = copies.get(name := name_of(account, section)), entries[name]
        if copied is not None and _compared(copied, true, version[0]) == "wrong":
            yield section, copied.get(section), true[section]


def _beside(account: str, now: datetime) -> tuple[dict[str, HotEntry], Version, dict[str, HotEntry]]:
    """Return the copies in the cache, and the ledger's version and entries, both by the cache's key."""
    # The copies first: one that is put meanwhile, of a newer state than the ledger's that was read, would look wrong.
    copies = cache.get_many([name_of(account, section) for section in SECTIONS])
    version, entries = _from_ledger(account, desk_date(now))
    return copies, version, {name_of(account, section): entry for section, entry in entries.items()}


def _compared(copied: HotEntry | None, entry: HotEntry, sequence: int) -> str:
    if copied is None:
        return "missing"
    copied_to = copied.get("sequence")
    if isinstance(copied_to, int) and copied_to < sequence:
        return "behind"
    if copied_to == sequence and copied.get("desk_date") != entry["desk_date"]:
        return "behind"
    same = {**copied, "as_of": 0} == {**entry, "as_of": 0}
    return "fine" if same else "wrong"


def _from_ledger(account: str, day: date) -> tuple[Version, dict[str, HotEntry]]:
    """Return the version and the entries, by section, of one state of the ledger; read again where it changes."""
    with reading():
        for _ in range(ATTEMPTS_MAX):
            as_of, before = time.time_ns(), _sequence(account)
            rows = {section: build(account, day) for section, build in BUILT.items()}
            if _sequence(account) == before:
                state = {"sequence": before, "as_of": as_of, "desk_date": day.isoformat()}
                return (before, as_of), {section: {**state, section: rows[section]} for section in rows}
    raise LedgerBusy("The ledger changes faster than it can be copied.")


def _sequence(account: str) -> int:
    return JournalHead.objects.filter(account__code=account).values_list("sequence", flat=True).first() or 0


def _positions(account: str, _: date) -> list[HotEntry]:
    rows = open_trades(get_account(account))
    return [
        {
            **{name: _plain(cell) for name, cell in trade.as_dict().items()},
            "open_cost": _plain(row.open_cost),
            "multiplier": _plain(row.instrument.multiplier),
        }
        for row, trade in zip(rows, trade_values(rows), strict=True)
    ]


def _stops(account: str, _: date) -> list[HotEntry]:
    """Return the last step of each open trade's trailing stop."""
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
    """Count by strategy: the day's trades opened and closed, its signals taken and skipped, and trades open now. A void
    trade counts nowhere."""
    row, (start, stop) = get_account(account), day_bounds(day)
    trades, within = Trade.objects.filter(account=row).exclude(state=VOID), {"gte": start, "lt": stop}
    signals = Signal.objects.filter(account=row, **{f"at__{word}": at for word, at in within.items()})
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


BUILT: dict[str, Callable[[str, date], Any]] = {
    "positions": _positions,
    "stops": _stops,
    "counters": _counters,
    "day": lambda account, day: {
        name: _plain(figure) for name, figure in day_figures(get_account(account), day).items()
    },
}


def _plain(cell: Any) -> str | int | list[str] | None:
    """Return a field of a trade, a stop or a day as JSON tells it."""
    if isinstance(cell, Decimal):
        return journal_text(cell)
    if isinstance(cell, datetime):
        return cell.astimezone(UTC).isoformat()
    return list(cell) if isinstance(cell, tuple) else cell


# -- reading ----------------------------------------------------------------------------------------------------------


def read(account: str, section: str, *, since_ns: int = 0) -> HotEntry | None:
    """Return an account's copied entry: "sequence", "as_of" (ns), "desk_date", and the section under its name.

    None where there is none, or one older than ``since_ns``.
    """
    name = name_of(account, section)
    entry = cache.get_many([name]).get(name) if cache.is_shared() else None
    if entry is None or not isinstance(entry.get("as_of"), int) or entry["as_of"] < since_ns:
        return None
    return entry


def is_as_new_as_the_ledger(account: str, entry: HotEntry) -> bool:
    """Tell whether the account's journal has no row after the state that an entry was copied from."""
    return bool(entry.get("sequence") == _sequence(account))
