"""Once in real time: Debian's Prometheus and Alertmanager beside a running desk, with a fault that comes and goes.

`python -m tests.ops.chaos_prometheus` serves a desk, lets its Redis hang, and waits until a webhook has heard of it
and of its end by both ways, VELOX's own alerts and Prometheus' rules, each once. It prints the seconds that each took.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from urllib.error import URLError
from urllib.parse import quote
from urllib.request import urlopen

from tests.redis_server import redis_server
from tests.webhook import Webhook, webhook

ROOT = Path(__file__).resolve().parents[2]
RULES = ROOT / "ops" / "prometheus"
TOKEN = "a token of this run"
PATIENCE_SECONDS = 600.0
PART, CODE = "hot", "cache_unreachable"


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def seconds_until(condition: Callable[[], object], what: str) -> float:
    started = time.monotonic()
    while not condition():
        if time.monotonic() - started > PATIENCE_SECONDS:
            raise TimeoutError(f"{what} never came")
        time.sleep(0.1)
    return time.monotonic() - started


def answers(url: str) -> bool:
    try:
        with urlopen(url, timeout=5) as answer:
            return bool(answer.status == 200)
    except (URLError, OSError):
        return False


@contextmanager
def running(*command: str | Path, **variables: str) -> Iterator[None]:
    process = subprocess.Popen(
        [str(word) for word in command],
        cwd=ROOT,
        env={**os.environ, **variables},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield
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


def heard(hook: Webhook, status: str) -> int:
    """Return how many messages of Alertmanager's have the fault with this status."""
    wanted = {"part": PART, "code": CODE}
    messages = [
        [row for row in body.get("alerts", []) if row["status"] == status and wanted.items() <= row["labels"].items()]
        for body in list(hook.bodies)
    ]
    return sum(map(bool, messages))


def main() -> int:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="velox-prometheus-")))
        own, theirs = stack.enter_context(webhook()), stack.enter_context(webhook())
        (folder / "redis").mkdir()
        redis = stack.enter_context(redis_server(folder / "redis"))
        desk, alertmanager, prometheus = free_port(), free_port(), free_port()
        configured(folder, theirs, desk, alertmanager)
        variables = {
            "VELOX_DATA_DIR": str(folder / "desk"), "VELOX_METRICS_TOKEN": TOKEN, "VELOX_ALERT_URLS": own.url,
            "CACHE_URL": redis.url, "DATABASE_URL": "", "CELERY_BROKER_URL": "", "INFLUXDB_V2_URL": "",
            "VELOX_SITE_URL": f"http://127.0.0.1:{desk}",
        }  # fmt: skip
        stack.enter_context(running(sys.executable, "-m", "velox_site.serve", **variables))
        stack.enter_context(
            running(
                "prometheus-alertmanager", f"--config.file={folder / 'alertmanager.yml'}", "--cluster.listen-address=",
                f"--web.listen-address=127.0.0.1:{alertmanager}", f"--storage.path={folder / 'alertmanager'}",
            )
        )  # fmt: skip
        stack.enter_context(
            running(
                "prometheus", f"--config.file={folder / 'prometheus.yml'}",
                f"--web.listen-address=127.0.0.1:{prometheus}", f"--storage.tsdb.path={folder / 'prometheus'}",
            )
        )  # fmt: skip
        query = quote(f'velox_part_state{{part="{PART}",state="ok"}} == 1')
        asked = f"http://127.0.0.1:{prometheus}/api/v1/query?query={query}"
        seconds_until(lambda: answers(f"http://127.0.0.1:{desk}/health/"), "the desk")
        seconds_until(lambda: answers(asked) and b'"value"' in urlopen(asked).read(), "the first scrape")
        own.bodies.clear()
        with redis.frozen():
            print(f"{PART}/{CODE}: Redis hangs")
            started = time.monotonic()
            seconds_until(lambda: f"Fault {PART}" in own.titles(), "VELOX's own alert")
            print(f"  VELOX's own alert after {time.monotonic() - started:.0f} s")
            seconds_until(lambda: heard(theirs, "firing"), "Prometheus' alert")
            print(f"  Prometheus' alert after {time.monotonic() - started:.0f} s")
        print("Redis answers again")
        started = time.monotonic()
        seconds_until(lambda: heard(theirs, "resolved"), "Prometheus' recovery")
        print(f"  Prometheus' recovery after {time.monotonic() - started:.0f} s")
        seconds_until(lambda: f"Recovered {PART}" in own.titles(), "VELOX's own recovery")
        print(f"  VELOX's own recovery after {time.monotonic() - started:.0f} s")
        assert own.titles().count(f"Fault {PART}") == own.titles().count(f"Recovered {PART}") == 1, own.titles()
        assert heard(theirs, "firing") == heard(theirs, "resolved") == 1, theirs.bodies
    return 0


if __name__ == "__main__":
    sys.exit(main())
