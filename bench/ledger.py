"""The ledger: one trade in its own durable transaction against plain Django rows; eight writers at once."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import deepcopy
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from django.core.management import call_command
from django.db import connections, transaction

from bench.harness import Figures, Pair, Row
from trading.models import (
    Account,
    DayTotal,
    Exchange,
    Fill,
    Instrument,
    Journal,
    JournalHead,
    Realisation,
    Strategy,
    Trade,
)
from trading.operations.close_position import close_position
from trading.operations.import_trades import import_trades
from trading.operations.open_position import open_position

ROOT = Path(__file__).resolve().parent.parent
TRADES = 20
WRITERS, EACH = 8, 10
IMPORTED = 500
AT = datetime(2024, 3, 15, 4, tzinfo=UTC)
LATER = AT + timedelta(minutes=5)
ENTRY, EXIT, QUANTITY = Decimal("2450.05"), Decimal("2465.00"), Decimal(10)
PLAIN = "plain"


@contextmanager
def prepare_trade() -> Iterator[Pair]:
    with ledger_of_its_own(), plain_ledger():
        numbers = iter(range(10**9))
        yield Pair(lambda: ours(numbers), lambda: plainly(numbers))


def ours(numbers: Iterator[int]) -> int:
    """Open and close trades through the operations: two durable transactions, locks, checks, a chained journal."""
    before = Realisation.objects.count()
    for _ in range(TRADES):
        name = f"T{next(numbers)}"
        open_position("main", name, "ema cross", "RELIANCE", entry_price=ENTRY, quantity=QUANTITY, entry_time=AT)
        close_position("main", name, "ema cross", "RELIANCE", exit_price=EXIT, exit_time=LATER)
    return Realisation.objects.count() - before


def plainly(numbers: Iterator[int]) -> int:
    """Create the same rows, one transaction per opening and one per close, with Django's own defaults for SQLite."""
    before = Realisation.objects.using(PLAIN).count()
    for _ in range(TRADES):
        name = f"T{next(numbers)}"
        with transaction.atomic(using=PLAIN):
            trade = plain_opening(name)
        with transaction.atomic(using=PLAIN):
            plain_close(trade)
    return Realisation.objects.using(PLAIN).count() - before


def plain_opening(name: str) -> Trade:
    account, strategy, instrument = looked_up()
    trade = Trade.objects.using(PLAIN).create(
        account=account,
        strategy=strategy,
        instrument=instrument,
        trade_id=name,
        side="LONG",
        trading_day=AT.date(),
        opened_at=AT,
        recorded_at=AT,
        open_quantity=QUANTITY,
        open_cost=ENTRY * QUANTITY,
        entry_quantity=QUANTITY,
        entry_value=ENTRY * QUANTITY,
    )
    plain_fill(trade, 1, "BUY", "ENTRY", ENTRY, AT)
    plain_journal(account, "open_position", name)
    return trade


def plain_close(trade: Trade) -> None:
    account, strategy, instrument = looked_up()
    trade = Trade.objects.using(PLAIN).get(account=account, strategy=strategy, trade_id=trade.trade_id)
    fill = plain_fill(trade, 2, "SELL", "EXIT", EXIT, LATER)
    pnl = (EXIT - ENTRY) * QUANTITY
    key = {"account": account, "strategy": strategy, "instrument": instrument, "day": AT.date()}
    money = {"quantity": QUANTITY, "cost": ENTRY * QUANTITY, "proceeds": EXIT * QUANTITY, "pnl": pnl}
    Realisation.objects.using(PLAIN).create(**key, **money, trade=trade, fill=fill, at=LATER, closes=True)
    total, _ = DayTotal.objects.using(PLAIN).get_or_create(**key)
    total.gross_pnl, total.trades_closed, total.wins = total.gross_pnl + pnl, total.trades_closed + 1, total.wins + 1
    total.save()
    trade.state, trade.closed_at, trade.realised_pnl = "CLOSED", LATER, pnl
    trade.open_quantity = trade.open_cost = Decimal(0)
    trade.save()
    plain_journal(account, "close_position", trade.trade_id)


def plain_fill(trade: Trade, sequence: int, side: str, role: str, price: Decimal, at: datetime) -> Fill:
    what = {"trade": trade, "sequence": sequence, "side": side, "role": role}
    return Fill.objects.using(PLAIN).create(**what, price=price, quantity=QUANTITY, at=at, recorded_at=at)


def plain_journal(account: Account, operation: str, name: str) -> None:
    head = JournalHead.objects.using(PLAIN).get(account=account)
    body = json.dumps({"op": operation, "trade": name, "sequence": head.sequence + 1})
    mac = hashlib.sha256(f"{head.mac}{body}".encode()).hexdigest()
    Journal.objects.using(PLAIN).create(
        account=account,
        sequence=head.sequence + 1,
        operation=operation,
        body=body,
        mac=mac,
        previous_mac=head.mac,
        recorded_at=AT,
        recorded_by="",
    )
    head.sequence, head.mac = head.sequence + 1, mac
    head.save()


