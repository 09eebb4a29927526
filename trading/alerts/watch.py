"""The watch over the desk: faults judged, trades that closed told, alerts sent, the all-clear pushed.

One process of a data folder at a time does it, under a lease of the folder: the companion, else the pages' server or
the beat. Who holds it and is killed loses it at once; one that is stopped after six seconds (decision 11). Each
folder's own faults are judged by its own watch. What is of the ledger, which several hosts may share, is done by the
one host that has the duty of alerts: its faults, closed trades, notes, and the message of every alert that is a row.
"""

from __future__ import annotations

import hashlib
import socket
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import structlog
from django.conf import settings
from django.db import connections

from timeseries import presence
from timeseries.spool import lease
from trading import duties, summon
from trading.alerts.all_clear import AllClear
from trading.alerts.channels import Recipient, all_channels, channels_of_environment
from trading.alerts.closed_trades import tell_closed_trades
from trading.alerts.day_work import DayWork
from trading.alerts.judge import OF_THE_LEDGER, Judge, fault_key, fault_notices
from trading.alerts.messenger import LOADING_SECONDS, SENDING_SECONDS
from trading.alerts.outbox import Outbox
from trading.alerts.untold import keep_untold, read_untold
from trading.errors import LedgerNotReady, VeloxError
from trading.health import alerts, faults
from trading.health.integrity import DailyCheck
from trading.health.report import HealthReport, report
from trading.models import Alert
from trading.operations.raise_alert import Notice, raise_alerts, recover_alert, see_alert_again
from trading.queries.alerts import lasting_faults
from trading.transactions import ask

FOLDER, UNTOLD = summon.WATCH_FOLDER, "alerts.untold.json"
JUDGED_EVERY_SECONDS, SENT_EVERY_SECONDS = 10.0, 1.0
FIRST_AFTER_SECONDS = 5.0  # a process that has just started has other work
# How long one holds the lease before it lets others try, and how long it stays away then: the companion comes first.
# Where there is none, whoever has the lease keeps it as the companion would: a fault is held for longer than such a
# turn, and who comes next remembers nothing of it.
TURNS = {"companion": (240.0, 0.0), "web": (15.0, 5.0), "beat": (15.0, 5.0)}
HELD_AGAIN_SECONDS = 1.0  # between two tries at a lease that another holds
# At the end of a turn, so that nothing on its way is cut off and sent twice.
LAST_MESSAGES_SECONDS = LOADING_SECONDS + SENDING_SECONDS + 5.0

log = structlog.get_logger("system")


