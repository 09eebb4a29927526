"""The CRC-32 of many frames of one length at once, as zlib counts it for one.

Slicing by four (Kounavis and Berry, 2005): each step takes the next four bytes of every frame, with a table for each
half of what the sum has come to.
"""

from __future__ import annotations

from itertools import repeat
from zlib import crc32

import numpy as np
import numpy.typing as npt

FRAMES_MIN, WORDS_MAX = 256, 32  # with fewer frames, or longer ones, zlib is as fast frame by frame
ALL_ONES = np.uint32(0xFFFFFFFF)

_of_byte = [crc32(bytes([byte])) ^ crc32(b"\0") for byte in range(256)]
_shifted = [np.array(_of_byte, dtype=np.uint32)]  # by as many zero bytes behind it
for _ in range(3):
    _shifted.append((_shifted[-1] >> 8) ^ _shifted[0][_shifted[-1] & 0xFF])
# What the next four bytes make of a sum of which the low half is the index, and of one of which the high half is.
LOW, HIGH = (np.bitwise_xor.outer(_shifted[place], _shifted[place + 1]).ravel() for place in (2, 0))


def crcs_of(frames: npt.NDArray[np.uint32], seed: int) -> npt.NDArray[np.uint32]:
    """Return the CRC of each row of little-endian words, begun from a seed."""
    count, words = frames.shape
    if count < FRAMES_MIN or words > WORDS_MAX:
        rows = np.ascontiguousarray(frames).view(f"V{4 * words}").ravel().tolist()
        return np.fromiter(map(crc32, rows, repeat(seed)), dtype=np.uint32, count=count)
    sums = np.full(count, seed, dtype="<u4") ^ ALL_ONES
    halves = sums.view("<u2").reshape(count, 2)
    for place in range(words):
        sums ^= frames[:, place]
        sums[:] = LOW.take(halves[:, 0]) ^ HIGH.take(halves[:, 1])
    return sums ^ ALL_ONES
