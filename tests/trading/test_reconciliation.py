"""The ledger and a broker's statements compared: each difference once, and none where there is none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading.domain.breaks import Break, BreakKind, Remedy
from trading.domain.charge_breaks import BrokerCharge, LedgerCharge, charge_breaks
from trading.domain.charge_heads import Head
from trading.domain.fill_breaks import ComparedFill, fill_breaks
from trading.domain.position_breaks import (
    ComparedPosition,
    StatedResult,
    oldest_purchase_first,
    order_breaks,
    position_breaks,
    realised_breaks,
)
from trading.domain.reconciliation import HotDifference, hot_breaks, reconciled

DAY = date(2026, 7, 1)
NEXT_DAY = date(2026, 7, 2)


def fill(
    number: int | None,
    side: str = "BUY",
    quantity: str = "10",
    price: str = "100",
    *,
    symbol: str = "INFY",
    day: date = DAY,
    trade: str = "",
    file: str = "",
) -> ComparedFill:
    """Return a fill with this number as its id."""
    return ComparedFill(
        exchange="NSE",
        day=day,
        symbol=symbol,
        side=side,
        quantity=Decimal(quantity),
        price=Decimal(price),
        fill_id=None if number is None else str(number),
        trade_id=trade,
        sequence=(number or 0) if trade else 0,
        file=file,
        row=(number or 0) if file else 0,
    )


def kinds(breaks: Sequence[Break]) -> list[str]:
    return [each.kind.value for each in breaks]


TRADED = [fill(1), fill(2, "SELL", "4", "101"), fill(3, "SELL", "6", "102.5"), fill(4, "BUY", "5", "55", symbol="TCS")]


def ours(fills: Sequence[ComparedFill]) -> list[ComparedFill]:
    return [replace(each, trade_id="t1", sequence=place) for place, each in enumerate(fills)]


def theirs(fills: Sequence[ComparedFill], file: str = "tradebook.csv") -> list[ComparedFill]:
    return [replace(each, file=file, row=place + 2) for place, each in enumerate(fills)]


def test_the_same_fills_make_no_break() -> None:
    assert fill_breaks(ours(TRADED), theirs(TRADED)) == []


def test_a_fill_that_the_ledger_lacks_is_named_once_with_what_to_book() -> None:
    (difference,) = fill_breaks(ours(TRADED[:1] + TRADED[2:]), theirs(TRADED))
    assert difference.kind is BreakKind.FILL_NOT_IN_LEDGER
    assert difference.key == {"day": "2026-07-01", "exchange": "NSE", "symbol": "INFY", "fill_id": "2"}
    assert difference.ledger is None
    assert difference.proposal.action is Remedy.BOOK_FILL
    assert difference.proposal.arguments["quantity"] == "4"
    assert difference.proposal.arguments["price"] == "101"


def test_a_fill_that_the_broker_lacks_is_named_once() -> None:
    (difference,) = fill_breaks(ours(TRADED), theirs(TRADED[1:]))
    assert (difference.kind, difference.broker) == (BreakKind.FILL_NOT_AT_BROKER, None)
    assert difference.proposal.action is Remedy.VOID_FILL


@pytest.mark.parametrize("with_ids", [True, False])
@pytest.mark.parametrize(("name", "right"), [("price", "100.05"), ("quantity", "11")])
def test_a_changed_price_or_quantity_is_named_once_with_the_amendment(name: str, right: str, with_ids: bool) -> None:
    fills = TRADED if with_ids else [replace(each, fill_id=None) for each in TRADED]
    changed = replace(fills[0], **{name: Decimal(right)})
    (difference,) = fill_breaks(ours(fills), theirs([changed, *fills[1:]]))
    assert difference.kind is BreakKind.FILL_DIFFERS
    assert difference.proposal.action is Remedy.AMEND_FILL
    row = {"trade_id": "t1", "strategy": "", "sequence": "0", "day": "2026-07-01"}
    assert difference.proposal.arguments == {**row, name: right}


def test_another_side_is_not_amended_but_looked_at() -> None:
    changed = replace(TRADED[0], side="SELL")
    (difference,) = fill_breaks(ours(TRADED), theirs([changed, *TRADED[1:]]))
    assert (difference.kind, difference.proposal.action) == (BreakKind.FILL_DIFFERS, Remedy.LOOK)


def test_a_file_given_twice_and_files_that_overlap_make_no_break() -> None:
    fills = [*theirs(TRADED, "a"), *theirs(TRADED, "b"), *theirs(TRADED[1:3], "c")]
    assert fill_breaks(ours(TRADED), fills) == []
    nameless = [replace(each, fill_id=None) for each in (*TRADED, TRADED[0])]
    assert fill_breaks(ours(nameless), [*theirs(nameless, "a"), *theirs(nameless[1:], "b")]) == []


def test_a_file_that_was_booked_twice_is_named_fill_by_fill() -> None:
    booked = ours([*TRADED, *(replace(each, fill_id=None) for each in TRADED)])
    breaks = fill_breaks(booked, theirs(TRADED))
    assert kinds(breaks) == ["fill_twice"] * len(TRADED)
    assert len({each.id for each in breaks}) == len(TRADED)
    assert {each.proposal.arguments["sequence"] for each in breaks} == {"4", "5", "6", "7"}


def test_a_fill_that_an_older_ledger_has_twice_under_one_id_is_named_once() -> None:
    breaks = fill_breaks(ours([*TRADED, TRADED[1]]), theirs(TRADED))
    assert kinds(breaks) == ["fill_twice"]


def test_a_fill_that_turned_a_position_is_one_fill_in_two_rows() -> None:
    rows = [fill(1, "SELL", "4", trade="t1"), fill(1, "SELL", "6", trade="t2")]
    assert fill_breaks(rows, [fill(1, "SELL", "10", file="a")]) == []
    (difference,) = fill_breaks(rows, [fill(1, "SELL", "10", "100.5", file="a")])
    assert (difference.kind, difference.proposal.action) == (BreakKind.FILL_DIFFERS, Remedy.LOOK)


def test_a_fill_without_an_id_in_the_ledger_is_the_brokers() -> None:
    assert fill_breaks(ours([replace(TRADED[0], fill_id=None), *TRADED[1:]]), theirs(TRADED)) == []


@pytest.mark.parametrize(
    ("quantity", "price", "expected"),
    [
        ("30", "100.33333333", []),
        ("30", "100.33", []),
        ("30", "100.3", ["fill_differs", "fill_not_in_ledger"]),
        ("29", "100.33333333", ["fill_differs", "fill_not_in_ledger"]),
    ],
)
def test_an_order_that_the_ledger_has_as_a_whole_is_the_fills_that_make_it_up(
    quantity: str, price: str, expected: list[str]
) -> None:
    order = replace(fill(None, quantity=quantity, price=price), order_id="77")
    fills = [replace(each, order_id="77") for each in (fill(1, price="101"), fill(2, quantity="20"))]
    assert sorted(kinds(fill_breaks(ours([order]), theirs(fills)))) == expected
    assert kinds(fill_breaks(ours([order]), theirs([replace(each, order_id="78") for each in fills]))) != []


def test_a_fill_under_another_id_is_named_since_an_import_would_book_it_again() -> None:
    breaks = fill_breaks(ours([replace(TRADED[0], fill_id="own-1"), *TRADED[1:]]), theirs(TRADED))
    assert kinds(breaks) == ["fill_id_differs"]


def test_two_real_fills_of_equal_content_are_two() -> None:
    pair = [fill(1), fill(2)]
    assert fill_breaks(ours(pair), theirs(pair)) == []
    assert kinds(fill_breaks(ours(pair[:1]), theirs(pair))) == ["fill_not_in_ledger"]
    nameless = [fill(None), fill(None)]
    breaks = fill_breaks(ours(nameless[:0]), theirs(nameless))
    assert len({each.id for each in breaks}) == 2


def test_lines_of_the_brokers_that_contradict_each_other_are_named_once() -> None:
    breaks = fill_breaks(ours(TRADED), [*theirs(TRADED, "a"), *theirs([fill(1, price="99")], "b")])
    assert kinds(breaks) == ["broker_contradicts"]


def test_an_id_stands_for_a_fill_of_one_day_only() -> None:
    later = [replace(each, day=NEXT_DAY) for each in TRADED]
    assert fill_breaks(ours([*TRADED, *later]), theirs([*later, *TRADED])) == []


def test_a_fill_that_was_moved_to_another_day_is_the_brokers_of_the_day_that_was_recorded() -> None:
    moved = replace(TRADED[0], day=NEXT_DAY, recorded_day=DAY, trade_id="t1")
    rest = ours(TRADED[1:])
    for breaks in (fill_breaks([*rest, moved], theirs(TRADED)), fill_breaks(rest, theirs(TRADED), [moved])):
        assert kinds(breaks) == ["fill_differs"]
        assert breaks[0].proposal.action is Remedy.LOOK  # the file tells no time of day
    nameless = [replace(each, fill_id=None) for each in TRADED]
    lines = [replace(each, at="2026-07-01T04:00:00.000000Z") for each in theirs(nameless)]
    (difference,) = fill_breaks(ours(nameless[1:]), lines, [replace(moved, fill_id=None)])
    assert difference.proposal.arguments["at"] == lines[0].at
    assert fill_breaks(rest, theirs(TRADED[1:]), [moved]) == []
    assert fill_breaks([*rest, moved], theirs([*TRADED[1:], replace(TRADED[0], day=NEXT_DAY)])) == []


def test_many_fills_of_one_price_are_paired_in_one_pass() -> None:
    """Each is looked at as often for 20,000 as for 20: pairs tried would be 200 million."""
    count = 20_000
    nameless = [fill(None, quantity=str(1 + number % 7)) for number in range(count)]
    booked = [replace(each, quantity=each.quantity + 10) for each in nameless[:10]]
    breaks = fill_breaks(ours([*nameless[10:], *booked]), theirs(nameless))
    assert kinds(breaks) == ["fill_differs"] * 10


FILLS = st.lists(
    st.builds(
        fill,
        st.none(),
        st.sampled_from(["BUY", "SELL"]),
        st.sampled_from(["1", "2", "7.5"]),
        st.sampled_from(["100", "100.05", "0.05"]),
        symbol=st.sampled_from(["INFY", "TCS"]),
        day=st.sampled_from([DAY, NEXT_DAY]),
    ),
    max_size=12,
)


@given(FILLS, st.booleans(), st.booleans())
def test_a_ledger_made_from_its_files_has_no_break(
    fills: list[ComparedFill], are_named: bool, is_named_in_ledger: bool
) -> None:
    if are_named:
        fills = [replace(each, fill_id=str(number)) for number, each in enumerate(fills)]
    booked = fills if is_named_in_ledger else [replace(each, fill_id=None) for each in fills]
    cut = len(fills) // 2
    files = [*theirs(fills, "whole"), *theirs(fills[:cut], "first half"), *theirs(fills[cut:], "second half")]
    assert fill_breaks(ours(booked[::-1]), files) == []


@given(FILLS.filter(bool), st.data(), st.booleans())
def test_one_fill_fewer_on_either_side_is_one_break(
    fills: list[ComparedFill], data: st.DataObject, is_ours: bool
) -> None:
    named = [replace(each, fill_id=str(number)) for number, each in enumerate(fills)]
    place = data.draw(st.integers(0, len(named) - 1))
    fewer = named[:place] + named[place + 1 :]
    breaks = fill_breaks(ours(fewer if is_ours else named), theirs(named if is_ours else fewer))
    assert len(breaks) == 1
    assert breaks[0].key["fill_id"] == str(place)


def test_positions_are_compared_with_the_lots_of_a_file_together() -> None:
    held = [ComparedPosition("INFY", DAY, Decimal(10), Decimal("100.123456"))]
    lots = [ComparedPosition("INFY", DAY, Decimal(5), Decimal(price), "a") for price in ("99.123456", "101.123456")]
    assert position_breaks(held, lots) == []
    assert position_breaks(held, [ComparedPosition("INFY", DAY, Decimal(10), Decimal("100.12"), "a")]) == []
    (difference,) = position_breaks(
        held,
        [ComparedPosition("INFY", DAY, Decimal(10), Decimal("100.13"), "a")],
        [ComparedPosition("INFY", DAY, Decimal(9), None)],
    )
    assert difference.ledger == {"quantity": "10", "average_price": "100.123456"}
    assert difference.broker == {"quantity": "10", "average_price": "100.13"}
    assert difference.hot == {"quantity": "9", "average_price": None}
    assert kinds(position_breaks([], lots)) == ["position"]


def test_realised_sums_agree_to_the_paisa_of_each_line_by_either_method() -> None:
    booked = {("INFY", DAY): Decimal("12.345"), ("INFY", NEXT_DAY): Decimal(3)}
    lines = [StatedResult("INFY", DAY, DAY, Decimal(text), "a") for text in ("12", "0.34")]
    assert realised_breaks([booked], lines) == []
    month = [StatedResult("INFY", DAY, NEXT_DAY, Decimal("15.35"), "a")]
    assert realised_breaks([booked], month) == []
    assert kinds(realised_breaks([booked], [replace(month[0], pnl=Decimal("15.3501"))])) == ["realised"]
    off = [StatedResult("INFY", DAY, NEXT_DAY, Decimal("15.36"), "a")]
    assert kinds(realised_breaks([booked], off)) == ["realised"]
    assert realised_breaks([booked, {("INFY", NEXT_DAY): Decimal("15.36")}], off) == []


def test_what_was_opened_first_is_closed_first() -> None:
    fills = [fill(1, price="100"), fill(2, price="110"), fill(3, "SELL", "15", "120", day=NEXT_DAY)]
    assert oldest_purchase_first(fills, {"INFY": Decimal(1)}) == {("INFY", NEXT_DAY): Decimal(250)}
    short = [fill(1, "SELL", price="100"), fill(2, "BUY", "4", "90")]
    assert oldest_purchase_first(short, {"INFY": Decimal(2)}) == {("INFY", DAY): Decimal(80)}


def test_the_sum_of_a_days_fills_is_that_of_its_bill() -> None:
    bought = [fill(1, quantity="3", price="100.10"), fill(2, quantity="7", price="100.20")]
    line = replace(fill(None, quantity="10", price="100.17", file="a"), value=Decimal("1001.70"))
    assert order_breaks(bought, [line]) == []
    assert kinds(order_breaks(bought, [replace(line, value=Decimal("1001.71"))])) == ["order_differs"]
    assert kinds(order_breaks(bought[:1], [line])) == ["order_differs"]


def test_of_an_orders_lines_the_largest_counts() -> None:
    fills = [replace(each, order_id="o1") for each in (fill(1, quantity="3"), fill(2, quantity="7"))]
    lines = [replace(fill(None, quantity=text, file="a"), order_id="o1") for text in ("3", "10")]
    other = replace(fill(3), order_id="o2")
    assert order_breaks([*fills, other], lines) == []


NOTE = {Head.STT: "105", Head.EXCHANGE: "30.70", Head.IPFT: "0.01", Head.STAMP: "15", Head.GST: "12.91"}


def stated(*, drop: Head | None = None, estimates: bool = True, sure: str = "V", **other: str) -> list[LedgerCharge]:
    """Return the note's heads as the ledger has them stated, without ``drop``; ``other`` are other amounts."""
    amounts = {head: Decimal(other.get(head.value, text)) for head, text in NOTE.items()}
    return [
        LedgerCharge(
            *(DAY, "equity", head, None if head is drop else amount, "" if head is drop else "note"),
            *(Decimal(NOTE[head]) if estimates else None, sure),
        )
        for head, amount in amounts.items()
    ]


