"""The HTTP interface: ticks by Arrow batches and over the WebSocket against process_ticks in this process and against a
plain Django view; one open_position against a plain view behind the same middleware, and what its parts cost."""

from __future__ import annotations

import asyncio
import http.client
import io
import json
import math
import os
import signal
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from functools import partial
from itertools import cycle
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pyarrow as pa
import structlog
import uvicorn
from django.contrib.auth.decorators import login_not_required
from django.db import connections, models, transaction
from django.http import HttpRequest, JsonResponse
from django.test import override_settings
from django.urls import path
from django.views.decorators.csrf import csrf_exempt
from websockets.client import ClientProtocol
from websockets.frames import Frame, Opcode
from websockets.uri import parse_uri

from bench.harness import Figures, Pair, Pairs, Row
from bench.ledger import AT, PLAIN, ledger_of_its_own, plain_ledger, plain_opening
from bench.ticks import recording
from trading import summon, token_use
from trading.api import access
from trading.models import TokenScope
from trading.operations.make_token import make_token
from trading.operations.open_position import open_position
from velox_site.asgi import application
from velox_site.urls import urlpatterns

CALLS, BATCH, PLAIN_BATCH, MESSAGE, OPENINGS = 4, 65_536, 200, 8_192, 20
START = 1_710_475_260 * 10**9
MANY = 10**9
loop = asyncio.new_event_loop()
log = structlog.get_logger("system")


class PlainTick(models.Model):
    """A tick as a row of the plain ledger."""

    symbol = models.CharField(max_length=64)
    time = models.BigIntegerField()
    price = models.FloatField()
    volume = models.FloatField()

    class Meta:
        app_label = "bench"
        managed = False


@login_not_required
@csrf_exempt
def plain_ticks(request: HttpRequest) -> JsonResponse:
    """Save rows one by one in one transaction."""
    rows = json.loads(request.body)
    with transaction.atomic(using=PLAIN):
        for row in rows:
            PlainTick.objects.using(PLAIN).create(
                symbol="RELIANCE", time=row["timestamp"], price=row["ltp"], volume=row["volume"]
            )
    return JsonResponse({"accepted": len(rows)})


@login_not_required
@csrf_exempt
def plain_open(request: HttpRequest) -> JsonResponse:
    """Save the rows of an opening in one transaction."""
    body = json.loads(request.body)
    with transaction.atomic(using=PLAIN):
        trade = plain_opening(body["trade_id"])
    return JsonResponse({"trade_id": trade.trade_id, "open_quantity": str(trade.open_quantity)})


urls = ModuleType("bench_urls")
urls.urlpatterns = [  # type: ignore[attr-defined]
    path("plain/ticks", plain_ticks), path("plain/positions", plain_open), *urlpatterns,
]  # fmt: skip


