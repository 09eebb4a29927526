"""Alerts from a fault to a channel: each told once, once over, retried with a bound, and nothing waits for them."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.mail_server import mail_server
from tests.trading.book import closed, opened
from tests.waiting import until
from tests.webhook import Webhook, webhook
from timeseries.spool.lease import LeaseHeld
from timeseries.spool.lease import hold as hold_lease
from trading import summon
from trading.alerts import messenger
from trading.alerts import watch as watching
from trading.alerts.channels import channels_of_environment
from trading.alerts.closed_trades import tell_closed_trades
from trading.alerts.judge import OVER, OVER_FLAPPING, Judge
from trading.alerts.messages import request_of
from trading.alerts.outbox import Outbox
from trading.alerts.watch import FOLDER, DeskWatch
from trading.errors import LedgerBusy
from trading.models import Alert, AlertDelivery, Journal, Trade
from trading.operations import deliver_alerts
from trading.operations.create_account import create_account
from trading.operations.raise_alert import Notice, raise_alerts
from trading.proof.verify import verify_ledger
from trading.queries.accounts import get_account

pytestmark = pytest.mark.usefixtures("ledger", "alone")

AT = datetime(2026, 11, 23, 5, 0, tzinfo=UTC)  # a Monday, 10:30 at the desk
SECOND, MINUTE = timedelta(seconds=1), timedelta(minutes=1)
REDIS = Notice(Alert.Kind.FAULT, "fault:x:hot:gone", "hot is degraded", component="hot", code="gone", cure="Start it.")
FOUND = {REDIS.key: REDIS}


@pytest.fixture(scope="module")
def server() -> Iterator[Webhook]:
    with webhook() as other_end:
        yield other_end


@pytest.fixture
def hook(server: Webhook, settings: Any) -> Iterator[Webhook]:
    """One channel, of the environment: the webhook."""
    server.bodies.clear()
    server.pings.clear()
    server.status, server.location = 200, ""
    server.released.clear()
    server.released.clear()
    settings.VELOX_ALERT_URLS = [server.url]
    yield server


@pytest.fixture
def watch(monkeypatch: pytest.MonkeyPatch) -> Iterator[DeskWatch]:
    monkeypatch.setattr("trading.alerts.watch.fault_key", lambda *place: ":".join(("fault", "x", *place[1:])))
    watch = DeskWatch()
    yield watch
    watch.end()


def sent_at(watch: DeskWatch, now: datetime, is_done: Callable[[], bool]) -> None:
    """Let the watch send, at one moment of the desk's clock, until ``is_done``."""

    def step() -> bool:
        watch.send_once(now, time.monotonic())
        return is_done() and not watch.outbox.is_busy

    until(step)


def states() -> list[tuple[bool, str, int]]:
    return list(AlertDelivery.objects.order_by("pk").values_list("is_recovery", "state", "tries"))


