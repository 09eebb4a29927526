"""`verify_ledger` names whatever was changed past VELOX, and nothing that was not."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import Group, Permission
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import connection
from django.db.utils import DatabaseError, IntegrityError

from tests.conftest import Maker
from tests.trading.book import AT, MINUTE, closed, filled, opened, row, sql
from tests.trading.desk import make, plans
from tests.trading.pictures import picture
from tests.trading.tampering import filled_tables, others, typed, unguarded
from trading.domain.chain import JSON, chain_code
from trading.domain.charge_heads import Head
from trading.domain.stated_charges import ChargeSource, ChargeStatement
from trading.errors import VeloxError
from trading.models import Alert, Exchange, Excursion, FeedGap, Instrument, Journal, Strategy, User
from trading.operations.add_capital import add_capital
from trading.operations.add_screenshot import add_screenshot
from trading.operations.amend import amend
from trading.operations.clear_account import clear_account
from trading.operations.create_account import create_account
from trading.operations.deliver_alerts import queue_deliveries
from trading.operations.make_token import make_token
from trading.operations.publish_daily_summary import publish_daily_summary
from trading.operations.raise_alert import Notice, raise_alert, recover_alert
from trading.operations.record_signal import record_signal
from trading.operations.review_trade import review_trade
from trading.operations.revoke_token import revoke_token
from trading.operations.set_brokerage_plan import set_brokerage_plan
from trading.operations.set_charges import set_charges
from trading.operations.set_limit import end_limit, set_limit
from trading.operations.state_charges import state_charges
from trading.operations.update_trailing_sl import update_trailing_sl
from trading.operations.void import void
from trading.operations.withdraw_screenshot import withdraw_screenshot
from trading.operations.write_alert_channel import write_alert_channel
from trading.operations.write_day_note import write_day_note
from trading.proof.verify import verify_ledger
from trading.queries.accounts import get_account
from trading.queries.daily_summary import day_report

pytestmark = [pytest.mark.ledger, pytest.mark.usefixtures("ledger")]

DAY = date(2024, 3, 15)
FAR = datetime(2100, 1, 1, tzinfo=UTC)
STT, GST, NOTE = Head.STT, Head.GST, ChargeSource.NOTE
# What people edit about a trade, and how far the follower came: nothing else is exempt.
EXEMPT = {
    *(("trading_review", name) for name in ("state", "rating", "tags", "mistakes", "notes", "reviewed_at")),
    ("trading_review", "reviewed_by_id"),
}


def a_desks_days() -> None:
    """At least a row in every table that operations fill, in two accounts."""
    create_account("paper", book="paper", currency="INR", zone="Asia/Kolkata", capital=5000, capital_date=DAY)
    for plan in plans(8):
        make(plan)
    for account in ("main", "paper"):
        _one_of_everything(account)
    asha = User.objects.create_user("asha", password="a secret", is_staff=True)
    asha.groups.add(Group.objects.get(name="reviewer"))
    asha.user_permissions.add(Permission.objects.get(codename="view_trade"))
    _corrections()
    low = {"mae": -5, "mae_price": 2440, "mae_at": AT, "mfe": 9, "mfe_price": 2470, "mfe_at": AT + MINUTE}
    Excursion.objects.bulk_create([Excursion(trade=row("X"), **low, ticks=7, quiet_seconds=61.25, measured_at=AT)])
    gap = {"account": row("X").account, "symbol": "RELIANCE", "day": DAY}
    FeedGap.objects.create(**gap, starts_at=AT, ends_at=AT + MINUTE)
    review_trade(row("X").pk, by=asha, rating=3)
    lines = [ChargeStatement(day=DAY, last_day=DAY, head=head, amount=Decimal(7), source=NOTE) for head in (STT, GST)]
    state_charges("paper", lines, by="asha", text="note 4711", document="a" * 64)
    set_brokerage_plan("paper", "zerodha", DAY)
    for text in ("gap up", "gap up, then sideways"):
        write_day_note(get_account("paper"), DAY, text, by="asha")
    for shade in (1, 2):
        shot = add_screenshot(row("X").pk, picture(shade=shade), by="asha")
    withdraw_screenshot(shot.pk, by="asha", reason="of another trade")
    for name in ("grafana", "notebook"):
        make_token("paper", name, ["read", "record"], by="asha", networks=["10.0.0.0/8"], expires_at=FAR)
    revoke_token("notebook", by="asha")
    for key, account in (("disk", ""), ("not flat", "paper")):
        raise_alert(Notice(Alert.Kind.FAULT, key, "low", account, "disk", "disk_low", "Make room."), now=AT)
        write_alert_channel(key, "tgram://12:secret/3", by="asha", now=AT)
    queue_deliveries({"row:1": "phone"}, now=AT)
    recover_alert("disk", now=AT + MINUTE)
    for amount in ("25000.5", 30_000):
        set_limit("main", "daily_loss", amount, strategy_id="another", by="asha", reason="the desk's rule")
    end_limit("main", "daily_loss", strategy_id="another", by="ravi", reason="no more")


def _corrections() -> None:
    """Every kind of correction, and a trade that was turned."""
    said = {"by": "asha", "reason": "typing error"}
    amend(row("X").pk, fill=2, price="2461.5", at=AT + MINUTE / 2, **said)
    amend(row("X").pk, strategy_id="another", **said)
    set_charges("main", "X", "12.35", source="contract note")
    for name in ("gone", "open again"):
        opened(name, stop_price=2440)
        filled("SELL", 2455, 3, name)
        closed(name)
    void(row("gone").pk, **said)
    void(row("open again").pk, fill=3, **said)
    filled("SELL", 2440, 25, "open again", flip_to="turned", charges="3.01", at=AT + 3 * MINUTE)


def _one_of_everything(account: str) -> None:
    record_signal(account, "ema cross", "RELIANCE", AT, {"rsi": 40, "big": 1e300}, decision="TAKEN")
    opened("X", account_code=account, signal_conditions={"rsi": 41}, charges=1, stop_price=2440, fill_id="F")
    update_trailing_sl(account, "X", "ema cross", "RELIANCE", 2445, 2460, "atr", at=AT + MINUTE)
    update_trailing_sl(account, "X", "ema cross", "RELIANCE", 2444, 2460, "atr", at=AT + MINUTE / 2)
    filled("SELL", 2460, 4, "X", account_code=account)
    closed("X", account_code=account, pnl=3, exit_reason="target")
    conditions = {"rsi": 61.5, "trend": {"up": True}, "name": "ä"}
    opened("Y", account_code=account, signal_conditions=conditions, entry_time=AT + MINUTE)
    publish_daily_summary(get_account(account), DAY)
    add_capital(account, DAY, "-20.5", note="fee")


def found(**more: Any) -> set[tuple[str, str | None]]:
    """Return (table, field) of every difference."""
    return {(one.table, one.field) for one in verify_ledger(**more).differences}


class TestUntouched:
    def test_a_ledger_that_nobody_touched_is_proved(self, made_as: Maker) -> None:
        made_as(a_desks_days)
        proof = verify_ledger()
        assert proof.differences == []
        assert proof.checked["trade"] == 15 and proof.checked["journal"] > 30 and proof.checked["heads"] > 3
        assert proof.head["main"]["sequence"] > 20 and len(proof.head["main"]["mac"]) == 64

    def test_an_empty_one_too(self) -> None:
        assert verify_ledger().ok

    def test_what_is_written_in_the_ordinary_ways_is_sealed(self, client: Any, made_as: Maker) -> None:
        made_as(a_desks_days)
        user = User.objects.get()
        client.force_login(user)
        user.set_password("another")
        user.save()
        user.groups.set(Group.objects.all())
        user.groups.remove(Group.objects.first())
        Strategy.objects.update(name="x")
        Instrument.objects.filter(symbol="RELIANCE").update(reviewed=True)
        Exchange.objects.update_or_create(code="BSE", defaults={"name": "The other"})
        User.objects.create_user("gone").delete()
        left = User.objects.create_user("left")
        left.groups.set(Group.objects.all())
        User.objects.filter(pk=left.pk).delete()
        call_command("sessions", "--load", verbosity=0)
        assert verify_ledger().differences == []

    def test_what_was_cleared_is_not_missed(self) -> None:
        _one_of_everything("replay")
        clear_account("replay")
        assert verify_ledger().ok
        opened("Z", account_code="replay")
        assert verify_ledger().ok


class TestReports:
    """A published report is told again as its trades were known when it was published."""

    def test_each_version_is_told_as_of_its_own_place_in_the_journal(self) -> None:
        said = {"by": "asha", "reason": "typing error"}
        opened()
        opened("T2", strategy_id="orb", charges=1)
        steps = [
            lambda: filled("SELL", 2460, 4),
            lambda: closed(),
            lambda: closed("T2", strategy_id="orb"),
            lambda: amend(row().pk, fill=2, price=2461, **said),
            lambda: amend(row().pk, strategy_id="another", **said),
            lambda: set_charges("main", "T1", "12.35", source="note"),
            lambda: void(row("T2").pk, **said),
        ]
        for number, step in enumerate(steps, 1):
            step()
            assert publish_daily_summary(get_account("main"), DAY, rebuild=True).version == number
        review_trade(row().pk, by=User.objects.create_user("asha"), rating=3)
        proof = verify_ledger()
        assert (proof.differences, proof.checked["reports"]) == ([], len(steps))

    @pytest.mark.parametrize("name", ["total_pnl", "charges", "winning_trades", "trades_without_charges"])
    def test_one_that_says_otherwise_is_named(self, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
        def wrong(*arguments: Any, **keywords: Any) -> Any:
            summary, end = day_report(*arguments, **keywords)
            summary["strategies"][0][name] += 1
            return summary, end

        monkeypatch.setattr("trading.operations.publish_daily_summary.day_report", wrong)
        opened()
        closed()
        publish_daily_summary(get_account("main"), DAY)
        assert found() == {("trading_dailysummary", f"body: ema cross {name}")}


class TestTamper:
    def test_every_column_of_every_table_with_rows(self, made_as: Maker) -> None:
        """In the oldest row and in the newest; on a server, which compares alike, every third column in one of them."""
        made_as(a_desks_days)
        tables = filled_tables()
        assert len(tables) >= 20, sorted(tables)
        missed, refused = [], []
        for table, columns in tables.items():
            kinds = typed(table)
            for place, column in enumerate(columns):
                if (table, column) in EXEMPT:
                    continue
                is_here = connection.vendor == "sqlite"
                ends = {False, rows_of(table) > 1} if is_here else {place % 2 == 1} if place % 3 == 0 else set()
                for newest in sorted(ends):
                    outcome = _tampered(table, column, kinds[column], newest=newest)
                    missed += [(table, column, newest)] if outcome == "missed" else []
                    refused += [(table, column)] if outcome == "refused" else []
        assert not missed, "\n".join(map(str, missed))
        assert connection.vendor == "postgresql" or refused == []
        assert verify_ledger().differences == []

    def test_one_row_of_every_table(self, made_as: Maker) -> None:
        made_as(a_desks_days)
        missed = []
        for table in filled_tables():
            for order in ("ASC", "DESC"):
                with unguarded() as cursor:
                    cursor.execute(f"CREATE TABLE kept AS SELECT * FROM {table} ORDER BY id {order} LIMIT 1")
                    cursor.execute(f"DELETE FROM {table} WHERE id = (SELECT id FROM kept)")
                if table not in {one for one, _ in found()}:
                    missed.append((table, order))
                with unguarded() as cursor:
                    cursor.execute(f"INSERT INTO {table} SELECT * FROM kept")
                    cursor.execute("DROP TABLE kept")
        assert missed == []
        assert verify_ledger().differences == []


def rows_of(table: str) -> int:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT COUNT(*) FROM {table}")
        return int(cursor.fetchone()[0])


def _tampered(table: str, column: str, kind: str, *, newest: bool) -> str:
    """Change one value, look whether it is named, and put the row back."""
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE IF EXISTS kept")
        cursor.execute(f"CREATE TABLE kept AS SELECT * FROM {table} ORDER BY id {'DESC' if newest else 'ASC'} LIMIT 1")
        cursor.execute("SELECT id FROM kept")
        ((pk,),) = cursor.fetchall()
    for expression in others(kind):
        now = _changed(table, column, expression.format(f'"{column}"'), pk)
        if now is None:
            continue
        named = (table, column) in found()
        with unguarded() as cursor:
            cursor.execute(f"DELETE FROM {table} WHERE id = %s", [now])
            cursor.execute(f"INSERT INTO {table} SELECT * FROM kept")
            cursor.execute("DROP TABLE kept")
        return "named" if named else "missed"
    return "refused"


def _changed(table: str, column: str, expression: str, pk: int) -> int | None:
    """Return the row's key afterwards, None where the database took no such value."""
    try:
        with unguarded() as cursor:
            # A value that a check refuses may leave only one that is no other.
            other = f'"{column}" IS DISTINCT FROM {expression}'
            cursor.execute(f'UPDATE {table} SET "{column}" = {expression} WHERE id = %s AND {other}', [pk])
            if not cursor.rowcount:
                return None
            if column != "id":
                return pk
            cursor.execute(f"SELECT CAST({expression.replace(chr(34) + 'id' + chr(34), str(pk))} AS integer)")
            return int(cursor.fetchone()[0])
    except (IntegrityError, DatabaseError):
        return None


