"""`verify_ledger --from-head` proves what came after a head in the manner of the whole proof, and says what it left."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from tests.trading.book import AT, MINUTE, closed, filled, opened, sql
from tests.trading.tampering import unguarded
from trading.errors import InvalidValue
from trading.models import JournalHead
from trading.operations.back_up import back_up
from trading.operations.record_signal import record_signal
from trading.operations.set_charges import set_charges
from trading.proof.since_head import NEWEST
from trading.proof.verify import verify_ledger

pytestmark = [pytest.mark.ledger, pytest.mark.usefixtures("ledger")]


def end() -> int:
    return JournalHead.objects.get(account__code="main").sequence


@pytest.fixture
def head(ledger: Any) -> int:
    """A trade that is over and one that goes on, the head after them, and what came since."""
    opened("over", signal_conditions={"rsi": 50.5})
    closed("over", exit_time=AT + MINUTE)
    opened("going on", signal_conditions={"rsi": 40.0}, entry_time=AT + MINUTE / 2)
    head = end()
    filled("SELL", 2455, 1, "going on", at=AT + MINUTE)
    opened("new", signal_conditions={"rsi": 60.5, "ok": True}, entry_time=AT + MINUTE)
    closed("new", 2440, exit_time=AT + 2 * MINUTE)
    record_signal("main", "ema cross", "RELIANCE", AT + MINUTE, {"rsi": 1.5}, decision="SKIPPED", reason="late")
    set_charges("main", "over", 3, source="contract note")
    return head


def test_what_came_since_is_counted_and_the_rest_is_named(head: int) -> None:
    proof = verify_ledger(from_head=head)
    assert proof.ok, proof.differences
    assert (proof.checked["journal"], proof.checked["trade"], proof.checked["signal"]) == (end() - head, 3, 4)
    assert f"the chain of main up to {head}" in proof.not_looked_at
    assert verify_ledger(from_head=1).ok and verify_ledger(from_head=NEWEST).checked["journal"] == 0


@pytest.mark.parametrize("behind", [1, 10**23])
def test_a_row_that_no_chain_has_proves_nothing(head: int, behind: int) -> None:
    assert verify_ledger(from_head=end()).ok
    with pytest.raises(InvalidValue, match=f"No chain has a row {end() + behind}: the longest ends at {end()}."):
        verify_ledger(from_head=end() + behind)


@pytest.mark.parametrize(
    ("table", "change"),
    [
        ("trading_trade", "SET realised_pnl = realised_pnl + 1 WHERE trade_id = 'new'"),
        ("trading_trade", "SET recorded_at = '2100-01-01 00:00:00' WHERE trade_id = 'going on'"),
        ("trading_fill", "SET price = price + 1 WHERE sequence = 2"),
        ("trading_signal", "SET reason = 'early' WHERE decision = 'SKIPPED'"),
        ("trading_signalcondition", "SET value = 61 WHERE value = 60.5"),
        ("trading_journal", "SET body = replace(body, 'late', 'x') WHERE operation = 'record_signal'"),
        ("trading_journal", "SET recorded_at = '2100-01-01 00:00:00' WHERE sequence = {head}"),
        ("trading_journal", f"SET mac = '{'0' * 64}' WHERE sequence = {{head}}"),
    ],
)
def test_a_change_of_what_came_since_is_named(head: int, table: str, change: str) -> None:
    with unguarded():
        sql(f"UPDATE {table} {change.format(head=head)}")
    differences = verify_ledger(from_head=head).differences
    assert table in {difference.table for difference in differences}, differences


def test_a_row_that_no_operation_wrote_and_one_that_is_gone_are_named(head: int) -> None:
    names = "account_id, strategy_id, instrument_id, trade_id, decision, reason, conditions, recorded_at"
    with unguarded():
        sql(
            f"INSERT INTO trading_signal (id, at, {names}) SELECT id + 1000, '2024-03-16', {names} FROM trading_signal "
            "WHERE decision = 'SKIPPED'"
        )
        sql("DELETE FROM trading_fill WHERE trade_id = (SELECT id FROM trading_trade WHERE trade_id = 'new')")
    kinds = {(difference.kind, difference.table) for difference in verify_ledger(from_head=head).differences}
    assert kinds >= {("unexpected", "trading_signal"), ("missing", "trading_fill")}


def test_a_command_says_what_it_did_not_look_at_and_starts_where_a_backup_ended(
    head: int, capsys: pytest.CaptureFixture[str]
) -> None:
    back_up()
    opened("after the backup", entry_time=AT + 3 * MINUTE)
    call_command("verify_ledger", "--from-head", "--format", "json")
    answer = json.loads(capsys.readouterr().out)
    assert answer["checked"]["journal"] == answer["checked"]["trade"] == 1
    assert f"the chain of main up to {end() - 1}" in answer["not_looked_at"]
    call_command("verify_ledger", "--from-head", str(head))
    assert "Not looked at: totals of days" in capsys.readouterr().out
    for options in (["--from-head", "-1"], ["--from-head", "2", "--since", "2024-03-15"]):
        with pytest.raises(CommandError):
            call_command("verify_ledger", *options)
