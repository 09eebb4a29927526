"""The checksums of many frames at once against zlib's, frame by frame."""

from __future__ import annotations

from zlib import crc32

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from timeseries.spool.checksums import FRAMES_MIN, WORDS_MAX, crcs_of


@given(st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1))
def test_frames_have_the_checksums_that_zlib_gives_each(seed: int, content: int) -> None:
    frames = np.random.default_rng(content).integers(0, 2**32, (FRAMES_MIN, 15), dtype=np.uint32)
    assert crcs_of(frames, seed).tolist() == [crc32(frame.tobytes(), seed) for frame in frames]


@pytest.mark.parametrize("count", [0, 1, FRAMES_MIN - 1, FRAMES_MIN, FRAMES_MIN + 1])
@pytest.mark.parametrize("words", [7, WORDS_MAX, WORDS_MAX + 1])
def test_few_and_long_frames_have_them_as_well_wherever_they_lie(count: int, words: int) -> None:
    with_others = np.random.default_rng(7).integers(0, 2**32, (count, words + 1), dtype=np.uint32)
    frames = with_others[:, :-1]
    assert crcs_of(frames, 5).tolist() == [crc32(frame.tobytes(), 5) for frame in frames]


def test_one_bit_of_a_frame_changes_its_checksum() -> None:
    frames = np.zeros((480, 15), dtype=np.uint32)
    frames[np.arange(480), np.arange(480) // 32] = np.uint32(1) << (np.arange(480) % 32).astype(np.uint32)
    assert len({crc32(bytes(60)), *crcs_of(frames, 0).tolist()}) == 481
