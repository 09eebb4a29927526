"""Dhan's transaction report: bills per day and scrip, with every trap that real ones have."""

from __future__ import annotations

from collections import defaultdict
from datetime import date
from decimal import Decimal

import pytest

from tests.trading.brokers.sheets import csv_document
from trading.brokers import dhan_transactions
from trading.brokers.document import Document
from trading.brokers.values import FillKind, Head, Segment, Statement
from trading.errors import UnknownLayout

COLUMNS = (
    "Date,Scrip Name,Exchange,Bill No.,Buy Qty.,Buy Value,Sell Qty.,Sell Value,"
    "Brokerage,GST,STT,SEBI Fees,Stamp Duty,Txn. Charges,Oth. Charges,Gross Amount"
)
PREAMBLE = ("Name,Made Up", "UCC,TESTA0001B", "Mobile,0000000000", "Email ID,made.up@example.com", "")


def bill(day: str, name: str, where: str, sides: str, charges: str, gross_amount: str) -> str:
    """Return a row: exchange and bill in ``where``; units and amounts of both sides; the seven charges."""
    cells = (day, name, *where.split(), *sides.split(), *charges.split(), gross_amount)
    return ",".join(f'"{cell}"' for cell in cells)


# The worked rows: both styles of date, one of each side, options, BSE, MCX, a sale without a purchase.
PARAS = bill(
    "03 Jul 2026 00:00:00",
    "Paras Defence",
    "NSE 501",
    "200 265404.80 200 262900.00",
    "40.00 10.21 66.04 0.53 7.96 16.22 0.00",
    "-2645.76",
)
NACL = bill(
    "08 Jul 2026 00:00:00",
    "NACL Industries",
    "NSE 502",
    "3600 795403.62 1800 400728.60",
    "60.00 17.62 498.88 1.20 71.18 36.72 0.00",
    "-395360.62",
)
LTM = bill(
    "17 Jul 2026 00:00:00",
    "OPT LTM 28 Jul 2026 4400 CE",
    "NSE 503",
    "600 9300.00 600 7530.00",
    "40.00 8.28 11.00 0.02 0.00 5.98 0.00",
    "-1835.28",
)
SOLD_IPO = bill(
    "22 Jul 2026 00:00:00",
    "Made Up Funds",
    "NSE 504",
    "0 0.00 37 21904.00",
    "0.00 0.13 21.90 0.02 0.00 0.67 0.00",
    "21881.28",
)
RAJRATAN = bill(
    "24 Jul 2026 00:00:00", "Rajratan", "BSE 505", "1 495.55 1 493.45", "0.30 0.06 0.12 0.00 0.01 0.04 0.00", "-2.63"
)
ROWS = (PARAS, NACL, LTM, SOLD_IPO, RAJRATAN)


def report(
    *rows: str, footer: str = "", title: str = "Global transction report,From 01-07-2026 to 29-07-2026"
) -> Document:
    note = "NOTE : This sheet was downloaded at 7/29/2026 12:03 AM"
    return csv_document("\n".join((title, *PREAMBLE, COLUMNS, *rows, "", footer, "", note)) + "\n")


def read(*rows: str, footer: str = "") -> Statement:
    return dhan_transactions.read(report(*rows, footer=footer))


def of_day(statement: Statement, day: date) -> dict[Head, Decimal]:
    heads: dict[Head, Decimal] = defaultdict(Decimal)
    for line in statement.charges:
        if line.day == day:
            heads[line.head] += line.amount
    return heads


def test_the_report_is_recognised_by_its_title_and_columns_and_not_by_its_name() -> None:
    assert dhan_transactions.matches(report(PARAS))
    assert not dhan_transactions.matches(csv_document(f"Dhan_GlobalTransction_Report\n{COLUMNS}\n"))
    assert not dhan_transactions.matches(csv_document("Global transction report,From 01-07-2026 to 29-07-2026\nDate\n"))


def test_a_row_gives_the_days_sum_of_each_side_with_its_exact_amount() -> None:
    statement = read(PARAS)

    bought, sold = statement.fills
    assert (bought.side, bought.quantity, bought.price, bought.amount) == (
        "BUY",
        200,
        Decimal("1327.024"),
        Decimal("265404.80"),
    )
    assert (sold.side, sold.quantity, sold.price) == ("SELL", 200, Decimal("1314.5"))
    assert {fill.kind for fill in statement.fills} == {FillKind.ORDER}
    assert (bought.at, bought.day, bought.fill_id, bought.order_id) == (None, date(2026, 7, 3), None, "bill-501-BUY")
    assert (bought.voucher, bought.instrument.company, bought.instrument.exchange) == ("501", "Paras Defence", "NSE")
    assert (statement.client, statement.first_day, statement.last_day) == (
        "TESTA0001B",
        date(2026, 7, 1),
        date(2026, 7, 29),
    )


