"""VELOX as an installed package, as a strategy's own environment has it: `pip install` of the checkout."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("velox_site", "lab", "trading", "timeseries")

BOT = """
from datetime import datetime
import velox_site
from velox_site.desk import DataManager

with DataManager() as dm:
    assert dm.process_tick("RELIANCE", {"ltp": 2453.05, "day_volume": 181200})
    dm.open_position("T1", "orb", "RELIANCE", 2453.05, 10, datetime.now())
    dm.flush(600)
    ticks, position = dm.get_ticks("RELIANCE", 0, 2**62), dm.get_position("orb", "RELIANCE")
    print(velox_site.__file__, ticks.num_rows, position.open_quantity)

from django.test import Client
print(Client(headers={"host": "localhost"}).get("/", follow=True).status_code)
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"  # setuptools writes beside what it builds
    source.mkdir()
    for name in ("pyproject.toml", "LICENSE", "README.md", *PACKAGES):
        subprocess.run(["cp", "-r", ROOT / name, source], check=True)
    command = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "--no-index", "-w", folder]
    subprocess.run([*command, source], check=True, capture_output=True, timeout=600)
    return next(folder.glob("velox-*.whl"))


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bot") / "site"
    command = [sys.executable, "-m", "pip", "install", "--no-deps", "--no-index", "--target", folder, wheel]
    subprocess.run(command, check=True, capture_output=True, timeout=600)
    return folder


def run(installed: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run Python as a strategy would that has VELOX in its environment, from a folder that is not the checkout."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("VELOX_", "DJANGO_"))}
    environment = {**kept, "PYTHONPATH": str(installed), **variables}
    command = [sys.executable, *arguments]
    return subprocess.run(
        command, cwd=installed.parent, env=environment, capture_output=True, text=True, timeout=600, check=False
    )


def test_the_package_holds_every_file_of_the_checkout(wheel: Path) -> None:
    files = {
        path.relative_to(ROOT).as_posix()
        for package in PACKAGES
        for path in (ROOT / package).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    packed = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    assert len(files) > 200
    assert packed == files


def test_a_bots_own_environment_records_into_the_desks_folder(installed: Path, tmp_path: Path) -> None:
    desk = {"VELOX_DATA_DIR": str(tmp_path / "desk")}
    migrated = run(installed, "-m", "velox_site", "migrate", "--verbosity", "0", **desk)
    assert migrated.returncode == 0, migrated.stderr
    bot = run(installed, "-c", BOT, **desk)
    assert bot.returncode == 0, bot.stderr
    assert bot.stdout.split() == [str(installed / "velox_site" / "__init__.py"), "1", "10", "200"]


def test_an_installed_package_does_not_guess_where_the_desk_is(installed: Path) -> None:
    bot = run(installed, "-c", "from velox_site.desk import DataManager")
    assert bot.returncode != 0
    assert "VELOX_DATA_DIR is not set" in bot.stderr
    assert not (installed / "var").exists()
