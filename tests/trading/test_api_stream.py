"""Ticks to a real server: batches and a WebSocket, killed in the midst, and what a client that lies is told."""

from __future__ import annotations

import asyncio
import http.client
import json
import os
import random
import re
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from tests.api_server import ApiServer, Socket, api_server
from tests.trading.test_api_ticks import ARROW, NDJSON, NS, arrow, stored
from tests.waiting import until
from timeseries.measurements import TICKS
from timeseries.recording.marked import MarkedStream
from timeseries.spool.folder import Spool
from trading.api import access, desk, tick_application, tick_batches
from trading.api.asgi import AsgiMessage
from trading.models import TokenScope
from trading.operations.make_token import make_token
from trading.operations.revoke_token import revoke_token
from velox_site.serve import WEBSOCKET_BYTES_MAX

pytestmark = pytest.mark.usefixtures("alone")
ROWS = 20_000
STREAM = "/api/v1/ticks/stream?stream=s"


@pytest.fixture
def secret(ledger: Any, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(desk, "_facades", {})
    return make_token("main", "feed", ["record"], by="asha").secret


@pytest.fixture
def server(secret: str) -> Iterator[ApiServer]:
    with api_server() as running:
        yield running


def lines(batch: int, rows: int = ROWS) -> bytes:
    """Return ticks whose time tells their batch and place."""
    start = NS + batch * ROWS
    return b"\n".join(b'{"symbol":"TCS","ltp":5.5,"timestamp":%d}' % time for time in range(start, start + rows))


def columns(batch: int) -> bytes:
    start = NS + batch * ROWS
    return arrow(
        {"symbol": ["TCS"] * ROWS, "ltp": [5.5] * ROWS, "timestamp": list(range(start, start + ROWS))}, rows=3000
    )


def mended(settings: Any) -> list[int]:
    """Return the times of what stands in the spool, once a lane without a writer is mended."""
    Spool(settings.SPOOL_DIR).adopt("api feed")
    return [time for _, time, _ in stored(settings)]


def send_until_answered(server: ApiServer, batch: int, body: bytes, kind: str, secret: str) -> Any:
    while True:
        try:
            status, answer = server.post(f"/api/v1/ticks?stream=s&sequence={batch}", body, secret, kind)
        except (OSError, http.client.HTTPException):
            continue
        if status == 200:
            return json.loads(answer)
        assert status in (429, 503), answer


def killed_in_the_midst(server: ApiServer, secret: str, kills: int, settings: Any) -> None:
    """Send batches until each is answered while the server is killed, and see each row there once."""
    chance = random.Random(kills)
    ended = threading.Event()

    def kill() -> None:
        for _ in range(kills):
            time.sleep(chance.random() * 0.4)  # how far it comes is the point
            server.kill()
            server.start()
        ended.set()

    killer = threading.Thread(target=kill)
    killer.start()
    batch, first = 0, {}
    while not ended.is_set() or batch < 3:
        body, kind = (lines(batch), NDJSON) if batch % 2 else (columns(batch), ARROW)
        answer = send_until_answered(server, batch, body, kind, secret)
        assert (answer["accepted"], answer["rows"]) == (ROWS, ROWS)
        first = answer
        batch += 1
    killer.join()
    last = batch - 1
    body, kind = (lines(last), NDJSON) if last % 2 else (columns(last), ARROW)
    assert send_until_answered(server, last, body, kind, secret) == first
    server.kill()
    assert mended(settings) == list(range(NS, NS + batch * ROWS))


def test_a_server_that_is_killed_in_the_midst_of_batches_has_every_row_once(
    server: ApiServer, secret: str, settings: Any
) -> None:
    killed_in_the_midst(server, secret, int(os.environ.get("VELOX_API_KILLS", "10")), settings)


def test_a_batch_of_the_greatest_length_is_read_through_little_memory(server: ApiServer, secret: str) -> None:
    row = b'{"symbol": "TCS", "timestamp": 0, "note": "' + b"x" * 60_000 + b'"}\n'
    rows = tick_batches.BATCH_BYTES_MAX // len(row)
    answers, peaks = [], []
    for sequence, count in enumerate((1, rows)):
        answers.append(server.post(f"/api/v1/ticks?stream=s&sequence={sequence}", row * count, secret, NDJSON))
        peaks.append(int(re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{server.pid}/status").read_text())[1]) << 10)
    assert (answers[1][0], json.loads(answers[1][1])["rows"]) == (200, rows)
    assert peaks[1] - peaks[0] < rows * len(row) / 2


def message(batch: int, rows: int = 1000) -> bytes:
    return b'{"sequence": %d}\n' % batch + lines(batch, rows)


def test_a_stream_acknowledges_each_message_and_goes_on_after_a_cut(
    server: ApiServer, secret: str, settings: Any
) -> None:
    stream = Socket(server.port, STREAM, secret)
    assert json.loads(stream.receive()) == {"stream": "s", "sequence": None}
    for batch in range(3):
        stream.send(message(batch))
    for batch in range(3):
        assert json.loads(stream.receive())["sequence"] == batch
    stream.send(message(3))
    server.kill()
    stream.close()
    server.start()
    again = Socket(server.port, STREAM, secret)
    acknowledged = json.loads(again.receive())["sequence"]
    assert acknowledged in (2, 3)
    for batch in range(acknowledged + 1, 6):
        again.send(message(batch).decode())
        assert json.loads(again.receive())["accepted"] == 1000
    again.close()
    server.kill()
    assert mended(settings) == [NS + batch * ROWS + row for batch in range(6) for row in range(1000)]


def test_a_stream_takes_tables_and_csv_as_well(server: ApiServer, secret: str, settings: Any) -> None:
    text = b"symbol,ltp,timestamp\nTCS,5.5,%d\n" % (NS + ROWS)
    for number, (form, body) in enumerate((("arrow", columns(0)), ("csv", text))):
        stream = Socket(server.port, f"/api/v1/ticks/stream?stream={form}&form={form}", secret)
        stream.receive()
        stream.send(b'{"sequence": 1}\n' + body)
        assert json.loads(stream.receive())["accepted"] == (ROWS, 1)[number]
        stream.close()
    refusal = Socket(server.port, STREAM + "&form=xml", secret).refusal
    assert refusal is not None and json.loads(refusal)["field"] == "form"
    server.kill()
    assert mended(settings) == list(range(NS, NS + ROWS + 1))


def test_a_message_beyond_the_limit_ends_the_stream_and_stores_nothing(
    server: ApiServer, secret: str, settings: Any
) -> None:
    stream = Socket(server.port, STREAM, secret)
    stream.receive()
    stream.send(b'{"sequence": 1}\n' + b" " * WEBSOCKET_BYTES_MAX)
    assert stream.receive() == 1009
    server.kill()
    assert mended(settings) == []


def test_a_message_that_is_refused_ends_the_stream_with_its_problem(server: ApiServer, secret: str) -> None:
    for text in ("", "{}", "[1]\n", '{"sequence": -1}\n', '{"sequence": 1, "stream": "x"}\n', "\x00"):
        stream = Socket(server.port, STREAM, secret)
        stream.receive()
        stream.send(text)
        told = json.loads(stream.receive())
        assert (told["status"], told["field"]) == (422, "sequence"), text
        assert stream.receive() == tick_application.POLICY_VIOLATION
        stream.close()


def test_who_may_not_stream_is_told_before_anything_is_open(server: ApiServer, secret: str) -> None:
    reader = make_token("main", "reader", ["read"], by="asha").secret
    for target, shown, code in (
        (STREAM, "x", "wrong_token"),
        (STREAM, reader, "scope_missing"),
        ("/api/v1/ticks/stream", secret, "invalid_value"),
        ("/api/v1/elsewhere", secret, "not_there"),
    ):
        refusal = Socket(server.port, target, shown).refusal
        assert refusal is not None and json.loads(refusal)["code"] == code, target


def test_a_token_that_is_revoked_ends_its_stream(secret: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tick_application, "LOOK_SECONDS", 0.0)
    with api_server() as server:
        stream = Socket(server.port, STREAM, secret)
        stream.receive()
        stream.send(message(0))
        assert json.loads(stream.receive())["accepted"] == 1000
        revoke_token("feed", by="asha")
        stream.send(message(1))
        assert json.loads(stream.receive())["code"] == "wrong_token"
        stream.close()


def test_two_processes_write_a_source_in_turn_once_the_other_was_idle(
    secret: str, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(desk, "IDLE_SECONDS", 0.2)
    with api_server() as one, api_server() as other:

        def answered(server: ApiServer, batch: int) -> bool:
            status, answer = server.post(f"/api/v1/ticks?stream=s&sequence={batch}", lines(batch, 10), secret, NDJSON)
            told = json.loads(answer)
            assert status == 200 or (status, told["code"]) in ((409, "source_busy"), (429, "too_many_requests")), told
            return status == 200

        for batch in range(4):
            until(lambda batch=batch: answered((one, other)[batch % 2], batch))  # type: ignore[misc]
            assert answered((one, other)[batch % 2], batch)
        for server in (one, other):
            server.kill()
    assert mended(settings) == [NS + batch * ROWS + row for batch in range(4) for row in range(10)]


def test_a_source_is_kept_while_a_batch_is_on_its_way_however_long_that_takes(
    secret: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = access.known_token(secret, TokenScope.RECORD, "127.0.0.1")
    assert token is not None
    with api_server() as other:

        def status_elsewhere() -> int:
            return other.post("/api/v1/ticks?stream=s&sequence=1", lines(1, 10), secret, NDJSON)[0]

        with desk.recorder_of(token) as recorder:
            MarkedStream(recorder, TICKS, "s").newest()
            desk.let_go(time.monotonic() + 10 * desk.IDLE_SECONDS)
            assert status_elsewhere() == 409
        desk.let_go(time.monotonic())
        assert status_elsewhere() == 409  # it has just ended
        desk.let_go(time.monotonic() + 10 * desk.IDLE_SECONDS)
        assert status_elsewhere() == 200


def raw(
    secret: str, *, headers: str, body: bytes = b"", start: str = "POST /api/v1/ticks?stream=s&sequence=1"
) -> bytes:
    return f"{start} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {secret}\r\n{headers}\r\n".encode() + body


LIES = [
    ("Content-Type: application/json\r\nContent-Length: 100\r\n", b"[]", (400, 408)),
    ("Content-Type: application/json\r\nContent-Length: -1\r\n", b"[]", (400,)),
    ("Content-Type: application/json\r\nContent-Length: 2\r\nContent-Length: 3\r\n", b"[]", (400,)),
    ("Content-Type: application/json\r\nContent-Length: x\r\n", b"[]", (400,)),
    ("Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n", b"zz\r\n[]\r\n0\r\n\r\n", (400,)),
    ("Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n", b"2\r\n[]\r\n", (400, 408)),
    ("Content-Type: application/json\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n", b"[]", (415,)),
    ("Content-Length: 2\r\n", b"[]", (415,)),
]


@pytest.mark.parametrize(("headers", "body", "statuses"), LIES)
def test_a_length_that_lies_stores_nothing(
    headers: str, body: bytes, statuses: tuple[int, ...], server: ApiServer, secret: str, settings: Any
) -> None:
    answer = server.send_raw(raw(secret, headers=headers + "Connection: close\r\n", body=body))
    assert not answer or int(answer.split()[1]) in statuses, answer
    server.kill()
    assert mended(settings) == []


@pytest.mark.parametrize(
    ("proxies", "forwarded", "status"),
    [
        ("", "10.1.1.1", 403),  # anybody could write that
        ("127.0.0.1", "10.1.1.1", 200),
        ("127.0.0.0/8", "10.1.1.1", 200),
        ("127.0.0.1", "10.1.1.1, 192.0.2.9", 403),  # what the caller itself wrote stands before the proxy's word
        ("127.0.0.1", "192.0.2.9, 10.1.1.1", 200),
        ("10.0.0.1", "10.1.1.1", 403),
        ("127.0.0.1", "nonsense", 403),
    ],
)
def test_a_forwarded_address_is_that_of_a_proxy_that_is_named(
    proxies: str, forwarded: str, status: int, ledger: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(desk, "_facades", {})
    pinned = make_token("main", "pinned", ["record"], by="asha", networks=["10.0.0.0/8"]).secret
    with api_server(proxies) as server:
        for path in ("ticks?stream=s&sequence=1", "snapshots"):
            headers = {"X-Forwarded-For": forwarded}
            body = b"[]" if "ticks" in path else b"{}"
            told, answer = server.post(f"/api/v1/{path}", body, pinned, "application/json", **headers)
            assert told == status or (status == 200 and told == 422), (path, answer)


def test_a_client_who_leaves_as_its_socket_is_accepted_is_no_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    """As uvicorn has it: it takes no notice of the acceptance, and hears of the loss at the loop's next turn."""
    token = mock.Mock(pk=1)
    for name, answer in (("_known", token), ("admit", token), ("newest_batch", 0)):
        monkeypatch.setattr(tick_application, name, lambda *_, answer=answer: answer)
    has_left = False
    received = iter([{"type": "websocket.connect"}, {"type": "websocket.disconnect"}])

    def leave() -> None:
        nonlocal has_left
        has_left = True

    async def receive() -> AsgiMessage:
        return next(received)

    async def send(message: AsgiMessage) -> None:
        if message["type"] == "websocket.accept":
            asyncio.get_running_loop().call_soon(leave)
        else:
            raise OSError("gone") if has_left else RuntimeError("Expected ASGI message 'websocket.accept'")

    scope: Any = {"type": "websocket", "path": tick_application.STREAM_PATH, "query_string": b"stream=s", "headers": []}
    asyncio.run(tick_application.TickApplication(mock.Mock())(scope, receive, send))
    assert has_left
