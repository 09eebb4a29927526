"""Breaks are kept with their age, closed by themselves, and booked once a named operator has approved them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db.utils import DatabaseError

from tests import page_desk
from tests.redis_server import RedisServer
from tests.trading.book import snapshot, sql
from tests.trading.statements import DAY, future, line, statement
from tests.trading.tampering import unguarded
from trading.brokers.values import ChargeLine, FillLine, Head, Place, Segment, Statement
from trading.domain.breaks import OpenBreak
from trading.errors import InvalidValue
from trading.hot import cache, ledger_copy
from trading.hot.differences import differing_entries
from trading.models import BreakEvent, DayTotal, Fill, Journal, Trade
from trading.operations.amend import amend
from trading.operations.approve_breaks import approve_breaks
from trading.operations.back_up import back_up
from trading.operations.clear_account import clear_account
from trading.operations.close_position import close_position
from trading.operations.find_breaks import BreaksSeen, find_breaks
from trading.operations.import_charges import import_charges
from trading.operations.import_fills import import_fills
from trading.operations.open_position import open_position
from trading.operations.restore import restore
from trading.operations.void import void
from trading.proof.verify import verify_ledger

pytestmark = pytest.mark.usefixtures("ledger")
WHO = {"by": "asha", "reason": "a test"}
BOOKED = ("trading_trade", "trading_fill", "trading_correction", "trading_realisation", "trading_daytotal",
          "trading_statedcharge", "trading_brokerfill")  # fmt: skip
# A long and a short future with a turn between, and shares kept over night.
FILLS = [
    future("1", "BUY", 50, 100),
    future("2", "SELL", 80, "110.35"),
    future("3", "BUY", 30, 105),
    line("4", "BUY", 10, "2450.05"),
    line("5", "SELL", 4, 2460),
]


@pytest.fixture(autouse=True)
def _people(ledger: Any) -> None:
    for name in ("operator", "viewer"):
        page_desk.member(name)


def imported(*fills: FillLine, account: str = "main", **more: Any) -> Statement:
    told = statement(fills or FILLS, **more)
    import_fills(account, told)
    import_charges(account, told, by="broker_import")
    return told


def seen(*statements: Statement, account: str = "main") -> BreaksSeen:
    """Compare, and see that nothing is booked by it."""
    before = {name: rows for name, rows in snapshot().items() if name in BOOKED}
    answer = find_breaks(account, statements, now=datetime.now(UTC))
    assert {name: rows for name, rows in snapshot().items() if name in BOOKED} == before
    return answer


def open_now(*statements: Statement) -> list[OpenBreak]:
    return seen(*statements).breaks.open


def kinds(breaks: Sequence[OpenBreak]) -> list[str]:
    return [each.difference.kind.value for each in breaks]


def approved(breaks: Sequence[OpenBreak], *, by: str = "operator", **more: Any) -> None:
    approve_breaks("main", [each.difference.id for each in breaks], by=by, reason="as the broker says", **more)


def fill_of(fill_id: str) -> tuple[int, int]:
    trade = Trade.objects.exclude(state="VOID").get(fills__fill_id=fill_id)
    return trade.pk, trade.fills.get(fill_id=fill_id).sequence


def standing() -> list[tuple[Any, ...]]:
    """What the trades that count come to."""
    rows = Trade.objects.exclude(state="VOID").order_by("opened_at", "side")
    return [(row.side, row.state, row.entry_quantity, row.open_quantity, row.realised_pnl) for row in rows]


def charged_on_note(stt: str, name: str) -> Statement:
    """Return a contract note that states STT of the day of `FILLS`."""
    line = ChargeLine(Place("n.pdf", "", 1), Head.STT, Decimal(stt), DAY, DAY, Segment.FUTURES, on_note=True)
    return statement([], charges=(line,), kind="note", sha256=name * 64)


def charged_in_file(stt: str, name: str, *, days: int = 1) -> Statement:
    """Return a file that states STT of so many days from `DAY` on."""
    last = DAY + timedelta(days=days - 1)
    line = ChargeLine(Place("p.csv", "", 1), Head.STT, Decimal(stt), DAY, last, Segment.FUTURES)
    return statement([], charges=(line,), kind="pnl", sha256=name * 64)


def charges_of(breaks: Sequence[OpenBreak]) -> list[OpenBreak]:
    return [each for each in breaks if each.difference.kind == "charges"]


def is_proved() -> bool:
    proof = verify_ledger()
    assert proof.ok, proof.differences[:3]
    return proof.checked["breakevent"] == BreakEvent.objects.count()


class TestAge:
    def test_a_break_keeps_the_time_at_which_it_was_first_seen(self) -> None:
        told = statement(FILLS)
        first = open_now(told)
        assert kinds(first) == ["fill_not_in_ledger"] * 5
        rows = Journal.objects.count()
        again = open_now(told)
        assert [each.opened_at for each in again] == [each.opened_at for each in first]
        assert Journal.objects.count() == rows  # the same run again changes nothing
        assert is_proved()

    def test_it_is_closed_by_itself_once_it_is_gone_and_says_so(self) -> None:
        told = statement(FILLS)
        open_now(told)
        imported()
        answer = seen()
        assert (answer.breaks.open, kinds(answer.breaks.closed)) == ([], ["fill_not_in_ledger"] * 5)
        assert {event.reason for event in BreakEvent.objects.filter(event="closed")} == {
            "It was compared again and is gone."
        }
        assert is_proved()

    def test_what_a_run_does_not_compare_stays_open(self) -> None:
        told = statement(FILLS)
        imported(*FILLS[:3])
        assert kinds(open_now(told)) == ["fill_not_in_ledger"] * 2
        assert kinds(open_now(statement(FILLS[:3]))) == ["fill_not_in_ledger"] * 2
        assert kinds(open_now()) == ["fill_not_in_ledger"] * 2
        with pytest.raises(SystemExit, match="1"):
            call_command("reconcile", "--from", "2026-06-03")

    def test_what_was_imported_does_not_take_back_what_a_file_says(self) -> None:
        imported()
        file = statement([replace(FILLS[0], price=Decimal(99)), *FILLS[2:]])
        breaks = ["fill_differs", "fill_not_at_broker"]
        assert sorted(kinds(open_now(file))) == breaks
        assert sorted(kinds(open_now())) == breaks
        pk, sequence = fill_of("1")
        amend(pk, fill=sequence, price=99, **WHO)
        assert kinds(open_now(file)) == ["fill_not_at_broker"]

    def test_a_break_that_differs_otherwise_by_now_keeps_its_age(self) -> None:
        told = imported()
        pk, sequence = fill_of("5")
        amend(pk, fill=sequence, price=2461, **WHO)
        (first,) = open_now(told)
        amend(pk, fill=sequence, price=2462, **WHO)
        (second,) = open_now(told)
        assert second.opened_at == first.opened_at
        assert second.difference.ledger is not None and second.difference.ledger["price"] == "2462"
        assert [event.event for event in BreakEvent.objects.all()] == ["opened", "changed"]

    def test_no_file_name_is_kept(self) -> None:
        open_now(statement(FILLS, file="AB1234.csv"))
        assert "AB1234" not in repr(snapshot())

    def test_what_was_settled_after_a_run_began_stays_settled(self) -> None:
        told, began = statement(FILLS[:1]), datetime.now(UTC)
        approved(open_now(told), as_it_is=True)
        late = find_breaks("main", [statement(FILLS[:1])], now=began)
        assert late.breaks.open == []


@pytest.mark.ledger
class TestApproval:
    def test_a_fill_that_the_ledger_never_had_is_booked_once_it_is_approved(self) -> None:
        imported(*FILLS[:4])
        told = statement(FILLS)
        breaks = open_now(told)
        assert kinds(breaks) == ["fill_not_in_ledger"]
        approved(breaks)
        assert open_now(told) == [] and is_proved()
        assert ("LONG", "OPEN", 10, 6, Decimal("39.80")) in standing()

    def test_a_fill_that_was_taken_back_is_booked_again(self) -> None:
        told = imported()
        before = standing()
        pk, sequence = fill_of("5")
        void(pk, fill=sequence, **WHO)
        breaks = open_now(told)
        assert kinds(breaks) == ["fill_not_in_ledger"]
        approved(breaks)
        assert (standing(), open_now(told)) == (before, []) and is_proved()
        import_fills("main", told)
        assert standing() == before

    def test_one_of_two_that_were_taken_back_brings_not_the_other(self) -> None:
        told = imported(*FILLS[3:], line("6", "SELL", 3, 2470))
        pk = fill_of("5")[0]
        for fill_id in ("6", "5"):
            void(pk, fill=fill_of(fill_id)[1], **WHO)
        breaks = open_now(told)
        approved([each for each in breaks if each.difference.key["fill_id"] == "5"])
        assert [each.difference.key["fill_id"] for each in open_now(told)] == ["6"]
        assert standing() == [("LONG", "OPEN", 10, 6, Decimal("39.80"))]
        approved(open_now(told))
        assert open_now(told) == [] and is_proved()

    def test_a_trade_that_was_taken_back_comes_back_fill_by_fill(self) -> None:
        told = imported(*FILLS[3:])
        void(fill_of("4")[0], **WHO)
        approved(open_now(told))
        assert standing() == [("LONG", "OPEN", 10, 6, Decimal("39.80"))]
        assert open_now(told) == [] and is_proved()

    @pytest.mark.parametrize("has_ids", [True, False])
    def test_an_import_that_was_taken_back_comes_back_as_it_was(self, has_ids: bool) -> None:
        """With a fill that turned the position, which stands in two trades."""
        told = imported(*(fill if has_ids else replace(fill, fill_id=None) for fill in FILLS))
        before = standing()
        for trade in Trade.objects.all():
            void(trade.pk, **WHO)
        assert import_fills("main", told).fills == 0 and standing() == []
        approved(open_now(told))
        assert (standing(), open_now(told), open_now()) == (before, [], []) and is_proved()
        import_fills("main", told)
        assert standing() == before

    def test_a_trade_comes_back_before_one_that_stands_where_no_time_of_the_day_is_told(self) -> None:
        sides = [("BUY", 10, 100), ("SELL", 10, 110), ("BUY", 10, 90)]
        told = imported(*(future(None, *each, at=None) for each in sides))
        before = sorted(standing())
        assert before == [("LONG", "CLOSED", 10, 0, 100), ("LONG", "OPEN", 10, 10, 0)]
        void(Trade.objects.get(state="CLOSED").pk, **WHO)
        approved(open_now(told))
        assert sorted(standing()) == before and is_proved()

    def test_the_charges_of_other_days_of_a_trade_come_back_with_it(self) -> None:
        told = imported(future("1", "BUY", 50), future("2", "SELL", 20, day=1), future("3", "SELL", 30, day=2))
        import_charges("main", charged_in_file("7", "a"))
        pk, sequence = fill_of("3")
        void(pk, fill=sequence, **WHO)
        approved(open_now(told))
        assert Trade.objects.exclude(state="VOID").get().charges == 7 and is_proved()

    def test_a_changed_price_and_quantity_are_amended(self) -> None:
        told = imported()
        before = standing()
        pk, sequence = fill_of("5")
        amend(pk, fill=sequence, price="2461.05", quantity=5, **WHO)
        breaks = open_now(told)
        assert kinds(breaks) == ["fill_differs"]
        approved(breaks)
        assert (standing(), open_now(told)) == (before, []) and is_proved()

    def test_a_fill_that_was_moved_to_another_day_comes_back(self) -> None:
        told = imported()
        pk, sequence = fill_of("5")
        amend(pk, fill=sequence, at=datetime(2026, 6, 3, 5, tzinfo=UTC), **WHO)
        breaks = open_now(told)
        assert kinds(breaks) == ["fill_differs"]
        approved(breaks)
        assert open_now(told) == [] and is_proved()

    def test_a_file_that_came_in_twice_is_taken_back_whole(self) -> None:
        told = imported(*FILLS[:3])
        before = standing()
        imported(*(replace(fill, fill_id=f"9{fill.fill_id}") for fill in FILLS[:3]), file="again.csv")
        breaks = open_now(told)
        assert kinds(breaks) == ["fill_twice"] * 3
        approved(breaks)
        assert (standing(), open_now(told), open_now()) == (before, [], []) and is_proved()
        import_fills("main", told)
        assert standing() == before

    def test_one_fill_of_a_file_that_came_in_twice_can_go_alone(self) -> None:
        told = imported(*FILLS[:3])
        imported(*(replace(fill, fill_id=f"9{fill.fill_id}") for fill in FILLS[:3]), file="again.csv")
        approved([each for each in open_now(told) if each.difference.key["fill_id"] == "91"])
        assert {each.difference.key["fill_id"] for each in open_now(told)} == {"92", "93"} and is_proved()

    def test_a_fill_that_came_twice_goes_also_where_a_later_one_turned_the_position(self) -> None:
        told = imported(future("1", "BUY", 50), future("2", "SELL", 180, 110), future("3", "BUY", 80, 105))
        before = standing()
        imported(future("91", "BUY", 50, minute=1), file="again.csv")
        import_charges("main", charged_in_file("7", "a"))
        breaks = open_now(told)
        assert kinds(breaks) == ["fill_twice"]
        approved(breaks)
        assert (standing(), open_now(told)) == (before, []) and is_proved()
        assert sum(trade.charges or 0 for trade in Trade.objects.exclude(state="VOID")) == 7

    def test_of_a_files_row_and_a_strategys_fill_the_strategys_is_the_one_too_many(self) -> None:
        told = imported(future(None, "BUY", 50, minute=1), future(None, "SELL", 50, 110, minute=2))
        before, at = standing(), Trade.objects.get().opened_at
        open_position("main", "a", "a", "NFO:NIFTY26JUNFUT", entry_price=100, quantity=50, entry_time=at)
        approved(open_now(told))
        assert (standing(), open_now(told)) == (before, []) and is_proved()

    def test_the_opening_of_a_strategys_trade_cannot_go_alone_and_leaves_all_as_it_was(self) -> None:
        told = imported(*FILLS[3:])
        of = {"account_code": "main", "strategy_id": "ema", "symbol": "RELIANCE", "trade_id": "T1"}
        open_position(**of, entry_price=100, quantity=5, entry_time=FILLS[3].at, fill_id="77")
        close_position(**of, exit_price=101, exit_time=FILLS[4].at, fill_id="78")
        breaks = open_now(told)
        assert kinds(breaks) == ["fill_not_at_broker"] * 2
        before = snapshot()
        with pytest.raises(InvalidValue):
            approved([each for each in breaks if each.difference.key["fill_id"] == "77"])
        assert snapshot() == before
        approved(breaks)
        assert open_now(told) == [] and is_proved()

    def test_a_dropped_charge_line_is_stated(self) -> None:
        imported(*FILLS[:3])
        amounts = {Head.STT: "11", Head.STAMP: "1", Head.GST: "7.31"}
        lines = [
            ChargeLine(Place("n.pdf", "", 1), head, Decimal(text), DAY, DAY, Segment.FUTURES, on_note=True)
            for head, text in amounts.items()
        ]
        note = statement([], charges=tuple(lines), kind="note")
        import_charges("main", replace(note, charges=tuple(lines[:1] + lines[2:])))
        breaks = [each for each in open_now(note) if each.difference.kind == "charges"]
        assert [each.difference.key["head"] for each in breaks] == ["stamp"]
        before = sum(row.charges or 0 for row in Trade.objects.all())
        approved(breaks)
        assert sum(row.charges or 0 for row in Trade.objects.all()) == before + 1
        assert "charges" not in kinds(open_now(note)) and is_proved()

    def test_a_corrected_note_that_its_former_one_replaced_stands_again(self) -> None:
        """The older note was imported last: what the corrected one stated before counts once it is approved."""
        imported(*FILLS[:3])
        corrected, former = charged_on_note("13", "a"), charged_on_note("11", "b")
        for note in (corrected, former):
            import_charges("main", note)
        breaks = charges_of(open_now(corrected))
        assert [each.difference.ledger and each.difference.ledger["stated"] for each in breaks] == ["11"]
        approved(breaks)
        assert charges_of(open_now(corrected)) == [] and is_proved()
        assert sum(row.charges or 0 for row in Trade.objects.all()) == 13

    def test_what_would_change_nothing_is_refused_and_can_be_accepted(self) -> None:
        """A period's amount is not what its days make that were stated one by one: no other fill can have the rest."""
        imported(*FILLS[:3])
        import_charges("main", charged_in_file("11", "a"))
        period = charged_in_file("20", "b", days=2)
        breaks = charges_of(open_now(period))
        before = snapshot()
        with pytest.raises(InvalidValue, match="would change nothing"):
            approved(breaks)
        assert snapshot() == before
        approved(breaks, as_it_is=True)
        assert charges_of(open_now(period)) == [] and is_proved()

    def test_nothing_is_booked_twice_and_nothing_without_an_operator_and_a_reason(self) -> None:
        told = imported()
        void(fill_of("5")[0], fill=fill_of("5")[1], **WHO)
        breaks = open_now(told)
        before = snapshot()
        for who in ({"by": "viewer"}, {"by": "nobody"}, {"by": ""}):
            with pytest.raises(InvalidValue):
                approved(breaks, **who)
        with pytest.raises(InvalidValue):
            approve_breaks("main", [breaks[0].difference.id], by="operator", reason=" ")
        with pytest.raises(InvalidValue):
            approve_breaks("main", ["0" * 16], by="operator", reason="x")
        assert snapshot() == before
        approved(breaks)
        before = snapshot()
        with pytest.raises(InvalidValue, match="approved"):
            approved(breaks)
        assert snapshot() == before

    def test_a_proposal_that_fits_no_longer_is_refused(self) -> None:
        told = imported()
        pk, sequence = fill_of("5")
        amend(pk, fill=sequence, price=2461, **WHO)
        breaks = open_now(told)
        amend(pk, fill=sequence, price=2462, **WHO)
        with pytest.raises(InvalidValue, match="no longer"):
            approved(breaks)

    def test_what_is_accepted_as_it_is_opens_again_only_where_it_differs_otherwise(self) -> None:
        told = imported()
        pk, sequence = fill_of("5")
        amend(pk, fill=sequence, price=2461, **WHO)
        approved(open_now(told), as_it_is=True)
        assert open_now(told) == []
        (event,) = BreakEvent.objects.filter(event="accepted")
        assert (event.author, event.reason) == ("operator", "as the broker says")
        amend(pk, fill=sequence, price=2462, **WHO)
        assert kinds(open_now(told)) == ["fill_differs"] and is_proved()