class DeskWatch:
    """The watch of one process, while it holds the lease. ``ask_health`` may hang: it runs in a thread of its own."""

    def __init__(self, ask_health: Callable[[datetime], HealthReport] = lambda now: report(now=now)) -> None:
        self.judge, self.outbox, self.all_clear = Judge(), Outbox(), AllClear()
        self._untold_path = Path(settings.DATA_DIR) / UNTOLD
        self._untold = read_untold(self._untold_path)  # alerts that the ledger could not take yet
        self._lasting: set[str] = set()
        self._channels: list[Recipient] = []
        self._notices: dict[str, Notice] = {}
        self._health, self._integrity, self._day_work = _Health(ask_health), DailyCheck(), DayWork()
        self.duty = duties.Duty(duties.ALERTS)

    def judge_once(self, now: datetime) -> None:
        """Look at the newest report of health and raise or end alerts; what the ledger does not take is kept."""
        health = self._health.newest(now)
        if health is not None:
            self._notices = fault_notices(health, desk=_desk(), is_on_duty=self.duty.is_held)
        elif self._health.hangs(now):
            fault = faults.NUMBERS_OLD  # which health cannot say itself
            key = fault_key(_desk(), fault.part, fault.code)
            text = f"{fault.name}."
            hung = Notice(Alert.Kind.FAULT, key, text, component=fault.part, code=fault.code, cure=fault.cure)
            self._notices = self._notices | {key: hung}
        else:
            return
        self.judge_notices(self._notices, now)

    def begin_work(self, now: datetime, clock_seconds: float) -> None:
        """Begin what is due beside the looks at health, in threads of its own: notes, limits, the ledger's check."""
        if self.duty.is_held:
            with self.duty.doing():
                self._day_work.look(now, clock_seconds=clock_seconds)
        self._integrity.look(now)

    def judge_notices(self, notices: Mapping[str, Notice], now: datetime) -> None:
        """Raise and end alerts by what is found now, by key."""
        with suppress(VeloxError):
            self._lasting = set(ask(lasting_faults, fault_key(_desk())))
            if self.duty.is_held:
                self._lasting |= set(ask(lasting_faults, fault_key(OF_THE_LEDGER)))
        lasting, untold = self._lasting | self._untold.keys(), dict(self._untold)
        verdict = self.judge.look(notices, lasting, now)
        for notice in verdict.raised:
            self._untold[notice.key] = (replace(notice, uid=uuid.uuid4().hex), now)
            log.warning("fault", component=notice.component, code=notice.code, detail=notice.text)
        with suppress(VeloxError):  # the ledger may be what is at fault: the next look tries again
            for key, (notice, raised_at) in list(self._untold.items()):
                with self._right_to(key):
                    raise_alerts([notice], now=raised_at)
                del self._untold[key]
                self._lasting.add(key)
        if self._untold != untold:
            keep_untold(self._untold_path, self._untold)
        for key in verdict.again:
            with suppress(VeloxError), self._right_to(key):
                see_alert_again(key, now=now)
        for key in verdict.over if not self._untold else ():
            with suppress(VeloxError), self._right_to(key):
                recover_alert(key, now=now)
                self._lasting.discard(key)
        presence.mark(settings.DATA_DIR, alerts.JUDGED)

    def send_once(self, now: datetime, clock_seconds: float, *, is_last: bool = False) -> None:
        """Send what is due, follow the journal for trades that closed, and push the all-clear.

        ``is_last``: the turn is over; what is on its way is waited for, and nothing more begun.
        """
        if is_last:
            with suppress(VeloxError), self.duty.doing():
                self.outbox.settle(now=now, clock_seconds=clock_seconds)
            return
        self._send_rows(now, clock_seconds)
        for notice, raised_at in self._untold.values():
            alert = Alert(
                uid=notice.uid, kind=notice.kind, component=notice.component, text=notice.text, cure=notice.cure,
                first_seen_at=raised_at,
            )  # fmt: skip
            self.outbox.tell(alert, self._channels or channels_of_environment(), clock_seconds=clock_seconds)
        refused = fault_key(_desk(), "alerts", faults.ALL_CLEAR_REFUSED.code)  # which must not keep itself alive
        is_well = not (self._lasting | self._untold.keys()) - {refused} and self._health.is_fresh
        self.all_clear.look(is_well=is_well, clock_seconds=clock_seconds)

    def _right_to(self, key: str) -> AbstractContextManager[None]:
        """Return the right to write of a fault: of our own folder anybody's, of the ledger who is on duty."""
        return self.duty.doing() if key.startswith(fault_key(OF_THE_LEDGER)) else nullcontext()

    def _send_rows(self, now: datetime, clock_seconds: float) -> None:
        """Send what is due of the ledger's alerts, where we are on duty; else leave it to whoever is."""
        if not self.duty.seek():
            self.outbox.give_up()
            return
        try:
            with self.duty.doing():
                self._channels = all_channels()
                if self._channels:
                    tell_closed_trades(now=now)
                self.outbox.look(self._channels, now=now, clock_seconds=clock_seconds)
        except VeloxError as error:
            if not isinstance(error, LedgerNotReady):
                log.warning("alerts wait for the ledger", error=str(error))

    def end(self) -> None:
        """Kill what is on its way; it is sent by whoever comes next."""
        self.outbox.end()
        self.duty.release()
        self.all_clear.end()


