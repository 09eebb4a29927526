"""Every PromQL of every panel, variable and alert rule, asked of Debian's Prometheus: samples, and true ones."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import threading
import urllib.parse
import urllib.request
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from ops.grafana.__main__ import DASHBOARDS
from ops.grafana.parts import PROMETHEUS
from ops.grafana.provisioned import rule_expression
from tests.grafana_desk import answer
from tests.rabbit_server import free_ports
from tests.waiting import PATIENCE_SECONDS, until
from timeseries import wiring
from trading import summon
from trading.data_manager import DataManager
from trading.health import integrity
from trading.health.faults import FAULTS
from trading.metrics import series
from trading.metrics.series import PART_FAULT, SEEN, MetricReading
from trading.metrics.snapshot import read
from trading.metrics.text import Texts
from trading.operations.back_up import back_up

CONFIGURATION = """
global: {{scrape_interval: 250ms, scrape_timeout: 250ms}}
scrape_configs:
  - job_name: desk
    static_configs:
      - {{targets: ["127.0.0.1:{desk}"], labels: {{instance: one}}}}
      - {{targets: ["localhost:{desk}"], labels: {{instance: another}}}}
  - {{job_name: velox, static_configs: [{{targets: ["127.0.0.1:{nobody}"]}}]}}
"""
OF_PROMETHEUS = [
    (f"{board.uid}: {title}", query.text)
    for board in DASHBOARDS
    for title, query in board.queries()
    if query.source is PROMETHEUS
]

TEXTS = dict(OF_PROMETHEUS)


ELSEWHERE: list[MetricReading] = [  # what a desk with a ledger in a file, or without a broker, has not
    MetricReading(series.DATABASE_AHEAD, [((), 0.25)]),
    MetricReading(series.STANDBYS_NEEDED, [((), 2)]),
    MetricReading(series.STANDBYS, [((), 1)]),
    MetricReading(series.ARCHIVED, [((), 1.0)]),
    MetricReading(series.TASK_AGE, [(("worker",), 1.0), (("beat",), 2.0)]),
    MetricReading(series.TASK_FINISHED, [((), 3.0)]),
    MetricReading(series.KAFKA_LAG, [(("ticks", "0"), 12), (("ticks", "1"), 0)]),
    MetricReading(series.KAFKA_BEHIND, [(("ticks", "0"), 1.5), (("ticks", "1"), 0.0)]),
]


def texts_of_a_desk() -> list[bytes]:
    """Return the texts of /metrics of a desk before it trades, and while it does: an hour old, with every fault."""
    now = datetime.now(UTC)
    before = Texts().write(read(now=now), "")[0]
    with DataManager() as dm:
        dm.open_position("t1", "breakout", "TCS", 100, 3, now - timedelta(minutes=20), stop_price=90, charges="1.5")
        dm.open_position("t2", "ema cross", "INFY", 50, 2, now - timedelta(minutes=9))
        dm.process_tick("TCS", {"ltp": 104.25})
        dm.process_tick("INFY", {"ltp": 49})
        back_up()
        dm.open_position("t3", "ema cross", "SBIN", 10, 5, now)
        dm.close_position("t3", None, "SBIN", "11.1", now, charges="0.25")
        for _ in range(99):
            wiring.observe("ledger_write", 0.002)
            wiring.observe("points_read", 0.002)
            wiring.observe("shipping", 0.002)
            wiring.observe("page", 0.002)
        integrity.check_file(now=now)
        readings = [reading for reading in read(now=datetime.now(UTC)) if reading.series not in (PART_FAULT, SEEN)]
    faults = MetricReading(PART_FAULT, [((fault.part, fault.code), 1.0) for fault in FAULTS])
    seen = MetricReading(SEEN, [((), (now - timedelta(hours=1)).timestamp())])
    return [before, Texts().write([*readings, *ELSEWHERE, faults, seen], "")[0]]


@contextmanager
def served(texts: Sequence[bytes]) -> Iterator[int]:
    """Serve texts at /metrics as two webs of a desk, by name: one after the other and then the last. Give the port."""
    of_web: defaultdict[str, list[bytes]] = defaultdict(lambda: list(texts))

    class Desk(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            following = of_web[self.headers["Host"]]
            self.send_response(200)
            self.send_header("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
            self.end_headers()
            self.wfile.write(following.pop(0) if len(following) > 1 else following[0])

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Desk) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def prometheus(folder: Path, texts: Sequence[bytes]) -> Iterator[str]:
    """Give the URL of a Prometheus that has scraped a desk at least three times."""
    program = shutil.which("prometheus")
    if program is None:
        pytest.skip("there is no prometheus: apt-get install --no-install-recommends prometheus")
    own, nobody = free_ports(2)
    with served(texts) as desk:
        (folder / "prometheus.yml").write_text(CONFIGURATION.format(desk=desk, nobody=nobody))
        command = [program, f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/data"]
        command += [f"--web.listen-address=127.0.0.1:{own}", "--log.level=error"]
        url = f"http://127.0.0.1:{own}"
        process = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            until(lambda: len(tried(url, "count_over_time(velox_points_balance[1m]) > 2")) == 2, pause_seconds=0.1)
            until(lambda: len(tried(url, 'up{job="velox"} == 0')) == 1, pause_seconds=0.1)
            yield url
        finally:
            process.terminate()
            process.wait(timeout=PATIENCE_SECONDS)


def tried(url: str, expression: str) -> list[Any]:
    try:
        return asked(url, expression)
    except OSError:  # it does not listen yet
        return []


def asked(url: str, expression: str) -> list[Any]:
    """Return the samples of an expression now; of a variable's question its values."""
    expression = expression.replace("$account", "main").replace("$instance", "one")
    if match := re.fullmatch(r"label_values\((\w+), (\w+)\)", expression):
        address = f"{url}/api/v1/label/{match[2]}/values?{urllib.parse.urlencode({'match[]': match[1]})}"
    else:
        address = f"{url}/api/v1/query?{urllib.parse.urlencode({'query': expression})}"
    with urllib.request.urlopen(address, timeout=PATIENCE_SECONDS) as response:
        samples: Any = json.load(response)["data"]
    return list(samples if isinstance(samples, list) else samples["result"])


