"""What the database itself refuses, the journal's chain, and the operations around accounts, days and reviews."""

from __future__ import annotations

import hashlib
import hmac
import json
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.db import connection
from django.db.utils import DatabaseError, IntegrityError

from tests.trading.book import AT, MINUTE, closed, filled, opened, row, snapshot, sql
from tests.trading.pictures import picture
from trading.bookkeeping import journal
from trading.domain.chain import chain_code
from trading.domain.charge_heads import Head
from trading.domain.stated_charges import ChargeSource, ChargeStatement
from trading.errors import IdConflict, InvalidValue, LedgerNotReady, UnknownAccount, UnknownTrade
from trading.models import (
    Account,
    CapitalFlow,
    Correction,
    DailySummary,
    Journal,
    JournalHead,
    Review,
    Trade,
    User,
    append_only,
)
from trading.operations.add_capital import add_capital
from trading.operations.add_screenshot import add_screenshot
from trading.operations.amend import amend
from trading.operations.clear_account import clear_account
from trading.operations.create_account import create_account
from trading.operations.make_token import make_token
from trading.operations.publish_daily_summary import Publishing, publish_daily_summary
from trading.operations.record_signal import record_signal
from trading.operations.review_trade import review_trade
from trading.operations.revoke_token import revoke_token
from trading.operations.set_limit import set_limit
from trading.operations.state_charges import state_charges
from trading.operations.update_trailing_sl import update_trailing_sl
from trading.operations.void import void
from trading.operations.withdraw_screenshot import withdraw_screenshot
from trading.operations.write_day_note import write_day_note
from trading.proof.verify import verify_ledger
from trading.queries.accounts import get_account

pytestmark = [pytest.mark.ledger, pytest.mark.usefixtures("ledger")]

DAY = date(2024, 3, 15)
# Named here once more: a table that is forgotten in the code is found by this list.
FACTS = (
    *("trading_capitalflow", "trading_fill", "trading_stopchange", "trading_signal", "trading_signalcondition"),
    *("trading_realisation", "trading_dailysummary", "trading_correction", "trading_journal"),
    *("trading_statedcharge", "trading_daynote", "trading_screenshot", "trading_screenshotwithdrawal"),
    *("trading_apitoken", "trading_tokenrevocation", "trading_limit"),
)
KEPT = ("trading_trade", "trading_fillkey", "trading_daytotal", "trading_journalhead")


def everything(account: str = "main") -> Trade:
    """One row at least in every guarded table of the account."""
    opened(account_code=account, signal_conditions={"rsi": 61.5}, charges=1)
    update_trailing_sl(account, "T1", "ema cross", "RELIANCE", 2445, 2460, "atr", at=AT + MINUTE)
    filled("SELL", 2460, 4, account_code=account, fill_id="F1")
    closed(account_code=account)
    record_signal(account, "ema cross", "RELIANCE", AT, {"rsi": 40}, decision="SKIPPED")
    publish_daily_summary(get_account(account), DAY)
    add_capital(account, DAY, 1000)
    opened("T2", account_code=account)
    amend(row("T2", account).pk, price=2451, by="asha", reason="typing error")
    later = date(2024, 3, 18)  # without trades: their realisations stay uncorrected
    line = ChargeStatement(day=later, last_day=later, head=Head.DP, amount=Decimal(7), source=ChargeSource.PERSON)
    state_charges(account, [line], by="asha", text="the broker's page")
    write_day_note(get_account(account), DAY, "gap up", by="asha")
    shot = add_screenshot(row(account=account).pk, picture(), by="asha")
    withdraw_screenshot(shot.pk, by="asha", reason="of another trade")
    make_token(account, account, ["read"], by="asha")
    revoke_token(account, by="asha")
    set_limit(account, "trades", 9, strategy_id="ema cross", by="asha", reason="the desk's rule")
    return row(account=account)


