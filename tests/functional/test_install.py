"""The Makefile's install lines bring the locked versions and no others, whatever was released since.

Each test runs the real rule of the Makefile, offline, against a folder of stub wheels: every package of the lock with
its true extras and requirements, once in the locked version and once in a newer one, and a lock of the stubs' hashes.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).resolve().parents[2]
LOCKS = {"run": "requirements.txt", "dev": "requirements-dev.txt"}
NOT_LOCKED = {"pip", "setuptools"}  # a fresh environment brings them


@dataclass(frozen=True)
class Pin:
    """A line of a lock: what has to be installed where its marker holds."""

    name: str
    version: str
    line: str
    extras: list[str] = field(default_factory=list)
    requires: list[str] = field(default_factory=list)


def pins(lock: Path) -> Iterator[Pin]:
    """Yield what the lock pins for this machine, with the extras and requirements of what is installed here."""
    for line in re.findall(r"^[a-z0-9].*==.*(?= \\$)", lock.read_text(), re.M):
        requirement = Requirement(line)
        if requirement.marker is None or requirement.marker.evaluate():
            about = metadata.metadata(requirement.name)
            extras, requires = about.get_all("Provides-Extra") or [], about.get_all("Requires-Dist") or []
            yield Pin(canonicalize_name(requirement.name), str(requirement.specifier)[2:], line, extras, requires)


def newer(version: str) -> str:
    """Return the release after this one: what asked for the locked version would take it, too."""
    *head, last = Version(version).release
    return ".".join(map(str, (*head, last + 1)))


def stub_wheel(folder: Path, pin: Pin, version: str) -> str:
    """Write an empty wheel of that name and version; return its SHA-256."""
    name = pin.name.replace("-", "_")
    info = f"{name}-{version}.dist-info"
    about = [f"Metadata-Version: 2.1\nName: {pin.name}\nVersion: {version}"]
    about += [f"Provides-Extra: {extra}" for extra in pin.extras] + [
        f"Requires-Dist: {requirement}" for requirement in pin.requires
    ]
    files = {
        f"{info}/METADATA": "\n".join(about) + "\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: stub\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = "".join(f"{path},sha256={digest(text)},{len(text.encode())}\n" for path, text in files.items())
    wheel = folder / f"{name}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for path, text in {**files, f"{info}/RECORD": f"{record}{info}/RECORD,,\n"}.items():
            archive.writestr(path, text)
    return hashlib.sha256(wheel.read_bytes()).hexdigest()


def digest(text: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).decode().rstrip("=")


def make(checkout: Path, target: str, wheels: Path) -> subprocess.CompletedProcess[str]:
    """Run a rule of the checkout's Makefile, with no packages but the wheels of a folder."""
    offline = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": wheels.as_uri(), "PIP_CONFIG_FILE": os.devnull}
    command = ["make", "--no-print-directory", target, f"PYTHON={sys.executable}"]
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("PIP_", "MAKE"))}
    return subprocess.run(
        command, cwd=checkout, env=environment | offline, capture_output=True, text=True, timeout=1200, check=False
    )


def install(checkout: Path, target: str, *, planted: tuple[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Run the Makefile's rule in a folder of its own, with stubs of what the lock names; ``planted``: another text."""
    lock, wheels = LOCKS[target], checkout / "wheels"
    wheels.mkdir(parents=True)
    lines = []
    for pin in pins(ROOT / lock):
        stub_wheel(wheels, pin, newer(pin.version))
        lines.append(f"{pin.line} \\\n    --hash=sha256:{stub_wheel(wheels, pin, pin.version)}\n")
    (checkout / lock).write_text("".join(lines))
    makefile = (ROOT / "Makefile").read_text()
    if planted:
        assert planted[0] in makefile
        makefile = makefile.replace(*planted)
    (checkout / "Makefile").write_text(makefile)
    return make(checkout, f".venv/{target}", wheels)


def installed(checkout: Path) -> dict[str, str]:
    command = [checkout / ".venv/bin/python", "-m", "pip", "list", "--format", "json"]
    rows = json.loads(subprocess.run(command, capture_output=True, text=True, timeout=600, check=True).stdout)
    return {canonicalize_name(row["name"]): row["version"] for row in rows}


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Makefile's own environment, as yet without packages; its pip takes seconds to bring."""
    folder = tmp_path_factory.mktemp("made")
    shutil.copy(ROOT / "Makefile", folder)
    done = make(folder, ".venv/made", folder)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder / ".venv"


@pytest.fixture
def checkout(tmp_path: Path, environment: Path) -> Iterator[Path]:
    folder = tmp_path / "a desk"
    shutil.copytree(environment, folder / ".venv", symlinks=True)
    (folder / "var" / "tmp").mkdir(parents=True)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.mark.parametrize("target", LOCKS)
def test_exactly_the_locked_versions_come_though_newer_ones_are_there(checkout: Path, target: str) -> None:
    done = install(checkout, target)
    assert done.returncode == 0, done.stdout + done.stderr
    locked = {pin.name: pin.version for pin in pins(ROOT / LOCKS[target])}
    assert len(locked) > 30
    versions = installed(checkout)
    assert {name: versions.get(name) for name in locked} == locked
    assert set(versions) - set(locked) <= NOT_LOCKED


def test_an_install_line_that_resolves_anew_is_caught(checkout: Path) -> None:
    """Without --no-deps pip meets a requirement with an extra that the lock pins without, and wants the newest."""
    done = install(checkout, "dev", planted=("--no-deps ", ""))
    assert done.returncode != 0
    assert "--require-hashes" in done.stderr


def test_a_lock_that_lacks_what_it_needs_is_told(checkout: Path) -> None:
    """`pip check` follows: a lock without one of its packages is no working environment."""
    cut = ("install = ", "install = sed -i '/^sqlparse==/,+1d' $(1) && ")
    done = install(checkout, "run", planted=cut)
    assert done.returncode != 0
    assert "django" in done.stdout.lower() and "sqlparse" in done.stdout
