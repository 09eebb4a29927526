"""What the documents tell a shell and a spreadsheet to ask, run as it stands there, at one served desk."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import urllib3

from tests.browser import environment, server
from tests.waiting import PATIENCE_SECONDS

ROOT = Path(__file__).parents[2]
DOCUMENTS = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("clients/python/*.md")]
BLOCK = re.compile(r"^```\w*\n(.*?)^```", re.M | re.S)
COMMAND = re.compile(r"^[ $]*(curl\b.*)", re.M)
DAY = "2024-03-15"
DESK = """
from velox_site.desk import DataManager
from tests import page_desk
page_desk.trades(4)
page_desk.ticks(minutes=5)
"""
# curl as it is, but quiet; status and type of each answer go to a file.
STATUS = "\\n%{stderr}%{http_code} %{content_type}\\n"
CURL = f"""curl() {{ command curl --silent --show-error --write-out '{STATUS}' "$@" 2>> answers; }}\n"""


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory, migrated: Path) -> Iterator[tuple[str, Path]]:
    """A served desk's address, and a folder in which every block of the documents with a curl line has been run."""
    folder = tmp_path_factory.mktemp("recipes")
    data_dir = folder / "data"
    data_dir.mkdir()
    shutil.copy(migrated, data_dir / "ledger.sqlite3")
    shutil.copy(migrated.with_name("journal.key"), data_dir)
    settings = environment(data_dir)
    subprocess.run([sys.executable, "-c", DESK], cwd=ROOT, env=settings, check=True, capture_output=True)
    with server(data_dir) as address:
        script = CURL + "".join(blocks())
        for written, here in (
            ("http://localhost:8000", address), ("https://desk.example", address), ("2026-11-27", DAY),
            (".venv/bin/python manage.py", f"'{sys.executable}' '{ROOT}/manage.py'"),
        ):  # fmt: skip
            assert written in script, "the documents no longer say it"
            script = script.replace(written, here)
        ended = subprocess.run(
            ["sh", "-euc", script], cwd=folder, env=settings, capture_output=True, text=True, timeout=PATIENCE_SECONDS
        )
        assert ended.returncode == 0, ended.stderr
        (folder / "printed").write_text(ended.stdout)
        yield address, folder


def blocks() -> list[str]:
    return [block for path in DOCUMENTS for block in BLOCK.findall(path.read_text()) if COMMAND.search(block)]


def commands() -> list[str]:
    return [line for block in blocks() for line in COMMAND.findall(block)]


def test_every_curl_line_of_the_documents_stands_in_a_block_that_is_run() -> None:
    lines = [line for path in DOCUMENTS for line in COMMAND.findall(path.read_text())]
    assert lines == commands()
    assert len(lines) >= 4


def test_every_curl_line_is_answered_in_the_form_that_it_asks_for(desk: tuple[str, Path]) -> None:
    answers = (desk[1] / "answers").read_text().splitlines()
    asked = ["text/csv" if "text/csv" in line else "application/json" for line in commands()]
    assert [answer.partition(";")[0] for answer in answers] == [f"200 {form}" for form in asked]


def test_the_first_lines_list_the_open_positions_and_open_one(desk: tuple[str, Path]) -> None:
    listed, opened = map(json.loads, (desk[1] / "printed").read_text().split("\n")[:2])
    assert listed == {"positions": []}
    assert (opened["trade_id"], opened["avg_price"], opened["opened_at"]) == ("T1", "3520.4", f"{DAY}T04:01:00Z")


def test_the_recipes_for_a_spreadsheet_bring_every_row(desk: tuple[str, Path], socket_enabled: None) -> None:
    address, folder = desk
    trades, candles = ((folder / f"{name}.csv").read_text().splitlines() for name in ("trades", "day"))
    assert trades[0].startswith("trade_id,strategy_id,symbol,") and candles[0].startswith("time,open,high,low,close,")
    assert len(trades) >= 4 and len(candles) >= 5

    # What curl is told to ask, in pages of two.
    whole, (block,) = (folder / "trades.csv").read_text(), [each for each in blocks() if "trades.csv" in each]
    small = block.replace("https://desk.example", address).replace("limit=1000", "limit=2").replace("2026-11-27", DAY)
    subprocess.run(["sh", "-euc", small], cwd=folder, check=True, capture_output=True, timeout=PATIENCE_SECONDS)
    assert (folder / "trades.csv").read_text() == whole

    # What Excel is told to ask, with a page of one row, so that each page leads to the next.
    query = re.search(r"```\n(let\n.*?)```", (ROOT / "docs" / "api.md").read_text(), re.S)[1]
    path, name = re.search(r'RelativePath = "([^"]+)"', query)[1], re.search(r"\(Pages, each \[(\w+)\]\)", query)[1]
    assert '[limit = "1000", after = after]' in query and 'Authorization = "Bearer " & Token' in query
    token = dict([(folder / "headers").read_text().strip().split(": ")])
    rows, asked = [], {"limit": "1"}
    while asked:
        page = urllib3.request("GET", f"{address}/{path}", fields=asked, headers=token).json()
        rows += page[name]
        asked = {"limit": "1", "after": page["next"]} if page["next"] else {}
    assert [row["trade_id"] for row in rows] == [line.partition(",")[0] for line in trades[1:]]
