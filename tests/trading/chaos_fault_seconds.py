"""The seconds until health shows each fault, measured with real clocks, files, processes and servers: for `make chaos`.

`python -m pytest -q tests/trading/chaos_fault_seconds.py` makes one fault after the other, looks at the desk again and
again, and writes what it measured into `docs/fault_seconds.md`; with `-k` the other rows stay. What the table allows
hours or days (backups, certificates, the ledger's file) is left to `test_faults.py`, where the clock is an argument.
"""

from __future__ import annotations

import datetime as dt
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from django.utils.module_loading import import_string

from tests.conftest import Ledger
from tests.kafka_server import kafka_server
from tests.standby import standby_pair
from tests.timeseries.influx_server import faulty_influx
from tests.trading import test_faults
from tests.trading.fault_makers import MAKERS, Room, use_influx
from tests.trading.test_ledger_copies import connected
from tests.waiting import until
from tests.workers import BEAT, WORKER, celery
from timeseries import presence
from timeseries.bus.connection import KafkaSettings
from timeseries.bus.topics import create_topic
from trading import summon
from trading.data_manager import DataManager
from trading.domain.sessions import CONTINUOUS, SPECIAL
from trading.health import database, topics
from trading.health.alerts import JUDGED
from trading.health.faults import BY_KEY, KAFKA_UNREACHABLE, PARTITION_LEFT, STANDBY_MISSING, Fault
from trading.health.report import report
from trading.health.state import DEGRADED
from trading.models import Exchange, ExchangeSession
from trading.queries.period import desk_date

fresh_room = test_faults.room  # the fixture

PAUSE_SECONDS = 0.2
NEVER_SECONDS = 60.0  # beyond what the table allows
LONG_SECONDS = 600.0
# Made by hand below, or shown by another clock alone.
OTHERWISE = {
    "shipper/no_companion",
    "shipper/companion_stuck",
    "worker/no_worker",
    "worker/worker_stuck",
    "beat/no_beat",
}
OTHERWISE |= {
    "feed/quiet",
    "feed/partition_left",
    "feed/kafka_unreachable",
    "alerts/not_judged",
    "site/certificate_ends",
    "site/certificate_wrong",
}
MADE = [key for key in MAKERS if BY_KEY[key].seconds <= LONG_SECONDS and key not in OTHERWISE]
TABLE = Path(__file__).resolve().parents[2] / "docs" / "fault_seconds.md"
HEAD = """# Seconds until a fault shows

Measured by `python -m pytest -q tests/trading/chaos_fault_seconds.py`, a part of `make chaos`, on two cores: each fault
is made on real files, processes and servers, and health is asked again and again until it tells of it, by a process
that has looked before. *At most* is what [faults.md](faults.md) allows; *look* is the longest look, which comes to it;
*load* is that of the machine.

| fault | at most | seconds | look | load |
|---|---|---|---|---|
"""


@pytest.fixture
def room(fresh_room: Room) -> Room:
    """The room of a process that has looked at its desk before, and has loaded what it looks with."""
    for name in ("stores.influx.store.open_influx", "worker.broker_client.ask"):
        import_string(f"timeseries.{name}")
    report(now=datetime.now(UTC))
    return fresh_room


@pytest.fixture(scope="module")
def rows() -> Iterator[list[str]]:
    measured: list[str] = []
    yield measured
    rows_by_fault = {line.split("|")[1]: line for line in TABLE.read_text().splitlines() if line.startswith("| `")}
    rows_by_fault |= {line.split("|")[1]: line for line in measured}
    TABLE.write_text(HEAD + "".join(f"{line}\n" for _, line in sorted(rows_by_fault.items())))


def shown_after(fault: Fault, is_shown: Callable[[], bool], rows: list[str], how: str = "") -> None:
    """Look until the fault shows, and note after how many seconds; fail where that is more than the table says."""
    started, longest = time.monotonic(), 0.0
    while True:
        began = time.monotonic()
        shows = is_shown()
        now = time.monotonic()
        longest = max(longest, now - began)
        if shows:
            break
        assert now - started < fault.seconds + NEVER_SECONDS, f"{fault.key} never showed"
        time.sleep(PAUSE_SECONDS)
    seconds, load = f"{now - started:.1f} | {longest:.1f}", os.getloadavg()[0]
    rows.append(f"| `{fault.key}`{how} | {fault.seconds:g} | {seconds} | {load:.0f} |")
    assert now - started <= fault.seconds + 2 * longest + PAUSE_SECONDS + 0.1


def in_report(fault: Fault) -> Callable[[], bool]:
    return lambda: report(now=datetime.now(UTC))["parts"][fault.part]["code"] == fault.code


