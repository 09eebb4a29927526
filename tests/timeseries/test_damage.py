"""Damage of any kind to a segment: at most the record touched is lost, and what is read is what was written.

`VELOX_DAMAGES` says how many random damages a full segment takes (`make chaos`: 2,000); with it set, a segment of a
hundred records takes every cut and every bit flip, without it a share of them.
"""

from __future__ import annotations

import os
import random
from pathlib import Path

import numpy as np
import pytest

from tests.timeseries.spools import OPEN_NS, lane, recorder
from timeseries.measurements import TICKS
from timeseries.spool.frames import HEADER_SIZE
from timeseries.spool.lane import Lane

DAMAGES = int(os.environ.get("VELOX_DAMAGES", "0"))
MAGIC, TICK = b"\xf7\xa5", 2


class Segment:
    """A sealed segment of ``count`` ticks, whose last price is their sequence; it can be damaged again and again."""

    def __init__(self, root: Path, count: int) -> None:
        desk = recorder(root, segment_bytes=1 << 23)
        times = np.arange(OPEN_NS, OPEN_NS + count)
        assert desk.ticks({"ltp": np.arange(1.0, count + 1), "timestamp": times}, symbol="TCS").accepted == count
        desk.close()
        self.folder, self.count = lane(root).folder, count
        (self.path,) = lane(root).segments()
        self.good = self.path.read_bytes()
        self.starts, self.ends = self._frames()
        assert len(self.ends) == count

    def _frames(self) -> tuple[list[int], list[int]]:
        """Walk the frames of the undamaged bytes, independently of the reader."""
        starts, ends, place = [], [], HEADER_SIZE
        while self.good[place : place + 2] == MAGIC and len(ends) < self.count:
            length = int.from_bytes(self.good[place + 4 : place + 8], "little")
            if self.good[place + 2] == TICK:
                starts.append(place)
                ends.append(place + length)
            place += length
        return starts, ends

    def record_at(self, place: int) -> int | None:
        """Return the sequence of the record that holds the byte."""
        row = int(np.searchsorted(self.ends, place, side="right"))
        return row + 1 if row < self.count and self.starts[row] <= place else None

    def check(self, data: bytes, touched: set[int]) -> None:
        self.path.write_bytes(data)
        part = Lane(self.folder, "desk", TICKS).pending(after=0, limit=self.count + 10)
        numbers = part.batch.sequences
        assert (part.batch.columns["close"] == numbers).all(), "a record was altered"
        assert (part.batch.time == OPEN_NS + numbers - 1).all(), "a time was altered"
        assert len(np.unique(numbers)) == len(numbers), "a record came twice"
        assert set(range(1, self.count + 1)) - set(numbers.tolist()) <= touched, "more than what was touched is lost"

    def flip(self, place: int, bit: int) -> None:
        data = bytearray(self.good)
        data[place] ^= 1 << bit
        record = self.record_at(place)
        self.check(bytes(data), set() if record is None else {record})

    def cut(self, length: int) -> None:
        whole = sum(end <= length for end in self.ends)
        self.check(self.good[:length], set(range(whole + 1, self.count + 1)))


@pytest.mark.chaos
def test_a_full_segment_stands_random_damage(tmp_path: Path) -> None:
    segment, chance = Segment(tmp_path, 30_000), random.Random(20)
    for number in range(DAMAGES or 40):
        place = chance.randrange(len(segment.good))
        if number % 4:
            segment.flip(place, chance.randrange(8))
        else:
            segment.cut(place)


@pytest.mark.chaos
def test_a_hundred_records_stand_every_cut_and_every_flip(tmp_path: Path) -> None:
    segment = Segment(tmp_path, 100)
    step = 1 if DAMAGES else 61
    for place in range(0, len(segment.good), step):
        segment.cut(place)
        for bit in range(8):
            segment.flip(place, bit)