class TestHotCopy:
    @pytest.fixture(autouse=True)
    def _copied(self, shared_ledger: RedisServer) -> Iterator[None]:
        imported()
        ledger_copy.rebuild("main", datetime.now(UTC))
        yield

    def test_a_spoiled_entry_is_named_once_and_rebuilt_when_it_is_approved(self) -> None:
        name = ledger_copy.name_of("main", "positions")
        entry = cache.get_many([name])[name]
        rows = [{**entry["positions"][0], "open_quantity": "51"}, *entry["positions"][1:]]
        cache.drop([name])
        cache.put("book", {name: {**entry, "positions": rows}}, {name: (10**9, 0)})
        breaks = open_now()
        assert kinds(breaks) == ["hot_copy"]
        approved(breaks)
        assert list(differing_entries("main", datetime.now(UTC))) == []
        assert open_now() == [] and is_proved()


@pytest.mark.ledger
class TestGuarded:
    def test_no_event_is_changed_or_removed_and_what_was_tampered_with_is_named(self) -> None:
        open_now(statement(FILLS[:1]))
        for text in ("UPDATE trading_breakevent SET reason = 'x'", "DELETE FROM trading_breakevent"):
            with pytest.raises(DatabaseError, match="append-only"):
                sql(text)
        for name, value in {"event": "'closed'", "author": "'x'", "day": "'2020-01-01'", "ledger": "'{}'"}.items():
            with unguarded():
                sql("CREATE TABLE kept AS SELECT * FROM trading_breakevent")
                sql(f"UPDATE trading_breakevent SET {name} = {value}")
            assert ("trading_breakevent", name) in {(one.table, one.field) for one in verify_ledger().differences}
            with unguarded():
                sql("DELETE FROM trading_breakevent")
                sql("INSERT INTO trading_breakevent SELECT * FROM kept")
                sql("DROP TABLE kept")
        with unguarded():
            sql("DELETE FROM trading_breakevent")
        assert ("missing", "trading_breakevent") in {(one.kind, one.table) for one in verify_ledger().differences}

    def test_events_are_backed_up_restored_and_cleared(self) -> None:
        seen(statement(FILLS[:1]), account="replay")
        before = snapshot()["trading_breakevent"]
        restore(back_up(), force=True)
        assert snapshot()["trading_breakevent"] == before and verify_ledger().ok
        assert clear_account("replay")["breaks"] == 1
        assert not BreakEvent.objects.exists() and verify_ledger().ok


