"""A data folder for the tests, set before Django reads its settings: nothing of a test may touch the desk's own.

pytest loads this by `-p` (pyproject.toml), since pytest-django reads the settings before any conftest.py. Each worker
of pytest-xdist has a folder of its own; it goes away with the worker. What a run makes once for all of them is in
`SHARED`, the folder of the process that started them: one key of the journal, one migrated ledger.
"""

from __future__ import annotations

import atexit
import fcntl
import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

FOLDER = tempfile.mkdtemp(prefix="velox-tests-")
SHARED = Path(os.environ.setdefault("VELOX_TEST_SHARED", FOLDER))
os.environ["VELOX_DATA_DIR"] = FOLDER
if str(SHARED) == FOLDER:
    (SHARED / "journal.key").touch(mode=0o600)
    (SHARED / "journal.key").write_text(secrets.token_urlsafe(48))
else:
    shutil.copy(SHARED / "journal.key", FOLDER)


@contextmanager
def made_once(name: str) -> Iterator[Path | None]:
    """Give a file of that name to make in the shared folder, or None where another process of this run has made it."""
    path, unfinished = SHARED / name, SHARED / f".{name}"
    with (SHARED / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if path.exists():
            yield None
            return
        unfinished.touch()
        yield unfinished
        unfinished.rename(path)


def _remove(owner: int = os.getpid()) -> None:
    if os.getpid() == owner:  # not a forked child
        shutil.rmtree(FOLDER, ignore_errors=True)


atexit.register(_remove)
