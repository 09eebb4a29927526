"""docker-compose.yml: valid by the tool's own schema, safe by what it publishes, each command one that runs here."""

from __future__ import annotations

import os
import re
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
NAMES = (
    "SECRET_KEY INFLUXDB_INIT_PASSWORD INFLUXDB_V2_TOKEN POSTGRES_PASSWORD VELOX_GRAFANA_PASSWORD VELOX_METRICS_TOKEN"
)
SECRETS = {name: name.lower() * 3 for name in (*NAMES.split(), "GRAFANA_ADMIN_PASSWORD")}
DESK, WATCH = {"web", "worker", "beat", "kite"}, {"prometheus", "alertmanager", "grafana"}
FEEDS_AND_TESTS = ("KITE_", "ANGEL_", "DHAN_", "UPSTOX_", "FYERS_", "IB_", "VELOX_TEST_")
SERVICES = DESK | WATCH | {"postgres", "redis", "redis-broker", "influxdb", "kafka"}


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


@pytest.fixture(scope="module")
def services(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    done = configured(tmp_path_factory.mktemp("compose"), SECRETS)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = yaml.safe_load(done.stdout)["services"]
    return found


@pytest.mark.parametrize("name", SECRETS)
def test_it_starts_with_no_default_password(tmp_path: Path, name: str) -> None:
    done = configured(tmp_path, {key: value for key, value in SECRETS.items() if key != name})
    assert done.returncode != 0
    assert "make env" in done.stderr


def test_what_the_example_of_an_env_file_offers_to_the_desk_reaches_its_containers(tmp_path: Path) -> None:
    offered = set(re.findall(r"^#?\s?([A-Z][A-Z0-9_]+)=", (ROOT / ".env.example").read_text(), re.M)) - set(SECRETS)
    of_the_file = {"VELOX_DATA_DIR", "DATABASE_URL", "CACHE_URL", "CELERY_BROKER_URL", "INFLUXDB_V2_URL"}
    of_others = {"INFLUXDB_READ_TOKEN", "VELOX_RECORDER_ELSEWHERE", "DEBUG"}
    names = {name for name in offered - of_the_file - of_others if not name.startswith(FEEDS_AND_TESTS)}
    assert {"VELOX_ALERT_URLS", "VELOX_TIME_ZONE", "VELOX_HOSTS"} <= names
    done = configured(tmp_path, SECRETS | {name: f"my-{name.lower()}" for name in names})
    services = yaml.safe_load(done.stdout)["services"]
    for desk in DESK:
        given = services[desk]["environment"]
        assert {name for name in names if f"my-{name.lower()}" not in str(given.get(name))} == set(), desk


def test_every_service_restarts_is_pinned_and_tells_its_health(services: dict[str, Any]) -> None:
    assert set(services) == SERVICES
    for name, service in services.items():
        assert service["restart"] == "unless-stopped", name
        assert service["healthcheck"]["test"][0] == "CMD", name
        assert "build" in service or service["image"].count(":") == 1, name
    for name in DESK:
        url = services[name]["environment"]["DATABASE_URL"]
        assert url == f"postgres://velox:{SECRETS['POSTGRES_PASSWORD']}@postgres:5432/velox", name


def test_ports_are_open_to_this_machine_alone(services: dict[str, Any]) -> None:
    published = [str(port) for service in services.values() for port in service.get("ports", [])]
    assert len(published) == 8
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


def test_a_feed_starts_where_it_is_asked_for_alone_by_a_command_whose_options_are_known(
    services: dict[str, Any],
) -> None:
    feed = services["kite"]
    assert feed["profiles"] == ["kite"]
    assert feed["environment"]["KITE_ACCESS_TOKEN_FILE"].startswith("/data/")
    command = feed["command"]
    assert command[:3] == ["python", "manage.py", "record"]
    unit = (ROOT / "ops/systemd/velox-record@.service").read_text()
    (start,) = re.findall(r"^ExecStart=\S+/python (.*)$", unit, re.M)
    for words in (command[1:], start.replace("%i", "kite").split()):
        helped = subprocess.run([sys.executable, *words, "--help"], cwd=ROOT, capture_output=True, text=True)
        assert helped.returncode == 0
        assert {word for word in words if word.startswith("--")} <= set(re.findall(r"--[a-z-]+", helped.stdout))


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


def test_prometheus_finds_desk_alertmanager_and_token_by_what_its_command_writes(
    services: dict[str, Any], tmp_path: Path
) -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("there is no promtool: apt-get install --no-install-recommends prometheus")
    folder = tmp_path / "etc"
    folder.mkdir()
    (script,) = services["prometheus"]["command"]
    script = script.replace("$$", "$")  # as compose hands it on
    for place, here in (("/etc/velox", ROOT / "ops/prometheus"), ("/etc/prometheus", folder)):
        script = script.replace(place, str(here))
    script = script.replace("exec /bin/prometheus", "true")
    command = [*services["prometheus"]["entrypoint"], script]
    subprocess.run(command, env={**os.environ, **services["prometheus"]["environment"]}, check=True)
    assert (folder / "velox_token").read_text() == SECRETS["VELOX_METRICS_TOKEN"]
    assert (folder / "velox_token").stat().st_mode & 0o777 == 0o600
    written = folder / "prometheus.yml"
    written.write_text(written.read_text().replace("/etc/prometheus/", f"{folder}/"))
    checked = subprocess.run([promtool, "check", "config", str(written)], capture_output=True, text=True)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    configuration = yaml.safe_load(written.read_text())
    (job,) = [job for job in configuration["scrape_configs"] if job["job_name"] == "velox"]
    assert job["static_configs"] == [{"targets": ["web:8000"]}]
    assert services["web"]["environment"]["VELOX_HOSTS"].split(",")[0] == "web"  # else the pages refuse that name
    assert (
        "alertmanager:9093" in str(configuration["alerting"]) and "localhost" not in written.read_text().split("#")[0]
    )


def test_what_a_container_writes_into_a_folder_of_its_image_is_written_by_the_folders_owner(
    services: dict[str, Any],
) -> None:
    # Docker gives a tmpfs over such a folder to root, with the folder's mode, whatever user the image runs as.
    hidden = {name: service["tmpfs"] for name, service in services.items() if service.get("tmpfs")}
    assert not hidden


def test_grafana_is_given_every_variable_and_file_that_its_provisioning_names(services: dict[str, Any]) -> None:
    grafana = services["grafana"]
    files = [path.read_text() for path in (ROOT / "ops/grafana/provisioning").rglob("*.yaml")]
    named = {name for text in files for name in re.findall(r"\$(\w+)", text)}
    assert len(named) >= 9 and named <= grafana["environment"].keys()
    mounted = {Path(volume["target"]): volume for volume in map(as_volume, grafana["volumes"])}
    assert Path(grafana["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]).parent in mounted
    for target in ("/etc/grafana/provisioning", "/etc/grafana/velox/dashboards"):
        assert mounted[Path(target)]["read_only"]
        assert any(f"path: {target}" in text for text in files) or target.endswith("provisioning")
    assert not grafana["environment"]["INFLUXDB_READ_TOKEN"], "the token that writes is not Grafana's"


def as_volume(volume: Any) -> dict[str, Any]:
    """Return a volume in compose's long form, whichever its version prints."""
    if isinstance(volume, dict):
        return volume
    source, target, *mode = volume.split(":")
    return {"source": source, "target": target, "read_only": mode == ["ro"]}


def test_a_desk_answers_by_the_name_that_prometheus_asks_for(services: dict[str, Any], tmp_path: Path) -> None:
    environment = {"VELOX_DATA_DIR": str(tmp_path), "VELOX_HOSTS": services["web"]["environment"]["VELOX_HOSTS"]}
    show = "from velox_site import settings; print(settings.ALLOWED_HOSTS)"
    shown = subprocess.run(
        [sys.executable, "-c", show], env={**os.environ, **environment}, cwd=ROOT, capture_output=True, text=True
    )
    assert "'web'" in shown.stdout and "'*'" not in shown.stdout, shown.stderr


def test_the_image_brings_the_tools_that_back_up_its_servers_ledger(services: dict[str, Any]) -> None:
    major = services["postgres"]["image"].partition(":")[2].partition(".")[0]
    assert f"postgresql-client-{major}" in (ROOT / "Dockerfile").read_text()
