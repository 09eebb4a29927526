"""What goes into a message and when: quiet hours at their edges, the rate, nothing cut off; channels that misbehave."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from tests.waiting import until
from tests.webhook import webhook
from trading.alerts import messenger, sending
from trading.alerts.channels import channels_of_environment
from trading.alerts.messages import (
    BODY_CHARACTERS_MAX,
    FLOODED_EVERY,
    MESSAGES_MAX,
    PATIENT_MAX,
    WITHIN,
    next_message,
    request_of,
)
from trading.alerts.messenger import MessageOutcome, Messenger
from trading.alerts.outbox import DUE_MAX
from trading.domain.alert_address import label_of
from trading.domain.quiet_hours import QuietHours
from trading.errors import InvalidValue
from trading.models import Alert, AlertDelivery
from trading.operations.deliver_alerts import queue_deliveries, settle_deliveries, take_deliveries
from trading.operations.raise_alert import Notice, raise_alerts
from trading.queries.alerts import due_deliveries, messages_within

INDIA, NEW_YORK = ZoneInfo("Asia/Kolkata"), ZoneInfo("America/New_York")
AT = datetime(2026, 11, 23, 5, 0, tzinfo=UTC)  # a Monday, 10:30 at the desk
NEVER = QuietHours.parse("", INDIA)
CHANNEL = "row:1"


def trades(count: int) -> list[Notice]:
    text = "LONG TCS of a_strategy_with_quite_a_long_name closed, trailing_stop_hit: ₹1,23,456.75 (charges unknown)."
    return [Notice(Alert.Kind.TRADE, f"trade:{number}", text) for number in range(count)]


def faults(count: int, text: str = "It is degraded.") -> list[Notice]:
    return [
        Notice(Alert.Kind.FAULT, f"fault:{number}", text, component="hot", cure="Mend it.") for number in range(count)
    ]


def ids(body: str) -> list[str]:
    return [line.rpartition("id ")[2] for line in body.splitlines() if "id " in line]


class TestQuietHours:
    @pytest.mark.parametrize(
        ("hours", "held", "free"),
        [
            (
                "22:00-07:00",
                ["22:00:00", "23:59:59.999999", "00:00:00", "06:59:59.999999"],
                ["21:59:59.999999", "07:00"],
            ),
            ("00:00-07:00", ["00:00:00", "06:59:59"], ["07:00:00", "23:59:59.999999"]),
            ("17:00-00:00", ["17:00:00", "23:59:59.999999"], ["00:00:00", "16:59:59"]),
            ("23:59-00:01", ["23:59:00", "00:00:59.999999"], ["00:01:00", "23:58:59"]),
            ("", [], ["00:00:00", "12:00:00"]),
        ],
        ids=lambda value: value if isinstance(value, str) else "",
    )
    def test_they_are_from_their_start_to_before_their_end(self, hours: str, held: list[str], free: list[str]) -> None:
        quiet = QuietHours.parse(hours, INDIA)
        for day in ("2026-11-30", "2026-12-31", "2027-01-01"):  # over the end of a month and of a year
            for clock, holds in [*((clock, True) for clock in held), *((clock, False) for clock in free)]:
                moment = datetime.fromisoformat(f"{day}T{clock}").replace(tzinfo=INDIA)
                assert quiet.holds(moment.astimezone(UTC)) is holds, (hours, clock)

    def test_they_are_of_the_clock_on_the_wall_where_it_is_put_forward_and_back(self) -> None:
        quiet = QuietHours.parse("01:30-03:30", NEW_YORK)
        for text, holds in {
            "2026-03-08T06:29:59": False,  # 01:29:59
            "2026-03-08T06:59:59": True,  # 01:59:59, and then it is 03:00
            "2026-03-08T07:29:59": True,
            "2026-03-08T07:30:00": False,
            "2026-11-01T05:30:00": True,  # 01:30, and once more an hour later
            "2026-11-01T06:29:59": False,
            "2026-11-01T06:30:00": True,
            "2026-11-01T08:30:00": False,
        }.items():
            assert quiet.holds(datetime.fromisoformat(text).replace(tzinfo=UTC)) is holds, text

    @pytest.mark.parametrize(
        "text", ["24:00-07:00", "22-07", "22:00-07:60", " 22:00-07:00", "22:00–07:00", "never", "22:00-22:00"]
    )
    def test_what_are_no_hours_is_refused(self, text: str) -> None:
        with pytest.raises(InvalidValue):
            QuietHours.parse(text, INDIA)


@pytest.mark.usefixtures("ledger")
@pytest.mark.ledger
class TestMessages:
    def due(self, notices: Sequence[Notice], now: datetime = AT) -> list[AlertDelivery]:
        raise_alerts(notices, now=now)
        queue_deliveries({CHANNEL: "phone"}, now=now)
        return due_deliveries(CHANNEL, now=now, limit=DUE_MAX)

    def send(self, now: datetime, *, quiet: QuietHours = NEVER) -> dict[str, str] | None:
        """Send the next message, as the outbox does; return it."""
        due = due_deliveries(CHANNEL, now=now, limit=DUE_MAX)
        rows = next_message(due, sent=messages_within(CHANNEL, WITHIN, now=now), quiet=quiet, now=now)
        if not rows:
            return None
        request, keys = request_of(rows, "json://x"), [row.pk for row in rows]
        assert take_deliveries(keys, now=now)
        settle_deliveries(keys, error="", now=now)
        return request

    def test_a_fault_is_sent_at_once_however_many_trades_wait_for_the_end_of_quiet_hours(self) -> None:
        quiet = QuietHours.parse("10:00-11:00", INDIA)
        self.due(trades(DUE_MAX + 20))
        assert self.send(AT, quiet=quiet) is None
        self.due(faults(1))
        message = self.send(AT, quiet=quiet)
        assert message is not None and message["title"] == "VELOX: Fault hot"

    def test_what_goes_together_is_told_whole_by_as_many_messages_as_it_takes(self) -> None:
        self.due(trades(70))
        sent: list[str] = []
        for seconds in range(60):
            message = self.send(AT + timedelta(seconds=seconds))
            if message is None:
                break
            assert len(message["body"]) <= BODY_CHARACTERS_MAX
            sent += ids(message["body"])
        assert sorted(sent) == sorted(f"{alert.uid} raised" for alert in Alert.objects.all())

    def test_of_ten_minutes_no_channel_gets_more_messages_than_it_may_and_nothing_is_left_out(self) -> None:
        sent: list[tuple[datetime, str]] = []
        for seconds in range(0, 2400, 20):
            now = AT + timedelta(seconds=seconds)
            if seconds < 720:  # a fault and a trade each time, which are more than go one by one
                kinds = Alert.Kind.FAULT, Alert.Kind.TRADE
                self.due([Notice(kind, f"{kind}:{seconds}", "It is told.") for kind in kinds], now)
            if (message := self.send(now)) is not None:
                sent.append((now, message["body"]))
            within = sum(moment > now - WITHIN for moment, _ in sent)
            assert within <= MESSAGES_MAX + WITHIN / FLOODED_EVERY
        told = [name for _, body in sent for name in ids(body)]
        assert len(told) == len(set(told)) == Alert.objects.count() == 72

    def test_what_can_wait_leaves_room_for_what_cannot(self) -> None:
        for number in range(3 * PATIENT_MAX):
            self.due([Notice(Alert.Kind.TRADE, f"trade:{number}", "closed")], AT + timedelta(seconds=number))
            self.send(AT + timedelta(seconds=number))
        now = AT + timedelta(minutes=1)
        assert len(messages_within(CHANNEL, WITHIN, now=now)) == PATIENT_MAX
        self.due(faults(3), now)
        assert [self.send(now + timedelta(seconds=number)) is not None for number in range(4)] == [True] * 3 + [False]

    def test_a_fault_waits_no_longer_than_a_minute_behind_a_flood_and_goes_before_it(self) -> None:
        limits = [
            Notice(Alert.Kind.LIMIT, f"limit:{number}", "A day's loss is at its limit.")
            for number in range(DUE_MAX + 30)
        ]
        self.due(limits[:MESSAGES_MAX])
        for second in range(MESSAGES_MAX):
            assert self.send(AT + timedelta(seconds=second))
        self.due(limits[MESSAGES_MAX:], AT + timedelta(seconds=30))
        self.due(faults(1), AT + timedelta(seconds=31))
        last = AT + timedelta(seconds=MESSAGES_MAX - 1)
        for wait in (timedelta(seconds=31), FLOODED_EVERY - timedelta(seconds=1)):
            assert self.send(last + wait) is None
        message = self.send(last + FLOODED_EVERY)
        assert message is not None and message["body"].startswith("Fault hot · It is degraded.")
        assert len(ids(message["body"])) > 10 and self.send(last + FLOODED_EVERY + timedelta(seconds=59)) is None

    def test_messages_that_a_clock_which_was_set_back_calls_the_future_hold_none_back(self) -> None:
        self.due(faults(MESSAGES_MAX))
        for second in range(MESSAGES_MAX):
            assert self.send(AT + timedelta(seconds=second))
        before = AT - timedelta(hours=1)
        self.due([Notice(Alert.Kind.FAULT, "fault:later", "It is degraded.")], before)
        assert self.send(before) is not None

    def test_what_waits_by_a_clock_that_was_set_back_since_goes_at_once(self) -> None:
        (row, tried) = self.due(faults(2))
        assert take_deliveries([tried.pk], now=AT)  # by one that was killed with it
        before = AT - timedelta(hours=3)
        assert {each.pk for each in due_deliveries(CHANNEL, now=before, limit=DUE_MAX)} == {row.pk, tried.pk}
        assert self.send(before) is not None and self.send(before) is not None
        assert self.send(before) is None and self.send(AT) is None

    def test_a_figure_is_told_whole_or_not_at_all(self) -> None:
        for characters in range(60, 120):
            text = f"SHORT NIFTY closed, {'a' * characters}: −₹10,000.00 (charges ₹3.00)."
            row = AlertDelivery(alert=Alert(kind=Alert.Kind.TRADE, text=text, first_seen_at=AT))
            line = request_of([row, row], "json://x")["body"].splitlines()[0].split(" · ")[1]
            assert len(line) <= 120
            assert line == text or (line.endswith(" …") and text.startswith(line.removesuffix("…")))

    def test_a_long_text_is_cut_and_the_alerts_name_never(self) -> None:
        (row,) = self.due(faults(1, "A line of a note of which there are many. \n" * 300))
        body = request_of([row], "json://x")["body"]
        assert len(body) <= BODY_CHARACTERS_MAX and "…\nSince " in body
        assert body.endswith(f"id {row.alert.uid} raised")


@contextmanager
def dripping() -> Iterator[int]:
    """Give the port of a server that answers a byte at a time, for ever."""
    ended = threading.Event()

    def serve(connection: socket.socket) -> None:
        with connection, suppress(OSError):
            connection.recv(1 << 16)
            connection.sendall(b"HTTP/1.1 200 O")
            while not ended.wait(0.05):
                connection.sendall(b"K")

    def accept() -> None:
        with suppress(OSError):
            while True:
                threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=accept, daemon=True).start()
        try:
            yield listener.getsockname()[1]
        finally:
            ended.set()


def people(service: Any) -> set[str]:
    """Return who gets a message of apprise's service."""
    addressed = [
        target[1] if service.service_name == "E-Mail" else target for target in getattr(service, "targets", [])
    ]
    return {str(each) for each in [*addressed, *getattr(service, "cc", []), *getattr(service, "bcc", [])]}


