"""A broker's fill id stands for one fill of an account, exchange and trading day, whatever trade it is booked on."""

from __future__ import annotations

import json
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.db.utils import DatabaseError, IntegrityError

from tests.conftest import Maker
from tests.trading.book import AT, MINUTE, closed, filled, fills, opened, row, snapshot, sql
from tests.trading.tampering import unguarded
from trading import transactions
from trading.bookkeeping import booking, fill_keys, journal, opening, references
from trading.bookkeeping.booking import NewFill
from trading.data_manager import DataManager
from trading.errors import IdConflict
from trading.models import Fill, FillKey, Journal, Trade
from trading.operations.amend import amend
from trading.operations.apply_split import apply_split
from trading.operations.back_up import back_up
from trading.operations.clear_account import clear_account
from trading.operations.create_account import create_account
from trading.operations.import_trades import import_trades
from trading.operations.restore import restore
from trading.operations.void import void
from trading.proof.verify import verify_ledger

pytestmark = [pytest.mark.ledger, pytest.mark.usefixtures("ledger", "alone")]

DAY = timedelta(days=1)
WHO = {"by": "asha", "reason": "typing error"}


def keys() -> list[tuple[str, date, int, str, int]]:
    """Every key: id, day, number, and the trade and sequence of the fill that it points to."""
    rows = FillKey.objects.order_by("day", "broker_fill_id", "number")
    return [
        (key.broker_fill_id, key.day, key.number, key.trade.trade_id, key.fill.sequence)
        for key in rows.select_related("trade", "fill")
    ]


def refused(call: Any) -> str:
    """Return the hint of the conflict; nothing was written."""
    before = snapshot()
    with pytest.raises(IdConflict) as caught:
        call()
    assert caught.value.field == "fill_id"
    assert snapshot() == before
    return str(caught.value.hint)


class TestOneFill:
    def test_an_id_is_known_on_every_trade_of_its_day(self, proved: None) -> None:
        opened(fill_id="1")
        filled("SELL", 2460, 4, fill_id="2")
        closed(fill_id="3")
        opened("T2", fill_id="4")
        for fill_id in ("1", "2", "3"):
            refused(lambda fill_id=fill_id: opened("T3", fill_id=fill_id))
            refused(lambda fill_id=fill_id: filled("SELL", 2460, 4, "T2", fill_id=fill_id))
            refused(lambda fill_id=fill_id: closed("T2", fill_id=fill_id))
            refused(lambda fill_id=fill_id: filled("SELL", 2460, 14, "T2", fill_id=fill_id, flip_to="T4"))
        assert [key[0] for key in keys()] == ["1", "2", "3", "4"]

    def test_the_same_trade_is_answered_with_what_is_there(self, proved: None) -> None:
        opened(fill_id="1")
        filled("SELL", 2460, 4, fill_id="2")
        before = snapshot()
        assert opened(fill_id="1").flags == filled("SELL", 2460, 4, fill_id="2").flags == ("known_already",)
        assert snapshot() == before
        with pytest.raises(IdConflict):
            filled("SELL", 2460, 5, fill_id="2")
        closed(fill_id="3")
        assert closed(fill_id="3").flags == ("known_already",)

    def test_another_day_exchange_or_account_has_ids_of_its_own(self, proved: None) -> None:
        create_account("paper", book="paper", currency="INR", zone="Asia/Kolkata", capital=0, capital_date=AT.date())
        opened(fill_id="1")
        opened("T2", fill_id="1", entry_time=AT + DAY)
        opened("T3", fill_id="1", symbol="BSE:TCS")
        opened("T4", fill_id="1", account_code="paper")
        filled("BUY", "2450.05", 10, fill_id="1", at=AT + 2 * DAY)
        assert row().open_quantity == 20, "a broker counts anew each day"
        assert len(keys()) == FillKey.objects.count() == 5

    def test_a_day_is_the_exchanges_own(self, proved: None) -> None:
        opened(fill_id="1", entry_time=AT.replace(hour=18, minute=29))  # 23:59 in Kolkata
        opened("T2", fill_id="1", entry_time=AT.replace(hour=18, minute=30))
        refused(lambda: opened("T3", fill_id="1", entry_time=AT.replace(hour=18, minute=28)))

    def test_a_fill_that_turned_a_position_stands_in_two_rows(self, proved: None) -> None:
        opened(fill_id="1")
        filled("SELL", 2460, 25, fill_id="2", flip_to="T2")
        assert [key for key in keys() if key[0] == "2"] == [
            ("2", AT.date(), 0, "T1", 2),
            ("2", AT.date(), 1, "T2", 1),
        ]
        assert filled("SELL", 2460, 25, fill_id="2", flip_to="T2").trade_id == "T2"
        refused(lambda: opened("T3", fill_id="2"))
        assert verify_ledger().differences == []

    def test_of_many_rows_the_one_with_a_known_id_is_named(self, proved: None) -> None:
        keywords = {"strategy_id": "orb", "symbol": "RELIANCE", "entry_price": 2450, "quantity": 1, "entry_time": AT}
        closing = {"exit_price": 2460, "exit_time": AT + MINUTE}
        rows = [
            {**keywords, **closing, "trade_id": f"T{n}", "fill_id": f"I{n % 3}", "exit_fill_id": f"O{n}"}
            for n in range(5)
        ]
        imported = import_trades("main", rows)
        assert [(index, code) for index, code, _ in imported.rejected] == [(3, "id_conflict"), (4, "id_conflict")]
        assert import_trades("main", rows[:3]).rejected == ()
        assert Trade.objects.count() == 3 and FillKey.objects.count() == 6

    def test_a_split_has_a_key_of_its_own_kind(self, proved: None) -> None:
        opened(fill_id="1")
        opened("T2", fill_id="2")
        apply_split("main", "RELIANCE", 2, 1, AT + MINUTE, key="1:2026")
        assert len(keys()) == 2
        before = snapshot()
        assert {held.flags for held in apply_split("main", "RELIANCE", 2, 1, AT + MINUTE, key="1:2026")} == {
            ("known_already", "split")
        }
        assert snapshot() == before
        with pytest.raises(IdConflict):
            filled("SELL", 2460, 1, fill_id="1:2026", at=AT + 2 * MINUTE)

    def test_the_facade_says_so(self) -> None:
        with DataManager() as manager:
            manager.open_position("T1", "orb", "RELIANCE", 2450, 10, AT, fill_id="1")
            with pytest.raises(IdConflict, match="Fill 1 of 2024-03-15 is known as BUY 10 at 2450 on trade T1"):
                manager.open_position("T2", "orb", "RELIANCE", 2450, 10, AT, fill_id="1")