class _Health:
    """The newest report of health, asked for in a thread: a part that hangs is a fault, and stops no alert."""

    def __init__(self, ask_health: Callable[[datetime], HealthReport]) -> None:
        self._ask = ask_health
        self._thread: threading.Thread | None = None
        self._report: HealthReport | None = None
        self._asked_at: datetime | None = None
        self._has_answered = self.is_fresh = False

    def newest(self, now: datetime) -> HealthReport | None:
        """Return the report that has come since the last call, if any; ask for the next one when it is time."""
        if self._thread is not None and self._thread.is_alive():
            self.is_fresh = self.is_fresh and not self.hangs(now)
            return None
        newest, self._report = self._report, None
        if newest is not None:
            self.is_fresh = True
        elif self._asked_at is None or not 0 <= (now - self._asked_at).total_seconds() < JUDGED_EVERY_SECONDS:
            self.is_fresh, self._asked_at = self.is_fresh and self._has_answered, now
            self._has_answered = False
            self._thread = threading.Thread(target=self._look, args=(now,), name="velox-health", daemon=True)
            self._thread.start()
        return newest

    def hangs(self, now: datetime) -> bool:
        """Tell whether a report was asked for so long ago that a part must hang."""
        return self._asked_at is not None and (now - self._asked_at).total_seconds() > faults.NUMBERS_SECONDS

    def _look(self, now: datetime) -> None:
        try:
            self._report = self._ask(now)
            self._has_answered = True
        finally:
            connections.close_all()  # this thread's own


@contextmanager
def watching(role: str) -> Iterator[None]:
    """DeskWatch in a thread while the block runs, whenever nobody else does; ``role`` is companion, web or beat."""
    ended = threading.Event()
    thread = threading.Thread(target=_watch_until, args=(ended, role), name="velox-alerts", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join(timeout=SENT_EVERY_SECONDS * 5)


def _watch_until(ended: threading.Event, role: str) -> None:
    wait_seconds = FIRST_AFTER_SECONDS
    watch: DeskWatch | None = None
    while not ended.wait(wait_seconds):
        away_seconds, wait_seconds = 0.0, HELD_AGAIN_SECONDS
        try:
            away_seconds = TURNS["companion" if summon.companion_pid() is None else role][1]
            folder = Path(settings.DATA_DIR) / FOLDER
            if not folder.parent.is_dir():  # nothing was recorded yet, or the folder was taken away
                continue
            folder.mkdir(mode=0o700, exist_ok=True)
            with lease.hold(folder, owner=role) as held:
                watch = watch or DeskWatch()
                wait_seconds = hold(watch, held, ended, role)
        except lease.LeaseHeld:
            wait_seconds = max(away_seconds, HELD_AGAIN_SECONDS)
            if watch is not None:
                watch.end()
            watch = None  # what another has told meanwhile is not what this one remembers
        except Exception as error:
            wait_seconds = max(away_seconds, HELD_AGAIN_SECONDS)
            log.error("the watch over the desk failed", error=str(error), exc_info=not isinstance(error, VeloxError))
        finally:
            connections.close_all()
    if watch is not None:
        watch.end()


def hold(watch: DeskWatch, held: lease.Lease, ended: threading.Event, role: str) -> float:
    """DeskWatch for a turn of the role, a shorter one once a companion lives, or until ``ended``; return for how many
    seconds to stay away then. Raises: LeaseLost."""
    started, away_seconds = time.monotonic(), 0.0
    while not ended.is_set():
        turn_seconds, away_seconds = TURNS["companion" if summon.companion_pid() is None else role]
        over_seconds = time.monotonic() - started - turn_seconds
        is_last = over_seconds >= 0
        if is_last and (not watch.outbox.is_busy or over_seconds >= LAST_MESSAGES_SECONDS):
            break
        held.check()
        watch.judge_once(datetime.now(UTC))
        watch.begin_work(datetime.now(UTC), time.monotonic())
        watch.send_once(datetime.now(UTC), time.monotonic(), is_last=is_last)
        ended.wait(SENT_EVERY_SECONDS)
    return away_seconds


def _desk() -> str:
    """Return what tells this data folder's faults from those of another desk of the same ledger."""
    place = f"{socket.gethostname()} {settings.DATA_DIR}"
    return hashlib.sha256(place.encode()).hexdigest()[:8]
