"""Bringing many finished or open trades in at once: from a broker's file, or from the system before this one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from trading.errors import InvalidValue, LedgerBusy, LedgerNotReady, UnknownAccount, VeloxError
from trading.operations.close_position import close_position
from trading.operations.open_position import open_position
from trading.operations.update_trailing_sl import update_trailing_sl
from trading.transactions import in_parts, together

ImportRow = Mapping[str, Any]  # arguments of `open_position` and `close_position` by name; checked by these
Rejection = tuple[int, str, str]  # index, code, message

BATCH = 200  # well within the two seconds for which a strategy waits behind it
NAMES = ("trade_id", "strategy_id", "symbol")
OPENING = ("entry_price", "quantity", "entry_time")
OPTIONAL = ("side", "stop_price", "target_price", "charges", "fill_id", "order_id", "signal_conditions")
CLOSING = ("exit_price", "exit_time", "exit_reason", "pnl", "pnl_percent")
STOPS = "stop_changes"
EXIT_FILL = {"exit_charges": "charges", "exit_fill_id": "fill_id", "exit_order_id": "order_id"}
KNOWN = frozenset((*NAMES, *OPENING, *OPTIONAL, *CLOSING, *EXIT_FILL, STOPS))
FATAL = (LedgerBusy, LedgerNotReady, UnknownAccount)


@dataclass(frozen=True, slots=True)
class Imported:
    """The number of rows that are in the ledger now, and the rejected ones: (index, code, message)."""

    accepted: int
    rejected: tuple[Rejection, ...]


@in_parts()
def import_trades(account_code: str, rows: Sequence[ImportRow], *, batch_size: int = BATCH) -> Imported:
    """Book each row as `open_position` and, where it has an ``exit_price``, `close_position` would.

    A row has the arguments of the two; those of the exit fill are ``exit_charges``, ``exit_fill_id``,
    ``exit_order_id``. ``stop_changes`` are (at, stop price, extreme price, method), as `update_trailing_sl` takes them.
    Batches are committed one after another, each whole: where a row of one is refused, its good rows are committed one
    by one. To import a file again changes nothing. A batch holds the writers' lock for its length.

    Raises: LedgerBusy, LedgerNotReady, UnknownAccount: earlier batches stay, call again.
    """
    rejected: list[Rejection] = []
    for start in range(0, len(rows), batch_size):
        batch = rows[start : start + batch_size]
        if _refusal(account_code, batch) is None:
            continue
        for index, row in enumerate(batch, start):
            if (error := _refusal(account_code, [row])) is not None:
                rejected.append((index, error.code, str(error)))
    return Imported(len(rows) - len(rejected), tuple(rejected))


def _refusal(account_code: str, rows: Sequence[ImportRow]) -> VeloxError | None:
    """Commit these rows together, or none of them; return why none was."""
    try:
        with together():
            for row in rows:
                if unknown := sorted(set(row) - KNOWN):
                    raise InvalidValue(f"A row has the unknown key {unknown[0]!r}.", field=unknown[0])
                if missing := [name for name in (*NAMES, *OPENING) if name not in row]:
                    raise InvalidValue(f"A row has no {missing[0]}.", field=missing[0])
                names = [row[name] for name in NAMES]
                opening = {name: row[name] for name in (*OPENING, *OPTIONAL) if name in row}
                open_position(account_code, *names, **opening)
                for at, *change in row.get(STOPS, ()):
                    update_trailing_sl(account_code, *names, *change, at=at)
                if row.get("exit_price") is not None:
                    closing = {name: row[name] for name in CLOSING if name in row}
                    closing |= {name: row[key] for key, name in EXIT_FILL.items() if key in row}
                    close_position(account_code, *names, **{"exit_time": None, **closing})
    except FATAL:
        raise
    except VeloxError as error:
        return error
    return None
