"""Splits, bonuses and settlements that brokers' files tell of: proposed once, booked when a person confirms them."""

from __future__ import annotations

import json
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db.utils import DatabaseError

from tests.trading.book import snapshot, sql
from tests.trading.statements import DAY, OPEN, future, line, statement
from tests.trading.tampering import unguarded
from trading.brokers.values import ActionLine, FillLine, InstrumentName, Place, PositionLine, Segment, Statement
from trading.domain.charge_heads import FillKind, Head
from trading.domain.stated_charges import ChargeSource, ChargeStatement
from trading.errors import IdConflict, InvalidValue, UnknownTrade, VeloxError
from trading.models import ActionDecision, BrokerFill, CorporateAction, Journal, Trade, User
from trading.operations.back_up import back_up
from trading.operations.clear_account import clear_account
from trading.operations.confirm_settlement import confirm_settlement
from trading.operations.confirm_split import confirm_split
from trading.operations.dismiss_action import dismiss_action
from trading.operations.import_files import BrokerUpload, ImportOptions, import_files
from trading.operations.import_fills import import_fills
from trading.operations.open_position import open_position
from trading.operations.propose_actions import proposals_in, propose_actions
from trading.operations.restore import restore
from trading.operations.review_trade import review_trade
from trading.operations.spread_charges import spread_charges
from trading.operations.state_charges import state_charges
from trading.proof.verify import verify_ledger
from trading.queries.accounts import get_account
from trading.queries.charge_estimates import charged_of
from trading.queries.corporate_actions import corporate_actions
from trading.queries.opening_sales import opening_sales

pytestmark = [pytest.mark.ledger, pytest.mark.usefixtures("ledger")]

WHO = {"by": "asha", "reason": "the company's notice"}
CALL, PUT, SHORT_DATED = "RELIANCE26JUN1500CE", "RELIANCE26JUN1500PE", "NIFTY2660224500CE"  # the last of 2 June 2026


def action(
    kind: str = "split", day: int = 5, *, symbol: str = "RELIANCE", text: str = "SPLIT", **more: Any
) -> ActionLine:
    name = InstrumentName("NSE", symbol) if symbol else InstrumentName(company="SOME LTD")
    ratio = {"new": Decimal(2), "old": Decimal(1)} if kind == "split" else {}
    return ActionLine(Place("made.csv", "", 9), name, DAY + timedelta(days=day), kind, text, **{**ratio, **more})


def option(fill_id: str, side: str, quantity: int, price: Any, symbol: str = CALL, **more: Any) -> FillLine:
    of = {"symbol": symbol, "exchange": "NFO"}
    return line(fill_id, side, quantity, price, instrument=of, segment=Segment.OPTIONS, **more)


def imported(*fills: FillLine, actions: tuple[ActionLine, ...] = (), account: str = "main", **more: Any) -> Statement:
    """Import fills and what is told beside them."""
    file = statement(fills, actions=actions, **more)
    outcome = import_fills(account, file)
    assert outcome.refused == []
    propose_actions(account, file)
    return file


def waiting(account: str = "main") -> list[int]:
    return [each.pk for each in corporate_actions(get_account(account))]


def trades() -> list[tuple[Any, ...]]:
    rows = Trade.objects.exclude(state="VOID").order_by("opened_at", "instrument__symbol")
    return [(row.instrument.symbol, row.side, row.state, row.open_quantity, row.realised_pnl) for row in rows]


