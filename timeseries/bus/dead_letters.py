"""Messages that could not be recorded, or not all of them: written once more, with their place and the reason."""

from __future__ import annotations

from collections.abc import Sequence

from timeseries.bus.arrived import PartitionPlace
from timeseries.bus.connection import KafkaSettings
from timeseries.bus.partition import RefusedMessage
from timeseries.bus.producer import BusProducer

DEAD = ".dead"  # behind a topic's name: its dead-letter topic


class DeadLetters:
    """The dead-letter topics of a consumer, each with a producer from its first letter on."""

    def __init__(self, settings: KafkaSettings) -> None:
        self._settings, self._producers = settings, dict[str, BusProducer]()

    def bury(self, place: PartitionPlace, refused: Sequence[RefusedMessage]) -> None:
        """Write refused messages of a partition, and wait until they are there. Raises: BusUnavailable."""
        if not refused:
            return
        topic, number = place
        producer = self._producers.get(topic)
        if producer is None:
            producer = self._producers[topic] = BusProducer(self._settings, topic + DEAD)
        for letter in refused:
            where = {"topic": topic, "partition": number, "offset": letter.message.offset, "reason": letter.reason}
            headers = [(f"velox-{name}", str(text).encode()) for name, text in where.items()]
            producer.send(letter.message.content, [*letter.message.headers, *headers])
        producer.flush()