def test_each_has_samples_and_says_what_the_commands_say(
    ledger: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(summon, "summon", lambda: None)
    with prometheus(tmp_path, texts_of_a_desk()) as url:
        assert [title for title, expression in OF_PROMETHEUS if not asked(url, expression)] == []
        assert [fault.key for fault in FAULTS if not asked(url, rule_expression(fault))] == []
        day = answer("daily_summary")
        assert by_strategy(url, "velox-desk: Realised by strategy") == {
            row["strategy_id"]: Decimal(row["total_pnl"]) for row in day["strategies"] if row["total_trades"]
        }
        assert alone(url, "velox-desk: Realised today") == Decimal(day["total"]["total_pnl"]) == Decimal("5.25")
        assert alone(url, "velox-ledger: Closed today") == day["total"]["total_trades"] == 1
        states = [trade["state"] for trade in answer("trade_export")["trades"]]
        assert alone(url, "velox-desk: Open trades") == states.count("OPEN") == 2
        assert alone(url, "velox-desk: Unrealised") == 3 * Decimal("4.25") - 2
        assert alone(url, "velox-desk: Open risk") == 3 * Decimal("14.25")
        assert alone(url, "velox-desk: Without stop") == 1
        slowest = by_label(url, "velox-ledger: Slowest hundredth of the ledger's calls", "kind")
        assert 0.001 < slowest["write"] < 60  # of calls that took at least two milliseconds, and others
        assert alone(url, "velox-ledger: Standbys missing") == alone(url, "velox-ledger: File is whole") == 1
        assert {sample["metric"]["state"] for sample in asked(url, TEXTS["velox-ledger: Parts"])} > {"ok"}


def alone(url: str, title: str) -> Decimal:
    (sample,) = asked(url, TEXTS[title])
    return Decimal(sample["value"][1])


def by_strategy(url: str, title: str) -> dict[str, Decimal]:
    return by_label(url, title, "strategy")


def by_label(url: str, title: str, label: str) -> dict[str, Decimal]:
    return {sample["metric"][label]: Decimal(sample["value"][1]) for sample in asked(url, TEXTS[title])}
