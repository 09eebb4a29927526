"""`make env`: random secrets that Django's own checks accept, readable by the owner alone, never written twice."""

from __future__ import annotations

import shutil
import stat
from pathlib import Path

import pytest

from velox_site import dotenv


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    shutil.copy(dotenv.BASE_DIR / ".env.example", tmp_path)
    monkeypatch.setattr(dotenv, "BASE_DIR", tmp_path)
    return tmp_path


def secrets_of(file: Path) -> dict[str, str]:
    lines = [line for line in file.read_text().splitlines() if line and not line.startswith("#")]
    return dict(line.split("=", 1) for line in lines)


def test_each_secret_is_long_and_its_own(project: Path) -> None:
    assert dotenv.main() == 0
    found = secrets_of(project / ".env")
    assert "SECRET_KEY" in found
    assert all(len(value) >= 50 for value in found.values())  # fewer is security.W009
    assert len(set(found.values())) == len(found) and dotenv.MARK not in found.values()
    assert stat.S_IMODE((project / ".env").stat().st_mode) == 0o600


def test_what_is_there_stays(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (project / ".env").write_text("SECRET_KEY=mine\n")
    assert dotenv.main() == 0
    assert (project / ".env").read_text() == "SECRET_KEY=mine\n"
    assert "stays" in capsys.readouterr().out