class TestProposal:
    def test_an_action_of_a_file_is_kept_once_and_books_nothing(self, proved: None) -> None:
        fills = [line("1", "BUY", 100)]
        imported(*fills, actions=(action(),))
        imported(*fills, line("2", "BUY", 1, day=1), actions=(action(text="worded otherwise"),))
        (proposal,) = corporate_actions(get_account("main"))
        assert (proposal.kind, proposal.symbol, proposal.new, proposal.old) == ("split", "RELIANCE", 2, 1)
        assert trades() == [("RELIANCE", "LONG", "OPEN", 101, 0)]

    def test_two_like_actions_of_one_file_are_two(self) -> None:
        imported(line("1", "BUY", 100), actions=(action("settlement", quantity=Decimal(1)),) * 2)
        assert len(waiting()) == 2

    def test_a_trial_tells_them_and_keeps_none(self) -> None:
        file = statement([line("1", "BUY", 100)], actions=(action(),))
        (proposal,) = proposals_in("main", file)
        assert (proposal.pk, proposal.kind) == (0, "split")
        assert not CorporateAction.objects.exists()

    @pytest.mark.parametrize("is_trial", [True, False])
    def test_files_that_overlap_tell_it_once(self, monkeypatch: pytest.MonkeyPatch, is_trial: bool) -> None:
        def read(content: bytes, name: str, **options: Any) -> Statement:
            return statement([line("1", "BUY", 100), line(name, "BUY", 1)], actions=(action(),), file=name)

        monkeypatch.setattr("trading.operations.import_files.read_statement", read)
        uploads = [BrokerUpload(name, lambda: b"") for name in ("2", "3")]
        reports = import_files("main", uploads, ImportOptions(), is_trial=is_trial)
        assert [[each.kind for each in report.actions] for report in reports] == [["split"], []]
        assert [report.refusal for report in reports] == [None, None]

    def test_a_contract_that_expired_without_a_line_is_proposed(self, proved: None) -> None:
        imported(option("1", "BUY", 75, 10, SHORT_DATED), option("2", "BUY", 500, 20, CALL))
        assert waiting() == []  # the file ends before both
        imported(future("3", "BUY", 50), last_day=date(2026, 6, 2))
        imported(future("3", "BUY", 50), line("4", "BUY", 1), last_day=date(2026, 6, 3))
        (proposal,) = corporate_actions(get_account("main"))
        assert (proposal.kind, proposal.day, proposal.symbol) == ("settlement", date(2026, 6, 2), f"NFO:{SHORT_DATED}")
        imported(future("5", "BUY", 50, day=1), last_day=date(2026, 6, 30))  # the month is over
        assert [each.symbol for each in corporate_actions(get_account("main"))] == [
            *(f"NFO:{SHORT_DATED}", f"NFO:{CALL}", "NFO:NIFTY26JUNFUT"),
        ]  # fmt: skip

    def test_a_file_of_shares_tells_nothing_of_contracts(self) -> None:
        imported(option("1", "BUY", 75, 10, SHORT_DATED))
        imported(line("2", "BUY", 1), last_day=date(2026, 12, 31))
        assert waiting() == []

    @pytest.mark.parametrize(("stated", "count"), [(200, 1), (50, 1), (100, 0), (137, 0), (-100, 0)])
    def test_a_quantity_that_is_a_plain_multiple_is_proposed(self, stated: int, count: int) -> None:
        name = InstrumentName("NSE", "RELIANCE")
        row = PositionLine(Place("p.csv", "", 2), name, DAY, DAY + timedelta(days=9), quantity=Decimal(stated))
        imported(line("1", "BUY", 100), positions=(row,))
        assert len(waiting()) == count


