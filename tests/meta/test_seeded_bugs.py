"""Deliberate faults of the code, each in a patch that names the test which must fail.

A patch is `seeded/<name>.patch`: a line `Bug:`, a line `Test:` with one test's id, and a unified diff of little
context. It is found by its text, wherever that stands now; CONTRIBUTING.md says how to make one anew. All of them are
held to the tree at each run, and every third is planted; `make chaos` plants them all.
"""

from __future__ import annotations

import itertools
import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
COPIED = ("velox_site", "lab", "trading", "timeseries", "tests", "manage.py", "pyproject.toml")
# What a test raises itself. A patch that breaks the code some other way proves nothing of the test.
OWN = ("AssertionError", "Failed")


@dataclass(frozen=True)
class Hunk:
    file: str
    before: str
    after: str


@dataclass(frozen=True)
class Patch:
    name: str
    bug: str
    test: str
    hunks: tuple[Hunk, ...]


def read_patch(path: Path) -> Patch:
    """Read header and hunks; the numbers of lines are not looked at."""
    head, _, diff = path.read_text(encoding="utf-8").partition("\n--- ")
    header = dict(line.split(": ", 1) for line in head.splitlines() if not line.startswith(("diff ", "index ")))
    file, hunks = "", []
    for section in re.split(r"^(?=@@|--- )", "--- " + diff, flags=re.M):
        lines = section.splitlines(keepends=True)
        if section.startswith("--- "):
            file = lines[1].removeprefix("+++ b/").strip()
        elif section:
            sides = ["".join(line[1:] for line in lines[1:] if line[0] in (" ", sign)) for sign in "-+"]
            hunks.append(Hunk(file, *sides))
    return Patch(path.stem, header["Bug"], header["Test"], tuple(hunks))


PLANTED_EVERY = int(os.environ.get("VELOX_SEEDED_EVERY", "3"))
PATCHES = [read_patch(path) for path in sorted((ROOT / "tests/meta/seeded").glob("*.patch"))]
PLANTED = PATCHES[::PLANTED_EVERY]


@contextmanager
def applied(patch: Patch, tree: Path) -> Iterator[None]:
    """Plant the bug in the tree and take it out again."""
    sound = {hunk.file: (tree / hunk.file).read_text(encoding="utf-8") for hunk in patch.hunks}
    try:
        for hunk in patch.hunks:
            text = (tree / hunk.file).read_text(encoding="utf-8")
            count = text.count(hunk.before)
            assert count == 1, (
                f"{patch.name}.patch is out of date: its lines stand {count} times in {hunk.file}. CONTRIBUTING.md "
                "says how to make it anew."
            )
            _write(tree / hunk.file, text.replace(hunk.before, hunk.after))
        yield
    finally:
        for file, text in sound.items():
            _write(tree / file, text)


# Within one second a file of the same size would be taken for the one that was compiled before.
_stamps = itertools.count(int(time.time()) + 10, 10)


def _write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")
    stamp = next(_stamps)
    os.utime(path, (stamp, stamp))


class Runner:
    """Runs tests in a copy of the tree: the checkout is never touched."""

    def __init__(self, tree: Path) -> None:
        self.tree = tree
        for name in COPIED:
            if (ROOT / name).is_dir():
                shutil.copytree(ROOT / name, tree / name, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(ROOT / name, tree / name)
        command = [sys.executable, str(Path(__file__).with_name("seeded_runner.py")), str(tree)]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=tree)

    def run(self, *tests: str) -> Any:
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.write(json.dumps(tests) + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def output(self) -> str:
        return (self.tree / "output").read_text(encoding="utf-8", errors="replace")

    def end(self) -> None:
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()


@pytest.fixture(scope="module")
def runner(tmp_path_factory: pytest.TempPathFactory, migrated: Path) -> Iterator[Runner]:
    """A runner of a copy; the ledger that its tests share is migrated by the sound tree, not by a bug's."""
    started = Runner(tmp_path_factory.mktemp("tree"))
    try:
        yield started
    finally:
        started.end()


def test_there_are_many_and_each_is_one_fault_of_the_code() -> None:
    assert len(PATCHES) >= 15
    assert {hunk.file.split("/")[0] for patch in PATCHES for hunk in patch.hunks} <= {
        "velox_site",
        "lab",
        "trading",
        "timeseries",
    }
    assert [patch.name for patch in PATCHES if any(hunk.before == hunk.after for hunk in patch.hunks)] == []


@pytest.mark.parametrize("patch", PATCHES, ids=lambda patch: patch.name)
def test_each_patch_fits_the_tree_as_it_is(patch: Patch) -> None:
    """Quick, without running anything: `pytest tests/meta/test_seeded_bugs.py -k fits_the_tree`."""
    assert {(hunk.file, (ROOT / hunk.file).read_text(encoding="utf-8").count(hunk.before)) for hunk in patch.hunks} == {
        (hunk.file, 1) for hunk in patch.hunks
    }


def test_without_a_bug_they_all_pass(runner: Runner) -> None:
    tests = sorted({patch.test for patch in PLANTED})
    outcome = runner.run(*tests)
    assert (sorted(outcome["passed"]), outcome["others"]) == (tests, []), runner.output()


@pytest.mark.parametrize("patch", PLANTED, ids=lambda patch: patch.name)
def test_the_bug_is_caught_by_the_test_that_its_patch_names(runner: Runner, patch: Patch) -> None:
    with applied(patch, runner.tree):
        outcome = runner.run(patch.test)
    assert outcome["passed"] == [], f"{patch.test} passes though {patch.bug}"
    (failure,) = outcome["others"] or [{"when": "its process died"}]
    assert (failure["when"], failure["test"]) == ("call: failed", patch.test), (failure, runner.output())
    assert failure["raised"] in OWN, failure
    assert Path(failure["file"]).is_relative_to(runner.tree / "tests"), failure
    assert "Timeout" not in failure["message"], failure


def test_a_patch_that_fits_no_more_is_said_loudly(runner: Runner) -> None:
    stale = Patch("stale", "", "", (Hunk("timeseries/spool/lane.py", "no such line\n", ""),))
    with pytest.raises(AssertionError, match=r"stale\.patch is out of date"), applied(stale, runner.tree):
        pass
