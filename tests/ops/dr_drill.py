"""`make dr-drill`: the data folder is lost; the desk comes back from a backup that lay elsewhere, and what was booked
since is sent again. Its figures go to docs/operations.md."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from tests.ops.figures import write_figures
from tests.trading.asked_desk import AskedDesk, open_one

TRADES = int(os.environ.get("VELOX_DRILL_TRADES", "1000"))  # before the backup; a tenth of them after it


@dataclass(frozen=True)
class Recovery:
    """What came of a loss: trades acknowledged, how many were missing after the restore and after they were sent again,
    and the seconds of both steps."""

    acknowledged: int
    missing: int
    lost: int
    restored_seconds: float
    sent_seconds: float


def lose_the_folder(env: dict[str, str], elsewhere: Path, trades: int, since: int) -> Recovery:
    """Book trades on a ledger that is empty, back up, book more, lose the folder, and bring everything back from the
    backups' folder that lies ``elsewhere``.

    Raises: AssertionError where a step or the proof fails.
    """
    folder = Path(env["VELOX_DATA_DIR"])
    names = [f"T{number}" for number in range(trades + since)]
    with AskedDesk(env) as desk:
        assert all("answer" in open_one(desk, name) for name in names[:trades])
        code, backup = desk.manage("backup")
        assert code == 0, backup
        shutil.copytree(folder / "backups", elsewhere)
        assert all("answer" in open_one(desk, name) for name in names[trades:])
    shutil.rmtree(folder)
    began = time.monotonic()
    with AskedDesk(env) as desk:
        path = elsewhere / Path(backup["file"]).name
        code, restored = desk.manage("restore", str(path), "--by", "drill", "--reason", "the data folder was lost")
        assert code == 0, restored
        prove(desk)
        restored_seconds = time.monotonic() - began
        missing = trades + since - restored["heads"]["main"][0]
        began = time.monotonic()
        assert all("answer" in open_one(desk, name) for name in names)  # known ones are answered, and add nothing
        sent_seconds = time.monotonic() - began
        lost = trades + since - prove(desk)
    return Recovery(trades + since, missing, lost, restored_seconds, sent_seconds)


def prove(desk: AskedDesk) -> int:
    """Return how many operations the proved journal of main has."""
    code, proof = desk.manage("verify_ledger")
    assert code == 0, proof["differences"]
    assert [note["reason"] for note in proof["restores"]] == ["the data folder was lost"]
    return int(proof["head"]["main"]["sequence"])


def main() -> int:
    with tempfile.TemporaryDirectory(prefix="velox-drill-") as root:
        env = {**os.environ, "VELOX_DATA_DIR": f"{root}/desk"}
        env.pop("DATABASE_URL", None)
        subprocess.run([sys.executable, "manage.py", "migrate", "--verbosity", "0"], env=env, check=True)
        recovery = lose_the_folder(env, Path(root) / "elsewhere", TRADES, TRADES // 10)
    write_figures("dr-drill", [
        ("trades acknowledged, of these since the backup", f"{recovery.acknowledged}, {recovery.missing}"),
        ("lost after the restore", f"{recovery.missing}: what was booked since the backup"),
        ("lost once the calls were sent again", str(recovery.lost)),
        ("seconds until the backup stands and is proved", f"{recovery.restored_seconds:.1f}"),
        (f"seconds to send {recovery.acknowledged} calls again", f"{recovery.sent_seconds:.1f}"),
    ])  # fmt: skip
    return 0


if __name__ == "__main__":
    sys.exit(main())
