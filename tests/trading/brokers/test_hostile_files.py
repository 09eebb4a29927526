"""Files that mean no good are refused by an error of ours, and opening them takes little memory."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.trading.book import snapshot
from tests.trading.brokers.hostile import CELLS, CIPHERS, files, tradebook
from tests.trading.brokers.workbooks import xlsx_by_hand
from trading.brokers.containers.opening import open_document
from trading.operations.import_files import BrokerUpload, ImportOptions, import_files

ROOT = Path(__file__).resolve().parents[3]
MEGABYTES_MAX = 150
CODES = {"unreadable_file", "file_locked", "unknown_layout", "wrong_client", "invalid_value"}
# These open, and are of no layout; each other file is refused before its rows are looked at.
OPENED = {"nobodys_layout", "a_brokers_columns_misspelled", "far_corner", "json_nobodys", "a_million_blank_rows"}
NAMED = {"wrong_broker", "wrong_layout"}


def test_two_hundred_hostile_files_are_refused_within_bounded_memory(ledger: Any, tmp_path: Path) -> None:
    import_files("main", [BrokerUpload("first.xlsx", tradebook)], ImportOptions())
    before = snapshot()
    folder = tmp_path / "hostile"
    folder.mkdir()
    for name, content in files():
        (folder / name).write_bytes(content)
    command = [sys.executable, "-m", "tests.trading.brokers.hostile_import", folder]
    done = subprocess.run(command, cwd=ROOT, env=ledger.env, capture_output=True, text=True, timeout=1200, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    report = json.loads(done.stdout)
    assert len(report["outcomes"]) >= 200
    assert {name: code for name, code in report["outcomes"].items() if code not in CODES} == {}
    locked = {name.split("-", 2)[2] for name, code in report["outcomes"].items() if code == "file_locked"}
    opened = {name.split("-", 2)[2] for name, code in report["outcomes"].items() if code == "unknown_layout"}
    assert {name for name in opened if not name.endswith("within_bounds")} == OPENED | NAMED
    assert {name.split("-", 2)[2] for name, code in report["outcomes"].items() if code == "wrong_client"} == {
        "wrong_client"
    }
    assert snapshot() == before
    assert locked == {"file_pass", "locked_workbook", *(f"locked_{cipher}" for cipher in CIPHERS)}
    assert {name: grown for name, grown in report["grown"].items() if grown > MEGABYTES_MAX} == {}


@pytest.mark.parametrize(
    "harmless",
    [
        xlsx_by_hand(CELLS),
        xlsx_by_hand(
            CELLS.replace("</row>", '<c r="B1" t="str"><f>""</f><v></v></c><c r="C1"><f>1+1</f><v>2</v></c></row>')
        ),
        xlsx_by_hand('<row r="3"/>' + CELLS.replace('"1"', '"4"').replace("A1", "A4")),
        xlsx_by_hand(CELLS, parts={"docProps/thumbnail.jpeg": b"\xff\xd8"}),
    ],
)
def test_what_is_near_to_a_hostile_file_is_read(harmless: bytes) -> None:
    assert any("symbol" in row for row in open_document(harmless, "near.xlsx").sheets[0].rows)


def test_a_formula_is_read_by_its_value() -> None:
    cells = '<c t="str"><f>CONCAT("A","B")</f><v>AB</v></c><c><f>1+1</f><v>2</v></c><c t="str"><f>""</f><v></v></c>'
    row = f"<row>{cells}</row>"
    assert list(open_document(xlsx_by_hand(row), "a.xlsx").sheets[0].rows) == [("AB", 2)]
