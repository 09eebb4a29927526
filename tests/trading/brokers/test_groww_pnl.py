"""Groww's P&L of stocks: closed lots on the day of their sale, holdings, and the period's charges by head."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from decimal import Decimal

import pytest

from tests.trading.brokers.sheets import sheet_document
from trading.brokers import groww_pnl
from trading.brokers.document import CellRow, Document
from trading.brokers.values import Head
from trading.errors import UnknownLayout

CHARGES: tuple[CellRow, ...] = (
    ("Exchange Transaction Charges", 2947.25),
    ("SEBI Charges", 95.5),
    ("STT", 37682.0),
    ("Stamp Duty", 3265.0),
    ("IPFT Charges", 0.06),
    ("Brokerage", 93052.14),
    ("CDSL DP Charges", 130.0),
    ("Groww DP Charges", 660.0),
    ("MTF Pledge Charges", 740.0),
    ("MTF Unpledge Charges", 740.0),
    ("MTF interest", 11479.59),
    ("Total GST", 17705.88),
    ("Total", 168497.42),
)
REALISED = (
    *("Stock name", "ISIN", "Quantity", "Buy date", "Buy price", "Buy value", "Sell date", "Sell price"),
    *("Sell value", "Realised P&L", "Remark"),
)
OPEN = (
    *("Stock name", "ISIN", "Quantity", "Buy date", "Buy price", "Buy value", "Closing date", "Closing price"),
    *("Closing value", "Unrealised P&L", "Remark"),
)
LOTS: tuple[CellRow, ...] = (
    (
        *("MADE UP CABLES LTD", "INE000A01001", 401.0, "05-05-2026", 307.4, 123267.4, "06-05-2026"),
        *(310.65, 124570.65, 1303.25, ""),
    ),
    (
        *("DAY TRADED LIMITED", "INE000A01002", 600.0, "07-05-2026", 266.77, 160062.0, "07-05-2026"),
        *(265.2, 159120.0, -942.0, "Intraday trade"),
    ),
)
HELD: tuple[CellRow, ...] = (("HELD STEEL LTD", "INE000A01003", 3.0, 33.33, 100.0, 34.0, 102.0, 2.0, 0.02),)


def report(
    lots: Sequence[CellRow] = LOTS,
    charges: Sequence[CellRow] = CHARGES,
    realised: float = 361.25,
    title: str = "P&L Statement for stocks from 01-04-2026 TO 18-06-2026",
) -> Document:
    trade_level: list[CellRow] = [
        *(("Name", "Made Up"), ("Unique Client Code", 5.412000001e9), (), (title,), (), ("Summary",), (), ("P&L",)),
        *(
            ("Realised P&L", realised),
            ("Unrealised P&L", 2.0),
            (),
            ("Charges",),
            *charges,
            (),
            ("Realised trades",),
            (),
        ),
        *(REALISED, *lots, (), ("Unrealised trades",), (), OPEN),
        ("HELD STEEL LTD", "INE000A01003", 3.0, "18-06-2026", 33.33, 100.0, "18-06-2026", 34.0, 102.0, 2.0, ""),
        *((), ("Disclaimer: ",), ("This report is provided at your request.",)),
    ]
    scrip_level: list[CellRow] = [
        *(("Realised",), (), ("Stock name", "ISIN", "Quantity", "Avg Buy price", "Buy value"), ("Total", None, None)),
        *((), ("Unrealised (Holdings as on 18-06-2026)",), ()),
        (
            *REALISED[:3],
            "Avg Buy price",
            "Buy value",
            "Closing price",
            "Closing value",
            "Unrealised P&L",
            "Unrealised P&L %",
        ),
        *(*HELD, ("Total", None, None, None, 100.0, None, 102.0, 2.0, 0.02)),
    ]
    return sheet_document(("Trade Level", trade_level), ("Scrip Level", scrip_level))


def test_it_is_recognised_by_its_two_sheets() -> None:
    assert groww_pnl.matches(report())
    assert not groww_pnl.matches(sheet_document(("Trade Level", [REALISED])))


def test_a_lot_counts_on_the_day_of_its_sale_and_its_purchase_only_there_where_it_was_that_day() -> None:
    overnight, intraday = groww_pnl.read(report()).positions[:2]

    assert (overnight.day, overnight.last_day) == (date(2026, 5, 6), date(2026, 5, 6))
    assert (overnight.sold_quantity, overnight.sold_value, overnight.bought_quantity) == (
        401,
        Decimal("124570.65"),
        None,
    )
    assert (overnight.realised_pnl, overnight.intraday_pnl) == (Decimal("1303.25"), 0)
    assert (intraday.bought_quantity, intraday.bought_value) == (600, 160062)
    assert (intraday.realised_pnl, intraday.intraday_pnl) == (-942, -942)
    assert (intraday.instrument.isin, intraday.instrument.company) == ("INE000A01002", "DAY TRADED LIMITED")


def test_what_is_held_has_the_average_of_its_exact_amount() -> None:
    held = groww_pnl.read(report()).positions[-1]

    assert (held.quantity, held.average_price) == (3, Decimal("33.33333333"))
    assert held.day == held.last_day == date(2026, 6, 18)


def test_charges_are_of_the_period_by_head_and_come_to_their_total() -> None:
    statement = groww_pnl.read(report())

    amounts = [(charge.head, charge.amount) for charge in statement.charges]
    assert (Head.STT, Decimal("37682.0")) in amounts
    assert [amount for head, amount in amounts if head is Head.DP] == [130, 660]
    assert sum(amount for head, amount in amounts if head is Head.OTHER) == Decimal("12959.59")
    assert {(charge.day, charge.last_day) for charge in statement.charges} == {(date(2026, 4, 1), date(2026, 6, 18))}
    assert statement.computed["total_charges"] == statement.stated["total_charges"] == Decimal("168497.42")
    assert statement.contradictions == ()
    assert statement.rows_read == 3


def test_a_charge_that_is_new_is_other_and_one_that_is_missing_shows_in_the_total() -> None:
    fresh = groww_pnl.read(report(charges=(*CHARGES[:-1], ("Platform fee", 5.0), ("Total", 168502.42))))
    assert fresh.contradictions == ()
    assert fresh.charges[-1].head is Head.OTHER

    assert groww_pnl.read(report(charges=CHARGES[1:])).contradictions == ("total_charges",)


def test_lots_that_do_not_come_to_the_summary_are_named() -> None:
    assert groww_pnl.read(report(realised=400.0)).contradictions == ("realised_pnl",)


@pytest.mark.parametrize(("column", "content"), [(9, 1310.0), (6, "2026-05-06"), (5, "n/a"), (2, "")])
def test_a_lot_that_contradicts_itself_or_cannot_be_read_is_rejected(column: int, content: str | float) -> None:
    spoiled = [*LOTS[0]]
    spoiled[column] = content

    statement = groww_pnl.read(report(lots=(spoiled, LOTS[1])))

    assert len(statement.rejected) == 1
    assert "realised_pnl" in statement.contradictions


def test_a_client_whose_code_is_a_number_keeps_all_digits() -> None:
    assert groww_pnl.read(report()).client == "5412000001"


def test_a_report_without_a_period_is_refused() -> None:
    with pytest.raises(UnknownLayout, match="tells no period"):
        groww_pnl.read(report(title="P&L Statement for stocks"))
