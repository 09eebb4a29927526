"""Arrow's arrays of text as numpy sees them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from timeseries.measurements import IntArray, Mask

BLANKS = " \t"
_ZERO, _DOT = b"0."
_PLAIN_MAX = 37  # characters of a number that Arrow reads: 18 digits, a dot and 18 more


def bytes_of(texts: pa.Array) -> tuple[IntArray, npt.NDArray[np.uint8]]:
    """Return the bytes of all texts, and before them where each begins, with the end of the last."""
    if not len(texts):
        return np.zeros(1, np.int64), np.empty(0, np.uint8)
    _, offsets, content = texts.buffers()
    begins = np.frombuffer(offsets, np.int32, count=len(texts) + 1, offset=4 * texts.offset).astype(np.int64)
    octets = np.frombuffer(content or b"", np.uint8)[begins[0] : begins[-1]]
    return begins - begins[0], octets


def mask_of(booleans: pa.Array) -> Mask:
    """Return an Arrow array of booleans as a mask."""
    return np.asarray(booleans.to_numpy(zero_copy_only=False), dtype=bool)


def trimmed(cells: pa.Array) -> pa.Array:
    """Return cells without the blanks around them: themselves, where none begins or ends with one."""
    begins, octets = bytes_of(cells)
    if not len(octets):
        return cells
    ends = (octets.take(places, mode="clip") for places in (begins[:-1], begins[1:] - 1))
    return pc.utf8_trim(cells, BLANKS) if any(np.isin(end, list(BLANKS.encode())).any() for end in ends) else cells


def are_plain_numbers(texts: pa.Array) -> Mask:
    """Tell which cells are digits, or digits, a dot and digits: by one look at the bytes of all of them."""
    begins, octets = bytes_of(texts)
    first, stop = begins[:-1], begins[1:]
    size = stop - first
    plain = (size > 0) & (size <= _PLAIN_MAX)
    others = np.flatnonzero(octets - np.uint8(_ZERO) > 9)  # all that are no digit
    is_one_each = len(others) == len(texts) and (first <= others).all() and (others < stop).all()
    cell = np.arange(len(texts)) if is_one_each else np.searchsorted(stop, others, side="right")
    is_end = (others == first[cell]) | (others == stop[cell] - 1)
    plain[cell[is_end | (octets[others] != _DOT)]] = False
    plain[cell[1:][cell[1:] == cell[:-1]]] = False
    return np.asarray(plain)
