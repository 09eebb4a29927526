"""The server in the foreground: whoever ends it ends all that it started."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any, NamedTuple
from unittest import mock
from urllib.parse import urlsplit

import pytest
from django.core.management import call_command

from tests.companions import ended_afterwards, is_alive
from tests.conftest import Ledger
from tests.waiting import PATIENCE_SECONDS, until
from tests.webhook import webhook
from trading import summon
from trading.alerts.watch import FOLDER
from trading.companion.companion import Companion
from trading.data_manager import DataManager
from trading.operations.set_limit import set_limit
from velox_site import serve
from velox_site.environment import Environment

ROOT = Path(__file__).resolve().parents[2]


@contextmanager
def serving(
    data_dir: Path, module: str = "velox_site.serve", *, stderr: IO[bytes] | None = None, **variables: str
) -> Iterator[subprocess.Popen[str]]:
    environment = {name: value for name, value in os.environ.items() if name not in {"VELOX_SITE_URL", "DATABASE_URL"}}
    server = subprocess.Popen(
        [sys.executable, "-m", module],
        cwd=ROOT,
        env={
            **environment,
            "VELOX_DATA_DIR": str(data_dir),
            "DJANGO_SETTINGS_MODULE": "velox_site.settings",
            **variables,
        },
        stdout=subprocess.PIPE,
        stderr=stderr,
        text=True,
    )
    with ended_afterwards():
        try:
            yield server
        finally:
            server.kill()
            server.communicate()


def is_ready(server: subprocess.Popen[str]) -> bool:
    return address_of(server) is not None


def address_of(server: subprocess.Popen[str]) -> tuple[str, int] | None:
    """Return where a server listens once it is ready, None where it does not become so."""
    assert server.stdout
    ready, _, rest = server.stdout.readline().partition(" ")
    place = urlsplit(rest.partition(" ")[0])
    return (str(place.hostname), int(place.port or 0)) if ready == "READY" else None


@pytest.mark.parametrize(
    ("number", "is_fresh"),
    [(signal.SIGTERM, False), (signal.SIGHUP, False), (signal.SIGINT, True)],
    ids=["SIGTERM", "SIGHUP", "SIGINT"],
)
def test_a_signal_ends_the_server_and_its_companion(
    data_dir: Path, migrated: Path, number: signal.Signals, is_fresh: bool
) -> None:
    if not is_fresh:
        shutil.copy(migrated, data_dir / "ledger.sqlite3")
    with serving(data_dir) as server:
        assert is_ready(server)
        until(summon.companion_pid)  # the pages may be there before it has its lock
        companion = summon.companion_pid()
        assert companion
        server.send_signal(number)
        assert server.wait() == 0
        assert not is_alive(companion)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP], ids=lambda number: number.name)
def test_a_signal_before_the_pages_are_there_leaves_nothing_either(
    data_dir: Path, migrated: Path, number: signal.Signals
) -> None:
    shutil.copy(migrated, data_dir / "ledger.sqlite3")
    with serving(data_dir) as server:
        until(summon.companion_pid)
        companion = summon.companion_pid()
        assert companion
        server.send_signal(number)
        assert server.wait() == 0
        assert not is_alive(companion)


@pytest.mark.parametrize("path", ["/login/", "/api/v1/ticks?stream=s&sequence=1"])
def test_a_body_that_never_comes_whole_is_cut_off_without_a_word(
    data_dir: Path, migrated: Path, tmp_path: Path, path: str
) -> None:
    shutil.copy(migrated, data_dir / "ledger.sqlite3")
    said = tmp_path / "said"
    with said.open("wb") as stderr, serving(data_dir, stderr=stderr) as server:
        address = address_of(server)
        assert address
        with socket.create_connection(address) as client:
            client.sendall(f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 9\r\n\r\n".encode())
            assert b" 200 " in asked(address)  # it has heard of both
            server.send_signal(signal.SIGTERM)
            assert server.wait() == 0
    assert "Traceback" not in said.read_text() and "exceeded" not in said.read_text()


def asked(address: tuple[str, int]) -> bytes:
    """Return how an answer to another request begins."""
    with socket.create_connection(address, timeout=PATIENCE_SECONDS) as client:
        client.sendall(b"GET /health/live HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        return client.recv(99)


def test_a_thread_that_waits_for_ever_does_not_keep_the_process() -> None:
    script = """
