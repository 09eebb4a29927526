"""Cells are read exactly or refused with their place; nothing is guessed."""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading.brokers.cells import (
    INDIA,
    SERIAL,
    DecimalStyle,
    PlacedCell,
    UnreadableCell,
    clock,
    day,
    identifier,
    moment,
    money,
    money_or_none,
    number,
    quantity,
    required_text,
    text,
)
from trading.brokers.document import CellValue
from trading.brokers.values import Place


def cell(content: CellValue) -> PlacedCell:
    return PlacedCell(content, "Price", Place("trades.csv", "", 7))


class TestMoney:
    @pytest.mark.parametrize(
        ("content", "amount"),
        [
            ("1,52,250.00", "152250.00"),
            ("152,250.00", "152250.00"),
            ("12,34,56,789.5", "123456789.5"),
            ("₹ 5", "5"),
            ("₹-5.00", "-5.00"),
            ("-₹5.00", "-5.00"),
            ("Rs. 1,000", "1000"),
            ("(1,234.50)", "-1234.50"),
            ("5.00-", "-5.00"),
            ("\u22125", "-5"),
            ("\u00a01,234.50 \t", "1234.50"),
            ("+5", "5"),
            (".5", "0.5"),
            ("5.", "5"),
            ("1.5E-05", "0.000015"),
            (2453.05, "2453.05"),
            (5.4e9, "5400000000"),
            (-3, "-3"),
        ],
    )
    def test_is_read_exactly(self, content: CellValue, amount: str) -> None:
        assert money(cell(content)) == Decimal(amount)

    @pytest.mark.parametrize(
        "content",
        ["", "-", "--", "abc", "1,2,3", "12,34", "1,52,25", "01,234", "5 000", "--5", "(-5)", "2.2E+15", "$5", "٣",
         "1.2.3", "5%", "NaN", "inf", "1_000", "9" * 100, True, None, float("nan"), float("inf"), date(2026, 6, 2)],
    )  # fmt: skip
    def test_of_another_form_is_refused_with_its_place(self, content: CellValue) -> None:
        with pytest.raises(UnreadableCell, match=r"trades\.csv, row 7: 'Price' is .*no number") as caught:
            money(cell(content))
        assert (caught.value.place.row, caught.value.column) == (7, "Price")

    @pytest.mark.parametrize("content", ["", " ", "-", " - ", "--", None])
    def test_an_empty_cell_or_a_dash_is_none_where_it_may_be(self, content: CellValue) -> None:
        assert money_or_none(cell(content)) is None

    def test_a_quantity_has_no_mark_of_a_currency(self) -> None:
        assert quantity(cell("1,200")) == 1200
        with pytest.raises(UnreadableCell):
            quantity(cell("₹1,200"))

    @given(st.decimals(min_value=-(10**11), max_value=10**11, places=2))
    def test_what_is_written_in_lakhs_is_read_back(self, amount: Decimal) -> None:
        whole, fraction = f"{abs(amount):.2f}".split(".")
        head, tail = whole[:-3], whole[-3:]
        groups = [head[max(0, end - 2) : end] for end in range(len(head), 0, -2)][::-1]
        written = ",".join([*groups, tail]) + f".{fraction}"
        assert money(cell(f"-{written}" if amount < 0 else written)) == amount
        assert money(cell(f"{amount:,.2f}")) == amount

    @pytest.mark.parametrize(
        ("content", "amount"),
        [("1.234,56", "1234.56"), ("26,45", "26.45"), ("-1,00", "-1.00"), ("1.234", "1234"), ("0,039", "0.039")],
    )
    def test_a_decimal_comma_is_read_where_the_format_has_it(self, content: str, amount: str) -> None:
        assert number(cell(content), DecimalStyle.COMMA) == Decimal(amount)

    @pytest.mark.parametrize("content", ["97.93", "0.039", "1,234.56", "1.23.456"])
    def test_a_decimal_point_in_a_file_with_commas_is_refused(self, content: str) -> None:
        with pytest.raises(UnreadableCell):
            number(cell(content), DecimalStyle.COMMA)


