"""Each fault of the table made on a real file or server; the report is asked for the time that a maker answers with."""

from __future__ import annotations

import os
import shutil
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import obstore
import pytest
from django.db import connection

from tests.redis_server import RedisServer, use
from tests.waiting import until
from timeseries import presence, wiring
from timeseries.bus.standing import LEFT_SECONDS, PartitionStanding, tell
from timeseries.errors import StoreMisconfigured, StoreUnavailable
from timeseries.spool.aging import AHEAD_DAYS_MAX
from timeseries.spool.counter import FULL, REFUSED_NS, CounterMap
from timeseries.spool.lane import Outcome
from trading import duties, intake, summon
from trading.data_manager import DataManager
from trading.health import faults, integrity, site
from trading.health.alerts import JUDGED
from trading.hot import comparisons
from trading.models import Alert, AlertDelivery, DutyRow
from trading.operations.back_up import back_up
from trading.operations.raise_alert import Notice, raise_alert


@dataclass
class Room:
    """What a maker may use; what it enters into ``stack`` is left after the test."""

    data_dir: Path
    settings: Any
    patch: pytest.MonkeyPatch
    stack: ExitStack
    redis: RedisServer

    def recorder(self, **keywords: Any) -> DataManager:
        """Return a manager that has recorded one tick and still records."""
        dm = self.stack.enter_context(DataManager(**keywords))
        assert dm.process_tick("TCS", {"ltp": 1})
        return dm

    def mark(self, name: str, seconds_ago: float) -> None:
        """Leave the mark of a process as of then."""
        presence.mark(self.data_dir, name)
        path = self.data_dir / presence.FOLDER / name
        path.write_text(f"{max(0, int(path.read_text()) - int(seconds_ago * 10**9)):020d}")

    def segment(self) -> Path:
        [segment] = (self.data_dir / "spool").rglob("ticks/*.seg")
        return segment


Maker = Callable[[Room], datetime | None]
MAKERS: dict[str, Maker] = {}


def makes(key: str) -> Callable[[Maker], Maker]:
    def keep(maker: Maker) -> Maker:
        MAKERS[key] = maker
        return maker

    return keep


def later(**passed: float) -> datetime:
    return datetime.now(UTC) + timedelta(**passed)


def trade(trade_id: str = "T1") -> None:
    with DataManager() as dm:
        dm.open_position(trade_id, "ema", "TCS", 1, 1, datetime.now(UTC))


# -- the ledger ----------------------------------------------------------------------------------------------------


@makes("ledger/ledger_not_ready")
def tables_are_missing(room: Room) -> None:
    connection.cursor().execute("DELETE FROM django_migrations WHERE app = 'trading'")


@makes("ledger/ledger_damaged")
def the_file_is_overwritten(room: Room) -> None:
    connection.close()
    (room.data_dir / "ledger.sqlite3").write_bytes(b"not a database" * 1000)


@makes("ledger/ledger_read_only")
def nothing_may_be_written(room: Room) -> None:
    options = connection.settings_dict["OPTIONS"]
    room.patch.setitem(options, "init_command", f"{options['init_command']} PRAGMA query_only = ON;")
    connection.close()  # every one from now on is refused, as all are on a disk that turned itself read-only


@makes("ledger/ledger_busy")
def another_writes_and_does_not_end(room: Room) -> None:
    other = connection.copy()
    room.stack.callback(other.close)
    other.cursor().execute("BEGIN IMMEDIATE")


@makes("ledger/no_backup")
def facts_are_a_day_old(room: Room) -> datetime:
    trade()
    return later(hours=25)


@makes("ledger/backup_old")
def facts_wait_two_days_behind_a_backup(room: Room) -> datetime:
    trade()
    back_up()
    trade("T2")
    return later(hours=49)


@makes("ledger/wal_large")
def a_reader_never_ends(room: Room) -> None:
    room.patch.setattr(faults, "WAL_BYTES_MAX", 0)
    reader = connection.copy()
    room.stack.callback(reader.close)
    reader.cursor().execute("BEGIN DEFERRED")
    reader.cursor().execute("SELECT count(*) FROM trading_account").fetchone()
    trade()


@makes("ledger/check_old")
def nobody_looks_through_the_file(room: Room) -> datetime:
    integrity.check_file(now=datetime.now(UTC))
    room.mark(JUDGED, 1)
    return later(days=faults.CHECK_DAYS, minutes=1)


# -- the spool -----------------------------------------------------------------------------------------------------


@makes("spool/spool_failed")
def a_file_stands_in_the_spools_way(room: Room) -> None:
    (room.data_dir / "spool").write_text("")


