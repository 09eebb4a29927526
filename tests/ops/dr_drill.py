"""`make dr-drill`: the store is lost, then the whole data folder; the desk comes back from a backup and an archive that
lay elsewhere, and what was booked and ticked since is sent again. Its figures go to docs/operations.md."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.ops.figures import write_figures
from tests.trading.asked_desk import NINE_THIRTY, AskedDesk, open_one
from tests.waiting import until

TRADES = int(os.environ.get("VELOX_DRILL_TRADES", "1000"))  # before the backup; a tenth of them after it
POINTS = 20 * TRADES
SECOND = 10**9


@dataclass(frozen=True)
class Loss:
    """Of trades or points: how many were accepted, missing after the restore, and lost after they were sent again; the
    seconds until they stood and were proved or counted, and until all were sent again."""

    accepted: int
    missing: int
    lost: int
    restored_seconds: float
    sent_seconds: float


@dataclass(frozen=True)
class Recovery:
    """What came of the losses; ``store`` is of the store alone, sent again from the segments that are kept."""

    trades: Loss
    points: Loss
    store: Loss


def lose_the_folder(env: dict[str, str], elsewhere: Path, trades: int, since: int, points: int = 20) -> Recovery:
    """Book trades and record ticks on a ledger that is empty, lose the store and fill it again, back up and archive,
    go on, lose the folder, and bring everything back from what lies ``elsewhere``.

    Raises: AssertionError where a step or the proof fails.
    """
    folder = Path(env["VELOX_DATA_DIR"])
    archived = {**env, "VELOX_ARCHIVE_URL": f"file://{elsewhere.with_name('archive')}"}
    names = [f"T{number}" for number in range(trades + since)]
    # Without the archive, to which only the store that filled it may write: here one is lost before it has one.
    with AskedDesk(env) as desk:
        assert all("answer" in open_one(desk, name) for name in names[:trades])
        tick(desk, range(points))
        stored = lose_the_store(desk, folder / "delta", points)
        subprocess.run([sys.executable, "manage.py", "archive"], env=archived, stdout=subprocess.DEVNULL, check=True)
        backup = managed(desk, "backup")
        shutil.copytree(folder / "backups", elsewhere)
        assert all("answer" in open_one(desk, name) for name in names[trades:])
        tick(desk, range(points, points + since))
    # The companion lives until it finds its folder gone, and may write a file while it goes.
    until(lambda: shutil.rmtree(folder, ignore_errors=True) or not folder.exists())
    began = time.monotonic()
    with AskedDesk(archived) as desk:
        path = elsewhere / Path(backup["file"]).name
        restored = managed(desk, "restore", str(path), "--by", "drill", "--reason", "the data folder was lost")
        prove(desk)
        restored_seconds = time.monotonic() - began
        missing = trades + since - restored["heads"]["main"][0]
        began = time.monotonic()
        managed(desk, "archive", "--adopt")  # it waits for the companion's own pass
        points_missing = points + since - counted(desk, folder)
        adopted_seconds = time.monotonic() - began
        began = time.monotonic()
        assert all("answer" in open_one(desk, name) for name in names)  # known ones are answered, and add nothing
        sent_seconds = time.monotonic() - began
        lost = trades + since - prove(desk)
        began = time.monotonic()
        tick(desk, range(points, points + since))  # as the feed has them, from where the archive ends
        points_lost = points + since - counted(desk, folder)
        ticked_seconds = time.monotonic() - began
    return Recovery(
        Loss(trades + since, missing, lost, restored_seconds, sent_seconds),
        Loss(points + since, points_missing, points_lost, adopted_seconds, ticked_seconds),
        stored,
    )


def lose_the_store(desk: AskedDesk, store: Path, points: int) -> Loss:
    """Remove the store's tables, and send the points again from the segments that are kept."""
    assert counted(desk, store.parent) == points
    shutil.rmtree(store)
    missing = points - counted(desk, store.parent)
    began = time.monotonic()
    managed(desk, "resend", "--since", "2024-01-01")
    seconds = time.monotonic() - began
    return Loss(points, missing, points - counted(desk, store.parent), 0.0, seconds)


def tick(desk: AskedDesk, numbers: range) -> None:
    """Record a tick of RELIANCE a second, so many of them, on a day that is over."""
    for number in numbers:
        told = desk.ask("process_tick", "RELIANCE", {"ltp": 2450 + number % 40}, at=NINE_THIRTY + number * SECOND)
        assert told.get("answer") is True, told


def counted(desk: AskedDesk, folder: Path) -> int:
    """Ship what waits, and return how many ticks the store has."""
    ship = [sys.executable, "manage.py", "ship"]
    # 1: a companion that is still starting up has not followed the journal yet.
    until(lambda: subprocess.run(ship, env=desk.env, stdout=sys.stderr, check=False).returncode == 0)
    question = folder / "question.sql"
    question.write_text("SELECT count(*) AS ticks FROM ticks")
    [row] = managed(desk, "query", str(question))["rows"]
    return int(row["ticks"])


def managed(desk: AskedDesk, *command: str) -> dict[str, Any]:
    code, told = desk.manage(*command)
    assert code == 0, told
    return told


def prove(desk: AskedDesk) -> int:
    """Return how many operations the proved journal of main has."""
    proof = managed(desk, "verify_ledger")
    assert [note["reason"] for note in proof["restores"]] == ["the data folder was lost"]
    return int(proof["head"]["main"]["sequence"])


def main() -> int:
    with tempfile.TemporaryDirectory(prefix="velox-drill-") as root:
        env = {**os.environ, "VELOX_DATA_DIR": f"{root}/desk"}
        env.pop("DATABASE_URL", None)
        subprocess.run([sys.executable, "manage.py", "migrate", "--verbosity", "0"], env=env, check=True)
        recovery = lose_the_folder(env, Path(root) / "elsewhere", TRADES, TRADES // 10, POINTS)
    trades, points, store = recovery.trades, recovery.points, recovery.store
    write_figures("dr-drill", [
        ("trades acknowledged, of these since the backup", f"{trades.accepted}, {trades.missing}"),
        ("lost after the restore", f"{trades.missing}: what was booked since the backup"),
        ("lost once the calls were sent again", str(trades.lost)),
        ("seconds until the backup stands and is proved", f"{trades.restored_seconds:.1f}"),
        (f"seconds to send {trades.accepted} calls again", f"{trades.sent_seconds:.1f}"),
        ("points accepted, of these since the archive's last pass", f"{points.accepted}, {points.missing}"),
        ("points lost once the feed has sent those again", str(points.lost)),
        ("seconds until the archive is adopted and counted", f"{points.restored_seconds:.1f}"),
        (f"the store alone: points gone of {store.accepted}, lost after `resend`", f"{store.missing}, {store.lost}"),
        ("the store alone: seconds of `resend`", f"{store.sent_seconds:.1f}"),
    ])  # fmt: skip
    return 0


if __name__ == "__main__":
    sys.exit(main())