@contextmanager
def busy_ledger(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let the ledger take no alert within."""

    def busy(*_: Any, **__: Any) -> None:
        raise LedgerBusy("Another writer holds it.")

    with monkeypatch.context() as patch:
        patch.setattr("trading.alerts.watch.raise_alerts", busy)
        yield


class TestJudge:
    def look(self, judge: Judge, lasting: set[str], seconds: int, *, is_there: bool) -> tuple[int, int, int]:
        verdict = judge.look(FOUND if is_there else {}, lasting, AT + seconds * SECOND)
        return len(verdict.raised), len(verdict.again), len(verdict.over)

    def test_what_one_look_saw_is_no_alert_and_what_two_saw_is(self) -> None:
        judge = Judge()
        assert self.look(judge, set(), 0, is_there=True) == (0, 0, 0)
        assert self.look(judge, set(), 40, is_there=False) == (0, 0, 0)
        assert self.look(judge, set(), 50, is_there=True) == (0, 0, 0)
        assert self.look(judge, set(), 60, is_there=True) == (1, 0, 0)

    def test_a_clock_that_is_set_back_holds_neither_a_fault_nor_its_end_until_it_is_as_late_as_it_was(self) -> None:
        judge, hour = Judge(), 3600
        assert self.look(judge, set(), 0, is_there=True) == (0, 0, 0)
        assert self.look(judge, set(), 10 - hour, is_there=True) == (0, 0, 0)
        assert self.look(judge, set(), 20 - hour, is_there=True) == (1, 0, 0)
        self.look(judge, {REDIS.key}, 30 - hour, is_there=False)
        self.look(judge, {REDIS.key}, 40 - 2 * hour, is_there=False)
        assert self.look(judge, {REDIS.key}, 100 - 2 * hour, is_there=False) == (0, 0, 1)

    def test_a_fault_that_comes_and_goes_is_one_alert_that_counts(self) -> None:
        judge, totals = Judge(), [0, 0, 0]
        self.look(judge, set(), 0, is_there=True)
        for number in range(1, 60):  # half of the time there, for ten minutes
            lasting = {REDIS.key} if totals[0] else set()
            changes = self.look(judge, lasting, number * 10, is_there=number % 4 < 2)
            totals = [total + change for total, change in zip(totals, changes, strict=True)]
        assert totals == [1, 14, 0]

    def test_it_is_over_after_a_minute_and_later_where_it_flaps(self) -> None:
        judge, lasting = Judge(), {REDIS.key}
        self.look(judge, lasting, 0, is_there=False)
        assert self.look(judge, lasting, int(OVER.total_seconds()), is_there=False) == (0, 0, 1)
        # Where the ledger could not take that, the next look says it again.
        assert self.look(judge, lasting, int(OVER.total_seconds()) + 10, is_there=False) == (0, 0, 1)
        self.look(judge, set(), 80, is_there=False)
        self.look(judge, lasting, 100, is_there=False)
        assert self.look(judge, lasting, 200, is_there=False) == (0, 0, 0)
        assert self.look(judge, lasting, 100 + int(OVER_FLAPPING.total_seconds()), is_there=False) == (0, 0, 1)


class TestWay:
    def test_a_planted_fault_is_one_message_and_its_recovery_another(self, hook: Webhook, watch: DeskWatch) -> None:
        for seconds in range(0, 60, 10):
            watch.judge_notices(FOUND, AT + seconds * SECOND)
        sent_at(watch, AT + MINUTE, lambda: len(hook.bodies) == 1)
        for seconds in range(60, 200, 10):
            watch.judge_notices({}, AT + seconds * SECOND)
        sent_at(watch, AT + 4 * MINUTE, lambda: len(hook.bodies) == 2)
        sent_at(watch, AT + 5 * MINUTE, lambda: True)
        assert hook.titles() == ["Fault hot", "Recovered hot"]
        assert hook.bodies[0]["type"] == "failure" and "Start it." in hook.bodies[0]["message"]
        uid = Alert.objects.get().uid
        assert hook.ids() == [f"id {uid} raised", f"id {uid} recovered"]
        assert states() == [(False, "sent", 1), (True, "sent", 1)]
        assert verify_ledger().ok and not Journal.objects.exists()

    def test_without_a_channel_nothing_leaves_and_a_later_channel_gets_no_old_alert(
        self, hook: Webhook, watch: DeskWatch, settings: Any
    ) -> None:
        settings.VELOX_ALERT_URLS = []
        raise_alerts([REDIS], now=AT)
        watch.send_once(AT, time.monotonic())
        settings.VELOX_ALERT_URLS = [hook.url]
        watch.send_once(AT + SECOND, time.monotonic())
        assert not AlertDelivery.objects.exists() and not hook.bodies

    @pytest.mark.parametrize(
        ("status", "error"), [(500, "refused (HTTP 500)"), (302, "redirected (HTTP 302)")], ids=["500", "redirect"]
    )
    def test_a_refusal_is_tried_again_later_and_given_up_in_the_end(
        self, hook: Webhook, watch: DeskWatch, status: int, error: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(deliver_alerts, "TRIES_MAX", 2)
        hook.status, hook.location = status, f"http://localhost:{hook.server_port}/elsewhere" if status == 302 else ""
        raise_alerts([REDIS], now=AT)
        sent_at(watch, AT, lambda: len(hook.bodies) == 1)
        assert states() == [(False, "waiting", 1)]
        watch.send_once(AT + 4 * SECOND, time.monotonic())  # not before its time
        assert not watch.outbox.is_busy
        sent_at(watch, AT + 6 * SECOND, lambda: len(hook.bodies) == 2)
        assert states() == [(False, "given_up", 2)] and AlertDelivery.objects.get().error == error
        assert not hook.pings  # a redirect is followed nowhere
        for seconds in (60, 600):
            watch.send_once(AT + seconds * SECOND, time.monotonic())
        assert len(hook.bodies) == 2

    def test_a_mailbox_that_refuses_has_no_other_get_a_mail_twice(self, settings: Any, watch: DeskWatch) -> None:
        raise_alerts([REDIS], now=AT)
        with mail_server() as server:
            settings.VELOX_ALERT_URLS = [server.url("to=a@example.org,b@example.org&cc=c@example.org")]
            server.refused = {"b@example.org"}
            for tries in (1, 2, 3):
                after = AT + tries * timedelta(minutes=1)
                sent_at(watch, after, lambda tries=tries: states()[1:2] == [(False, "waiting", tries)])
            server.refused.clear()
            sent_at(watch, AT + timedelta(hours=1), lambda: {state for _, state, _ in states()} == {"sent"})
            assert sorted(who for who, _ in server.mails) == [[f"{name}@example.org"] for name in "abc"]
        labels = AlertDelivery.objects.order_by("pk").values_list("label", flat=True)
        assert list(labels) == [f"mailto://127.0.0.1/… {number} of 3" for number in (1, 2, 3)]

    def test_a_channel_that_hangs_is_cut_off_and_delays_nobody(
        self, hook: Webhook, watch: DeskWatch, settings: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(messenger, "SENDING_SECONDS", 3.0)
        settings.VELOX_ALERT_URLS = [f"json://127.0.0.1:1/{hook.server_port}", hook.url]
        hook.status = 0
        raise_alerts([REDIS], now=AT)
        started = time.monotonic()
        watch.send_once(AT, started)
        assert watch.outbox.is_busy and time.monotonic() - started < 10  # two processes begun, none waited for
        sent_at(watch, AT, lambda: not AlertDelivery.objects.filter(state="sending").exists())
        assert set(AlertDelivery.objects.values_list("error", flat=True)) == {"timed_out", "unreachable"}

    def test_who_is_killed_before_it_is_written_leaves_the_message_to_the_next(
        self, hook: Webhook, watch: DeskWatch
    ) -> None:
        raise_alerts([REDIS], now=AT)
        watch.send_once(AT, time.monotonic())
        watch.outbox.end()  # as kill -9 ends it: the delivery is taken, and nobody says what became of it
        assert states() == [(False, "sending", 1)]
        other = DeskWatch()
        other.send_once(AT + SECOND, time.monotonic())
        assert not other.outbox.is_busy  # it may be on its way still
        sent_at(other, AT + 2 * MINUTE, lambda: bool(hook.bodies) and states() == [(False, "sent", 2)])
        assert 1 <= len(hook.ids()) <= 2 and len(set(hook.ids())) == 1

    def test_what_the_ledger_cannot_take_is_told_at_once_and_written_later(
        self, hook: Webhook, watch: DeskWatch, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with busy_ledger(monkeypatch):
            for seconds in range(0, 30, 10):
                watch.judge_notices(FOUND, AT + seconds * SECOND)
            sent_at(watch, AT + 30 * SECOND, lambda: len(hook.bodies) == 1)
        assert not Alert.objects.exists()
        watch.judge_notices(FOUND, AT + MINUTE)
        sent_at(watch, AT + MINUTE, lambda: True)
        assert states() == [(False, "sent", 1)] and hook.ids() == [f"id {Alert.objects.get().uid} raised"]
        assert len(hook.bodies) == 1 and Alert.objects.get().first_seen_at == AT + 10 * SECOND

    def test_what_is_on_its_way_as_the_ledger_comes_back_is_not_sent_again(
        self, hook: Webhook, watch: DeskWatch, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        hook.status = 0
        with busy_ledger(monkeypatch):
            for seconds in range(0, 30, 10):
                watch.judge_notices(FOUND, AT + seconds * SECOND)
            watch.send_once(AT + 30 * SECOND, time.monotonic())
            until(lambda: hook.bodies)
        watch.judge_notices(FOUND, AT + MINUTE)
        watch.send_once(AT + MINUTE, time.monotonic())
        assert watch.outbox.is_busy and Alert.objects.exists()
        hook.released.set()
        sent_at(watch, AT + MINUTE, lambda: AlertDelivery.objects.exists())
        assert states() == [(False, "sent", 1)] and len(hook.bodies) == 1

    def test_what_the_ledger_cannot_take_is_told_though_no_channel_takes_it_for_a_minute(self, hook: Webhook) -> None:
        outbox, hook.status = Outbox(), 503
        alert = Alert(uid="a" * 32, kind=Alert.Kind.FAULT, text="The ledger is gone.", first_seen_at=AT)
        for clock_seconds in range(60):  # as whoever watches asks: once a second
            outbox.tell(alert, channels_of_environment(), clock_seconds=float(clock_seconds))
            until(lambda now=float(clock_seconds): outbox.collect(clock_seconds=now) is None and not outbox.is_busy)
        assert len(hook.bodies) == 4  # after 0, 5, 15 and 35 seconds
        hook.status = 200
        for clock_seconds in (75.0, 76.0):
            outbox.tell(alert, channels_of_environment(), clock_seconds=clock_seconds)
            until(lambda now=clock_seconds: outbox.collect(clock_seconds=now) is None and not outbox.is_busy)
        assert len(hook.bodies) == 5 and outbox.sent_untold

    def test_who_watches_next_tells_it_under_the_same_id_while_the_ledger_takes_nothing(
        self, hook: Webhook, watch: DeskWatch, monkeypatch: pytest.MonkeyPatch, settings: Any
    ) -> None:
        with busy_ledger(monkeypatch):
            for seconds in range(0, 20, 10):
                watch.judge_notices(FOUND, AT + seconds * SECOND)
            sent_at(watch, AT + 20 * SECOND, lambda: len(hook.bodies) == 1)
            watch.end()  # as kill -9 ends it: nobody remembers what was told
            other = DeskWatch()
            for seconds in range(20, 40, 10):
                other.judge_notices(FOUND, AT + seconds * SECOND)
            sent_at(other, AT + 40 * SECOND, lambda: len(hook.bodies) == 2)
        other.judge_notices(FOUND, AT + MINUTE)
        sent_at(other, AT + MINUTE, lambda: True)
        assert hook.ids() == [f"id {Alert.objects.get().uid} raised"] * 2
        assert Alert.objects.get().first_seen_at == AT + 10 * SECOND
        assert not (Path(settings.DATA_DIR) / watching.UNTOLD).exists()
        other.end()


class TestPatience:
    def test_quiet_hours_hold_back_closed_trades_and_never_a_fault(
        self, hook: Webhook, watch: DeskWatch, settings: Any
    ) -> None:
        settings.VELOX_ALERT_QUIET = "10:00-11:00"
        raise_alerts([Notice(Alert.Kind.TRADE, "trade:1", "closed"), REDIS], now=AT)
        sent_at(watch, AT, lambda: len(hook.bodies) == 1)
        assert hook.titles() == ["Fault hot"]
        sent_at(watch, AT + 31 * MINUTE, lambda: len(hook.bodies) == 2)
        assert hook.titles()[1:] == ["Closed trade"]

    def test_many_at_once_go_together(self, hook: Webhook, watch: DeskWatch) -> None:
        raise_alerts([Notice(Alert.Kind.TRADE, f"trade:{number}", f"closed {number}") for number in range(30)], now=AT)
        raise_alerts([REDIS], now=AT)
        sent_at(watch, AT, lambda: len(hook.bodies) == 2)
        assert hook.titles() == ["Fault hot", "30 alerts"]
        assert not AlertDelivery.objects.exclude(state="sent").exists()

    def test_a_trade_that_closed_is_told_once_from_the_journal(self, settings: Any) -> None:
        opened("before")
        assert tell_closed_trades(now=AT) == 0  # followed from here on
        opened("X")
        closed("X", exit_reason="target")
        at = closed_at("X")
        assert tell_closed_trades(now=at + MINUTE) == 1
        assert tell_closed_trades(now=at + MINUTE) == 0
        alert = Alert.objects.get()
        assert alert.account is not None and (alert.kind, alert.account.code) == ("trade", "main")
        assert "X" not in alert.key and "closed, target" in alert.text
        opened("Y" * 64, strategy_id="s" * 64)
        closed("Y" * 64, strategy_id="s" * 64, exit_reason="a long reason " * 20)
        assert tell_closed_trades(now=at + MINUTE) == 1
        rows = [AlertDelivery(alert=alert) for alert in Alert.objects.order_by("pk")]
        lines = request_of(rows, "json://x")["body"].splitlines()
        amounts = [f" · {alert.text.partition(')')[0]}): LONG " for alert in Alert.objects.order_by("pk")]
        assert [amount in line for amount, line in zip(amounts, lines, strict=True)] == [True, True]
        opened("old")
        closed("old")
        assert tell_closed_trades(now=at + timedelta(days=2)) == 0  # no news
        assert verify_ledger().ok

    def test_the_first_trades_of_a_new_account_are_told_though_nobody_watched_meanwhile(self) -> None:
        opened("before")
        assert tell_closed_trades(now=AT) == 0
        create_account(
            "second", book="paper", currency="INR", zone="Asia/Kolkata", capital=1000, capital_date=date(2000, 1, 1)
        )
        opened("X", account_code="second")
        closed("X", account_code="second")
        at = closed_at("X")
        assert [tell_closed_trades(now=at + MINUTE) for _ in range(2)] == [1, 0]
        assert Alert.objects.get().account == get_account("second")


def closed_at(trade_id: str) -> datetime:
    moment = Trade.objects.get(trade_id=trade_id).closed_at
    assert moment is not None
    return moment


def test_the_all_clear_is_pushed_while_the_desk_is_well_and_stops_with_a_fault(
    hook: Webhook, watch: DeskWatch, settings: Any
) -> None:
    settings.VELOX_ALERT_URLS, settings.VELOX_DEADMAN_URL = [], f"http://127.0.0.1:{hook.server_port}/all-clear"
    watch.send_once(AT, 0.0)  # nobody has looked yet
    watch._health.is_fresh = True
    clock = time.monotonic()
    until(lambda: watch.send_once(AT, clock) or hook.pings)
    watch.judge_notices(FOUND, AT)
    watch.judge_notices(FOUND, AT + 10 * SECOND)
    for seconds in (100, 200):
        watch.send_once(AT + seconds * SECOND, clock + seconds)
    assert hook.pings == ["/all-clear"] and watch.all_clear._messenger is None


def test_who_watches_since_no_companion_lived_lets_one_that_has_come_watch_before_long(
    watch: DeskWatch, data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lives: list[int | None] = [None, None, None, 77]  # companions at each look
    (data_dir / FOLDER).mkdir()
    monkeypatch.setattr(summon, "companion_pid", lambda: lives.pop(0))
    monkeypatch.setattr(watching, "SENT_EVERY_SECONDS", 0.0)
    monkeypatch.setitem(watching.TURNS, "web", (0.0, 5.0))
    looks, ended = iter(range(9)), threading.Event()
    monkeypatch.setattr(watch, "judge_once", lambda _: next(looks, None) is None and ended.set())
    with hold_lease(data_dir / FOLDER, owner="web") as held:
        watching.hold(watch, held, ended, "web")
    assert lives == []


def test_nothing_that_anybody_reads_has_the_address(hook: Webhook, watch: DeskWatch, caplog: Any) -> None:
    hook.status = 500
    raise_alerts([REDIS], now=AT)
    sent_at(watch, AT, lambda: len(hook.bodies) == 1)
    delivery = AlertDelivery.objects.get()
    seen = [delivery.channel, delivery.label, delivery.error, repr(channels_of_environment()), caplog.text]
    assert all("secret-token" not in text for text in seen) and delivery.label == "json://127.0.0.1/…"


def test_a_judge_that_is_killed_between_raised_and_sent_leaves_both_to_the_next(
    hook: Webhook, ledger: Any, settings: Any
) -> None:
    hook.status = 0  # the message is on its way when its sender dies
    environment = {**os.environ, "VELOX_DATA_DIR": str(settings.DATA_DIR), "VELOX_ALERT_URLS": hook.url}
    command = [sys.executable, "-m", "tests.trading.alert_judge"]
    folder = Path(settings.DATA_DIR) / FOLDER
    with subprocess.Popen(command, env=environment) as first:
        until(lambda: hook.bodies or first.poll() is not None, pause_seconds=0.1)
        with pytest.raises(LeaseHeld), hold_lease(folder, owner="web"):
            """Another does not judge meanwhile."""
        first.kill()
    hook.status = 200
    hook.released.set()
    with hold_lease(folder, owner="web"):
        other, now = DeskWatch(), datetime.now(UTC)
        sent_at(other, now + 2 * MINUTE, lambda: states()[-1][1] == "sent")
    assert Alert.objects.count() == 1 and hook.ids() == [f"id {Alert.objects.get().uid} raised"] * 2
