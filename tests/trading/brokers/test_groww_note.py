"""Groww's contract note: signs of the client's side, names that wrap, averages that are rounded, and no fills."""

from __future__ import annotations

from collections import defaultdict
from datetime import date, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from tests.trading.brokers.pdf_writer import pdf_of_lines
from tests.trading.brokers.sheets import pdf_document
from trading.brokers import groww_note
from trading.brokers.containers.opening import open_document, open_head
from trading.brokers.formats import recognise
from trading.brokers.values import Head, NoteLine, Segment, Statement
from trading.errors import UnknownLayout

HEADING = """Groww Invest Tech Private Limited
CONTRACT NOTE CUM TAX INVOICE
Contract Note no. CN/26/0100000001
Trade Date 05-01-2026
Unique Client Code 5412000001 Name Made Up
EQUITY
ISIN Security Quantity WAP per Share Brokerage WAP after brokerage Total Value after brokerage"""
# 100 bought at 250 and sold at 251.50; then 200 at 33.30 and 300 at 33.36, whose average is 33.336.
SHARES = """INE000A01001 MADE UP CABLES & WIRES
100 250.00 0.2000 250.20 -25020.00 -100 251.50 0.2000 251.30 25130.00 0 110.00
LTD
INE000A01002 HELD STEEL LTD 500 33.34 0.0333 33.37 -16684.67 0 0.00 0.0000 0.00 0.00 500 -16684.67"""
OBLIGATION = """Description Equity Future & Options Net Total
Pay In / Pay Out Obligation (before Brokerage) -16518.00 -16518.00
Taxable Value of Supply (Brokerage) -56.67 -56.67
Exchange Transaction Charges -1.98 -1.98
CGST (9% on Brokerage, Exchange transaction charges, SEBI turnover
fees and IPFT charges) 0.00 0.00
SGST (9% on Brokerage, Exchange transaction charges, SEBI turnover fees and IPFT charges)
IGST (18% on Brokerage, Exchange transaction charges, SEBI turnover fees and IPFT charges) -10.57 -10.57
Page 1 of 2
Securities Transaction Tax -23.00 -23.00
SEBI Turnover Fees -0.07 -0.07
Stamp Duty -1.00 -1.00
IPFT Charges -0.07 -0.07
Net Amount Receivable / Payable By Client -16611.36 -16611.36"""
ANNEXURE = """Annexure A
1100000012345678 12:42:51 20000001 12:42:53 MADE UP CABLES & WIRES NSE B 100 250.0000 0.2000 250.2000 -25020.00
LTD
1100000012345679 13:00:00 20000002 13:00:01 MADE UP CABLES & WIRES NSE S -100 251.5000 0.2000 251.3000 25130.00
LTD
1100000012345680 14:00:00 20000003 14:00:01 HELD STEEL LTD NSE B 200 33.3000 0.0333 33.3333 -6666.67
1100000012345680 14:00:00 20000004 14:00:02 HELD STEEL LTD NSE B 300 33.3600 0.0333 33.3933 -10018.00"""


def note(*parts: str) -> str:
    return "\n".join(parts or (HEADING, SHARES, OBLIGATION, ANNEXURE))


def read(*parts: str) -> Statement:
    return groww_note.read(pdf_document(note(*parts)))


def quantities(lines: tuple[NoteLine, ...]) -> dict[tuple[str | None, str], Decimal]:
    units: dict[tuple[str | None, str], Decimal] = defaultdict(Decimal)
    for line in lines:
        units[line.instrument.isin, line.side] += line.quantity
    return units


def test_a_note_never_makes_a_fill() -> None:
    assert read().fills == ()


def test_each_trade_of_the_annexure_is_a_line_with_its_clock_and_ids() -> None:
    bought, sold, *_ = read().notes

    assert (bought.side, bought.quantity, bought.price) == ("BUY", 100, Decimal("250.0000"))
    assert (sold.side, sold.quantity, sold.price) == ("SELL", 100, Decimal("251.5000"))
    assert bought.at == datetime(2026, 1, 5, 12, 42, 53, tzinfo=ZoneInfo("Asia/Kolkata"))
    assert (bought.order_id, bought.fill_id) == ("1100000012345678", "20000001")
    assert (bought.instrument.isin, bought.instrument.exchange) == ("INE000A01001", "NSE")
    assert bought.instrument.company == "MADE UP CABLES & WIRES LTD"


def test_the_annexures_quantities_are_those_of_the_shares() -> None:
    statement = read()

    assert quantities(statement.notes) == {
        ("INE000A01001", "BUY"): 100,
        ("INE000A01001", "SELL"): 100,
        ("INE000A01002", "BUY"): 500,
    }
    assert statement.contradictions == ()
    assert statement.computed["INE000A01002 BUY"] == 500


def test_without_an_annexure_the_shares_themselves_are_the_lines_with_their_rounded_average() -> None:
    notes = read(HEADING, SHARES, OBLIGATION).notes

    assert [(line.side, line.quantity, line.price, line.net_amount) for line in notes] == [
        ("BUY", 100, Decimal("250.00"), Decimal("-25020.00")),
        ("SELL", 100, Decimal("251.50"), Decimal("25130.00")),
        ("BUY", 500, Decimal("33.34"), Decimal("-16684.67")),  # not 500 times 33.34
    ]
    assert notes[0].instrument.company == "MADE UP CABLES & WIRES LTD"


