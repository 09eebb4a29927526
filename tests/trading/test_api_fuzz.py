"""schemathesis asks a real server whatever the schema allows and what it does not, with a token of each scope.

All of its checks and phases, the stateful one as well; the stream of events, which has no end, is left out. The seed
stays as it is, with few examples. `VELOX_EXAMPLES` gives each scope as many, in every phase, and `VELOX_SEED=free`
another seed each time: `make chaos` takes both.
"""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.browser import environment, server

ROOT = Path(__file__).parents[2]
EXAMPLES, SEED = os.environ.get("VELOX_EXAMPLES", ""), os.environ.get("VELOX_SEED", "1")
SCOPES = ("read", "record", "operate")
FILL = """
from velox_site.desk import DataManager
from tests import page_desk
page_desk.trades(3)
page_desk.open_trade()
page_desk.skipped(2)
page_desk.ticks(minutes=5)
for scope in ("read", "record", "operate"):
    print(page_desk.token(scope, scope))
print(page_desk.token("all", "read", "record", "operate"))
"""


class Desk(NamedTuple):
    """A served desk: its address, a token of each scope and of all, and a folder for what schemathesis keeps."""

    address: str
    tokens: Mapping[str, str]
    folder: Path


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory, migrated: Path) -> Iterator[Desk]:
    """A served desk with trades and ticks."""
    data_dir = tmp_path_factory.mktemp("fuzz") / "data"
    data_dir.mkdir()
    shutil.copy(migrated, data_dir / "ledger.sqlite3")
    shutil.copy(migrated.with_name("journal.key"), data_dir)
    command = [sys.executable, "-c", FILL]
    filled = subprocess.run(command, cwd=ROOT, env=environment(data_dir), check=True, capture_output=True, text=True)
    tokens = dict(zip((*SCOPES, "all"), filled.stdout.split(), strict=True))
    with server(data_dir, VELOX_API_REQUESTS_PER_SECOND="1000000") as address:
        yield Desk(address, tokens, tmp_path_factory.mktemp("schemathesis"))


def asked(desk: Desk, scope: str, *options: str) -> None:
    """Let schemathesis ask with a token. What it finds ends the test, with how to ask the same again."""
    command = [
        *(sys.executable, "-m", "schemathesis.cli", "--config-file", f"{ROOT}/tests/trading/schemathesis.toml", "run"),
        *(
            f"{desk.address}/api/v1/openapi.json",
            "--header",
            f"Authorization: Bearer {desk.tokens[scope]}",
            "--checks",
            "all",
        ),
        *("--exclude-path", "/api/v1/events", "--continue-on-failure", "--warnings", "off", "--no-color", *options),
        *("--seed", str(random.randrange(2**32)) if SEED == "free" else SEED, *(() if EXAMPLES else ("--no-shrink",))),
    ]
    told = subprocess.run(command, cwd=desk.folder, capture_output=True, text=True, check=False)
    assert told.returncode == 0, told.stdout[-8000:] + told.stderr[-2000:]


def test_every_call_answers_as_its_schema_says(desk: Desk) -> None:
    asked(desk, "all", "--max-examples", EXAMPLES or "1")


@pytest.mark.parametrize("scope", SCOPES)
def test_every_call_answers_a_token_of_one_scope_as_its_schema_says(desk: Desk, scope: str) -> None:
    few = ("--max-examples", "1", "--phases", "fuzzing")
    asked(desk, scope, *(("--max-examples", EXAMPLES) if EXAMPLES else few))
