"""From a cell to a number: the float64 nearest to its decimal text."""

from __future__ import annotations

import re

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from timeseries.measurements import FloatArray
from trading.feeds.texts import are_plain_numbers, mask_of

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,4})?", re.ASCII)
_ENDLESS = {"nan", "inf", "infinity"}


class Numbers:
    """One float64 per cell: NaN where the cell is ``absent`` or ``unreadable``; ``endless``: NaN, infinity, or beyond a
    float64."""

    __slots__ = ("absent", "endless", "unreadable", "value")

    def __init__(self, size: int) -> None:
        self.value: FloatArray = np.full(size, np.nan)
        self.absent, self.unreadable, self.endless = (np.zeros(size, dtype=bool) for _ in range(3))


def read_numbers(texts: pa.Array) -> Numbers:
    """Return the numbers of an array of text: the plain ones at once, every other one by itself."""
    numbers = Numbers(len(texts))
    plain = are_plain_numbers(texts)
    if plain.all():
        numbers.value = pc.cast(texts, pa.float64()).to_numpy().copy()
        return numbers
    numbers.value[plain] = pc.cast(texts.filter(pa.array(plain)), pa.float64()).to_numpy()
    numbers.absent = mask_of(pc.equal(texts, ""))
    rest = np.flatnonzero(~(plain | numbers.absent))
    for index, text in zip(rest.tolist(), texts.take(pa.array(rest)).to_pylist(), strict=True):
        if text.lower().lstrip("+-") in _ENDLESS:
            numbers.endless[index] = True
        elif len(text) > 400 or not _NUMBER.fullmatch(text):
            numbers.unreadable[index] = True
        else:
            numbers.value[index] = float(text) + 0.0  # no negative zero
            numbers.endless[index] = np.isinf(numbers.value[index])
    return numbers
