"""Market files as one input, by time, in stretches of which each is understood, numbered and recorded by itself.

The files are read once, before anything is written, and what is in them is kept on disk as columns. Bars, whose stamps
tell what they mean only all together, and whatever is small, are one stretch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np

from timeseries.measurements import Mask
from timeseries.recording.tick import MayBeNegative, never_negative
from trading.feeds import stamps, volume
from trading.feeds.csv_file import read_csv
from trading.feeds.merge import Spans, by_time, joined_spans, merged, ranks, spans
from trading.feeds.names import FileSymbols
from trading.feeds.rejects import Rejects
from trading.feeds.spill import SpilledTicks
from trading.feeds.stamps import CalendarOf, StampReading, with_ends
from trading.feeds.stretches import Outline, cuts
from trading.feeds.ticks import FeedFile, Ticks
from trading.feeds.volume import VolumeEvidence, VolumeMeaning, VolumeReading, with_volumes

LINES_MAX = 50_000  # of a stretch, where the files can be cut


@dataclass(frozen=True, slots=True)
class Reading:
    """The reading of files: which symbol a file has, what its volumes and its bars' stamps mean.

    ``calendar_of`` gives a symbol's sessions, ``may_be_negative`` tells whether its prices may be 0 and below. Ticks in
    hand are kept in ``folder``, by default that of temporary files.
    """

    names: FileSymbols
    zone: ZoneInfo
    calendar_of: CalendarOf
    volume: str = volume.AUTO
    stamp: str = stamps.AUTO
    may_be_negative: MayBeNegative = never_negative
    folder: Path | None = None


@dataclass(frozen=True, slots=True)
class Feed:
    """The ticks of all files, by time, with what was rejected and how they were read.

    ``stretches`` yields them, each stretch later than the one before, and all with one table of symbols. ``sizes`` are
    the numbers of ticks of each stretch, ``spans`` those of the symbols that have ticks.
    """

    stretches: Callable[[], Iterator[Ticks]]
    spans: Spans
    sizes: Sequence[int]
    rows_read: int = 0
    rejects: Rejects = field(default_factory=Rejects)
    notes: tuple[str, ...] = ()
    volumes: tuple[VolumeReading, ...] = ()
    stamps: tuple[StampReading, ...] = ()

    @property
    def size(self) -> int:
        """Return the number of ticks."""
        return sum(self.sizes)

    @property
    def first(self) -> int:
        """Return the first instant (ns UTC) of a tick; there is one."""
        return min(first for first, _ in self.spans.values())

    @property
    def last(self) -> int:
        """Return the last instant (ns UTC) of a tick; there is one."""
        return max(last for _, last in self.spans.values())


@dataclass(slots=True)
class FileInHand:
    """A file that was read, its ticks on disk."""

    path: Path
    ticks: SpilledTicks
    outline: Outline = field(default_factory=Outline)
    spans: Spans = field(default_factory=dict)
    dates: list[Mask] = field(default_factory=list)
    rows_read: int = 0
    notes: tuple[str, ...] = ()
    has_bars: bool = False

    def add(self, block: FeedFile) -> None:
        """Take the file's next block."""
        self.ticks.add(block.ticks)
        self.outline.add(block.ticks)
        self.spans = joined_spans([self.spans, spans(block.ticks)])
        is_bar = not np.isnan(block.ticks.open).all()
        self.has_bars |= is_bar
        if is_bar:
            self.dates.append(block.is_date)
        self.rows_read += block.rows_read
        self.notes += block.notes

    def whole(self) -> FeedFile:
        """Return all of it in memory."""
        is_date = np.concatenate(self.dates) if self.has_bars else np.zeros(len(self.ticks), dtype=bool)
        return FeedFile(self.path, self.rows_read, self.ticks.read(0, len(self.ticks)), (), is_date, self.notes)


