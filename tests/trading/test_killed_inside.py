"""Killed at any statement of any operation: the ledger is proved, and saying it again completes it once."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from django.db import connection, connections

from tests.trading.book import AT, MINUTE, closed, filled, opened, row, snapshot
from trading.errors import TradeClosed
from trading.models import Journal
from trading.operations.amend import amend
from trading.operations.publish_daily_summary import publish_daily_summary
from trading.operations.record_signal import record_signal
from trading.operations.set_charges import set_charges
from trading.operations.update_trailing_sl import update_trailing_sl
from trading.operations.void import void
from trading.proof.verify import verify_ledger
from trading.queries.accounts import get_account

pytestmark = [pytest.mark.ledger, pytest.mark.chaos]
WHO = {"by": "asha", "reason": "typing error"}
Call = Callable[[], Any]


def traded() -> None:
    opened(stop_price=2440)
    filled("SELL", 2460, 4, fill_id="F2")


def finished() -> None:
    traded()
    closed()


OPERATIONS: dict[str, tuple[Call, Call]] = {
    "open": (lambda: None, lambda: opened(signal_conditions={"rsi": 61}, charges=1)),
    "scale out": (traded, lambda: filled("SELL", 2461, 2, fill_id="F3")),
    "close": (traded, closed),
    "flip": (traded, lambda: filled("SELL", 2461, 20, fill_id="F3", flip_to="T2")),
    "stop": (traded, lambda: update_trailing_sl("main", "T1", None, "RELIANCE", 2445, 2460, "atr", at=AT + MINUTE)),
    "signal": (lambda: None, lambda: record_signal("main", "orb", "INFY", AT, {"rsi": 1}, decision="SKIPPED")),
    "amend": (finished, lambda: amend(row().pk, fill=1, price=2451, at=AT - MINUTE, strategy_id="orb", **WHO)),
    "void": (finished, lambda: void(row().pk, **WHO)),
    "void a fill": (traded, lambda: void(row().pk, fill=2, **WHO)),
    "charges": (finished, lambda: set_charges("main", "T1", "20.5", source="note")),
    "publish": (finished, lambda: publish_daily_summary(get_account("main"), AT.date())),
}


def killed_at(number: int, call: Call) -> bool:
    """Carry it out in a child that dies before this statement; tell whether there was one."""
    connections.close_all()
    pid = os.fork()
    if pid == 0:
        code = 1
        with suppress(BaseException):
            with connection.execute_wrapper(Killer(number)):
                call()
            code = 0
        os._exit(code)
    _, status = os.waitpid(pid, 0)
    assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0, "the child failed by itself"
    return os.WIFSIGNALED(status)


class Killer:
    def __init__(self, number: int) -> None:
        self.left = number

    def __call__(self, execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        if self.left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        self.left -= 1
        return execute(sql, params, many, context)


@pytest.mark.parametrize("name", OPERATIONS)
def test_killed_at_any_statement_it_is_undone_and_said_again_it_is_done_once(ledger: Any, name: str) -> None:
    prepare, call = OPERATIONS[name]
    prepare()
    before, rows = snapshot(), Journal.objects.count()
    number = 0
    while killed_at(number, call) and snapshot() == before:
        number += 1
    assert number > 4, "a transaction, a head, a row, a journal: that many at least"
    # Whole: the last child was let through, or died behind its commit.
    after = snapshot()
    assert Journal.objects.count() == rows + 1 + (name == "flip")
    assert verify_ledger().ok
    with suppress(TradeClosed):
        call()
    assert snapshot() == after