TRADEBOOK = """symbol,isin,trade_date,exchange,segment,series,trade_type,auction,quantity,price,trade_id,\
order_id,order_execution_time
TCS,INE467B01029,2026-06-01,NSE,EQ,EQ,buy,false,10.000000,3500.000000,101,9001,2026-06-01T09:21:55
TCS,INE467B01029,2026-06-01,NSE,EQ,EQ,sell,false,10.000000,3510.500000,102,9002,2026-06-01T10:21:55
"""


def test_the_command_approves(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "made.csv"
    path.write_text(TRADEBOOK)
    with pytest.raises(SystemExit, match="1"):
        call_command("reconcile", path, "--format", "json")
    body = json.loads(capsys.readouterr().out)
    names = [each["id"] for each in body["breaks"]]
    opened_at = datetime.fromisoformat(body["breaks"][0]["opened_at"])
    assert datetime.now(UTC) - timedelta(minutes=30) < opened_at <= datetime.now(UTC)
    with pytest.raises(CommandError):
        call_command("reconcile", "--approve", *names, "--as", "viewer", "--reason", "why")
    with pytest.raises(CommandError):
        call_command("reconcile", "--approve", *names, "--as", "operator")
    assert not Fill.objects.exists()
    call_command("reconcile", "--approve", *names, "--as", "operator", "--reason", "why", "--format", "json")
    assert [each["id"] for each in json.loads(capsys.readouterr().out)["approved"]] == names
    assert [row.gross_pnl for row in DayTotal.objects.all()] == [105]
    call_command("reconcile", path)
    call_command("broker_import", path)
    assert Fill.objects.count() == 2
