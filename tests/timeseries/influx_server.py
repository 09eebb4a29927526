"""An HTTP server that takes line protocol as InfluxDB 2 does, misbehaves as it is told, and keeps what it applied."""

from __future__ import annotations

import contextlib
import gzip
import io
import json
import re
import socket
import sys
import threading
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

# tags, fields, time: none of the tests' names has an escaped blank
LINE = re.compile(rb"(\S+) (\S+) (-?\d+)")
Key = tuple[bytes, int]


@dataclass
class Behaviour:
    """What the server does with the next writes; 204 once ``plan`` is used up.

    An entry is a status (answered without storing), or "hang" (no answer), "drop before", "drop after" (the connection
    is cut before or after the body was applied), "cut gzip before", "cut gzip after" (so is the gzip of an answer 500).
    """

    plan: list[int | str] = field(default_factory=list)
    headers: dict[str, str] = field(default_factory=dict)  # of every refusal
    date: str = ""  # the server's clock, as its header has it; empty: this machine's
    bad: Callable[[bytes], int] = lambda line: 0  # 400 or 422 for a line that is refused, else 0
    lines_max: int = 10**9  # above it 413
    retention_seconds: int = 0
    answer: bytes = b"\r\n"  # to every question
    packed: bool = False  # as a proxy may that has not read the request
    sparing: bool = False  # no single line is refused by a status of the plan: it would be a dead letter
    everything: int = 0  # the one answer of something that stands before the server and knows no lines
    drip_seconds: float = 0.0  # between two bytes of each answer
    cut: int | None = None  # after so many bytes, of head and body, an answer about buckets ends


REFUSING = (400, 413, 422)
AFTER = ("drop after", "cut gzip after")


class FaultyInflux:
    """``points`` maps (series, time) to the fields of the last write; ``applied`` counts the writes of each."""

    def __init__(self) -> None:
        self.behaviour = Behaviour()
        self.points: dict[Key, bytes] = {}
        self.applied: dict[Key, int] = {}
        self.bodies: list[bytes] = []
        self.deletes: list[dict[str, str]] = []
        self.questions = 0
        self.released = threading.Event()
        self.lock = threading.Lock()
        self.url = ""
        self.ear: socket.socket | None = None

    @contextmanager
    def refusing(self) -> Iterator[None]:
        """Refuse every new connection until the block ends."""
        assert self.ear
        self.ear.shutdown(socket.SHUT_RD)
        try:
            yield
        finally:
            self.ear.listen(128)

    def closes(self, symbol: str) -> list[float]:
        """Return the field close of a symbol's points, ascending by time."""
        with self.lock:
            own = sorted(
                (key[1], fields) for key, fields in self.points.items() if f"symbol={symbol}".encode() in key[0]
            )
        return [float(re.search(rb"close=([^,]+)", fields)[1]) for _, fields in own]

    def answer(self, body: bytes) -> int | str:
        with self.lock:
            if self.behaviour.everything:
                return self.behaviour.everything
            if body.startswith(b"#"):
                return 204
            self.bodies.append(body)
            act = self.behaviour.plan.pop(0) if self.behaviour.plan else 204
            lines = body.splitlines()
            if self.behaviour.sparing and act in REFUSING and len(lines) == 1:
                act = 204
            if act not in (204, *AFTER):
                return act
            if len(lines) > self.behaviour.lines_max:
                return 413
            refused = {number: status for number, line in enumerate(lines) if (status := self.behaviour.bad(line))}
            if 400 in refused.values():
                return 400
            for number, line in enumerate(lines):
                if number not in refused:
                    series, fields, time = LINE.fullmatch(line).groups()
                    key = (series, int(time))
                    self.points[key] = fields
                    self.applied[key] = self.applied.get(key, 0) + 1
            return 422 if refused and act == 204 else act


def _handler(influx: FaultyInflux) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = 1 << 16  # head and body in one piece: two would wait for one another 40 ms

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            where = urlsplit(self.path)
            if self.headers.get("Content-Encoding") == "gzip":
                try:
                    body = gzip.decompress(body)
                except (EOFError, OSError, zlib.error):
                    return self._say(500)  # as 2.7 does; nothing is stored
            if where.path == "/api/v2/delete":
                influx.deletes.append({"bucket": parse_qs(where.query)["bucket"][0], **json.loads(body)})
                return self._say(204)
            if where.path == "/api/v2/query":
                return self._answer()
            assert (where.path, parse_qs(where.query)["precision"]) == ("/api/v2/write", ["ns"])
            act = influx.answer(body)
            if act == "hang":
                influx.released.wait(30)
            if act in ("cut gzip before", "cut gzip after"):
                self._say_half(500)
            if isinstance(act, str):
                self.close_connection = True
                return None
            return self._say(act)

        def _answer(self) -> None:
            influx.questions += 1
            if influx.behaviour.everything:
                return self._say(influx.behaviour.everything)
            if influx.behaviour.drip_seconds:
                return self._drip()
            self.send_response(200)
            self.send_header("Connection", "close")
            if influx.behaviour.packed:
                self.send_header("Content-Encoding", "gzip")
            self.end_headers()
            self.wfile.write(influx.behaviour.answer)
            return None

        def do_GET(self) -> None:
            rules = [{"type": "expire", "everySeconds": influx.behaviour.retention_seconds}]
            buckets = {"buckets": [{"id": "b1", "name": "velox", "orgID": "o1", "retentionRules": rules}]}
            status = influx.behaviour.everything or 200
            if influx.behaviour.cut is None:
                return self._say(status, buckets)
            client, self.wfile = self.wfile, io.BytesIO()
            self._say(status, buckets)
            answer, self.wfile = self.wfile.getvalue(), client
            self.wfile.write(answer[: influx.behaviour.cut])
            self.close_connection = True
            return None

        def date_time_string(self, timestamp: float | None = None) -> str:
            return influx.behaviour.date or super().date_time_string(timestamp)

        def _say(self, status: int, content: object = None) -> None:
            body = (
                b""
                if status == 204
                else json.dumps(content or {"code": "x", "message": f"told to say {status}"}).encode()
            )
            if influx.behaviour.drip_seconds:
                return self._drip()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            if status >= 400:
                for name, value in influx.behaviour.headers.items():
                    self.send_header(name, value)
            if status != 204:
                self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
            return None

        def _drip(self) -> None:
            """Answer a byte at a time, never late by any time-out between two of them, until nobody listens."""
            with contextlib.suppress(OSError):
                self.wfile.write(b"HTTP/1.1 204 N")
                while not influx.released.wait(influx.behaviour.drip_seconds):
                    self.wfile.write(b"o")
                    self.wfile.flush()
            self.close_connection = True

        def _say_half(self, status: int) -> None:
            body = gzip.compress(json.dumps({"code": "x", "message": "cut in the middle"}).encode())
            self.send_response(status)
            self.send_header("Content-Encoding", "gzip")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body[: len(body) // 2])

        def log_message(self, *_: object) -> None:
            pass

    return Handler


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing of clients that were killed."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)


def _free_port() -> int:
    # One that was asked for stays the socket's own while it refuses; one that the kernel chose does not.
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@contextmanager
def faulty_influx() -> Iterator[FaultyInflux]:
    """Serve on a free port of this machine until the block ends."""
    influx = FaultyInflux()
    server = _Server(("127.0.0.1", _free_port()), _handler(influx))
    influx.ear = server.socket
    influx.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield influx
    finally:
        influx.released.set()
        server.shutdown()
        thread.join()
        server.server_close()