@contextmanager
def desk_of_its_own() -> Iterator[str]:
    """Yield the secret of a token of a ledger and a spool of their own."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(ledger_of_its_own()))
        stack.enter_context(plain_ledger())
        stack.enter_context(
            override_settings(
                DATA_DIR=folder, SPOOL_DIR=folder / "spool", ROOT_URLCONF=urls, VELOX_API_REQUESTS_PER_SECOND=MANY
            )
        )
        with connections[PLAIN].schema_editor() as editor:
            editor.create_model(PlainTick)
        yield make_token("main", "bench", ["record"], by="bench").secret


@contextmanager
def served() -> Iterator[tuple[int, int]]:
    """Serve in another process; yield its port and id."""
    listener = socket.create_server(("127.0.0.1", 0))
    connections.close_all()
    pid = os.fork()
    if not pid:
        try:
            summon.summon = lambda: None  # no companion: what is measured is recording
            config = uvicorn.Config(
                application,
                lifespan="off",
                log_level="error",
                ws="websockets-sansio",
                ws_per_message_deflate=False,
                access_log=False,
                timeout_keep_alive=3600,
            )
            uvicorn.Server(config).run(sockets=[listener])
        finally:
            os._exit(0)
    try:
        yield listener.getsockname()[1], pid
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        listener.close()


def cpu_seconds(pid: int) -> float:
    """Return what a process has used of the processors: Linux has a clock for each."""
    return time.clock_gettime(~pid << 3 | 2)


def columns(number: int, rows: int) -> dict[str, Any]:
    """Return ticks of three fields. Every call records them under another symbol, so that none repeats an instant."""
    prices = 1900.05 + np.arange(rows) % 400 / 20
    return {
        "ltp": prices,
        "volume": 1_000_000.0 + np.arange(rows),
        "timestamp": START + number * rows + np.arange(rows),
    }


def as_arrow(given: dict[str, Any]) -> bytes:
    table, sink = pa.table(given), io.BytesIO()
    with pa.ipc.new_stream(sink, table.schema) as stream:
        stream.write_table(table)
    return sink.getvalue()


def as_rows(given: dict[str, Any]) -> list[dict[str, Any]]:
    lists = {name: column if isinstance(column, list) else column.tolist() for name, column in given.items()}
    return [dict(zip(lists, cells, strict=True)) for cells in zip(*lists.values(), strict=True)]


def in_messages(given: dict[str, Any], form: Callable[[dict[str, Any]], bytes]) -> list[bytes]:
    """Return ticks in the form of messages, so many in each that it is within the limit of 1 MiB."""
    return [
        form({name: column[start : start + MESSAGE] for name, column in given.items()})
        for start in range(0, BATCH, MESSAGE)
    ]


def json_line(row: dict[str, Any]) -> bytes:
    return json.dumps(row).encode()


class Poster:
    """A client that keeps its connection."""

    def __init__(self, port: int, secret: str) -> None:
        self._connection, self._secret = http.client.HTTPConnection("127.0.0.1", port), secret

    def post(self, target: str, body: bytes, kind: str) -> int:
        headers = {"Authorization": f"Bearer {self._secret}", "Content-Type": kind}
        self._connection.request("POST", target, body, headers)
        response = self._connection.getresponse()
        content = response.read()
        assert response.status == 200, content
        return int(json.loads(content)["accepted"])


class Streamer:
    """A client of the WebSocket, which sends ahead and counts what is acknowledged."""

    def __init__(self, port: int, secret: str, symbol: str, form: str) -> None:
        target = f"ws://127.0.0.1:{port}/api/v1/ticks/stream?stream={symbol}&symbol={symbol}&form={form}"
        self._tcp, self._ws = socket.create_connection(("127.0.0.1", port)), ClientProtocol(parse_uri(target))
        request = self._ws.connect()
        request.headers["Authorization"] = f"Bearer {secret}"
        self._ws.send_request(request)
        self._texts = self._incoming()
        next(self._texts)
        self._sequence = 0

    def send(self, bodies: list[bytes]) -> int:
        accepted = 0
        for body in bodies:
            self._ws.send_binary(b'{"sequence": %d}\n' % self._sequence + body)
            self._flush()
            self._sequence += 1
        for _ in bodies:
            accepted += json.loads(next(self._texts))["accepted"]
        return accepted

    def close(self) -> None:
        self._tcp.close()

    def _flush(self) -> None:
        for piece in self._ws.data_to_send():
            self._tcp.sendall(piece)

    def _incoming(self) -> Iterator[bytes]:
        self._flush()
        while piece := self._tcp.recv(1 << 16):
            self._ws.receive_data(piece)
            for event in self._ws.events_received():
                if isinstance(event, Frame) and event.opcode is Opcode.TEXT:
                    yield bytes(event.data)
            self._flush()  # what answers a ping


@contextmanager
def ticks() -> Iterator[Pairs]:
    with desk_of_its_own() as secret, served() as (port, pid), recording() as (_, recorder):
        poster, numbers = Poster(port, secret), iter(range(MANY))
        # What a client sends is made before: of both sides only what takes the ticks counts.
        given = [columns(number, BATCH) for number in range(CALLS)]
        rows = [as_rows(ticks) for ticks in given]
        batches = [as_arrow(ticks) for ticks in given]
        lines = [in_messages(ticks, lambda part: b"\n".join(map(json_line, as_rows(part)))) for ticks in given]
        tables = [in_messages(ticks, as_arrow) for ticks in given]
        plain = json.dumps(rows[0][:PLAIN_BATCH]).encode()
        bodies = {"columns": given, "rows": rows, "arrow": batches, "lines": lines, "tables": tables}
        turns = {name: cycle(content) for name, content in bodies.items()}

        def by_arrow() -> int:
            number = next(numbers)
            target = f"/api/v1/ticks?stream=a&sequence={number}&symbol=S{number}"
            return poster.post(target, next(turns["arrow"]), "application/vnd.apache.arrow.stream")

        def by_stream(turn: str, form: str) -> int:
            streamer = Streamer(port, secret, f"S{next(numbers)}", form)
            try:
                return streamer.send(next(turns[turn]))
            finally:
                streamer.close()

        def in_process(turn: str) -> int:
            return recorder.ticks(next(turns[turn]), symbol=f"S{next(numbers)}").accepted

        def plainly() -> int:
            return poster.post("/plain/ticks", plain, "application/json")

        served_pair = partial(Pair, clock=partial(cpu_seconds, pid))  # what a client computes is not the desk's
        pair = partial(served_pair, reference_clock=time.process_time)
        of_columns, of_rows = partial(in_process, "columns"), partial(in_process, "rows")
        of_tables, of_lines = partial(by_stream, "tables", "arrow"), partial(by_stream, "lines", "ndjson")
        yield Pairs(
            {
                "arrow": (pair(by_arrow, of_columns), 0.5),
                "arrow, of a plain view": (served_pair(by_arrow, plainly), 20),
                "stream of arrow": (pair(of_tables, of_columns), 0.25),
                "stream of lines": (pair(of_lines, of_columns), 0.25),
                "stream of lines, of rows as dicts": (pair(of_lines, of_rows), 0.25),
                "stream of lines, of a plain view": (served_pair(of_lines, plainly), 20),
            }
        )


def opening(number: int) -> dict[str, str]:
    return {
        "trade_id": f"T{number}", "strategy_id": "ema cross", "symbol": "RELIANCE", "entry_price": "2450.05",
        "quantity": "10", "entry_time": "2024-03-15T04:00:00Z",
    }  # fmt: skip


@contextmanager
def openings() -> Iterator[Pair]:
    with desk_of_its_own() as secret:
        numbers = iter(range(MANY))
        ours, plain = (partial(opened, secret, target, numbers) for target in ("/api/v1/positions", "/plain/positions"))
        yield Pair(ours, plain, clock=time.process_time)


def opened(secret: str, target: str, numbers: Iterator[int]) -> int:
    """Open trades through the served application, as a server calls it: a connection of the ledger for each request."""
    for _ in range(OPENINGS):
        loop.run_until_complete(exchange(secret, target, json.dumps(opening(next(numbers))).encode()))
    return OPENINGS


async def exchange(secret: str, target: str, body: bytes) -> None:
    headers = {"host": "localhost", "authorization": f"Bearer {secret}", "content-type": "application/json"}
    headers["content-length"] = str(len(body))
    scope = {
        "type": "http", "http_version": "1.1", "asgi": {"version": "3.0"}, "method": "POST", "scheme": "http",
        "path": target, "raw_path": target.encode(), "root_path": "", "query_string": b"", "extensions": {},
        "headers": [(name.encode(), text.encode()) for name, text in headers.items()],
        "client": ("127.0.0.1", 1), "server": ("localhost", 80),
    }  # fmt: skip
    requests: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
    requests.put_nowait({"type": "http.request", "body": body})
    answers: list[dict[str, Any]] = []

    async def send(message: dict[str, Any]) -> None:
        answers.append(message)

    await application(scope, requests.get, send)
    assert answers[0]["status"] == 200, answers


@contextmanager
def parts() -> Iterator[Figures]:
    with desk_of_its_own() as secret:
        numbers = iter(range(MANY))
        token = access.known_token(secret, TokenScope.RECORD, "127.0.0.1")
        assert token is not None

        def call() -> None:
            body = opening(next(numbers))
            open_position(
                "main", body["trade_id"], body["strategy_id"], body["symbol"], entry_price=body["entry_price"],
                quantity=body["quantity"], entry_time=AT,
            )  # fmt: skip

        def measure() -> dict[str, float]:
            whole = _ms(partial(opened, secret, "/api/v1/positions", numbers)) / OPENINGS
            plain = _ms(partial(opened, secret, "/plain/positions", numbers)) / OPENINGS
            secret_known = of_many(partial(access.known_token, secret, TokenScope.RECORD, "127.0.0.1"))
            use = of_many(partial(token_use.note_use, token, datetime.now(UTC)))
            audit = of_many(partial(log.info, "a request of the bench", path="/api/v1/positions", status=200))
            operation = of_many(call)
            return {
                "whole": whole, "plain view": plain, "token": secret_known, "last use": use, "audit": audit,
                "operation": operation, "rest": whole - secret_known - use - audit - operation,
            }  # fmt: skip

        names = ("whole", "plain view", "token", "last use", "audit", "operation", "rest")
        yield Figures(measure, dict.fromkeys(names, math.inf), "ms of CPU")


def of_many(call: Callable[[], Any]) -> float:
    """Return the mean CPU time of a call."""
    return _ms(lambda: [call() for _ in range(OPENINGS)]) / OPENINGS


def _ms(call: Callable[[], Any]) -> float:
    started = time.process_time()
    call()
    return (time.process_time() - started) * 1000


ROWS = [
    Row("http-ticks", "ticks over HTTP against process_ticks and a plain view", ticks, unit="rows per second"),
    Row(
        "http-open", "open_position over HTTP against a plain view that saves the same rows", openings,
        mark=1 / 1.2, stretch=1, unit="openings per second",
    ),
    Row("http-open-parts", "what an open_position over HTTP costs, by its parts", parts),
]  # fmt: skip
