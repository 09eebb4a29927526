"""Candles that others make of the tables, by the rules that docs/promises.md tells, are those of the desk."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from examples.archive_candles import candles
from tests.conftest import Ledger
from tests.ops.candle_desk import EVERY, FIRST, LAST, asked_of, states
from trading import summon
from velox_site.desk import DataManager

ROOT = Path(__file__).resolve().parent.parent.parent


def test_polars_makes_the_same_candles_of_every_state_of_the_tables(
    ledger: Ledger, tmp_path: Path, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(summon, "summon", lambda: None)
    settings.VELOX_ARCHIVE_URL = (tmp_path / "archive").as_uri()  # polars takes no escapes in addresses
    dm = DataManager(account="main")
    seen = set()
    for state, url in states(dm):
        for every in EVERY:
            expected = asked_of(dm, every)
            rows = candles(pl.scan_delta(f"{url}/ticks"), FIRST, LAST, every).sort("symbol", "time")
            assert rows.to_dicts() == expected, (state, every)
            seen.add(str(expected))
    assert len(seen) == 2 * len(EVERY), "the repeats change them"
    told = [sys.executable, str(ROOT / "examples" / "archive_candles.py"), url, expected[0]["symbol"]]
    for days, code, words in (([str(FIRST), str(LAST)], 0, expected[0]["symbol"]), ([str(FIRST)], 2, "required: last")):
        done = subprocess.run([*told, *days], cwd=ROOT, capture_output=True, text=True, check=False)
        assert done.returncode == code and words in done.stdout + done.stderr, done.stderr
