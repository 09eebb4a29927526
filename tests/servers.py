"""`make servers`: install the servers that the tests start and that are missing, where that is allowed.

The tests start servers of their own on free ports; nothing here touches one that runs already. On Debian as root the
packages are installed; elsewhere the line that brings them is printed, and what needs them is skipped loudly (in CI:
fails). It needs no package, so it runs beside the install of those.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

POLICY = Path("/usr/sbin/policy-rc.d")
PACKAGES = {
    "redis-server": "redis-server",
    "rabbitmq-server": "/usr/lib/rabbitmq/bin/rabbitmq-server*",
    "influxdb": "influxd",  # 1.6.7: its engine is that of 2, behind tests/influxd_adapter.py
    "strace": "strace",
    "postgresql": "/usr/lib/postgresql/*/bin/postgres",
    "docker-compose": "docker-compose",
    "prometheus": "promtool",
    "prometheus-alertmanager": "prometheus-alertmanager",
    "openjdk-17-jre-headless": "java",  # Kafka's broker, whose jars Maven brings
    "maven": "mvn",
    "haproxy": "/usr/sbin/haproxy",
    "chromium": "chromium",
    "chromium-driver": "chromedriver",
}


def install_servers() -> None:
    missing = [package for package, program in PACKAGES.items() if not _is_there(program)]
    if not missing:
        return
    line = f"apt-get install --yes --no-install-recommends {' '.join(missing)}"
    if os.geteuid() == 0 and shutil.which("apt-get"):
        print(f"$ {line}", flush=True)
        quiet = {"stdout": subprocess.DEVNULL, "env": {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}}
        subprocess.run(["apt-get", "update", "--quiet"], check=False, **quiet)
        with _no_service_starts():
            subprocess.run(line.split(), check=False, **quiet)
    missing = [package for package, program in PACKAGES.items() if not _is_there(program)]
    if missing:
        print(f"MISSING: {', '.join(missing)}. What needs them is skipped. This brings them: sudo {line}", flush=True)


@contextmanager
def _no_service_starts() -> Iterator[None]:
    """Let Debian's packages install their programs only: the tests start their own on free ports, and no other."""
    if POLICY.exists():  # somebody decides already
        yield
        return
    POLICY.write_text("#!/bin/sh\nexit 101\n")
    POLICY.chmod(0o755)
    try:
        yield
    finally:
        POLICY.unlink()


def _is_there(program: str) -> bool:
    return bool(shutil.which(program) or ("*" in program and list(Path("/").glob(program.lstrip("/")))))


if __name__ == "__main__":
    install_servers()