def read_feed(paths: Sequence[Path], reading: Reading, *, now_ns: int) -> Feed:
    """Read all files into one feed, before anything is written.

    Raises: UnusableFile; InvalidValue, when two of them hold the same symbol over the same time, and where nothing
        tells what a file's volumes or stamps mean.
    """
    rejects, files = Rejects(), []
    for path in paths:
        file = FileInHand(path, SpilledTicks(reading.folder))
        for block in read_csv(
            path, zone=reading.zone, now_ns=now_ns, names=reading.names, may_be_negative=reading.may_be_negative
        ):
            file.add(block)
            rejects.add(block.rejects)
        files.append(file)
    is_one = any(file.has_bars for file in files) or sum(len(file.ticks) for file in files) <= LINES_MAX
    feed = _whole(files, reading) if is_one else _in_stretches(files, reading)
    unused = [f"--symbol {stem}=…: no file is called so" for stem in reading.names.unused(paths)]
    assumed = [
        f"{volumes.symbol}: volume is read as each tick's own ({volumes.evidence}); --volume cumulative says otherwise"
        for volumes in feed.volumes
        if volumes.is_assumed
    ]
    return replace(
        feed,
        rows_read=sum(file.rows_read for file in files),
        rejects=rejects,
        notes=(*unused, *(note for file in files for note in file.notes), *dict.fromkeys(assumed)),
    )


def feed_of_ticks(ticks: Ticks) -> Feed:
    """Return ticks in memory, which are in the order in which they are due, as a feed of one stretch."""
    return Feed(lambda: iter([ticks]), spans(ticks), [len(ticks)], len(ticks))


def _whole(files: Sequence[FileInHand], reading: Reading) -> Feed:
    """Return the files as one stretch. Raises: InvalidValue."""
    read, stamped, counted = [], list[StampReading](), list[VolumeReading]()
    for file in (in_hand.whole() for in_hand in files):
        name = file.path.name
        ticks, of_stamps = with_ends(
            file.ticks,
            file.is_date,
            mode=reading.stamp,
            zone=reading.zone,
            calendar_of=reading.calendar_of,
            name=name,
        )
        ticks, of_volumes = with_volumes(ticks, mode=reading.volume, zone=reading.zone, name=name)
        read.append(replace(file, ticks=ticks))
        stamped += of_stamps
        counted += of_volumes
    return replace(feed_of_ticks(merged(read)), volumes=tuple(counted), stamps=tuple(stamped))


def _in_stretches(files: Sequence[FileInHand], reading: Reading) -> Feed:
    """Return files of last prices as stretches of some `LINES_MAX` lines. Raises: InvalidValue."""
    minutes = cuts([file.outline for file in files], lines_max=LINES_MAX)
    bounds = [list(pairwise([0, *file.outline.before(minutes), len(file.ticks)])) for file in files]
    meanings = [_meaning(file, of_file, reading) for file, of_file in zip(files, bounds, strict=True)]
    ranked = ranks([(file.path, file.spans) for file in files])
    kept = [file.ticks for file in files]  # and nothing else of the files: of years their minutes are many

    def stretches() -> Iterator[Ticks]:
        for place in range(len(minutes) + 1):
            yield by_time([meanings[n].applied(kept[n].read(*bounds[n][place]), reading.zone) for n in ranked])

    return Feed(
        stretches,
        joined_spans(file.spans for file in files),
        [sum(stop - start for start, stop in of_files) for of_files in zip(*bounds, strict=True)],
        volumes=tuple(volumes for meaning in meanings for volumes in meaning.readings),
    )


def _meaning(file: FileInHand, bounds: Sequence[tuple[int, int]], reading: Reading) -> VolumeMeaning:
    """Return what the volumes of a file mean, by the evidence of all its stretches. Raises: InvalidValue."""
    evidence = VolumeEvidence(mode=reading.volume, zone=reading.zone, name=file.path.name)
    for start, stop in bounds:
        evidence.add(file.ticks.read(start, stop))
    return evidence.meaning()
