"""Faults that are planted into a running desk, as an operator meets them: servers, processes, files; each until the end
of its block."""

from __future__ import annotations

import os
import signal
import socket
import sqlite3
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tests.redis_server import RedisServer
from tests.stopped import stopped
from tests.timeseries.influx_server import FaultyInflux
from tests.waiting import until
from timeseries import wiring
from timeseries.bus.standing import LEFT_SECONDS, NAME, PartitionStanding, tell
from timeseries.measurements import TICKS
from timeseries.spool.lane import Lane
from timeseries.spool.lease import LeaseHeld
from trading import summon
from trading.data_manager import DataManager

KEPT, REFUSED = "kept", "REFUSED"  # a source whose points wait, and a symbol that InfluxDB takes no point of
AHEAD = timedelta(seconds=25)
TICK_SECONDS = 0.2


class Proxy:
    """The address that people open: it refuses connections until it is told to answer TLS handshakes."""

    def __init__(self, folder: Path) -> None:
        self.key, self.certificate = folder / "tls.key", folder / "tls.pem"
        key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", str(self.key)]
        names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-days", "60"]
        command = ["openssl", "req", "-x509", *key, *names, "-out", str(self.certificate)]
        subprocess.run(command, check=True, capture_output=True)
        self.listener = socket.socket()
        self.listener.bind(("127.0.0.1", 0))

    def __enter__(self) -> Proxy:
        return self

    def __exit__(self, *_: object) -> None:
        self.listener.close()

    @property
    def url(self) -> str:
        return f"https://localhost:{self.listener.getsockname()[1]}"

    def answer(self) -> None:
        """Answer from now on."""
        self.listener.listen()
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.certificate, self.key)
        while self.listener.fileno() >= 0:
            with (
                suppress(OSError),
                self.listener.accept()[0] as plain,
                context.wrap_socket(plain, server_side=True) as secure,
            ):
                secure.recv(1)


class Feeds:
    """Two feeds that tick, each from its source, until they are told to be silent or to tick from the future."""

    def __init__(self) -> None:
        self.silent: set[str] = set()
        self.ahead: set[str] = set()
        self.symbols = {"feed": "TCS", "broker": "INFY"}
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._tick, daemon=True)

    def _tick(self) -> None:
        managers = {source: DataManager(source=source) for source in self.symbols}
        price = 100
        while not self._ended.wait(TICK_SECONDS):
            price += 1
            for source in self.symbols.keys() - self.silent:
                at = datetime.now(UTC) + (AHEAD if source in self.ahead else timedelta())
                managers[source].process_tick(self.symbols[source], {"ltp": price, "timestamp": at})
        for manager in managers.values():
            manager.close()

    def __enter__(self) -> Feeds:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()


@dataclass
class Desk:
    """A running desk and what it runs on."""

    data_dir: Path
    cache: RedisServer
    broker: RedisServer
    influx: FaultyInflux
    proxy: Proxy
    web: subprocess.Popen[bytes]
    worker: subprocess.Popen[bytes]
    beat: subprocess.Popen[bytes]
    feeds: Feeds = field(default_factory=Feeds)

    def kept_lane(self) -> Lane:
        [lane] = [row for row in wiring.open_spool().lanes() if (row.source, row.measurement) == (KEPT, TICKS)]
        return lane


Plant = Callable[[Desk], AbstractContextManager[None]]
WAVES: list[dict[str, Plant]] = [{}, {}, {}, {}, {}]  # of each part one fault at a time


def plants(key: str, wave: int) -> Callable[[Callable[[Desk], Iterator[None]]], None]:
    def keep(plant: Callable[[Desk], Iterator[None]]) -> None:
        WAVES[wave][key] = contextmanager(plant)

    return keep


@contextmanager
def waiting_points(desk: Desk) -> Iterator[Path]:
    """Let points of a source wait that nobody may ship; give their segment, on disk and whole."""
    with DataManager(source=KEPT) as dm:
        assert dm.process_tick("SBIN", {"ltp": 1})
    until(lambda: desk.kept_lane().outcome().stored)
    while True:
        with suppress(LeaseHeld), desk.kept_lane().lease(owner="whoever holds points back"):
            with DataManager(source=KEPT) as dm:
                for price in range(1, 9):
                    assert dm.process_tick("SBIN", {"ltp": price})
            until(lambda: desk.kept_lane().unsynced() is None)
            yield max((desk.data_dir / "spool" / KEPT / "ticks").glob("*.seg"))
            return
        time.sleep(0.05)


@plants("site/site_unreachable", wave=0)
def nobody_answers_yet(desk: Desk) -> Iterator[None]:
    yield
    desk.proxy.answer()


@plants("hot/cache_unreachable", wave=0)
def redis_hangs(desk: Desk) -> Iterator[None]:
    with desk.cache.frozen():
        yield


@plants("store/store_unavailable", wave=0)
def influxdb_refuses_connections(desk: Desk) -> Iterator[None]:
    with desk.influx.refusing():
        yield


