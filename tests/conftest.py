"""What every test shares: a data folder of its own, real servers, the real market files."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest

# Before Django reads the settings: nothing of a test may touch the desk's own folder.
os.environ["VELOX_DATA_DIR"] = tempfile.mkdtemp(prefix="velox-tests-")


@pytest.fixture
def market_data() -> Path:
    """The folder of real market files; skips with the reason where it is absent."""
    folder = Path(os.environ.get("VELOX_TEST_DATA", Path(__file__).parents[2] / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"the real market files are not at {folder}: set VELOX_TEST_DATA to their folder")
    return folder