def test_a_name_may_wrap_before_its_numbers() -> None:
    wrapped = SHARES.replace("HELD STEEL LTD 500", "HELD\nSTEEL LTD 500")
    assert read(HEADING, wrapped, OBLIGATION).notes[-1].instrument.company == "HELD STEEL LTD"


def test_a_name_that_ends_in_a_number_keeps_it() -> None:
    fund = SHARES.replace("HELD STEEL LTD 500", "ETF NIFTY 50 500")
    line = read(HEADING, fund, OBLIGATION).notes[-1]
    assert (line.instrument.company, line.quantity) == ("ETF NIFTY 50", 500)


def test_a_trade_of_a_name_that_begins_anothers_is_of_its_own_share() -> None:
    shares = SHARES.replace("MADE UP CABLES & WIRES", "HELD STEEL LTD DVR").replace("\nLTD\n", "\n")
    annexure = ANNEXURE.replace("MADE UP CABLES & WIRES", "HELD STEEL LTD DVR").replace("\nLTD", "")

    statement = read(HEADING, shares, OBLIGATION, annexure)

    assert quantities(statement.notes)["INE000A01002", "BUY"] == 500
    assert statement.contradictions == ()


def test_a_note_of_a_hundred_thousand_lines_without_amounts_is_refused_in_one_pass() -> None:
    with pytest.raises(UnknownLayout, match="no net amount"):
        read(HEADING, "Pay In / Pay Out Obligation -1.00 -1.00", "(fees and\n" * 100_000)


def test_charges_are_the_days_on_the_note_as_costs_above_zero() -> None:
    statement = read()

    heads: dict[Head, Decimal] = defaultdict(Decimal)
    for charge in statement.charges:
        heads[charge.head] += charge.amount
        assert charge.on_note
        assert (charge.day, charge.segment) == (date(2026, 1, 5), Segment.EQUITY)
    assert heads == {
        Head.BROKERAGE: Decimal("56.67"),
        Head.EXCHANGE: Decimal("1.98"),
        Head.GST: Decimal("10.57"),
        Head.STT: 23,
        Head.SEBI: Decimal("0.07"),
        Head.STAMP: 1,
        Head.IPFT: Decimal("0.07"),
    }


def test_the_stated_obligation_and_net_amount_are_what_the_lines_make() -> None:
    statement = read()

    assert statement.computed["net_amount"] == statement.stated["net_amount"] == Decimal("-16611.36")
    assert statement.computed["obligation"] == statement.stated["obligation"] == Decimal("-16518.00")


def test_a_charge_that_has_no_name_here_is_other_and_one_that_is_missing_is_named() -> None:
    named = OBLIGATION.replace("IPFT Charges", "Clearing Levy")
    assert read(HEADING, SHARES, named).charges[-1].head is Head.OTHER

    missing = OBLIGATION.replace("Stamp Duty -1.00 -1.00\n", "")
    assert read(HEADING, SHARES, missing).contradictions == ("net_amount",)


def test_a_rebate_is_below_zero() -> None:
    charges = OBLIGATION.replace("IPFT Charges -0.07 -0.07", "IPFT Charges 0.07 0.07")
    assert read(HEADING, SHARES, charges).charges[-1].amount == Decimal("-0.07")


@pytest.mark.parametrize(
    ("written", "spoiled"),
    [
        ("-100 251.50", "100 251.50"),  # a sale above zero
        ("-25020.00", "25020.00"),  # a purchase that pays
        ("0 110.00", "0 120.00"),
        ("0 110.00", "110.00"),
        ("-16684.67", "16684.67"),  # a purchase that pays, in both of its numbers
    ],
)
def test_a_share_whose_numbers_contradict_one_another_is_rejected(written: str, spoiled: str) -> None:
    statement = read(HEADING, SHARES.replace(written, spoiled), OBLIGATION)

    assert [remark.reason for remark in statement.rejected] == ["unreadable_cell"]
    assert "obligation" in statement.contradictions


def test_an_annexure_that_lacks_a_trade_is_named() -> None:
    short = "\n".join(ANNEXURE.splitlines()[:-1])
    assert read(HEADING, SHARES, OBLIGATION, short).contradictions == ("INE000A01002 BUY",)


@pytest.mark.parametrize(
    "charges",
    [
        OBLIGATION.replace("Stamp Duty -1.00 -1.00", "Stamp Duty -1.00 -2.00 -3.00"),
        OBLIGATION.replace("Net Amount", "Nothing"),
        "No charges",
    ],
)
def test_a_note_with_futures_and_options_or_without_its_charges_is_refused(charges: str) -> None:
    with pytest.raises(UnknownLayout):
        read(HEADING, SHARES, charges)


def test_another_brokers_note_of_the_share_called_groww_is_not_groww() -> None:
    other = HEADING.replace("Groww Invest Tech Private Limited", "Other Broking Limited")
    shares = SHARES.replace("HELD STEEL LTD", "GROWW LIMITED")

    assert groww_note.matches(pdf_document(HEADING))
    assert not groww_note.matches(pdf_document(note(other, shares)))


def test_a_pdf_is_recognised_by_its_first_page_and_read_whole() -> None:
    data = pdf_of_lines(note(HEADING, SHARES).splitlines(), note(OBLIGATION, ANNEXURE).splitlines())

    assert recognise(open_head(data, "a.pdf")) is groww_note
    statement = groww_note.read(open_document(data, "a.pdf"))

    assert statement.client == "5412000001"
    assert statement.stated["net_amount"] == Decimal("-16611.36")
    assert len(statement.notes) == 4
    assert statement.contradictions == ()
