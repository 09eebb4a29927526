"""A day in small: the real desk for twenty minutes under 5,000 ticks a second, looked at from all sides meanwhile.

``SOAK_SECONDS`` sets how long (`make bench ROW=soak SOAK_SECONDS=180`). The pages, the companion and its syncer are
those of `make serve`; the strategy is a process of its own; this one asks for the overview once a second as a browser
does, keeps its stream of changes open, and takes samples: ten times a second the age of the oldest record that
is not on the disk, and an fsync of its own beside it.
"""

from __future__ import annotations

import http.client
import json
import os
import re
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from django.conf import settings
from django.contrib.auth import get_user_model
from django.test import Client

from bench.harness import Figures, Row
from timeseries import wiring
from timeseries.shipping import balance
from trading import summon

ROOT = Path(__file__).resolve().parent.parent
SECONDS = float(os.environ.get("SOAK_SECONDS", "1200"))
SAMPLES_PER_SECOND = 10
BLOCK = 40_000  # bytes that are written and synced beside it, about as many as the ticks of a tenth of a second
ENOUGH = 0.99  # of the ticks asked for: the clock of the last pass may cut some off


class Samples:
    """Numbers taken again and again in threads of their own until the end."""

    def __init__(self) -> None:
        self.taken: dict[str, list[float]] = {}
        self._over = threading.Event()
        self._threads: list[threading.Thread] = []

    def take(self, name: str, sample: Callable[[], float], *, per_second: float) -> None:
        """Take a sample so many times a second."""
        numbers = self.taken[name] = []

        def run() -> None:
            while not self._over.wait(1 / per_second):
                numbers.append(sample())

        self._threads.append(threading.Thread(target=run, daemon=True))
        self._threads[-1].start()

    def end(self) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()

    def share(self, name: str, share: float) -> float:
        """Return the sample below which this share of them lies."""
        numbers = sorted(self.taken[name])
        return numbers[min(len(numbers) - 1, int(share * len(numbers)))]


@contextmanager
def soak() -> Iterator[Figures]:
    with served() as (port, _):
        yield Figures(lambda: _measure(port), _marks(), "", is_long=True)


def _marks() -> dict[str, float]:
    return {
        "ticks refused": 0,
        "ticks per second missing": 50,
        "ledger writes refused": 0,
        "overview p99, ms": 300,
        "overview slowest, ms": 300,
        "companion peak, MB": 350,
        "companion growth in the second half, MB": 20,
        "unsynced p99, ms": 400,
        "unsynced worst beyond window and three fsyncs, ms": 0,
    }


@contextmanager
def served() -> Iterator[tuple[int, int]]:
    """Serve a desk of its own; give the port of its pages and the process that serves them."""
    command = [sys.executable, "-m", "velox_site.serve"]
    server = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout is not None
        ready = re.match(r"READY http://127\.0\.0\.1:(\d+)/", server.stdout.readline())
        assert ready is not None
        yield int(ready[1]), server.pid
    finally:
        server.terminate()
        server.wait()


