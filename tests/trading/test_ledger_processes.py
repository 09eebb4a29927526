"""The ledger among processes: one close of many, no lock reaches a caller, kill -9 loses and halves nothing."""

from __future__ import annotations

import json
import os
import random
import signal
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from typing import Any

import pytest
from django.conf import settings
from django.db import connections

from tests.companions import is_alive
from tests.trading import oracle
from tests.trading.book import closed, fills, opened, row, snapshot
from tests.trading.ledger_workers import Worker
from trading.bookkeeping.journal import lock_head
from trading.domain.chain import chain_code
from trading.errors import LedgerBusy
from trading.models import DayTotal, Fill, Journal, JournalHead, Realisation, Signal, Trade
from trading.proof.verify import verify_ledger
from trading.queries.accounts import get_account
from trading.transactions import writing

pytestmark = [pytest.mark.ledger, pytest.mark.chaos]

CLOSERS, WRITERS, TRADES_EACH = 16, 8, 4
KILLS = 6
RACED = int(os.environ.get("VELOX_RACE_TRADES", "12"))  # 300 in `make chaos`


@contextmanager
def workers(*jobs: tuple[str, ...]) -> Iterator[list[Worker]]:
    """Fork one process per job, all ready and waiting; end those that still run."""
    started = [Worker(*job) for job in jobs]
    try:
        for worker in started:
            assert json.loads(worker.stdout.readline()) == {"ready": True}
        yield started
    finally:
        for worker in started:
            worker.close()


def go(started: list[Worker]) -> None:
    for worker in started:
        worker.stdin.write("\n")
        worker.stdin.flush()


def answers(started: list[Worker]) -> list[dict[str, Any]]:
    return [json.loads(worker.stdout.read()) for worker in started]


def test_of_sixteen_processes_closing_one_trade_one_closes_it(ledger: Any) -> None:
    opened()
    prices = [str(2460 + number % 4) for number in range(CLOSERS)]
    with workers(*(("close", price) for price in prices)) as closers:
        go(closers)
        said = answers(closers)
    trade, (_, exit_fill) = row(), fills()
    assert (trade.state, Realisation.objects.count(), Fill.objects.count()) == ("CLOSED", 1, 2)
    assert Journal.objects.filter(operation="close_position").count() == 1
    assert (DayTotal.objects.get().trades_closed, DayTotal.objects.get().gross_pnl) == (1, trade.realised_pnl)
    for price, one in zip(prices, said, strict=True):
        same = exit_fill.price == int(price)
        assert one == ({"closed": f"{trade.realised_pnl:f}"} if same else {"refused": "trade_closed"})


def test_sixteen_processes_racing_for_the_same_trades_make_each_once(ledger: Any) -> None:
    with workers(*(("race", str(number), str(RACED)) for number in range(CLOSERS))) as racers:
        go(racers)
        said = answers(racers)
    assert {code for one in said for code in one["refused"]} <= {"trade_closed"}
    trades = list(Trade.objects.prefetch_related("fills"))
    assert {trade.trade_id for trade in trades} == {f"R{number}" for number in range(RACED)}
    for trade in trades:
        assert [(fill.quantity, fill.role) for fill in trade.fills.all()] == [(10, "ENTRY"), (4, "EXIT"), (6, "EXIT")]
        assert trade.realised_pnl == oracle.tell(trade).pnl == 6 * trade.close_price + 9840 - Decimal("24500.5")
    operations = Counter(Journal.objects.values_list("operation", flat=True))
    assert operations == dict.fromkeys(("open_position", "add_fill", "close_position"), RACED)
    total = DayTotal.objects.get()
    assert (total.trades_closed, total.gross_pnl) == (RACED, sum(trade.realised_pnl for trade in trades))
    assert verify_ledger().ok


def test_eight_writers_are_never_told_that_the_ledger_is_locked(ledger: Any) -> None:
    with workers(*(("write", f"W{number}", str(TRADES_EACH)) for number in range(WRITERS))) as writers:
        go(writers)
        said = answers(writers)
    assert [one["refused"] for one in said] == [[]] * WRITERS
    count = WRITERS * TRADES_EACH
    assert Trade.objects.filter(state="CLOSED").count() == DayTotal.objects.get().trades_closed == count
    whole()


