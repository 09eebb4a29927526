"""Reports over 100,000 trades, or over as many as `BOOK_TRADES` says; a play is one command, from the first query to
the last byte on disk, start-up not in it, or with `floor` the columns that any report needs, read and grouped in five
ways. `peak` answers with the most memory that the process had (kB) since its start or the last `reset`.

The data folder is kept between runs, with the columns that stay on disk: `anew` before a command takes those away. The
process keeps nothing of the ledger from one play to the next.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from itertools import islice
from pathlib import Path

import numpy as np
from django.conf import settings
from django.core.management import call_command
from django.db import connection, transaction

from bench import book
from trading.models import JournalHead, Trade

try:
    from trading.operations.write_day_note import write_day_note
    from trading.queries.accounts import get_account
    from trading.queries.kept import all_kept
except ImportError:  # the former commit keeps nothing
    all_kept = []

book.TRADES = int(os.environ.get("BOOK_TRADES", book.TRADES))
COLUMNS = """
SELECT r.strategy_id, r.instrument_id, t.side, t.exit_reason, CAST(r.day AS text), CAST(r.at AS text),
       CAST(t.opened_at AS text), r.pnl, r.charges, t.realised_pnl, t.charges, t.initial_risk
FROM trading_realisation r JOIN trading_trade t ON t.id = r.trade_id
"""
GROUPED, SUMMED = range(5), (7, 8)


@contextmanager
def prepare() -> Iterator[Callable[[str], int]]:
    call_command("migrate", verbosity=0)
    if not Trade.objects.exists():
        with transaction.atomic():
            book.fill(list(islice(book._weekdays(), book.DAYS + 1)))
    if all_kept and not JournalHead.objects.filter(account__code="main", sequence__gt=0).exists():
        # Trades are written here without a journal; what stays on disk is kept for who has one.
        write_day_note(get_account("main"), date(2024, 1, 1), "A book for measuring.", by="bench")
    with tempfile.TemporaryDirectory(prefix="velox-bench-reports-") as folder, open(os.devnull, "w") as log:

        def play(line: str) -> int:
            for answers in all_kept:
                answers.clear()
            if line in ("reset", "peak"):
                return peak_memory(begin_anew=line == "reset")
            if line == "floor":
                floor()
                return book.TRADES
            words = line.split()
            if words[0] == "anew":
                shutil.rmtree(Path(settings.DATA_DIR, "columns"), ignore_errors=True)
                words = words[1:]
            form = "csv" if words[0] == "trade_export" else "json"
            target = Path(folder) / f"{words[0]}.{form}"
            call_command(*words, "--format", form, "--output", str(target), stdout=log, stderr=log)
            assert target.stat().st_size
            return book.TRADES

        yield play


def peak_memory(*, begin_anew: bool) -> int:
    """Return the most memory that this process had, in kB."""
    if begin_anew:
        Path("/proc/self/clear_refs").write_text("5")
    words = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    return int(words.split()[1])


def floor() -> None:
    """Read the columns by one statement, and add up two of them by each of five others."""
    with connection.cursor() as cursor:
        cursor.execute(COLUMNS)
        columns: list[list[int | str | None]] = [[] for _ in cursor.description]
        while rows := cursor.fetchmany(500):
            for column, values in zip(columns, zip(*rows, strict=True), strict=True):
                column.extend(values)
    sums = [np.array([value or 0 for value in columns[place]], dtype=np.float64) for place in SUMMED]
    for place in GROUPED:
        numbers = {value: number for number, value in enumerate(dict.fromkeys(columns[place]))}
        codes = np.fromiter(map(numbers.__getitem__, columns[place]), dtype=np.int64, count=len(columns[place]))
        assert all(len(np.bincount(codes, weights=column)) == len(numbers) for column in sums)
