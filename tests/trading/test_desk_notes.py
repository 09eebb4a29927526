"""The desk's notes over the fortnight of Diwali 2025: weekends, Muhurat, a holiday that is half a day at MCX."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from io import StringIO
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.core.management import CommandError, call_command

from trading import summon
from trading.alerts.day_work import work
from trading.data_manager import DataManager
from trading.domain.desk_notes import Desk, FlatFacts, NoteKind, closing_note, flat_note, schedule
from trading.domain.sessions import DaySession
from trading.health.backups import Backups
from trading.health.faults import BY_KEY, Fault
from trading.health.report import NO_POINTS, HealthLook, HealthReport
from trading.health.state import PartReport
from trading.models import Alert
from trading.notes.facts import notes_of_day
from trading.notes.sending import raise_due_notes
from trading.operations.close_position import close_position
from trading.operations.create_account import create_account
from trading.operations.open_position import open_position
from trading.operations.set_limit import set_limit
from trading.queries.accounts import get_account

pytestmark = pytest.mark.usefixtures("ledger", "alone")

INDIA = ZoneInfo("Asia/Kolkata")
FIRST = date(2025, 10, 13)  # a Monday
DAYS = [FIRST + timedelta(days=number) for number in range(14)]
WELL: PartReport = {"status": "ok", "since": "", "latency_ms": 1.0, "code": "", "detail": "fine", "cure": ""}


def at(day: date, clock: str) -> datetime:
    return datetime.fromisoformat(f"{day} {clock}").replace(tzinfo=INDIA).astimezone(UTC)


def desk_well(now: datetime, **parts: PartReport) -> HealthLook:
    status = "degraded" if parts else "ok"
    whole: HealthReport = {
        "status": status, "checked_at": "", "points": NO_POINTS, "feeds": {},
        "parts": {"ledger": WELL, "feed": WELL, "disk": WELL, "clock": WELL, **parts},
    }  # fmt: skip
    return HealthLook(whole, Backups(now - timedelta(hours=9), None, 7))


def traded(trade_id: str, symbol: str, opened: datetime, closed: datetime | None, price: int = 101) -> None:
    name = ("main", trade_id, "ema cross", symbol)
    open_position(*name, entry_price=100, quantity=10, entry_time=opened)
    if closed is not None:
        close_position(*name, exit_price=price, exit_time=closed, charges=1)


def told(now: datetime) -> list[str]:
    """Let a process that knows nothing look at the clock; return the first line of each note that it raised."""
    before = set(Alert.objects.values_list("pk", flat=True))
    count = raise_due_notes(desk_well, now=now)
    if count:
        assert raise_due_notes(desk_well, now=now) == 0  # and so does one that begins anew
    alerts = Alert.objects.exclude(pk__in=before).order_by("pk")
    assert len(alerts) == count
    return [alert.text.splitlines()[0] for alert in alerts]


def test_a_ready_waits_for_a_fault_that_may_pass_by_itself_and_for_no_other(settings: Any) -> None:
    slow, full = BY_KEY["store/slow"], BY_KEY["disk/disk_full"]
    found: dict[str, PartReport] = {}

    def look(now: datetime) -> HealthLook:
        return desk_well(now, **found)

    def found_since(fault: Fault, clock: str) -> None:
        found[fault.part] = {**WELL, "status": fault.status, "code": fault.code, "since": at(FIRST, clock).isoformat()}

    found_since(slow, "09:00")
    assert raise_due_notes(look, now=at(FIRST, "09:00:20")) == 0  # held for a minute before it is alarmed
    found.clear()
    assert raise_due_notes(look, now=at(FIRST, "09:00:40")) == 1
    assert Alert.objects.get().text.startswith("Ready")
    day = FIRST + timedelta(days=1)
    found_since(slow, "09:00")
    assert raise_due_notes(look, now=at(day, "09:00")) == 1  # it has lasted since yesterday
    day += timedelta(days=1)
    found.clear()
    found_since(full, "09:00")
    found["disk"]["since"] = at(day, "09:00").isoformat()
    assert raise_due_notes(look, now=at(day, "09:00")) == 1
    day += timedelta(days=1)
    found.clear()
    found_since(slow, "09:00")
    for seconds, count in ((0, 0), (359, 0), (360, 1)):  # one that comes and goes is waited for so long and not longer
        now = at(day, "09:00") + timedelta(seconds=seconds)
        found["store"]["since"] = now.isoformat()
        assert raise_due_notes(look, now=now) == count
    assert [alert.text[:9] for alert in Alert.objects.order_by("pk")[1:]] == ["NOT READY"] * 3


def clocks(notes: Sequence[Any]) -> list[tuple[str, str]]:
    return [(str(note.kind), f"{note.due_at.astimezone(INDIA):%d %H:%M}") for note in notes]


@pytest.mark.ledger
def test_each_note_of_a_fortnight_is_told_once_at_its_time_and_nothing_on_closed_days() -> None:
    main = get_account("main")
    traded("seed", "RELIANCE", at(FIRST - timedelta(days=3), "10:00"), at(FIRST - timedelta(days=3), "11:00"))
    assert told(at(FIRST, "03:00")) == ["Flat: account main, 2025-10-10."]  # late, and of use until the next ready
    due: list[datetime] = []
    for day in DAYS:
        due += [note.due_at for note in notes_of_day(main, day)]
    heard: dict[str, list[str]] = {}
    for instant in sorted({*due, *(at(day, clock) for day in DAYS for clock in ("12:00",))}):
        assert told(instant - timedelta(seconds=1)) == []
        if lines := told(instant):
            heard[f"{instant.astimezone(INDIA):%a %d %H:%M}"] = lines
    usual, muhurat_clocks = (("09:00", "Ready"), ("15:40", "Flat")), (("13:30", "Ready"), ("14:55", "Flat"))
    assert [(clock, line.split(":")[0]) for clock, lines in heard.items() for line in lines] == [
        (f"{day:%a %d} {clock}", word)
        for day in DAYS
        if day.weekday() < 5 and day.day != 22
        for clock, word in (muhurat_clocks if day.day == 21 else usual)
    ]
    muhurat = Alert.objects.get(key="note main 2025-10-21 ready").text
    assert "NSE: special session, Muhurat trading, in the afternoon." in muhurat
    assert Alert.objects.filter(kind=Alert.Kind.NOTE, recovered_at=None).count() == len(heard) + 1


@pytest.mark.ledger
def test_open_trades_are_told_before_their_own_session_ends_and_the_last_one_settles_flat() -> None:
    day = date(2025, 10, 22)  # NSE is closed, MCX has its evening
    traded("old", "NSE:RELIANCE", at(FIRST, "10:00"), at(FIRST, "11:00"))
    traded("gold", "MCX:GOLD", at(day - timedelta(days=1), "14:00"), None)
    main = get_account("main")
    assert clocks(notes_of_day(main, day)) == [
        ("ready", "22 16:45"), ("closing", "22 23:15"), ("closing", "22 23:25"), ("flat", "22 23:40"),
    ]  # fmt: skip
    assert clocks(notes_of_day(main, day + timedelta(days=1)))[0] == ("ready", "23 08:45")
    with DataManager(source="feed") as dm:
        dm.process_tick("MCX:GOLD", {"ltp": 98.5}, at=at(day, "23:10"))
    (ready,) = told(at(day, "16:45"))
    assert ready == "Ready: account main, Wednesday 2025-10-22."
    text = Alert.objects.get(key="note main 2025-10-22 ready").text
    assert "NSE: holiday, Diwali Balipratipada." in text
    assert "MCX: special session, Diwali Balipratipada: evening session only." in text
    assert "Carried over: 1." in text and "Backup: 9:00:00 old." in text and "Limits in force: none." in text
    assert told(at(day, "23:15")) == ["1 trade open, 15 min left: account main, until 23:30."]
    assert told(at(day, "23:25")) == ["1 trade open, 5 min left: account main, until 23:30."]
    assert "MCX:GOLD LONG 10 (ema cross gold): -15.00" in Alert.objects.latest("pk").text.replace("−", "-")
    assert told(at(day, "23:40")) == ["NOT FLAT, 1 open: account main, 2025-10-22."]
    assert Alert.objects.latest("pk").kind == Alert.Kind.NOT_FLAT
    assert "/days/2025-10-22/?account=main" in Alert.objects.latest("pk").text


@pytest.mark.ledger
def test_a_session_that_ends_around_midnight_at_the_desk_settles_at_its_last_prices() -> None:
    day = date(2025, 11, 10)  # MCX closes at 23:55 in New York's winter
    create_account(
        "ny", book="live", currency="USD", zone="America/New_York", capital=1000, capital_date=FIRST, by="test"
    )
    opened = at(day, "20:00")
    open_position("main", "gold", "orb", "MCX:GOLD", entry_price=100, quantity=10, entry_time=opened)
    open_position("ny", "index", "orb", "CME:ES", entry_price=100, quantity=10, entry_time=opened)
    with DataManager(source="feed") as dm:
        dm.process_tick("MCX:GOLD", {"ltp": 98.5}, at=at(day, "23:50"))
    with DataManager(source="far feed", account="ny") as dm:
        dm.process_tick("CME:ES", {"ltp": 101}, at=at(day, "23:50"))
    after = day + timedelta(days=1)
    for account, clock, line in (
        ("main", "00:05", "MCX:GOLD LONG 10 (orb gold): -15.00"),
        ("ny", "03:40", "CME:ES LONG 10 (orb index): 10.00"),
    ):
        told(at(after, clock))
        assert line in Alert.objects.get(key=f"note {account} {day} flat").text
    close_position("main", "gold", "orb", "MCX:GOLD", exit_price=99, exit_time=at(after, "10:00"))
    output = StringIO()
    with pytest.raises(SystemExit):
        call_command("day_note", "--kind", "flat", "--day", str(day), stdout=output)
    assert "MCX:GOLD LONG 10 (orb gold): P&L not known" in output.getvalue()  # long past: as the day ended


@pytest.mark.ledger
def test_what_was_missed_is_told_late_only_while_it_is_of_use() -> None:
    friday, monday = date(2025, 10, 17), date(2025, 10, 20)
    traded("T1", "RELIANCE", at(friday, "10:00"), at(friday, "11:00"), 90)
    traded("T2", "RELIANCE", at(friday, "10:05"), None)
    assert told(at(friday, "11:30")) == ["Ready: account main, Friday 2025-10-17."]  # the machine came up late
    assert "it is open" in Alert.objects.latest("pk").text
    assert told(at(friday, "15:26")) == [
        "1 trade open, 4 min left: account main, until 15:30."
    ]  # the first is past use
    assert told(at(friday, "15:31")) == []
    assert told(at(friday + timedelta(days=1), "12:00")) == ["NOT FLAT, 1 open: account main, 2025-10-17."]
    assert told(at(monday, "08:59")) == []
    assert told(at(monday, "16:00")) == ["NOT FLAT, 1 open: account main, 2025-10-20."]  # its ready is past use


@pytest.mark.ledger
def test_a_flat_note_says_what_the_day_brought_and_what_is_missing() -> None:
    for number, price in enumerate((104, 97, 101)):
        traded(f"T{number}", "RELIANCE", at(FIRST, f"10:0{number}"), at(FIRST, "11:00"), price)
    set_limit("main", "trades", 2, by="asha", reason="rule", now=at(FIRST, "09:00"))
    assert told(at(FIRST, "15:40")) == ["Flat: account main, 2025-10-13."]
    text = Alert.objects.latest("pk").text
    for words in (
        "P&L after known charges, INR: 17.00.", "ema cross: 17.00", "Best T0 39.00, worst T1", "of 3 closed",
        "Without a stop: 3 (T0, T1, T2).", "To review: 3.",
    ):  # fmt: skip
        assert words in text, text
    fault: PartReport = {**WELL, "status": "degraded", "detail": "5 GB left.", "cure": "Make room."}
    assert raise_due_notes(lambda now: desk_well(now, disk=fault), now=at(FIRST + timedelta(days=1), "09:00")) == 1
    text = Alert.objects.latest("pk").text
    assert text.startswith("NOT READY: account main") and "disk degraded: 5 GB left. Do: Make room." in text
    assert "Trades opened on the day (account): 0 of 2, within" in text


def test_replays_and_demos_are_told_to_nobody() -> None:
    traded("T1", "RELIANCE", at(FIRST, "10:00"), None)
    open_position("replay", "R1", "orb", "TCS", entry_price=1, quantity=1, entry_time=at(FIRST, "10:00"))
    assert {line.split("account ")[1][:4] for line in told(at(FIRST, "15:41"))} == {"main"}


def test_without_a_session_there_is_no_note() -> None:
    assert list(schedule(FIRST, [], [], None)) == []
    session = DaySession(FIRST, at(FIRST, "09:15"), at(FIRST, "15:30"))
    kinds = [note.kind for note in schedule(FIRST, [session], [], None)]
    assert kinds == [NoteKind.READY, NoteKind.FLAT]


def test_the_texts_follow_from_facts_and_clock_alone() -> None:
    desk = Desk("main", "INR", INDIA)
    closes = at(FIRST, "15:30")
    assert closing_note(desk, closes, [], now=closes - timedelta(seconds=61)).verdict.startswith("0 trades open, 2 min")
    facts = FlatFacts([], {}, Decimal(0), [], [f"T{n}" for n in range(12)], 3, 0, ["TCS 10:00–10:05"], "http://x/")
    note = flat_note(desk, FIRST, facts)
    assert note.is_fine and "Without a stop: 12 (T0, T1, T2, T3, T4, T5, T6, T7, T8, T9, ...)." in note.lines
    assert "Without known charges: 3." in note.lines and "TCS 10:00–10:05" in note.lines


def test_the_command_tells_a_note_as_it_would_be_told_now() -> None:
    def answered(*arguments: str) -> tuple[dict[str, Any], int]:
        output, code = StringIO(), 0
        try:
            call_command("day_note", *arguments, "--format", "json", stdout=output, stderr=StringIO())
        except SystemExit as end:
            code = int(str(end.code))
        return dict(json.loads(output.getvalue())), code

    traded("T1", "RELIANCE", at(FIRST, "10:00"), at(FIRST, "11:00"))
    flat, code = answered("--kind", "flat", "--day", str(FIRST))
    assert (flat["verdict"], flat["fine"], code) == ("Flat: account main, 2025-10-13.", True, 0)
    assert flat["due_at"] == "2025-10-13T10:10:00Z"
    ready, _ = answered("--kind", "ready", "--day", str(FIRST))
    assert "account main, Monday 2025-10-13." in ready["verdict"] and ready["lines"]
    closing, code = answered("--kind", "closing", "--day", str(FIRST))
    assert code == 0 and closing["verdict"] == "Nothing is open: account main, 2025-10-13."
    for wrong in (("--kind", "flat", "--day", "2025-10-18"), ("--kind", "ready", "--account", "mine"), ("--kind", "x")):
        with pytest.raises(CommandError):
            call_command("day_note", *wrong, stdout=StringIO(), stderr=StringIO())


def test_whoever_watches_the_desk_raises_notes_and_tells_of_limits_that_no_companion_measures() -> None:
    opened = at(FIRST, "09:20")
    traded("T1", "TCS", opened, at(FIRST, "10:00"))
    set_limit("main", "trades", 1, by="asha", reason="one a day", now=at(FIRST, "09:00"))
    traded("T2", "TCS", at(FIRST, "11:00"), None)
    for _ in range(2):  # and so does one that begins anew
        work(at(FIRST, "15:20"))
        assert set(Alert.objects.values_list("kind", flat=True)) == {"limit", "note"}
    with summon.being_the_companion():  # which measures them by itself
        set_limit("main", "trades", 2, by="asha", reason="two a day", now=at(FIRST, "15:21"))
        set_limit("main", "open_positions", 0, by="asha", reason="none", now=at(FIRST, "15:21"))
        work(at(FIRST, "15:22"))
    assert Alert.objects.filter(kind="limit").count() == 1
    work(at(FIRST, "15:22"))
    assert Alert.objects.filter(kind="limit").count() == 2
