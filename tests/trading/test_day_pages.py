"""The calendar and the page of a day: the commands' own figures, one account, notes, and a fixed number of queries."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal
from functools import partial
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection
from django.test import Client

from tests import page_desk
from tests.trading.desk import make, plans
from tests.trading.test_web_pages import Read, queries, read, words
from trading.domain import amounts
from trading.models import Account, DayNote, FeedGap
from trading.operations.publish_daily_summary import publish_daily_summary
from trading.operations.write_day_note import write_day_note
from trading.queries import exposure
from trading.queries.accounts import get_account
from trading.queries.daily_summary import latest_day
from trading.queries.day_record import day_curve
from trading.queries.exposure import held_over
from trading.queries.held_columns import HeldColumns, held_as_columns
from trading.queries.month_calendar import CalendarDay, months
from trading.queries.parts import exits_as_columns
from trading.queries.statistics import Cut
from trading.web.kept_day import kept_latest_day

__all__ = ["read"]

pytestmark = pytest.mark.usefixtures("ledger")

DAY = page_desk.DAY.date()
PAGE = f"/days/{DAY}/"


@pytest.fixture
def main(ledger: None) -> Account:
    return get_account("main")


def answered(command: str, *arguments: str) -> Any:
    output = StringIO()
    call_command(command, *arguments, "--format", "json", stdout=output, stderr=StringIO())
    return json.loads(output.getvalue())


def squares(account: Account, month: date) -> Iterator[CalendarDay]:
    yield from (square for week in months(account, month, 1)[0].weeks for square in week.days)


@pytest.mark.ledger
def test_the_calendar_shows_the_days_weeks_and_months_of_the_report(read: Read, main: Account) -> None:
    for plan in plans(40):
        make(plan)
    april, may = date(2021, 4, 1), date(2021, 5, 1)
    by = answered("strategy_report", "--from", "2021-03-29", "--to", "2021-06-06")["by"]
    shown = months(main, may, 2)
    assert [month.first for month in shown] == [may, april]
    pnls: dict[str, dict[str, Decimal]] = {"day": {}, "week": {}, "month": {}}
    for month in shown:
        if month.totals:
            pnls["month"][month.totals["key"]] = month.totals["total_pnl"]
        for week in month.weeks:
            if week.totals:
                pnls["week"][week.key] = week.totals["total_pnl"]
                assert week.totals["total_pnl"] == sum(day.totals["total_pnl"] for day in week.days if day.totals)
            pnls["day"] |= {day.day.isoformat(): day.totals["total_pnl"] for day in week.days if day.totals}
    for cut, sums in pnls.items():
        assert sums == {row["key"]: Decimal(row["total_pnl"]) for row in by[cut]}, cut
    page = read("/calendar/", month="2021-05")
    for cut, sums in pnls.items():
        for pnl in sums.values():
            assert amounts.money_text(pnl, "INR", signed=True) in page
            assert cut == "month" or amounts.short(pnl, "INR") in page


def test_a_square_says_by_sign_colour_and_depth_how_its_day_went(read: Read, main: Account) -> None:
    page_desk.trades(12)
    (traded,) = (square for square in squares(main, DAY) if square.totals)
    assert (traded.day, traded.strength) == (DAY, 3)
    page = read("/calendar/")
    tone = amounts.tone(traded.totals["total_pnl"] if traded.totals else None)
    assert f'class="square {tone} strength-3"><a href="{PAGE}"' in page
    assert 'href="/calendar/?month=2023-12"' in page or 'href="?month=2023-12"' in page


def test_a_calendar_of_nothing_says_what_fills_it(read: Read) -> None:
    page = words(read("/calendar/", month="2024-03"))
    assert "a square is filled when a trade closes on its day" in page
    assert page.count("nothing realised") > 60
    assert "February 2024" in page and "January 2024" in page


@pytest.mark.parametrize("month", ["2024-13", "2024-3", "x", "1999-12", "9999-01", "2024-W1-1"])
def test_a_month_that_is_none_is_a_page_that_says_so(client: Client, month: str) -> None:
    client.force_login(page_desk.member("viewer"))
    assert client.get("/calendar/", {"month": month}).status_code == 404


@pytest.mark.ledger
def test_the_day_shows_the_figures_of_the_daily_summary(read: Read, main: Account) -> None:
    page_desk.trades(12)
    page_desk.skipped(2)
    summary = answered("daily_summary", "--date", DAY.isoformat())
    page, total = words(read(PAGE)), summary["total"]
    for row in [*summary["strategies"], total]:
        for key in ("total_pnl", "gross_pnl", "expectancy"):
            assert amounts.money_text(Decimal(row[key]), "INR", signed=True) in page, key
        assert amounts.money_text(Decimal(row["max_drawdown"]), "INR") in page
    assert (
        f"Trades closed {total['total_trades']} {total['winning_trades']} won · {total['losing_trades']} lost" in page
    )
    assert day_curve(main, DAY).points[-1].pnl == Decimal(total["total_pnl"])
    assert "2 skipped" in page and "spread too wide" in page
    assert "Version 1" in page and "It says what the trades say now." in page
    page_desk.trades(1, first=50)
    assert "The trades no longer say what was published" in words(read(PAGE))


def test_the_curve_goes_from_nothing_through_every_exit(read: Read, main: Account) -> None:
    page_desk.trades(5)
    curve = day_curve(main, DAY)
    assert curve.is_timed and len(curve.points) == 5
    assert [point.at for point in curve.points] == sorted(point.at for point in curve.points)
    drawn = re.search(r'<polyline points="([^"]+)"', read(PAGE))
    assert drawn is not None
    corners = [tuple(map(float, pair.split(","))) for pair in drawn[1].split(" ")]
    assert len(corners) == 1 + 2 * len(curve.points)
    assert corners[0][0] == 0 and corners[-1][0] == 1000
    assert {y for _, y in corners} >= {0.0, 100.0}


@pytest.mark.ledger
def test_what_is_carried_through_days_is_in_each_of_them_and_asked_for_by_an_index(main: Account) -> None:
    days = [page_desk.DAY + timedelta(days=number) for number in (-1, 0, 3, 4)]  # Thursday to Tuesday
    opens, at = timedelta(hours=3, minutes=45), timedelta(hours=5)
    for name, first, last in (("within", 1, 1), ("into", 0, 1), ("out of", 1, 2), ("through", 0, 3), ("after", 2, 3)):
        page_desk.closed_trade(name, days[first] + at, days[last] + at + timedelta(minutes=1))
    page_desk.open_trade()
    held = held_over(Cut(main), DAY, DAY)
    session = page_desk.DAY + opens, page_desk.DAY + timedelta(hours=10)
    assert sorted(stretch.span for stretch in held) == sorted(
        [
            (page_desk.DAY + at, page_desk.DAY + at + timedelta(minutes=1)),
            (session[0], page_desk.DAY + at + timedelta(minutes=1)),
            (page_desk.DAY + at, session[1]),
            session,
            (page_desk.OPENING + timedelta(hours=5), session[1]),
        ]
    )
    for first, last in ((0, 1), (1, 1), (1, 2), (2, 3), (0, 3)):
        begins, ends = days[first].date(), days[last].date()
        columns = held_as_columns(Cut(main), begins, ends, partial(exits_as_columns, Cut(main), begins, ends))
        rows = HeldColumns.of(held_over(Cut(main), begins, ends))
        spans, expected = (sorted(zip(of.day, of.start, of.stop, strict=True)) for of in (columns, rows))
        assert spans == expected, (begins, ends)
    if connection.vendor == "sqlite":  # PostgreSQL reads a small table whole
        assert "trade_overnight" in exposure._rows_touching(Cut(main), DAY, DAY, is_open=False).explain()


def test_a_trade_that_is_booked_ahead_of_time_makes_its_day_the_latest_once_it_has_come(main: Account) -> None:
    ahead = page_desk.DAY + timedelta(days=3, hours=5)
    page_desk.trades(1)
    page_desk.closed_trade("ahead", ahead, ahead + timedelta(minutes=5))
    instants = [
        page_desk.DAY + timedelta(days=1),
        ahead - timedelta(seconds=1),
        ahead,
        page_desk.DAY + timedelta(days=2),
    ]
    seen = [kept_latest_day(main, now=now) for now in instants]
    assert seen == [latest_day(main, now=now) for now in instants] == [DAY, DAY, ahead.date(), DAY]


def test_a_page_of_a_past_day_follows_what_is_booked_and_written_about_it(read: Read, main: Account) -> None:
    page_desk.trades(2)
    assert "Trades closed 2" in words(read(PAGE))
    page_desk.trades(1, first=3)
    write_day_note(main, DAY, "too early", by="asha", after=0)
    page = words(read(PAGE))
    assert "Trades closed 3" in page
    assert "too early" in page


def test_a_day_without_anything_says_what_fills_each_part(read: Read) -> None:
    page = words(read("/days/2024-03-13/"))
    for sentence in (
        "the curve is drawn from its exits",
        "No strategy traded or held anything",
        "No trade was opened or closed on this day",
        "dm.record_signal",
        "Nobody has written about this day yet",
        "manage.py daily_summary --date 2024-03-13",
        "the companion reviews the feeds",
    ):
        assert sentence in page, sentence


def test_the_gaps_of_the_day_are_those_of_the_report(read: Read, main: Account) -> None:
    page_desk.trades(2)
    at = page_desk.OPENING + timedelta(hours=1)
    FeedGap.objects.create(account=main, symbol="INFY", day=DAY, starts_at=at, ends_at=at + timedelta(seconds=95))
    assert answered("excursions", "--from", str(DAY), "--to", str(DAY))["gaps"][0]["seconds"] == 95
    assert "INFY 10:20:00 – 10:21:35 · 0:01:35" in words(read(PAGE))


@pytest.mark.parametrize("name", ["x", "2024-02-30", "1999-12-31", "2999-01-01", "2090-01-01", "%00", "9" * 400])
def test_a_day_that_is_none_or_has_not_begun_is_a_page_that_says_so(client: Client, name: str) -> None:
    client.force_login(page_desk.member("viewer"))
    assert client.get(f"/days/{name}/").status_code == 404


@pytest.mark.ledger
def test_a_reviewer_writes_the_note_and_a_viewer_reads_it(client: Client, main: Account) -> None:
    client.force_login(page_desk.member("reviewer"))
    first = {"text": "Gap up.\r\nToo early. <b>", "after": "0"}
    assert client.post(PAGE, first)["Location"] == f"{PAGE}#note"
    client.post(PAGE, {"text": "Gap up. Patient.", "after": "1"})
    page = client.get(PAGE).content.decode()
    assert "version 2 · reviewer" in words(page) and "Too early. &lt;b&gt;" in page
    assert "2 versions" not in words(page) and "1 version before" in words(page)
    assert [note.text for note in DayNote.objects.order_by("version")] == [
        "Gap up.\nToo early. <b>",
        "Gap up. Patient.",
    ]
    client.force_login(page_desk.member("viewer"))
    assert "Keep the note" not in client.get(PAGE).content.decode()
    assert client.post(PAGE, {"text": "mine", "after": "2"}).status_code == 403
    assert DayNote.objects.count() == 2
    assert "✎" in client.get("/calendar/?month=2024-03").content.decode()


def test_what_two_people_write_at_once_loses_neither(client: Client, main: Account) -> None:
    write_day_note(main, DAY, "of asha", by="asha")
    client.force_login(page_desk.member("operator"))
    answer = client.post(PAGE, {"text": "of the operator", "after": "0"})
    page = answer.content.decode()
    assert answer.status_code == 400
    assert "asha has written version 1 meanwhile" in page
    assert "of asha" in page and "of the operator</textarea>" in page
    assert 'name="after" value="1"' in page
    client.post(PAGE, {"text": "of both", "after": "1"})
    assert [note.text for note in DayNote.objects.order_by("version")] == ["of asha", "of both"]


@pytest.mark.ledger
def test_no_page_of_a_day_mixes_two_accounts(client: Client, read: Read) -> None:
    page_desk.trades(3)
    page_desk.trades(2, account="replay", first=901)
    write_day_note(get_account("replay"), DAY, "of the replay", by="asha")
    publish_daily_summary(get_account("replay"), DAY)
    of_main, of_replay = read(PAGE), read(PAGE, account="replay")
    for text in ("T901", "of the replay", "Version 1"):
        assert text not in of_main and text in of_replay, text
    assert re.search(r"\bT1\b", of_main) and not re.search(r"\bT1\b", of_replay)
    assert f'href="{PAGE}?account=replay"' in of_main
    assert "✎" not in read("/calendar/").split("</table>")[0]
    assert f'href="{PAGE}?account=replay"' in read("/calendar/", account="replay")


def test_the_number_of_queries_does_not_follow_the_days_the_trades_or_the_notes(read: Read, main: Account) -> None:
    page_desk.trades(2)
    page_desk.skipped(1)
    few = queries(read, "/calendar/"), queries(read, PAGE)
    assert few[0] <= 16 and few[1] <= 34, few
    page_desk.trades(9, first=3)
    page_desk.skipped(6)
    page_desk.open_trade()
    for text in ("one", "two", "three"):
        write_day_note(main, DAY, text, by="asha")
    publish_daily_summary(main, DAY)
    assert (queries(read, "/calendar/"), queries(read, PAGE)) == few


@pytest.mark.parametrize(
    ("figure", "currency", "shown"),
    [
        ("120000", "INR", "+1.2L"),
        ("-34250.5", "INR", "−34k"),
        ("99800", "INR", "+1L"),
        ("99400", "INR", "+99k"),
        ("123456789", "INR", "+12Cr"),
        ("1234567", "USD", "+1.2M"),
        ("-999600", "USD", "−1M"),
        ("437.49", "INR", "+437"),
        ("-4.25", "INR", "−4.2"),
        ("0.0004", "INR", "+0.0004"),
        ("0", "INR", "0"),
        (None, "INR", "—"),
    ],
)
def test_an_amount_is_short_enough_for_a_square(figure: str | None, currency: str, shown: str) -> None:
    assert amounts.short(None if figure is None else Decimal(figure), currency) == shown
