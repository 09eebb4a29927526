"""`make chaos`: the matrix profile of the lab is stumpy's, on days with gaps and flat stretches.

`python -m tests.lab.chaos_motifs` installs stumpy (BSD-3-Clause) into `var/engines/stumpy`, which takes it half a
minute to compile itself; the product never imports it.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from lab.patterns.motifs import profile, shapes_of
from tests.lab.made_candles import noise, of_prices

ROOT = Path(__file__).resolve().parents[2]
STUMPY = "stumpy==1.14.1"
WIDTH = 30
THEIRS = """
import sys, numpy, stumpy
closes, is_masked = numpy.load(sys.argv[1]), numpy.load(sys.argv[2])
told = stumpy.stump(closes, 30, T_A_subseq_isconstant=is_masked)
numpy.save(sys.argv[3], told[:, 0].astype(float))
"""


def main() -> int:
    grids = noise(5, 8)
    for number, grid in enumerate(grids):
        grid.close[40 * number : 40 * number + 3] = np.nan
        close = grid.close.copy()
        close[200:245] = np.round(close[200], 2) + 0.05 * (np.arange(45) % 3)  # flat: its windows span two ticks
        grids[number] = of_prices(close, close + 0.05, close - 0.05, close, grid.day)
    shapes = shapes_of(grids, WIDTH)
    began = time.process_time()
    ours, _ = profile(shapes, WIDTH)
    print(f"{len(shapes)} windows: {time.process_time() - began:.1f} s CPU")
    line = np.concatenate([np.append(grid.close, np.full(WIDTH, np.nan)) for grid in grids])
    starts = shapes.place - WIDTH + 1
    theirs = profile_of_stumpy(line, starts)[starts]
    # To stumpy a constant window lies √m from every other, a correlation of 0.5; here it is nobody's neighbour.
    worst = np.abs(np.maximum(ours, 0.5) - (1 - theirs**2 / (2 * WIDTH))).max()
    print(f"the largest difference of {len(shapes)} correlations to stumpy's is {worst:.1e}")
    return 0 if worst < 1e-5 else 1


def profile_of_stumpy(line: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """Return stumpy's distances of the same windows; the flat ones are told to be constant, so nobody's neighbours."""
    python = ROOT / "var" / "engines" / "stumpy" / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", python.parents[1]], check=True)
    if subprocess.run([python, "-c", "import stumpy"], capture_output=True, check=False).returncode:
        subprocess.run([python, "-m", "pip", "install", "-q", STUMPY], check=True)
    is_masked = np.ones(len(line) - WIDTH + 1, dtype=bool)
    is_masked[starts] = False
    with tempfile.TemporaryDirectory(prefix="velox") as place:
        files = [Path(place) / f"{name}.npy" for name in ("line", "masked", "told")]
        np.save(files[0], line), np.save(files[1], is_masked)
        subprocess.run([python, "-c", THEIRS, *files], check=True)
        return np.load(files[2])


if __name__ == "__main__":
    sys.exit(main())
