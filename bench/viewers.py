"""200 people watch the overview while a strategy records 1,000 ticks a second and moves a stop each second.

The same minute is run without them first, and both begin once everybody is there. The desk is that of `make serve`, the
strategy a process of its own, and the viewers are 200 connections of this one. Each stop has a price of its own, so
that the first event that shows it tells how long after the call it came.
"""

from __future__ import annotations

import json
import math
import os
import re
import selectors
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from django.conf import settings
from django.contrib.auth import get_user_model
from django.test import Client

from bench.harness import Figures, Row
from bench.soak import ROOT, served

SECONDS = float(os.environ.get("VIEWERS_SECONDS", "60"))
VIEWERS = 200
WARM_SECONDS = 20.0  # the companion ships within
SEEING_SECONDS_MAX = 120.0
SETTLED = 10.0  # from then on the web process keeps its size


class Viewers:
    """Connections to `/events/`, read by one thread: when each first saw which stop."""

    def __init__(self, port: int, cookie: str, count: int) -> None:
        self.delays: list[float] = []
        self.moved: dict[str, float] = {}  # when the stop of this text was moved
        self._over, self._all_see = threading.Event(), threading.Event()
        self._count, self._seeing = count, set[int]()
        self._selector = selectors.DefaultSelector()
        request = f"GET /events/ HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nCookie: {cookie}\r\n\r\n".encode()
        for _ in range(count):
            connection = socket.create_connection(("127.0.0.1", port), timeout=30)
            connection.sendall(request)
            self._selector.register(connection, selectors.EVENT_READ, set[str]())
        self._thread = threading.Thread(target=self._read)
        self._thread.start()
        # They come at once, and each is asked for its login: the minute begins when the last one sees the page.
        if count and not self._all_see.wait(SEEING_SECONDS_MAX):
            self.end()
            raise TimeoutError(
                f"{len(self._seeing)} of {count} viewers saw a picture within {SEEING_SECONDS_MAX:.0f} s."
            )

    def _read(self) -> None:
        while not self._over.is_set():
            for key, _ in self._selector.select(timeout=0.05):
                connection = key.fileobj
                assert isinstance(connection, socket.socket)
                content, now = connection.recv(1 << 20), time.time()
                if b"event: picture" in content:
                    self._seeing.add(connection.fileno())
                    if len(self._seeing) == self._count:
                        self._all_see.set()
                if not content:  # the server ended it: what it did not see counts as missed
                    self._selector.unregister(connection)
                    connection.close()
                # The sign of the currency stands before it as an escape of JSON: \u20b950.05.
                for stop in set(re.findall(rb"5\d\.\d\d(?!\d)", content)):
                    text = stop.decode()
                    if text in self.moved and text not in key.data:
                        key.data.add(text)
                        self.delays.append(now - self.moved[text])

    def end(self) -> None:
        self._over.set()
        self._thread.join()
        for key in list(self._selector.get_map().values()):
            assert isinstance(key.fileobj, socket.socket)
            key.fileobj.close()


@contextmanager
def prepare() -> Iterator[Figures]:
    marks = {
        "process_tick p99 with viewers over without": 1.5,
        "event delay p99, s": 1.0,
        "stops that a viewer missed, share": 0.01,
        "web process growth after ten seconds, MB": 5.0,
    }
    with served() as server:
        yield Figures(lambda: _measured(*server), marks, "", is_long=True)


def _measured(port: int, pid: int) -> dict[str, float]:
    user, _ = get_user_model().objects.get_or_create(username="soak", is_superuser=True)
    client = Client()
    client.force_login(user)
    cookie = f"{settings.SESSION_COOKIE_NAME}={client.cookies[settings.SESSION_COOKIE_NAME].value}"
    # What the pages load at their first question of the store is no growth: somebody has looked before.
    _minute(pid, Viewers(port, cookie, 1), WARM_SECONDS)
    alone, _, _ = _minute(pid, Viewers(port, cookie, 0))
    viewers = Viewers(port, cookie, VIEWERS)
    watched, moves, growth = _minute(pid, viewers)
    assert moves, "the strategy moved no stop: see above"
    delays = sorted(viewers.delays) or [math.inf]
    figures = {
        "process_tick p99 with viewers over without": watched / alone,
        "event delay p99, s": delays[int(0.99 * len(delays))],
        "stops that a viewer missed, share": 1 - len(delays) / (moves * VIEWERS),
        "web process growth after ten seconds, MB": growth,
    }
    print(json.dumps({**figures, "process_tick p99, µs": watched, "stops": moves}), file=sys.stderr)
    return figures


def _minute(pid: int, viewers: Viewers, seconds: float = SECONDS) -> tuple[float, int, float]:
    """Return p99 of `process_tick` in µs, how many stops were moved, and by how many MB the web process grew."""
    command = [sys.executable, "-m", "bench.viewers_strategy", str(seconds)]
    settled = 0.0
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as strategy:
        assert strategy.stdout is not None
        began, p99, moves = time.monotonic(), 0.0, 0
        for line in strategy.stdout:
            said = json.loads(line)
            if "stop" in said:
                viewers.moved[said["stop"]] = said["at"]
                moves += 1
            p99 = said.get("p99", p99)
            if not settled and time.monotonic() - began > SETTLED:
                settled = _resident_mb(pid)
    time.sleep(2)  # the last event is on its way
    growth = _resident_mb(pid) - settled
    viewers.end()
    return p99, moves, growth


def _resident_mb(pid: int) -> float:
    sizes = re.findall(r"^VmRSS:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text(), re.M)
    return int(sizes[0]) / 1024


ROWS = [
    Row(
        "viewers",
        f"{VIEWERS} live viewers of one web process for a minute, beside the same minute without them",
        prepare,
        is_asked_for=True,
    ),
]