class TestCorrections:
    def test_what_was_voided_is_not_booked_again(self, proved: None) -> None:
        opened(fill_id="1")
        filled("SELL", 2460, 4, fill_id="2")
        opened("T2", fill_id="3")
        void(row().pk, fill=2, **WHO)
        void(row("T2").pk, **WHO)
        before = snapshot()
        assert filled("SELL", 2460, 4, fill_id="2").open_quantity == 10
        assert opened("T2", fill_id="3").state == "VOID"
        assert snapshot() == before
        assert "voided" in refused(lambda: opened("T3", fill_id="3"))
        assert "voided" in refused(lambda: opened("T3", fill_id="2"))

    def test_a_fill_that_was_moved_is_known_on_both_days(self, proved: None) -> None:
        opened(fill_id="1")
        filled("SELL", 2460, 4, fill_id="2")
        amend(row().pk, fill=2, at=AT + DAY, **WHO)
        assert [key for key in keys() if key[0] == "2"] == [
            ("2", AT.date(), 0, "T1", 2),
            ("2", AT.date() + DAY, 0, "T1", 2),
        ]
        before = snapshot()
        for at in (AT + MINUTE, AT + DAY):
            assert filled("SELL", 2460, 4, fill_id="2", at=at).open_quantity == 6
        assert snapshot() == before
        refused(lambda: opened("T2", fill_id="2", entry_time=AT + DAY))
        amend(row().pk, fill=2, at=AT + DAY + MINUTE, price=2461, **WHO)
        amend(row().pk, fill=2, at=AT + 2 * DAY, **WHO)
        amend(row().pk, fill=2, at=AT + DAY, **WHO)
        assert len(keys()) == 4

    def test_it_does_not_come_to_a_day_on_which_its_id_is_another_one(self, proved: None) -> None:
        opened(fill_id="1")
        filled("SELL", 2460, 4, fill_id="2")
        opened("T2", fill_id="2", entry_time=AT + DAY)
        refused(lambda: amend(row().pk, fill=2, at=AT + DAY, **WHO))

    def test_both_rows_of_a_turn_may_be_moved(self, proved: None) -> None:
        opened(fill_id="1")
        filled("SELL", 2460, 25, fill_id="2", flip_to="T2")
        amend(row("T2").pk, at=AT + DAY, **WHO)
        amend(row("T1").pk, fill=2, at=AT + DAY, **WHO)
        assert [key[1:4] for key in keys() if key[0] == "2"] == [
            *((AT.date(), 0, "T1"), (AT.date(), 1, "T2")),
            *((AT.date() + DAY, 0, "T2"), (AT.date() + DAY, 1, "T1")),
        ]

    def test_booked_anew_on_purpose_the_key_points_to_the_new_row(self, proved: None) -> None:
        opened(fill_id="1")
        filled("SELL", 2460, 4, fill_id="2")
        with pytest.raises(IdConflict):
            book_anew("T2", "1")
        void(row().pk, **WHO)
        book_anew("T2", "1")
        assert keys()[0] == ("1", AT.date(), 0, "T2", 1)
        assert verify_ledger().differences == []
        void(row("T2").pk, **WHO)
        book_anew("T3", "1")
        assert keys() == [("1", AT.date(), 0, "T3", 1), ("2", AT.date(), 0, "T1", 2)]
        refused(lambda: opened("T4", fill_id="1"))

    def test_a_cleared_account_has_no_keys(self) -> None:
        opened(fill_id="1", account_code="replay")
        opened(fill_id="1")
        assert clear_account("replay")["fill_keys"] == 1
        opened("T2", fill_id="1", account_code="replay")
        assert verify_ledger().ok and FillKey.objects.count() == 2