class TestAppendOnly:
    def test_every_trigger_is_there(self) -> None:
        assert append_only.missing(connection) == []
        name, table, *_ = next(iter(append_only.triggers(connection.vendor)))
        sql(f"DROP TRIGGER {name}" + (f" ON {table}" if connection.vendor == "postgresql" else ""))
        assert append_only.missing(connection) == [name]

    def test_no_fact_of_a_live_account_is_changed_or_removed(self) -> None:
        everything()
        before = snapshot()
        assert {table for table in (*FACTS, *KEPT) if not before[table]} == set()
        statements = [f"DELETE FROM {table}" for table in (*FACTS, *KEPT)]
        for statement in (*statements, *(f"UPDATE {table} SET id = id" for table in FACTS)):
            with pytest.raises(DatabaseError, match="append-only"):
                sql(statement)
            assert snapshot() == before, statement

    def test_no_table_is_emptied_past_the_triggers_of_its_rows(self) -> None:
        everything()
        before = snapshot()
        if connection.vendor != "postgresql":
            assert "TRUNCATE" not in {event for _, _, event, _ in append_only.triggers(connection.vendor)}
            return  # SQLite has no such statement
        for table in (*FACTS, *KEPT, "trading_account", "trading_seal", "trading_instrument"):
            with pytest.raises(DatabaseError, match="append-only: TRUNCATE"):
                sql(f"TRUNCATE {table} CASCADE")
        assert snapshot() == before
        sql("DROP TRIGGER trading_journal_keeps_truncate ON trading_journal")
        sql("ALTER TABLE trading_fill DISABLE TRIGGER trading_fill_keeps_truncate")
        assert append_only.missing(connection) == ["trading_fill_keeps_truncate", "trading_journal_keeps_truncate"]
        found = {(one.kind, one.field) for one in verify_ledger().differences}
        assert found == {("trigger", "trading_fill_keeps_truncate"), ("trigger", "trading_journal_keeps_truncate")}

    def test_a_signal_may_get_its_trade_once_and_nothing_else(self) -> None:
        trade = everything()
        skipped = "decision = 'SKIPPED'"
        assert sql(f"UPDATE trading_signal SET trade_id = {trade.pk} WHERE {skipped}") == 1
        for change in ("trade_id = NULL", f"trade_id = {trade.pk}", "reason = 'x'"):
            with pytest.raises(DatabaseError, match="append-only"):
                sql(f"UPDATE trading_signal SET {change} WHERE {skipped}")

    def test_no_account_goes_or_changes_its_book(self) -> None:
        for statement in ("DELETE FROM trading_account", "UPDATE trading_account SET book = 'replay'"):
            with pytest.raises(DatabaseError, match="append-only"):
                sql(statement)
        with pytest.raises(DatabaseError, match="append-only"):
            sql("UPDATE trading_account SET code = 'other' WHERE code = 'replay'")

    def test_of_replay_they_go_and_of_main_they_stay(self) -> None:
        everything("replay")
        everything()
        main = "account_id = (SELECT id FROM trading_account WHERE code = 'main')"
        kept = snapshot()
        removed = clear_account("replay", by="asha")
        assert removed["summaries"] == removed["corrections"] == 1
        assert (removed["trades"], removed["fills"], removed["signals"], removed["realisations"]) == (2, 4, 2, 2)
        for model in (Trade, Journal, DailySummary, Correction):
            assert {one.account.code for one in model.objects.all()} == {"main"}
        assert len(snapshot()["trading_fill"]) == len(kept["trading_fill"]) - 4
        with pytest.raises(DatabaseError, match="append-only"):
            sql(f"DELETE FROM trading_journal WHERE {main}")