class TestSplit:
    def test_fills_after_it_are_of_new_units(self, proved: None) -> None:
        imported(line("1", "BUY", 100, 100), line("2", "SELL", 200, 60, day=10), actions=(action(),))
        assert [row[1:] for row in trades()] == [("LONG", "CLOSED", 0, -4000)]
        assert [sale.quantity for sale in opening_sales(get_account("main"))] == [100]
        confirm_split(waiting()[0], **WHO)
        assert [row[1:] for row in trades()] == [("LONG", "CLOSED", 0, 2000)]
        assert opening_sales(get_account("main")) == [] and waiting() == []

    def test_stated_charges_follow_the_trades_that_are_built_anew(self, proved: None) -> None:
        imported(line("1", "BUY", 10, 100), line("2", "SELL", 20, 60, day=6), actions=(action(),))
        charge = ChargeStatement(
            day=DAY, last_day=DAY + timedelta(days=9), head=Head.SEBI, amount=Decimal(4), source=ChargeSource.PERSON
        )
        state_charges("main", [charge], by="asha", text="note")
        confirm_split(waiting()[0], **WHO)
        assert Trade.objects.exclude(state="VOID").get().charges == 4
        before = snapshot()
        spread_charges("main", DAY, DAY, by="asha", reason="again")
        assert snapshot() == before, "nothing is left for the next import to share"

    def test_what_is_open_is_split(self, proved: None) -> None:
        imported(line("1", "BUY", 100, 100), actions=(action(),))
        (position,) = confirm_split(waiting()[0], **WHO)
        assert (position.open_quantity, position.avg_price) == (200, 50)

    def test_the_same_files_again_and_others_around_it_change_nothing_of_it(self, proved: None) -> None:
        fills = [line("3", "BUY", 100, 100), line("4", "SELL", 150, 60, day=10)]
        imported(*fills, actions=(action(),))
        confirm_split(waiting()[0], **WHO)
        before = snapshot()
        imported(*fills, actions=(action(),))
        assert snapshot() == before
        imported(line("5", "SELL", 50, 70, day=20))
        assert trades() == [("RELIANCE", "LONG", "CLOSED", 0, Decimal(2500))]

    def test_a_bonus_comes_on_top(self, proved: None) -> None:
        imported(line("1", "BUY", 100, 100), actions=(action("bonus"),))
        with pytest.raises(InvalidValue, match="ratio"):
            confirm_split(waiting()[0], **WHO)
        (position,) = confirm_split(waiting()[0], new=1, old=2, **WHO)
        assert position.open_quantity == 150

    def test_a_decision_stands(self, proved: None) -> None:
        imported(line("1", "BUY", 100, 100), actions=(action(),))
        (pk,) = waiting()
        confirm_split(pk, **WHO)
        before = snapshot()
        (position,) = confirm_split(pk, **WHO)
        assert "known_already" in position.flags
        for again in (lambda: confirm_split(pk, new=3, old=1, **WHO), lambda: dismiss_action(pk, **WHO)):
            with pytest.raises(IdConflict):
                again()
        assert snapshot() == before

    def test_two_layouts_that_tell_one_split_book_it_once(self, proved: None) -> None:
        imported(line("1", "BUY", 100, 100), actions=(action(), action(quantity=Decimal(100))))
        first, second = waiting()
        confirm_split(first, **WHO)
        with pytest.raises(IdConflict, match=f"Action {first} was the same"):
            confirm_split(second, **WHO)
        dismiss_action(second, **WHO)
        dismiss_action(second, **WHO)
        assert waiting() == [] and trades()[0][3] == 200

    def test_what_is_not_known_is_asked_for(self, proved: None) -> None:
        imported(line("1", "BUY", 100, 100), actions=(action(symbol=""), action("other", symbol="")))
        split, other = sorted(waiting())
        for refused in (lambda: confirm_split(split, **WHO), lambda: confirm_split(other, **WHO)):
            with pytest.raises(InvalidValue):
                refused()
        with pytest.raises(InvalidValue):
            confirm_split(4711, **WHO)
        with pytest.raises(UnknownTrade):
            confirm_split(split, symbol="RELIANCE", day=DAY - timedelta(days=3), **WHO)
        assert confirm_split(split, symbol="RELIANCE", **WHO)[0].open_quantity == 200

    @pytest.mark.parametrize("who", [{"by": ""}, {"reason": " "}])
    def test_nobody_and_no_reason_are_refused(self, who: dict[str, str]) -> None:
        imported(line("1", "BUY", 100, 100), actions=(action(), action("settlement", symbol="")))
        before = snapshot()
        for operation in (confirm_split, dismiss_action, confirm_settlement):
            with pytest.raises(InvalidValue):
                operation(waiting()[0], **{**WHO, **who})  # type: ignore[operator]
        assert snapshot() == before

    def test_a_trade_that_somebody_had_a_hand_in_stays(self, proved: None) -> None:
        imported(line("1", "BUY", 100, 100), line("2", "SELL", 100, 60, day=10), actions=(action(),))
        review_trade(Trade.objects.get().pk, by=User.objects.create_user("asha"), rating=4)
        before = snapshot()
        with pytest.raises(InvalidValue, match="hand in it"):
            confirm_split(waiting()[0], **WHO)
        assert snapshot() == before

    def test_fractions_leave_everything_as_it_was(self, proved: None) -> None:
        imported(line("1", "BUY", 5, 100), line("2", "SELL", 2, 60, day=10), actions=(action(),))
        before = snapshot()
        with pytest.raises(InvalidValue, match="fraction"):
            confirm_split(waiting()[0], new=1, old=2, **WHO)
        assert snapshot() == before


