"""Where the hot copy is not what the ledger says, entry by entry."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal, InvalidOperation

from trading.domain.breaks import Figures
from trading.domain.chain import JSON
from trading.domain.position_breaks import ZERO, ComparedPosition
from trading.domain.reconciliation import HotDifference
from trading.hot import cache, ledger_copy


def differing_entries(account: str, now: datetime) -> Iterator[HotDifference]:
    """Yield each trade, stop, counter or sum of an account that its hot copy has otherwise; none without a Redis.

    Raises: UnknownAccount, LedgerNotReady, LedgerBusy.
    """
    for section, copied, true in ledger_copy.find_wrong(account, now) if cache.is_shared() else ():
        ours, theirs = _entries(true), _entries(copied)
        names = [name for name in {**ours, **theirs} if ours.get(name) != theirs.get(name)]
        for name in names:
            yield HotDifference(section, name, ours.get(name), theirs.get(name))
        if not names:  # the rows are right, and what says of when they are is not
            yield HotDifference(section, "", None, None)


def held_positions(account: str, day: date) -> list[ComparedPosition]:
    """Return what the hot copy holds by symbol; nothing where there is no copy."""
    entry = ledger_copy.read(account, "positions")
    rows = entry.get("positions") if entry is not None else None
    held: dict[str, Decimal] = {}
    for row in rows if isinstance(rows, list) else []:
        try:
            quantity = Decimal(str(row["open_quantity"]))
            symbol, sign = str(row["symbol"]), -1 if row["side"] == "SHORT" else 1
        except (TypeError, KeyError, InvalidOperation):
            continue
        held[symbol] = held.get(symbol, ZERO) + sign * quantity
    return [ComparedPosition(symbol, day, quantity, None) for symbol, quantity in held.items()]


def _entries(section: JSON) -> dict[str, Figures]:
    """Return a section's entries by name: trades and stops by strategy and trade, counters by strategy, sums as one."""
    if isinstance(section, Mapping):
        if all(isinstance(figures, Mapping) for figures in section.values()):
            return {name: _figures(figures) for name, figures in section.items()}
        return {"day": _figures(section)}
    entries: dict[str, Figures] = {}
    for row in section if isinstance(section, Sequence) and not isinstance(section, str) else ():
        figures = _figures(row)
        name = " ".join(filter(None, (figures.get("strategy_id"), figures.get("trade_id"), figures.get("opened_at"))))
        entries[f"{name} {len(entries)}" if name in entries else name] = figures
    return entries


def _figures(row: JSON) -> Figures:
    if not isinstance(row, Mapping):
        return {"entry": str(row)}
    return {name: None if cell is None else str(cell) for name, cell in row.items()}
