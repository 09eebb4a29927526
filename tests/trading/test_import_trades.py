"""Many trades at once: as one by one, in fewer transactions."""

from __future__ import annotations

from typing import Any

import pytest

from tests.trading.book import AT, MINUTE, snapshot
from trading.errors import LedgerBusy, UnknownAccount
from trading.models import DayTotal, Journal, Trade
from trading.operations import import_trades as importing
from trading.operations.import_trades import import_trades
from trading.proof.verify import verify_ledger

pytestmark = [pytest.mark.ledger, pytest.mark.usefixtures("ledger")]


def rows(count: int) -> list[dict[str, Any]]:
    made = [
        {
            "trade_id": f"T{n}",
            "strategy_id": "orb",
            "symbol": "RELIANCE",
            "entry_price": "2450.05",
            "quantity": 10,
            "entry_time": AT,
            "charges": 1,
            "exit_price": 2465,
            "exit_time": AT + MINUTE,
            "exit_reason": "target",
            "exit_charges": 2,
        }
        for n in range(count)
    ]
    for name in ("exit_price", "exit_time", "exit_reason", "exit_charges"):
        del made[-1][name]  # the last one is still open
    return made


def test_they_stand_as_if_said_one_by_one_and_once() -> None:
    assert import_trades("main", rows(12), batch_size=5).accepted == 12
    assert Trade.objects.filter(state="CLOSED", charges=3, exit_reason="target").count() == 11
    assert (DayTotal.objects.get().trades_closed, Journal.objects.count()) == (11, 23)
    assert verify_ledger().ok
    before = snapshot()
    assert import_trades("main", rows(12)).rejected == ()
    assert snapshot() == before


def test_a_bad_row_is_named_and_keeps_no_other_out() -> None:
    said = rows(9)
    said[2]["quantity"] = -1
    said[4]["exit_time"] = AT - MINUTE
    said[6]["colour"] = "red"
    del said[7]["entry_price"]
    done = import_trades("main", said, batch_size=3)
    assert [(index, code) for index, code, _ in done.rejected] == [(n, "invalid_value") for n in (2, 4, 6, 7)]
    assert set(Trade.objects.values_list("trade_id", flat=True)) == {"T0", "T1", "T3", "T5", "T8"}
    assert done.accepted == 5, "a row whose close is refused is not opened either"
    assert verify_ledger().ok


def test_what_no_row_can_help_is_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UnknownAccount):
        import_trades("nobody", rows(2))
    real, calls = importing.open_position, iter(range(99))

    def busy_later(*said: Any, **more: Any) -> Any:
        if next(calls) == 3:
            raise LedgerBusy("held")
        return real(*said, **more)

    monkeypatch.setattr(importing, "open_position", busy_later)
    with pytest.raises(LedgerBusy):
        import_trades("main", rows(6), batch_size=2)
    assert Trade.objects.count() == 2, "the batch before it stays"