class TestSettlement:
    def held(self, side: str = "BUY", symbol: str = CALL, price: Any = 20, **more: Any) -> int:
        imported(option("1", side, 500, price, symbol), last_day=date(2026, 6, 30), **more)
        return waiting()[0]

    def test_a_worthless_expiry_is_no_sale_at_a_price(self, proved: None) -> None:
        assert confirm_settlement(self.held(), price=0, **WHO) == f"NFO:{CALL} expired worthless on 2026-06-30"
        assert trades() == [(CALL, "LONG", "CLOSED", 0, -10000)]
        trade = Trade.objects.get()
        assert (trade.exit_reason, trade.flags) == ("expired", ["day_only", "imported", "price_zero"])
        assert [fill.kind for fill in charged_of(trade)] == [FillKind.TRADE, FillKind.EXPIRY]

    def test_it_goes_at_its_value_where_it_was_settled_in_cash(self, proved: None) -> None:
        pk = self.held()
        with pytest.raises(InvalidValue, match="not told"):
            confirm_settlement(pk, **WHO)
        confirm_settlement(pk, price="32.5", day=date(2026, 6, 25), **WHO)
        assert trades() == [(CALL, "LONG", "CLOSED", 0, 6250)]
        assert [fill.kind for fill in charged_of(Trade.objects.get())] == [FillKind.TRADE, FillKind.EXERCISE]

    @pytest.mark.parametrize(
        ("symbol", "side", "shares"),
        [(CALL, "BUY", "LONG"), (PUT, "SELL", "LONG"), (CALL, "SELL", None), (PUT, "BUY", None)],
    )
    def test_an_options_shares_come_or_go_at_the_strike(
        self, proved: None, symbol: str, side: str, shares: str | None
    ) -> None:
        pk = self.held(side, symbol)
        confirm_settlement(pk, shares="RELIANCE", **WHO)
        contract = (symbol, "LONG" if side == "BUY" else "SHORT", "CLOSED", 0, -10000 if side == "BUY" else 10000)
        held = [("RELIANCE", "LONG", "OPEN", 500, 0)] if shares else []
        assert sorted(trades()) == sorted([contract, *held])
        # What goes was bought before: its cost is not known.
        assert [sale.price for sale in opening_sales(get_account("main"))] == ([] if shares else [1500])
        assert set(BrokerFill.objects.filter(kind="delivery").values_list("price", flat=True)) == {0, 1500}

    def test_sales_that_were_imported_before_are_of_the_shares_that_came(self, proved: None) -> None:
        pk = self.held()
        imported(line("7", "SELL", 500, 1550, day=31))
        assert len(opening_sales(get_account("main"))) == 1
        confirm_settlement(pk, shares="RELIANCE", **WHO)
        assert trades() == [(CALL, "LONG", "CLOSED", 0, -10000), ("RELIANCE", "LONG", "CLOSED", 0, 25000)]
        before = snapshot()
        confirm_settlement(pk, shares="RELIANCE", **WHO)
        imported(line("7", "SELL", 500, 1550, day=31))
        assert snapshot() == before

    def test_a_future_goes_at_its_final_price_and_its_shares_come_at_it(self, proved: None) -> None:
        of = {"symbol": "RELIANCE26JUNFUT", "exchange": "NFO"}
        imported(future("1", "BUY", 500, 1400, instrument=of), last_day=date(2026, 6, 30))
        with pytest.raises(InvalidValue, match="final price"):
            confirm_settlement(waiting()[0], shares="RELIANCE", **WHO)
        confirm_settlement(waiting()[0], price=1450, shares="RELIANCE", **WHO)
        assert sorted(trades()) == [
            ("RELIANCE", "LONG", "OPEN", 500, 0),
            ("RELIANCE26JUNFUT", "LONG", "CLOSED", 0, 25000),
        ]
        kinds = {trade.instrument.symbol: [fill.kind for fill in charged_of(trade)] for trade in Trade.objects.all()}
        assert kinds == {"RELIANCE": [FillKind.DELIVERY], "RELIANCE26JUNFUT": [FillKind.TRADE, FillKind.DELIVERY]}

    @pytest.mark.parametrize(
        "wrong",
        [
            {"price": 10, "shares": "RELIANCE"},
            {"shares": "TCS"},
            {"shares": "NIFTY 50"},
            {"price": -1},
            {"price": 0, "symbol": "NFO:UNKNOWN"},
            {"price": 0, "day": DAY - timedelta(days=2)},
        ],
        ids=str,
    )
    def test_what_does_not_fit_is_refused_and_writes_nothing(self, wrong: dict[str, Any]) -> None:
        pk = self.held()
        before = snapshot()
        with pytest.raises(VeloxError):
            confirm_settlement(pk, **{**WHO, **wrong})
        assert snapshot() == before

    def test_the_file_settles_what_is_open_or_nothing(self, proved: None) -> None:
        told = action("settlement", symbol="", quantity=Decimal(-300), text="Expiration")
        pk = self.held(actions=(told,))
        before = snapshot()
        with pytest.raises(InvalidValue, match="settles 300, the ledger has 500"):
            confirm_settlement(pk, price=0, symbol=f"NFO:{CALL}", **WHO)
        assert snapshot() == before

    def test_what_a_strategy_booked_is_closed_by_it(self) -> None:
        file = imported(line("1", "BUY", 1), actions=(action("settlement", symbol=CALL),))
        with pytest.raises(InvalidValue):
            confirm_settlement(waiting()[0], price=0, symbol=f"NFO:{CALL}", **WHO)
        at = file.fills[0].at
        open_position("main", "T1", "ema", f"NFO:{CALL}", entry_price=20, quantity=500, entry_time=at or OPEN)
        with pytest.raises(InvalidValue, match="booked by a strategy"):
            confirm_settlement(waiting()[0], price=0, symbol=f"NFO:{CALL}", **WHO)


