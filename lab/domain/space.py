"""The parameters that a search may vary, and the sets that it tries."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import product
from math import prod

import numpy as np

from trading.errors import InvalidValue
from trading.strategies.parameters import ParameterSpan

ParameterSet = tuple[tuple[str, int | float], ...]  # in the order of the names


def vary(spans: Mapping[str, ParameterSpan], words: Sequence[str]) -> dict[str, ParameterSpan]:
    """Return what varies: each of the words names a parameter, or narrows it as NAME=LOW:HIGH[:STEP]; without words all
    of the strategy's.

    Raises: InvalidValue for an unknown name, and for what is not within its span.
    """
    varied: dict[str, ParameterSpan] = {}
    for word in words or list(spans):
        name, _, text = word.partition("=")
        if name not in spans or name in varied:
            raise InvalidValue(f"--vary {word!r}.", field="vary", hint=f"Name each of {', '.join(spans)} once.")
        varied[name] = _narrowed(word, spans[name], text) if text else spans[name]
    if not varied:
        raise InvalidValue("The strategy names no parameters.", field="vary", hint="Give its class `spans`.")
    return dict(sorted(varied.items()))


def _narrowed(word: str, span: ParameterSpan, text: str) -> ParameterSpan:
    try:
        numbers = [int(number) if span.is_whole else float(number) for number in text.split(":")]
        low, high, step = (*numbers, span.step)[:3] if len(numbers) in (2, 3) else (1, 0, 0)
    except ValueError:
        low, high, step = 1, 0, 0
    if not (span.low <= low <= high <= span.high and step > 0):
        kind = "whole numbers" if span.is_whole else "numbers"
        hint = f"Give NAME=LOW:HIGH or NAME=LOW:HIGH:STEP, {kind} from {span.low} to {span.high}."
        raise InvalidValue(f"--vary {word!r}.", field="vary", hint=hint)
    return ParameterSpan(low, high, step)


def size_of(spans: Mapping[str, ParameterSpan]) -> int:
    """Return how many sets there are in all."""
    return prod(len(span.grid()) for span in spans.values())


def grid(spans: Mapping[str, ParameterSpan], trials: int) -> list[ParameterSet]:
    """Return every set, in order. Raises: InvalidValue where they are more than may be tried."""
    if (size := size_of(spans)) > trials:
        raise InvalidValue(
            f"The grid has {size} sets, more than --trials {trials}.",
            field="trials",
            hint="Narrow it (--vary NAME=LOW:HIGH:STEP), allow more trials, or search at random.",
        )
    return [tuple(zip(spans, numbers, strict=True)) for numbers in product(*(span.grid() for span in spans.values()))]


def drawn(spans: Mapping[str, ParameterSpan], trials: int, seed: int) -> list[ParameterSet]:
    """Return so many different sets of the grid drawn at random, all of them where there are no more."""
    if size_of(spans) <= trials:
        return grid(spans, trials)
    chance, grids = np.random.default_rng(seed), {name: span.grid() for name, span in spans.items()}
    sets: dict[ParameterSet, None] = {}
    while len(sets) < trials:
        sets[tuple((name, numbers[int(chance.integers(len(numbers)))]) for name, numbers in grids.items())] = None
    return list(sets)


def neighbours(sets: Sequence[ParameterSet], spans: Mapping[str, ParameterSpan]) -> list[list[int]]:
    """Return for each set the places of those nearest to it, two for each parameter, by how many steps of the spans
    they are apart; of equally near ones the first."""
    steps = np.array([float(span.step) for span in spans.values()])
    points = np.array([[float(number) for _, number in numbers] for numbers in sets]) / steps
    nearest = []
    for place, point in enumerate(points):
        distance = np.round(np.abs(points - point).sum(axis=1), 6)
        distance[place] = np.inf
        order = np.argsort(distance, kind="stable")[: min(2 * len(spans), len(sets) - 1)]
        nearest.append(order.tolist())
    return nearest
