"""A second sending: of kept segments to a store that was emptied, and of dead letters whose reason is gone."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol, runtime_checkable

from timeseries.errors import WrongLanguage
from timeseries.shipping import clearing, healing, minute_keeper
from timeseries.shipping.healing import Mending
from timeseries.shipping.kept import settled_points
from timeseries.spool import dead_letters
from timeseries.spool.dead_letters import DeadLetter
from timeseries.spool.folder import Spool
from timeseries.spool.lane import Lane, Outcome
from timeseries.spool.lease import Lease
from timeseries.stores.base import Store


@dataclass(frozen=True, slots=True)
class Resent:
    """The outcome of sending points again.

    ``points`` were sent, of which the store ``refused`` some or has no retention for them; ``mendings`` tells what
    became of the store's damaged files.
    """

    points: int = 0
    refused: int = 0
    mendings: tuple[Mending, ...] = ()


@dataclass(frozen=True, slots=True)
class Retried:
    """The outcome of a retry: dead letters that are stored now, of accounts cleared since, and refused again."""

    stored: int = 0
    cleared: int = 0
    refused: int = 0


@runtime_checkable
class _TakesLines(Protocol):
    def offer(self, lines: Sequence[bytes]) -> Sequence[object | None]: ...


def resend(spool: Spool, store: Store, since: int, *, owner: str) -> Resent:
    """Send again every settled point recorded since ``since`` (received_time, ns UTC) whose segment is kept.

    What the store has already stays as it is, so a repeat changes nothing; what was counted stays counted. Files that
    are damaged are healed first.

    Raises:
        LeaseHeld: a lane is being shipped now; try again.
        StoreUnavailable: some were not sent; repeat it.
    """
    mendings = heal_all(spool, store, owner=owner)
    points = refused = 0
    with clearing.shipping_allowed(spool.root):
        for lane in spool.lanes():
            with lane.lease(owner=owner):
                first = lane.outcome().through + 1
                for settled in settled_points(lane, store.slice_rows):
                    batch = settled.take(settled.received_time >= since)
                    if len(batch):
                        first = min(first, int(batch.sequences[0]))
                        points, refused = points + len(batch), refused + len(store.write(batch))
                minute_keeper.rewind(lane, first - 1)
    return Resent(points, refused, mendings)


def heal_all(spool: Spool, store: Store, *, owner: str, give_up: bool = False) -> tuple[Mending, ...]:
    """Read every file of the store and heal those that are damaged. Raises: as `healing.heal`."""
    clearing.resume(spool, store)
    return healing.heal(spool, store, store.damages(seconds=math.inf), owner=owner, give_up=give_up)


def retry(spool: Spool, store: Store, *, owner: str) -> Retried:
    """Offer every dead letter once more, byte for byte; what is stored now is counted so and leaves the file.

    Raises:
        WrongLanguage: the store that is on does not take lines.
        StoreUnavailable: the rest stays dead; repeat it.
    """
    if not isinstance(store, _TakesLines):
        raise WrongLanguage("Dead letters are InfluxDB's.", hint="Set the four INFLUXDB_V2_* variables.")
    clearing.resume(spool, store)
    total = Counter[str]()
    with clearing.shipping_allowed(spool.root):
        for lane in spool.lanes():
            if (lane.folder / dead_letters.FILE).exists():
                with lane.lease(owner=owner) as lease:
                    total += _retry_lane(lane, store, lease)
    return Retried(total["stored"], total["cleared"], total["refused"])


def _retry_lane(lane: Lane, store: _TakesLines, lease: Lease) -> Counter[str]:
    outcome = lane.outcome()
    letters = dead_letters.read(lane.folder, but=outcome.retried)
    # A letter beyond the outcome is of a slice that is not settled yet: it comes again with its slice.
    letters = [letter for letter in letters if letter.sequence <= outcome.through]
    cleared = [letter for letter in letters if letter.sequence <= outcome.cleared_through.get(letter.account, 0)]
    live = [letter for letter in letters if letter not in cleared]
    answers = store.offer([letter.line for letter in live])
    stored = [letter for letter, answer in zip(live, answers, strict=True) if answer is None]
    if done := [*cleared, *stored]:
        in_file = {letter.sequence for letter in dead_letters.read(lane.folder)}
        lane.settle(_without(outcome, cleared, stored, in_file), lease)
        gone = {letter.sequence for letter in done}
        kept = [letter for letter in dead_letters.read(lane.folder, but=outcome.retried) if letter.sequence not in gone]
        # After the settling: a crash in between leaves letters in the file that the outcome knows are done.
        dead_letters.replace(lease, kept)
        minute_keeper.rewind(lane, min(gone) - 1)
    return Counter(stored=len(stored), cleared=len(cleared), refused=len(live) - len(stored))


def _without(outcome: Outcome, cleared: list[DeadLetter], stored: list[DeadLetter], in_file: set[int]) -> Outcome:
    done = [*cleared, *stored]
    return replace(
        outcome,
        stored=dict(Counter(outcome.stored) + Counter(letter.account for letter in stored)),
        dead_lettered=dict(Counter(outcome.dead_lettered) - Counter(letter.word for letter in done)),
        cleared=outcome.cleared + len(cleared),
        retried=tuple(sorted({letter.sequence for letter in done} | (set(outcome.retried) & in_file))),
    )


def list_letters(spool: Spool) -> list[dict[str, str | int]]:
    """Return every dead letter of the spool, as `manage.py dead_letters` shows them."""
    return [
        {
            "source": lane.source,
            "measurement": lane.measurement.name,
            "sequence": letter.sequence,
            "account": letter.account,
            "status": letter.status,
            "word": letter.word,
            "reason": letter.reason,
            "line": letter.line.decode(),
        }
        for lane in spool.lanes()
        for letter in dead_letters.read(lane.folder, but=lane.outcome().retried)
    ]