def test_a_place_in_a_chain_that_is_none_is_a_finding(made_as: Maker) -> None:
    made_as(a_desks_days)
    places = ["'x'", "x'00ff'", "1.5", 2**63 - 1] if connection.vendor == "sqlite" else [2**63 - 1]
    tables = {
        **dict.fromkeys(("trading_journal", "trading_journalhead", "trading_seal"), "sequence"),
        "trading_dailysummary": "journal_sequence",
    }
    for table, column in tables.items():
        of_last = f"WHERE id = (SELECT MAX(id) FROM {table})"
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT {column} FROM {table} {of_last}")
            ((stood,),) = cursor.fetchall()
        for place in places:
            with unguarded() as cursor:
                cursor.execute(f"UPDATE {table} SET {column} = {place} {of_last}")
            assert (table, column) in found(), place
        with unguarded() as cursor:
            cursor.execute(f"UPDATE {table} SET {column} = {stood} {of_last}")
    assert found() == set()


class TestChain:
    @pytest.mark.parametrize("keeps_head", [True, False])
    def test_a_cut_tail_is_named(self, keeps_head: bool, made_as: Maker) -> None:
        made_as(a_desks_days)
        with unguarded() as cursor:
            cursor.execute("SELECT MAX(id), MAX(sequence) FROM trading_journal WHERE account_id = 1")
            ((pk, sequence),) = cursor.fetchall()
            cursor.execute("DELETE FROM trading_journal WHERE id = %s", [pk])
            if not keeps_head:
                _rewind(cursor)
        differences = verify_ledger().differences
        assert any(one.table == "trading_journal" for one in differences)
        assert any(str(sequence) in str(one.expected) for one in differences)

    def test_a_tail_cut_with_all_its_rows_is_known_by_the_published_head(self) -> None:
        opened("A")
        opened("B")
        with unguarded() as cursor:
            for table, where in (("fill", "trade_id"), ("trade", "id")):
                cursor.execute(f"DELETE FROM trading_{table} WHERE {where} = (SELECT MAX(id) FROM trading_trade)")
            cursor.execute("DELETE FROM trading_journal WHERE sequence = 2")
            _rewind(cursor)
        (one,) = verify_ledger().differences
        assert (one.kind, one.table) == ("head", "trading_journal")
        assert one.field == "sequence, published in the heads' folder"

    def test_a_chain_made_anew_without_the_key_is_named(self, made_as: Maker) -> None:
        made_as(a_desks_days)
        with unguarded() as cursor:
            cursor.execute("SELECT id, body FROM trading_journal WHERE account_id = 1 ORDER BY sequence")
            previous = ""
            for pk, body in cursor.fetchall():
                mac = chain_code("a guess", previous, body)
                cursor.execute(
                    "UPDATE trading_journal SET mac = %s, previous_mac = %s WHERE id = %s", [mac, previous, pk]
                )
                previous = mac
            cursor.execute("UPDATE trading_journalhead SET mac = %s WHERE account_id = 1", [previous])
        assert ("trading_journal", "body") in found()

    def test_a_key_that_is_lost_is_one_finding_and_not_made_anew(self, data_dir: Path, made_as: Maker) -> None:
        made_as(a_desks_days)
        (data_dir / "journal.key").unlink()
        (one,) = verify_ledger().differences
        assert (one.kind, one.field) == ("key", "journal.key")
        assert not (data_dir / "journal.key").exists()

    def test_a_key_that_was_made_anew_is_one_finding(self, data_dir: Path, made_as: Maker) -> None:
        made_as(a_desks_days)
        (data_dir / "journal.key").write_text("made anew")
        (one,) = verify_ledger().differences
        assert (one.kind, one.field, one.stored) == ("key", "journal.key", "another key")

    @pytest.mark.parametrize("time", [5, "noon", [], None], ids=["number", "word", "list", "nothing"])
    def test_a_time_in_the_journal_that_is_none_is_named_and_the_proof_goes_on(self, time: JSON) -> None:
        opened("T1")
        filled("BUY", "2450.00", 5)
        body = json.loads(Journal.objects.get(sequence=2).body)
        body["recorded_at"] = body["fill"]["at"] = time
        with unguarded() as cursor:
            cursor.execute("UPDATE trading_journal SET body = %s WHERE sequence = 2", [json.dumps(body)])
        named = {(difference.table, difference.field) for difference in verify_ledger().differences}
        assert named >= {
            *(("trading_journal", "body"), ("trading_journal", "recorded_at")),
            *(("trading_fill", "at"), ("trading_fill", "recorded_at")),
        }

    def test_a_field_that_no_table_has_is_named_and_the_proof_goes_on(self) -> None:
        opened("T1")
        filled("BUY", "2450.00", 5)
        body = json.loads(Journal.objects.get(sequence=2).body)
        body["fill"] |= {"colour": "green", "Price": 1}
        with unguarded() as cursor:
            cursor.execute("UPDATE trading_journal SET body = %s WHERE sequence = 2", [json.dumps(body)])
            cursor.execute("UPDATE trading_fill SET price = price + 1 WHERE sequence = 2")
        named = {(difference.table, difference.field) for difference in verify_ledger().differences}
        assert named >= {("trading_journal", "body")} | {
            ("trading_fill", name) for name in ("colour", "Price", "price")
        }

    def test_an_operation_that_was_undone_is_no_finding(self) -> None:
        opened("A")
        with pytest.raises(VeloxError):
            filled("SELL", 2460, 11, "A")
        assert verify_ledger().ok