def book_anew(trade_id: str, fill_id: str) -> None:
    """Open a trade with a fill that was voided, as an importer does that rebuilds one."""
    now, fill = AT + DAY, NewFill(Decimal("2450.05"), Decimal(10), AT, fill_id=fill_id, takes_key=True)
    with transactions.writing():
        account, head = journal.lock_account("main")
        instrument, strategy = references.instrument_of("RELIANCE", account), references.strategy_of("ema cross")
        fill_keys.must_be_free(account, instrument, fill_id, AT, takes_key=True)
        trade = opening.new_trade(
            account, strategy, instrument, trade_id, "LONG", fill, stop=None, target=None, now=now
        )
        body = {"stop_price": None, "target_price": None, **booking.book(trade, "BUY", fill, now=now)}
        body["trade"] = booking.trade_body(trade)
        journal.append(account, "open_position", body, now=now, head=head)


class TestGuards:
    def test_the_database_itself_takes_an_id_once(self) -> None:
        opened(fill_id="1")
        opened("T2", fill_id="2")
        with unguarded(), pytest.raises(IntegrityError):
            sql("UPDATE trading_fillkey SET broker_fill_id = '1'")

    def test_a_key_moves_only_from_what_was_voided_and_keeps_its_name(self) -> None:
        opened(fill_id="1")
        opened("T2", fill_id="2")
        of_first = f"fill_id = {fills('T1')[0].pk}"
        moves = f"UPDATE trading_fillkey SET fill_id = {fills('T2')[0].pk}, trade_id = {row('T2').pk} WHERE {of_first}"
        names = f"UPDATE trading_fillkey SET broker_fill_id = '9' WHERE {of_first}"
        for statement in (moves, names, "DELETE FROM trading_fillkey"):
            with pytest.raises(DatabaseError, match="append-only"):
                sql(statement)
        void(row().pk, **WHO)
        with pytest.raises(DatabaseError, match="append-only"):
            sql(names)
        assert sql(moves) == 1
        assert {(one.table, one.field) for one in verify_ledger().differences} == {
            ("trading_fillkey", "fill_id"),
            ("trading_fillkey", "trade_id"),
        }


