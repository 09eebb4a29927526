"""When the bars of a file ended: dates, midnights, starts and ends, on days of every kind."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from trading.domain.sessions import CONTINUOUS, REGULAR, SPECIAL, Calendar, SessionRow
from trading.errors import InvalidValue
from trading.feeds.stamps import with_ends
from trading.feeds.ticks import NUMBERS, Ticks

KOLKATA, NEW_YORK, UTC_ZONE = ZoneInfo("Asia/Kolkata"), ZoneInfo("America/New_York"), ZoneInfo("UTC")


def hours(kind: str, opens: time, closes: time, first: date, last: date | None, weekdays: str = "12345") -> SessionRow:
    return SessionRow(
        kind=kind, first_date=first, last_date=last, weekdays=weekdays, phase=CONTINUOUS, opens=opens, closes=closes
    )


MUHURAT = date(2021, 11, 4)
NSE = Calendar(
    KOLKATA,
    (
        hours(REGULAR, time(9, 15), time(15, 30), date(2000, 1, 1), None),
        hours(SPECIAL, time(18, 15), time(19, 15), MUHURAT, MUHURAT, "1234567"),
    ),
)
NYSE = Calendar(NEW_YORK, (hours(REGULAR, time(9, 30), time(16), date(2000, 1, 1), None),))
ALWAYS = Calendar(UTC_ZONE)


def ends(
    stamps: list[str],
    mode: str = "auto",
    *,
    calendar: Calendar = NSE,
    zone: ZoneInfo = KOLKATA,
    written: ZoneInfo | None = None,
) -> tuple[str, list[str]]:
    """What the stamps are read as, and the ends in wall time of the exchange; ``written`` is the zone they mean."""
    moments = [datetime.fromisoformat(stamp).replace(tzinfo=written or zone) for stamp in stamps]
    size = len(stamps)
    columns = {name: np.full(size, np.nan if "volume" in name else 5.0) for name in NUMBERS}
    instants = np.array([int(moment.timestamp()) * 10**9 for moment in moments], dtype=np.int64)
    bars = Ticks(("X",), np.zeros(size, dtype=np.int64), instants, **columns)
    is_date = np.array([len(stamp) == 10 for stamp in stamps], dtype=bool)
    found, (reading,) = with_ends(
        bars, is_date, mode=mode, zone=zone, calendar_of=lambda symbol: calendar, name="x.csv"
    )
    return reading.stamp, [
        datetime.fromtimestamp(instant // 10**9, calendar.zone).isoformat(" ")[:16] for instant in found.time.tolist()
    ]


def minutes(day: str, first: str, last: str, step: int) -> list[str]:
    begin, end = (datetime.fromisoformat(f"{day} {at}") for at in (first, last))
    return [
        (begin + timedelta(minutes=step * n)).isoformat(" ")
        for n in range((end - begin) // timedelta(minutes=step) + 1)
    ]


@pytest.mark.parametrize("mode", ["auto", "start", "end"])
def test_a_date_is_its_day_whatever_is_said(mode):
    assert ends(["2025-01-03", "2025-01-06"], mode) == ("day", ["2025-01-03 15:30", "2025-01-06 15:30"])


@pytest.mark.parametrize(
    ("calendar", "written"), [(NSE, KOLKATA), (NYSE, NEW_YORK), (NYSE, UTC_ZONE), (NSE, UTC_ZONE), (NYSE, KOLKATA)]
)
def test_a_midnight_is_its_day_in_the_zone_in_which_it_is_one(calendar, written):
    close = "15:30" if calendar is NSE else "16:00"
    stamps = ["2025-01-03 00:00:00", "2025-01-06 00:00:00"]
    assert ends(stamps, calendar=calendar, written=written) == ("day", [f"2025-01-0{day} {close}" for day in (3, 6)])


def test_a_midnight_that_is_said_to_be_an_end_stays():
    assert ends(["2025-01-03 00:00:00"], "end") == ("end", ["2025-01-03 00:00"])


def test_a_day_of_an_exchange_that_never_closes_ends_at_the_next_midnight():
    assert ends(["2025-01-04"], calendar=ALWAYS, zone=UTC_ZONE) == ("day", ["2025-01-05 00:00"])
    assert ends(["2025-01-04"]) == ("day", ["2025-01-05 00:00"])  # a Saturday at NSE


def test_weeks_and_months_stand_on_the_day_that_they_are_stamped_with():
    assert ends(["2025-01-06", "2025-01-13"])[1] == ["2025-01-06 15:30", "2025-01-13 15:30"]
    assert ends(["2025-01-01", "2025-02-01", "2025-03-01"])[1][0] == "2025-01-01 15:30"


def test_one_bar_a_day_at_the_open_is_that_day():
    stamps = ["2025-01-03 09:15:00", "2025-01-06 09:15:00"]
    assert ends(stamps) == ends(stamps, "start") == ("day", ["2025-01-03 15:30", "2025-01-06 15:30"])
    assert ends(stamps, "end") == ("end", [stamp[:16] for stamp in stamps])


@pytest.mark.parametrize("step", [1, 5, 15, 30, 60, 75])
def test_a_day_from_the_open_to_a_step_before_the_close_is_stamped_at_its_starts(step):
    starts = minutes("2025-01-03", "09:15", "15:29", step)
    stamp, found = ends(starts)
    assert stamp == "start"
    assert (
        found
        == [min(at[:16], "2025-01-03 15:30") for at in minutes("2025-01-03", "09:15", "16:45", step)][
            1 : len(starts) + 1
        ]
    )


@pytest.mark.parametrize("step", [1, 5, 15])
def test_a_day_that_reaches_the_close_is_stamped_at_its_ends(step):
    first = f"09:{15 + step}"
    stamps = minutes("2025-01-03", first, "15:30", step)
    assert ends(stamps) == ("end", [stamp[:16] for stamp in stamps])


def test_one_day_that_reaches_the_close_outweighs_another():
    stamps = [*minutes("2025-01-03", "09:15", "15:29", 1), *minutes("2025-01-06", "09:16", "15:30", 1)]
    assert ends(stamps)[0] == "end"


def test_a_part_of_a_day_tells_nothing_until_it_is_said():
    stamps = minutes("2025-01-03", "09:15", "09:17", 1)
    assert ends(stamps) == ("end", ["2025-01-03 09:15", "2025-01-03 09:16", "2025-01-03 09:17"])
    assert ends(stamps, "start") == ("start", ["2025-01-03 09:16", "2025-01-03 09:17", "2025-01-03 09:18"])


def test_a_special_evening_has_its_own_hours():
    assert ends(minutes("2021-11-04", "18:15", "19:14", 1))[0] == "start"
    assert ends(["2021-11-04"])[1] == ["2021-11-04 19:15"]


def test_the_day_of_a_clock_change_has_its_open_where_the_clocks_say():
    for day in ("2025-03-10", "2025-11-03"):  # the first trading days after New York's changes
        assert ends(minutes(day, "09:30", "15:59", 1), calendar=NYSE, zone=NEW_YORK)[0] == "start"


def test_a_bar_stamped_outside_the_session_lasts_its_step():
    stamps = [*minutes("2025-01-03", "15:25", "15:29", 1), "2025-01-03 15:40:00"]
    assert ends(stamps, "start")[1][-2:] == ["2025-01-03 15:30", "2025-01-03 15:41"]


def test_one_bar_alone_has_no_length():
    with pytest.raises(InvalidValue, match=r"x\.csv has one bar of X: how long it lasts is not known") as error:
        ends(["2025-01-03 09:15:00"], "start")
    assert error.value.field == "stamp"


def test_last_prices_are_left_alone():
    columns = {name: np.full(2, np.nan) for name in NUMBERS} | {"close": np.array([1.0, 2.0])}
    prices = Ticks(("X",), np.zeros(2, dtype=np.int64), np.array([10**18, 10**18 + 1]), **columns)
    found, readings = with_ends(
        prices, np.array([True, True]), mode="start", zone=KOLKATA, calendar_of=lambda symbol: NSE, name="x.csv"
    )
    assert (found, readings) == (prices, ())
