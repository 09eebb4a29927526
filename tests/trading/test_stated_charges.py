"""Charges that a note, a file or a person states: which stand, what the trades get of them, and that it is proved."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from itertools import permutations
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.trading.book import AT, MINUTE, closed, fills, opened, row, sql
from tests.trading.tampering import unguarded
from trading import transactions
from trading.bookkeeping import stating
from trading.domain.charge_heads import Head, Segment
from trading.domain.charge_products import ChargedFill
from trading.domain.stated_charges import ChargeSource, ChargeStatement, standing_charges
from trading.errors import InvalidValue
from trading.models import BrokeragePlan, Correction, DayTotal, Journal, StatedCharge
from trading.operations.set_brokerage_plan import set_brokerage_plan
from trading.operations.set_charges import set_charges
from trading.operations.spread_charges import spread_charges
from trading.operations.state_charges import ChargesKept, state_charges
from trading.operations.void import void
from trading.proof.verify import verify_ledger
from trading.queries import facts
from trading.queries.statistics import account_stats
from trading.queries.trade_charges import trade_charges

DAY = date(2024, 3, 15)
NOTE, FILE, PERSON = ChargeSource.NOTE, ChargeSource.FILE, ChargeSource.PERSON
ledger = pytest.mark.ledger


def line(head: Head, amount: str, source: ChargeSource = NOTE, **scope: Any) -> ChargeStatement:
    terms = {"day": DAY, "last_day": DAY} | scope
    return ChargeStatement(head=head, amount=Decimal(amount), source=source, **terms)


def state(*lines: ChargeStatement, document: str = "a" * 64, text: str = "note 4711") -> ChargesKept:
    of_person = bool(lines) and lines[0].source == PERSON
    return state_charges("main", lines, by="asha", text=text, document="" if of_person else document)


def without_broker(journal_body: Any) -> Any:
    """Return what the journal was told before rows had a broker of their own."""
    return lambda rows: {name: cell for name, cell in journal_body(rows).items() if name != "broker"}


def two_trades() -> None:
    """T1 and T2 on one day: turnovers 49,150.50 and 49,100.10."""
    opened("T1", order_id="A")
    closed("T1", order_id="B")
    opened("T2", order_id="C", entry_price="2455.005", entry_time=AT + MINUTE)
    closed("T2", price="2455.005", order_id="D")


def charges(trade_id: str = "T1") -> Decimal | None:
    return row(trade_id).charges


@ledger
@pytest.mark.usefixtures("ledger")
class TestTrades:
    def test_the_trades_of_the_day_share_what_a_note_states(self) -> None:
        two_trades()
        assert state(line(Head.STT, "12"), line(Head.BROKERAGE, "80")) == ChargesKept(2, 2)
        assert charges("T1") is not None
        assert (charges("T1") or 0) + (charges("T2") or 0) == 92
        totals = DayTotal.objects.get(account__code="main", day=DAY)
        assert (totals.charges, totals.trades_without_charges) == (92, 0)
        assert all(fill.charges is None for fill in fills("T1"))  # the fact stays as it was booked
        assert all(fill.charges is not None for fill in facts.fills_of(row("T1")))
        assert verify_ledger().differences == []

    def test_saying_it_again_changes_nothing(self) -> None:
        two_trades()
        state(line(Head.STT, "12"))
        before = (StatedCharge.objects.count(), Journal.objects.count(), Correction.objects.count())
        assert state(line(Head.STT, "12")) == ChargesKept(0, 0)
        assert spread_charges("main", DAY, DAY, by="asha", reason="again") == 0
        assert (StatedCharge.objects.count(), Journal.objects.count(), Correction.objects.count()) == before

    def test_an_amount_that_the_same_document_states_anew_stands_in_its_place(self) -> None:
        opened()
        closed()
        state(line(Head.STT, "12"))
        assert state(line(Head.STT, "13")) == ChargesKept(1, 1)
        assert charges() == 13
        assert verify_ledger().ok

    def test_a_note_stands_before_a_file_and_a_file_before_a_person_whatever_came_first(self) -> None:
        said = [line(Head.STT, "12", NOTE), line(Head.STT, "11", FILE), line(Head.STT, "10", PERSON)]
        for number, order in enumerate(permutations(said)):
            day = DAY + timedelta(days=number * 7)
            opened(f"T{number}", entry_time=AT + timedelta(days=number * 7))
            closed(f"T{number}", exit_time=AT + timedelta(days=number * 7, hours=1))
            for statement in order:
                moved = ChargeStatement(
                    day=day, last_day=day, head=statement.head, amount=statement.amount, source=statement.source
                )
                state(moved)
            assert charges(f"T{number}") == 12

    def test_heads_of_several_sources_add_up(self) -> None:
        opened()
        closed()
        state(line(Head.STT, "12", NOTE))
        state(line(Head.STT, "99", FILE), line(Head.GST, "3.5", FILE), document="b" * 64)
        state(line(Head.OTHER, "-1.25", PERSON), text="a rebate, by telephone")
        assert charges() == Decimal("14.25")

    def test_fills_that_come_later_share_in_it(self) -> None:
        opened("T1", order_id="A")
        closed("T1", order_id="B")
        state(line(Head.BROKERAGE, "80"))
        opened("T2", order_id="C")
        closed("T2", order_id="D")
        assert (charges("T1"), charges("T2")) == (80, None)
        assert spread_charges("main", DAY, DAY, by="asha", reason="more fills of the day") == 2
        assert sum(charges(name) or 0 for name in ("T1", "T2")) == 80
        assert round(charges("T1") or 0, 6) == 40
        assert verify_ledger().ok

    def test_a_day_of_which_nothing_is_stated_keeps_what_was_known(self) -> None:
        opened("T1", charges=2)
        closed("T1", exit_time=AT + timedelta(days=3))
        opened("T2", charges=5, entry_time=AT + timedelta(days=10))
        state(line(Head.STT, "12"))
        assert charges("T1") == 12  # its own 2 were of the fill of that day
        assert charges("T2") == 5

    @pytest.mark.parametrize("is_stated_first", [False, True])
    def test_the_depositorys_charge_joins_what_was_told_with_the_fills(self, is_stated_first: bool) -> None:
        """A broker's trades by its API have their charges; what the depository took stands in a ledger line alone."""
        told = line(Head.DP, "15.93", PERSON)
        if is_stated_first:
            state(told)
        opened("T1", charges=20)
        closed("T1", charges=30)
        if is_stated_first:
            spread_charges("main", DAY, DAY, by="asha", reason="fills of the day")
        else:
            state(told)
        assert charges() == Decimal("65.93")
        assert spread_charges("main", DAY, DAY, by="asha", reason="again") == 0
        state(line(Head.DP, "14.75", FILE), document="b" * 64)
        assert charges() == Decimal("64.75")
        state(line(Head.STT, "12"))
        assert charges() == Decimal("26.75")  # a note's heads are in place of what was told with the fills
        assert verify_ledger().ok

    def test_a_person_who_corrected_a_trade_is_followed_by_the_note(self) -> None:
        opened()
        closed()
        set_charges("main", "T1", "50", source="a guess")
        state(line(Head.STT, "12"))
        assert charges() == 12

    def test_a_void_trade_has_no_part(self) -> None:
        two_trades()
        void(row("T2").pk, by="asha", reason="never was")
        state(line(Head.STT, "12"))
        assert (charges("T1"), charges("T2")) == (12, None)

    def test_only_the_segment_that_is_named_is_charged(self) -> None:
        opened("T1")
        opened("T2", symbol="NFO:NIFTY24MAR22000CE", entry_price="100", quantity=50)
        state(line(Head.STT, "7", segment="options", exchange="NSE"))
        assert (charges("T1"), charges("T2")) == (None, 7)

    def test_an_open_trade_and_its_exit_of_another_day_keep_apart(self) -> None:
        opened("T1", charges=1)
        closed("T1", exit_time=AT + timedelta(days=3), charges=4)
        state(line(Head.STT, "2.5", day=date(2024, 3, 18), last_day=date(2024, 3, 18)))
        assert charges("T1") == Decimal("3.5")
        assert verify_ledger().ok

    def test_a_statistic_changes_by_the_stated_number_alone(self) -> None:
        two_trades()
        before = account_stats(row("T1").account, None, now=AT + timedelta(days=1))
        state(line(Head.STT, "12"))
        after = account_stats(row("T1").account, None, now=AT + timedelta(days=1))
        assert (before["charges"], before["trades_without_charges"]) == (0, 2)
        assert (after["charges"], after["trades_without_charges"]) == (12, 0)
        assert after["total_pnl"] == before["total_pnl"] - 12
        assert after["gross_pnl"] == before["gross_pnl"]


