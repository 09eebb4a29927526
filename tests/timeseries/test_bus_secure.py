"""Kafka by TLS with a login or a certificate, by commands and their environment; nothing secret is told."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.conftest import Ledger
from tests.kafka_secrets import KafkaSecrets
from tests.kafka_server import KafkaServer, kafka_server
from tests.waiting import PATIENCE_SECONDS
from timeseries.bus.connection import BusUnavailable, KafkaSettings
from timeseries.bus.topics import create_topic, topic_ids

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def safe(tmp_path_factory: pytest.TempPathFactory) -> KafkaSecrets:
    return KafkaSecrets(tmp_path_factory.mktemp("kafka"))


@pytest.fixture(scope="module")
def kafka(safe: KafkaSecrets) -> Iterator[KafkaServer]:
    with kafka_server(safe.folder, safe) as server:
        yield server


def login(kafka: KafkaServer, safe: KafkaSecrets, mechanism: str) -> dict[str, str]:
    return {
        "KAFKA_SERVERS": f"127.0.0.1:{kafka.login_port}",
        "KAFKA_SECURITY_PROTOCOL": "SASL_SSL",
        "KAFKA_CA_FILE": str(safe.folder / "authority.pem"),
        "KAFKA_SASL_MECHANISM": mechanism,
        "KAFKA_SASL_USERNAME": "desk",
        "KAFKA_SASL_PASSWORD_FILE": str(safe.folder / "password"),
    }


def by_certificate(kafka: KafkaServer, safe: KafkaSecrets) -> dict[str, str]:
    return {
        "KAFKA_SERVERS": f"127.0.0.1:{kafka.mutual_port}",
        "KAFKA_SECURITY_PROTOCOL": "SSL",
        "KAFKA_CA_FILE": str(safe.folder / "authority.pem"),
        "KAFKA_CERTIFICATE_FILE": str(safe.folder / "client.pem"),
        "KAFKA_KEY_FILE": str(safe.folder / "client.key"),
        "KAFKA_KEY_PASSWORD_FILE": str(safe.folder / "key-password"),
    }


def run(ledger: Ledger, environment: dict[str, str], *command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "manage.py", *command, "--format", "json"],
        cwd=ROOT,
        env={**ledger.env, "LOG_LEVEL": "DEBUG", **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_SECONDS,
    )


def told(ledger: Ledger, *ended: subprocess.CompletedProcess[str]) -> str:
    """Return all that processes printed, and what is in the logs of their data folder."""
    logs = Path(ledger.env["VELOX_DATA_DIR"], "logs")
    files = [path.read_text(errors="replace") for path in logs.rglob("*") if path.is_file()]
    return "".join([*files, *(process.stdout + process.stderr for process in ended)])


def test_ticks_go_over_tls_by_a_login_and_by_a_certificate_from_files(
    kafka: KafkaServer, safe: KafkaSecrets, ledger: Ledger, tmp_path: Path
) -> None:
    file = tmp_path / "TCS_15_March.csv"
    file.write_text("timestamp,ltp\n2024-03-15 09:15:01,3100.5\n2024-03-15 09:15:02,3101\n")
    wrote = run(ledger, login(kafka, safe, "SCRAM-SHA-512"), "produce", str(file), "--topic", "tls", "--create", "1")
    assert wrote.returncode == 0, wrote.stderr
    read = run(ledger, by_certificate(kafka, safe), "consume", "tls", "--until-end")
    assert read.returncode == 0, read.stderr
    assert json.loads(read.stdout)["accepted"] == 2
    everything = told(ledger, wrote, read)
    assert safe.password not in everything
    assert safe.key_password not in everything


def test_a_login_that_is_refused_is_one_clear_line_at_once_and_tells_nothing(
    kafka: KafkaServer, safe: KafkaSecrets, ledger: Ledger, tmp_path: Path
) -> None:
    wrong = tmp_path / "password"
    wrong.write_text("open-sesame-42")
    environment = login(kafka, safe, "SCRAM-SHA-512") | {"KAFKA_SASL_PASSWORD_FILE": str(wrong)}
    ended = run(ledger, environment, "consume", "secret", "--until-end")
    assert ended.returncode == 2
    assert "SASL authentication error" in ended.stderr.splitlines()[-1]
    assert ended.stderr.count("SASL authentication error") <= 2  # in the log, and as the answer
    assert "%3|" not in ended.stderr
    assert "open-sesame-42" not in told(ledger, ended)


def test_a_plain_login_is_let_in_a_broker_of_another_authority_and_one_that_wants_a_certificate_are_told(
    kafka: KafkaServer, safe: KafkaSecrets, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("timeseries.bus.topics.ASK_SECONDS", 3.0)
    authority, stranger = ((safe.folder / name).read_text() for name in ("authority.pem", "stranger.pem"))
    settings = KafkaSettings(
        f"127.0.0.1:{kafka.login_port}", security_protocol="SASL_SSL", sasl_mechanism="PLAIN",
        sasl_username="desk", sasl_password=safe.password, ca=stranger,
    )  # fmt: skip
    create_topic(replace(settings, ca=authority), "plain", 1)
    assert len(topic_ids(replace(settings, ca=authority), ["plain"])["plain"]) > 9
    with pytest.raises(BusUnavailable, match="certificate verify failed"):
        topic_ids(settings, ["plain"])
    anonymous = KafkaSettings(f"127.0.0.1:{kafka.mutual_port}", security_protocol="SSL", ca=authority)
    with pytest.raises(BusUnavailable, match="certificate"):
        topic_ids(anonymous, ["plain"])


def test_settings_that_make_no_sense_are_told_without_what_is_secret(safe: KafkaSecrets, kafka: KafkaServer) -> None:
    texts = {name: (safe.folder / name).read_text() for name in ("authority.pem", "client.pem", "client.key")}
    settings = KafkaSettings(
        kafka.servers, security_protocol="SSL", ca=texts["authority.pem"], certificate=texts["client.pem"],
        key=texts["client.key"], key_password="not-the-password",
    )  # fmt: skip
    with pytest.raises(BusUnavailable, match="make no sense") as caught:
        topic_ids(settings, ["secret"])
    assert "not-the-password" not in str(caught.value)
    assert texts["client.key"].splitlines()[1] not in str(caught.value)