def test_a_second_row_of_a_scrip_on_one_bill_is_another_sum() -> None:
    ids = [fill.order_id for fill in read(PARAS, PARAS, LTM).fills]
    assert ids == [
        *("bill-501-BUY", "bill-501-SELL", "bill-501-BUY-2", "bill-501-SELL-2"),
        *("bill-503-BUY", "bill-503-SELL"),
    ]


def test_a_price_that_does_not_come_out_even_keeps_the_amount_it_is_from() -> None:
    row = bill("03 Jul 2026 00:00:00", "Made Up", "NSE 1", "3 100.00 0 0.00", "0 0 0 0 0 0 0", "-100.00")

    (fill,) = read(row).fills

    assert (fill.price, fill.amount) == (Decimal("33.33333333"), Decimal("100.00"))


@pytest.mark.parametrize("written", ["01 Jul 2026 00:00:00", "01-07-2026 00:00"])
def test_both_styles_of_date_are_read(written: str) -> None:
    (fill,) = read(f"{written},Made Up,NSE,1,1,100.00,0,0.00,0,0,0,0,0,0,0,-100.00").fills
    assert fill.day == date(2026, 7, 1)


@pytest.mark.parametrize("written", ["2026.07.01", "07-13-2026 00:00", "30-07-2026 00:00", "32 Jul 2026 00:00:00", ""])
def test_a_day_that_cannot_be_or_lies_outside_the_period_rejects_its_row(written: str) -> None:
    statement = read(f"{written},Made Up,NSE,1,1,100.00,0,0.00,0,0,0,0,0,0,0,-100.00", PARAS)

    assert len(statement.fills) == 2
    (rejected,) = statement.rejected
    assert (rejected.place.row, rejected.reason) == (8, "unreadable_cell")
    assert statement.rows_read == 2


def test_a_contract_trades_on_the_derivatives_exchange_and_keeps_dhans_name() -> None:
    statement = read(
        LTM,
        bill(
            "01-07-2026 00:00",
            "OPT SENSEX 02 Jul 2026 73000 PE",
            "BSE 9",
            "220 65670.99 220 72806.01",
            "40 15.33 109.21 0.14 1.97 45.01 0",
            "6923.36",
        ),
        bill(
            "01-07-2026 00:00",
            "FUT WIPRO 28 Jul 2026",
            "NSE 9",
            "3000 720000 0 0",
            "20 3.6 0 0.72 14.4 5.94 0",
            "-720044.66",
        ),
        bill(
            "01-07-2026 00:00",
            "OPT CRUDEOIL 16 Jul 2026 9000 PE",
            "MCX 8",
            "200 127380 200 128340",
            "80 33.69 64 0.26 3.82 106.89 0",
            "671.34",
        ),
    )

    assert not statement.rejected
    segments = {(fill.instrument.exchange, fill.instrument.code): fill.segment for fill in statement.fills}
    assert segments == {
        ("NFO", "OPT LTM 28 Jul 2026 4400 CE"): Segment.OPTIONS,
        ("BFO", "OPT SENSEX 02 Jul 2026 73000 PE"): Segment.OPTIONS,
        ("NFO", "FUT WIPRO 28 Jul 2026"): Segment.FUTURES,
        ("MCX", "OPT CRUDEOIL 16 Jul 2026 9000 PE"): Segment.COMMODITY_OPTIONS,
    }


def test_a_commoditys_quantity_is_of_units_so_that_its_contract_has_no_multiplier_but_one() -> None:
    sides = "200 127380 200 128340"
    charges = "80 33.69 64 0.26 3.82 106.89 0"
    statement = read(
        bill("01-07-2026 00:00", "OPT CRUDEOIL 16 Jul 2026 9000 PE", "MCX 8", sides, charges, "671.34"), LTM
    )

    assert [fill.instrument.multiplier for fill in statement.fills] == [1, 1, None, None]
    assert statement.fills[0].price == Decimal("636.9")


def test_the_tax_of_a_commodity_is_ctt() -> None:
    row = bill(
        "01-07-2026 00:00",
        "OPT CRUDEOIL 16 Jul 2026 9000 PE",
        "MCX 8",
        "200 127380 200 128340",
        "80 33.69 64 0.26 3.82 106.89 0",
        "671.34",
    )
    heads = of_day(read(row), date(2026, 7, 1))
    assert (heads[Head.CTT], heads.get(Head.STT)) == (64, None)


@pytest.mark.parametrize(
    ("name", "exchange"),
    [("OPT NIFTY 2026-04-07 23000 CE", "NSE"), ("Made Up", "MCX"), ("FUT WIPRO 28 Jul 2026", "NCDEX")],
)
def test_a_contract_or_exchange_that_is_none_rejects_its_row(name: str, exchange: str) -> None:
    statement = read(f"01-07-2026 00:00,{name},{exchange},1,1,100.00,0,0.00,0,0,0,0,0,0,0,-100.00")
    assert not statement.fills
    assert len(statement.rejected) == 1


