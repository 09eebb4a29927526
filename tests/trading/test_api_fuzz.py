"""schemathesis asks whatever the schema allows and what it does not, each request with a token of each scope.

All of its checks and phases, the stateful one as well; the stream of events, which has no end, is left out. The seed
stays as it is, the application answers in schemathesis's own process, and each call is asked a hundred times: what its
phases of examples and coverage leave of that is random. `VELOX_EXAMPLES` gives each call so many random ones, and
with `VELOX_SEED=free` the seed is another each time, a real server answers, and every request is sent by all three
scopes, not only the first ones of each call: `make chaos` takes both, and prints what was answered.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import pytest

from tests.browser import environment, server

ROOT = Path(__file__).parents[2]
EXAMPLES, SEED = os.environ.get("VELOX_EXAMPLES", ""), os.environ.get("VELOX_SEED", "1")
OF_EACH, SCENARIOS = 100, "20"
FAST = {"VELOX_API_REQUESTS_PER_SECOND": "1000000"}
REFUSALS = "5"  # of each call by each other scope
# They are InfluxDB's, which this desk has none of.
NEVER_GOOD = {"POST /api/v1/dead-letters/retry"}
Answers = dict[str, dict[str, int]]  # of each call, by status, how many


def fill(data_dir: Path, migrated: Path) -> str:
    """Make the desk that is asked; return what schemathesis has to know of it."""
    data_dir.mkdir()
    shutil.copy(migrated, data_dir / "ledger.sqlite3")
    shutil.copy(migrated.with_name("journal.key"), data_dir)
    command = [sys.executable, "-m", "tests.trading.fuzzed_book"]
    filled = subprocess.run(command, cwd=ROOT, env=environment(data_dir), check=True, capture_output=True, text=True)
    return filled.stdout


def ask(folder: Path, data_dir: Path, address: str, **more: str) -> Answers:
    """Let schemathesis ask; return what was answered. What it finds ends the test, with how to ask the same again."""
    command = [sys.executable, "-m", "tests.trading.fuzzing"]
    command += ["--config-file", f"{ROOT}/tests/trading/schemathesis.toml", "run", f"{address}/api/v1/openapi.json"]
    command += ["--header", "Authorization: Bearer any scope", "--exclude-path", "/api/v1/events", "--no-color"]
    command += ["--checks", "all", "--continue-on-failure", "--warnings", "off"]
    command += ["--phases", "examples,coverage,fuzzing,stateful", "--max-examples", EXAMPLES or SCENARIOS]
    command += ["--seed", str(random.randrange(2**32)) if SEED == "free" else SEED]
    more |= {} if EXAMPLES else {"VELOX_FUZZ_OF_EACH": str(OF_EACH)}
    settings = environment(data_dir, **FAST, PYTHONWARNINGS="", LOG_LEVEL="ERROR", **more)
    told = subprocess.run(command, cwd=folder, env=settings, capture_output=True, text=True, check=False)
    assert told.returncode == 0, told.stdout[-8000:] + told.stderr[-2000:]
    answers: Answers = defaultdict(dict)
    for call, scope, status, count in json.loads((folder / "answered.json").read_text()):
        answers[call]["refused" if scope == "refused" else f"{scope} {status}"] = count
    print("", *(f"{call}: {statuses}" for call, statuses in answers.items()), sep="\n")
    return answers


@pytest.mark.timeout(3600)  # a hundred seconds of a processor, on a machine five times slower, beside other tests
def test_every_call_answers_a_token_of_each_scope_as_its_schema_says(tmp_path: Path, migrated: Path) -> None:
    data_dir = tmp_path / "data"
    book = fill(data_dir, migrated)
    if SEED == "free":
        with server(data_dir, **FAST) as address:
            answers = ask(tmp_path, data_dir, address, VELOX_FUZZ_BOOK=book, VELOX_FUZZ_SERVED="1")
    else:
        answers = ask(tmp_path, data_dir, "http://localhost", VELOX_FUZZ_BOOK=book, VELOX_FUZZ_REFUSALS=REFUSALS)
    paths = json.loads((ROOT / "docs" / "openapi.json").read_text())["paths"]
    calls = {f"{method.upper()} {path}": call for path, methods in paths.items() for method, call in methods.items()}
    assert set(calls) - set(answers) == {"GET /api/v1/events"}
    never_refused = {call for call in answers if not answers[call].get("refused")}
    assert not never_refused, "a token without the scope asked nothing"
    # Else no failure would say little.
    good = {call for call, statuses in answers.items() if any(status.endswith(" 200") for status in statuses)}
    assert set(answers) - good == NEVER_GOOD
    wanted = min(OF_EACH, int(EXAMPLES or OF_EACH))
    seldom = {call for call, statuses in answers.items() if sum(statuses.values()) - statuses["refused"] < wanted}
    assert seldom <= {call for call in answers if not calls[call]["parameters"] and "requestBody" not in calls[call]}
