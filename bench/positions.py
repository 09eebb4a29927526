"""What is open now, against a former commit, which asked the store once for every symbol."""

from __future__ import annotations

from bench.former import against_former
from bench.harness import Row

ROWS = [
    Row(
        "open-positions",
        "get_open_positions of 100 positions in 50 symbols while ticks come, against commit df4c458",
        lambda: against_former("open_positions"),
        mark=20,
        stretch=40,
        unit="positions per second",
        rounds=5,
    ),
]
