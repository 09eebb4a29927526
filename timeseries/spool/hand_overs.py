"""Hand-overs: a stream that one source recorded up to a place, and that another source records from there on.

Each source is handed over at most once, and takes over at most once: a file in its folder says so. Sources that follow
each other form a line. Together they have each point once, so a day that several of one line recorded is read from all
of them; this is the one exception to a day of one source.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import orjson

from timeseries.errors import InvalidValue, SpoolFailed
from timeseries.spool import durable
from timeseries.spool.folder import Spool
from timeseries.spool.marks import RejectedRow

GIVEN, TAKEN = "given", "taken"  # files in a source's folder
VERSION = 1


@dataclass(frozen=True)
class HandOver:
    """A stream's hand-over from ``source`` to ``taker`` at an instant (ns UTC), who goes on at ``offset``.

    The first ``passed`` rows from there on are recorded already, or ``rejected``.
    """

    stream: str
    offset: int
    passed: int
    rejected: tuple[RejectedRow, ...]
    at_ns: int
    source: str
    taker: str

    def place(self) -> tuple[str, int, str]:
        """Return topic and number of a partition's stream, and the name of which the taker's begins.

        Raises: InvalidValue.
        """
        topic, _, partition = self.stream.partition("/")
        number = partition.partition("@")[0]
        taker, dot, suffix = self.taker.rpartition(".")
        if not number.isascii() or not number.isdigit() or (dot, suffix) != (".", number):
            raise InvalidValue(f"{self.stream} is no partition of a topic.")
        return topic, int(number), taker

    def pack(self) -> bytes:
        """Return it as the text of a file."""
        return orjson.dumps({"version": VERSION, **asdict(self)}, option=orjson.OPT_APPEND_NEWLINE)

    @classmethod
    def unpack(cls, text: bytes) -> HandOver:
        """Return what `pack` made a text of. Raises: InvalidValue."""
        try:
            body = orjson.loads(text)
            if body.pop("version") != VERSION:
                raise ValueError
            body["rejected"] = tuple((int(place), str(code), field) for place, code, field in body["rejected"])
            hand_over = cls(**body)
            numbers = (hand_over.offset, hand_over.passed, hand_over.at_ns)
            names = (hand_over.stream, hand_over.source, hand_over.taker)
            if not all(type(number) is int and number >= 0 for number in numbers) or not all(
                type(name) is str and name for name in names
            ):
                raise ValueError
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise InvalidValue("This is no hand-over.", hint="Give the file that --hand-over wrote.") from error
        return hand_over


def note(folder: Path, name: str, hand_over: HandOver) -> None:
    """Note in the folder of a source that it was `GIVEN` or has `TAKEN`, durable on return. Raises SpoolFailed."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        durable.replace_file(folder / name, hand_over.pack())
        durable.sync_file(folder.parent)
    except OSError as error:
        raise SpoolFailed(f"The disk refused a hand-over: {error}.", hint="Look at the disk.") from error


def noted(folder: Path, name: str) -> HandOver | None:
    """Return what was noted, None where nothing was. Raises SpoolFailed."""
    try:
        return HandOver.unpack((folder / name).read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, InvalidValue) as error:
        raise SpoolFailed(f"{folder / name} cannot be read: {error}", hint="Bring it back from a backup.") from error


def take_over(spool: Spool, hand_over: HandOver) -> None:
    """Note that its taker goes on in this data folder; the same one again changes nothing.

    Raises: InvalidValue where the taker has points of its own, SpoolFailed.
    """
    folder = spool.folder(hand_over.taker)
    taken = noted(folder, TAKEN)
    if taken == hand_over:
        return
    if taken is not None or any(lane.issued() for lane in spool.lanes() if lane.source == hand_over.taker):
        raise InvalidValue(
            f"The source {hand_over.taker} has points of its own.",
            hint="Hand over to a source that nobody used: --hand-over FILE --to SOURCE.",
        )
    note(folder, TAKEN, hand_over)


@dataclass(frozen=True)
class SourceLines:
    """The lines of sources: of each source that is in one, the whole line in order."""

    lines: Mapping[str, tuple[str, ...]]

    @classmethod
    def of_spool(cls, spool: Spool) -> SourceLines:
        """Return the lines that this data folder's sources are in. Raises SpoolFailed."""
        following = {}
        for source in spool.sources():
            for name in (GIVEN, TAKEN):
                hand_over = noted(spool.folder(source), name)
                if hand_over is not None:
                    following[hand_over.source] = hand_over.taker
        lines: dict[str, tuple[str, ...]] = {}
        for first in following.keys() - following.values():
            line = [first]
            while line[-1] in following and following[line[-1]] not in line:
                line.append(following[line[-1]])
            lines |= dict.fromkeys(line, tuple(line))
        return cls(lines)

    def of(self, source: str) -> tuple[str, ...]:
        """Return the line of a source: itself alone where it is in none."""
        return self.lines.get(source, (source,))
