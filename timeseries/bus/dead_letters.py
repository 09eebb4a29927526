"""Messages that could not be recorded, or not all of them: written once more, with their place and the reason."""

from __future__ import annotations

from collections.abc import Sequence

from timeseries.bus.connection import BusUnavailable, KafkaSettings
from timeseries.bus.held import HeldPartition
from timeseries.bus.partition import RefusedMessage
from timeseries.bus.producer import BusProducer, StillUnwritten

DEAD = ".dead"  # behind a topic's name: its dead-letter topic
BURY_SECONDS = 2.0  # so long the other partitions wait with a letter


class DeadLetters:
    """The dead-letter topics of a consumer, each with a producer from its first letter on."""

    def __init__(self, settings: KafkaSettings) -> None:
        self._settings, self._producers = settings, dict[str, BusProducer]()
        # Offsets of letters that are on their way, by topic, and its id and partition: they come again, and need not
        # be written again.
        self._sent: dict[str, dict[tuple[str, int], set[int]]] = {}

    def bury(self, held: HeldPartition, refused: Sequence[RefusedMessage]) -> None:
        """Write refused messages of a partition, and wait a moment for all of it. Raises: BusUnavailable: they have to
        come again, once they wait no more."""
        if not refused:
            return
        (topic, number), key = held.place, (held.topic_id, held.place[1])
        producer = self._producers.get(topic)
        if producer is None:
            producer = self._producers[topic] = BusProducer(self._settings, topic + DEAD)
        of_topic = self._sent.setdefault(topic, {})
        sent = of_topic.setdefault(key, set())
        for letter in refused:
            if letter.message.offset in sent:
                continue
            where = {"topic": topic, "partition": number, "offset": letter.message.offset, "reason": letter.reason}
            headers = [(f"velox-{name}", str(text).encode()) for name, text in where.items()]
            producer.send(letter.message.content, [*letter.message.headers, *headers])
            sent.add(letter.message.offset)
        try:
            producer.flush(BURY_SECONDS)
        except StillUnwritten:
            raise
        except BusUnavailable:
            of_topic.clear()  # which one was not written is not told
            raise
        del of_topic[key]

    def wait(self, held: HeldPartition) -> bool:
        """Tell whether letters of a partition are on their way yet."""
        topic, number = held.place
        return (held.topic_id, number) in self._sent.get(topic, ()) and self._producers[topic].is_waiting()
