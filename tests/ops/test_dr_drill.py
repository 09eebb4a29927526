"""A data folder is lost: the desk comes back from its backup, and calls that are sent again complete it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.ops.dr_drill import lose_the_folder


def test_what_was_booked_since_the_backup_is_missing_until_it_is_sent_again(ledger: Any, tmp_path: Path) -> None:
    recovery = lose_the_folder(ledger.env, tmp_path / "elsewhere", 3, 2)
    assert (recovery.acknowledged, recovery.missing, recovery.lost) == (5, 2, 0)