@contextmanager
def fresh(folder: Path, *names: str) -> Iterator[None]:
    """Leave the marks of living processes while the block runs."""
    ended = threading.Event()

    def leave() -> None:
        while not ended.is_set():
            for name in names:
                presence.mark(folder, name)
            ended.wait(1)

    thread = threading.Thread(target=leave, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


@pytest.mark.parametrize("key", MADE)
def test_a_fault_shows_in_time(key: str, room: Room, rows: list[str]) -> None:
    MAKERS[key](room)
    shown_after(BY_KEY[key], in_report(BY_KEY[key]), rows)


@pytest.mark.parametrize("word", ["hangs", "drips"])
def test_an_influxdb_that_never_ends_its_answer_shows_in_time(word: str, room: Room, rows: list[str]) -> None:
    fault = BY_KEY["store/store_unavailable"]
    with faulty_influx() as influx, socket.create_server(("127.0.0.1", 0)) as listener:
        use_influx(room, influx.url)
        assert not in_report(fault)()
        if word == "hangs":
            use_influx(room, f"http://127.0.0.1:{listener.getsockname()[1]}")
        influx.behaviour.drip_seconds = 0.05
        shown_after(fault, in_report(fault), rows, f" ({word})")


@pytest.mark.parametrize(("key", "word"), [("shipper/no_companion", "KILL"), ("shipper/companion_stuck", "STOP")])
def test_a_companion_that_is_killed_or_stopped_shows_in_time(
    key: str,
    word: str,
    room: Room,
    ledger: Ledger,
    rows: list[str],
) -> None:
    with DataManager(source="feed") as dm:
        assert dm.process_tick("TCS", {"ltp": 1})
        command = [sys.executable, "manage.py", "ship", "--watch", "--stay"]
        companion = subprocess.Popen(command, env=ledger.env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            until(lambda: summon.companion_pid() == companion.pid and presence.is_there(ledger.data_dir, "companion"))
            until(lambda: report(now=datetime.now(UTC))["points"]["spooled"] == 0)
            companion.send_signal(getattr(signal, f"SIG{word}"))
            shown_after(BY_KEY[key], in_report(BY_KEY[key]), rows)
        finally:
            companion.kill()
            companion.wait()


@pytest.mark.parametrize(("key", "command"), [("worker/no_worker", WORKER), ("beat/no_beat", BEAT)])
def test_a_worker_or_a_beat_that_is_killed_shows_in_time(
    key: str,
    command: tuple[str, ...],
    room: Room,
    ledger: Ledger,
    rows: list[str],
) -> None:
    room.settings.CELERY_BROKER_URL = room.redis.url
    env = {**ledger.env, "CELERY_BROKER_URL": room.redis.url}
    with celery(ledger.data_dir, env, *command) as process:
        os.killpg(process.pid, signal.SIGKILL)
        shown_after(BY_KEY[key], in_report(BY_KEY[key]), rows)


def test_a_worker_that_finishes_nothing_shows_in_time(room: Room, rows: list[str]) -> None:
    room.settings.CELERY_BROKER_URL = room.redis.url
    with fresh(room.data_dir, "worker", "beat"):
        presence.mark(room.data_dir, presence.TASK)
        shown_after(BY_KEY["worker/worker_stuck"], in_report(BY_KEY["worker/worker_stuck"]), rows)


def test_a_feed_that_freezes_in_session_shows_in_time(room: Room, rows: list[str]) -> None:
    exchange, today = Exchange.objects.get(code=room.settings.VELOX_EXCHANGE), desk_date(datetime.now(UTC))
    hours = {"phase": CONTINUOUS, "opens": dt.time(0), "closes": dt.time(23, 59)}
    ExchangeSession.objects.create(exchange=exchange, kind=SPECIAL, first_date=today, last_date=today, **hours)
    room.recorder(source="feed")
    shown_after(BY_KEY["feed/quiet"], in_report(BY_KEY["feed/quiet"]), rows)


def test_a_desk_that_nobody_judges_shows_in_time(room: Room, rows: list[str]) -> None:
    room.stack.enter_context(summon.being_the_companion())
    with fresh(room.data_dir, summon.PRESENCE):
        presence.mark(room.data_dir, JUDGED)
        shown_after(BY_KEY["alerts/not_judged"], in_report(BY_KEY["alerts/not_judged"]), rows)


@pytest.mark.xdist_group("kafka")
def test_a_kafka_that_hangs_and_a_consumer_that_is_killed_show_in_time(
    room: Room, ledger: Ledger, rows: list[str], tmp_path: Path
) -> None:
    with kafka_server(tmp_path) as kafka:
        create_topic(KafkaSettings(kafka.servers), "ticks", 1)
        command = [sys.executable, "manage.py", "consume", "ticks"]
        env = {**ledger.env, "KAFKA_SERVERS": kafka.servers}
        consumer = subprocess.Popen(command, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            until(lambda: [row.stopped for row in topics.partitions()] == [""])
            until(lambda: report(now=datetime.now(UTC))["parts"]["feed"]["code"] == "")
            with kafka.held():
                shown_after(KAFKA_UNREACHABLE, in_report(KAFKA_UNREACHABLE), rows)
            until(lambda: report(now=datetime.now(UTC))["parts"]["feed"]["code"] == "")
        finally:
            consumer.kill()
            consumer.wait()
        shown_after(PARTITION_LEFT, in_report(PARTITION_LEFT), rows)


@pytest.mark.parametrize("word", ["killed", "frozen"])
def test_a_standby_that_goes_with_or_without_a_word_shows_in_time(
    word: str, rows: list[str], django_db_blocker: Any
) -> None:
    with django_db_blocker.unblock(), ExitStack() as stack:
        pair = stack.enter_context(standby_pair())
        connection = stack.enter_context(connected(pair.url))
        if word == "killed":
            pair.kill()
        else:
            stack.enter_context(pair.frozen())
        shown_after(STANDBY_MISSING, lambda: database.unkept_log(connection) is not None, rows, f" ({word})")
        assert STANDBY_MISSING.status == DEGRADED
