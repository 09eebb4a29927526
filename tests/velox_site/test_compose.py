"""docker-compose.yml: valid by the tool's own schema, safe by what it publishes, each command one that runs here."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.redis_server import redis_server
from tests.waiting import PATIENCE_SECONDS
from tests.workers import BEAT, WORKER
from timeseries import presence

ROOT = Path(__file__).resolve().parents[2]
SECRETS = {"SECRET_KEY": "s" * 64, "INFLUXDB_INIT_PASSWORD": "p" * 64, "INFLUXDB_V2_TOKEN": "t" * 64}
SERVICES = {"web", "worker", "beat", "redis", "redis-broker", "influxdb"}


def configured(folder: Path, secrets: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Let compose itself read the file; no engine is needed for that."""
    program = shutil.which("docker-compose")
    if program is None:
        pytest.skip("there is no docker-compose: apt-get install --no-install-recommends docker-compose")
    (folder / "Dockerfile").write_text("FROM scratch\n")
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder), **secrets}
    command = [program, "--project-directory", str(folder), "-f", str(ROOT / "docker-compose.yml"), "config"]
    return subprocess.run(
        command, env=environment, cwd=folder, capture_output=True, text=True, timeout=PATIENCE_SECONDS
    )


@pytest.fixture
def services(tmp_path: Path) -> dict[str, Any]:
    done = configured(tmp_path, SECRETS)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = yaml.safe_load(done.stdout)["services"]
    return found


@pytest.mark.parametrize("name", SECRETS)
def test_it_starts_with_no_default_password(tmp_path: Path, name: str) -> None:
    done = configured(tmp_path, {key: value for key, value in SECRETS.items() if key != name})
    assert done.returncode != 0
    assert "make env" in done.stderr


def test_every_service_restarts_is_pinned_and_tells_its_health(services: dict[str, Any]) -> None:
    assert set(services) == SERVICES
    for name, service in services.items():
        assert service["restart"] == "unless-stopped", name
        assert service["healthcheck"]["test"][0] == "CMD", name
        assert "build" in service or service["image"].count(":") == 1, name
    assert all("@" not in word and "password" not in word for word in str(services["web"]["environment"]).split())


def test_ports_are_open_to_this_machine_alone(services: dict[str, Any]) -> None:
    published = [str(port) for service in services.values() for port in service.get("ports", [])]
    assert len(published) == 4
    assert all(port.startswith("127.0.0.1:") for port in published)
    assert "front" not in services["redis"]["networks"] and "ports" not in services["worker"]


def test_worker_and_beat_are_started_as_the_tests_start_them(services: dict[str, Any]) -> None:
    for name, command in (("worker", WORKER), ("beat", BEAT)):
        assert services[name]["command"] == ["celery", "-A", "velox_site", *command]


def test_the_pages_command_is_one_that_serves(services: dict[str, Any]) -> None:
    command = services["web"]["command"]
    assert command[:3] == ["python", "-m", "velox_site.serve"]
    helped = subprocess.run([sys.executable, *command[1:], "--help"], cwd=ROOT, capture_output=True, text=True)
    assert helped.returncode == 0  # every option in it is known
    assert services["web"]["environment"]["VELOX_DATA_DIR"] == "/data"


def test_a_health_check_of_worker_and_beat_answers_by_its_exit_code(services: dict[str, Any], tmp_path: Path) -> None:
    check = services["beat"]["healthcheck"]["test"]
    assert check[1:] == ["python", "-m", "timeseries.presence", "/data", "beat"]
    command = [sys.executable, "-m", "timeseries.presence", str(tmp_path), "beat"]
    assert subprocess.run(command, cwd=ROOT).returncode == 1
    presence.mark(tmp_path, "beat")
    assert subprocess.run(command, cwd=ROOT).returncode == 0


@pytest.mark.parametrize(("name", "policy"), [("redis", "allkeys-lru"), ("redis-broker", "noeviction")])
def test_both_redis_start_with_their_options_and_mean_what_they_should(
    services: dict[str, Any], tmp_path: Path, name: str, policy: str
) -> None:
    command = services[name]["command"]
    words = command.split() if isinstance(command, str) else command
    assert words[0] == "redis-server"
    with redis_server(tmp_path, *words[1:]) as server:
        assert policy.encode() in server.tell("CONFIG", "GET", "maxmemory-policy")
        assert b"yes" in server.tell("CONFIG", "GET", "appendonly")
