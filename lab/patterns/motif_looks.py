"""Looking for motifs in the days before, and at whether they come again and what follows on the days held out."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from lab.domain.followed import chance_above_zero, holm
from lab.operations.record_run import MOTIFS
from lab.patterns.looking import (
    LookedDays,
    PatternAnswer,
    PatternRequest,
    is_beyond_luck,
    keep_answer,
    looked_days,
    record_looks,
)
from lab.patterns.looks import LookedDay, PatternLook, PatternRow
from lab.patterns.motifs import WINDOWS_MAX, Motif, Shapes, motifs_of, seen, seen_by_chance, shapes_of
from timeseries.measurements import FloatArray, IntArray
from timeseries.reader import Reader
from trading.progress import tell


class MotifRow(PatternRow):
    """A motif: where its pair is, how alike (correlation), how often chance shows it on the days held out, and whether
    it comes more often (``p_seen``)."""

    correlation: float
    first: str
    second: str
    seen_by_chance: float
    p_seen: float | None
    p_seen_corrected: float | None
    comes_again: bool


def look_for_motifs(request: PatternRequest, reader: Reader) -> PatternAnswer:
    """Find the motifs of the days before, record a trial for each, and tell whether they come again and what followed.

    Two chances are told of each: that it comes so often, and that what follows is luck. Both are corrected together.

    Raises: InvalidValue, StoreUnavailable, LedgerBusy, LedgerNotReady.
    """
    looked = looked_days(request, reader, request.width)
    taught, left_out = _taught(looked)
    shapes = shapes_of([day.grid for day in taught], looked.width)
    motifs = motifs_of(shapes, looked.width, request.count)
    rows_seen = [seen(motifs, day.grid, looked.width) for day in looked.days]
    looks = [
        PatternLook(f"motif {number + 1}", None, [of_day[number] for of_day in rows_seen])
        for number in range(len(motifs))
    ]
    trials = record_looks(request, MOTIFS, looked, looks, seen_by="")
    excess, expected = _beyond_chance(motifs, looked, rows_seen, request.seed)
    rows: list[MotifRow] = [
        {
            **look.row(looked.days),
            "correlation": motif.nearest,
            "first": (places := _places(motif, shapes, taught))[0],
            "second": places[1],
            "seen_by_chance": float(by_chance),
            "p_seen": chance_above_zero(beyond),
            "p_seen_corrected": None,
            "comes_again": False,
        }
        for look, motif, by_chance, beyond in zip(looks, motifs, expected, excess, strict=True)
    ]
    corrected = holm([row["p"] for row in rows] + [row["p_seen"] for row in rows], 2 * trials)
    for row, of_followed, of_seen in zip(rows, corrected[: len(rows)], corrected[len(rows) :], strict=True):
        row["p_corrected"], row["holds"] = of_followed, is_beyond_luck(of_followed)
        row["p_seen_corrected"], row["comes_again"] = of_seen, is_beyond_luck(of_seen)
    return keep_answer(request, MOTIFS, looked, rows, trials=trials, left_out=left_out)


def _taught(looked: LookedDays) -> tuple[list[LookedDay], int]:
    """Return the newest days before the cut whose windows can be compared, and how many windows that leaves out."""
    taught: list[LookedDay] = []
    left_out = windows = 0
    for day in reversed([day for day in looked.days if not day.is_held_out]):
        count = int(day.clear.sum())
        if left_out or windows + count > WINDOWS_MAX:
            left_out += count
        else:
            windows += count
            taught.insert(0, day)
    return taught, left_out


def _beyond_chance(
    motifs: Sequence[Motif], looked: LookedDays, rows_seen: Sequence[Sequence[IntArray]], seed: int
) -> tuple[list[list[float]], FloatArray]:
    """Return for each motif by how much each day held out shows it more often than chance, and how often that does."""
    chance = np.random.default_rng(seed)
    by_day, expected = {day: np.zeros(len(motifs)) for day in looked.held_out}, np.zeros(len(motifs))
    for number, (day, of_day) in enumerate(zip(looked.days, rows_seen, strict=True), start=1):
        if day.is_held_out:
            by_chance = seen_by_chance(motifs, day.grid, looked.width, chance)
            expected += by_chance
            by_day[day.grid.day] += np.array([len(rows) for rows in of_day]) - by_chance
        tell("days by chance", number, len(looked.days))
    return [[float(excess[number]) for excess in by_day.values()] for number in range(len(motifs))], expected


def _places(motif: Motif, shapes: Shapes, taught: Sequence[LookedDay]) -> list[str]:
    """Return where the two nearest windows end, by symbol, day and candle."""
    places = []
    for row in sorted(motif.pair):
        grid = taught[int(shapes.grid[row])].grid
        places.append(f"{grid.symbol} {grid.day} candle {int(shapes.end[row]) + 1}")
    return places