def note(**other: str) -> list[BrokerCharge]:
    return [
        BrokerCharge(DAY, DAY, "equity", head, Decimal(other.get(head.value, text)), "note.pdf", is_note=True)
        for head, text in NOTE.items()
    ]


def test_charges_as_stated_make_no_break() -> None:
    comparison = charge_breaks(stated(), note())
    assert (comparison.breaks, comparison.marked) == ([], [])


@pytest.mark.parametrize("head", [Head.STT, Head.STAMP, Head.GST])
def test_a_dropped_charge_line_is_named_once_with_what_to_state(head: Head) -> None:
    (difference,) = charge_breaks(stated(drop=head), note()).breaks
    assert (difference.kind, difference.key["head"]) == (BreakKind.CHARGES, head.value)
    assert difference.proposal.action is Remedy.STATE_CHARGES
    assert difference.proposal.arguments[head.value] == str(Decimal(NOTE[head]))


@pytest.mark.parametrize(
    ("name", "within", "beyond"), [("stt", "105", "106"), ("stamp", "15.00", "15.01"), ("gst", "12.93", "12.94")]
)
def test_the_limits_are_of_each_head(name: str, within: str, beyond: str) -> None:
    assert charge_breaks(stated(estimates=False), note(**{name: within})).breaks == []
    assert kinds(charge_breaks(stated(estimates=False), note(**{name: beyond})).breaks) == ["charges"]


