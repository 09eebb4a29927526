"""The follower: the journal's rows become points once each, at times that repeat, whenever it is killed."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings

from tests.trading.book import AT, MINUTE, closed, filled, opened
from timeseries import wiring
from timeseries.errors import SpoolFull
from timeseries.measurements import EXECUTIONS, STRATEGY_METRICS, TRAILING_SL, Measurement
from trading.companion import follower as module
from trading.companion.follower import Follower
from trading.errors import LedgerNotReady
from trading.models import Fill, FollowerCursor, JournalHead
from trading.operations.clear_account import clear_account
from trading.operations.update_trailing_sl import update_trailing_sl

pytestmark = pytest.mark.ledger
DAY = (AT - timedelta(days=1), AT + timedelta(days=1))


@pytest.fixture
def follower(ledger: Any) -> Iterator[Follower]:
    made = Follower()
    yield made
    made.close()


def points(measurement: Measurement, account: str = "main") -> list[dict[str, Any]]:
    start, stop = (int(bound.timestamp()) * 10**9 for bound in DAY)
    found = wiring.open_reader().history(measurement, start, stop, account=account).drop_columns(["received_time"])
    return found.to_pylist()


def a_trade() -> None:
    """Open, scale in at the same instant, stop twice in one instant, exit in two parts."""
    opened(stop_price=2440, charges=1.5, fill_id="F1", order_id="O1")
    filled("BUY", 2451, 10, at=AT)
    for price in (2444, 2446):
        update_trailing_sl("main", "T1", "ema cross", "RELIANCE", price, 2460, "ATR", at=AT + MINUTE)
    filled("SELL", 2460, 5)
    closed(price=2465)


def all_points() -> dict[str, list[dict[str, Any]]]:
    return {measurement.name: points(measurement) for measurement in (EXECUTIONS, TRAILING_SL, STRATEGY_METRICS)}


def test_each_fill_is_an_execution_with_what_the_ledger_has(follower: Follower) -> None:
    a_trade()
    assert follower.run_once() == 6
    found = points(EXECUTIONS)
    rows = list(Fill.objects.order_by("at", "sequence"))
    assert [point["time"].value // 1000 for point in found] == [
        (row.at - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1) for row in rows
    ]
    for point, row in zip(found, rows, strict=True):
        assert (point["price"], point["quantity"]) == (float(row.price), float(row.quantity))
        assert (point["side"], point["role"], point["trade_pk"]) == (row.side, row.role, row.trade_id)
        assert (point["symbol"], point["strategy"], point["source"]) == ("RELIANCE", "ema cross", "ledger")
        assert point["pnl"] == (float(row.realisation.pnl) if row.role == "EXIT" else None)
    assert (found[0]["fill_id"], found[0]["order_id"], found[0]["charges"]) == ("F1", "O1", 1.5)


def test_fills_of_one_instant_are_points_of_their_own(follower: Follower) -> None:
    a_trade()
    follower.run_once()
    times = [point["time"].value for point in points(EXECUTIONS)]
    assert times[1] == times[0] + 1


def test_stops_and_metrics_follow_too(follower: Follower) -> None:
    a_trade()
    follower.run_once()
    assert [(point["stop_price"], point["method"]) for point in points(TRAILING_SL)] == [(2444, "ATR"), (2446, "ATR")]
    last = points(STRATEGY_METRICS)[-1]
    assert (last["trades_closed"], last["wins"], last["losses"]) == (1, 1, 0)
    assert last["day_pnl"] == sum(point["realised_pnl"] for point in points(STRATEGY_METRICS))


def test_a_second_pass_has_nothing_to_do(follower: Follower) -> None:
    a_trade()
    assert [follower.run_once() for _ in range(3)] == [6, 0, 0]


@pytest.mark.parametrize("after", range(7))
def test_killed_between_any_two_points_it_leaves_the_same_points(
    follower: Follower, monkeypatch: pytest.MonkeyPatch, after: int
) -> None:
    a_trade()
    project, made = follower.recorder.project, 0

    def dies(*said: Any, **more: Any) -> None:
        nonlocal made
        if made == after:
            raise KeyboardInterrupt
        made += 1
        project(*said, **more)

    monkeypatch.setattr(follower.recorder, "project", dies)
    with pytest.raises(KeyboardInterrupt):
        follower.run_once()
    follower.close()
    again = Follower()
    assert again.run_once() == 6
    repeated = all_points()
    FollowerCursor.objects.all().delete()  # the cursor is lost altogether
    assert again.run_once() == 6
    again.close()
    assert all_points() == repeated
    assert [len(repeated[name]) for name in ("executions", "trailing_sl", "strategy_metrics")] == [4, 2, 2]


def test_killed_before_the_cursor_it_meets_its_own_points(follower: Follower, monkeypatch: pytest.MonkeyPatch) -> None:
    a_trade()
    with monkeypatch.context() as patched:
        patched.setattr(module, "writing", lambda: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            follower.run_once()
    before = all_points()
    assert follower.run_once() == 6
    assert all_points() == before


def test_the_cursor_stays_where_the_spool_does_not_hold_the_points(
    follower: Follower, monkeypatch: pytest.MonkeyPatch
) -> None:
    a_trade()

    def fails() -> None:
        raise OSError("the disk does not sync")

    with monkeypatch.context() as patched:
        patched.setattr(follower.recorder, "sync", fails)
        with pytest.raises(OSError, match="sync"):
            follower.run_once()
    assert not FollowerCursor.objects.exists()
    with monkeypatch.context() as patched:
        patched.setattr(follower.recorder, "project", lambda *_, **__: (_ for _ in ()).throw(SpoolFull("full")))
        with pytest.raises(SpoolFull):
            follower.run_once()
    assert not FollowerCursor.objects.exists()
    assert follower.run_once() == 6


def test_accounts_are_followed_apart(follower: Follower) -> None:
    opened()
    opened(account_code="replay", entry_price=99)
    follower.run_once()
    assert [point["price"] for point in points(EXECUTIONS)] == [2450.05]
    assert [point["price"] for point in points(EXECUTIONS, "replay")] == [99]


def test_a_cleared_account_is_followed_anew(follower: Follower) -> None:
    opened(account_code="replay")
    follower.run_once()
    clear_account("replay")
    wiring.open_pump().clear_account("replay")
    opened(account_code="replay", entry_price=99)
    follower.run_once()
    assert [point["price"] for point in points(EXECUTIONS, "replay")] == [99]


def test_rows_cleared_before_they_were_followed_do_not_stop_it(follower: Follower) -> None:
    opened(account_code="replay")
    clear_account("replay")
    opened()
    while follower.run_once():
        pass
    assert points(EXECUTIONS, "replay") == []
    assert len(points(EXECUTIONS)) == 1
    sequences = dict(JournalHead.objects.values_list("account__code", "sequence"))
    assert dict(FollowerCursor.objects.values_list("account__code", "sequence")).items() <= sequences.items()


def test_without_a_ledger_it_says_so(no_tables: Path) -> None:
    with pytest.raises(LedgerNotReady):
        Follower().run_once()
    assert not no_tables.exists()
    assert not settings.SPOOL_DIR.exists()
