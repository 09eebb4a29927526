"""Run single tests of a tree, each in a fork of a process that has the heavy packages already.

`python seeded_runner.py TREE`, as a file and not as a module: nothing of VELOX may be imported before the fork. Each
line on stdin is a JSON list of test ids, the line that answers it an `Answer` as JSON.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any

# What takes long to import, and belongs to nobody's patch.
import cryptography.hazmat.primitives.ciphers  # noqa: F401
import deltalake  # noqa: F401
import django.contrib.admin  # noqa: F401
import duckdb  # noqa: F401
import hypothesis  # noqa: F401
import influxdb_client  # noqa: F401
import numpy as np  # noqa: F401
import orjson  # noqa: F401
import pandas  # noqa: F401
import pyarrow.compute
import pyarrow.parquet  # noqa: F401
import pypdf  # noqa: F401
import pytest
import python_calamine  # noqa: F401
import structlog  # noqa: F401

QUIET = ["-q", "-p", "no:cacheprovider", "-p", "no:xdist", "--timeout", "300"]
QUIET += ["-W", "ignore::pytest.PytestAssertRewriteWarning"]  # hypothesis is there already


class Answer:
    """What became of the tests: ``passed``, and of each that did not, where and why."""

    def __init__(self) -> None:
        self.passed: list[str] = []
        self.others: list[dict[str, str]] = []

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self, item: Any, call: Any) -> Any:
        report = yield
        if report.when == "call" and report.passed:
            self.passed.append(item.nodeid)
        elif not report.passed:
            crash = getattr(report.longrepr, "reprcrash", None)
            self.others.append(
                {
                    "test": item.nodeid,
                    "when": f"{report.when}: {report.outcome}",
                    "raised": call.excinfo.typename,
                    "file": crash.path if crash else "",
                    "message": crash.message if crash else str(report.longrepr),
                }
            )
        return report

    def pytest_collectreport(self, report: Any) -> None:
        if not report.passed:
            self.others.append(
                {
                    "test": report.nodeid,
                    "when": f"collection: {report.outcome}",
                    "raised": "",
                    "file": "",
                    "message": str(report.longrepr),
                }
            )


def run(tests: list[str]) -> str:
    """Run the tests in a child; a child that dies answers with nothing passed."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            answer = Answer()
            pytest.main([*QUIET, *tests], plugins=[answer])
            with os.fdopen(writing, "w") as file:
                file.write(json.dumps(vars(answer)))
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as file:
        text = file.read()
    os.waitpid(pid, 0)
    return text or json.dumps({"passed": [], "others": []})


if __name__ == "__main__":
    os.chdir(sys.argv[1])
    sys.dont_write_bytecode = False  # the copy is compiled once, whatever the environment says
    sys.path[0] = sys.argv[1]
    spoken = os.fdopen(os.dup(1), "w")
    os.dup2(os.open("output", os.O_WRONLY | os.O_CREAT | os.O_APPEND), 1)
    os.dup2(1, 2)
    for line in sys.stdin:
        spoken.write(run(json.loads(line)) + "\n")
        spoken.flush()