@pytest.mark.parametrize("call", [lambda: opened("T2"), closed], ids=["open", "close"])
def test_a_held_ledger_is_busy_after_two_seconds_and_nothing_is_written(ledger: Any, call: Any) -> None:
    opened()
    before = snapshot()
    with workers(("hold", "30")) as (holder,):
        go([holder])
        assert json.loads(holder.stdout.readline()) == {"held": True}
        started = time.monotonic()
        with pytest.raises(LedgerBusy):
            call()
        waited = time.monotonic() - started
        holder.kill()
        assert 1.5 < waited < 3.5
    assert snapshot() == before
    assert call(), "its holder is gone: the lock went with it"


def test_a_child_forked_in_the_middle_of_a_write_does_not_keep_the_ledger(ledger: Any) -> None:
    with writing():
        lock_head(get_account("main"))
        child = os.fork()
        if child == 0:
            try:
                signal.pause()
            finally:
                os._exit(0)
    try:
        assert opened().trade_id == "T1"
        assert is_alive(child)
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


def test_a_child_does_not_keep_the_ledger_of_a_writer_that_was_killed(ledger: Any) -> None:
    with workers(("fork",)) as (writer,):
        go([writer])
        child = json.loads(writer.stdout.readline())["child"]
        try:
            writer.kill()
            assert opened().trade_id == "T1"
            assert is_alive(child)
        finally:
            os.kill(child, signal.SIGKILL)


def test_killed_at_any_time_nothing_acknowledged_is_lost_and_nothing_is_half_done(ledger: Any) -> None:
    chance, number = random.Random(3), 0
    for _ in range(KILLS):
        with workers(("endure", str(number))) as (worker,):
            go([worker])
            first = json.loads(worker.stdout.readline())  # one call at least went through
            time.sleep(chance.uniform(0, 0.08))
            worker.kill()
            rest = [json.loads(line) for line in worker.stdout if line.endswith("\n")]
        connections.close_all()
        said = [first, *rest]
        for one in said:
            trade = row(f"K{one.get('opened', one.get('closed'))}")
            assert trade.state == "CLOSED" or "opened" in one
        last = max(one.get("opened", one.get("closed")) for one in said)
        whole()
        for unsure in (last, last + 1):  # what was under way is done once, by doing it again
            opened(f"K{unsure}", signal_conditions={"rsi": unsure})
            closed(f"K{unsure}")
        whole()
        number = last + 2
    assert set(Trade.objects.values_list("state", flat=True)) == {"CLOSED"}
    assert Trade.objects.count() == DayTotal.objects.get().trades_closed == number


def whole() -> None:
    """Every trade, its fills, realisations, signals, the day's total and the journal say the same."""
    for trade in Trade.objects.prefetch_related("fills"):
        is_closed = trade.state == "CLOSED"
        assert [fill.role for fill in trade.fills.all()] == ["ENTRY", "EXIT"][: 1 + is_closed]
        assert trade.realisations.count() == is_closed
        assert trade.realised_pnl == oracle.tell(trade).pnl
    totals = DayTotal.objects.all()
    assert sum(total.gross_pnl for total in totals) == sum(trade.realised_pnl for trade in Trade.objects.all())
    assert sum(total.trades_closed for total in totals) == Realisation.objects.count()
    assert not Signal.objects.filter(trade=None).exists()
    rows = list(Journal.objects.filter(account__code="main"))
    assert len(rows) == Fill.objects.count()
    assert [one.sequence for one in rows] == list(range(1, len(rows) + 1))
    previous = rows[0].previous_mac if rows else ""
    for one in rows:
        assert (one.previous_mac, one.mac) == (previous, chain_code(str(settings.JOURNAL_KEY), previous, one.body))
        previous = one.mac
    head = JournalHead.objects.get(account__code="main")
    assert (head.sequence, head.mac) == (len(rows), previous)
