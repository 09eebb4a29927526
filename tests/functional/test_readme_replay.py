"""README's replay, line by line as it is written there, on the sample file that ships."""

from __future__ import annotations

import gzip
import os
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from trading import summon

ROOT = Path(__file__).parents[2]
SAMPLE = ROOT / "examples" / "SAMPLE_15_March.csv.gz"


@pytest.fixture
def desk(ledger: Any) -> Iterator[Any]:
    yield ledger
    companion = summon.companion_pid()
    if companion:
        os.kill(companion, signal.SIGTERM)


def section() -> tuple[list[str], str]:
    """The lines of the section's code, and the words that say what one sees."""
    text = (ROOT / "README.md").read_text()
    _, code, rest = text[text.index("## Replay a real day") :].split("```", 2)
    return code.strip().splitlines(), rest[: rest.index("A file of your own")]


def run(desk: Any, line: str) -> str:
    program, *arguments = shlex.split(line)
    assert program == ".venv/bin/python"
    process = subprocess.run(
        [sys.executable, *arguments], cwd=ROOT, env=desk.env, capture_output=True, text=True, timeout=300, check=False
    )
    assert process.returncode == 0, process.stderr
    return process.stdout


def test_the_lines_of_readme_show_what_readme_says(desk: Any) -> None:
    lines, words = section()
    assert len(lines) == 3
    shown = "".join(run(desk, line) for line in lines)
    figures = re.findall(r"\d[\d.]*\d|\b4\b", words.replace("SAMPLE_15_March", ""))
    assert {"9000", "741.45", "750.35", "505932", "13", "50.75", "4", "30.77", "1.26"} == set(figures)
    for word in (*figures, "cumulative", "ema_cross", "SAMPLE"):
        assert re.search(rf"[│ ]{re.escape(word)} ", shown), word
    again = run(desk, lines[1])
    assert re.search(r"│ 9000 │ +9000 │ +0 │ +9000 │ ema_cross │ +13 │ +13 │ +0 │ 50\.75 ", again)


def test_the_sample_is_what_its_script_writes(tmp_path: Path) -> None:
    made = tmp_path / "made.csv.gz"
    subprocess.run([sys.executable, ROOT / "examples" / "make_sample.py", made], check=True, timeout=120)
    assert gzip.decompress(made.read_bytes()) == gzip.decompress(SAMPLE.read_bytes())
    assert SAMPLE.stat().st_size < 200_000