class TestOlderLedger:
    """A ledger from before the keys: each trade had ids of its own."""

    @pytest.fixture
    def older(self, made_as: Maker) -> None:
        made_as(self.from_before_the_keys)
        transactions._fitting.clear()

    @staticmethod
    def from_before_the_keys() -> None:
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(fill_keys, "must_be_free", lambda *_, **__: None)
            patched.setattr(fill_keys, "keep", lambda *_, **__: {})
            patched.setattr(fill_keys, "follow", lambda *_, **__: {})
            patched.setattr(fill_keys, "fill_of", lambda trade, fill_id, *_, **__: None)
            opened(fill_id="1")
            filled("SELL", 2460, 4, fill_id="2")
            opened("T2", fill_id="1")
            filled("SELL", 2460, 14, "T2", fill_id="3", flip_to="T3")
            opened("T4", fill_id="1", strategy_id="orb")
            opened("T5", fill_id="5")
            opened("no id")
            filled("BUY", 2460, 1, "T5", fill_id="6")
            amend(row("T5").pk, fill=2, at=AT + DAY, price=2459, **WHO)
            apply_split("main", "RELIANCE", 2, 1, AT + 2 * DAY, key="S1")
        assert FillKey.objects.count() == 0
        migrated()

    def test_every_id_has_its_key_and_the_double_ones_are_listed(self, older: None) -> None:
        day = AT.date()
        assert keys() == [
            *(("1", day, 0, "T1", 1), ("1", day, 1, "T2", 1), ("1", day, 2, "T4", 1), ("2", day, 0, "T1", 2)),
            *(("3", day, 0, "T2", 2), ("3", day, 1, "T3", 1), ("5", day, 0, "T5", 1), ("6", day, 0, "T5", 2)),
            ("6", day + DAY, 0, "T5", 2),
        ]
        proof = verify_ledger()
        first = fills("T1")[0].pk
        assert [(one.kind, one.table, one.pk, one.field, one.stored, one.expected) for one in proof.differences] == [
            ("twice", "trading_fill", fills(name)[0].pk, "fill_id", "1", f"an id of its own: fill {first} has it, too")
            for name in ("T2", "T4")
        ]
        assert proof.is_sound and not proof.ok

    def test_it_is_used_on_and_its_ids_are_known(self, older: None) -> None:
        before = snapshot()
        assert opened(fill_id="1").flags == ("known_already", "split")
        assert opened("T2", fill_id="1").state == "CLOSED"
        assert "known_already" in filled("BUY", 2459, 1, "T5", fill_id="6", at=AT + DAY).flags
        assert snapshot() == before
        refused(lambda: opened("T6", fill_id="1"))
        opened("T6", fill_id="7", entry_time=AT + 3 * DAY)
        closed("T6", fill_id="1", exit_time=AT + 3 * DAY)
        assert len(verify_ledger().differences) == 2

    def test_a_person_voids_the_doubles_and_the_list_is_empty(self, older: None) -> None:
        void(row("T2").pk, **WHO)
        assert [one.pk for one in verify_ledger().differences] == [fills("T4")[0].pk]
        void(row("T4").pk, **WHO)
        assert verify_ledger().differences == []

    def test_it_is_backed_up_and_restored(self, older: None) -> None:
        before = snapshot()["trading_fillkey"]
        path = back_up()
        opened("T6", fill_id="7", entry_time=AT + 3 * DAY)
        restore(path, force=True)
        assert snapshot()["trading_fillkey"] == before
        assert len(verify_ledger().differences) == 2

    def test_the_command_ends_with_findings(self, older: None, capsys: Any) -> None:
        with pytest.raises(SystemExit) as ended:
            call_command("verify_ledger", format="json")
        assert ended.value.code == 1
        answer = json.loads(capsys.readouterr().out)
        assert (answer["ok"], [one["kind"] for one in answer["differences"]]) == (False, ["twice", "twice"])

    def test_of_a_key_that_was_tampered_with_it_says_that(self, older: None) -> None:
        with unguarded():
            sql("UPDATE trading_fillkey SET day = '2024-03-01' WHERE broker_fill_id = '2'")
            sql("DELETE FROM trading_fillkey WHERE broker_fill_id = '5'")
        kinds = sorted((one.kind, one.table) for one in verify_ledger().differences if one.kind != "twice")
        assert kinds == [
            *(("missing", "trading_fillkey"), ("missing", "trading_fillkey"), ("unexpected", "trading_fillkey")),
        ]


def migrated() -> None:
    """Take the ledger back to before there were keys, and forth again."""
    for name in ("0010_refuse_truncate", max(transactions.MIGRATIONS)):
        MigrationExecutor(connection).migrate([("trading", name)])
    transactions._fitting.clear()


def test_the_journal_tells_the_key() -> None:
    opened(fill_id="1")
    filled("SELL", 2460, 4)
    bodies = [json.loads(body) for body in Journal.objects.order_by("sequence").values_list("body", flat=True)]
    assert bodies[0]["fill_key"] == {"pk": FillKey.objects.get().pk, "day": "2024-03-15", "number": 0}
    assert "fill_key" not in bodies[1]
    assert Fill.objects.count() == 2
