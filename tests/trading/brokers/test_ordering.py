"""The order of a file's fills, and the names of its contracts."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from trading.brokers.contracts import exchange_of, exchange_of_contract, listed_on, named, named_in_words, segment_of
from trading.brokers.ordering import in_order_of_time
from trading.brokers.values import FillLine, InstrumentName, Place, Segment

INDIA = ZoneInfo("Asia/Kolkata")
NINE = datetime(2026, 8, 3, 9, 15, tzinfo=INDIA)


def fill(seconds: int | None, fill_id: str | None, row: int = 1, days: int = 0) -> FillLine:
    at = None if seconds is None else NINE + timedelta(days=days, seconds=seconds)
    return FillLine(
        Place("a.csv", "", row), InstrumentName("NSE", "INFY"), Segment.EQUITY, "BUY", Decimal(1), Decimal(1),
        NINE.date() + timedelta(days=days), at, "INR", fill_id,
    )  # fmt: skip


def test_fills_with_ids_have_one_order_whatever_the_files() -> None:
    fills = [fill(second, str(number), number) for second in range(3) for number in range(98, 103)]
    mixed = random.Random(7).sample(fills, len(fills))
    assert in_order_of_time(mixed) == in_order_of_time(fills) == tuple(fills)


def test_leading_zeros_do_not_change_an_ids_rank() -> None:
    assert [each.fill_id for each in in_order_of_time([fill(0, "10"), fill(0, "0009")])] == ["0009", "10"]


def test_fills_of_a_day_without_times_stay_in_the_files_order() -> None:
    fills = [fill(None, "3", 1), fill(None, "1", 2), fill(None, None, 3), fill(None, "2", 4, days=1)]
    assert in_order_of_time(fills) == tuple(fills)


def test_a_file_that_falls_from_day_to_day_is_turned_around() -> None:
    fills = [fill(None, None, 1, days=2), fill(None, None, 2, days=1), fill(None, None, 3, days=1)]
    assert [each.place.row for each in in_order_of_time(fills)] == [3, 2, 1]


def test_equal_fills_of_a_falling_file_are_turned_around_as_well() -> None:
    fills = [fill(5, None, 1), fill(5, None, 2), fill(1, None, 3)]
    assert [each.place.row for each in in_order_of_time(fills)] == [3, 2, 1]
    assert in_order_of_time([]) == ()
    assert in_order_of_time([replace(fills[0])]) == (fills[0],)


@pytest.mark.parametrize(
    ("exchange", "segment", "code"),
    [
        ("NSE", "EQ", "NSE"), ("nse", "fo", "NFO"), ("BSE", "FO", "BFO"), ("NSE", "CDS", "CDS"), ("BSE", "CDS", "BCD"),
        ("BSE", "BCD", "BCD"), ("NFO", "FO", "NFO"), ("MCX", "COM", "MCX"), ("MCX", "", "MCX"), ("NSE", "MF", None),
        ("NCDEX", "COM", None), ("", "EQ", None), ("--", "", None),
    ],
)  # fmt: skip
def test_exchanges_by_segment(exchange: str, segment: str, code: str | None) -> None:
    assert exchange_of(exchange, segment) == code


def test_a_contract_that_stands_alone_has_an_exchange_where_one_alone_lists_it() -> None:
    assert exchange_of_contract("SENSEX2681377500PE") == "BFO"
    assert exchange_of_contract("NIFTY26AUGFUT") == "NFO"
    assert exchange_of_contract("CDSL26SEP1400CE") is None
    assert exchange_of_contract("INFY") is None


def test_a_symbol_that_stands_with_an_exchange_alone() -> None:
    assert [listed_on("NSE", symbol) for symbol in ("INFY", "CDSL26SEP1400CE", "USDINR26AUGFUT")] == [
        "NSE",
        "NFO",
        "CDS",
    ]
    assert listed_on("BSE", "SENSEX26AUGFUT") == "BFO"


def test_segments() -> None:
    assert segment_of("NSE", "NIFTYBEES") == Segment.EQUITY
    assert segment_of("NFO", "CDSL26SEP1400CE") == Segment.OPTIONS
    assert segment_of("BCD", "USDINR26AUGFUT") == Segment.CURRENCY_FUTURES
    assert segment_of("NFO", "NONSENSE") is None
    assert segment_of(None, "CDSL26SEP1400CE") is None


def test_names() -> None:
    assert named("PNB-EQ", "NSE") == InstrumentName("NSE", "PNB")
    assert named("MCDOWELL-N", "NSE", "INE854D01024") == InstrumentName("NSE", "MCDOWELL-N", "INE854D01024")


def test_contracts_in_words_keep_their_words_as_the_code() -> None:
    words = "OPT  LTM 28 Jul 2026 4400 CE"
    assert named_in_words(words, "NSE") == InstrumentName("NFO", "LTM26JUL4400CE", code="OPT LTM 28 Jul 2026 4400 CE")
    assert named_in_words("BSXOPT SENSEX Aug 27 2026 77600.00 CE (BT)") == InstrumentName(
        "BFO", "SENSEX26AUG77600CE", code="BSXOPT SENSEX Aug 27 2026 77600.00 CE (BT)"
    )
    assert named_in_words("Sun Pharma", "NSE") is None


def test_a_commoditys_month_is_not_its_expirys_so_that_no_symbol_is_made() -> None:
    name = named_in_words("OPT CRUDEOIL 17 Nov 2026 5300 CE", "MCX")
    assert name is not None
    assert (name.exchange, name.symbol) == ("MCX", None)


def test_the_day_stays_where_only_it_is_known() -> None:
    assert in_order_of_time([fill(None, None)])[0].day == date(2026, 8, 3)