class TestGuarded:
    def decided(self, account: str = "main") -> None:
        imported(line("1", "BUY", 100, 100), actions=(action(), action("other", quantity=Decimal(3))), account=account)
        confirm_split(waiting(account)[0], **WHO)
        dismiss_action(waiting(account)[0], **WHO)

    def test_no_row_is_changed_or_removed_and_what_was_tampered_with_is_named(self) -> None:
        self.decided()
        assert verify_ledger().ok
        changes = {
            "trading_corporateaction": {
                "key": "'x'",
                "day": "'2020-01-01'",
                "kind": "'other'",
                "symbol": "'TCS'",
                "text": "'y'",
                "new": "7",
                "old": "7",
                "quantity": "7",
                "id": "id + 70",
                "recorded_at": "'2031-01-01 00:00:00'",
            },
            "trading_actiondecision": {
                "terms": "'split 9:1'",
                "reason": "'x'",
                "author": "'x'",
                "id": "id + 70",
                "recorded_at": "'2031-01-01 00:00:00'",
            },
        }
        for table, cells in changes.items():
            for statement_ in (f"UPDATE {table} SET id = id", f"DELETE FROM {table}"):
                with pytest.raises(DatabaseError, match="append-only"):
                    sql(statement_)
            for name, other in cells.items():
                with unguarded():
                    sql(f"CREATE TABLE kept AS SELECT * FROM {table}")
                    sql(f"UPDATE {table} SET {name} = {other} WHERE id = (SELECT min(id) FROM kept)")
                assert (table, name) in {(row.table, row.field) for row in verify_ledger().differences}, (table, name)
                with unguarded():
                    sql(f"DELETE FROM {table}")
                    sql(f"INSERT INTO {table} SELECT * FROM kept")
                    sql("DROP TABLE kept")
        with unguarded():
            sql("DELETE FROM trading_actiondecision")
        assert ("missing", "trading_actiondecision") in {(row.kind, row.table) for row in verify_ledger().differences}

    def test_they_are_backed_up_restored_and_cleared(self) -> None:
        self.decided("replay")
        before = snapshot()
        restore(back_up(), force=True)
        for table in ("trading_corporateaction", "trading_actiondecision"):
            assert len(before[table]) == 2 and snapshot()[table] == before[table]
        assert verify_ledger().ok
        removed = clear_account("replay")
        assert (removed["corporate_actions"], removed["action_decisions"]) == (2, 2)
        assert not ActionDecision.objects.exists() and verify_ledger().ok


