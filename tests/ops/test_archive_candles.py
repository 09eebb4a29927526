"""Candles that others make of the tables, by the rules that docs/promises.md tells, are those of the desk."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import pytest

from examples.archive_candles import candles
from tests.conftest import Ledger
from tests.ops.candle_desk import EVERY, FIRST, LAST, asked_of, states
from trading import summon
from velox_site.desk import DataManager


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
