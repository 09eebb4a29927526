"""Amounts and instants of a file as pieces of which few differ, to be put together (`row_texts`)."""

from __future__ import annotations

from functools import cache
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from trading.domain.display import plain
from trading.domain.exit_columns import local_micros
from trading.domain.exit_runs import Integers
from trading.domain.money import SCALE
from trading.domain.row_texts import (
    BARE,
    CellFrame,
    CellPiece,
    Words,
    either,
    looked_up,
    masked,
    number_texts,
    text_pieces,
    validity,
)
from trading.domain.unit_columns import Truths

_SECOND, _DAY = 10**6, 24 * 3600 * 10**6
_HUNDREDTHS = ("", *(f".{number:02}".rstrip("0") for number in range(1, 100)))


def decimal_pieces(column: pa.Decimal128Array, frame: CellFrame = BARE) -> list[CellPiece]:
    """Return decimals of 8 places as `display.plain` writes them, in their frame."""
    halves = np.frombuffer(column.buffers()[1], dtype=np.int64).reshape(-1, 2)
    units, upper = halves[column.offset : column.offset + len(column)].T
    is_there = validity(column)
    if is_there is not None:
        units, upper = np.where(is_there, units, 0), np.where(is_there, upper, 0)
    if not np.array_equal(upper, units >> 63) or int(units.min()) == -(2**63):  # 64 bits do not hold each
        texts = [None if amount is None else plain(amount) for amount in column.to_pylist()]
        return text_pieces(pa.array(texts, pa.string()), frame)
    magnitudes = np.abs(units)
    wholes = magnitudes // SCALE
    pieces = [_wholes(wholes, is_there), *_fractions(magnitudes - wholes * SCALE)]
    is_negative = units < 0
    return frame.around([either(is_negative, "-"), *pieces] if is_negative.any() else pieces, is_there)


def _wholes(numbers: Integers, is_there: Truths | None) -> CellPiece:
    """Return whole numbers as texts, nothing where there is none; those that lie close together are looked up."""
    lowest, highest = int(numbers.min()), int(numbers.max())
    if highest - lowest > len(numbers) // 2:
        texts = masked(numbers, is_there).cast(pa.string())
        return Words(np.arange(len(numbers), dtype=np.int32), texts.fill_null(""))
    return looked_up(numbers - lowest, pa.array(np.arange(lowest, highest + 1)).cast(pa.string()), is_there)


def _fractions(units: Integers) -> list[CellPiece]:
    """Return units below one as the decimals of a number, nothing of 0: two digits, or four and again four."""
    if not units.any():
        return []
    hundredths = units // 10**6
    if np.array_equal(hundredths * 10**6, units):
        return [Words(hundredths.astype(np.int32), _HUNDREDTHS)]
    first, second = _four_digits()
    upper = units // 10**4
    lower = units - upper * 10**4
    if not lower.any():
        return [Words(upper.astype(np.int32), first)]
    # Zeros at the end of the first four stay where others come behind them.
    return [Words((upper + 10**4 * (lower != 0)).astype(np.int32), first), Words(lower.astype(np.int32), second)]


@cache
def _four_digits() -> tuple[pa.StringArray, pa.StringArray]:
    """Return the first four decimals with their point, without zeros at the end and then with them, and the others."""
    digits = [f"{number:04}" for number in range(10**4)]
    others = [text.rstrip("0") for text in digits]
    return pa.array([*(text and f".{text}" for text in others), *(f".{text}" for text in digits)]), pa.array(others)


def time_pieces(
    times: pa.TimestampArray, untimed: pa.BooleanArray, zone: ZoneInfo | None, desk: ZoneInfo, frame: CellFrame = BARE
) -> list[CellPiece]:
    """Return instants as ISO texts in their frame: of the clock in the zone, or with None in UTC with `Z`; of those
    that are known to the day only the date at the desk."""
    is_there, is_day = validity(times), untimed.to_numpy(zero_copy_only=False)
    micros = times.cast(pa.int64()).fill_null(0).to_numpy()
    local = micros if zone is None else local_micros(micros, zone)
    days = local // _DAY
    in_day = local - days * _DAY
    seconds = in_day // _SECOND
    has_time = is_there
    if is_day.any():
        has_time = ~is_day if is_there is None else is_there & ~is_day
        days = days if zone == desk else np.where(is_day, local_micros(micros, desk) // _DAY, days)
    first = int(seconds.min())
    clocks = _clock_texts().slice(first, int(seconds.max()) - first + 1)
    ahead = masked(local - micros, has_time).dictionary_encode()
    offsets = ["Z" if zone is None else _offset_text(offset // _SECOND) for offset in ahead.dictionary.to_pylist()]
    pieces = [
        *text_pieces(number_texts(masked(days, is_there), pa.date32())),
        looked_up(seconds - first, clocks, has_time),
        *_second_parts(in_day - seconds * _SECOND, has_time),
        *text_pieces(pa.DictionaryArray.from_arrays(ahead.indices, pa.array(offsets, pa.string()))),
    ]
    return frame.around(pieces, is_there)


@cache
def _clock_texts() -> pa.StringArray:
    """Return the text of each second of a day: `T09:15:00`."""
    seconds = pa.array(np.arange(_DAY // _SECOND, dtype=np.int32)).cast(pa.time32("s")).cast(pa.string())
    return pc.binary_join_element_wise("T", seconds, "")


def _second_parts(micros: Integers, has_time: Truths | None) -> list[CellPiece]:
    """Return microseconds of a second as its decimals, nothing of 0."""
    has_parts = micros != 0 if has_time is None else has_time & (micros != 0)
    if not has_parts.any():
        return []
    digits = pc.utf8_slice_codeunits(masked(micros + _SECOND, has_parts).cast(pa.string()), 1)
    return [either(has_parts, "."), *text_pieces(digits)]


def _offset_text(seconds: int) -> str:
    """Return how far a clock is ahead of UTC, as ISO texts end: `+05:30`."""
    sign, magnitude = "-" if seconds < 0 else "+", abs(seconds)
    ending = f":{magnitude % 60:02}" if magnitude % 60 else ""
    return f"{sign}{magnitude // 3600:02}:{magnitude // 60 % 60:02}{ending}"
