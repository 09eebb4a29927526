"""The whole ledger proved: trades as this tree's own operations wrote them, for its schema is its own.

`PROVED_TRADES` says how many; where the data folder is kept, those that are there already stay. Those of one day are
written by operations, the others are its rows again, each time a day later and under the next keys, with a chain of
their own codes: so a million take a minute, and the proof itself says that they are as operations would have left them.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import orjson
from django.conf import settings
from django.core.management import call_command
from django.db import connection, transaction

from trading.domain.chain import canonical, chain_code
from trading.models import Trade
from trading.operations.close_position import close_position
from trading.operations.open_position import open_position

try:
    from trading.proof.verify import verify_ledger
except ImportError:  # where the former commit has it
    from trading.queries.verify import verify_ledger

TRADES = int(os.environ.get("PROVED_TRADES", "1000"))
OF_ONE_DAY = min(TRADES, 1000)
AT = datetime(2024, 3, 15, 4, tzinfo=UTC)


# Tables of a day's trades, and which columns and keys of a journal's body name their rows.
TABLES = {
    "trading_trade": ("pk",),
    "trading_fill": ("fill_pk",),
    "trading_daytotal": ("day_total_pk",),
    "trading_realisation": ("realisation_pk",),
}
DAYS = {
    "trading_trade": "trading_day",
    "trading_fill": "substr(at, 1, 10)",
    "trading_daytotal": "day",
    "trading_realisation": "day",
}
COLUMNS = {"trade_id": "trading_trade", "fill_id": "trading_fill"}


def repeat_days() -> None:
    """Write the rows of the first day again for each later one."""
    first = AT.date().isoformat()
    with transaction.atomic(), connection.cursor() as cursor:
        rows = {name: rows_of(cursor, name, f"{DAYS[name]} = %s", first) for name in TABLES}
        sizes = {name: max(row["id"] for row in of_table) for name, of_table in rows.items()}
        cursor.execute("SELECT account_id, MAX(sequence) FROM trading_journal GROUP BY account_id")
        ((account, sequence),) = cursor.fetchall()
        journal = rows_of(cursor, "trading_journal", "sequence <= %s", 2 * OF_ONE_DAY)
        cursor.execute("SELECT mac FROM trading_journal WHERE sequence = %s", [sequence])
        mac = cursor.fetchone()[0]
        for number in range(sequence // len(journal), TRADES // OF_ONE_DAY):
            day = (AT + timedelta(days=number)).date().isoformat()
            for name, of_table in rows.items():
                insert(cursor, name, [moved(row, name, number, sizes, first, day) for row in of_table])
            entries = [again(row, number, sizes, first, day, len(journal)) for row in journal]
            mac = link(entries, mac)
            insert(cursor, "trading_journal", entries)
        cursor.execute("SELECT MAX(sequence) FROM trading_journal")
        end = [cursor.fetchone()[0], mac, account]
        cursor.execute("UPDATE trading_journalhead SET sequence = %s, mac = %s WHERE account_id = %s", end)


def rows_of(cursor: object, table: str, condition: str, value: str | int) -> list[dict[str, object]]:
    """Return the rows of a table by their columns, times as SQLite keeps them."""
    cursor.execute(f"SELECT * FROM {table} WHERE {condition} ORDER BY id", [value])
    names = [column[0] for column in cursor.description]
    return [
        {name: str(cell) if isinstance(cell, date) else cell for name, cell in zip(names, row, strict=True)}
        for row in cursor.fetchall()
    ]


def moved(
    row: dict[str, object], table: str, number: int, sizes: dict[str, int], first: str, day: str
) -> dict[str, object]:
    """Return a row as it stands so many days later."""
    row = {name: cell.replace(first, day) if isinstance(cell, str) else cell for name, cell in row.items()}
    row["id"] += number * sizes[table]
    for name, other in COLUMNS.items():
        if isinstance(row.get(name), int):
            row[name] += number * sizes[other]
    return row


def again(
    row: dict[str, object], number: int, sizes: dict[str, int], first: str, day: str, length: int
) -> dict[str, object]:
    """Return a row of the journal as it stands so many days later, without its codes."""
    body = orjson.loads(row["body"].replace(first, day))
    for table, keys in TABLES.items():
        for part in (body, body["trade"]):
            for key in keys:
                if key in part:
                    part[key] += number * sizes[table]
    body["sequence"] += number * length
    return row | {"id": row["id"] + number * length, "sequence": body["sequence"], "body": canonical(body)}


def link(entries: list[dict[str, object]], mac: str) -> str:
    """Give each entry its codes; return the last one."""
    key = (Path(settings.DATA_DIR) / "journal.key").read_text().strip()
    for entry in entries:
        entry["previous_mac"] = mac
        entry["mac"] = mac = chain_code(key, mac, entry["body"])
    return mac


def insert(cursor: object, table: str, rows: list[dict[str, object]]) -> None:
    """Insert whole rows."""
    names, places = ", ".join(f'"{name}"' for name in rows[0]), ", ".join(["%s"] * len(rows[0]))
    cursor.executemany(f"INSERT INTO {table} ({names}) VALUES ({places})", [[*row.values()] for row in rows])


@contextmanager
def prepare() -> Iterator[Callable[[], int]]:
    call_command("migrate", verbosity=0)
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA synchronous = OFF")  # what is measured comes afterwards
    for number in range(Trade.objects.count(), OF_ONE_DAY):
        at = AT + timedelta(seconds=number)
        open_position("main", f"T{number}", "bench", "INFY", entry_price=100, quantity=10, entry_time=at)
        close_position("main", f"T{number}", "bench", "INFY", exit_price=101, exit_time=at + timedelta(seconds=1))
    repeat_days()

    def play() -> int:
        proof = verify_ledger()
        assert proof.ok and proof.checked["trade"] == TRADES, proof.differences[:3]
        return TRADES

    yield play
