"""A member of a group that records what a topic holds: each partition it is given goes into a lane of its own."""

from __future__ import annotations

import gc
import time
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from math import inf

import structlog
from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from timeseries.bus.arrived import PartitionPlace, by_partition
from timeseries.bus.client_faults import ASK_SECONDS, QUIET, ClientFaults
from timeseries.bus.connection import BusUnavailable, KafkaSettings
from timeseries.bus.dead_letters import DeadLetters
from timeseries.bus.held import HeldPartition
from timeseries.bus.messages import BusMessages
from timeseries.bus.partition import HandedOver, OffsetGone, OpenRecorder, PartitionRecorder, partition_of
from timeseries.bus.standing import forget, tell
from timeseries.bus.topics import PartitionEnds, TopicIds, topic_ids
from timeseries.errors import VeloxError
from timeseries.spool.folder import Spool
from timeseries.spool.hand_overs import HandOver

MESSAGES_MAX = 4096  # of one look at the client's queue
LOOK_SECONDS = 0.2
RETRY_SECONDS = 1.0  # before a partition that stopped is tried again
COMMIT_SECONDS = 2.0
STILL_SECONDS = 30.0  # so long the client may give nothing of a partition in which messages wait
# Messages that the client cannot read: it would go on behind them, or at an offset that it read out of them.
UNREADABLE = (KafkaError._BAD_MSG, KafkaError._BAD_COMPRESSION, KafkaError._NOT_IMPLEMENTED)

log = structlog.get_logger("system")


@dataclass
class BusCounts:
    """What a consumer did so far; ``stopped`` are partitions that stand still, and why, ``handed_over`` those that
    another source records."""

    messages: int = 0
    accepted: int = 0
    rejected: int = 0
    dead_letters: int = 0
    stopped: dict[PartitionPlace, str] = field(default_factory=dict)
    handed_over: dict[PartitionPlace, str] = field(default_factory=dict)