TRADE = "trading_trade"
CONSTRAINTS = [
    *((TRADE, "side = 'BUY'"), (TRADE, "state = 'GONE'"), (TRADE, "state = 'OPEN'"), (TRADE, "open_quantity = 1")),
    *((TRADE, "closed_at = NULL"), (TRADE, "entry_quantity = 0")),
    *((TRADE, "initial_risk = -1"), (TRADE, "closed_at = '2000-01-01 00:00:00'")),
    *(
        (TRADE, "open_quantity = entry_quantity + 1, state = 'VOID'"),
        (TRADE, "account_id = 999"),
        (TRADE, "side = NULL"),
    ),
    *(("trading_fill", change) for change in ("side = 'LONG'", "role = 'IN'", "quantity = 0")),
    *(("trading_fill", change) for change in ("sequence = 1", "trade_id = 999", "price = NULL")),
    *(("trading_stopchange", change) for change in ("stop_price = NULL", "trade_id = 999")),
    *(("trading_signal", "decision = 'MAYBE'"), ("trading_signalcondition", "name = NULL")),
    *(("trading_realisation", "quantity = 0"), ("trading_realisation", "fill_id = (SELECT min(id) FROM trading_fill)")),
    *(("trading_daytotal", "wins = 5"), ("trading_capitalflow", "amount = 0"), ("trading_journal", "sequence = 0")),
    *(
        ("trading_journal", "sequence = 1"),
        ("trading_journal", "previous_mac = ''"),
        ("trading_correction", "reason = ''"),
        ("trading_correction", "author = ''"),
        ("trading_correction", "kind = 'guess'"),
        ("trading_correction", "from_day = '2024-03-15'"),
        ("trading_statedcharge", "head = 'tax'"),
        ("trading_statedcharge", "source = 'hearsay'"),
        ("trading_statedcharge", "author = ''"),
        ("trading_statedcharge", "last_day = '2000-01-01'"),
    ),
    *(("trading_account", "book = 'fun'"), ("trading_account", "code = ''"), ("trading_instrument", "multiplier = 0")),
    *(("trading_instrument", f"{name} = 0") for name in ("lot", "quantity_step", "price_tick")),
    *(
        ("trading_instrument", "symbol = 'RELIANCE'"),
        ("trading_review", "rating = 6"),
        ("trading_review", "state = 'X'"),
    ),
    *(("trading_exchangesession", "last_date = '1990-01-01'"), ("trading_exchangesession", "closes = opens")),
]
SQLITE_ONLY = [
    *((TRADE, "open_cost = 1.5"), ("trading_fill", "price = 'x'"), ("trading_fill", "quantity = 2.5")),
    *(("trading_realisation", "pnl = 0.5"), ("trading_daytotal", "gross_pnl = 0.1"), (TRADE, "charges = '1.5'")),
]


def test_the_database_refuses_by_itself_what_python_refuses(ledger: Any) -> None:
    everything()
    review_trade(row().pk, by=User.objects.create_user("asha"), rating=3)
    without_triggers()
    before = snapshot()
    for table, change in CONSTRAINTS + (SQLITE_ONLY if ledger.vendor == "sqlite" else []):
        try:
            sql(f"UPDATE {table} SET {change}")
        except IntegrityError:
            pass
        else:
            pytest.fail(f"{table} took {change}")
        assert snapshot() == before, (table, change)


def without_triggers() -> None:
    for name, table, *_ in append_only.triggers(connection.vendor):
        sql(f"DROP TRIGGER {name}" + (f" ON {table}" if connection.vendor == "postgresql" else ""))