class TestDaysAndClocks:
    @pytest.mark.parametrize(
        ("content", "style"),
        [
            ("02-06-2026", "%d-%m-%Y"),
            ("02/06/2026", "%d/%m/%Y"),
            ("6/2/26", "%m/%d/%y"),
            ("2026-06-02", "%Y-%m-%d"),
            ("20260602", "%Y%m%d"),
            ("02-Jun-2026", "%d-%b-%Y"),
            ("02 Jun 2026 00:00:00", "%d %b %Y %H:%M:%S"),
            ("46175", SERIAL),
        ],
    )
    def test_a_day_is_read_in_the_style_that_the_format_states(self, content: str, style: str) -> None:
        assert day(cell(content), style) == date(2026, 6, 2)

    @pytest.mark.parametrize("content", [46175, 46175.0, 46175.39, date(2026, 6, 2), datetime(2026, 6, 2, 9, 15)])
    def test_a_sheets_own_day_needs_no_style(self, content: CellValue) -> None:
        assert day(cell(content)) == date(2026, 6, 2)

    @pytest.mark.parametrize(
        "content", ["06/13/2026", "31-06-2026", "46175", "02-06-26", "", None, 20260602, 5, True, time(9)]
    )
    def test_no_other_style_is_tried(self, content: CellValue) -> None:
        with pytest.raises(UnreadableCell, match="no day"):
            day(cell(content), "%d-%m-%Y", "%d/%m/%Y")

    @pytest.mark.parametrize(
        ("content", "seen"),
        [("03:20:21 PM", time(15, 20, 21)), ("12:00:00 AM", time(0)), ("12:42:53 PM", time(12, 42, 53)),
         (0.5, time(12)), (time(9, 15), time(9, 15)), (datetime(2026, 6, 2, 9, 15), time(9, 15))],
    )  # fmt: skip
    def test_a_clock_of_twelve_hours(self, content: CellValue, seen: time) -> None:
        assert clock(cell(content), "%I:%M:%S %p") == seen

    def test_an_instant_is_of_the_zone(self) -> None:
        at = moment(cell("25 Aug 2026, 03:20:21 PM"), "%d %b %Y, %I:%M:%S %p")
        assert at == datetime(2026, 8, 25, 9, 50, 21, tzinfo=UTC)
        assert at.tzinfo is INDIA

    def test_an_offset_that_stands_there_is_kept(self) -> None:
        at = moment(cell("2026-06-02T09:15:00+0000"), "%Y-%m-%dT%H:%M:%S%z")
        assert at == datetime(2026, 6, 2, 14, 45, tzinfo=INDIA)

    def test_a_number_of_days_is_an_instant_to_the_second(self) -> None:
        assert moment(cell(46175.390219907406)) == datetime(2026, 6, 2, 9, 21, 55, tzinfo=INDIA)

    @pytest.mark.parametrize("content", ["2026-03-08 02:30:00", "2026-11-01 01:30:00"])
    def test_a_time_that_clocks_skip_or_show_twice_is_refused(self, content: str) -> None:
        with pytest.raises(UnreadableCell, match="skip or show twice"):
            moment(cell(content), "%Y-%m-%d %H:%M:%S", zone=ZoneInfo("America/New_York"))


class TestTexts:
    @pytest.mark.parametrize(
        ("content", "seen"),
        [("1100000000123456", "1100000000123456"), (238243, "238243"), (5.4e9, "5400000000"), ("0012", "0012"),
         ("2.2E+15", None), ("1.1E15", None), (2.2e15, None), (1234567890123456, None), ("", None), ("-", None),
         (None, None)],
    )  # fmt: skip
    def test_an_id_that_a_spreadsheet_ruined_is_none(self, content: CellValue, seen: str | None) -> None:
        assert identifier(cell(content)) == seen

    def test_a_fraction_is_no_id(self) -> None:
        with pytest.raises(UnreadableCell, match="no id"):
            identifier(cell(2.5))

    def test_a_number_is_a_text_without_a_fraction(self) -> None:
        assert [text(cell(content)) for content in (5.4e9, 7, 0.5, None, "\u00a0a b ")] == [
            "5400000000",
            "7",
            "0.5",
            "",
            "a b",
        ]

    def test_a_required_text_may_not_be_empty(self) -> None:
        with pytest.raises(UnreadableCell, match="empty cell"):
            required_text(cell(" "))
