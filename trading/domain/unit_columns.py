"""Columns of money as integers of 10^-8, computed and turned into decimals a whole column at a time, always exactly.

A column of numpy is of 64 bits where every amount in it is below `NARROW_MAX`, so that what is computed of two of them
fits, and of Python's integers (dtype object) where one is not: the same operators work on both.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from trading.domain.money import from_units

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