@ledger
@pytest.mark.usefixtures("ledger")
class TestRefusals:
    @pytest.mark.parametrize(
        ("lines", "document"),
        [
            ([line(Head.STT, "1"), line(Head.STT, "2")], "a" * 64),
            ([line(Head.STT, "1"), line(Head.GST, "2", FILE)], "a" * 64),
            ([line(Head.STT, "1")], ""),
            ([line(Head.STT, "1")], "note.pdf"),
            ([line(Head.STT, "1", PERSON)], "a" * 64),
            ([line(Head.STT, "1", last_day=DAY - timedelta(days=1))], "a" * 64),
            ([line(Head.STT, "0.000000001")], "a" * 64),
        ],
    )
    def test_lines_that_cannot_be_kept_leave_nothing(self, lines: Sequence[ChargeStatement], document: str) -> None:
        with pytest.raises(InvalidValue):
            state_charges("main", lines, by="asha", text="note", document=document)
        assert StatedCharge.objects.count() == 0

    @pytest.mark.parametrize("names", [{"by": "", "text": "note"}, {"by": "asha", "text": " "}])
    def test_who_and_where_are_needed(self, names: dict[str, str]) -> None:
        with pytest.raises(InvalidValue):
            state_charges("main", [line(Head.STT, "1")], document="a" * 64, **names)


