"""The predecessor's example by Python, by curl and by the client, each at a desk of its own: row for row the same."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.browser import environment, server

ROOT = Path(__file__).parents[2]
NOW = f"{datetime.now(UTC) - timedelta(minutes=1):%Y-%m-%dT%H:%M:%SZ}"  # the example tells of the last 30 days
TOKEN = """
from velox_site.desk import DataManager
from tests import page_desk
print(page_desk.token("way", "record", "read"))
"""
# What is there afterwards but recorded times, keys of rows, codes of chains, who recorded it and under which source.
ROWS = f"""
import json
from datetime import datetime, timedelta
from velox_site.desk import DataManager
from trading.models import Journal
from trading.queries.accounts import get_account
from trading.queries.trade_whole import trade_whole

LEFT_OUT = {{"recorded_at", "received_time", "by", "sequence", "source", "intake"}}

def plain(answer):
    def told(each):
        return each.as_dict() if hasattr(each, "as_dict") else str(each)
    return json.loads(json.dumps(answer, default=told))

def kept(entry):
    if isinstance(entry, dict):
        own = {{name: kept(each) for name, each in entry.items() if name not in LEFT_OUT}}
        return {{name: each for name, each in own.items() if not name.endswith("pk")}}
    return [kept(each) for each in entry] if isinstance(entry, list) else entry

at = datetime.fromisoformat({NOW!r})
start, stop = at - timedelta(days=1), at + timedelta(days=1)
journal = Journal.objects.filter(account__code="main").exclude(operation="make_token").order_by("sequence")
with DataManager() as dm:
    tables = [
        dm.get_ticks("RELIANCE", start, stop),
        dm.get_indicator_history("RELIANCE", start, stop),
        dm.get_position_history("scalping_pro", "RELIANCE", start, stop),
    ]
    rows = {{
        "whole": kept(plain(trade_whole(get_account("main"), "TRD001"))),
        "journal": [[row.operation, kept(json.loads(row.body))] for row in journal],
        "points": [kept(plain(table.to_pylist())) for table in tables],
        "stats": plain(dm.get_strategy_stats("scalping_pro", None)),
    }}
print(json.dumps(rows))
"""
CLIENT = "from velox_client import DataClient as DataManager"
AT = f"datetime.fromisoformat({NOW!r})"


def example() -> str:
    """Return the example with one instant for now, so that two runs can be compared."""
    source = (ROOT / "examples" / "workflow.py").read_text()
    source = source.replace("datetime.now()", AT).replace('"volume": 1500})', f'"volume": 1500}}, at={AT})')
    source = source.replace('"atr": 15.5})', f'"atr": 15.5}}, at={AT})').replace("1.22)", f"1.22, at={AT})")
    source = source.replace('"ATR")', f'"ATR", at={AT})')
    assert source.count(AT) == 6
    return source + "\ndm.flush(60)\ndm.close()\n"


def python(data_dir: Path, code: str, **more: str) -> str:
    return run(data_dir, [sys.executable, "-c", code], **more)


def run(data_dir: Path, command: list[str], **more: str) -> str:
    settings = environment(data_dir, **more)
    ended = subprocess.run(command, cwd=ROOT, env=settings, check=False, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


@pytest.fixture
def folder(tmp_path: Path, migrated: Path) -> Any:
    def make(name: str) -> Path:
        data_dir = tmp_path / name
        data_dir.mkdir()
        shutil.copy(migrated, data_dir / "ledger.sqlite3")
        shutil.copy(migrated.with_name("journal.key"), data_dir)
        return data_dir

    return make


def test_three_ways_lead_to_the_same_rows(folder: Any, tmp_path: Path) -> None:
    own = folder("python")
    told = python(own, example())
    wanted = json.loads(python(own, ROWS))
    assert wanted["whole"]["trade"]["state"] == "CLOSED" and [len(each) for each in wanted["points"]] == [1, 1, 1]
    for way in ("curl", "client"):
        data_dir, token = folder(way), tmp_path / f"{way}.token"
        token.write_text(python(data_dir, TOKEN))
        with server(data_dir) as address:
            settings = {"VELOX_URL": address, "VELOX_TOKEN_FILE": str(token)}
            if way == "curl":
                script = ["sh", str(ROOT / "examples" / "workflow.sh")]
                for _ in range(2):  # sent again it is one record all the same
                    answers = run(data_dir, script, NOW=NOW, **settings).splitlines()
                assert json.loads(answers[-1])["total_pnl"] == "150"
            else:
                code = example().replace("from velox_site.desk import DataManager", CLIENT)
                path = str(ROOT / "clients" / "python")
                assert python(data_dir, code, PYTHONPATH=path, **settings) == told
        assert json.loads(python(data_dir, ROWS)) == wanted, way
