"""Several files as one feed, by time; inside a file the order of its lines stands, also where time steps back."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import combinations
from pathlib import Path

import numpy as np

from trading.errors import InvalidValue
from trading.feeds.ticks import FeedFile, Ticks, concatenated

Spans = dict[str, tuple[int, int]]  # by symbol: its first and its last instant (ns UTC)


def merged(files: Sequence[FeedFile]) -> Ticks:
    """Return the ticks of all files in one order, which neither the files' names nor their places in the call change.

    Raises: InvalidValue, as `ranks` does.
    """
    ticks = [file.ticks for file in files]
    return by_time([ticks[rank] for rank in ranks([(file.path, spans(file.ticks)) for file in files])])


def ranks(files: Sequence[tuple[Path, Spans]]) -> list[int]:
    """Return the places of the files that have ticks, in the order in which their ticks of one time go.

    Raises: InvalidValue, when two files hold the same symbol over the same time: which tick came first is not known.
    """
    for (file, times), (other, other_times) in combinations(files, 2):
        for symbol in sorted(times.keys() & other_times.keys()):
            # Two spans may share an end: a file cut in two within one second is still one.
            (_, end), (start, _) = sorted([times[symbol], other_times[symbol]])
            if start < end or times[symbol] == other_times[symbol]:
                raise InvalidValue(
                    f"{file} and {other} both hold {symbol} over the same time.",
                    field="file",
                    hint="Replay one of them under another --source.",
                )

    def contents(place: int) -> tuple[int, int, list[str]]:
        # Ticks of one time go by what the files hold: never by a name that a copy of the file may not have.
        times = files[place][1]
        return min(first for first, _ in times.values()), max(last for _, last in times.values()), sorted(times)

    return sorted((place for place, (_, times) in enumerate(files) if times), key=contents)


def by_time(ranked: Sequence[Ticks]) -> Ticks:
    """Return the ticks of files, which stand in the order of their `ranks`, by the time at which they are due."""
    ticks = concatenated(ranked)
    if len(ranked) < 2:
        return ticks
    # A file's next line is due at the latest time that it has reached: a line that steps back follows its predecessor.
    due = np.concatenate([np.maximum.accumulate(of_file.time) for of_file in ranked])
    return ticks.take(np.argsort(due, kind="stable"))


def spans(ticks: Ticks) -> Spans:
    """Return the first and the last instant (ns UTC) of each symbol that has ticks."""
    if not len(ticks):
        return {}
    order = np.argsort(ticks.symbol.astype(np.min_scalar_type(len(ticks.symbols))), kind="stable")
    counts = np.bincount(ticks.symbol)
    used = np.flatnonzero(counts)
    begins, time = (np.cumsum(counts) - counts)[used], ticks.time[order]
    earliest, latest = (extreme.reduceat(time, begins).tolist() for extreme in (np.minimum, np.maximum))
    symbols = (ticks.symbols[place] for place in used.tolist())
    return dict(zip(symbols, zip(earliest, latest, strict=True), strict=True))


def joined_spans(parts: Iterable[Spans]) -> Spans:
    """Return the spans of symbols whose ticks are in several parts."""
    whole: Spans = {}
    for symbol, (first, last) in (entry for spans_of_part in parts for entry in spans_of_part.items()):
        earliest, latest = whole.get(symbol, (first, last))
        whole[symbol] = min(first, earliest), max(last, latest)
    return whole
