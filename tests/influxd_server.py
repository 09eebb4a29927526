"""Debian's InfluxDB 1.6.7 of the tests' own on free ports, behind the face of 2's `/api/v2/write`; ended by its pid."""

from __future__ import annotations

import base64
import http.client
import json
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from tests.rabbit_server import free_ports
from tests.waiting import PATIENCE_SECONDS

ROOT = Path(__file__).resolve().parents[1]
ORG, BUCKET, TOKEN = "velox", "velox", "velox:secret"
CONFIGURATION = """
reporting-disabled = true
bind-address = "127.0.0.1:{backup}"
[meta]
dir = "{folder}/meta"
[data]
dir = "{folder}/data"
wal-dir = "{folder}/wal"
query-log-enabled = false
[http]
bind-address = "127.0.0.1:{port}"
auth-enabled = true
log-enabled = false
[monitor]
store-enabled = false
[subscriber]
enabled = false
[continuous_queries]
enabled = false
"""

# A measurement, its tags in order, a time: what makes a point one.
Key = tuple[str, tuple[tuple[str, str], ...], int]


@dataclass
class InfluxdServer:
    """``url`` is the adapter's and outlives the engine, which `kill` ends and `start` brings back with its data."""

    folder: Path
    port: int
    url: str = ""
    process: subprocess.Popen[bytes] | None = field(default=None)

    @property
    def environment(self) -> dict[str, str]:
        """The four variables that lead a desk to it."""
        return {
            "INFLUXDB_V2_URL": self.url,
            "INFLUXDB_V2_ORG": ORG,
            "INFLUXDB_V2_BUCKET": BUCKET,
            "INFLUXDB_V2_TOKEN": TOKEN,
        }

    def start(self) -> None:
        with (self.folder / "output").open("ab") as output:
            self.process = subprocess.Popen(
                ["influxd", "-config", str(self.folder / "influxd.conf")], stdout=output, stderr=output
            )
        deadline = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < deadline and self.process.poll() is None:
            with suppress(OSError, http.client.HTTPException):
                self._call("GET", "/ping")
                return
            time.sleep(0.02)
        raise TimeoutError(f"influxd does not answer: {(self.folder / 'output').read_text()}")

    def kill(self) -> None:
        """End it with SIGKILL, whatever it does."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    def tell(self, influxql: str) -> list[dict[str, Any]]:
        """Return the series that a statement in InfluxQL answers with; numbers come as they were written."""
        answer = json.loads(
            self._call("POST", "/query", urlencode({"db": BUCKET, "q": influxql, "epoch": "ns"}).encode()),
            parse_int=str,
            parse_float=str,
        )
        (result,) = answer["results"]
        assert "error" not in result, result
        return list(result.get("series", []))

    def count(self, measurement: str, *, symbol: str = "") -> int:
        """Return how many points there are, of one symbol if asked."""
        where = f" WHERE symbol = '{symbol}'" if symbol else ""
        found = self.tell(f'SELECT count("close") FROM "{measurement}"{where}')
        return int(found[0]["values"][0][1]) if found else 0

    def totals(self) -> dict[str, tuple[float, ...]]:
        """Return of each symbol's ticks: how many, the sum of their prices, the last instant."""
        asked = 'SELECT count("close"), sum("close"), max("exchange_time") FROM "ticks" GROUP BY "symbol"'
        return {series["tags"]["symbol"]: tuple(map(float, series["values"][0][1:])) for series in self.tell(asked)}

    def write(self, line: bytes) -> None:
        """Store one line past the adapter."""
        self._call("POST", f"/write?db={BUCKET}&precision=n", line)

    def points(self) -> dict[Key, dict[str, Any]]:
        """Return every point of every measurement with its fields as int, float or text."""
        found: dict[Key, dict[str, Any]] = {}
        for (name,) in self._values("SHOW MEASUREMENTS"):
            kinds = {"float": float, "integer": int, "string": str}
            types = {key: kinds[kind] for key, kind in self._values(f'SHOW FIELD KEYS FROM "{name}"')}
            for series in self.tell(f'SELECT * FROM "{name}" GROUP BY *'):
                tags = tuple(sorted(item for item in series.get("tags", {}).items() if item[1]))
                for instant, *values in series["values"]:
                    fields = zip(series["columns"][1:], values, strict=True)
                    found[name, tags, int(instant)] = {
                        key: types[key](value) for key, value in fields if value is not None
                    }
        return found

    def _values(self, influxql: str) -> list[list[Any]]:
        return [row for series in self.tell(influxql) for row in series["values"]]

    def _call(self, method: str, path: str, body: bytes | None = None) -> bytes:
        headers = {"Authorization": f"Basic {base64.b64encode(TOKEN.encode()).decode()}"}
        if path == "/query":
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        with closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE_SECONDS)) as connection:
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            content = answer.read()
        if answer.status >= 400:
            raise AssertionError(f"influxd answers {answer.status}: {content.decode()}")
        return content


@contextmanager
def influxd_server(folder: Path) -> Iterator[InfluxdServer]:
    """Skip, with the line that would bring it, where there is no influxd."""
    if shutil.which("influxd") is None:
        pytest.skip("there is no influxd: apt-get install --no-install-recommends influxdb")
    port, backup = free_ports(2)
    (folder / "influxd.conf").write_text(CONFIGURATION.format(folder=folder, port=port, backup=backup))
    server = InfluxdServer(folder, port)
    with ExitStack() as stack:
        stack.callback(server.kill)
        server.start()
        user, password = TOKEN.split(":")
        server.tell(f"CREATE USER {user} WITH PASSWORD '{password}' WITH ALL PRIVILEGES")
        server.tell(f"CREATE DATABASE {BUCKET}")
        adapter = subprocess.Popen(
            [sys.executable, "-m", "tests.influxd_adapter", str(port)], cwd=ROOT, stdout=subprocess.PIPE
        )
        stack.enter_context(adapter)
        stack.callback(adapter.kill)
        assert adapter.stdout is not None
        server.url = f"http://127.0.0.1:{int(adapter.stdout.readline())}"
        yield server