@ledger
@pytest.mark.usefixtures("ledger")
class TestProof:
    def test_each_column_that_is_changed_past_velox_is_named(self) -> None:
        two_trades()
        state(line(Head.STT, "12"))
        with unguarded() as cursor:
            cursor.execute("UPDATE trading_statedcharge SET amount = amount + 100000000")
        assert [(row.table, row.field) for row in verify_ledger().differences] == [("trading_statedcharge", "amount")]

    def test_a_line_too_many_and_one_that_is_missing_are_named(self) -> None:
        two_trades()
        state(line(Head.STT, "12"))
        stated = StatedCharge.objects.get()
        stated.pk = None
        stated.document = "c" * 64
        stated.save()
        assert {(row.kind, row.table) for row in verify_ledger().differences} == {
            ("unexpected", "trading_statedcharge")
        }

    def test_the_broker_of_a_document_is_proved_and_rows_from_before_have_the_one_that_their_text_began_with(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with monkeypatch.context() as older:
            older.setattr(stating, "journal_body", without_broker(stating.journal_body))
            for number, text in enumerate(("kite charges", "dhan ledger", "note 4711", "dhan")):
                state(line(Head.STT, "1", day=DAY - timedelta(days=number)), document=f"{number}" * 64, text=text)
        state(line(Head.GST, "1", PERSON), text="dhan says")
        for name in ("0017_day_notes", max(transactions.MIGRATIONS)):
            MigrationExecutor(connection).migrate([("trading", name)])
        transactions._fitting.clear()
        rows = StatedCharge.objects.order_by("pk").values_list("broker", flat=True)
        assert list(rows) == ["zerodha", "dhan", "", "", ""]
        assert verify_ledger().ok
        with unguarded() as cursor:
            cursor.execute("UPDATE trading_statedcharge SET broker = 'groww'")
        assert {(row.table, row.field) for row in verify_ledger().differences} == {("trading_statedcharge", "broker")}

    def test_the_database_refuses_changes(self) -> None:
        state(line(Head.STT, "12"))
        for statement in ("UPDATE trading_statedcharge SET amount = 1", "DELETE FROM trading_statedcharge"):
            with pytest.raises(Exception, match="append-only"):
                sql(statement)


@ledger
@pytest.mark.usefixtures("ledger")
class TestPlan:
    def test_estimates_follow_the_plan_of_each_day(self) -> None:
        opened("T1", order_id="A")
        closed("T1", order_id="B")
        call_command("account", "plan", "main", "zerodha", "--date", "2024-03-15", stdout=io.StringIO())
        assert answer("charges")["days"][0]["heads"]["brokerage"] == "14.75"
        assert answer("charges", "--plan", "kotak", exit_code=1)["days"][0]["heads"]["brokerage"] is None
        assert verify_ledger().ok

    def test_before_the_first_plan_none_is_known(self) -> None:
        opened()
        set_brokerage_plan("main", "zerodha", DAY + timedelta(days=1))
        assert answer("charges", exit_code=1)["days"][0]["heads"]["brokerage"] is None

    def test_the_plan_that_is_known_writes_nothing(self) -> None:
        set_brokerage_plan("main", "zerodha", DAY)
        count = Journal.objects.count()
        set_brokerage_plan("main", "zerodha", DAY)
        assert Journal.objects.count() == count
        set_brokerage_plan("main", "dhan", DAY)
        assert (BrokeragePlan.objects.get().plan, Journal.objects.count()) == ("dhan", count + 1)
        assert verify_ledger().ok

    def test_a_plan_that_nobody_has_is_refused(self) -> None:
        with pytest.raises(CommandError) as refused:
            call_command("account", "plan", "main", "free")
        assert refused.value.returncode == 2


@ledger
@pytest.mark.usefixtures("ledger")
class TestDays:
    def test_a_stated_head_stands_in_place_of_its_estimate_and_says_whose_it_is(self) -> None:
        two_trades()
        set_brokerage_plan("main", "zerodha", DAY)
        state(line(Head.STT, "12"), line(Head.BROKERAGE, "80"))
        state(line(Head.STAMP, "2", PERSON))
        (day,) = answer("charges")["days"]
        assert (day["heads"]["stt"], day["heads"]["brokerage"], day["heads"]["stamp"]) == ("12", "80", "2")
        assert (day["source"]["stt"], day["source"]["stamp"], day["source"]["gst"]) == ("note", "person", "estimate")
        assert "stt" not in day["sure"]

    def test_what_is_stated_of_a_day_without_trades_is_there(self) -> None:
        opened()
        closed()
        later = DAY + timedelta(days=5)
        state(line(Head.DP, "15.93", FILE, day=later, last_day=later))
        body = answer("charges", "--plan", "zerodha", "--to", str(later))
        assert (body["days"][1]["date"], body["days"][1]["heads"]["dp"]) == (str(later), "15.93")
        assert (body["days"][1]["source"], body["days"][1]["total"]) == ({"dp": "file"}, "15.93")

    def test_a_day_asked_for_alone_has_what_it_has_among_the_others(self) -> None:
        days = [DAY + timedelta(days=number) for number in range(3)]
        for number, day in enumerate(days):
            at = AT + timedelta(days=number)
            opened(f"T{number}", entry_time=at, order_id="A")
            closed(f"T{number}", exit_time=at + MINUTE, order_id="B")
            assert day == at.date()
        state(line(Head.STT, "10", FILE, last_day=DAY + timedelta(days=30)), document="b" * 64)
        state(line(Head.STT, "4"))
        alone = [answer("charges", "--from", str(day), "--to", str(day), exit_code=1)["days"][0] for day in days]
        assert [day["heads"]["stt"] for day in alone] == ["4", "3", "3"]
        assert alone == answer("charges", exit_code=1)["days"]
        assert [charges(f"T{number}") for number in range(3)] == [4, 3, 3]
        (stated,) = [head.stated for head in trade_charges(row("T1")).lines if head.stated is not None]
        assert stated == 3

    def test_what_is_stated_of_a_day_without_trades_counts_once_beside_its_month(self) -> None:
        two_trades()
        later, month = DAY + timedelta(days=5), DAY + timedelta(days=30)
        state(line(Head.STT, "50", day=later, last_day=later))
        state(line(Head.STT, "500", FILE, last_day=month), document="b" * 64)
        stated = [day["heads"]["stt"] for day in answer("charges", "--to", str(month), exit_code=1)["days"]]
        assert stated == ["450", "50"]
        assert (charges("T1") or 0) + (charges("T2") or 0) == 450

    def test_charges_are_in_the_accounts_currency(self) -> None:
        call_command("account", "create", "us", "--currency", "USD", stdout=io.StringIO())
        us = line(Head.BROKERAGE, "1.25", FILE)
        state_charges("us", [us], by="asha", text="an activity statement", document="c" * 64)
        told = ("charges", "--account", "us", "--from", str(DAY), "--to", str(DAY))
        assert (answer(*told)["currency"], answer(*told)["total"]) == ("USD", "1.25")
        screen = io.StringIO()
        call_command(*told, stdout=screen, stderr=io.StringIO())
        assert "USD" in screen.getvalue() and "INR" not in screen.getvalue()


def answer(*args: str, exit_code: int = 0) -> dict[str, Any]:
    out = io.StringIO()
    try:
        call_command(*args, "--format", "json", stdout=out, stderr=io.StringIO())
    except SystemExit as end:
        assert end.code == exit_code
    return dict(json.loads(out.getvalue()))


# Pure: which statement stands.


def fill(key: str, segment: Segment = Segment.EQUITY, day: date = DAY, price: str = "100") -> ChargedFill:
    return ChargedFill(
        key=key, day=day, segment=segment, exchange="NSE", scrip="A", side="BUY", quantity=Decimal(1),
        price=Decimal(price),
    )  # fmt: skip


def amounts(fills: Sequence[ChargedFill], *lines: ChargeStatement) -> dict[str, Decimal]:
    parts = standing_charges(lines, fills, {}).parts
    return {key: heads[Head.STT].amount for key, heads in parts.items()}


def test_what_a_wider_statement_says_beyond_a_firmer_one_is_of_the_others() -> None:
    both = [fill("cash"), fill("option", Segment.OPTIONS)]
    whole, part = line(Head.STT, "100", FILE), line(Head.STT, "60", NOTE, segment="equity")
    assert amounts(both, whole, part) == amounts(both, part, whole) == {"cash": 60, "option": 40}


def test_firmer_statements_of_more_than_the_whole_leave_the_others_unknown() -> None:
    both = [fill("cash"), fill("option", Segment.OPTIONS)]
    whole, part = line(Head.STT, "100", FILE), line(Head.STT, "120", NOTE, segment="equity")
    assert amounts(both, whole, part) == {"cash": 120}
    assert amounts(both, replace(whole, amount=Decimal(0)), part) == {"cash": 120}
    of_ipft = (line(Head.IPFT, "0", FILE), line(Head.IPFT, "20", NOTE, segment="equity"))
    parts = standing_charges(of_ipft, both, {}).parts
    assert [parts[key][Head.IPFT].amount for key in ("cash", "option")] == [20, -20]  # the exchange's charge has it


def test_a_period_is_of_the_days_that_nobody_states_apart() -> None:
    days = [fill(str(number), day=DAY + timedelta(days=number)) for number in range(3)]
    month = line(Head.STT, "10", FILE, last_day=DAY + timedelta(days=30))
    assert amounts(days, month, line(Head.STT, "4", FILE)) == {"0": 4, "1": 3, "2": 3}


def test_of_two_periods_of_one_length_the_one_that_begins_first_stands_whichever_came_first() -> None:
    lines = [
        line(Head.STT, amount, ChargeSource.FILE, day=DAY + timedelta(days=day), last_day=DAY + timedelta(days=day + 1))
        for amount, day in (("1", 0), ("2", 1))
    ]
    held = [fill("a", day=DAY + timedelta(days=1))]
    assert amounts(held, *lines) == amounts(held, *reversed(lines)) == {"a": Decimal(1)}


def test_what_nobody_traded_under_is_taken_off_the_wider_statement_and_stands_alone() -> None:
    narrow, month = (
        line(Head.STT, "15", day=DAY + timedelta(days=5), last_day=DAY + timedelta(days=5)),
        DAY + timedelta(days=30),
    )
    said = [narrow, line(Head.STT, "100", FILE, last_day=month), line(Head.STT, "90", PERSON, last_day=month)]
    for order in permutations(said):
        alone = standing_charges(order, [], {}).without_fills
        assert [(row.day, row.amount, row.source) for row in alone] == [(narrow.day, 15, NOTE), (DAY, 85, FILE)]
        assert amounts([fill("a")], *order) == {"a": 85}
    assert standing_charges([narrow, replace(said[1], amount=Decimal(9))], [], {}).without_fills == [narrow]


def test_what_a_firmer_statement_has_in_its_whole_does_not_stand_beside_it() -> None:
    note, part = line(Head.STT, "60"), line(Head.STT, "10", FILE, segment="options")
    assert standing_charges([part, note], [fill("cash")], {}).without_fills == []
    assert standing_charges([part, note], [], {}).without_fills == [note]


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from([Segment.EQUITY, Segment.OPTIONS]), st.integers(0, 2)), min_size=1, max_size=9),
    st.lists(
        st.tuples(
            st.sampled_from(list(ChargeSource)), st.sampled_from(["", "equity", "options"]), st.integers(0, 2),
            st.integers(0, 2), st.integers(-(10**6), 10**6),
        ),
        max_size=6, unique_by=lambda terms: terms[:4],
    ),
    st.randoms(use_true_random=False),
)  # fmt: skip
def test_whatever_the_order_of_recording_the_same_stands(
    traded: list[tuple[Segment, int]], said: list[tuple[ChargeSource, str, int, int, int]], random: Any
) -> None:
    held = [fill(f"{n:02}", segment, DAY + timedelta(days=day)) for n, (segment, day) in enumerate(traded)]
    lines = [
        line(
            Head.STT, str(Decimal(cents).scaleb(-2)), source, segment=segment, day=DAY + timedelta(days=day),
            last_day=DAY + timedelta(days=day + length),
        )
        for source, segment, day, length, cents in said
    ]  # fmt: skip
    shuffled = list(lines)
    random.shuffle(shuffled)
    assert amounts(held, *shuffled) == amounts(held, *lines)
    for statement in lines:  # one alone is shared without a rest
        parts = amounts(held, statement)
        assert sum(parts.values()) == (statement.amount if parts else 0)


def test_no_part_is_left_over_where_a_note_covers_two_fills_of_one_value() -> None:
    assert amounts([fill("a"), fill("b"), fill("c")], line(Head.STT, "10")) == {
        "a": Decimal("3.33333333"), "b": Decimal("3.33333333"), "c": Decimal("3.33333334"),
    }  # fmt: skip
