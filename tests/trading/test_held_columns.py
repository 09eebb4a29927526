"""What trades were in the market for, counted in columns: the same as trade by trade, on days of every kind."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading.domain.exit_columns import Groups
from trading.domain.sessions import HOLIDAY, REGULAR, SPECIAL, Calendar, SessionRow
from trading.queries import exposure, held_columns
from trading.queries.exposure import held_by_day
from trading.queries.held_columns import HeldColumns

FIRST, LAST, HOLIDAY_ON, SHORT_ON = (date(2024, 3, day) for day in (11, 22, 14, 19))
WEEKDAYS, DAILY, NIGHTLY = ("NSE", ""), ("BINANCE", ""), ("COMEX", "")
IST, CHICAGO = ZoneInfo("Asia/Kolkata"), ZoneInfo("America/Chicago")  # whose clocks changed on 10 March 2024
OPEN = {"first_date": date(2020, 1, 1), "last_date": None, "weekdays": "12345", "phase": "continuous"}
CALENDARS = {
    WEEKDAYS: Calendar(
        IST,
        (
            SessionRow(kind=REGULAR, opens=time(9, 15), closes=time(15, 30), **OPEN),
            SessionRow(kind=HOLIDAY, first_date=HOLIDAY_ON, last_date=HOLIDAY_ON),
            SessionRow(
                kind=SPECIAL,
                first_date=SHORT_ON,
                last_date=SHORT_ON,
                phase="continuous",
                opens=time(18),
                closes=time(19),
            ),
        ),
    ),
    DAILY: Calendar(ZoneInfo("UTC")),  # never closes
    NIGHTLY: Calendar(CHICAGO, (SessionRow(kind=REGULAR, opens_day_before=time(17), closes=time(16), **OPEN),)),
}
MARKETS = sorted(CALENDARS)
instants = st.integers(0, 14 * 24 * 12).map(
    lambda number: datetime(2024, 3, 10, tzinfo=UTC) + number * timedelta(minutes=5)
)
trades = st.tuples(st.integers(0, 2), instants, instants).filter(lambda trade: trade[1] < trade[2])


@pytest.fixture(autouse=True)
def _calendars(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (exposure, held_columns):
        monkeypatch.setattr(module, "calendar_of", lambda exchange, group: CALENDARS[exchange, group])


def columns_of(carried: list[tuple[int, datetime, datetime]]) -> tuple[HeldColumns, np.ndarray]:
    """Return trades as columns by their days of opening, and their days of closing."""
    days = [[CALENDARS[MARKETS[market]].day_of(at).toordinal() for at in ends] for market, *ends in carried]
    micros = [
        [(at - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1) for at in ends] for _, *ends in carried
    ]
    codes = np.array([market for market, *_ in carried], dtype=np.int64)
    names = Groups(codes, ["a", "b", "c"])
    opened_on, closed_on = np.array(days, dtype=np.int64).reshape(-1, 2).T
    return HeldColumns(
        names, names, MARKETS, codes, opened_on, *np.array(micros, dtype=np.int64).reshape(-1, 2).T
    ), closed_on


def told(columns: HeldColumns) -> list[tuple[str, tuple[str, str], int, int, int]]:
    market = [columns.markets[number] for number in columns.market.tolist()]
    strategy = [columns.strategies.names[number] for number in columns.strategies.codes.tolist()]
    return sorted(
        zip(strategy, market, columns.day.tolist(), columns.start.tolist(), columns.stop.tolist(), strict=True)
    )


@given(st.lists(trades, max_size=20))
def test_what_is_carried_over_days_is_told_in_columns_as_trade_by_trade(
    some: list[tuple[int, datetime, datetime]],
) -> None:
    """Over weekends, a holiday and a session out of hours; on a market that never closes, and on one whose sessions run
    over midnight, so that two of them touch a day; carried into the days and out of them."""
    columns, closed_on = columns_of(some)
    rows = ["abc"[market] for market, *_ in some]
    expected = held_by_day(
        [(name, name, MARKETS[market], *ends) for name, (market, *ends) in zip(rows, some, strict=True)], FIRST, LAST
    )
    assert told(held_columns._carried(columns, closed_on, FIRST, LAST)) == told(HeldColumns.of(expected))
