"""From a cell to a number: the float64 nearest to its decimal text."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from trading.feeds.ticks import FloatArray, Mask

_PLAIN = r"^\d{1,18}(\.\d{1,18})?$"
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,4})?", re.ASCII)
_ENDLESS = {"nan", "inf", "infinity"}


class Numbers:
    """One float64 per cell: NaN where the cell is ``absent`` or ``unreadable``; ``endless``: NaN, infinity, or beyond a
    float64."""

    __slots__ = ("absent", "endless", "unreadable", "value")

    def __init__(self, size: int) -> None:
        self.value: FloatArray = np.full(size, np.nan)
        self.absent, self.unreadable, self.endless = (np.zeros(size, dtype=bool) for _ in range(3))


def read_numbers(texts: Any) -> Numbers:
    """Return the numbers of an Arrow array of text."""
    found = Numbers(len(texts))
    found.absent = _mask(pc.equal(texts, ""))
    plain = _mask(pc.match_substring_regex(texts, _PLAIN))
    found.value[plain] = pc.cast(texts.filter(pa.array(plain)), pa.float64()).to_numpy()
    rest = np.flatnonzero(~(plain | found.absent))
    for index, text in zip(rest.tolist(), texts.take(pa.array(rest)).to_pylist(), strict=True):
        _read_number(found, index, text)
    return found


def _read_number(found: Numbers, index: int, text: str) -> None:
    if text.lower().lstrip("+-") in _ENDLESS:
        found.endless[index] = True
    elif len(text) > 400 or not _NUMBER.fullmatch(text):
        found.unreadable[index] = True
    else:
        found.value[index] = float(text) + 0.0
        found.endless[index] = np.isinf(found.value[index])


def _mask(booleans: Any) -> Mask:
    return np.asarray(booleans.to_numpy(zero_copy_only=False), dtype=bool)
