"""Names, times and numbers: an accepted and a refused half for each."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from timeseries.errors import InvalidValue
from timeseries.values import MICROSECOND, instant_text, parse_name, parse_number, parse_time, wall_day

INDIA, BERLIN = ZoneInfo("Asia/Kolkata"), ZoneInfo("Europe/Berlin")
NOW = 1_760_000_000 * 10**9
HOUR = 3600 * 10**9


@pytest.mark.parametrize(
    "name",
    [
        "RELIANCE",
        "M&M",
        "BAJAJ-AUTO",
        "NIFTY 50",
        "a=b,c",
        "a/b",
        "^NSEI",
        '"q"\'s',
        "टाटा",
        "株",
        "x" * 64,
        "é",
        ".",
        "a\u200db",
    ],
)
def test_a_good_name_is_read_back_as_given(name: str) -> None:
    assert parse_name(name, "symbol") == name


def test_a_name_is_brought_to_its_composed_form() -> None:
    assert parse_name("e\u0301", "symbol") == "\u00e9"


@pytest.mark.parametrize(
    "name",
    [
        "", " ", " A", "A ", "\u00a0A", "A\n", "A\tB", "A\x00B", "A\x7fB", "A\u0085B", "A\u2028B", "A\ud800B", "A\\B",
        "x" * 65, "é" * 33, None, 5, b"A", True, ["A"],
    ],
)  # fmt: skip
def test_a_bad_name_is_refused_with_its_field(name: Any) -> None:
    with pytest.raises(InvalidValue) as error:
        parse_name(name, "symbol")
    assert error.value.field == "symbol"
    assert error.value.hint


def test_ids_may_be_longer() -> None:
    assert parse_name("x" * 128, "trade_id", 128) == "x" * 128
    with pytest.raises(InvalidValue):
        parse_name("x" * 129, "trade_id", 128)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (datetime(2025, 10, 9, 9, 15), 1_759_981_500 * 10**9),
        (datetime(2025, 10, 9, 9, 15, 0, 1), 1_759_981_500 * 10**9 + 1000),
        (datetime(2025, 10, 9, 3, 45, tzinfo=UTC), 1_759_981_500 * 10**9),
        (datetime(2025, 10, 9, 9, 15, tzinfo=INDIA), 1_759_981_500 * 10**9),
        (datetime(2025, 10, 9, 0, 0, tzinfo=timezone(timedelta(hours=-3, minutes=-45))), 1_759_981_500 * 10**9),
        (1_759_981_500 * 10**9 + 7, 1_759_981_500 * 10**9 + 7),
        (np.int64(1_759_981_500 * 10**9), 1_759_981_500 * 10**9),
        (np.datetime64("2025-10-09T09:15:00.000000007"), 1_759_981_500 * 10**9 + 7),
        (datetime(2000, 1, 1), 946_665_000 * 10**9),
        (946_684_800 * 10**9, 946_684_800 * 10**9),
        (NOW + 24 * HOUR, NOW + 24 * HOUR),
    ],
)
def test_a_time_is_kept_to_the_nanosecond(value: Any, expected: int) -> None:
    assert parse_time(value, INDIA, NOW, "timestamp") == expected


@pytest.mark.parametrize(
    ("value", "code"),
    [
        (datetime(1999, 12, 31, 23, 59, 59), "time_too_old"),
        (datetime(1, 1, 1, tzinfo=UTC), "time_too_old"),
        (946_684_800 * 10**9 - 1, "time_too_old"),
        (1_759_981_500, "time_too_old"),
        (0, "time_too_old"),
        (-1, "time_too_old"),
        (NOW + 24 * HOUR + 1, "time_in_future"),
        (datetime(9999, 12, 31), "time_in_future"),
        (datetime.max.replace(tzinfo=timezone(timedelta(hours=-12))), "time_in_future"),
        (10**30, "time_in_future"),
        (1.5, "invalid_value"),
        (True, "invalid_value"),
        (None, "invalid_value"),
        ("2025-10-09", "invalid_value"),
        (date(2025, 10, 9), "invalid_value"),
        (np.datetime64("NaT"), "invalid_value"),
        (Decimal(NOW), "invalid_value"),
    ],
)
def test_a_bad_time_is_refused(value: Any, code: str) -> None:
    with pytest.raises(InvalidValue) as error:
        parse_time(value, INDIA, NOW, "timestamp")
    assert error.value.code == code


@pytest.mark.parametrize("wall", [datetime(2025, 3, 30, 2, 30), datetime(2024, 10, 27, 2, 30)])
@pytest.mark.parametrize("fold", [0, 1])
def test_a_naive_time_that_the_zone_skips_or_repeats_is_refused(wall: datetime, fold: int) -> None:
    with pytest.raises(InvalidValue, match="skips or repeats") as refused:
        parse_time(wall.replace(fold=fold), BERLIN, NOW, "timestamp")
    assert "datetime.now().astimezone()" in refused.value.hint
    assert parse_time(wall.replace(tzinfo=UTC), BERLIN, NOW, "timestamp")


def test_both_halves_of_a_repeated_hour_are_taken_with_their_offset() -> None:
    wall = datetime(2024, 10, 27, 2, 30)
    early, late = (parse_time(wall.replace(tzinfo=BERLIN, fold=fold), BERLIN, NOW, "timestamp") for fold in (0, 1))
    as_written = [
        parse_time(wall.replace(tzinfo=timezone(timedelta(hours=hours))), BERLIN, NOW, "t") for hours in (2, 1)
    ]
    assert late - early == 3600 * 10**9
    assert [early, late] == as_written


@given(
    st.datetimes(datetime(2000, 1, 2), datetime(2025, 10, 1)),
    st.sampled_from(["Europe/Berlin", "Asia/Kolkata", "America/New_York", "Australia/Lord_Howe"]),
)
def test_a_remembered_day_says_the_same_as_the_zone(wall: datetime, key: str) -> None:
    zone = ZoneInfo(key)
    day = wall_day(zone, wall.date())
    if day is not None:
        assert day.start_ns + (wall - day.start) // MICROSECOND * 1000 == parse_time(wall, zone, NOW, "timestamp")


def test_a_day_on_which_the_clocks_change_is_not_remembered() -> None:
    assert wall_day(BERLIN, date(2025, 3, 30)) is None
    assert wall_day(INDIA, date(1999, 12, 31)) is None
    assert wall_day(INDIA, date.max) is None


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (1, 1.0), (2450.05, 2450.05), (Decimal("2450.05"), 2450.05), ("2450.05", 2450.05), ("1e3", 1000.0),
        ("+.5", 0.5),
        (np.float64(0.1), 0.1), (np.float32(1958.05), 1958.05), (np.float16(0.1), 0.1), (np.int64(7), 7.0),
        (2**53, 2.0**53), (10**23, 1e23), (-3, -3.0), (Decimal("0.1000"), 0.1), ("0", 0.0), (np.uint8(3), 3.0),
    ],
)  # fmt: skip
def test_a_number_is_the_float_of_its_shortest_decimal_form(value: Any, expected: float) -> None:
    assert parse_number(value, "price") == expected


@pytest.mark.parametrize(
    "value",
    [
        True, False, np.bool_(True), None, "", " 1", "1 ", "1_000", "1,000", "abc", "0x10", "١", "1" * 500, b"1", [1],
        1j, 2**53 + 1, Decimal("0.1000000000000000055"), "0.12345678901234567890", 10**400, Decimal("1e-400"),
        Decimal("1e400"),
    ],
)  # fmt: skip
def test_what_is_no_number_or_has_too_many_digits_is_refused(value: Any) -> None:
    with pytest.raises(InvalidValue) as error:
        parse_number(value, "price")
    assert error.value.field == "price"


@pytest.mark.parametrize(
    "value",
    [
        float("nan"), float("inf"), -float("inf"), Decimal("NaN"), Decimal("Infinity"), "nan", "-inf", "Infinity",
        np.float32("nan"), np.float64("inf"),
    ],
)  # fmt: skip
def test_what_is_not_finite_is_refused_by_that_name(value: Any) -> None:
    with pytest.raises(InvalidValue) as error:
        parse_number(value, "ltp", "price")
    assert error.value.code == "price_not_finite"


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_every_float_survives_as_text_and_as_decimal(value: float) -> None:
    assert parse_number(repr(value), "price") == value
    assert parse_number(Decimal(repr(value)), "price") == value


@pytest.mark.parametrize(
    ("timespec", "text"),
    [
        ("auto", "2021-04-12T03:45:00Z"),
        ("milliseconds", "2021-04-12T03:45:00.000Z"),
        ("microseconds", "2021-04-12T03:45:00.000000Z"),
    ],
)
def test_an_instant_is_written_in_utc_with_z(timespec: str, text: str) -> None:
    assert instant_text(datetime(2021, 4, 12, 9, 15, tzinfo=ZoneInfo("Asia/Kolkata")), timespec) == text