class TestCommand:
    def listed(self, capsys: Any, *args: str) -> list[dict[str, Any]]:
        call_command("corporate_actions", *args, "--format", "json")
        return list(json.loads(capsys.readouterr().out)["actions"])

    def test_it_lists_confirms_and_dismisses(self, capsys: Any) -> None:
        imported(line("1", "BUY", 100, 100), actions=(action(), action("bonus", day=6)))
        split, bonus = self.listed(capsys)
        assert (split["kind"], split["symbol"], split["state"]) == ("split", "RELIANCE", "waiting")
        who = ("--by", "asha", "--reason", "notice")
        assert len(self.listed(capsys, "--confirm", str(split["action"]), *who)) == 1
        assert self.listed(capsys, "--dismiss", str(bonus["action"]), *who) == []
        states = {row["state"]: row["terms"] for row in self.listed(capsys, "--all")}
        assert states == {"booked": "split 2:1 of RELIANCE from 2026-06-06", "dismissed": ""}

    def test_it_confirms_a_settlement(self, capsys: Any) -> None:
        imported(option("1", "BUY", 500, 20), last_day=date(2026, 6, 30))
        (row,) = self.listed(capsys)
        confirm = ("--confirm", str(row["action"]), "--price", "0", "--by", "asha", "--reason", "note")
        assert self.listed(capsys, *confirm) == []
        assert trades()[0][2:] == ("CLOSED", 0, -10000)

    @pytest.mark.parametrize("verb", ["--confirm", "--dismiss"])
    def test_a_number_of_another_account_is_refused(self, capsys: Any, verb: str) -> None:
        imported(line("1", "BUY", 100, 100), actions=(action(),))
        (row,) = self.listed(capsys)
        for account, hint in (("replay", "give --account main"), ("nobody", "nobody")):
            words = ("--account", account, verb, str(row["action"]), "--by", "asha", "--reason", "notice")
            with pytest.raises(CommandError, match=hint) as refused:
                self.listed(capsys, *words)
            assert refused.value.returncode == 2
        assert self.listed(capsys) == [row]

    def test_terms_of_the_other_kind_are_refused(self, capsys: Any) -> None:
        imported(
            line("1", "BUY", 100, 100), option("2", "BUY", 500, 20), actions=(action(),), last_day=date(2026, 6, 30)
        )
        rows = {row["kind"]: str(row["action"]) for row in self.listed(capsys)}
        for kind, option_, word in (("split", "--price", "0"), ("settlement", "--split", "2:1")):
            with pytest.raises(CommandError, match=f"{option_} does nothing of") as refused:
                self.listed(capsys, "--confirm", rows[kind], option_, word, "--by", "asha", "--reason", "note")
            assert refused.value.returncode == 2
        assert len(self.listed(capsys)) == len(rows)

    @pytest.mark.parametrize("args", [("--confirm", "9"), ("--confirm", "1", "--split", "two")])
    def test_what_cannot_be_done_ends_with_2(self, args: tuple[str, ...]) -> None:
        imported(line("1", "BUY", 100, 100))
        count = Journal.objects.count()
        with pytest.raises(CommandError) as refused:
            call_command("corporate_actions", *args, "--by", "asha", "--reason", "x")
        assert (refused.value.returncode, Journal.objects.count()) == (2, count)
