"""How VELOX measures: side by side with a reference, interleaved in one run, the median of the ratios.

These machines are shared and noisy, so a single time says little; a ratio of two neighbours in time says much. Every
row is a context manager that prepares both sides and yields a `Pair` (a race against a reference) or a `Figures`
(absolute numbers that have a bound each, such as a latency).
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace

ROUNDS = 7


@dataclass(frozen=True)
class Pair:
    """Two callables doing the same work; each returns the units of work it did, counted from its result.

    ``clock`` is by what they are timed: `time.process_time` where both compute in this process alone. Where ours
    works in another process, the reference has a ``reference_clock`` of its own.
    """

    ours: Callable[[], int]
    reference: Callable[[], int]
    clock: Callable[[], float] = time.perf_counter
    reference_clock: Callable[[], float] | None = None


@dataclass(frozen=True)
class Pairs:
    """Several races over one preparation, each with its mark; what prepares them has run both sides once."""

    pairs: dict[str, tuple[Pair, float]]


@dataclass(frozen=True)
class Figures:
    """A callable giving named absolute figures per round; a figure is reached when it is at most its mark.

    One that ``is_long`` is measured once, without a warm-up.
    """

    measure: Callable[[], dict[str, float]]
    marks: dict[str, float]
    unit: str
    is_long: bool = False


@dataclass(frozen=True)
class Skipped:
    """Nothing can be measured here; ``reason`` says why, and the row says it."""

    reason: str


@dataclass(frozen=True)
class Row:
    """One row of the table: its name for ``ROW=``, what is compared, the mark and the stretch (ratios)."""

    name: str
    what: str
    prepare: Callable[[], AbstractContextManager[Pair | Pairs | Figures | Skipped]]
    mark: float = 0.0
    stretch: float = 0.0
    unit: str = "per second"
    rounds: int = ROUNDS
    settings: dict[str, str] = field(default_factory=dict)
    is_asked_for: bool = False  # by its name; else it is left out


@dataclass(frozen=True)
class Result:
    row: str
    what: str
    ratios: list[float]
    median: float
    mark: float
    stretch: float
    reached: bool
    figures: dict[str, float]
    settings: dict[str, str]
    skipped: str = ""  # why nothing was measured


def run(row: Row) -> Iterator[Result]:
    """Measure the row: one result for a pair, one per figure for figures."""
    with row.prepare() as subject:
        if isinstance(subject, Skipped):
            yield Result(row.name, row.what, [], 0.0, row.mark, row.stretch, False, {}, row.settings, subject.reason)
        elif isinstance(subject, Pair):
            subject.ours(), subject.reference()  # the warm-up is not counted
            yield _race(row, subject)
        elif isinstance(subject, Pairs):
            for name, (pair, mark) in subject.pairs.items():
                yield _race(replace(row, name=f"{row.name}/{name}", what=f"{row.what}: {name}", mark=mark), pair)
        else:
            yield from _figures(row, subject)


def _race(row: Row, pair: Pair) -> Result:
    ours, reference = [], []
    for number in range(row.rounds):
        # Who goes first changes, so that a drift of the machine favours neither.
        sides = (pair.ours, pair.clock, ours), (pair.reference, pair.reference_clock or pair.clock, reference)
        for side, clock, rates in sides[:: 1 if number % 2 else -1]:
            rates.append(_rate(side, clock))
    ratios = [mine / theirs for mine, theirs in zip(ours, reference, strict=True)]
    median = statistics.median(ratios)
    figures = {f"ours, {row.unit}": statistics.median(ours), f"reference, {row.unit}": statistics.median(reference)}
    return Result(row.name, row.what, ratios, median, row.mark, row.stretch, median >= row.mark, figures, row.settings)


def _rate(side: Callable[[], int], clock: Callable[[], float]) -> float:
    started = clock()
    units = side()
    return units / (clock() - started)


def _figures(row: Row, figures: Figures) -> Iterator[Result]:
    if not figures.is_long:
        figures.measure()
    rounds = [figures.measure() for _ in range(1 if figures.is_long else row.rounds)]
    for name, mark in figures.marks.items():
        values = [measured[name] for measured in rounds]
        median = statistics.median(values)
        what = f"{row.what}: {name}"
        absolute = {f"{name}, {figures.unit}": median}
        yield Result(f"{row.name}/{name}", what, values, median, mark, 0.0, median <= mark, absolute, row.settings)
