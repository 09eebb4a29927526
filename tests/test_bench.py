"""The bench beside a former commit: what is measured is that commit's own code, and without history the row says so."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from bench import former, harness
from bench.harness import Pair, Row, Skipped

SCENARIO = """
from contextlib import contextmanager
from pathlib import Path

import velox_site


@contextmanager
def prepare():
    yield lambda: len(Path(velox_site.__file__).with_name("units").read_text())
"""


def git(folder: Path, *arguments: str) -> None:
    who = ("-c", "user.name=Bench", "-c", "user.email=bench@example.com")
    subprocess.run(["git", "-C", str(folder), *who, *arguments], check=True, capture_output=True)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A git clone of a small project with one scenario."""
    project = tmp_path / "a project"
    (project / "bench" / "scenarios").mkdir(parents=True)
    (project / "bench" / "scenarios" / "units.py").write_text(SCENARIO)
    (project / "bench" / "side.py").write_text(Path(former.__file__).with_name("side.py").read_text())
    (project / "velox_site").mkdir()
    (project / "velox_site" / "__init__.py").touch()
    (project / "velox_site" / "settings.py").write_text("USE_TZ = True\n")
    (project / "velox_site" / "units").write_text("old")
    git(project, "init", "-q")
    git(project, "add", ".")
    git(project, "commit", "-q", "-m", "as it was")
    (project / "velox_site" / "units").write_text("newer")
    monkeypatch.setattr(former, "ROOT", project)
    return project


def test_each_side_runs_its_own_commits_code(project: Path) -> None:
    for _ in range(2):  # the second time the checkout is there already
        with former.against_former("units", commit="HEAD") as pair:
            assert isinstance(pair, Pair)
            assert [(pair.ours(), pair.reference()) for _ in range(2)] == [(5, 3), (5, 3)]


def test_without_the_commit_the_row_says_so_and_is_skipped(project: Path) -> None:
    with former.against_former("units", commit="abcdef0") as subject:
        assert isinstance(subject, Skipped)
    row = Row("units", "units", lambda: former.against_former("units", commit="abcdef0"), mark=2)
    [result] = harness.run(row)
    assert (result.reached, result.ratios) == (False, [])
    assert "git clone" in result.skipped
