"""Dhan's P&L report, as CSV with its totals on one line and as a sheet with a row for each."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest

from tests.trading.brokers.sheets import csv_document, sheet_document
from trading.brokers import dhan_pnl
from trading.brokers.document import Document
from trading.brokers.values import Head, Statement
from trading.errors import UnknownLayout

COLUMNS = (
    *("Scrip Name", "Buy Qty.", "Avg. Buy Price", "Buy Value", "Sell Qty.", "Avg. Sell Price", "Sell Value"),
    *("Closing Price", "Realised P&L", "Realised P&L %", "Unrealised P&L", "Unrealised P&L %"),
)
ROWS = (
    (
        "Made Up Cables",
        "100",
        "250.00",
        "25000.00",
        "100",
        "262.00",
        "26200.00",
        "0.00",
        "1200.00",
        "4.80",
        "0.00",
        "0.00",
    ),
    # The amounts of this row make -840.74: each of the three is rounded by itself.
    (
        "Made Up Life",
        "1500",
        "162.40",
        "243596.40",
        "1500",
        "161.84",
        "242755.66",
        "0.00",
        "-840.75",
        "-0.34",
        "0",
        "0",
    ),
    (
        "OPT NIFTY 28 Jul 2026 207.5 CE",
        "75",
        "0.50",
        "37.50",
        "0",
        "0.00",
        "0.00",
        "0.30",
        "0.00",
        "0.00",
        "-15",
        "-40",
    ),
)
TOTALS = (("Net P&L", "258.14"), ("Brokerage", "40"), ("Gross P&L", "359.24"), ("Total Charges", "101.10"))


def csv_report(*rows: tuple[str, ...], totals: tuple[tuple[str, str], ...] = TOTALS) -> Document:
    lines = [
        ("PnL report", "From 01-07-2026 to 26-07-2026"),
        ("Name", "Made Up"),
        ("UCC", "TESTA0001B"),
        ("",),
        COLUMNS,
    ]
    lines += [*rows, ("",), tuple(cell for total in totals for cell in total), ("",)]
    quoted = [",".join(f'"{cell}"' for cell in line) for line in lines]
    return csv_document("\n".join([*quoted, "NOTE : This sheet was downloaded at 7/26/2026 05:25 PM"]))


def sheet_report(*rows: tuple[str, ...]) -> Document:
    preamble = [(), (None, "PnL report", "From 01-07-2026 to 26-07-2026"), ("UCC", "TESTA0001B"), (), ()]
    return sheet_document(("Dhan_P&L", [*preamble, COLUMNS, *rows, (), *TOTALS, (), ("NOTE : downloaded 7/26/2026",)]))


@pytest.fixture(params=[csv_report, sheet_report], ids=["csv", "xlsx"])
def statement(request: pytest.FixtureRequest) -> Statement:
    document: Document = request.param(*ROWS)
    assert dhan_pnl.matches(document)
    return dhan_pnl.read(document)


def test_each_scrip_is_a_realised_sum_of_the_period(statement: Statement) -> None:
    cables, _, option = statement.positions

    assert (cables.instrument.company, cables.day, cables.last_day) == (
        "Made Up Cables",
        date(2026, 7, 1),
        date(2026, 7, 26),
    )
    assert (cables.bought_quantity, cables.bought_value) == (100, 25000)
    assert (cables.sold_quantity, cables.sold_value, cables.realised_pnl) == (100, 26200, 1200)
    assert (option.instrument.code, option.instrument.company) == ("OPT NIFTY 28 Jul 2026 207.5 CE", None)
    assert (option.sold_quantity, option.quantity, option.intraday_pnl) == (0, None, None)


def test_the_totals_are_read_from_either_shape_and_agree_but_for_rounding(statement: Statement) -> None:
    assert statement.stated == {
        name: Decimal(amount)
        for name, amount in (
            ("net_pnl", "258.14"),
            ("brokerage", "40"),
            ("gross_pnl", "359.24"),
            ("total_charges", "101.10"),
        )
    }
    assert statement.computed == {"gross_pnl": Decimal("359.25"), "net_pnl": Decimal("258.14")}
    assert statement.contradictions == ()


def test_brokerage_is_the_one_head_of_the_period(statement: Statement) -> None:
    (charge,) = statement.charges
    assert (charge.head, charge.amount, charge.day, charge.last_day, charge.on_note) == (
        Head.BROKERAGE,
        40,
        date(2026, 7, 1),
        date(2026, 7, 26),
        False,
    )


def test_client_and_remark_are_told(statement: Statement) -> None:
    assert statement.client == "TESTA0001B"
    assert [remark.reason for remark in statement.ignored] == ["note"]
    assert statement.rows_read == 3


def test_a_total_that_its_rows_do_not_make_is_named() -> None:
    totals = (("Net P&L", "358.14"), ("Brokerage", "40"), ("Gross P&L", "459.24"), ("Total Charges", "101.10"))
    assert dhan_pnl.read(csv_report(*ROWS, totals=totals)).contradictions == ("gross_pnl",)


def test_a_spoiled_row_is_rejected_alone() -> None:
    statement = dhan_pnl.read(csv_report(("Spoiled", *("#REF!",) * 11), *ROWS))
    assert (len(statement.positions), len(statement.rejected)) == (3, 1)


def test_a_table_with_these_columns_and_no_title_of_dhans_is_not_dhans() -> None:
    assert not dhan_pnl.matches(sheet_document(("P&L", [COLUMNS, *ROWS])))


def test_a_report_without_a_period_is_refused() -> None:
    with pytest.raises(UnknownLayout, match="tells no period"):
        dhan_pnl.read(sheet_document(("Dhan_P&L", [("PnL report",), COLUMNS, *ROWS])))


def test_a_report_without_rows_is_empty() -> None:
    assert dhan_pnl.read(csv_report(totals=(("Net P&L", "0"), ("Brokerage", "0")))).is_empty
