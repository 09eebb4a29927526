"""`make chaos`: a search by one process, by two, by two of Ray's and by two of Dask's workers tells the same table.

`python -m tests.lab.chaos_engines` installs each engine from its own lock into `var/engines/NAME`, searches copies of
one data folder, and compares what was answered and what was recorded, byte for byte. While it runs no process of an
engine may listen anywhere but on loopback.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path

import django
from django.core.management import call_command

from tests.environments import interpreter_of

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_SECONDS = 1200
SEARCH = ("ema_cross", "--from", "2021-04-12", "--to", "2021-04-23", "--train-days", "4", "--test-days", "2", "--vary",
          "fast=2:4", "--vary", "slow=5:9:2", "--set", "atr_period=3", "--set", "quiet_share=0")  # fmt: skip
MAKE = "--make-desk"
LISTENS = "0A"
LOOPBACK = {"0100007F", "00000000000000000000000001000000", "0000000000000000FFFF00000100007F"}


def python_of(engine: str) -> Path:
    """Return the interpreter of an engine's environment, installed as its lock is now."""
    if engine == "local":
        return Path(sys.executable)
    # Ray's own processes import hundreds of modules, and have 15 s for it: not without compiled ones.
    return interpreter_of(ROOT / "var" / "engines" / engine, ROOT / f"requirements-lab-{engine}.txt", is_compiled=True)


def searched(engine: str, jobs: int, search: str, folder: Path) -> tuple[str, set[str]]:
    """Search once; return what was answered, and every address beyond loopback on which it listened meanwhile."""
    words = [*SEARCH, "--search", search, "--trials", "6" if search == "random" else "9", "--charges", "zerodha"]
    command = [python_of(engine), ROOT / "manage.py", "optimize", *words, "--format", "json"]
    command += ["--engine", engine, "--jobs", str(jobs)]
    environment = {**os.environ, "VELOX_DATA_DIR": str(folder), "PYTHONPATH": str(ROOT)}
    open_ones: set[str] = set()
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as errors:
        process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=out, stderr=errors)
        began = time.monotonic()
        while process.poll() is None and time.monotonic() - began < PATIENCE_SECONDS:
            open_ones |= listening_beyond(str(folder))
            time.sleep(0.2)
        process.kill()
        out.seek(0), errors.seek(0)
        if process.wait() != 0:
            raise SystemExit(f"{engine}: {errors.read()[-3000:]}")
        print(f"{engine}, {jobs} workers, {search}: {time.monotonic() - began:.0f} s", flush=True)
        return out.read(), open_ones


def listening_beyond(folder: str) -> set[str]:
    """Return the addresses beyond loopback on which processes of a desk listen."""
    sockets = {}
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        for line in Path(table).read_text().splitlines()[1:]:
            cells = line.split()
            if cells[3] == LISTENS and cells[1].split(":")[0] not in LOOPBACK:
                sockets[f"socket:[{cells[9]}]"] = cells[1]
    beyond = set()
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if f"VELOX_DATA_DIR={folder}".encode() in (process / "environ").read_bytes().split(b"\0"):
                name = (process / "cmdline").read_bytes().replace(b"\0", b" ")[:80].decode(errors="replace")
                links = [os.readlink(link) for link in (process / "fd").iterdir()]
                beyond |= {f"{sockets[link]} {name}" for link in links if link in sockets}
        except OSError:
            continue  # it has ended meanwhile, or is another's
    return beyond


def recorded(folder: Path) -> list[tuple[str, str]]:
    with closing(sqlite3.connect(folder / "ledger.sqlite3")) as ledger:
        rows = ledger.execute("SELECT key, json_remove(body, '$.recorded_at') FROM lab_trial ORDER BY sequence")
        return rows.fetchall()


def make_desk() -> int:
    """Make a desk in the data folder of this process, with days of ticks and no companion."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "velox_site.settings")
    django.setup()
    from tests.lab.test_optimize import record_days
    from trading import summon

    call_command("migrate", verbosity=0)
    summon.summon = lambda: None  # type: ignore[assignment]
    record_days(*map(int, sys.argv[sys.argv.index(MAKE) + 1 :]))
    return 0


def main() -> int:
    with tempfile.TemporaryDirectory(prefix="velox") as place:
        desk = Path(place) / "desk"
        command = [sys.executable, "-m", "tests.lab.chaos_engines", MAKE]
        subprocess.run(command, cwd=ROOT, env={**os.environ, "VELOX_DATA_DIR": str(desk)}, check=True)
        for search in ("grid", "random"):
            tables = {}
            for engine, jobs in (("local", 1), ("local", 2), ("ray", 2), ("dask", 2)):
                folder = Path(shutil.copytree(desk, Path(place) / f"{engine}-{jobs}-{search}"))
                answer, beyond = searched(engine, jobs, search, folder)
                tables[engine, jobs] = (answer, recorded(folder))
                if beyond:
                    raise SystemExit(f"{engine} listens on {beyond}")
            alone = tables["local", 1]
            if not alone[1] or any(table != alone for table in tables.values()):
                raise SystemExit(f"{search}: the engines tell different tables")
    print("two processes, and two workers of Ray and of Dask tell the table of one, byte for byte, on loopback alone")
    return 0


if __name__ == "__main__":
    sys.exit(make_desk() if MAKE in sys.argv else main())
