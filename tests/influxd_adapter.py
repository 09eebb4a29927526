"""The face of InfluxDB 2's `/api/v2/write` before an InfluxDB 1: `python -m tests.influxd_adapter PORT`.

Test-only. The bucket becomes the database, a token ``user:password`` becomes basic authentication, and each refusal
becomes what 2.7 was recorded to answer. One thing it cannot change: of a body with an unreadable line 1.x stores the
rest, where 2.7 stores nothing. An engine that does not answer shows as a connection that breaks off.
"""

from __future__ import annotations

import base64
import http.client
import json
import re
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from tests.waiting import PATIENCE_SECONDS

PRECISIONS = {"ns": "n", "us": "u", "ms": "ms", "s": "s"}
PARTIAL = re.compile(r"^partial write: (field type conflict|points beyond retention policy)")
HOURS = re.compile(r"(\d+)h0m0s")
WORDS = {400: "invalid", 401: "unauthorized", 404: "not found", 413: "request too large", 422: "unprocessable entity"}


def status_of(status: int, said: str) -> int:
    """Return what 2.7 answers where 1.x answers with this status and these words."""
    if status == 400 and PARTIAL.match(said):
        return 422
    if status == 400 and said in ("unexpected EOF", "gzip: invalid checksum", "gzip: invalid header"):
        return 500
    return status


class Adapter(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # head and body in one packet: Nagle would keep the second back for 40 ms
    engine_port = 0

    def setup(self) -> None:
        super().setup()
        self.engine = http.client.HTTPConnection("127.0.0.1", self.engine_port, timeout=PATIENCE_SECONDS)

    def finish(self) -> None:
        self.engine.close()
        super().finish()

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        where = urlsplit(self.path)
        if where.path != "/api/v2/write":
            return self._say(404, {"code": "not found", "message": "path not found"})
        asked = {name: values[0] for name, values in parse_qs(where.query).items()}
        given = urlencode({"db": asked["bucket"], "precision": PRECISIONS[asked.get("precision", "ns")]})
        answer = self._ask("POST", f"/write?{given}", body)
        if answer is None:
            return self._break_off()
        status, found = answer
        said = "" if status == 204 else str(found.get("error", ""))
        status = status_of(status, said)
        return self._say(
            status, None if status == 204 else {"code": WORDS.get(status, "internal error"), "message": said}
        )

    def do_GET(self) -> None:
        """Answer how long a bucket keeps its points."""
        name = parse_qs(urlsplit(self.path).query).get("name", [""])[0]
        given = urlencode({"q": f'SHOW RETENTION POLICIES ON "{name}"'})
        answer = self._ask("GET", f"/query?{given}", None)
        if answer is None:
            return self._break_off()
        result = answer[1].get("results", [{}])[0]
        if "series" not in result:
            return self._say(200, {"buckets": []})
        hours = HOURS.fullmatch(result["series"][0]["values"][0][1])
        rules = [{"type": "expire", "everySeconds": int(hours[1]) * 3600}] if hours else []
        return self._say(200, {"buckets": [{"id": name, "name": name, "orgID": "1", "retentionRules": rules}]})

    def _ask(self, method: str, path: str, body: bytes | None) -> tuple[int, dict[str, Any]] | None:
        """Return the engine's answer; None when there is none."""
        token = self.headers.get("Authorization", "").removeprefix("Token ")
        headers = {"Authorization": f"Basic {base64.b64encode(token.encode()).decode()}"}
        if coding := self.headers.get("Content-Encoding"):
            headers["Content-Encoding"] = coding
        try:
            self.engine.request(method, path, body, headers)
            answer = self.engine.getresponse()
            content = answer.read()
        except (http.client.HTTPException, OSError):
            self.engine.close()
            return None
        try:
            found = json.loads(content) if content else {}
        except ValueError:
            found = {"error": content.decode("utf-8", "replace")}
        return answer.status, found

    def _break_off(self) -> None:
        self.close_connection = True

    def _say(self, status: int, content: Any) -> None:
        body = b"" if content is None else json.dumps(content).encode()
        self.send_response(status)
        if status != 204:
            self.send_header("Content-Type", "application/json; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


def main() -> None:
    Adapter.engine_port = int(sys.argv[1])
    server = ThreadingHTTPServer(("127.0.0.1", 0), Adapter)
    server.daemon_threads = True
    print(server.server_port, flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
