"""Eighteen faults in real time, told by Debian's Prometheus and Alertmanager and by VELOX itself, each once.

`python -m pytest -s tests/ops/chaos_prometheus.py`, a part of `make chaos`, runs a desk with its Redis, its broker, a
worker, a beat, an InfluxDB and two feeds, plants the faults of `planted_faults` wave by wave, mends them, and counts at
two webhooks: of each fault one alert and one recovery by each of the two ways, and nothing else. Once all of that is so
it writes the seconds into `docs/alert_seconds.md`.
"""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from datetime import time as time_of_day
from pathlib import Path
from urllib.error import URLError
from urllib.parse import quote
from urllib.request import urlopen

import pytest
from django.conf import settings

from tests.companions import ended_afterwards
from tests.conftest import Ledger
from tests.ops.planted_faults import WAVES, Desk, Feeds, Proxy
from tests.redis_server import redis_server
from tests.timeseries.influx_server import faulty_influx
from tests.webhook import Webhook, webhook
from tests.workers import BEAT, WORKER, celery
from trading.domain.sessions import CONTINUOUS, SPECIAL
from trading.health.faults import BY_KEY, FAULTS, WEB_GONE
from trading.models import Alert, Exchange, ExchangeSession
from trading.queries.period import desk_date

ROOT = Path(__file__).resolve().parents[2]
RULES = ROOT / "ops" / "prometheus"
TOKEN = "a token of this run"
PATIENCE_SECONDS = 900.0
RAISED, RECOVERED = "raised", "recovered"
OF_PROMETHEUS = {"firing": RAISED, "resolved": RECOVERED}
Told = tuple[str, str]
IDS = re.compile(rf"id ([0-9a-f]{{32}}) ({RAISED}|{RECOVERED})")
TABLE = ROOT / "docs" / "alert_seconds.md"
HEAD = """# Seconds until somebody hears of a fault

Measured by `python -m pytest -s tests/ops/chaos_prometheus.py`, a part of `make chaos`, on two cores at a load of
{load:.0f}: a desk with its servers runs in real time, faults are planted in waves and mended, and two webhooks hear of
each exactly once, and exactly once that it is over. *Held* is how long a fault must last before anybody is told
([faults.md](faults.md)). VELOX looks every ten seconds, and takes for over what was away for a minute; its seconds are
those until the alert is written; its message leaves within the next ones.

| fault | held | VELOX | over | Prometheus | over |
|---|---|---|---|---|---|
"""


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def wait_for(condition: Callable[[], object], what: Callable[[], str]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(what())
        time.sleep(0.2)


def answers(url: str) -> bool:
    try:
        with urlopen(url, timeout=5) as answer:
            return bool(answer.status == 200)
    except (URLError, OSError):
        return False


@contextmanager
def running(*command: str | Path) -> Iterator[subprocess.Popen[bytes]]:
    words = [str(word) for word in command]
    process = subprocess.Popen(words, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def configured(folder: Path, hook: Webhook, desk: int, alertmanager: int) -> None:
    """Write the files of `ops/prometheus` with this run's ports, token and receiver in them."""
    shutil.copy(RULES / "velox_rules.yml", folder)
    (folder / "velox_token").write_text(TOKEN)
    text = (RULES / "prometheus.yml").read_text()
    text = text.replace("localhost:9093", f"127.0.0.1:{alertmanager}").replace("localhost:8000", f"127.0.0.1:{desk}")
    (folder / "prometheus.yml").write_text(text.replace("/etc/prometheus/velox_token", str(folder / "velox_token")))
    receiver = (
        f"  - name: desk\n    webhook_configs: [{{url: 'http://127.0.0.1:{hook.server_port}/', send_resolved: true}}]\n"
    )
    (folder / "alertmanager.yml").write_text(
        (RULES / "alertmanager.yml").read_text().replace("  - name: desk\n", receiver)
    )


class Ways:
    """What VELOX's own alerts tell, and those of Prometheus' rules, by ``(part/code, raised or recovered)``."""

    def __init__(self, own: Webhook, theirs: Webhook) -> None:
        self.own, self.theirs = own, theirs

    def of_velox(self) -> Counter[Told]:
        """Count the messages at VELOX's own webhook."""
        rows = Alert.objects.values_list("uid", "kind", "component", "code")
        keys = {uid: f"{part}/{code}" if kind == Alert.Kind.FAULT else "" for uid, kind, part, code in rows}
        heard = [found for body in list(self.own.bodies) for found in IDS.findall(body["message"])]
        return Counter((keys[uid], word) for uid, word in heard if keys.get(uid))

    def raised_by_velox(self) -> Counter[Told]:
        """Count the alerts in the ledger, and those that were told while it could not take them. Messages follow within
        seconds, after twenty in ten minutes within a minute."""
        alerts = list(Alert.objects.filter(kind=Alert.Kind.FAULT))
        counts = Counter((f"{row.component}/{row.code}", RAISED) for row in alerts)
        counts.update((f"{row.component}/{row.code}", RECOVERED) for row in alerts if row.recovered_at)
        texts = [body["message"] for body in list(self.own.bodies)]
        untaken = [fault for fault in FAULTS if not counts[fault.key, RAISED]]
        counts.update((fault.key, RAISED) for fault in untaken if any(f"\n{fault.cure}\n" in text for text in texts))
        return counts

    def of_prometheus(self) -> Counter[Told]:
        """Count the messages of Alertmanager."""
        rows = [row for body in list(self.theirs.bodies) for row in body["alerts"]]
        return Counter(
            (f"{row['labels']['part']}/{row['labels']['code']}", OF_PROMETHEUS[row["status"]]) for row in rows
        )


class Measured:
    """The seconds from when each fault was planted, or mended, until each way told of it."""

    def __init__(self, ways: Ways) -> None:
        self.ways = {"VELOX": ways.raised_by_velox, "Prometheus": ways.of_prometheus}
        self.seconds: dict[tuple[str, str, str], float] = {}  # by fault, word and way

    def play(self, number: int, planted: dict[str, ExitStack]) -> None:
        """Wait until each fault was told by every way that can tell it, mend it, and wait until all know it is over."""
        print(f"wave {number}: {', '.join(planted)}", flush=True)
        begins = {(key, RAISED): time.monotonic() for key in planted}
        missing = {(key, word, way) for key in planted for word in (RAISED, RECOVERED) for way in self.ways}
        missing -= {(WEB_GONE.key, word, "VELOX") for word in (RAISED, RECOVERED)}

        def look() -> bool:
            for way, heard in self.ways.items():
                counts = heard()
                for key, word, of in sorted(missing):
                    if of == way and counts[key, word] and (key, word) in begins:
                        missing.discard((key, word, way))
                        seconds = self.seconds[key, word, way] = time.monotonic() - begins[key, word]
                        print(f"  {key} {word} by {way} after {seconds:.0f} s", flush=True)
            for key, fault in planted.items():
                if (key, RECOVERED) not in begins and not any((key, RAISED, way) in missing for way in self.ways):
                    fault.close()
                    begins[key, RECOVERED] = time.monotonic()
            return not missing

        wait_for(look, lambda: f"never told: {sorted(missing)}")

    def table(self) -> str:
        def cell(key: str, way: str, word: str) -> str:
            seconds = self.seconds.get((key, word, way))
            return "–" if seconds is None else f"{seconds:.0f}"

        lines = []
        for key in sorted({key for key, _, _ in self.seconds}):
            cells = [cell(key, way, word) for way in self.ways for word in (RAISED, RECOVERED)]
            lines.append(f"| `{key}` | {BY_KEY[key].hold_seconds:g} | {' | '.join(cells)} |\n")
        return HEAD.format(load=os.getloadavg()[1]) + "".join(lines)


def let_trade_all_day() -> None:
    """Let the exchange be open today from midnight to midnight."""
    exchange, today = Exchange.objects.get(code=settings.VELOX_EXCHANGE), desk_date(datetime.now(UTC))
    hours = {"phase": CONTINUOUS, "opens": time_of_day(0), "closes": time_of_day(23, 59)}
    ExchangeSession.objects.create(exchange=exchange, kind=SPECIAL, first_date=today, last_date=today, **hours)


@pytest.fixture
def desk(ledger: Ledger, ways: Ways, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Desk]:
    """A desk that runs beside Prometheus and Alertmanager, and whose every part is well but for its address."""
    let_trade_all_day()
    with ExitStack() as stack:
        cache, broker = (stack.enter_context(redis_server(tmp_path, "--pidfile", name)) for name in ("cache", "broker"))
        influx, proxy = stack.enter_context(faulty_influx()), stack.enter_context(Proxy(tmp_path))
        port, alertmanager, prometheus = (free_port() for _ in range(3))
        configured(tmp_path, ways.theirs, port, alertmanager)
        variables = {
            "VELOX_METRICS_TOKEN": TOKEN, "VELOX_ALERT_URLS": ways.own.url, "VELOX_SITE_URL": proxy.url,
            "CACHE_URL": cache.url, "CELERY_BROKER_URL": broker.url, "SSL_CERT_FILE": str(proxy.certificate),
            "VELOX_DATA_DIR": str(ledger.data_dir), "INFLUXDB_V2_URL": influx.url,
        }  # fmt: skip
        variables |= {f"INFLUXDB_V2_{name}": "velox" for name in ("ORG", "BUCKET", "TOKEN")}
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        stack.enter_context(ended_afterwards())
        worker, beat = (  # before anybody looks for them
            stack.enter_context(celery(ledger.data_dir, {**ledger.env, **variables}, *command))
            for command in (WORKER, BEAT)
        )
        serve = (sys.executable, "-m", "velox_site.serve", "--host", "127.0.0.1", "--port", str(port))
        web = stack.enter_context(running(*serve))
        wait_for(lambda: answers(f"http://127.0.0.1:{port}/health/"), lambda: "the desk")
        stack.enter_context(
            running(
                "prometheus-alertmanager",
                f"--config.file={tmp_path / 'alertmanager.yml'}",
                "--cluster.listen-address=",
                f"--web.listen-address=127.0.0.1:{alertmanager}", f"--storage.path={tmp_path / 'alertmanager'}",
            )
        )  # fmt: skip
        stack.enter_context(
            running(
                "prometheus", f"--config.file={tmp_path / 'prometheus.yml'}",
                f"--web.listen-address=127.0.0.1:{prometheus}", f"--storage.tsdb.path={tmp_path / 'prometheus'}",
            )
        )  # fmt: skip
        query = quote('count(velox_part_state{state="ok"} == 1) > 10')
        asked = f"http://127.0.0.1:{prometheus}/api/v1/query?query={query}"
        feeds = stack.enter_context(Feeds())
        wait_for(lambda: answers(asked) and b'"value"' in urlopen(asked).read(), lambda: "the first scrape")
        yield Desk(ledger.data_dir, cache, broker, influx, proxy, web, worker, beat, feeds)


@pytest.fixture
def ways() -> Iterator[Ways]:
    with webhook() as own, webhook() as theirs:
        yield Ways(own, theirs)


def test_each_fault_is_told_once_by_each_way_and_once_that_it_is_over(desk: Desk, ways: Ways) -> None:
    measured = Measured(ways)
    for number, wave in enumerate(WAVES, 1):
        with ExitStack() as stack:
            planted = {key: stack.enter_context(ExitStack()) for key in wave}
            for key, plant in wave.items():
                planted[key].enter_context(plant(desk))
            measured.play(number, planted)
    expected = Counter({(key, word): 1 for wave in WAVES for key in wave for word in (RAISED, RECOVERED)})
    assert len(expected) >= 2 * 15
    assert ways.of_prometheus() == expected, [f"{row.key}: {row.text}" for row in Alert.objects.all()]
    own = Counter({place: 1 for place in expected if place[0] != WEB_GONE.key})
    wait_for(lambda: len(ways.of_velox()) >= len(own), lambda: f"never heard: {own - ways.of_velox()}")
    assert ways.of_velox() == own
    TABLE.write_text(measured.table())
