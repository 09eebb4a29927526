"""Store and data folder are lost: the desk comes back from backup and archive, and what is sent again completes it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.ops.dr_drill import lose_the_folder


def test_what_came_since_the_backup_is_missing_until_it_is_sent_again(ledger: Any, tmp_path: Path) -> None:
    recovery = lose_the_folder(ledger.env, tmp_path / "elsewhere", 3, 2, 20)
    trades, points, store = recovery.trades, recovery.points, recovery.store
    assert (trades.accepted, trades.missing, trades.lost) == (5, 2, 0)
    assert (points.accepted, points.missing, points.lost) == (22, 2, 0)
    assert (store.accepted, store.missing, store.lost) == (20, 20, 0)
