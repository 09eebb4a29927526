"""The ledger reconciled with what a broker gave: a clean desk has no break, and each fault is named exactly once."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.redis_server import RedisServer
from tests.trading.book import snapshot
from tests.trading.statements import DAY, future, line, statement
from trading.brokers.values import (
    BillLine,
    Broker,
    ChargeLine,
    FillKind,
    FillLine,
    Head,
    Place,
    PositionLine,
    Segment,
    Statement,
)
from trading.domain.reconciliation import Reconciliation
from trading.hot import cache, ledger_copy
from trading.hot.differences import differing_entries, held_positions
from trading.models import Trade
from trading.operations.amend import amend
from trading.operations.create_account import create_account
from trading.operations.import_charges import import_charges
from trading.operations.import_fills import import_fills
from trading.operations.void import void
from trading.queries.reconciliation import reconcile

pytestmark = pytest.mark.usefixtures("ledger")
NOW = datetime(2026, 6, 5, tzinfo=UTC)
ACCOUNTS = count(1)
WHO = {"by": "asha", "reason": "a test"}

# A long and a short future with a turn between, shares kept over night, and holdings sold that were there before.
FILLS = [
    future("1", "BUY", 50, 100),
    future("2", "SELL", 80, "110.35"),
    future("3", "BUY", 30, 105),
    line("4", "BUY", 10, "2450.05"),
    line("5", "SELL", 4, 2460),
    line("6", "SELL", 9, 2461, day=1),
    line("7", "SELL", 3, 1510, instrument={"symbol": "INFY"}),
]
CHARGES = {Head.BROKERAGE: "40", Head.STT: "11", Head.STAMP: "1", Head.GST: "7.31", Head.EXCHANGE: "0.76"}


def imported(*fills: FillLine, **more: Any) -> Statement:
    told = statement(fills or FILLS, **more)
    import_fills("main", told)
    import_charges("main", told, by="broker_import")
    return told


def compared(*statements: Statement, **more: Any) -> Reconciliation:
    """Reconcile, and see that nothing was booked."""
    before = snapshot()
    reconciliation = reconcile("main", statements, now=NOW, **more)
    assert snapshot() == before
    return reconciliation


def kinds(reconciliation: Reconciliation) -> list[str]:
    return [each.kind.value for each in reconciliation.breaks]


def is_clean(run: Reconciliation) -> bool:
    return not run.breaks and not run.left_out


def fill_of(fill_id: str) -> tuple[int, int]:
    """Return the trade and the sequence of a fill."""
    trade = Trade.objects.exclude(state="VOID").get(fills__fill_id=fill_id)
    return trade.pk, trade.fills.get(fill_id=fill_id).sequence


def stated_charges(*, without: Head | None = None) -> tuple[ChargeLine, ...]:
    return tuple(
        ChargeLine(Place("note.pdf", "", 1), head, Decimal(amount), DAY, DAY, Segment.FUTURES, on_note=True)
        for head, amount in CHARGES.items()
        if head is not without
    )


@pytest.mark.ledger
def test_a_clean_desk_has_no_break() -> None:
    told = imported()
    run = compared(told)
    assert (run.breaks, run.following, run.marked, run.left_out) == ([], [], [], [])
    assert is_clean(compared())  # with what was imported
    assert is_clean(compared(told, told, replace(told, sha256="b" * 64, fills=told.fills[2:])))


@pytest.mark.ledger
def test_a_clean_desk_without_ids_has_no_break() -> None:
    told = imported(*(replace(fill, fill_id=None, at=None) for fill in [*FILLS, FILLS[3]]))
    assert is_clean(compared(told))
    assert is_clean(compared())


@pytest.mark.ledger
def test_a_fill_that_was_taken_out_of_the_ledger_is_named_once() -> None:
    told = imported()
    pk, sequence = fill_of("5")
    void(pk, fill=sequence, **WHO)
    for reconciliation in (compared(told), compared()):
        assert kinds(reconciliation) == ["fill_not_in_ledger"]
        assert reconciliation.breaks[0].key["fill_id"] == "5"
        assert reconciliation.breaks[0].day == DAY


@pytest.mark.ledger
def test_a_changed_price_is_named_once_and_what_it_moves_follows_from_it() -> None:
    told = imported()
    realised = PositionLine(Place("pnl.csv", "", 9), FILLS[0].instrument, DAY, DAY, realised_pnl=Decimal("678"))
    assert is_clean(compared(replace(told, positions=(realised,))))
    pk, sequence = fill_of("3")
    amend(pk, fill=sequence, price="105.05", **WHO)
    reconciliation = compared(replace(told, positions=(realised,)))
    assert kinds(reconciliation) == ["fill_differs"]
    assert reconciliation.breaks[0].proposal.arguments["price"] == "105"
    assert [(each.difference.kind.value, each.cause) for each in reconciliation.following] == [
        ("realised", reconciliation.breaks[0].id)
    ]


@pytest.mark.ledger
def test_a_file_that_came_in_twice_is_named_fill_by_fill() -> None:
    told = imported(*FILLS[:3])
    imported(*(replace(fill, fill_id=f"9{fill.fill_id}") for fill in FILLS[:3]), file="again.csv")
    assert kinds(compared(told)) == ["fill_twice"] * 3
    assert len({each.id for each in compared(told).breaks}) == 3


@pytest.mark.ledger
def test_a_fill_that_a_correction_moved_to_another_day_is_not_missing() -> None:
    told = imported(*FILLS[:3])
    pk, sequence = fill_of("3")
    amend(pk, fill=sequence, at=NOW.replace(day=3, hour=5), **WHO)
    (difference,) = compared(told).breaks
    assert (difference.kind, difference.key["fill_id"]) == ("fill_differs", "3")
    assert difference.ledger is not None and difference.ledger["day"] == "2026-06-03"
    assert difference.broker is not None
    assert difference.proposal.arguments["at"] == difference.broker["at"]


@pytest.mark.ledger
def test_imports_tell_what_was_realised_from_flat_to_flat() -> None:
    imported(*FILLS)
    run = compared()
    parts = {part.comparison.value: part.lines for part in run.compared}
    assert parts == {"fills": 7, "realised": 1}  # shares were held over night, and holdings sold
    pk, sequence = fill_of("1")
    amend(pk, fill=sequence, price="100.40", **WHO)
    run = compared()
    assert kinds(run) == ["fill_differs"]
    assert [each.difference.kind.value for each in run.following] == ["realised"]


@pytest.mark.ledger
def test_bills_and_vague_charges_are_said_to_be_left_out() -> None:
    told = imported(*FILLS[:3])
    bill = BillLine(Place("made.csv", "", 4), DAY, "BILL ENTRY", Decimal("-4.20"))
    vague = ChargeLine(Place("made.csv", "", 5), Head.STT, Decimal(3), DAY, DAY)
    run = compared(replace(told, bills=(bill,), charges=(vague,)))
    assert [(part.comparison.value, part.lines) for part in run.uncompared if part.lines] == [
        ("bills", 1),
        ("charges", 1),
    ]
    assert is_clean(run)


@pytest.mark.ledger
def test_positions_are_those_of_a_days_end() -> None:
    told = imported()
    held = PositionLine(
        *(Place("pnl.csv", "", 9), FILLS[3].instrument, DAY, DAY),
        quantity=Decimal(6),
        average_price=Decimal("2450.05"),
    )
    positions = replace(told, fills=(), positions=(held,))
    assert is_clean(compared(positions))
    reconciliation = compared(replace(positions, positions=(replace(held, quantity=Decimal(7)),)))
    assert kinds(reconciliation) == ["position"]
    assert reconciliation.breaks[0].ledger == {"quantity": "6", "average_price": "2450.05"}


@pytest.mark.ledger
def test_a_dropped_charge_line_is_named_once() -> None:
    note = statement([], charges=stated_charges(), kind="note")
    imported(*FILLS[:3])
    import_charges("main", replace(note, charges=stated_charges(without=Head.STAMP)))
    reconciliation = compared(note)
    assert [(each.kind.value, each.key["head"]) for each in reconciliation.breaks if each.kind == "charges"] == [
        ("charges", "stamp")
    ]
    import_charges("main", replace(note, sha256="c" * 64))
    assert "charges" not in kinds(compared(note))


@pytest.mark.ledger
def test_what_stands_in_no_file_of_another_group_of_exchanges_is_no_break() -> None:
    imported()
    assert is_clean(compared(statement(FILLS[:3])))
    assert is_clean(compared(statement(FILLS[3:])))
    assert kinds(compared(statement(FILLS[:2]))) == ["fill_not_at_broker"]


@pytest.mark.ledger
def test_a_fill_of_a_strategy_that_the_broker_never_had_is_named() -> None:
    told = imported(*FILLS[:3])
    assert kinds(compared(replace(told, fills=told.fills[:2]))) == ["fill_not_at_broker"]


@pytest.mark.ledger
def test_a_fill_of_an_order_that_no_file_of_orders_names_is_named() -> None:
    """The other side tells sums of orders alone: a fill of an order of its own is in none of them."""
    imported(line(None, "BUY", 10, 100, minute=1, order_id="A", kind=FillKind.ORDER))
    phantom = line("9", "BUY", 500, 100, minute=2, order_id="PHANTOM")
    import_fills("main", statement([phantom]))
    orders = statement([line(None, "BUY", 10, 100, minute=1, order_id="A", kind=FillKind.ORDER)])
    assert kinds(compared(orders)) == ["fill_not_at_broker"]


@pytest.mark.ledger
def test_overlapping_files_of_one_name_tell_each_fill_once() -> None:
    first = line(None, "BUY", 10, 100, minute=1)
    whole = imported(first, line(None, "BUY", 5, 101, day=1, minute=2))
    assert whole.file == statement([first]).file
    assert kinds(compared(statement([first]), whole)) == []


def test_days_narrow_what_is_compared() -> None:
    told = imported()
    pk, sequence = fill_of("5")
    void(pk, fill=sequence, **WHO)
    assert is_clean(compared(told, first=DAY + timedelta(days=1)))
    assert kinds(compared(told, last=DAY)) == ["fill_not_in_ledger"]


@pytest.mark.ledger
@pytest.mark.parametrize("bill_number", [None, "bill-501-"])
@pytest.mark.parametrize("order_id", [None, "77"])
def test_the_sum_of_a_bill_agrees_with_its_fills_whichever_came_first(
    bill_number: str | None, order_id: str | None
) -> None:
    def bill(side: str, quantity: int, price: str) -> FillLine:
        name = None if bill_number is None else bill_number + side
        return future(None, side, quantity, price, kind=FillKind.ORDER, at=None, order_id=name)

    def fill(fill_id: str, side: str, quantity: int, price: int = 100) -> FillLine:
        return future(fill_id, side, quantity, price, order_id=order_id)

    sums = [bill("BUY", 75, "101"), bill("SELL", 75, "110")]
    told = imported(*sums, broker=Broker.DHAN, kind="transactions")
    assert is_clean(compared(told))
    fills = imported(fill("1", "BUY", 50), fill("2", "BUY", 25, 103), fill("3", "SELL", 75, 110), broker=Broker.DHAN)
    assert is_clean(compared(told))
    assert is_clean(compared(told, fills))
    assert is_clean(compared())
    pk, sequence = fill_of("2")
    amend(pk, fill=sequence, price=104, **WHO)
    assert kinds(compared(told)) == ["order_differs"]


@pytest.mark.ledger
def test_a_line_of_an_unknown_instrument_is_told_and_makes_the_desk_unclean() -> None:
    told = imported(*FILLS[:3])
    unknown = line("8", "BUY", 1, instrument={"symbol": None, "isin": "INE000000000"})
    reconciliation = compared(replace(told, fills=(*told.fills, unknown)))
    assert (kinds(reconciliation), is_clean(reconciliation)) == ([], False)
    assert reconciliation.left_out[0][1:3] == (8, "unknown_instrument")


@st.composite
def traded(draw: st.DrawFn) -> list[FillLine]:
    build = st.builds(
        lambda make, side, quantity, price, day: make(None, side, quantity, price, day=day, minute=1),
        st.sampled_from([line, future]),
        st.sampled_from(["BUY", "SELL"]),
        st.integers(1, 9),
        st.sampled_from(["100", "100.05", "99.95"]),
        st.integers(0, 2),
    )
    fills = draw(st.lists(build, min_size=1, max_size=8))
    if draw(st.booleans()):
        return [
            replace(fill, fill_id=str(number), at=fill.at and fill.at + timedelta(seconds=number))
            for number, fill in enumerate(fills, 1)
        ]
    return fills


@given(traded())
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_ledger_has_no_break_with_the_statements_that_it_was_made_from(fills: list[FillLine]) -> None:
    name = f"account {next(ACCOUNTS)}"
    create_account(name, book="paper", currency="INR", zone="Asia/Kolkata", capital=100_000, capital_date=DAY)
    cut = len(fills) // 2
    files = [statement(fills), statement(fills[:cut], file="first.csv") if fills[:cut] and fills[0].fill_id else None]
    statements = [each for each in files if each is not None]
    for told in statements:
        import_fills(name, told)
    for given_files in (statements, statements[:1], []):
        run = reconcile(name, given_files, now=NOW)
        assert (run.breaks, run.left_out) == ([], [])


class TestHotCopy:
    @pytest.fixture(autouse=True)
    def _copied(self, shared_ledger: RedisServer) -> Iterator[None]:
        imported(*FILLS[:1], *FILLS[3:5])
        ledger_copy.rebuild("main", datetime.now(UTC))
        yield

    def spoil(self, section: str, rows: Any) -> None:
        name = ledger_copy.name_of("main", section)
        entry = cache.get_many([name])[name]
        cache.drop([name])
        cache.put("book", {name: {**entry, section: rows}}, {name: (10**9, 0)})

    def hot(self) -> list[tuple[str, str]]:
        return [(each.section, each.name) for each in differing_entries("main", datetime.now(UTC))]

    def test_a_copy_that_is_right_is_no_break(self) -> None:
        assert self.hot() == []
        held = {row.symbol: row.quantity for row in held_positions("main", DAY)}
        assert held == {"NFO:NIFTY26JUNFUT": 50, "RELIANCE": 6}

    def test_a_spoiled_entry_is_named_once(self) -> None:
        entry = ledger_copy.read("main", "positions")
        assert entry is not None
        rows: Sequence[dict[str, Any]] = entry["positions"]
        self.spoil("positions", [{**rows[0], "open_quantity": "51"}, *rows[1:]])
        now = datetime.now(UTC)
        reconciliation = compared(hot=list(differing_entries("main", now)))
        assert kinds(reconciliation) == ["hot_copy"]
        sides = reconciliation.breaks[0]
        assert sides.ledger is not None and sides.hot is not None
        assert (sides.ledger["open_quantity"], sides.hot["open_quantity"]) == ("50", "51")
        assert sides.proposal.action == "rebuild_hot_copy"

    def test_a_missing_trade_and_rubbish_are_named(self) -> None:
        entry = ledger_copy.read("main", "positions")
        assert entry is not None
        self.spoil("positions", entry["positions"][1:])
        assert len(self.hot()) == 1
        self.spoil("counters", 7)
        assert len(self.hot()) == 2


TRADEBOOK = """symbol,isin,trade_date,exchange,segment,series,trade_type,auction,quantity,price,trade_id,\
order_id,order_execution_time
TCS,INE467B01029,2026-06-01,NSE,EQ,EQ,buy,false,10.000000,3500.000000,101,9001,2026-06-01T09:21:55
TCS,INE467B01029,2026-06-01,NSE,EQ,EQ,sell,false,10.000000,3510.500000,102,9002,2026-06-01T10:21:55
"""


def test_the_command_answers_with_json_and_an_exit_code(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "made.csv"
    path.write_text(TRADEBOOK)
    call_command("reconcile")
    assert "Nothing was compared" in capsys.readouterr().out
    with pytest.raises(SystemExit, match="1"):
        call_command("reconcile", path, "--format", "json")
    body = json.loads(capsys.readouterr().out)
    assert [each["kind"] for each in body["breaks"]] == ["fill_not_in_ledger"] * 2
    assert set(body["breaks"][0]) == {"id", "kind", "key", "ledger", "broker", "hot", "opened_at", "proposal"}
    assert body["breaks"][0]["broker"]["price"] == "3500"
    assert [(part["what"], part["from"], part["exchanges"]) for part in body["compared"]] == [
        ("fills", "2026-06-01", ["NSE"])
    ]
    assert {part["what"] for part in body["not_compared"]} == {"positions", "realised", "charges", "hot_copy"}
    call_command("broker_import", path)
    capsys.readouterr()
    call_command("reconcile", path, path, "--from", "2026-06-01", "--to", "2026-06-01")
    assert "Nothing differs in what was compared: fills." in capsys.readouterr().out
    call_command("reconcile")
    assert "Nothing differs in what was compared: fills, realised." in capsys.readouterr().out
    with pytest.raises(SystemExit, match="1"):
        void(Trade.objects.get().pk, **WHO)
        call_command("reconcile", path, "--format", "csv")
    assert "fill_not_in_ledger" in capsys.readouterr().out
