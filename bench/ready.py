"""How soon `make run` says READY in an installed environment: the demo's folder made anew, its 60 sessions recorded."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.former import ROOT
from bench.harness import Figures, Row

SECONDS = 30.0
ROUNDS = 3


@contextmanager
def prepare() -> Iterator[Figures]:
    with tempfile.TemporaryDirectory(prefix="velox-bench-ready-") as folder:
        tree = Path(folder)
        for package in (
            "velox_site",
            "lab",
            "trading",
            "timeseries",
        ):  # with what was compiled of them, as an installation
            shutil.copytree(ROOT / package, tree / package)
        yield Figures(lambda: {"seconds to READY": _seconds_to_ready(tree)}, {"seconds to READY": SECONDS}, "s")


def _seconds_to_ready(tree: Path) -> float:
    """Return the seconds from the start of `velox_site.serve --demo` over a new folder to its READY line."""
    shutil.rmtree(tree / "var", ignore_errors=True)
    began = time.monotonic()
    command = [sys.executable, "-m", "velox_site.serve", "--demo"]
    compiled = {**os.environ, "PYTHONDONTWRITEBYTECODE": ""}  # as `make` has it
    with subprocess.Popen(
        command, cwd=tree, env=compiled, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as server:
        assert server.stdout is not None
        line = server.stdout.readline()
        seconds = time.monotonic() - began
        server.terminate()
    assert re.match(r"READY http://", line), line
    return seconds


ROWS = [
    Row(
        "ready",
        "from the start of `make run` to READY, over a new demo of 60 sessions",
        prepare,
        unit="seconds",
        rounds=ROUNDS,
    ),
]