def _measure(port: int) -> dict[str, float]:
    samples, spool = Samples(), wiring.open_spool()
    headers = _logged_in()
    get = _browser(port, headers)
    strategy = subprocess.Popen(
        [sys.executable, "-m", "bench.soak_strategy", str(SECONDS)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert strategy.stdout is not None
    assert strategy.stdout.readline() == "OPEN\n"
    get()  # the person has the page open when the minutes begin
    pictures = _watch(port, headers)
    samples.take("unsynced", lambda: balance.unsynced_seconds(spool, now=time.time_ns()), per_second=SAMPLES_PER_SECOND)
    samples.take("fsync", _fsync, per_second=SAMPLES_PER_SECOND)
    samples.take("overview", get, per_second=1)
    samples.take("companion", _companion_mb, per_second=1)
    answer, _ = strategy.communicate()
    samples.end()
    return _figures({**json.loads(answer), "pictures seen a second": len(pictures) / SECONDS}, samples)


def _figures(strategy: dict[str, float], samples: Samples) -> dict[str, float]:
    sizes = samples.taken["companion"]
    tenth = max(1, len(sizes) // 10)
    middle = statistics.median(sizes[len(sizes) // 2 :][:tenth])
    worst, slowest = max(samples.taken["unsynced"]), max(samples.taken["fsync"])
    window = settings.VELOX_SPOOL_SYNC_MS / 1000
    figures = {
        **strategy,
        "ticks per second missing": max(0.0, 5_000 * ENOUGH - strategy["ticks per second"]),
        "overview p50, ms": samples.share("overview", 0.5) * 1000,
        "overview p99, ms": samples.share("overview", 0.99) * 1000,
        "overview slowest, ms": max(samples.taken["overview"]) * 1000,
        "companion peak, MB": max(sizes),
        "companion growth in the second half, MB": statistics.median(sizes[-tenth:]) - middle,
        "unsynced p50, ms": samples.share("unsynced", 0.5) * 1000,
        "unsynced p99, ms": samples.share("unsynced", 0.99) * 1000,
        "unsynced worst, ms": worst * 1000,
        "fsync p50, ms": samples.share("fsync", 0.5) * 1000,
        "fsync slowest, ms": slowest * 1000,
        "unsynced worst beyond window and three fsyncs, ms": (worst - window - 3 * slowest) * 1000,
    }
    print(json.dumps({name: round(value, 1) for name, value in figures.items()}), file=sys.stderr)
    return figures


def _logged_in() -> dict[str, str]:
    """Return the headers of a browser whose user has logged in."""
    user, _ = get_user_model().objects.get_or_create(username="soak", is_superuser=True)
    client = Client()
    client.force_login(user)
    return {"Cookie": f"{settings.SESSION_COOKIE_NAME}={client.cookies[settings.SESSION_COOKIE_NAME].value}"}


def _watch(port: int, headers: dict[str, str]) -> list[float]:
    """Keep the stream of the overview's changes open; return the list that grows by the time of each picture."""
    pictures: list[float] = []

    def read() -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        connection.request("GET", "/events/", headers=headers)
        answer = connection.getresponse()
        assert answer.status == 200, answer.status
        for line in answer:
            if line.startswith(b"event: picture"):
                pictures.append(time.time())

    threading.Thread(target=read, daemon=True).start()
    return pictures


def _browser(port: int, headers: dict[str, str]) -> Callable[[], float]:
    """Return what asks for the overview and says how many seconds it took."""

    def get() -> float:
        began = time.perf_counter()
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        connection.request("GET", "/", headers=headers)
        answer = connection.getresponse()
        assert answer.status == 200, answer.status
        answer.read()
        connection.close()
        return time.perf_counter() - began

    return get


def _fsync() -> float:
    path = Path(settings.DATA_DIR) / "fsync.probe"
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        os.write(descriptor, os.urandom(BLOCK))
        began = time.perf_counter()
        os.fsync(descriptor)
        return time.perf_counter() - began
    finally:
        os.close(descriptor)


def _companion_mb() -> float:
    """Return the resident memory of the companion and, with it, its syncer: a page that both have counts once."""
    pid = summon.companion_pid() or 0
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return _resident_mb(pid, "Rss") + sum(_resident_mb(int(child), "Private_(?:Clean|Dirty)") for child in children)


def _resident_mb(pid: int, kind: str) -> float:
    try:
        sizes = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except FileNotFoundError:
        return 0.0
    return sum(int(size) for size in re.findall(rf"^{kind}:\s+(\d+) kB", sizes, re.M)) / 1024


ROWS = [
    Row(
        "soak",
        "a desk under 5,000 ticks a second over 200 symbols, 30 positions, a ledger write and an overview a second",
        soak,
        is_asked_for=True,
    ),
]
