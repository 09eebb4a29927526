"""Servers that drip, take their time, or are no InfluxDB at all: no lane waits long, no point is given up."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.timeseries.influx_server import FaultyInflux, faulty_influx
from tests.timeseries.test_influx_shipping import Desk, desk, whole
from timeseries.errors import StoreUnavailable
from timeseries.spool import dead_letters
from timeseries.stores.influx.replies import Stored, TryLater
from timeseries.stores.influx.server import InfluxServer

__all__ = ["desk"]


@pytest.fixture
def influx() -> Iterator[FaultyInflux]:
    with faulty_influx() as influx:
        yield influx


def test_a_server_that_drips_its_answer_ends_with_the_whole_requests_time(influx: FaultyInflux) -> None:
    server = InfluxServer(influx.url, org="velox", token="t", timeout_seconds=(1.0, 5.0), write_seconds=0.4)
    influx.behaviour.drip_seconds = 0.05  # it would go on for ever
    assert isinstance(server.post("velox", b"m f=1 1\n"), TryLater)
    influx.behaviour.drip_seconds = 0.0
    for _ in range(2):  # the second over the same connection
        assert isinstance(server.post("velox", b"m f=1 1\n"), Stored)
    server.close()


def test_a_large_body_may_take_longer_than_connecting_may() -> None:
    size = 32 << 20  # more than the kernel buffers
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            connection, _ = listening.accept()
            with connection:
                time.sleep(0.5)
                received = 0
                while received < size:
                    received += len(connection.recv(1 << 20))
                connection.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")

        serving = threading.Thread(target=serve)
        serving.start()
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        server = InfluxServer(url, org="velox", token="t", timeout_seconds=(0.2, 20.0))
        assert isinstance(server.post("velox", b"#" * size), Stored)
        server.close()
        serving.join()


@pytest.mark.parametrize("status", [400, 413, 422])
def test_who_refuses_everything_makes_no_dead_letters(desk: Desk, status: int) -> None:
    desk.influx.behaviour.everything = status
    desk.record(50)
    for _ in range(3):
        desk.clock.move(301)
        assert desk.pump.run_once().settled == 0
    found = desk.pump.points()
    assert (found["spooled"], found["dead_lettered"], found["balance"]) == (50, 0, 0)
    assert dead_letters.read(desk.lane().folder) == []
    desk.influx.behaviour.everything = 0
    found = desk.settle()
    assert (found["stored"], found["dead_lettered"], found["balance"]) == (50, 0, 0)
    assert desk.influx.closes("A") == whole(50)


def test_a_refuser_that_comes_in_the_midst_of_halving_makes_no_dead_letter_either(desk: Desk) -> None:
    poison = b"close=3 "

    def bad(line: bytes) -> int:
        if poison in line and len(desk.influx.bodies[-1].splitlines()) == 1:
            desk.influx.behaviour.everything = 400
        return 400 * (poison in line)

    desk.influx.behaviour.bad = bad
    desk.record(4)
    desk.clock.move(301)
    assert desk.pump.run_once().settled == 0
    assert desk.pump.points()["spooled"] == 4
    desk.influx.behaviour.everything, desk.influx.behaviour.bad = 0, lambda line: 400 * (poison in line)
    found = desk.settle()
    assert (found["stored"], found["dead_lettered"], found["balance"]) == (3, 1, 0)


@contextmanager
def asked(influx: FaultyInflux) -> Iterator[InfluxServer]:
    server = InfluxServer(influx.url, org="velox", token="t", timeout_seconds=(2.0, 2.0))
    try:
        yield server
    finally:
        server.close()


def test_an_answer_about_buckets_that_is_cut_at_any_byte_says_nothing_of_them(influx: FaultyInflux) -> None:
    influx.behaviour.retention_seconds = 86_400
    with asked(influx) as server:
        assert server.has_bucket("velox") and server.retention_seconds("velox") == 86_400
        for cut in range(200):  # of more
            influx.behaviour.cut = cut
            for question in (server.has_bucket, server.retention_seconds):
                with pytest.raises(StoreUnavailable):
                    question("velox")


def test_a_server_that_cannot_tell_now_has_not_said_that_there_is_no_bucket(influx: FaultyInflux) -> None:
    with asked(influx) as server:
        for status in (429, 500, 503):
            influx.behaviour.everything = status
            for question in (server.has_bucket, server.retention_seconds):
                with pytest.raises(StoreUnavailable):
                    question("velox")
        for status in (401, 403, 404):  # the token may not see it
            influx.behaviour.everything = status
            assert not server.has_bucket("velox") and server.retention_seconds("velox") is None
