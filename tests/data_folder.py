"""A data folder for the tests, set before Django reads its settings: nothing of a test may touch the desk's own.

pytest loads this by `-p` (pyproject.toml), since pytest-django reads the settings before any conftest.py. Each worker
of pytest-xdist has a folder of its own; it goes away with the worker.
"""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile

FOLDER = tempfile.mkdtemp(prefix="velox-tests-")
os.environ["VELOX_DATA_DIR"] = FOLDER


def _remove(owner: int = os.getpid()) -> None:
    if os.getpid() == owner:  # not a forked child
        shutil.rmtree(FOLDER, ignore_errors=True)


atexit.register(_remove)