class TestJournal:
    def test_nothing_is_written_with_another_key_than_the_journals(self, settings: Any) -> None:
        opened("T1")
        settings.JOURNAL_KEY = "of another host"
        before = snapshot()
        with pytest.raises(LedgerNotReady, match="not the one that the ledger's journal was written with"):
            opened("T2")
        assert snapshot() == before

    def test_a_last_row_that_was_tampered_with_does_not_stop_the_desk(self) -> None:
        opened("T1")
        opened("T2")
        without_triggers()
        sql("UPDATE trading_journal SET body = '{}' WHERE sequence = (SELECT max(sequence) FROM trading_journal)")
        journal._ours.clear()  # as in a process that has just begun
        assert opened("T3").open_quantity == 10

    @pytest.mark.parametrize("key", ["", "k", "é" * 31, "k" * 64, "k" * 65, "é" * 500])
    def test_a_code_is_the_hmac_of_the_key_whatever_its_length(self, key: str) -> None:
        for previous, body in (("", "{}"), ("a" * 64, '{"by":"Zoë"}' * 100), ("a" * 64, "\ud800")):
            text = f"{previous}\n{body}".encode("utf-8", "surrogatepass")
            assert chain_code(key, previous, body) == hmac.new(key.encode(), text, hashlib.sha256).hexdigest()

    def test_the_chain_recomputes_in_every_account(self, data_dir: Path) -> None:
        everything()
        everything("replay")
        clear_account("replay")
        opened("T9", account_code="replay")
        key = (data_dir / "journal.key").read_text().strip().encode()
        for account in Account.objects.all():
            previous, rows = None, list(Journal.objects.filter(account=account))
            for one in rows:
                if previous is not None:
                    assert (one.previous_mac, one.sequence) == (previous.mac, previous.sequence + 1)
                text = f"{one.previous_mac}\n{one.body}".encode()
                assert one.mac == hmac.new(key, text, hashlib.sha256).hexdigest()
                body = json.loads(one.body)
                assert one.body == json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
                named = (body["account"], body["sequence"], body["op"])
                assert named == (account.code, one.sequence, one.operation)
                previous = one
            head = JournalHead.objects.get(account=account)
            assert (head.sequence, head.mac) == (rows[-1].sequence, rows[-1].mac)

    def test_every_operation_writes_exactly_one_row(self) -> None:
        everything()
        review_trade(row().pk, by=User.objects.create_user("asha"), rating=3)
        assert [one.operation for one in Journal.objects.filter(account__code="main")] == [
            *("open_position", "update_trailing_sl", "add_fill", "close_position", "record_signal"),
            *("publish_daily_summary", "add_capital", "open_position", "amend", "state_charges"),
            *("write_day_note", "add_screenshot", "withdraw_screenshot", "make_token", "revoke_token"),
            "set_limit",
            "review_trade",
        ]

    def test_a_fill_is_told_exactly(self) -> None:
        opened(charges="1.10", fill_id="F1", stop_price=2440)
        body = json.loads(Journal.objects.get().body)
        assert body["fill"] == {
            "sequence": 1,
            "fill_id": "F1",
            "order_id": None,
            "side": "BUY",
            "role": "ENTRY",
            "price": "2450.05",
            "quantity": "10",
            "charges": "1.1",
            "at": "2024-03-15T04:00:00.000000Z",
        }
        closed()
        body = json.loads(Journal.objects.get(sequence=2).body)
        assert body["realised"] == {
            "quantity": "10",
            "cost": "24500.5",
            "proceeds": "24650",
            "charges": "1.1",
            "pnl": "149.5",
            "closes": True,
            "day": "2024-03-15",
        }
        assert body["day"] == {
            "day": "2024-03-15",
            "gross_pnl": "149.5",
            "charges": "1.1",
            "trades_closed": 1,
            "wins": 1,
            "losses": 0,
        }

    def test_the_key_is_not_in_the_database(self) -> None:
        everything()
        assert str(settings.JOURNAL_KEY) not in str(snapshot())


class TestAccounts:
    def test_an_account_is_made_once(self) -> None:
        said = {"book": "paper", "currency": "USD", "zone": "America/New_York", "capital": "5000.50"}
        account = create_account("paper desk", **said, capital_date=DAY, by="asha")
        before = snapshot()
        assert create_account("paper desk", **said, capital_date=DAY) == account
        assert snapshot() == before
        assert CapitalFlow.objects.get(account=account).amount == Decimal("5000.5")
        assert Journal.objects.get(account=account).recorded_by == "asha"
        for other in ({"book": "live"}, {"currency": "INR"}, {"zone": "UTC"}):
            with pytest.raises(IdConflict):
                create_account("paper desk", **{**said, **other}, capital_date=DAY)

    @pytest.mark.parametrize(
        "wrong",
        [
            *({"code": ""}, {"code": " a"}, {"code": None}, {"book": "real"}, {"book": None}, {"currency": "inr"}),
            *({"currency": "RUPEE"}, {"currency": None}, {"zone": "Mars/Base"}, {"zone": ""}, {"zone": "../etc"}),
            *({"zone": None}, {"capital": "much"}, {"capital": None}, {"capital": True}, {"capital": "0.000000001"}),
        ],
        ids=str,
    )
    def test_what_is_wrong_is_refused(self, wrong: dict[str, Any]) -> None:
        said = {"code": "x", "book": "paper", "currency": "INR", "zone": "UTC", "capital": 0, **wrong}
        before = snapshot()
        with pytest.raises(InvalidValue) as caught:
            create_account(said.pop("code"), **said, capital_date=DAY)
        assert caught.value.field in wrong
        assert snapshot() == before

    def test_capital_comes_and_goes(self) -> None:
        add_capital("main", DAY, "500.25", note="bonus", by="asha")
        assert add_capital("main", DAY, -200).amount == -200
        assert [str(flow.amount) for flow in CapitalFlow.objects.filter(account__code="main", day=DAY)] == [
            "500.25",
            "-200",
        ]
        before = snapshot()
        for amount, error in ((0, InvalidValue), ("x", InvalidValue), (None, InvalidValue)):
            with pytest.raises(error):
                add_capital("main", DAY, amount)
        with pytest.raises(UnknownAccount):
            add_capital("nobody", DAY, 1)
        assert snapshot() == before

    def test_only_a_replay_is_cleared_and_it_leaves_one_row_in_main(self) -> None:
        everything()
        before = snapshot()
        with pytest.raises(InvalidValue):
            clear_account("main")
        with pytest.raises(UnknownAccount):
            clear_account("nobody")
        assert snapshot() == before
        everything("replay")
        head = JournalHead.objects.get(account__code="replay")
        clear_account("replay", by="asha")
        told = Journal.objects.filter(account__code="main").last()
        body = json.loads(told.body)
        assert (told.operation, told.recorded_by, body["cleared"]) == ("clear_account", "asha", "replay")
        assert (body["last_sequence"], body["last_head"]) == (head.sequence, head.mac)
        opened(account_code="replay")
        assert Journal.objects.get(account__code="replay").sequence == head.sequence + 1, "none is used again"
        before = snapshot()["trading_journal"]
        create_account("r2", book="replay", currency="INR", zone="UTC", capital=0, capital_date=DAY)
        assert clear_account("r2")["journal"] == 1 and len(snapshot()["trading_journal"]) == len(before) + 1

    def test_what_was_cleared_can_be_replayed_with_the_same_result(self) -> None:
        everything("replay")
        first = [(one.trade_id, one.realised_pnl, one.charges) for one in Trade.objects.all()]
        clear_account("replay")
        assert not Trade.objects.exists()
        everything("replay")
        assert [(one.trade_id, one.realised_pnl, one.charges) for one in Trade.objects.all()] == first