import concurrent.futures, threading
from velox_site import serve
serve.THREADS_SECONDS = 0.2
concurrent.futures.ThreadPoolExecutor().submit(threading.Event().wait)
serve.end(3)
"""
    assert subprocess.run([sys.executable, "-c", script], cwd=ROOT, timeout=PATIENCE_SECONDS).returncode == 3


@pytest.mark.parametrize(("parent", "stays"), [(os.getppid(), True), (os.getpid(), False)], ids=["lives", "gone"])
def test_a_companion_stays_with_the_server_that_started_it_and_not_longer(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch, parent: int, stays: bool
) -> None:
    """A killed server can end nothing: its companion finds that it has another parent now."""
    wanted: list[bool] = []
    monkeypatch.setattr(Companion, "run", lambda companion: wanted.append(companion.is_wanted()) or companion.stop())
    call_command("ship", watch=True, stay_with=parent)
    assert wanted == [stays]


def test_what_looks_at_a_demo_ends_with_the_pages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pid = tmp_path / "pid"
    endless = f"import os, pathlib, signal; pathlib.Path({str(pid)!r}).write_text(str(os.getpid())); signal.pause()"
    monkeypatch.setattr(serve, "MANAGE", [sys.executable, "-c", endless])
    with serve.looking():
        until(lambda: pid.exists() and pid.read_text() != "")
        os.kill(int(pid.read_text()), 0)
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid.read_text()), 0)


def watcher(data_dir: Path) -> str:
    """Return who holds the lease of the watch over the desk."""
    files = (data_dir / FOLDER).rglob("*")
    return " ".join(path.read_text(errors="replace") for path in files if path.is_file())


def test_a_companion_that_is_killed_is_told_by_the_pages_server_and_so_are_limits_meanwhile(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    data_dir = ledger.data_dir
    monkeypatch.setattr(summon, "summon", lambda: None)  # a feed that stands still starts no other companion
    with (
        webhook() as hook,
        serving(data_dir, "tests.velox_site.quick_watch", VELOX_ALERT_URLS=hook.url) as server,
        DataManager() as dm,
    ):
        assert is_ready(server)
        assert dm.process_tick("TCS", {"ltp": 1})
        set_limit("main", "open_positions", 1, by="asha", reason="one at a time", now=datetime.now(UTC))
        until(lambda: "companion" in watcher(data_dir), pause_seconds=0.1)
        companion = summon.companion_pid()
        assert companion and "Fault shipper" not in hook.titles()
        os.kill(companion, signal.SIGKILL)
        for trade_id in ("T1", "T2"):
            dm.open_position(trade_id, "ema", "TCS", 1, 1, datetime.now(UTC))
        until(lambda: {"Fault shipper", "Limit crossed limits · main"} <= set(hook.titles()), pause_seconds=0.1)
        dm.close()  # nobody records any more, so nobody is missed
        until(lambda: "Recovered shipper" in hook.titles(), pause_seconds=0.1)
    assert hook.titles().count("Fault shipper") == 1 and len(set(hook.ids())) == len(hook.ids())


def test_nobody_judges_a_demo_while_it_is_made(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    def filled(_: object) -> int:
        until(summon.companion_pid)
        watchers.append(watcher(ledger.data_dir))
        return 3  # nothing is served then

    watchers: list[str] = []
    monkeypatch.setenv("VELOX_DATA_DIR", str(ledger.data_dir))
    monkeypatch.setattr(serve, "_filled", filled)
    monkeypatch.setattr(signal, "signal", lambda *_: None)  # those of the tests stay
    with socket.socket() as listener:
        assert serve._with_companion(listener, demo=True) == 3
    assert "demo" in watchers[0]
    assert not watcher(ledger.data_dir)  # the pages and the companion may watch from now on


class Started(NamedTuple):
    """Where a server would listen, and what its settings would read."""

    host: str
    port: int | None
    environment: Environment


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, settings: Any) -> Iterator[Callable[..., Started]]:
    """Start the server as far as its settings are read, from a folder with a `.env` of these lines."""

    def start(*arguments: str, dotenv: str) -> Started:
        (tmp_path / ".env").write_text(dotenv)
        listeners: list[tuple[str, int | None]] = []

        def listen(*address: Any) -> mock.Mock:
            listeners.append(address)
            return mock.Mock(getsockname=lambda: ("127.0.0.1", 8123))

        monkeypatch.setattr(serve, "_listen", listen)
        assert serve.main(arguments) == 3
        return Started(*listeners[0], Environment())

    settings.VELOX_RECORDER_ELSEWHERE = False
    monkeypatch.setattr(serve, "BASE_DIR", tmp_path)
    monkeypatch.setattr(serve, "_with_companion", lambda *_, **__: 3)
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: mock.Mock(returncode=0))
    monkeypatch.setattr(signal, "signal", lambda *_: None)  # those of the tests stay
    with mock.patch.dict(os.environ):
        os.environ.pop("VELOX_SITE_URL", None)
        yield start


def test_the_site_url_of_dotenv_counts(started: Callable[..., Started]) -> None:
    proxied = started(dotenv="VELOX_SITE_URL=https://desk.example")
    assert (proxied.host, proxied.port) == ("0.0.0.0", None)
    assert proxied.environment.text("VELOX_SITE_URL") == "https://desk.example"


def test_without_a_site_url_it_is_where_the_pages_are(started: Callable[..., Started]) -> None:
    plain = started(dotenv="VELOX_SITE_URL=")
    assert (plain.host, plain.environment.text("VELOX_SITE_URL")) == ("127.0.0.1", "http://127.0.0.1:8123")


def test_a_demo_has_nothing_of_the_real_desk(started: Callable[..., Started], tmp_path: Path) -> None:
    (tmp_path / "url").write_text("postgres://velox@127.0.0.1/velox")
    places = re.findall(r'env\.\w+\(\s*"(\w+_URLS?)"', (ROOT / "velox_site" / "settings.py").read_text())
    assert {"DATABASE_URL", "VELOX_ALERT_URLS", "VELOX_DEADMAN_URL"} < set(places)
    dotenv = "".join(f"{name}=x\n{name}_FILE={tmp_path}/url\n" for name in places)
    demo = started("--demo", dotenv=dotenv + "VELOX_RECORDER_ELSEWHERE=on\n").environment
    named = {name: demo.text(name) for name in [*places, "VELOX_RECORDER_ELSEWHERE"] if demo.text(name)}
    assert named == {"VELOX_SITE_URL": "http://127.0.0.1:8123"}
    assert demo.text("VELOX_DATA_DIR") == f"{tmp_path}/var/demo"


@pytest.mark.parametrize("variable", ["LOG_LEVEL=x", "VELOX_SITE_URL=http://x:99999", "VELOX_ARCHIVE_CACHE_BYTES=-1"])
def test_a_variable_that_makes_no_sense_is_one_line(data_dir: Path, variable: str) -> None:
    name, _, text = variable.partition("=")
    command = [sys.executable, "-m", "velox_site.serve", "--port", "0"]
    environment = {**os.environ, "VELOX_DATA_DIR": str(data_dir), name: text}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"{name} is ") and done.stderr.count("\n") == 1
