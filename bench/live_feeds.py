"""Frames of a feed decoded and recorded, against the parser of the broker's own SDK alone; a whole market's second."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from zoneinfo import ZoneInfo

from kiteconnect import KiteTicker

from bench.harness import Figures, Pair, Row
from tests.trading.live import encoders as pack
from timeseries.recording.recorder import Recorder
from timeseries.recording.writer import SEGMENT_BYTES_MAX
from trading.feeds.live import kite
from trading.feeds.live.decoded import FeedInstrument
from trading.feeds.live.recording import FeedRecorder

ZONE = ZoneInfo("Asia/Kolkata")
INSTRUMENTS = 3000
PACKETS = 200  # in one message
ROUNDS, CALLS = 15, 20  # each call has a second of its own, as a feed has
NOW = int(time.time()) - 3600
LISTING = {number << 8 | 1: FeedInstrument.of(f"SHARE {number}", None) for number in range(1, INSTRUMENTS + 1)}


class Desk:
    """What a feed's recorder asks of a facade: a source, and a recorder of ticks."""

    def __init__(self, folder: Path) -> None:
        self.source = "bench"
        # Segments as large as they are after the feed's first minutes.
        place = {"source": self.source, "account": "main", "zone": ZONE, "segment_bytes": SEGMENT_BYTES_MAX}
        self.recorder = Recorder(folder / "spool", **place)
        self.process_tick, self.telemetry = self.recorder.tick, self


def messages(second: int, *, packets: int) -> list[bytes]:
    """Return a full packet of every instrument, so many in a message."""
    bodies = [
        pack.kite_full(
            *(token, 157370 + (token >> 8) % 700, 7, 1000 + second, NOW + second),
            oi=12,
            bid=(5, 157340),
            ask=(9, 157375),
        )
        for token in LISTING
    ]
    return [pack.kite_message(*bodies[start : start + packets]) for start in range(0, len(bodies), packets)]


@contextmanager
def full_frames() -> Iterator[Pair]:
    """Give both sides the same messages of full packets; ours decodes and records them, theirs only parses."""
    ticker = KiteTicker("key", "token")
    with tempfile.TemporaryDirectory(prefix="velox-bench-") as name:
        desk = Desk(Path(name))
        recorder = FeedRecorder(desk, "kite")  # type: ignore[arg-type]
        seconds = [messages(second, packets=PACKETS) for second in range(CALLS)]
        ours_next, theirs_next = iter(seconds), iter(seconds)

        def ours() -> int:
            before = recorder.recorded
            for message in next(ours_next):
                recorder.take(kite.decode(message, LISTING), time.time_ns())
            return recorder.recorded - before

        def theirs() -> int:
            return sum(len(ticker._parse_binary(message)) for message in next(theirs_next))

        assert ours() == theirs() == INSTRUMENTS
        try:
            yield Pair(ours, theirs, clock=time.process_time)
        finally:
            desk.recorder.close()


@contextmanager
def market_second() -> Iterator[Figures]:
    """Record a full packet of 3,000 instruments, each in a message of its own, as one second of the market."""
    with tempfile.TemporaryDirectory(prefix="velox-bench-") as name:
        desk = Desk(Path(name))
        recorder = FeedRecorder(desk, "kite")  # type: ignore[arg-type]
        second = 0

        def measure() -> dict[str, float]:
            nonlocal second
            second += 1
            frames = messages(second, packets=1)
            started = time.process_time()
            for message in frames:
                recorder.take(kite.decode(message, LISTING), time.time_ns())
            assert recorder.recorded == second * INSTRUMENTS
            return {"share of a core": time.process_time() - started}

        try:
            yield Figures(measure, {"share of a core": 0.25}, "CPU seconds per second")
        finally:
            desk.recorder.close()


ROWS = [
    Row(
        "kite-frames",
        "full packets of Kite decoded and recorded, against the parser of pykiteconnect alone",
        full_frames,
        mark=4,
        stretch=6,
        unit="packets per CPU second",
        rounds=ROUNDS,
    ),
    Row("kite-market", "a full packet of 3,000 instruments, decoded and recorded each second", market_second),
]