@plants("clock/clock_feed", wave=0)
def a_feed_ticks_from_the_future(desk: Desk) -> Iterator[None]:
    desk.feeds.ahead.update(desk.feeds.symbols)  # of several the one that agrees best counts
    yield
    desk.feeds.ahead.clear()


@plants("worker/no_worker", wave=0)
def the_worker_is_stopped(desk: Desk) -> Iterator[None]:
    with stopped(desk.worker.pid):
        yield


@plants("beat/no_beat", wave=0)
def the_beat_is_stopped(desk: Desk) -> Iterator[None]:
    with stopped(desk.beat.pid):
        yield


@plants("broker/broker_unreachable", wave=0)
def the_broker_hangs(desk: Desk) -> Iterator[None]:
    with desk.broker.frozen():
        yield


@plants("ledger/ledger_busy", wave=1)
def another_writes_and_does_not_end(desk: Desk) -> Iterator[None]:
    other = sqlite3.connect(desk.data_dir / "ledger.sqlite3", timeout=60, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    yield
    other.close()


@plants("spool/unsynced", wave=1)
def the_syncer_is_stopped(desk: Desk) -> Iterator[None]:
    own = (b"timeseries.spool.syncer", os.fsencode(desk.data_dir / "spool"))
    commands = {int(path.parent.name): _command(path) for path in Path("/proc").glob("[0-9]*/cmdline")}
    with stopped(*(pid for pid, words in commands.items() if all(word in words for word in own))):
        yield


def _command(path: Path) -> list[bytes]:
    with suppress(OSError):
        return path.read_bytes().split(b"\0")
    return []


@plants("feed/quiet", wave=1)
def a_feed_falls_silent(desk: Desk) -> Iterator[None]:
    desk.feeds.silent.add("broker")
    yield
    desk.feeds.silent.clear()


@plants("logs/logs_read_only", wave=1)
def a_file_stands_in_the_logs_way(desk: Desk) -> Iterator[None]:
    logs, away = desk.data_dir / "logs", desk.data_dir / "logs.away"
    logs.rename(away)
    logs.write_text("")
    yield
    logs.unlink()
    away.rename(logs)


@plants("spool/segment_unreadable", wave=2)
def a_frame_is_overwritten(desk: Desk) -> Iterator[None]:
    with waiting_points(desk) as segment:
        content = segment.read_bytes()
        middle = slice(len(content) // 2 - 40, len(content) // 2)
        _overwrite(segment, middle.start, b"\xff" * 40)
        yield
        _overwrite(segment, middle.start, content[middle])


def _overwrite(path: Path, place: int, content: bytes) -> None:
    with path.open("r+b") as file:
        file.seek(place)
        file.write(content)


@plants("shipper/dead_letters", wave=2)
def influxdb_refuses_a_point(desk: Desk) -> Iterator[None]:
    desk.influx.behaviour.bad = lambda line: 400 * (REFUSED.encode() in line)
    with DataManager(source="refused") as dm:
        assert dm.process_tick(REFUSED, {"ltp": 1})
    yield
    desk.influx.behaviour.bad = lambda line: 0
    command = [sys.executable, "-m", "velox_site", "dead_letters", "--retry"]
    subprocess.run(command, check=True, cwd=desk.data_dir, stdout=subprocess.DEVNULL)


@plants("feed/partition_left", wave=2)
def a_consumer_of_kafka_was_killed(desk: Desk) -> Iterator[None]:
    folder = desk.data_dir / "spool" / "ticks.0"
    at_ns = time.time_ns() - int((LEFT_SECONDS + 1) * 10**9)
    tell(folder, PartitionStanding("ticks", 0, "ticks.0", 1, at_ns, at_ns, at_ns, 5, ""), is_recording=True)
    yield
    (folder / NAME).unlink()


@plants("ledger/ledger_not_ready", wave=2)
def the_code_is_newer_than_the_ledger(desk: Desk) -> Iterator[None]:
    with sqlite3.connect(desk.data_dir / "ledger.sqlite3", timeout=60) as ledger:
        [row] = ledger.execute("SELECT * FROM django_migrations WHERE app = 'trading' ORDER BY id DESC LIMIT 1")
        ledger.execute("DELETE FROM django_migrations WHERE id = ?", row[:1])
    yield
    with sqlite3.connect(desk.data_dir / "ledger.sqlite3", timeout=60) as ledger:
        ledger.execute("INSERT INTO django_migrations VALUES (?, ?, ?, ?)", row)


@plants("spool/balance", wave=3)
def a_segment_is_removed_by_hand(desk: Desk) -> Iterator[None]:
    with waiting_points(desk) as segment:
        away = desk.data_dir / segment.name
        segment.rename(away)
        yield
        away.rename(segment)


@plants("shipper/no_companion", wave=3)
def the_companion_is_killed(desk: Desk) -> Iterator[None]:
    desk.feeds.silent.update(desk.feeds.symbols)  # the next tick starts another
    pid = summon.companion_pid()
    assert pid
    os.kill(pid, signal.SIGKILL)
    yield
    desk.feeds.silent.clear()


@plants("web/web_gone", wave=4)
def the_pages_hang(desk: Desk) -> Iterator[None]:
    with stopped(desk.web.pid):
        yield
