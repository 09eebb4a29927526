"""Several files as one feed, by time; inside a file the order of its lines stands, also where time steps back."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import numpy as np

from trading.errors import InvalidValue
from trading.feeds.ticks import FeedFile, Ticks, concatenated


def merged(files: Sequence[FeedFile]) -> Ticks:
    """Return the ticks of all files in one order, which neither the files' names nor their places in the call change.

    Raises: InvalidValue, when two files hold the same symbol over the same time: which tick came first is not known.
    """
    by_file = [(file, spans(file.ticks)) for file in files]
    for (file, times), (other, other_times) in combinations(by_file, 2):
        for symbol in sorted(times.keys() & other_times.keys()):
            # Two spans may share an end: a file cut in two within one second is still one.
            (_, end), (start, _) = sorted([times[symbol], other_times[symbol]])
            if start < end or times[symbol] == other_times[symbol]:
                raise InvalidValue(
                    f"{file.path} and {other.path} both hold {symbol} over the same time.",
                    field="file",
                    hint="Replay one of them under another --source.",
                )
    # Ticks of one time go by what the files hold: never by a name that a copy of the file may not have.
    ranked = sorted(
        (file for file in files if len(file.ticks)),
        key=lambda file: (int(file.ticks.time.min()), int(file.ticks.time.max()), sorted(spans(file.ticks))),
    )
    ticks = concatenated([file.ticks for file in ranked])
    if len(ranked) < 2:
        return ticks
    # A file's next line is due at the latest time that it has reached: a line that steps back follows its predecessor.
    due = np.concatenate([np.maximum.accumulate(file.ticks.time) for file in ranked])
    return ticks.take(np.argsort(due, kind="stable"))


def spans(ticks: Ticks) -> dict[str, tuple[int, int]]:
    """Return the first and the last instant (ns UTC) of each symbol that has ticks."""
    by_symbol = {}
    for place, symbol in enumerate(ticks.symbols):
        times = ticks.time[ticks.symbol == place]
        if len(times):
            by_symbol[symbol] = int(times.min()), int(times.max())
    return by_symbol