@contextmanager
def _collector_at_rest() -> Iterator[None]:
    """Hold off the collector of cycles: a look makes ten thousands of objects, which their counts free at its end, and
    while they are there each collection would go through all of them."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


class TopicConsumer:
    """Records topics as one member of a group, under the sources `<source>.<partition>`, or `<topic>.<partition>`."""

    def __init__(
        self, settings: KafkaSettings, topics: Sequence[str], group: str, open_recorder: OpenRecorder,
        *, source: str = "", partitions: Sequence[int] = (), skip_lost: bool = False,
    ) -> None:  # fmt: skip
        """``open_recorder`` makes the recorder of a source, which raises storage faults. ``partitions`` are read
        apart from the group; without them its members share all. Raises: BusUnavailable."""
        self.settings, self.counts = settings, BusCounts()
        self._open_recorder, self._source, self._skip_lost = open_recorder, source, skip_lost
        self._partitions: dict[PartitionPlace, HeldPartition] = {}
        self._lost: list[HeldPartition] = []  # by the silence of Kafka, until it says who goes on with them
        self._committed_at, self._dead = 0.0, DeadLetters(settings)
        self._ids = TopicIds(settings, topics)
        self._ends = PartitionEnds(self._ids.client)
        self._answered_ns, self._is_broken = time.time_ns(), False
        self._consumer = Consumer(settings.member(group) | QUIET, error_cb=ClientFaults(), on_commit=self._committed)
        self._own = [TopicPartition(topic, number) for topic in topics for number in partitions]
        if self._own:
            return
        self._consumer.subscribe(
            list(topics),
            on_assign=self._assigned,
            on_revoke=self._revoked,
            on_lost=lambda _, partitions: self._lost.extend(self._given_up(partitions)),
        )

    def run(self, should_stop: Callable[[BusCounts], bool], *, until_end: bool = False) -> BusCounts:
        """Record until told to stop, or ``until_end`` until every partition that this member holds is read to where it
        ended when it was assigned. Raises: BusUnavailable, OffsetGone."""
        try:
            if self._own:
                self._assigned(self._consumer, self._own)
            while not should_stop(self.counts):
                held = self._partitions.values()
                if until_end and held and all(each.end is not None and each.position >= each.end for each in held):
                    break
                with _collector_at_rest():
                    self._look()
        except BaseException:
            self._is_broken = True
            raise
        finally:
            stopped = dict(self.counts.stopped)
            self._commit(asynchronous=False)
            self._consumer.close()  # which revokes what the group gave it
            self._revoked(self._consumer, [TopicPartition(*place) for place in self._partitions])
            self.counts.stopped = stopped
        return self.counts

    def _look(self) -> None:
        try:
            messages = self._consumer.consume(MESSAGES_MAX, LOOK_SECONDS)
        except KafkaException as error:
            raise BusUnavailable(f"Kafka cannot be read: {error}.") from error
        arrived, faulty = by_partition(messages)
        for message, fault in faulty:
            place = message.topic() or "", message.partition() or 0
            if fault.fatal():
                raise BusUnavailable(f"Kafka cannot be read: {fault.str()}.")
            if fault.code() in (KafkaError._AUTO_OFFSET_RESET, *UNREADABLE) and place in self._partitions:
                self._stop_at(self._partitions[place], message.offset() or 0, fault, arrived.get(place))
            elif fault.code() != KafkaError._PARTITION_EOF:
                log.warning("kafka", fault=fault.str())
        self._look_at_ids(arrived)
        for place, taken in arrived.items():
            held = self._partitions.get(place)
            if held is not None and held.recording is not None:  # else they come again
                self._take(held, held.recording, taken)
        self._note_ends(message for message, fault in faulty if fault.code() == KafkaError._PARTITION_EOF)
        for held in self._partitions.values():
            if held.recording is None and time.monotonic() >= held.retry_at and not self._dead.wait(held):
                self._open(held)
                if held.recording is not None:
                    self._go_on(held)
        if time.monotonic() - self._committed_at >= COMMIT_SECONDS:
            self._commit()
            self._wake(is_queue_empty=len(messages) < MESSAGES_MAX)

    def _wake(self, *, is_queue_empty: bool) -> None:
        """Have the client fetch partitions anew of which it gives nothing for long: messages wait there, Kafka answers,
        and nothing else stands before them. No fault of the kind is known; one cost a day's ticks without a word."""
        now = time.monotonic()
        for held in self._partitions.values():
            if not is_queue_empty or not held.is_owed(self._ends[held.place]):
                held.still_since = now
            elif now - held.still_since > STILL_SECONDS:
                topic, number = held.place
                log.error("the client gave nothing of a partition, which is read again", topic=topic, partition=number)
                held.still_since = now
                self._go_on(held)

    def _look_at_ids(self, places: Iterable[PartitionPlace]) -> None:
        """Stop partitions, before anything of them is recorded, whose topic was deleted and made anew: the client goes
        on there at the former one's offset without a word. Opened again they begin at the new one's beginning."""
        held = [self._partitions[place] for place in places if place in self._partitions]
        try:
            self._ids.ask_again({each.place[0] for each in held})
        except BusUnavailable as error:
            for each in held:
                self._stop(each, error)  # nobody knows of which topic they are: they come again
            return
        for each in held:
            topic, number = each.place
            if each.recording is not None and each.topic_id != self._ids[topic]:
                self._stop(each, OffsetGone(f"{topic} was deleted and made anew: partition {number} begins again."))
                each.retry_at = 0.0

    def _note_ends(self, ends: Iterable[Message]) -> None:
        """Move positions to the ends that were reached: behind the last message may lie records of a transaction, which
        nobody is given."""
        for end in ends:
            held = self._partitions.get((end.topic() or "", end.partition() or 0))
            if held is not None and held.recording is not None and not held.reads_gap:
                held.reach(max(held.position, end.offset() or 0))
                held.recording.reach_end(held.position)
                self.counts.stopped.pop(held.place, None)

    def _follows(self, held: HeldPartition, recording: PartitionRecorder, first: int) -> bool:
        """Tell whether messages from this offset on may be taken. Where an earlier one has to come, they are asked for
        once more from there: between the two may lie records of transactions alone, or the message was lost."""
        expected = recording.expected
        if expected is None or first == expected or held.oldest > expected:
            return True
        if held.asked_for != first:
            held.asked_for = first
            self._consumer.seek(TopicPartition(*held.place, expected))
            return False
        recording.pass_gap(first)
        return True

    def _take(self, held: HeldPartition, recording: PartitionRecorder, messages: BusMessages) -> None:
        if not self._follows(held, recording, messages.offsets[0]):
            return
        self._pass_lost(held, recording, messages.offsets[0])
        try:
            outcome = recording.take(messages)
        except VeloxError as error:
            self._stop(held, error)
            return
        try:
            self._dead.bury(held, outcome.refused)
        except BusUnavailable as error:
            self._stop(held, error, is_told=False)
            return
        held.reach(messages.offsets[-1] + 1)
        held.reached_ns = messages[-1].time_ns
        self.counts.stopped.pop(held.place, None)
        self.counts.messages += len(messages)
        self.counts.accepted += outcome.accepted
        self.counts.rejected += outcome.rejected
        self.counts.dead_letters += len(outcome.refused)

    def _pass_lost(self, held: HeldPartition, recording: PartitionRecorder, first: int) -> None:
        """Go on behind messages that the topic lost, if that was asked for. Raises: OffsetGone."""
        try:
            recording.must_go_on_at(first)
        except OffsetGone as error:
            if not self._skip_lost:
                self.counts.stopped[held.place] = str(error)  # its last words
                raise
            log.error("rows of a topic are lost", partition=recording.name, before_offset=first)
            recording.forget()

    def _assigned(self, _: Consumer, partitions: list[TopicPartition]) -> None:
        forget(held.folder for held in self._lost)
        self._lost.clear()
        for assigned in partitions:
            held = self._partitions[assigned.topic, assigned.partition] = HeldPartition(
                (assigned.topic, assigned.partition)
            )
            self._open(held)
        self._assign()

    def _assign(self) -> None:
        """Have the client fetch every partition from its position on, but for those that stand still. It keeps a pause
        for ever, also of a partition that it lost and was given again."""
        held = self._partitions.values()
        self._consumer.assign([TopicPartition(*each.place, each.position) for each in held])
        self._consumer.pause([TopicPartition(*each.place) for each in held if each.recording is None])
        self._consumer.resume([TopicPartition(*each.place) for each in held if each.recording is not None])

    def _go_on(self, held: HeldPartition) -> None:
        """Have the client fetch a partition that stood still from its position on."""
        place = TopicPartition(*held.place, held.position)
        try:
            self._consumer.seek(place)
        except KafkaException:  # it fetches no more of one for which it was given no offset, or read a wrong one
            self._assign()
        self._consumer.resume([place])

    def _revoked(self, _: Consumer, partitions: list[TopicPartition]) -> None:
        given_up = self._given_up(partitions)
        if not self._is_broken:  # else its last words stay, and grow old
            forget(held.folder for held in given_up)

    def _given_up(self, partitions: list[TopicPartition]) -> list[HeldPartition]:
        """Free the sources of partitions that are another member's now, and return those that this one held."""
        given_up = []
        for revoked in partitions:
            held = self._partitions.pop((revoked.topic, revoked.partition), None)
            self.counts.stopped.pop((revoked.topic, revoked.partition), None)
            if held is None:
                continue
            given_up.append(held)
            if held.recording is not None:
                held.recording.close()
                held.recording = None
        return given_up

    def _open(self, held: HeldPartition) -> None:
        """Open a partition's lane and set its position; note why where that cannot be now."""
        topic, number = held.place
        with suppress(BusUnavailable):  # the next question has no answer either
            self._ids.ask_again({topic})
        if held.topic_id not in ("", self._ids[topic]):
            log.error("a topic was made anew", topic=topic, partition=number, not_recorded_from_offset=held.position)
        held.topic_id = self._ids[topic]
        recording = partition_of(topic, number, held.topic_id, self._source, self._open_recorder)
        held.source = recording.recorder.source
        held.folder = Spool(recording.recorder.root).folder(held.source)
        try:
            low, high = self._consumer.get_watermark_offsets(TopicPartition(topic, number), timeout=ASK_SECONDS)
            offset = recording.resume()
        except HandedOver as error:
            recording.recorder.close()
            held.end, held.retry_at = held.position, inf
            self.counts.handed_over[held.place] = str(error)
            held.folder = None  # how it stands is another one's to tell
            return
        except (VeloxError, KafkaException) as error:
            recording.recorder.close()
            self._note_stopped(held, str(error))
            return
        if offset is not None and low > offset:  # told at once: the next message may come at tomorrow's opening
            self._pass_lost(held, recording, low)
        held.recording, held.end = recording, high if held.end is None else held.end
        held.reach(low if offset is None else max(low, offset))
        self._ends.note(held.place, high)
        held.oldest, held.asked_for, held.reached_ns = low, None, time.time_ns()
        if held.position >= high:  # else it stands still until something of it is recorded
            self.counts.stopped.pop(held.place, None)

    def _stop(self, held: HeldPartition, error: VeloxError, *, is_told: bool = True) -> None:
        """Let a partition stand still: what its lane could not take comes again from where the marks say."""
        if held.recording is not None:
            held.recording.close(is_told=is_told)
        held.recording = None
        self._note_stopped(held, str(error))
        self._consumer.pause([TopicPartition(*held.place)])

    def _note_stopped(self, held: HeldPartition, reason: str) -> None:
        """Note why a partition stands still, and tell it once: it is tried again each second."""
        held.retry_at = time.monotonic() + RETRY_SECONDS
        if self.counts.stopped.get(held.place) != reason:
            log.error("a partition stopped", topic=held.place[0], partition=held.place[1], error=reason)
        self.counts.stopped[held.place] = reason

    def _stop_at(self, held: HeldPartition, offset: int, fault: KafkaError, arrived: BusMessages | None) -> None:
        """Let a partition stand still where Kafka has no message to go on at, or one that cannot be read; what arrived
        before it is recorded. The first such fault counts: others may come of what the client made of damaged bytes."""
        if held.recording is None:
            return
        before = arrived and arrived[: bisect_left(arrived.offsets, offset)]
        if before:
            self._take(held, held.recording, before)
        hint = "Let another replica lead, or delete the records up to there." if fault.code() in UNREADABLE else ""
        self._stop(held, OffsetGone(f"{held.place[0]}/{held.place[1]}: {fault.str()}.", hint=hint))

    def _commit(self, *, asynchronous: bool = True) -> None:
        """Mark what has ended, and tell how far this member is, Kafka too: for lag, nobody goes on from there."""
        self._committed_at, offsets = time.monotonic(), list[TopicPartition]()
        for held in self._partitions.values():
            if held.recording is not None:
                with suppress(VeloxError):  # the next rows tell of the fault
                    held.recording.settle()
                offsets.append(TopicPartition(*held.place, held.position))
        try:
            if offsets and asynchronous:
                self._consumer.commit(offsets=offsets)
            elif offsets:
                self._consumer.commit(offsets=offsets, asynchronous=False)
        except KafkaException as error:
            log.warning("the lag cannot be told to Kafka", error=str(error))
        self._tell_standings()

    def _committed(self, error: KafkaError | None, _: list[TopicPartition]) -> None:
        if error is None:
            self._answered_ns = time.time_ns()

    def _tell_standings(self) -> None:
        """Tell beside each lane how its partition stands."""
        self._ends.ask_again(self._partitions)
        for held in (*self._partitions.values(), *self._lost):
            if held.folder is None:
                continue
            stopped = self.counts.stopped.get(held.place, "")
            standing = held.standing(self._ends[held.place], answered_ns=self._answered_ns, stopped=stopped)
            tell(held.folder, standing, is_recording=self._is_broken or held.recording is not None)


def hand_over(
    settings: KafkaSettings, topic: str, number: int, taker: str, open_recorder: OpenRecorder, *, source: str = ""
) -> HandOver:
    """Let the source `<taker>.<number>` record a partition from where this data folder has come; no member may hold it
    meanwhile.

    Raises: BusUnavailable, SourceBusy; InvalidValue where nothing of it was recorded; HandedOver.
    """
    recording = partition_of(topic, number, topic_ids(settings, [topic])[topic], source, open_recorder)
    try:
        return recording.hand_over(f"{taker}.{number}", at_ns=time.time_ns())
    finally:
        recording.recorder.close()
