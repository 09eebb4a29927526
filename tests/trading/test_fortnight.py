"""VELOX's own alerts over a fortnight of a desk that is well, and over faults that come and go: the clock is simulated.

Prometheus' rules have the same fortnight and the same faults in `promtool test rules` (tests/ops).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.conf import settings as django_settings
from django.db import connection, connections

from tests.redis_server import RedisServer
from tests.trading.fault_makers import MAKERS, Room, https, later, trade
from timeseries import presence, wiring
from timeseries.recording.recorder import Recorder
from trading import intake, summon
from trading.alerts.judge import OVER, fault_notices
from trading.alerts.watch import DeskWatch
from trading.domain.sessions import CONTINUOUS, HOLIDAY, SPECIAL
from trading.health import faults, integrity
from trading.health import report as module
from trading.health.faults import BY_KEY
from trading.health.report import report
from trading.hot import cache
from trading.hot.breaker import Breaker
from trading.models import Alert, AlertDelivery, Exchange, ExchangeSession, FollowerCursor, JournalHead
from trading.operations.back_up import back_up
from trading.operations.deliver_alerts import queue_deliveries
from trading.queries.sessions import calendar_of

INDIA = ZoneInfo("Asia/Kolkata")
FIRST_DAY, DAYS = date(2026, 2, 2), 14  # from a Monday on
HOLIDAY_DATE, HALF_DAY, SPECIAL_DATE = date(2026, 2, 4), date(2026, 2, 12), date(2026, 2, 14)  # the last a Saturday
LOOK = timedelta(seconds=10)


@pytest.fixture
def room(ledger: Any, alone: None, redis: RedisServer, settings: Any, tmp_path: Path) -> Iterator[Room]:
    settings.LOG_DIR = tmp_path / "logs"
    settings.LOG_DIR.mkdir()
    with pytest.MonkeyPatch.context() as always, pytest.MonkeyPatch.context() as patch, ExitStack() as stack:
        always.setattr(module, "_since", {})
        always.setattr(cache, "breaker", Breaker())
        yield Room(ledger.data_dir, settings, patch, stack, redis)
        connections.close_all()


class Judged:
    """The watch of one process over simulated looks at the real desk; its messages are queued and never sent."""

    def __init__(self) -> None:
        self.watch = DeskWatch()

    def look(self, now: datetime) -> dict[str, str]:
        """Look once as the watch does every ten seconds; return what is found, by part."""
        notices = fault_notices(report(now=now), desk="x")
        self.watch.judge_notices(notices, now)
        return {notice.component: notice.text for notice in notices.values()}

    def keep_looking(self, now: datetime, passed: timedelta) -> datetime:
        until = now + passed
        while now < until:
            self.look(now)
            now += LOOK
        return now


@pytest.fixture
def judged(monkeypatch: pytest.MonkeyPatch) -> Judged:
    monkeypatch.setattr("trading.alerts.watch._desk", lambda: "x")
    return Judged()


class SimulatedDesk:
    """A desk that is well: its feed ticks while the exchange trades, and it is backed up every evening."""

    def __init__(self, room: Room) -> None:
        self.now = datetime.combine(FIRST_DAY, time(9), INDIA)
        self.room, self.backups = room, 0
        clock = {"clock": lambda: int(self.now.timestamp()) * 10**9}
        self.recorder = Recorder(django_settings.SPOOL_DIR, source="broker", account="main", zone=INDIA, **clock)
        room.stack.callback(self.recorder.close)

    def tick(self) -> None:
        assert self.recorder.tick("TCS", {"ltp": 100})
        ship(self.room)

    def back_up(self) -> None:
        path = back_up()
        os.utime(path, (self.now.timestamp(),) * 2)
        self.backups += 1


def with_unusual_days() -> None:
    exchange = Exchange.objects.get(code="NSE")
    rows = [
        ExchangeSession(kind=HOLIDAY, first_date=HOLIDAY_DATE, note="A holiday"),
        ExchangeSession(kind=SPECIAL, first_date=HALF_DAY, phase=CONTINUOUS, opens=time(9, 15), closes=time(12)),
        ExchangeSession(kind=SPECIAL, first_date=SPECIAL_DATE, phase=CONTINUOUS, opens=time(18), closes=time(19)),
    ]
    for row in rows:
        row.exchange, row.last_date, row.weekdays = exchange, row.first_date, "1234567"
        row.save()


def rest_today() -> None:
    """Let the exchange rest: who records and does not tick within a session has a fault of his own."""
    row = ExchangeSession(kind=HOLIDAY, first_date=datetime.now(INDIA).date(), weekdays="1234567", note="A holiday")
    row.exchange, row.last_date = Exchange.objects.get(code="NSE"), row.first_date + timedelta(days=1)
    row.save()


def looks_of(day: date) -> Iterator[datetime]:
    """Yield when a day is looked at: each hour, and around the opening and the close of its session."""
    moments = {datetime.combine(day, time(), INDIA) + timedelta(hours=number) for number in range(24)}
    session = calendar_of("NSE").continuous(day)
    for edge in () if session is None else (session.opens_at, session.closes_at):
        moments |= {edge + timedelta(seconds=seconds) for seconds in (-30, 0, 45, 90)}
    yield from sorted(moments)


def test_a_fortnight_that_is_well_raises_no_alarm(room: Room, judged: Judged) -> None:
    with_unusual_days()
    desk, traded_days = SimulatedDesk(room), []
    trade()
    for number in range(DAYS):
        day = FIRST_DAY + timedelta(days=number)
        session = calendar_of("NSE").continuous(day)
        for desk.now in looks_of(day):
            since = None if session is None else (desk.now - session.opens_at).total_seconds()
            if session is not None and since is not None and since > 45 and desk.now < session.closes_at:
                desk.tick()
            assert judged.look(desk.now) == {}, f"{desk.now:%a %d %H:%M:%S}"
        if session is not None:
            traded_days.append(day)
            desk.back_up()
    weekdays = {FIRST_DAY + timedelta(days=number) for number in range(DAYS) if number % 7 < 5}
    assert set(traded_days) == weekdays - {HOLIDAY_DATE} | {SPECIAL_DATE}
    assert desk.backups == 10 and not Alert.objects.exists()


def test_a_feed_that_stands_still_after_the_special_sessions_opening_is_told(room: Room, judged: Judged) -> None:
    with_unusual_days()
    desk = SimulatedDesk(room)
    opens_at = datetime.combine(SPECIAL_DATE, time(18), INDIA)
    desk.now = opens_at - timedelta(hours=30)
    desk.tick()
    assert judged.look(opens_at + timedelta(seconds=55)) == {}
    assert judged.look(opens_at + timedelta(seconds=61)).keys() == {"feed"}


def ship(_: Room) -> None:
    """Bring to the disk and to the store what was recorded, as syncer and companion do."""
    for lane in wiring.open_spool().lanes():
        lane.sync()
        wiring.open_pump().ship(lane)


def project(_: Room) -> None:
    for head in JournalHead.objects.all():
        FollowerCursor.objects.update_or_create(account=head.account, defaults={"sequence": head.sequence})


def post_fact(_: Room) -> None:
    decided = {"fact": "f1", "state": intake.POSTED, "decided_at": datetime.now(UTC).isoformat()}
    intake.of_this_folder()._outcomes.append(decided)


def open_logs(room: Room) -> None:
    room.settings.LOG_DIR.unlink()
    room.settings.LOG_DIR.mkdir()


def set_back(name: str) -> Callable[[Room], None]:
    kept = getattr(django_settings, name)
    return lambda room: setattr(room.settings, name, kept)


def leave(room: Room) -> None:
    room.stack.close()
    room.patch.undo()


def take_letters_back(_: Room) -> None:
    """Count the dead letters as stored, as a retry does that the store took."""
    for lane in wiring.open_spool().lanes():
        with lane.lease(owner="test") as held:
            outcome = lane.outcome()
            stored = {"main": sum(outcome.dead_lettered.values())}
            lane.settle(replace(outcome, stored=stored, dead_lettered={}), held)


def renew_certificate(room: Room) -> None:
    room.settings.VELOX_SITE_URL = room.stack.enter_context(https(room, days=365))


MENDED: dict[str, Callable[[Room], object]] = {
    "ledger/ledger_busy": leave,
    "ledger/ledger_read_only": lambda room: (room.patch.undo(), connection.close()),
    "ledger/check_old": lambda _: integrity.check_file(now=later(days=faults.CHECK_DAYS)),
    "ledger/no_backup": lambda _: back_up(),
    "ledger/wal_large": leave,
    "spool/spool_low": set_back("VELOX_SPOOL_MAX_BYTES"),
    "store/store_unavailable": set_back("INFLUXDB_V2_URL"),
    "store/store_damaged": lambda _: wiring.open_pump().heal(),
    "shipper/no_companion": lambda room: room.mark(summon.PRESENCE, 0),
    "shipper/companion_stuck": lambda room: room.mark(summon.PRESENCE, 0),
    "shipper/nobody_ships": ship,
    "shipper/dead_letters": take_letters_back,
    "intake/facts_wait": post_fact,
    "follower/follower_behind": project,
    "hot/cache_unreachable": leave,
    "broker/broker_unreachable": lambda room: setattr(room.settings, "CELERY_BROKER_URL", room.redis.url),
    "worker/no_worker": lambda room: room.mark("worker", 0),
    "worker/worker_stuck": lambda room: room.mark(presence.TASK, 0),
    "beat/no_beat": lambda room: room.mark("beat", 0),
    "feed/quiet": leave,
    "site/certificate_ends": renew_certificate,
    "site/site_unreachable": set_back("VELOX_SITE_URL"),
    "alerts/channel_unusable": set_back("VELOX_ALERT_URLS"),
    "disk/disk_full": leave,
    "disk/disk_low": leave,
    "logs/logs_read_only": open_logs,
}


@pytest.mark.parametrize("key", MENDED)
def test_a_planted_fault_is_one_alert_and_one_recovery(
    key: str, room: Room, judged: Judged, monkeypatch: pytest.MonkeyPatch
) -> None:
    fault = BY_KEY[key]
    # Marks are of the machine's clock, of which this test takes longer on a busy machine than a mark counts.
    monkeypatch.setattr(presence, "ABSENT_SECONDS", 3600.0)
    room.mark = lambda name, ago, mark=room.mark: mark(name, ago if ago < 15 else ago + 3600)  # type: ignore[method-assign]
    if fault.part != "feed":
        rest_today()
    now = MAKERS[key](room) or datetime.now(UTC)
    if key != "shipper/nobody_ships":
        ship(room)  # what was recorded before
    now = judged.keep_looking(now, timedelta(seconds=fault.hold_seconds) + 4 * LOOK)
    MENDED[key](room)
    queue_deliveries({"row:1": "phone"}, now=now)
    now = judged.keep_looking(now, OVER + 4 * LOOK)
    queue_deliveries({"row:1": "phone"}, now=now)
    [alert] = Alert.objects.all()
    assert (alert.component, alert.code, alert.cure) == (fault.part, fault.code, fault.cure)
    assert alert.recovered_at is not None
    assert sorted(AlertDelivery.objects.values_list("is_recovery", flat=True)) == [False, True]
