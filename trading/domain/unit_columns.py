"""Columns of money as integers of 10^-8, computed and turned into decimals a whole column at a time, always exactly.

A column of numpy is of 64 bits where every amount in it is below `NARROW_MAX`, so that what is computed of two of them
fits, and of Python's integers (dtype object) where one is not: the same operators work on both.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from trading.domain.money import SCALE, from_units

PLACES = len(str(SCALE)) - 1
NARROW_MAX = 2**54  # 180 million: a hundred times the sum of two is within 64 bits
Units = NDArray[np.int64] | NDArray[np.object_]
Truths = NDArray[np.bool_]


def unit_columns(columns: Sequence[Sequence[int | None] | pa.Int64Array]) -> tuple[list[Units], list[Truths]]:
    """Return columns of units, 0 where there is none, and of each where there is one."""
    arrays = [pa.array(column, pa.int64()) for column in columns]
    units: list[Units] = [array.fill_null(0).to_numpy() for array in arrays]
    if any(len(column) and max(int(column.max()), -int(column.min())) >= NARROW_MAX for column in units):
        units = [column.astype(object) for column in units]
    return units, [array.is_valid().to_numpy(zero_copy_only=False) for array in arrays]


def divided_half_even(numerators: Units, denominators: Units) -> Units:
    """Return quotients rounded half-even, exactly; every denominator is above 0."""
    quotients = numerators // denominators
    rests = numerators - quotients * denominators
    beyond = denominators - rests  # twice a rest might not fit
    up = (rests > beyond) | ((rests == beyond) & (quotients % 2 == 1))
    rounded: Units = quotients + up.astype(quotients.dtype)
    return rounded


def decimal_column(units: Units, is_known: Truths, kind: pa.Decimal128Type) -> pa.Decimal128Array:
    """Return units as decimals of 8 places, null where they are not known."""
    if not is_known.any():
        return pa.nulls(len(units), kind)
    if units.dtype == object:
        amounts = zip(units.tolist(), is_known.tolist(), strict=True)
        return pa.array([from_units(amount) if is_one else None for amount, is_one in amounts], kind)
    # A decimal of 128 bits is the integer itself: its lower half, and the sign in the upper one.
    halves = np.empty((len(units), 2), dtype=np.int64)
    halves[:, 0], halves[:, 1] = units, units >> 63
    bits = None if is_known.all() else pa.py_buffer(np.packbits(is_known, bitorder="little"))
    return pa.Array.from_buffers(kind, len(units), [bits, pa.py_buffer(halves)])


def unit_texts(units: NDArray[np.int64], is_known: Truths | None = None) -> pa.StringArray:
    """Return units as plain decimals (`display.plain`), null where they are not known; none is the least of 64 bits.

    A table of characters is written column after column, and of each row those are kept that are no zeros at its ends.
    """
    magnitudes, places = np.abs(units), PLACES
    while places and not (magnitudes % 10).any():
        magnitudes, places = magnitudes // 10, places - 1
    digits = max(len(str(int(magnitudes.max(initial=0)))), places + 1)
    points = 1 if places else 0
    characters = np.empty((len(units), 1 + digits + points), dtype=np.uint8)
    is_kept = np.empty(characters.shape, dtype=bool)
    characters[:, 0], is_kept[:, 0] = ord("-"), units < 0
    rests, is_left = magnitudes, np.zeros(len(units), dtype=bool)  # whether a digit behind is kept
    for place in range(digits):
        column = digits + (points if place < places else 0) - place
        tenths = rests // 10
        digit = rests - 10 * tenths
        characters[:, column] = digit + ord("0")
        if place < places:
            is_left = is_left | (digit != 0)
            is_kept[:, column] = is_left
        else:
            is_kept[:, column] = True if place == places else rests != 0
        rests = tenths
    if points:
        point = 1 + digits - places
        characters[:, point], is_kept[:, point] = ord("."), is_left
    if is_known is not None:
        is_kept &= is_known[:, None]
    offsets = np.concatenate(([0], np.cumsum(is_kept.sum(axis=1)))).astype(np.int32)
    bits = None if is_known is None else pa.py_buffer(np.packbits(is_known, bitorder="little"))
    return pa.Array.from_buffers(
        pa.string(), len(units), [bits, pa.py_buffer(offsets), pa.py_buffer(characters[is_kept])]
    )
