"""When exchanges trade: the data file, the rules, the odd days."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, time
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from trading.domain import sessions
from trading.domain.sessions import Calendar, SessionRow

FILE = Path(sessions.__file__).parents[1] / "data" / "exchange_sessions.json"
INDIA = ZoneInfo("Asia/Kolkata")


def hours(code: str) -> sessions.ExchangeHours:
    return next(given for given in sessions.parse_hours(FILE.read_text()) if given.code == code)


def calendar(code: str, group: str = "") -> Calendar:
    given = hours(code)
    return Calendar(ZoneInfo(given.zone), sessions.rows_for(given.rows, group or given.session_group))


def in_zone(calendar: Calendar, instants: tuple[datetime, ...] | list[datetime]) -> list[str]:
    return [f"{instant.astimezone(calendar.zone):%d %H:%M}" for instant in instants]


@pytest.fixture(scope="module")
def nse() -> Calendar:
    return Calendar(INDIA, sessions.rows_for(hours("NSE").rows, "equity"))


def wall(calendar: Calendar, day: date) -> list[tuple[str, str, str]]:
    return [
        (phase.name, *(f"{at.astimezone(calendar.zone):%H:%M}" for at in (phase.opens_at, phase.closes_at)))
        for phase in calendar.phases(day)
    ]


def test_an_ordinary_day_of_the_nse(nse: Calendar) -> None:
    assert wall(nse, date(2021, 4, 12)) == [
        ("pre_open", "09:00", "09:15"),
        ("continuous", "09:15", "15:30"),
        ("post_close", "15:40", "16:00"),
    ]
    session = nse.continuous(date(2021, 4, 12))
    assert session is not None
    assert session.opens_at == datetime(2021, 4, 12, 3, 45, tzinfo=UTC)
    assert session.closes_at == datetime(2021, 4, 12, 10, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    "day",
    [
        "2021-04-14",
        "2021-04-11",
        "2024-01-22",
        "2025-10-22",
        "2026-11-10",
        "2023-06-29",
        "2015-09-17",
        "2016-04-15",
        "2017-06-26",
        "2018-09-20",
        "2019-04-29",
        "2019-10-21",
        "2020-04-10",
        "2020-05-25",
    ],
)
def test_weekends_and_holidays_are_closed(nse: Calendar, day: str) -> None:
    assert nse.phases(date.fromisoformat(day)) == []
    assert not nse.is_trading_day(date.fromisoformat(day))


@pytest.mark.parametrize(
    ("day", "opens", "closes"),
    [
        ("2021-11-04", "18:15", "19:15"),  # Muhurat on a holiday
        ("2023-11-12", "18:15", "19:15"),  # Muhurat on a Sunday
        ("2025-10-21", "13:45", "14:45"),  # Muhurat in the afternoon
        ("2024-01-20", "09:15", "15:30"),  # a full Saturday
        ("2026-02-01", "09:15", "15:30"),  # a budget on a Sunday
        ("2024-03-02", "09:15", "12:30"),  # two short sessions: first opening to last close
        ("2021-02-24", "09:15", "17:00"),  # an outage, then longer
        ("2015-02-28", "09:15", "15:30"),  # a budget on a Saturday
        ("2015-11-11", "17:45", "18:45"),
        ("2016-10-30", "18:30", "19:30"),
        ("2017-10-19", "18:30", "19:30"),
        ("2018-11-07", "17:30", "18:30"),
        ("2019-10-27", "18:15", "19:15"),
        ("2020-02-01", "09:15", "15:30"),
        ("2020-11-14", "18:15", "19:15"),  # Muhurat on a Saturday
    ],
)
def test_special_sessions_win_over_holiday_and_weekend(nse: Calendar, day: str, opens: str, closes: str) -> None:
    session = nse.continuous(date.fromisoformat(day))
    assert session is not None
    assert [f"{at.astimezone(INDIA):%H:%M}" for at in (session.opens_at, session.closes_at)] == [opens, closes]


@pytest.mark.parametrize(
    ("year", "count"),
    [
        *((2015, 248), (2016, 247), (2017, 248), (2018, 246), (2019, 245), (2020, 252)),
        *((2021, 248), (2022, 248), (2023, 246), (2024, 249), (2025, 249)),
    ],
    ids=lambda value: str(value),
)
def test_the_years_have_as_many_trading_days_as_the_exchange_counted(nse: Calendar, year: int, count: int) -> None:
    assert len(nse.trading_days(date(year, 1, 1), date(year, 12, 31))) == count


def test_bse_keeps_the_same_days_but_its_own_hours_on_the_day_of_the_outage(nse: Calendar) -> None:
    bse = Calendar(INDIA, sessions.rows_for(hours("BSE").rows, "equity"))
    span = date(2021, 1, 1), date(2026, 12, 31)
    assert bse.trading_days(*span) == nse.trading_days(*span)
    assert len(bse.phases(date(2021, 2, 24))) == 2


def test_a_group_has_its_own_regular_hours_and_the_holidays_of_all() -> None:
    auction = Calendar(INDIA, sessions.rows_for(hours("NSE").rows, "equity_cas"))
    assert ("continuous", "09:15", "15:30") in wall(auction, date(2026, 7, 31))
    assert wall(auction, date(2026, 8, 3))[1:] == [
        ("continuous", "09:15", "15:15"),
        ("closing_auction", "15:15", "15:35"),
    ]
    assert not auction.is_trading_day(date(2026, 11, 10))


def test_a_group_without_hours_of_its_own_never_closes() -> None:
    assert sessions.rows_for(hours("NSE").rows, "nights") == ()
    always = Calendar(INDIA)
    assert always.continuous(date(2021, 4, 11)) is None
    assert always.is_trading_day(date(2021, 4, 11))
    assert always.bounds(date(2021, 4, 11))[0] == datetime(2021, 4, 10, 18, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("now", "day"),
    [
        ("2021-04-12T15:29:59+05:30", date(2021, 4, 9)),
        ("2021-04-12T15:30:00+05:30", date(2021, 4, 12)),
        ("2021-04-14T12:00:00+05:30", date(2021, 4, 13)),
        ("2021-11-08T08:00:00+05:30", date(2021, 11, 4)),
    ],
)
def test_the_last_completed_session_has_closed(nse: Calendar, now: str, day: date) -> None:
    assert nse.last_completed(datetime.fromisoformat(now)).day == day


def test_where_nothing_closes_yesterday_is_complete() -> None:
    now = datetime(2021, 4, 12, 3, 0, tzinfo=UTC)
    assert Calendar(INDIA).last_completed(now).day == date(2021, 4, 11)


def test_the_trading_day_is_the_date_in_the_exchanges_zone() -> None:
    assert sessions.trading_day(datetime(2021, 4, 11, 18, 29, tzinfo=UTC), INDIA) == date(2021, 4, 11)
    assert sessions.trading_day(datetime(2021, 4, 11, 18, 30, tzinfo=UTC), INDIA) == date(2021, 4, 12)


def test_a_day_keeps_its_length_when_the_clocks_change() -> None:
    new_york = ZoneInfo("America/New_York")
    row = SessionRow(
        kind="REGULAR",
        first_date=date(2020, 1, 1),
        last_date=None,
        weekdays="12345",
        phase="continuous",
        opens=time(9, 30),
        closes=time(16),
    )
    calendar = Calendar(new_york, (row,))
    friday, monday = calendar.continuous(date(2021, 3, 12)), calendar.continuous(date(2021, 3, 15))
    assert friday is not None and monday is not None
    assert (friday.opens_at.hour, monday.opens_at.hour) == (14, 13)
    start, stop = calendar.bounds(date(2021, 3, 14))
    assert (stop - start).total_seconds() == 23 * 3600


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("exchanges", "NSE", "zone"), "Asia/Nowhere"),
        (("exchanges", "NSE", "holidays"), "nowhere"),
        (("regular", "india_equity", 2, "phases", 1), ["continuous", "15:30", "09:15"]),
        (("regular", "india_equity", 2, "phases", 1, 0), "lunch"),
        (("regular", "india_equity", 2, "phases", 1), ["continuous", "previous 09:15", "15:30"]),
        (("regular", "india_equity", 2, "weekdays"), "MTWTF"),
        (("regular", "india_equity", 2, "from"), "18.10.2010"),
    ],
)
def test_a_wrong_file_is_refused_and_names_the_exchange(path: tuple[str | int, ...], value: object) -> None:
    content = json.loads(FILE.read_text())
    place = content
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    with pytest.raises(ValueError, match="NSE"):
        sessions.parse_hours(json.dumps(content))


@pytest.mark.parametrize(
    ("day", "closes"),
    [
        ("2026-11-26", "23:55"),  # New York has winter time
        ("2026-10-30", "23:30"),
        ("2026-11-02", "23:55"),  # the Monday after its clocks changed
        ("2026-03-09", "23:30"),
        ("2020-04-08", "17:00"),
        ("2031-05-05", "23:55"),  # beyond the listed years the last rule holds
    ],
)
def test_the_commodity_exchange_closes_late_and_with_new_yorks_clock(day: str, closes: str) -> None:
    mcx = calendar("MCX")
    assert wall(mcx, date.fromisoformat(day)) == [("continuous", "09:00", closes)]


def test_the_commodity_exchange_has_days_of_the_evening_alone_and_groups_that_close_early() -> None:
    assert wall(calendar("MCX"), date(2026, 11, 24)) == [("continuous", "17:00", "23:55")]
    assert wall(calendar("MCX"), date(2026, 1, 1)) == [("continuous", "09:00", "17:00")]
    assert wall(calendar("MCX", "commodity_agri"), date(2026, 11, 26)) == [("continuous", "09:00", "17:00")]
    assert wall(calendar("MCX", "commodity_agri_global"), date(2026, 11, 26)) == [("continuous", "09:00", "21:00")]
    assert not calendar("MCX").is_trading_day(date(2026, 10, 2))


@pytest.mark.parametrize(
    ("code", "opens", "closes"), [("NFO", "09:15", "15:40"), ("BFO", "09:15", "15:40"), ("CDS", "09:00", "17:00")]
)
def test_the_derivatives_of_the_exchanges_have_their_own_hours(code: str, opens: str, closes: str) -> None:
    assert wall(calendar(code), date(2026, 11, 26)) == [("continuous", opens, closes)]
    assert not calendar(code).is_trading_day(date(2026, 11, 10))


class TestASessionOverMidnight:
    """CME: Sunday to Friday from 18:00 to 17:00 of the next day in New York. 16 November 2026 is a Monday."""

    cme = calendar("CME")

    def test_it_belongs_to_the_day_on_which_it_closes(self) -> None:
        monday = self.cme.continuous(date(2026, 11, 16))
        assert monday is not None
        assert in_zone(self.cme, [monday.opens_at, monday.closes_at]) == ["15 18:00", "16 17:00"]
        assert self.cme.continuous(date(2026, 11, 15)) is None
        days = self.cme.trading_days(date(2026, 11, 14), date(2026, 11, 22))
        assert days == [date(2026, 11, day) for day in (16, 17, 18, 19, 20)]

    @pytest.mark.parametrize(
        ("day", "spans"),
        [
            (14, []),
            (15, [("15 18:00", "16 00:00")]),
            (16, [("16 00:00", "16 17:00"), ("16 18:00", "17 00:00")]),
            (20, [("20 00:00", "20 17:00")]),
        ],
    )
    def test_a_date_has_a_part_of_two_sessions(self, day: int, spans: list[tuple[str, str]]) -> None:
        assert [tuple(in_zone(self.cme, span)) for span in self.cme.open_spans(date(2026, 11, day))] == spans

    @pytest.mark.parametrize(
        ("at", "named"), [("16T17:30", None), ("16T18:00", 17), ("17T00:30", 17), ("14T12:00", None), ("15T19:00", 16)]
    )
    def test_the_session_of_an_instant_is_found_on_both_sides_of_midnight(self, at: str, named: int | None) -> None:
        instant = datetime.fromisoformat(f"2026-11-{at}").replace(tzinfo=self.cme.zone)
        session = self.cme.session_at(instant)
        assert (session and session.day.day) == named

    @pytest.mark.parametrize(
        ("day", "restarts"),
        [
            (16, ["15 18:00", "16 18:00"]),
            (20, ["19 18:00"]),
            (21, ["19 18:00"]),  # a Saturday: nothing starts until Sunday evening
            (22, ["19 18:00", "22 18:00"]),
        ],
    )
    def test_the_volume_of_the_day_starts_anew_at_its_open(self, day: int, restarts: list[str]) -> None:
        assert in_zone(self.cme, self.cme.volume_restarts(date(2026, 11, day))) == restarts

    def test_when_the_clocks_change_it_opens_by_the_wall(self) -> None:
        spans = self.cme.open_spans(date(2026, 11, 1))
        assert in_zone(self.cme, [opens for opens, _ in spans]) == ["01 18:00"]
        assert spans[0][0] == datetime(2026, 11, 1, 23, tzinfo=UTC)


def test_where_no_session_runs_over_midnight_the_volume_starts_with_the_date(nse: Calendar) -> None:
    for given in (nse, Calendar(INDIA)):
        assert in_zone(given, given.volume_restarts(date(2026, 11, 26))) == ["26 00:00"]
        assert in_zone(given, given.volume_restarts(date(2026, 11, 28))) == ["28 00:00"]  # a Saturday


def test_a_venue_that_never_closes_may_start_its_volume_in_the_morning_of_another_zone() -> None:
    row = SessionRow(
        kind="REGULAR",
        first_date=date(2020, 1, 1),
        last_date=None,
        phase="continuous",
        opens_day_before=time(5, 30),
        closes=time(5, 30),
    )
    venue = Calendar(INDIA, (row,))
    assert in_zone(venue, venue.volume_restarts(date(2026, 11, 26))) == ["25 05:30", "26 05:30"]
    assert [in_zone(venue, span) for span in venue.open_spans(date(2026, 11, 26))] == [
        ["26 00:00", "26 05:30"],
        ["26 05:30", "27 00:00"],
    ]