class TestChannels:
    def outcome(self, url: str) -> MessageOutcome:
        request = {"url": url, "title": "VELOX: Test", "body": "a body", "severity": "info"}
        sending = Messenger(request, clock_seconds=time.monotonic())
        outcomes: list[MessageOutcome] = []

        def is_over() -> bool:
            outcome = sending.poll(clock_seconds=time.monotonic())
            outcomes.extend([] if outcome is None else [outcome])
            return bool(outcomes)

        try:
            until(is_over)
        finally:
            sending.end()
        return outcomes[0]

    def test_one_that_answers_byte_by_byte_is_cut_off_as_one_that_hangs_is(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(messenger, "SENDING_SECONDS", 2.0)  # below what its requests wait between two bytes
        with dripping() as port, socket.create_server(("127.0.0.1", 0)) as silent:
            for place in (port, silent.getsockname()[1]):
                assert self.outcome(f"json://127.0.0.1:{place}/") == MessageOutcome("timed_out")

    def test_one_that_takes_a_message_after_five_seconds_has_it(self) -> None:
        with webhook() as hook:
            hook.status = 0
            threading.Timer(5.0, hook.released.set).start()
            assert self.outcome(hook.url) == MessageOutcome("sent", 200)
            assert len(hook.bodies) == 1

    def test_a_redirect_is_followed_nowhere_neither_here_nor_elsewhere(self) -> None:
        with webhook() as hook, webhook() as elsewhere:
            for status in (301, 302, 303, 307, 308):
                hook.status, hook.location = status, elsewhere.url.replace("json://", "http://")
                assert self.outcome(hook.url) == MessageOutcome("redirected", status)
            assert len(hook.bodies) == 5 and not (hook.pings or elsewhere.bodies or elsewhere.pings)

    def test_what_one_of_several_recipients_refused_was_not_sent(self) -> None:
        with webhook() as hook:
            for statuses, outcome in {
                (200, 400): ("refused", 400),
                (400, 200): ("refused", 400),
                (302,): ("refused", 302),
            }.items():
                hook.statuses = list(statuses)
                kind, places = ("ntfy", "a/b") if len(statuses) > 1 else ("json", "")
                assert self.outcome(f"{kind}://127.0.0.1:{hook.server_port}/{places}") == MessageOutcome(*outcome)
            assert len(hook.bodies + hook.texts) == 5

    @pytest.mark.filterwarnings("ignore:'imghdr' is deprecated")  # by a library of apprise's mail
    @pytest.mark.parametrize(
        ("address", "recipients"),
        [
            ("tgram://123456789:abcdefghijklmnopqrstuvwxyzABCDEFGHI/1111/-22:5?image=no&to=@desk,3333", 4),
            ("tgram://123456789:abcdefghijklmnopqrstuvwxyzABCDEFGHI/1111", 1),
            (
                "mailtos://u:p%40w@example.org?to=a+b@x.org,c@x.org&cc=d@x.org&bcc=e@x.org&from=Desk<f@x.org>&mode=ssl",
                4,
            ),
            ("mailto://u:p@example.org/a@x.org/b@x.org", 2),
            ("mailto://u:p@example.org?to=a@x.org,a@x.org", 1),
            ("mailto://u:p@example.org?to=a@x.org", 1),
            ("mailto://u:p@example.org?cc=a@x.org", 1),  # the sender gets it, and a copy goes to another
            ("mailto://u:p@example.org?to=Me<a@x.org>,b@x.org", 1),
            ("slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ/%23a/%23b", 1),
            ("https://example.org/a/b?to=1,2", 1),
        ],
    )
    def test_each_mailbox_and_chat_that_an_address_names_is_a_channel(
        self, settings: Any, address: str, recipients: int
    ) -> None:
        settings.VELOX_ALERT_URLS = [address]
        channels = channels_of_environment()
        assert len({channel.key for channel in channels}) == len({channel.label for channel in channels}) == recipients
        assert recipients > 1 or "of" not in channels[0].label.split()
        whole, services = sending._service(address), [sending._service(channel.url) for channel in channels]
        assert recipients == 1 or all(len(people(service)) == 1 for service in services)
        assert sorted(set().union(*map(people, services))) == sorted(people(whole))
        assert {getattr(service, "password", None) for service in services} == {getattr(whole, "password", None)}

    def test_a_kind_that_the_setting_allows_is_sent_as_apprise_sends_it_and_no_other(self, settings: Any) -> None:
        with webhook() as hook:
            url = f"xml://127.0.0.1:{hook.server_port}/secret-token"  # a kind that only apprise knows
            settings.VELOX_ALERT_URLS = [url]
            assert channels_of_environment() == []
            settings.VELOX_ALERT_KINDS = ["XML"]
            (channel,) = channels_of_environment()
            assert channel.label == "xml://…" and "secret" not in repr(channel)
            assert self.outcome(channel.url).is_sent
            (text,) = hook.texts
            assert "VELOX: Test" in text and "a body" in text
        with pytest.raises(InvalidValue, match="'discord' is not allowed"):
            label_of("discord://1234/abcd", kinds=["xml"])

    def test_an_address_that_apprise_cannot_read_is_told_as_none(self) -> None:
        assert self.outcome("tgram://not-a-token/") == MessageOutcome("no_address")
        assert self.outcome("nosuchkind://x") == MessageOutcome("no_address")