def looked_up() -> tuple[Account, Strategy, Instrument]:
    """The three that every row names, found by the names that a caller gives."""
    exchange = Exchange.objects.using(PLAIN).get(code="NSE")
    instruments, strategies = Instrument.objects.using(PLAIN), Strategy.objects.using(PLAIN)
    instrument, _ = instruments.get_or_create(exchange=exchange, symbol="RELIANCE", defaults={"currency": "INR"})
    strategy, _ = strategies.get_or_create(code="ema cross")
    return Account.objects.using(PLAIN).get(code="main"), strategy, instrument


@contextmanager
def ledger_of_its_own() -> Iterator[Path]:
    """Point the default connection at a new migrated ledger in a folder of its own."""
    connection = connections["default"]
    name = connection.settings_dict["NAME"]
    with tempfile.TemporaryDirectory(prefix="velox-bench-ledger-") as folder:
        connection.close()
        connection.settings_dict["NAME"] = Path(folder) / "ledger.sqlite3"
        call_command("migrate", verbosity=0)
        try:
            yield Path(folder)
        finally:
            connection.close()
            connection.settings_dict["NAME"] = name


@contextmanager
def plain_ledger() -> Iterator[None]:
    """A second SQLite file with the same tables, on Django's own engine and defaults: rollback journal, FULL."""
    with tempfile.TemporaryDirectory(prefix="velox-bench-plain-") as folder:
        database = deepcopy(connections.databases["default"])
        database.update(ENGINE="django.db.backends.sqlite3", NAME=str(Path(folder) / "plain.sqlite3"), OPTIONS={})
        connections.databases[PLAIN] = database
        # Filled by copying: the migrations seed the default database only.
        with connections["default"].cursor() as cursor:
            cursor.execute("VACUUM INTO %s", [database["NAME"]])
        with connections[PLAIN].cursor() as cursor:
            mode = cursor.execute("PRAGMA journal_mode=DELETE").fetchone()
            assert mode == ("delete",), mode
            # The triggers are ours: the plain ledger has none to pay for.
            cursor.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'")
            for (trigger,) in cursor.fetchall():
                cursor.execute(f"DROP TRIGGER {trigger}")
        try:
            yield
        finally:
            connections[PLAIN].close()
            del connections[PLAIN], connections.databases[PLAIN]


@contextmanager
def prepare_import() -> Iterator[Pair]:
    with ledger_of_its_own():
        numbers = iter(range(10**9))
        yield Pair(lambda: in_batches(numbers), lambda: one_by_one(numbers))


def in_batches(numbers: Iterator[int]) -> int:
    """Import trades, a durable transaction for all of a batch."""
    return import_trades("main", imported(numbers), batch_size=IMPORTED).accepted


def one_by_one(numbers: Iterator[int]) -> int:
    """Import the same, a durable transaction each."""
    return import_trades("main", imported(numbers), batch_size=1).accepted


def imported(numbers: Iterator[int]) -> list[dict[str, Any]]:
    of_all = {"strategy_id": "ema cross", "symbol": "RELIANCE", "quantity": QUANTITY}
    of_all |= {"entry_price": ENTRY, "entry_time": AT, "exit_price": EXIT, "exit_time": LATER}
    return [{**of_all, "trade_id": f"I{next(numbers)}"} for _ in range(IMPORTED)]


@contextmanager
def prepare_writers() -> Iterator[Figures]:
    with ledger_of_its_own() as folder:
        rounds = iter(range(10**9))
        yield Figures(lambda: writers(folder, next(rounds)), {"refused": 0, "worst wait": 0.5}, "count and seconds")


def writers(folder: Path, number: int) -> dict[str, float]:
    """Let eight processes write at once: how many calls were refused, and how long the slowest took."""
    environment = {**os.environ, "VELOX_DATA_DIR": str(folder), "DJANGO_SETTINGS_MODULE": "velox_site.settings"}
    command = (sys.executable, "-m", "tests.trading.ledger_workers", "write")
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    started = [
        subprocess.Popen([*command, f"R{number}W{writer}", str(EACH), "2"], cwd=ROOT, env=environment, **pipes)
        for writer in range(WRITERS)
    ]
    for writer in started:
        writer.stdout.readline()  # ready
    for writer in started:
        writer.stdin.write("\n")
        writer.stdin.flush()
    answers = [json.loads(writer.communicate()[0]) for writer in started]
    closed = Trade.objects.filter(trade_id__startswith=f"R{number}W", state="CLOSED").count()
    refused = sum(len(answer["refused"]) for answer in answers)
    assert refused or closed == WRITERS * EACH
    return {"refused": refused, "worst wait": max(answer["worst"] for answer in answers)}


def _row(name: str, what: str, prepare: Callable[[], Any], **options: Any) -> Row:
    return Row(name, what, prepare, unit="trades per second", **options)


ROWS = [
    _row(
        "trade",
        "a trade opened and closed, each durable, against plain Django rows",
        prepare_trade,
        mark=1.5,
        stretch=4,
    ),
    _row("import", "500 trades imported in one batch, against one by one", prepare_import, mark=1, stretch=2, rounds=3),
    _row("writers", "eight processes writing at once", prepare_writers, rounds=3),
]
