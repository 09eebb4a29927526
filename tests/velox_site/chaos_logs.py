"""Many processes log into the same files through their rotations: every line is whole and none is lost.

`python -m tests.velox_site.chaos_logs --processes 8 --lines 50000`
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
BACKUPS = 10_000  # what goes by policy would look like a loss
_TEXT = re.compile(r"\S+\+00:00 INFO     \[strategy\] line who=(\d+) n=(\d+) pad=(x*)\|")


def work(folder: Path, who: int, lines: int, bytes_max: int) -> None:
    from velox_site import logs  # here: the parent starts without what its workers need

    logs.configure({"folder": folder, "level": "INFO"})
    logs.sinks.files[1][0].bytes_max, logs.sinks.files[1][0].backups = bytes_max, BACKUPS  # type: ignore[attr-defined]
    sys.stderr = None  # type: ignore[assignment]
    chance = random.Random(who)
    for number in range(lines):
        logs.strategy_log.info("line", who=who, n=number, pad="x" * chance.randrange(200) + "|")


def run(folder: Path, *, processes: int, lines: int, bytes_max: int) -> dict[str, Any]:
    """Return how many different whole lines both kinds of file hold; a line that is not whole raises."""
    arguments = ["--lines", str(lines), "--bytes-max", str(bytes_max), "--folder", str(folder)]
    command = [sys.executable, "-m", "tests.velox_site.chaos_logs", *arguments, "--worker"]
    workers = [
        subprocess.Popen([*command, str(who)], env={**os.environ, "PYTHONPATH": str(ROOT)}, cwd=ROOT)
        for who in range(processes)
    ]
    codes = [worker.wait() for worker in workers]
    if any(codes):
        raise RuntimeError(f"a worker ended with {codes}")
    rotated = [path.stat().st_size for path in folder.glob("velox.log.*")]
    return {
        "expected": processes * lines,
        "json": _json_lines(folder),
        "text": _text_lines(folder),
        "rotations": len(rotated),
        "smallest": min(rotated, default=0),
    }


def _json_lines(folder: Path) -> int:
    seen: set[tuple[int, int]] = set()
    for path in folder.glob("velox-*.jsonl"):
        with path.open() as file:
            for text in file:
                context = json.loads(text)["context"]
                _add(seen, context["who"], context["n"], context["pad"])
    return len(seen)


def _text_lines(folder: Path) -> int:
    seen: set[tuple[int, int]] = set()
    for path in folder.glob("velox.log*"):
        with path.open() as file:
            for text in file:
                match = _TEXT.fullmatch(text.rstrip("\n"))
                if match is None:
                    raise RuntimeError(f"a torn line: {text!r}")
                _add(seen, int(match[1]), int(match[2]), match[3] + "|")
    return len(seen)


def _add(seen: set[tuple[int, int]], who: int, number: int, pad: str) -> None:
    if (who, number) in seen or not pad.endswith("|"):
        raise RuntimeError(f"line {number} of {who} is there twice, or torn")
    seen.add((who, number))


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--processes", type=int, default=8)
    parser.add_argument("--lines", type=int, default=50_000)
    parser.add_argument("--bytes-max", type=int, default=8 * 1024 * 1024)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--worker", type=int)
    options = parser.parse_args()
    if options.worker is not None:
        work(options.folder, options.worker, options.lines, options.bytes_max)
        return 0
    with tempfile.TemporaryDirectory(prefix="velox-logs-") as name:
        found = run(Path(name), processes=options.processes, lines=options.lines, bytes_max=options.bytes_max)
    print(json.dumps(found))
    return 0 if found["json"] == found["text"] == found["expected"] and found["rotations"] >= 3 else 1


if __name__ == "__main__":
    sys.exit(main())
