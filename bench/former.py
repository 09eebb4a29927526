"""A former commit beside this one: both play one scenario, each in a process of its own, on their own code.

A scenario is a file in `bench/scenarios` that knows only what both commits have; `bench/side.py` plays it. The former
commit is unpacked from git into `var/bench`, once; without git's history there is nothing to compare with.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path

from bench.harness import Pair, Skipped

ROOT = Path(__file__).resolve().parent.parent
COMMIT = "df4c458"


@contextmanager
def against_former(
    scenario: str,
    *,
    commit: str = COMMIT,
    words: str = "",
    kept: Path | None = None,
    sizes: Mapping[str, str] | None = None,
) -> Iterator[Pair | Skipped]:
    """Give the scenario (its file's name without .py) played by this tree and by the former commit, with words where it
    knows any. Their data are made anew, or each side's stay in a folder of ``kept``."""
    tree = checkout(commit)
    if isinstance(tree, Skipped):
        yield tree
        return
    folders = (None, None) if kept is None else (kept / "ours", kept / commit)
    with Side(ROOT, scenario, folders[0], sizes) as ours, Side(tree, scenario, folders[1], sizes) as former:
        yield Pair(lambda: ours.play(words), lambda: former.play(words))


def checkout(commit: str = COMMIT) -> Path | Skipped:
    """Return a folder with the commit's tree, or why there is none: git does not know it."""
    unknown = Skipped(f"There is no commit {commit} here: it takes a git clone with its history.")
    tree = ROOT / "var" / "bench" / commit
    if tree.is_dir():
        return tree
    git = shutil.which("git")
    if git is None:
        return unknown
    packed = subprocess.run([git, "-C", str(ROOT), "archive", commit], capture_output=True, check=False)
    if packed.returncode:
        return unknown
    tree.parent.mkdir(parents=True, exist_ok=True)
    unpacked = Path(tempfile.mkdtemp(dir=tree.parent))
    with tarfile.open(fileobj=BytesIO(packed.stdout)) as archive:
        archive.extractall(unpacked, filter="data")
    try:
        unpacked.rename(tree)  # whole or not at all
    except OSError:  # another run was here first
        shutil.rmtree(unpacked)
    return tree


class Side:
    """A process that has prepared the scenario on one tree's code and plays it once for each call.

    Its data are in ``folder`` and stay there, by default in one of its own that goes with it. ``sizes`` are variables
    of its environment that say how much the scenario prepares.
    """

    def __init__(
        self, tree: Path, scenario: str, folder: Path | None = None, sizes: Mapping[str, str] | None = None
    ) -> None:
        self.tree, self.file, self.kept = tree, ROOT / "bench" / "scenarios" / f"{scenario}.py", folder
        self.sizes = sizes or {}

    def __enter__(self) -> Side:
        self.folder = tempfile.TemporaryDirectory(prefix="velox-bench-side-")
        if self.kept is not None:
            self.kept.mkdir(parents=True, exist_ok=True)
        environment = {
            **os.environ,
            **self.sizes,
            "PYTHONPATH": str(self.tree),
            "VELOX_DATA_DIR": str(self.kept or self.folder.name),
        }
        # -P: neither the folder of the file nor this one may stand before the tree.
        command = [sys.executable, "-P", str(ROOT / "bench" / "side.py"), str(self.tree), str(self.file)]
        self.process = subprocess.Popen(
            command, cwd=self.tree, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.answer()
        return self

    def answer(self) -> int:
        assert self.process.stdout
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self.file.name} ended on {self.tree}: see above.")
        return int(line)

    def play(self, words: str = "") -> int:
        """Play the scenario once, with words where it knows any; return the units of work it did."""
        assert self.process.stdin
        self.process.stdin.write(f"{words}\n")
        self.process.stdin.flush()
        return self.answer()

    def __exit__(self, *_: object) -> None:
        self.process.communicate()  # the end of its input ends it
        self.folder.cleanup()