def test_a_sale_whose_purchase_is_missing_is_a_sale() -> None:
    statement = read(SOLD_IPO)

    (sold,) = statement.fills
    assert (sold.side, sold.quantity, sold.price) == ("SELL", 37, 592)
    assert of_day(statement, date(2026, 7, 22))[Head.BROKERAGE] == 0


def test_the_days_rest_of_stamp_duty_may_make_a_row_negative_and_the_day_is_whole() -> None:
    first = bill("28-07-2026 00:00", "Made Up", "NSE 1", "100 40800.00 0 0.00", "0 0 0 0 6.12 0 0", "-40806.12")
    rest = bill("28-07-2026 00:00", "Other", "NSE 1", "0 0.00 1 10.00", "0 0 0 0 -0.12 0 0", "10.12")

    statement = read(first, rest)

    assert not statement.rejected
    assert of_day(statement, date(2026, 7, 28))[Head.STAMP] == 6
    assert min(line.amount for line in statement.charges) == Decimal("-0.12")


def test_a_row_that_contradicts_itself_is_rejected_and_its_total_shows_it() -> None:
    wrong = PARAS.replace('"-2645.76"', '"-2640.76"')

    statement = read(wrong, LTM, footer="Net P&L,-4480.59,Brokerage,80.00,Gross P&L,-4274.80,Total Charges,205.79")

    assert [(remark.place.row, remark.reason) for remark in statement.rejected] == [(8, "unreadable_cell")]
    assert "brokerage" in statement.contradictions


@pytest.mark.parametrize(
    ("sides", "gross_amount"),
    [("-5 100.00 0 0.00", "-100.00"), ("5 0.00 0 0.00", "0.00"), ("0 100.00 0 0.00", "-100.00"), ("0 0 5 n/a", "0.00")],
)
def test_units_without_an_amount_or_below_zero_are_rejected(sides: str, gross_amount: str) -> None:
    statement = read(bill("01-07-2026 00:00", "Made Up", "NSE 1", sides, "0 0 0 0 0 0 0", gross_amount))
    assert (statement.fills, len(statement.rejected)) == ((), 1)


def test_the_stated_totals_are_those_of_the_rows_but_for_their_rounding() -> None:
    # The rows' charges are 140.96 + 685.60 + 65.28 + 22.72 + 0.53; the report adds them up before it rounds them.
    footer = "Net P&L,-3600.1201,Brokerage,140.30,Gross P&L,-2685.0145,Total Charges,915.1056"

    statement = read(*ROWS, footer=footer)

    assert statement.stated["total_charges"] == Decimal("915.1056")
    assert statement.computed["brokerage"] == statement.stated["brokerage"] == Decimal("140.30")
    assert statement.computed["total_charges"] == Decimal("915.09")
    assert statement.computed["net_pnl"] == statement.stated["net_pnl"]
    assert statement.contradictions == ()
    assert statement.rounding["total_charges"] == Decimal("0.175")  # 35 amounts, half a paisa each


def test_the_remark_with_its_american_day_is_left_out_by_name() -> None:
    statement = read(PARAS)
    assert [remark.reason for remark in statement.ignored] == ["note"]
    assert statement.rows_read == 1


def test_a_report_without_rows_is_empty_only_where_its_totals_say_so() -> None:
    assert read(footer="Net P&L,0,Brokerage,0,Gross P&L,0,Total Charges,0").is_empty
    assert not read(footer="Net P&L,-5,Brokerage,5,Gross P&L,0,Total Charges,5").is_empty


def test_a_new_column_is_an_unknown_layout_by_name() -> None:
    content = "\n".join(("Global transction report,From 01-07-2026 to 29-07-2026", f"{COLUMNS},CTT"))
    with pytest.raises(UnknownLayout, match="new columns 'CTT'"):
        dhan_transactions.read(csv_document(content))


def test_a_footer_padded_with_empty_cells_is_read_too() -> None:
    statement = read(PARAS, footer="Net P&L,-2645.76,Brokerage,40,Gross P&L,-2504.80,Total Charges,140.96,,,,,,,,")
    assert statement.contradictions == ()
    assert statement.stated["gross_pnl"] == Decimal("-2504.80")


@pytest.mark.parametrize(
    ("row", "gross_amount"),
    [(LTM, "-1835.28"), (PARAS, "-2645.76"), (NACL, "-395360.62"), (RAJRATAN, "-2.63")],
)
def test_worked_rows_come_to_their_gross_amount(row: str, gross_amount: str) -> None:
    """Real rows of July 2026, recomputed: sold, less bought, less every charge of the row."""
    statement = read(row)

    amounts = {fill.side: fill.amount or Decimal(0) for fill in statement.fills}
    charges = sum((line.amount for line in statement.charges), Decimal(0))
    assert amounts["SELL"] - amounts["BUY"] - charges == Decimal(gross_amount)
