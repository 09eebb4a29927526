"""Killed inside any operation, at any statement: the ledger proves itself, and the caller's retry completes it once."""

from __future__ import annotations

import os
import random
import signal
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import Any

import pytest
from django.db import connection, connections

from tests.trading.book import AT, MINUTE, closed, filled, opened, row, snapshot
from trading.models import Journal, User
from trading.operations.amend import amend
from trading.operations.create_account import create_account
from trading.operations.publish_daily_summary import publish_daily_summary
from trading.operations.record_signal import record_signal
from trading.operations.review_trade import review_trade
from trading.operations.set_charges import set_charges
from trading.operations.set_limit import set_limit
from trading.operations.update_trailing_sl import update_trailing_sl
from trading.operations.void import void
from trading.operations.write_day_note import write_day_note
from trading.proof.verify import verify_ledger
from trading.queries.accounts import get_account

pytestmark = [pytest.mark.ledger, pytest.mark.usefixtures("ledger")]

SHARE = float(os.environ.get("VELOX_KILL_SHARE", "0.35"))  # `make chaos` kills at every statement
DAY = date(2024, 3, 15)
SAID = {"by": "asha", "reason": "typing error"}
COMMIT, COMMITTED = -1, -2  # places of their own: before the commit, and behind it


@dataclass(frozen=True)
class Case:
    """An operation on the trade of a name: what must be there before, the call, the journal's rows that it adds."""

    name: str
    call: Callable[[str], Any]
    prepare: Callable[[str], Any] = lambda name: opened(name, stop_price=2440)
    rows: int = 1


CASES = [
    Case("open", lambda name: opened(name, signal_conditions={"n": name}, symbol=f"S-{name}"), lambda _: None),
    Case("scale out", lambda name: filled("SELL", 2460, 4, name, fill_id=f"F {name}")),
    Case("close", closed),
    Case("turn", lambda name: filled("SELL", 2460, 25, name, flip_to=f"{name} turned", fill_id=f"F {name}"), rows=2),
    Case("stop", lambda name: update_trailing_sl("main", name, None, "RELIANCE", 2445, 2460, "atr", at=AT + MINUTE)),
    Case("signal", lambda name: record_signal("main", name, "RELIANCE", AT, {"rsi": 4}, decision="SKIPPED"),
         lambda _: None),
    Case("amend", lambda name: amend(row(name).pk, price="2451", strategy_id=f"of {name}", **SAID)),
    Case("void", lambda name: void(row(name).pk, **SAID), lambda name: (opened(name), closed(name))),
    Case("void a fill", lambda name: void(row(name).pk, fill=2, **SAID), lambda name: (
        opened(name), filled("SELL", 2460, 4, name))),
    Case("charges", lambda name: set_charges("main", name, "12.35", source="note")),
    Case("review", lambda name: review_trade(row(name).pk, by=User.objects.get(username="asha"), rating=3)),
    Case("note", lambda name: write_day_note(get_account("main"), DAY, name, by="asha"), lambda _: None),
    Case("limit", lambda name: set_limit("main", "trades", 9, strategy_id=f"of {name}", by="asha", reason=name),
         lambda name: opened(name, strategy_id=f"of {name}")),
    Case("summary", lambda _: publish_daily_summary(get_account("main"), DAY, rebuild=True), lambda name: (
        opened(name), closed(name))),
    Case("account", lambda name: create_account(
        name, book="paper", currency="INR", zone="UTC", capital=5, capital_date=DAY), lambda _: None),
]  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_killed_at_a_statement_it_is_done_once_by_the_retry(case: Case) -> None:
    User.objects.create_user("asha")
    chance, place, killed = random.Random(case.name), 0, 0
    for place in (COMMIT, COMMITTED, *range(1, 200)):
        if place > 1 and chance.random() > SHARE:
            continue
        name = f"{case.name} {place}"
        case.prepare(name)
        rows, before = snapshot(), Journal.objects.count()
        was_killed = _killed(lambda name=name: case.call(name), place)
        is_undone = was_killed and place != COMMITTED
        assert Journal.objects.count() - before == (0 if is_undone else case.rows)
        assert not is_undone or snapshot() == rows, place
        case.call(name)
        assert Journal.objects.count() - before == case.rows, place
        killed += was_killed
        if not was_killed:
            break
    else:
        pytest.fail("the operation never came to its end")
    assert killed >= 3, "hardly killed at all"
    assert verify_ledger().differences == []


def _killed(call: Callable[[], Any], place: int) -> bool:
    """Run a call in a child that kills itself there; tell whether it came so far."""
    connections.close_all()
    child = os.fork()
    if child == 0:
        try:
            _die_at(place)
            call()
        except BaseException as error:
            os.write(2, repr(error).encode())
            os._exit(3)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        assert os.WTERMSIG(status) == signal.SIGKILL
        return True
    assert os.WEXITSTATUS(status) == 0, "the operation failed in the child"
    return False


def _die_at(place: int) -> None:
    count, has_written = 0, False

    def counted(execute: Any, sql: str, *arguments: Any) -> Any:
        nonlocal count, has_written
        count += connection.in_atomic_block  # what is read before the transaction leaves nothing behind
        has_written = has_written or sql.lstrip().startswith(("INSERT", "UPDATE", "DELETE"))
        if count == place:
            os.kill(os.getpid(), signal.SIGKILL)
        return execute(sql, *arguments)

    wrapper_of_vendor = type(connections["default"])
    commit = wrapper_of_vendor._commit

    def committed(wrapper: Any) -> None:
        if place == COMMIT and has_written:
            os.kill(os.getpid(), signal.SIGKILL)
        commit(wrapper)
        if place == COMMITTED and has_written:
            os.kill(os.getpid(), signal.SIGKILL)

    connection.execute_wrappers.append(counted)
    wrapper_of_vendor._commit = committed
