"""`make test`: install the servers that are missing where that is allowed, then run every check and every test.

The tests start servers of their own on free ports; nothing here touches one that runs already. On Debian as root the
packages are installed; elsewhere the line that brings them is printed, and what needs them is skipped loudly (in CI:
fails).
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
WORKERS = "3"  # on two cores: tests wait for the processes that they start
POLICY = Path("/usr/sbin/policy-rc.d")
PACKAGES = {
    "redis-server": "redis-server",
    "rabbitmq-server": "/usr/lib/rabbitmq/bin/rabbitmq-server*",
    "influxdb": "influxd",  # 1.6.7: its engine is that of 2, behind tests/influxd_adapter.py
    "strace": "strace",
    "postgresql": "/usr/lib/postgresql/*/bin/postgres",
    "docker-compose": "docker-compose",
    "chromium": "chromium",
    "chromium-driver": "chromedriver",
}


def main(arguments: Sequence[str]) -> int:
    _install_servers()
    os.environ["VELOX_DATA_DIR"] = str(ROOT / "var" / "check")
    steps = [
        ["make", "--no-print-directory", "check"],
        # Whole files, in the order of their folders: the longest stand in the first two.
        [sys.executable, "-m", "pytest", "-n", WORKERS, "--dist", "loadfile", "--no-loadscope-reorder", *arguments],
        [
            sys.executable,
            "-m",
            "tests.with_postgres",
            sys.executable,
            "-m",
            "pytest",
            "-n",
            WORKERS,
            "-m",
            "ledger",
            *arguments,
        ],
    ]
    for step in steps:
        print("$ " + " ".join(step).replace(sys.executable, "python"), flush=True)
        code = subprocess.run(step, cwd=ROOT, check=False).returncode
        if code:
            return code
    return 0


def _install_servers() -> None:
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
    sys.exit(main(sys.argv[1:]))