@makes("spool/spool_full")
def a_record_is_refused(room: Room) -> None:
    room.recorder()
    counter = CounterMap(room.segment().parent)
    counter.words[FULL] += 1
    counter.words[REFUSED_NS] = int(datetime.now(UTC).timestamp()) * 10**9
    counter.close()


@makes("spool/spool_removed")
def the_spool_is_emptied_under_its_recorder(room: Room) -> None:
    dm = room.recorder()
    shutil.rmtree(room.data_dir / "spool")
    until(lambda: not dm.process_tick("TCS", {"ltp": 2}))
    until(lambda: dm.process_tick("TCS", {"ltp": 3}))


@makes("spool/sync_failed")
def the_disk_could_not_sync(room: Room) -> None:
    room.recorder()
    counter = CounterMap(room.segment().parent)
    counter.doubt(1, 1, 5)
    counter.close()


@makes("spool/unsynced")
def nobody_syncs(room: Room) -> datetime:
    room.recorder()
    return later(seconds=faults.UNSYNCED_SECONDS + 1)


@makes("spool/spool_low")
def the_spool_nears_its_limit(room: Room) -> None:
    with DataManager() as dm:
        dm.process_tick("TCS", {"ltp": 1})
    room.settings.VELOX_SPOOL_MAX_BYTES = 4 * room.segment().stat().st_size // 3 - 100


@makes("spool/balance")
def a_segment_is_removed_by_hand(room: Room) -> None:
    with DataManager() as dm:
        dm.process_tick("TCS", {"ltp": 1})
    room.segment().unlink()