class TestDaysAndReviews:
    def test_a_summary_that_differs_is_a_new_version(self) -> None:
        opened()
        main = get_account("main")
        publish_daily_summary(main, DAY, by="asha")
        first = DailySummary.objects.get()
        assert publish_daily_summary(main, DAY).outcome is Publishing.SAME
        filled("SELL", 2460, 4)
        publish_daily_summary(main, DAY, rebuild=True)
        second = DailySummary.objects.get(version=2)
        assert DailySummary.objects.count() == 2
        assert (second.journal_sequence, first.journal_sequence) == (3, 1)
        assert first.journal_head == Journal.objects.get(sequence=1).mac
        void(row().pk, by="asha", reason="typing error")
        opened()
        assert publish_daily_summary(main, DAY, rebuild=True).version == 3
        with pytest.raises(UnknownAccount):
            get_account("nobody")

    def test_a_review_is_kept_with_its_author_and_every_version_in_the_journal(self) -> None:
        opened()
        asha, ravi = User.objects.create_user("asha"), User.objects.create_user("ravi")
        review_trade(row().pk, by=asha, rating=4, tags=["early"], notes="fine\nreally")
        before = snapshot()
        review_trade(row().pk, by=ravi, rating=4, tags=["early"], notes="fine\nreally")
        assert snapshot() == before, "the same again"
        review_trade(row().pk, by=ravi, rating=2, mistakes="chased it")
        review = Review.objects.get()
        assert (review.rating, review.tags, review.mistakes, review.notes) == (2, [], "chased it", "")
        assert review.reviewed_by == ravi
        rows = Journal.objects.filter(operation="review_trade")
        assert [(one.recorded_by, json.loads(one.body)["review"]["rating"]) for one in rows] == [
            ("asha", 4),
            ("ravi", 2),
        ]

    def test_what_is_wrong_is_refused(self) -> None:
        opened()
        asha = User.objects.create_user("asha")
        before = snapshot()
        for wrong in (
            *({"rating": 0}, {"rating": 6}, {"rating": True}, {"rating": "5"}, {"state": "MAYBE"}),
            *({"tags": [""]}, {"tags": ["a\nb"]}, {"notes": None}, {"mistakes": "x" * 1001}),
        ):
            with pytest.raises(InvalidValue):
                review_trade(row().pk, by=asha, **wrong)
        with pytest.raises(UnknownTrade):
            review_trade(999, by=asha)
        assert snapshot() == before
