"""The paths that must be quick, against a former commit: what makes the code plainer may not make it slower."""

from __future__ import annotations

from functools import partial

from bench.former import against_former
from bench.harness import Row

PATHS = {
    "one_tick": "ticks recorded one by one",
    "tick_columns": "ticks recorded in columns",
    "trades": "trades opened and closed",
    "candles": "the minutes of one symbol among half a million ticks",
    "statistics": "figures by strategy and by day",
}

ROWS = [
    Row(
        f"former-{scenario.replace('_', '-')}",
        f"{what}, against the former commit",
        partial(against_former, scenario),
        mark=0.97,
        rounds=15,
        is_asked_for=True,
    )
    for scenario, what in PATHS.items()
]
