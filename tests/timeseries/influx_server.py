"""An HTTP server that takes line protocol as InfluxDB 2 does, misbehaves as it is told, and keeps what it applied."""

from __future__ import annotations

import json
import re
import threading
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
    is cut before or after the body was applied).
    """

    plan: list[int | str] = field(default_factory=list)
    headers: dict[str, str] = field(default_factory=dict)  # of every refusal
    bad: Callable[[bytes], int] = lambda line: 0  # 400 or 422 for a line that is refused, else 0
    lines_max: int = 10**9  # above it 413
    retention_seconds: int = 0


class FaultyInflux:
    """``points`` maps (series, time) to the fields of the last write; ``applied`` counts the writes of each."""

    def __init__(self) -> None:
        self.behaviour = Behaviour()
        self.points: dict[Key, bytes] = {}
        self.applied: dict[Key, int] = {}
        self.bodies: list[bytes] = []
        self.deletes: list[dict[str, str]] = []
        self.released = threading.Event()
        self.lock = threading.Lock()
        self.url = ""

    def closes(self, symbol: str) -> list[float]:
        """Return the field close of a symbol's points, ascending by time."""
        with self.lock:
            own = sorted(
                (key[1], fields) for key, fields in self.points.items() if f"symbol={symbol}".encode() in key[0]
            )
        return [float(re.search(rb"close=([^,]+)", fields)[1]) for _, fields in own]

    def answer(self, body: bytes) -> int | str:
        with self.lock:
            self.bodies.append(body)
            act = self.behaviour.plan.pop(0) if self.behaviour.plan else 204
            if act not in (204, "drop after"):
                return act
            lines = body.splitlines()
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

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            where = urlsplit(self.path)
            if where.path == "/api/v2/delete":
                influx.deletes.append({"bucket": parse_qs(where.query)["bucket"][0], **json.loads(body)})
                return self._say(204)
            assert (where.path, parse_qs(where.query)["precision"]) == ("/api/v2/write", ["ns"])
            act = influx.answer(body)
            if act == "hang":
                influx.released.wait(30)
            if isinstance(act, str):
                self.close_connection = True
                return None
            return self._say(act)

        def do_GET(self) -> None:
            rules = [{"type": "expire", "everySeconds": influx.behaviour.retention_seconds}]
            self._say(200, {"buckets": [{"id": "b1", "name": "velox", "orgID": "o1", "retentionRules": rules}]})

        def _say(self, status: int, content: object = None) -> None:
            body = (
                b""
                if status == 204
                else json.dumps(content or {"code": "x", "message": f"told to say {status}"}).encode()
            )
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            if status >= 400:
                for name, value in influx.behaviour.headers.items():
                    self.send_header(name, value)
            if status != 204:
                self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    return Handler


@contextmanager
def faulty_influx() -> Iterator[FaultyInflux]:
    """Serve on a free port of this machine until the block ends."""
    influx = FaultyInflux()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(influx))
    server.daemon_threads = True
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