class TestSchema:
    def test_a_trigger_that_is_gone_or_strange_is_named(self) -> None:
        on = " ON trading_fill" if connection.vendor == "postgresql" else ""
        sql(f"DROP TRIGGER trading_fill_keeps_update{on}")
        assert ("trading_fill", "trading_fill_keeps_update") in found()

    def test_a_constraint_that_is_gone_is_named(self) -> None:
        if connection.vendor == "postgresql":
            sql("ALTER TABLE trading_fill DROP CONSTRAINT fill_quantity_positive")
        else:
            sql("PRAGMA writable_schema = ON")
            sql(
                "UPDATE sqlite_master SET sql = replace(sql, '\"quantity\" > 0', '\"quantity\" > -9') "
                "WHERE name = 'trading_fill'"
            )
            sql("PRAGMA writable_schema = RESET")
        assert ("trading_fill", "fill_quantity_positive") in found()


class TestCommand:
    def test_it_answers_and_ends_as_promised(self, capsys: Any, made_as: Maker) -> None:
        made_as(a_desks_days)
        call_command("verify_ledger", format="json")
        said = json.loads(capsys.readouterr().out)
        assert said["ok"] is True and said["differences"] == [] and said["head"]["main"]["sequence"] > 1
        with unguarded() as cursor:
            cursor.execute("UPDATE trading_fill SET price = price + 1 WHERE id = 1")
        with pytest.raises(SystemExit) as ended:
            call_command("verify_ledger", format="json")
        assert ended.value.code == 1
        said = json.loads(capsys.readouterr().out)
        (one,) = said["differences"]
        assert (one["kind"], one["table"], one["pk"], one["field"]) == ("differs", "trading_fill", 1, "price")
        assert one["stored"] == one["expected"] + 1

    def test_since_leaves_out_what_nothing_was_recorded_of(self, capsys: Any, made_as: Maker) -> None:
        made_as(a_desks_days)
        with unguarded() as cursor:
            cursor.execute("UPDATE trading_fill SET price = price + 1 WHERE id = 1")
        call_command("verify_ledger", since="2100-01-01", format="json")
        assert json.loads(capsys.readouterr().out)["checked"]["fill"] == 0
        with pytest.raises(SystemExit):
            call_command("verify_ledger", since="2020-01-01")

    def test_without_a_ledger_it_could_not_run(self, no_tables: Path) -> None:
        with pytest.raises(CommandError) as ended:
            call_command("verify_ledger")
        assert ended.value.returncode == 2


def _rewind(cursor: Any) -> None:
    last = "FROM trading_journal j WHERE j.account_id = trading_journalhead.account_id ORDER BY sequence DESC LIMIT 1"
    cursor.execute(
        f"UPDATE trading_journalhead SET sequence = (SELECT j.sequence {last}), mac = (SELECT j.mac {last}) "
        "WHERE account_id = 1"
    )