@makes("spool/segment_unreadable")
def a_frame_is_overwritten(room: Room) -> None:
    with DataManager() as dm:
        for price in range(1, 9):
            dm.process_tick("TCS", {"ltp": price})
    content = bytearray(room.segment().read_bytes())
    content[len(content) // 2 - 40 : len(content) // 2] = b"\xff" * 40
    room.segment().write_bytes(content)


# -- the store and who ships ---------------------------------------------------------------------------------------


def use_influx(room: Room, url: str) -> None:
    room.settings.INFLUXDB_V2_URL = url
    for name in ("ORG", "BUCKET", "TOKEN"):
        setattr(room.settings, f"INFLUXDB_V2_{name}", "velox")


@makes("store/store_unavailable")
def influxdb_is_down(room: Room) -> None:
    use_influx(room, "http://127.0.0.1:9")


@makes("store/store_misconfigured")
def a_variable_is_missing(room: Room) -> None:
    use_influx(room, "http://127.0.0.1:9")
    room.settings.INFLUXDB_V2_TOKEN = ""


@makes("store/store_damaged")
def a_file_of_the_store_is_gone(room: Room) -> None:
    with DataManager() as dm:
        dm.process_tick("TCS", {"ltp": 1})
    pump = wiring.open_pump()
    pump.run_once()
    assert pump.healer.thread
    pump.healer.thread.join()  # its pass has begun, and would heal what is taken away
    next(path for path in (room.data_dir / "delta").rglob("*.parquet") if "ticks" in str(path)).unlink()
    wiring.open_store().damages(seconds=60)


@makes("store/not_archived")
def the_object_store_is_down(room: Room) -> datetime:
    room.settings.VELOX_ARCHIVE_URL = "s3://desk/archive"
    room.settings.ARCHIVE_ACCESS = {"endpoint": "http://127.0.0.1:9", "region": "nowhere"}
    archive = wiring.open_archive()
    assert archive is not None
    with pytest.raises(StoreUnavailable):
        wiring.archive_days(archive)
    return later(seconds=faults.ARCHIVE_SECONDS + 1)


@makes("store/archive_refused")
def the_object_store_puts_over_what_is_there(room: Room) -> None:
    room.settings.VELOX_ARCHIVE_URL = (room.data_dir / "archive").as_uri()
    archive = wiring.open_archive()
    assert archive is not None
    put = obstore.put
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(obstore, "put", lambda *args, mode="", **more: put(*args, mode="overwrite", **more))
        with pytest.raises(StoreMisconfigured, match="If-None-Match"):
            wiring.archive_days(archive)


@makes("store/retention_waits")
def the_clock_jumps_ahead(room: Room) -> datetime:
    room.settings.VELOX_RETENTION_DAYS = 365
    with DataManager() as dm:
        dm.process_tick("TCS", {"ltp": 1})
    wiring.open_pump().run_once()
    return later(seconds=(AHEAD_DAYS_MAX + 1) * 86_400)


@makes("shipper/no_companion")
def the_companion_was_killed(room: Room) -> None:
    room.recorder()
    room.mark(summon.PRESENCE, presence.ABSENT_SECONDS + 1)


@makes("shipper/companion_stuck")
def the_companion_hangs(room: Room) -> None:
    room.stack.enter_context(summon.being_the_companion())
    room.mark(summon.PRESENCE, faults.STUCK_SECONDS + 1)


@makes("shipper/nobody_ships")
def points_wait_for_nobody(room: Room) -> datetime:
    with DataManager() as dm:
        dm.process_tick("TCS", {"ltp": 1})
    return later(seconds=faults.OLD_SECONDS + 1)


@makes("shipper/behind")
def points_wait_for_a_companion(room: Room) -> datetime:
    room.stack.enter_context(summon.being_the_companion())
    return points_wait_for_nobody(room)


@makes("shipper/dead_letters")
def the_store_refused_a_point(room: Room) -> None:
    with DataManager() as dm:
        dm.process_tick("TCS", {"ltp": 1})
    [lane] = [lane for lane in wiring.open_spool().lanes() if lane.issued()]
    with lane.lease(owner="test") as lease:
        lane.settle(Outcome(1, dead_lettered={"400": 1}), lease)


# -- behind the ledger, and the hot state --------------------------------------------------------------------------


def fact_of_the_intake(**outcome: str) -> None:
    folder = intake.of_this_folder()
    at = datetime.now(UTC).isoformat()
    arguments = {"trade_id": "T1"}
    shape = {"fact": "f1", "operation": "void", "account": "main", "arguments": arguments, "is_tried": False}
    folder._facts.append({**shape, "queued_at": at})  # type: ignore[dict-item]
    if outcome:
        folder._outcomes.append({"fact": "f1", **outcome, "decided_at": at})


@makes("intake/facts_wait")
def a_fact_waits(room: Room) -> datetime:
    fact_of_the_intake()
    return later(seconds=faults.OLD_SECONDS + 1)


@makes("intake/facts_refused")
def a_fact_is_refused(room: Room) -> None:
    fact_of_the_intake(state=intake.REFUSED, code="unknown_trade", reason="no such trade")


@makes("follower/follower_behind")
def nobody_follows(room: Room) -> datetime:
    trade()
    room.stack.enter_context(summon.being_the_companion())
    return later(seconds=faults.OLD_SECONDS + 1)


@makes("hot/cache_unreachable")
def redis_hangs(room: Room) -> None:
    use(room.redis.url, room.settings, is_patient=False)
    room.stack.enter_context(room.redis.frozen())


def _compared(room: Room, wrong: int) -> None:
    use(room.redis.url, room.settings)
    comparisons.note("main", {"missing": 0, "behind": 0, "wrong": wrong}, datetime.now(UTC))


@makes("hot/mended")
def another_writes_into_the_copy(room: Room) -> None:
    _compared(room, 1)


@makes("hot/copy_stale")
def nobody_compares_the_copy(room: Room) -> datetime:
    _compared(room, 0)
    room.stack.enter_context(summon.being_the_companion())
    return later(seconds=faults.COMPARED_SECONDS + 1)


# -- broker, feed, clock, site, disk -------------------------------------------------------------------------------


def _workers(room: Room, worker: float, beat: float, task: float) -> None:
    room.settings.CELERY_BROKER_URL = room.redis.url
    for name, seconds_ago in (("worker", worker), ("beat", beat), (presence.TASK, task)):
        room.mark(name, seconds_ago)


@makes("broker/broker_unreachable")
def the_broker_is_gone(room: Room) -> None:
    _workers(room, 0, 0, 0)
    room.settings.CELERY_BROKER_URL = "redis://127.0.0.1:9/0"


@makes("worker/no_worker")
def the_worker_is_stopped(room: Room) -> None:
    _workers(room, presence.ABSENT_SECONDS + 1, 0, 0)


@makes("worker/worker_stuck")
def the_workers_task_never_ends(room: Room) -> None:
    _workers(room, 0, 0, faults.TASK_SECONDS + 1)


@makes("beat/no_beat")
def the_beat_is_dead(room: Room) -> None:
    _workers(room, 0, presence.ABSENT_SECONDS + 1, 0)


@makes("feed/quiet")
def a_feed_is_frozen_in_session(room: Room) -> datetime:
    room.recorder(source="broker")
    return datetime(2027, 1, 18, 5, tzinfo=UTC)  # a Monday, 10:30 at the desk


def _partition(room: Room, *, age: float = 0, answered: float = 0, reached: float = 0, stopped: str = "") -> None:
    """Leave what a consumer told of a partition, each so many seconds ago."""
    at_ns = time.time_ns() - int(age * 10**9)
    times = {"at_ns": at_ns, "answered_ns": at_ns - int(answered * 10**9), "reached_ns": at_ns - int(reached * 10**9)}
    standing = PartitionStanding("ticks", 0, "ticks.0", os.getpid(), lag=5, stopped=stopped, **times)
    tell(room.data_dir / "spool" / "ticks.0", standing, is_recording=True)


@makes("feed/partition_left")
def a_consumer_was_killed(room: Room) -> None:
    _partition(room, age=LEFT_SECONDS + 1)


@makes("feed/partition_stopped")
def a_partition_stands_still(room: Room) -> None:
    _partition(room, stopped="The spool is full.")


@makes("feed/kafka_unreachable")
def kafka_is_gone(room: Room) -> None:
    _partition(room, answered=faults.KAFKA_SECONDS + 1)


@makes("feed/kafka_behind")
def a_consumer_is_behind_its_topic(room: Room) -> None:
    _partition(room, reached=faults.OLD_SECONDS + 1)


@makes("clock/clock_feed")
def ticks_come_from_the_future(room: Room) -> None:
    dm = room.stack.enter_context(DataManager(source="broker"))
    assert dm.process_tick("TCS", {"ltp": 1, "timestamp": later(seconds=faults.FEED_AHEAD_SECONDS + 20)})


@makes("site/site_unreachable")
def nobody_answers_at_the_address(room: Room) -> None:
    room.patch.setattr(site, "_looks", {})
    room.settings.VELOX_SITE_URL = "https://localhost:9"


@makes("site/certificate_ends")
def the_certificate_ends_in_days(room: Room) -> datetime:
    room.patch.setattr(site, "_looks", {})
    room.settings.VELOX_SITE_URL = room.stack.enter_context(https(room, days=60))
    return later(days=60 - faults.CERTIFICATE_DAYS)


@makes("site/certificate_wrong")
def the_certificate_has_ended(room: Room) -> datetime:
    the_certificate_ends_in_days(room)
    return later(days=61)


@contextmanager
def https(room: Room, *, days: int) -> Iterator[str]:
    """Serve TLS handshakes on a port of localhost with a certificate that this process trusts; give its address."""
    folder = room.data_dir
    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", folder / "tls.key"]
    names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-days", str(days)]
    command = ["openssl", "req", "-x509", *key, *names, "-out", folder / "tls.pem"]
    subprocess.run(command, check=True, capture_output=True)
    room.patch.setenv("SSL_CERT_FILE", str(folder / "tls.pem"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "tls.pem", folder / "tls.key")
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            while True:
                try:
                    with listener.accept()[0] as plain, context.wrap_socket(plain, server_side=True) as secure:
                        secure.recv(1)
                except ssl.SSLError:  # who does not trust it says so
                    continue
                except OSError:  # the listener is closed
                    return

        threading.Thread(target=serve, daemon=True).start()
        yield f"https://localhost:{listener.getsockname()[1]}"


@makes("disk/disk_full")
def the_disk_is_full(room: Room) -> None:
    room.patch.setattr(faults, "FREE_BYTES_OUT", 1 << 62)


@makes("disk/disk_low")
def the_disk_nears_its_reserve(room: Room) -> None:
    room.patch.setattr(faults, "FREE_BYTES_LOW", 1 << 62)


@makes("logs/logs_read_only")
def a_file_stands_in_the_logs_way(room: Room) -> None:
    room.settings.LOG_DIR.rmdir()
    room.settings.LOG_DIR.write_text("")


# -- alerts --------------------------------------------------------------------------------------------------------


@makes("alerts/undelivered")
def a_message_was_given_up(room: Room) -> None:
    notice = Notice(Alert.Kind.FAULT, "fault:hot", "Redis does not answer.")
    raise_alert(notice, now=later())
    keywords = {"channel": "row:1", "label": "phone", "state": "given_up", "tries": 10}
    AlertDelivery.objects.create(alert=Alert.objects.get(), next_try_at=later(), **keywords)


@makes("alerts/channel_unusable")
def an_address_of_a_channel_is_mistyped(room: Room) -> None:
    room.settings.VELOX_ALERT_URLS = ["mailtos://asha:secret@example.org", "discrod://1234/secret"]


@makes("alerts/not_judged")
def the_companion_judges_no_more(room: Room) -> None:
    room.mark("alerts", faults.UNJUDGED_SECONDS + 1)
    room.patch.setattr(summon, "companion_pid", lambda: 1)
    room.mark("companion", 0)


@makes("alerts/all_clear_refused")
def the_other_end_takes_no_all_clear(room: Room) -> None:
    room.mark("all-clear-refused", 5)


@makes("duties/duty_unheld")
def the_holder_is_gone_and_nobody_follows(room: Room) -> None:
    assert duties.Duty(duties.UPKEEP).seek()
    DutyRow.objects.update(beaten_at=later(seconds=-faults.UNHELD_SECONDS - 5))
    room.settings.VELOX_RECORDER_ELSEWHERE = True
