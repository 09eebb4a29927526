"""A real worker and a real beat of Celery beside a test's data folder, ended by their pids."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.waiting import until
from timeseries import presence

ROOT = Path(__file__).resolve().parents[1]
WORKER = ("worker", "--concurrency", "2", "--loglevel", "WARNING")
BEAT = ("beat", "--loglevel", "WARNING")


@contextmanager
def celery(data_dir: Path, environment: Mapping[str, str], *command: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run ``celery -A velox_site COMMAND`` and wait until it has shown itself; kill it and its children afterwards."""
    name = command[0]
    with (data_dir / f"{name}.output").open("ab") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "celery", "-A", "velox_site", *command],
            env={**environment, "PYTHONPATH": str(ROOT)},
            cwd=data_dir,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    try:
        until(lambda: presence.is_there(data_dir, name) or process.poll() is not None)
        assert process.poll() is None, (data_dir / f"{name}.output").read_text()
        yield process
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