def test_exchange_and_ipft_are_one_sum() -> None:
    assert charge_breaks(stated(exchange="30.71", ipft="0"), note()).breaks == []


def test_what_the_broker_charged_beside_the_schedule_is_a_break_unless_the_schedule_is_not_sure() -> None:
    charged = {"stt": "110"}
    assert kinds(charge_breaks(stated(**charged), note(**charged)).breaks) == ["charges_estimate"]
    comparison = charge_breaks(stated(sure="?", **charged), note(**charged))
    assert comparison.breaks == []
    assert [(line.head, line.estimate, line.broker) for line in comparison.marked] == [
        ("stt", Decimal(105), Decimal(110))
    ]


def test_a_note_stands_before_another_file() -> None:
    report = [replace(each, file="report.csv", is_note=False, amount=each.amount + 1) for each in note()]
    assert charge_breaks(stated(), [*report, *note()]).breaks == []


def test_what_follows_from_a_fill_is_no_break_of_its_own() -> None:
    differences = [
        *fill_breaks(ours(TRADED[1:]), theirs(TRADED)),
        *position_breaks([], [ComparedPosition("INFY", NEXT_DAY, Decimal(10), None, "a")]),
        *realised_breaks([{}], [StatedResult("INFY", DAY, NEXT_DAY, Decimal(5), "a")]),
        *position_breaks([], [ComparedPosition("TCS", DAY, Decimal(1), None, "a")]),
    ]
    reconciliation = reconciled("main", differences)
    assert kinds(reconciliation.breaks) == ["fill_not_in_ledger", "position"]
    assert reconciliation.breaks[1].key["symbol"] == "TCS"
    assert {each.cause for each in reconciliation.following} == {reconciliation.breaks[0].id}
    assert len(reconciliation.following) == 2


def test_a_break_keeps_its_id_and_has_its_accounts_own() -> None:
    differences = fill_breaks(ours(TRADED[1:]), theirs(TRADED))
    again = fill_breaks(ours(TRADED[1:3]), theirs(TRADED, "another.csv"))
    assert reconciled("main", differences).breaks[0].id == reconciled("main", again).breaks[0].id
    assert reconciled("main", differences).breaks[0].id != reconciled("other", differences).breaks[0].id


def test_the_hot_copy_is_named_entry_by_entry() -> None:
    breaks = hot_breaks([HotDifference("positions", "t1", {"open_quantity": "1"}, {"open_quantity": "2"})], DAY)
    body = reconciled("main", breaks).breaks[0].as_dict()
    assert body["hot"] == {"open_quantity": "2"}
    assert set(body) == {"id", "kind", "key", "ledger", "broker", "hot", "opened_at", "proposal"}
