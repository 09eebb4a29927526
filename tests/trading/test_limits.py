"""Limits: kept as facts; figures those of the reports; told from memory, and never as within where nothing was seen."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command

from tests.trading.book import AT, MINUTE, closed, filled, opened, row
from tests.trading.desk import make, plans
from tests.trading.tampering import unguarded
from trading import limit_board, transactions
from trading.companion.limit_watch import LimitWatch
from trading.data_manager import DataManager
from trading.domain.limits import LimitsNow, LimitState
from trading.errors import InvalidValue, LedgerBusy, UnknownAccount
from trading.intake import of_this_folder
from trading.models import Alert, Exchange, Journal, Limit, Strategy
from trading.newest import newest_points
from trading.operations.amend import amend
from trading.operations.clear_account import clear_account
from trading.operations.close_position import close_position
from trading.operations.create_account import create_account
from trading.operations.open_position import open_position
from trading.operations.set_limit import end_limit, set_limit
from trading.operations.void import void
from trading.proof.verify import verify_ledger
from trading.queries.accounts import get_account
from trading.queries.limits import limit_history, limits_in_force, measured_limits

pytestmark = pytest.mark.usefixtures("ledger", "alone")

DAY = date(2024, 3, 15)
NOW = AT + timedelta(hours=3)
SAID = {"by": "asha", "reason": "the desk's rule", "now": NOW}


def states(account: str = "main", *, now: datetime = NOW) -> dict[tuple[str | None, str], LimitState]:
    row = get_account(account)
    measured = measured_limits(row, newest_points(account).known_ticks, now=now)
    return {(state.strategy_id, state.kind): state for state in measured.states}


def answered(command: str, *arguments: str) -> Any:
    output = StringIO()
    try:
        call_command(command, *arguments, "--format", "json", stdout=output, stderr=StringIO())
    except SystemExit as end:
        assert end.code == 1
    return json.loads(output.getvalue())


@pytest.mark.ledger
def test_a_loss_in_new_york_counts_on_after_midnight_at_the_desk() -> None:
    create_account(
        "us", book="live", currency="USD", zone="America/New_York", capital="50000", capital_date=date(2024, 1, 1)
    )
    Exchange.objects.create(code="NASDAQ", name="Nasdaq", zone="America/New_York")
    at = datetime(2024, 3, 8, 17, tzinfo=UTC)
    names = "us", "T1", "orb", "NASDAQ:AAPL"
    open_position(*names, entry_price=100, quantity=10, entry_time=at)
    close_position(*names, exit_price=90, exit_time=at + MINUTE)
    by_asha = {**SAID, "now": at}
    for kind, amount in (("daily_loss", 50), ("daily_loss_open", 50), ("trades", 0)):
        set_limit("us", kind, amount, **by_asha)
    for hours, used in ((0, 100), (3, 100), (11, 100), (13, 0)):  # midnight in India is after 1.5 hours
        now = at + timedelta(hours=hours)
        measured = measured_limits(get_account("us"), newest_points("us").known_ticks, now=now)
        assert [state.used for state in measured.states] == [used, used, used // 100], hours
        assert {state.state for state in measured.states} == {"crossed" if used else "within"}, hours
    with pytest.raises(InvalidValue, match="first_day is 2024-03-07"):
        set_limit("us", "trades", 1, first_day=date(2024, 3, 7), **{**by_asha, "now": at + timedelta(hours=3)})


@pytest.mark.ledger
class TestSaid:
    def test_the_row_said_last_holds_from_its_first_day_on(self) -> None:
        set_limit("main", "trades", 10, **SAID)
        set_limit("main", "trades", 12, first_day=DAY + timedelta(days=3), **SAID)
        end_limit("main", "trades", first_day=DAY + timedelta(days=5), **SAID)
        main = get_account("main")
        by_day = [limits_in_force(main, DAY + timedelta(days=days)) for days in (-1, 0, 3, 5)]
        assert [[limit.limit for limit in limits] for limits in by_day] == [[], [10], [12], []]
        body = json.loads(Journal.objects.filter(operation="set_limit").latest("sequence").body)
        assert body["limit"] == {
            "number": 3, "kind": "trades", "strategy": None, "strategy_pk": None, "amount": None,
            "first_day": "2024-03-20", "reason": "the desk's rule",
        }  # fmt: skip
        assert body["by"] == "asha"
        assert verify_ledger().ok

    def test_the_same_again_changes_nothing(self) -> None:
        opened()
        for _ in range(2):
            set_limit("main", "daily_loss", "10000.50", strategy_id="ema cross", **SAID)
        assert Limit.objects.count() == 1 and Journal.objects.filter(operation="set_limit").count() == 1

    @pytest.mark.parametrize(
        ("wrong", "field"),
        [
            ({"kind": "luck"}, "kind"),
            ({"amount": 0}, "amount"),
            ({"amount": "-5"}, "amount"),
            ({"amount": "lots"}, "amount"),
            ({"amount": float("nan")}, "amount"),
            ({"kind": "trades", "amount": "2.5"}, "amount"),
            ({"kind": "trades", "amount": -1}, "amount"),
            ({"kind": "consecutive_losses", "amount": 0}, "amount"),
            ({"strategy_id": "emma cross"}, "strategy_id"),
            ({"strategy_id": ""}, "strategy_id"),
            ({"kind": "drawdown", "strategy_id": "ema cross"}, "strategy_id"),
            ({"first_day": DAY - timedelta(days=1)}, "first_day"),
            ({"first_day": DAY + timedelta(days=400)}, "first_day"),
            ({"by": " "}, "by"),
            ({"reason": ""}, "reason"),
            ({"reason": "a\x00b"}, "reason"),
        ],
    )
    def test_what_is_no_limit_is_refused(self, wrong: dict[str, Any], field: str) -> None:
        with pytest.raises(InvalidValue) as refusal:
            set_limit(**{"account_code": "main", "kind": "daily_loss", "amount": 10_000, **SAID, **wrong})
        assert refusal.value.field == field
        assert not Limit.objects.exists() and not Journal.objects.exists()

    @pytest.mark.parametrize("is_before", [True, False])
    def test_the_command_means_the_account_that_is_named_before_or_behind_the_verb(self, is_before: bool) -> None:
        account = ("--account", "replay")

        def said(verb: str, *words: str) -> Any:
            place = (*account, verb, *words) if is_before else (verb, *words, *account)
            return answered("limits", *place)

        said("set", "daily_loss", "2500", "--by", "asha", "--reason", "rule")
        assert said("show")["limits"][0]["limit"] == "2500" and len(said("history")["rows"]) == 1
        assert not limit_history(get_account("main")).exists()
        said("end", "daily_loss", "--by", "asha", "--reason", "rule")
        assert said("show")["limits"] == []

    def test_a_limit_that_ends_on_a_later_day_can_be_ended_sooner(self) -> None:
        set_limit("main", "trades", 10, **SAID)
        end_limit("main", "trades", first_day=DAY + timedelta(days=5), **SAID)
        assert end_limit("main", "trades", first_day=DAY + timedelta(days=6), **SAID).number == 2
        assert limits_in_force(get_account("main"), DAY)
        assert end_limit("main", "trades", **SAID).number == 3
        assert not limits_in_force(get_account("main"), DAY)
        with pytest.raises(InvalidValue, match="main has no limit trades"):
            end_limit("main", "trades", **SAID)
        assert verify_ledger().ok

    def test_what_is_not_set_cannot_be_ended(self) -> None:
        with pytest.raises(InvalidValue, match="main has no limit trades"):
            end_limit("main", "trades", **SAID)
        with pytest.raises(UnknownAccount):
            set_limit("mine", "trades", 3, **SAID)

    def test_a_limit_raised_past_velox_is_named_by_the_proof(self) -> None:
        set_limit("main", "daily_loss", 10_000, **SAID)
        with unguarded() as cursor:
            cursor.execute("UPDATE trading_limit SET amount = amount * 10")
        assert [(one.table, one.field) for one in verify_ledger().differences] == [("trading_limit", "amount")]

    def test_limits_of_a_replay_go_when_it_is_cleared(self) -> None:
        set_limit("replay", "trades", 3, **SAID)
        set_limit("main", "trades", 3, **SAID)
        assert clear_account("replay")["limits"] == 1
        assert Limit.objects.count() == 1 and verify_ledger().ok


@pytest.mark.ledger
class TestMeasured:
    def test_the_figures_are_those_of_the_days_summary_and_of_the_report(self) -> None:
        for plan in plans(40):
            make(plan)
        days = sorted({row["date"] for row in answered("daily_summary", "--from", "2021-01-01")["days"]})
        first = datetime.fromisoformat(days[0]).replace(tzinfo=UTC)
        said = {"by": "asha", "reason": "all", "now": first, "first_day": first.date()}
        kinds = ("daily_loss", "trades", "open_positions", "consecutive_losses", "drawdown")
        for kind in kinds:
            set_limit("main", kind, 3, **said)
        for name in Strategy.objects.values_list("code", flat=True)[:2]:
            for kind in kinds[:-1]:
                set_limit("main", kind, 3, strategy_id=name, **said)
        for day in days[-12:]:
            noon = datetime.fromisoformat(f"{day}T23:00+05:30")
            summary, used = answered("daily_summary", "--date", day), states(now=noon)
            rows = {None: summary["total"], **{row["strategy_id"]: row for row in summary["strategies"]}}
            for (scope, kind), state in used.items():
                pnl = Decimal(rows[scope]["total_pnl"]) if scope in rows else Decimal(0)
                if kind == "daily_loss":
                    assert state.used == max(0, -pnl), (day, scope)
        report, used = answered("strategy_report")["total"], states(now=noon)
        assert used[None, "drawdown"].used == Decimal(report["current_drawdown"])
        assert used[None, "consecutive_losses"].used == max(0, -report["current_streak"])

    def test_a_loss_is_crossed_where_it_reaches_the_limit_and_a_count_where_it_exceeds_it(self) -> None:
        for kind, amount in (("daily_loss", "50"), ("consecutive_losses", 1), ("trades", 1), ("drawdown", "50.01")):
            set_limit("main", kind, amount, **SAID)
        opened(charges=1)
        closed(price="2445.15", charges="0")  # 49 lost and 1 charged
        shown = {kind: (state.used, state.left, state.state) for (_, kind), state in states().items()}
        assert shown == {
            "daily_loss": (50, 0, "crossed"),
            "consecutive_losses": (1, 0, "crossed"),
            "trades": (1, 0, "within"),
            "drawdown": (50, Decimal("0.01"), "within"),
        }
        opened("T2", entry_time=AT + 3 * MINUTE)
        assert states()[None, "trades"].state == "crossed"
        assert states(now=NOW + timedelta(days=1))[None, "trades"].used == 0  # another day
        assert states(now=NOW + timedelta(days=1))[None, "consecutive_losses"].used == 1  # over days

    def test_open_pnl_counts_at_the_last_price_and_is_unknown_without_one(self) -> None:
        opened(quantity=10)
        for scope in (None, "ema cross"):
            set_limit("main", "daily_loss_open", 100, strategy_id=scope, **SAID)
        assert {state.state for state in states().values()} == {"unknown"}
        with DataManager(source="feed") as dm:
            dm.process_tick("RELIANCE", {"ltp": 2440.05}, at=AT + MINUTE)
            assert [(state.used, state.state) for state in states().values()] == [(100, "crossed")] * 2
        opened("T2", symbol="TCS", strategy_id="orb")
        shown = states()
        assert shown[None, "daily_loss_open"].state == "unknown"  # a part of the sum is
        assert shown["ema cross", "daily_loss_open"].state == "crossed"

    def test_the_drawdown_follows_what_comes_late_and_what_is_corrected(self) -> None:
        set_limit("main", "drawdown", 1, **SAID)

        def is_of_the_report() -> None:
            total = answered("strategy_report")["total"]
            assert states(now=datetime.now(UTC))[None, "drawdown"].used == Decimal(total["current_drawdown"])

        for number, price in enumerate((2500, 2400, 2460, 2440)):
            opened(f"T{number}", entry_time=AT + timedelta(days=3 + number))
            closed(f"T{number}", price, exit_time=AT + timedelta(days=3 + number, hours=1))
            is_of_the_report()
        opened("late", quantity=90)  # of a day before all of them
        filled("SELL", 2600, 90, "late")
        is_of_the_report()
        amend(row("T1").pk, fill=2, price="2390", by="asha", reason="typing error")
        is_of_the_report()
        void(row("late").pk, by="asha", reason="never was")
        is_of_the_report()


@pytest.fixture
def dm() -> Iterator[DataManager]:
    with DataManager() as manager:
        yield manager


def tell(dm: DataManager) -> LimitsNow:
    return dm.limits("ema cross")


class TestMemory:
    def test_nothing_seen_is_unknown_never_within(self, dm: DataManager) -> None:
        assert tell(dm).state == "unknown" and tell(dm).as_of is None and tell(dm).limits == ()
        set_limit("main", "trades", 1, by="asha", reason="rule")
        assert tell(dm).state == "unknown"

    def test_what_the_companion_showed_counts_for_a_second(
        self, dm: DataManager, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        watch = LimitWatch(of_this_folder())
        watch.run_once()
        assert tell(dm).state == "none"
        set_limit("main", "trades", 1, by="asha", reason="rule")
        opened(entry_time=datetime.now(UTC))
        watch.run_once()
        answer = tell(dm)
        assert (answer.state, answer.limits[0].used) == ("within", 1) and answer.as_of is not None
        assert tell(dm) is answer  # from memory
        opened("T2", entry_time=datetime.now(UTC))  # another process's
        watch.run_once()
        assert (tell(dm).state, tell(dm).limits[0].used) == ("crossed", 2)
        late = time.time_ns() + 1_500_000_000
        with monkeypatch.context() as patch:
            patch.setattr(time, "time_ns", lambda: late)
            answer = tell(dm)
            assert (answer.state, answer.limits[0].state, answer.limits[0].used) == ("unknown", "unknown", None)
            assert answer.limits[0].limit == 1 and answer.as_of is not None
        with monkeypatch.context() as patch:  # a clock that was set back proves no freshness
            patch.setattr(time, "time_ns", lambda: late - 10_000_000_000)
            assert tell(dm).state == "unknown"
        assert tell(dm).state in ("crossed", "unknown")

    def test_a_crossed_limit_is_told_once_a_day(self) -> None:
        for scope in ("main", "replay"):
            set_limit(scope, "trades", 0, by="asha", reason="rule")
            opened(account_code=scope, entry_time=datetime.now(UTC))
        for _ in range(2):  # a companion that begins anew knows nothing of the first
            watch = LimitWatch(of_this_folder())
            for _ in range(2):
                watch.run_once()
        alert = Alert.objects.get()
        assert (alert.kind, alert.account and alert.account.code, alert.code) == ("limit", "main", "trades")
        assert alert.text == "Trades opened on the day 1, limit 0: crossed by account main."
        assert verify_ledger().ok

    def test_own_calls_count_at_once(self, dm: DataManager, monkeypatch: pytest.MonkeyPatch) -> None:
        set_limit("main", "trades", 1, by="asha", reason="rule")
        LimitWatch(of_this_folder()).run_once()
        for number, state in enumerate(("within", "crossed"), start=1):
            dm.open_position(f"T{number}", "ema cross", "RELIANCE", 2450, 10, datetime.now(UTC))
            answer = tell(dm)
            assert (answer.state, answer.limits[0].used) == (state, number)
        dm.open_position("T3", "ema cross", "RELIANCE", 2450, 10, datetime.now(UTC))

        def busy(*_: Any) -> None:
            raise LedgerBusy("held")

        monkeypatch.setattr("trading.limit_memory.ask", busy)
        assert tell(dm).state == "unknown"

    def test_a_strategy_is_told_its_own_limits_and_its_accounts(self, dm: DataManager) -> None:
        opened("T1", strategy_id="orb", entry_time=datetime.now(UTC))
        opened("T2", entry_time=datetime.now(UTC))
        for scope in (None, "orb", "ema cross"):
            set_limit("main", "open_positions", 5, strategy_id=scope, by="asha", reason="rule")
        LimitWatch(of_this_folder()).run_once()
        assert [(one.strategy_id, one.used) for one in dm.limits("orb").limits] == [(None, 2), ("orb", 1)]
        assert [one.strategy_id for one in dm.limits("nobody's").limits] == [None]
        with pytest.raises(InvalidValue):
            dm.limits("")

    def test_a_fact_that_waits_in_the_intake_makes_all_unknown(self, monkeypatch: pytest.MonkeyPatch) -> None:
        set_limit("main", "trades", 1, by="asha", reason="rule")
        watch = LimitWatch(of_this_folder())
        with DataManager(ledger_intake=True) as dm:
            with transactions.aside():
                dm.open_position("T1", "ema cross", "RELIANCE", 2450, 10, datetime.now(UTC))
            watch.run_once()
            assert tell(dm).state == "unknown"
            with DataManager(source="another") as other:
                assert tell(other).state == "unknown"
            assert of_this_folder().post() == 1
            watch.run_once()
            assert (tell(dm).state, tell(dm).limits[0].used) == ("within", 1)

    @pytest.mark.parametrize("content", [b"", b"nonsense", b"%020d{}", b'%020d{"day": 1, "limits": []}'])
    def test_a_board_that_makes_no_sense_is_unknown(self, dm: DataManager, content: bytes) -> None:
        path = limit_board.board_path("main")
        path.parent.mkdir()
        path.write_bytes(content % time.time_ns() if b"%" in content else content)
        assert tell(dm).state == "unknown"
        assert os.stat(path).st_size == len(path.read_bytes())
