"""A Kafka broker of the tests' own: KRaft, one node, a free port of 127.0.0.1; Maven brings its jars into a cache."""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.kafka_secrets import KafkaSecrets
from tests.rabbit_server import free_ports
from tests.waiting import PATIENCE_SECONDS

VERSION = "4.1.1"
CACHE = Path(__file__).resolve().parent.parent / "var" / "cache" / f"kafka-{VERSION}"
PROJECT = f"""<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>
<groupId>velox</groupId><artifactId>kafka</artifactId><version>1</version><dependencies><dependency>
<groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>{VERSION}</version>
</dependency></dependencies></project>"""
PROPERTIES = """process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAINTEXT
log.dirs={folder}/data
offsets.topic.replication.factor=1
offsets.topic.num.partitions=2
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
log.cleaner.enable=false
"""
JAVA = ("-Xmx256m", "-Xms96m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-XX:-UsePerfData")


@dataclass
class KafkaServer:
    folder: Path
    port: int
    classes: str
    login_port: int = 0
    mutual_port: int = 0
    process: subprocess.Popen[bytes] | None = None

    @property
    def servers(self) -> str:
        return f"127.0.0.1:{self.port}"

    def start(self) -> None:
        with (self.folder / "output").open("ab") as output:
            self.process = subprocess.Popen(
                ["java", *JAVA, "-cp", self.classes, "kafka.Kafka", str(self.folder / "server.properties")],
                cwd=self.folder,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        self._await_answer()

    def kill(self) -> None:
        """End the broker with SIGKILL."""
        if self.process is not None:
            with suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()

    @contextmanager
    def held(self) -> Iterator[None]:
        """Let the broker hang for a while: it takes connections and answers nothing."""
        assert self.process is not None
        self.process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self.process.send_signal(signal.SIGCONT)

    def _await_answer(self) -> None:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < deadline and self.process is not None and self.process.poll() is None:
            with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=1):
                return
            time.sleep(0.1)
        raise TimeoutError(f"Kafka does not answer: {(self.folder / 'output').read_text()[-3000:]}")


@contextmanager
def kafka_server(folder: Path, secrets: KafkaSecrets | None = None) -> Iterator[KafkaServer]:
    """Skip (in CI: fail), with the line that would bring it, where Java or Maven is missing.

    With ``secrets`` it listens on two more ports: by TLS with a login, and by TLS to who has a certificate.
    """
    classes = f"{jars()}/*"
    port, controller, login, mutual = free_ports(4)
    properties = PROPERTIES.format(port=port, controller=controller, folder=folder)
    scram: tuple[str, ...] = ()
    if secrets is not None:
        more = f",LOGIN://127.0.0.1:{login},MUTUAL://127.0.0.1:{mutual}"
        properties = re.sub("(?m)^(listeners=.*)$", rf"\1{more}", properties) + secrets.write()
        scram = ("--add-scram", f"SCRAM-SHA-512=[name=desk,password={secrets.password}]")
    (folder / "server.properties").write_text(properties)
    (folder / "log4j2.properties").write_text("")
    subprocess.run(
        [
            *("java", *JAVA, "-cp", classes, "kafka.tools.StorageTool", "format"),
            *("-t", "dmVsb3gtdGVzdHMta2Fma2E", "-c", str(folder / "server.properties")),
            *scram,
        ],
        check=True,
        capture_output=True,
        timeout=PATIENCE_SECONDS,
    )
    server = KafkaServer(folder, port, classes, login, mutual)
    try:
        server.start()
        yield server
    finally:
        server.kill()


def jars() -> Path:
    """Return the folder of Kafka's jars, resolved once for all runs."""
    if (CACHE / "whole").exists():
        return CACHE / "lib"
    if not shutil.which("java") or not shutil.which("mvn"):
        _missing("needs Java 17 and Maven: apt-get install --no-install-recommends openjdk-17-jre-headless maven")
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (CACHE / "whole").exists():
            (CACHE / "pom.xml").write_text(PROJECT)
            command = [
                "mvn",
                "-q",
                "-B",
                "dependency:copy-dependencies",
                "-DincludeScope=runtime",
                "-DoutputDirectory=lib",
            ]
            done = subprocess.run(command, cwd=CACHE, capture_output=True, text=True, check=False, timeout=600)
            if done.returncode:
                _missing(f"needs Kafka's jars, and Maven cannot bring them: {done.stdout[-500:]}")
            (CACHE / "whole").touch()
    return CACHE / "lib"


def _missing(reason: str) -> None:
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)
