"""One side of a race between two commits: `python -P bench/side.py TREE SCENARIO.py`, with TREE as PYTHONPATH.

It imports nothing of bench: the code under measurement is TREE's. The scenario's `prepare` is a context manager that
gives a callable; each line of the input calls it once, with the line where it says anything, and its number of units
is the line that answers.
"""

from __future__ import annotations

import os
import runpy
import sys
from pathlib import Path

import django


def main(tree: str, scenario: str) -> None:
    os.environ["DJANGO_SETTINGS_MODULE"] = "velox_site.settings"
    django.setup()
    measured = Path(sys.modules["velox_site"].__file__ or "")
    if not measured.is_relative_to(tree):
        raise SystemExit(f"{measured} is measured in the place of {tree}.")
    answers, sys.stdout = sys.stdout, sys.stderr
    with runpy.run_path(scenario)["prepare"]() as play:
        print(0, file=answers, flush=True)
        for line in sys.stdin:
            words = line.strip()
            print(play(words) if words else play(), file=answers, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
