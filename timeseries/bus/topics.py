"""Topics as Kafka's administration tells of them."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as AnswerTimeout
from contextlib import suppress
from typing import NamedTuple

from confluent_kafka import IsolationLevel, KafkaError, KafkaException, TopicCollection, TopicPartition
from confluent_kafka.admin import AdminClient, ListOffsetsResultInfo, OffsetSpec
from confluent_kafka.cimpl import NewTopic

from timeseries.bus.arrived import PartitionPlace
from timeseries.bus.client_faults import ASK_SECONDS, QUIET, ClientFaults, ask
from timeseries.bus.connection import BusUnavailable, KafkaSettings

HINT = "Look at KAFKA_SERVERS and the topic's name; manage.py produce --create N makes a topic."


def create_topic(settings: KafkaSettings, topic: str, partitions: int, *, replicas: int = 1) -> None:
    """Make a topic; one that is there stays as it is. Raises: BusUnavailable."""
    new = NewTopic(topic, num_partitions=partitions, replication_factor=replicas)
    try:
        ask(settings, lambda client: client.create_topics([new], request_timeout=ASK_SECONDS)[topic])
    except KafkaException as error:
        if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
            raise BusUnavailable(f"{topic} cannot be made: {error}.", hint="Look at KAFKA_SERVERS.") from error


def partition_count(settings: KafkaSettings, topic: str) -> int:
    """Return how many partitions a topic has. Raises: BusUnavailable."""
    return _described(settings, topic)[1]


def topic_ids(settings: KafkaSettings, topics: Sequence[str]) -> dict[str, str]:
    """Return the id of each topic: one that is deleted and made anew under its name has another. Raises:
    BusUnavailable."""
    return {topic: _described(settings, topic)[0] for topic in topics}


class TopicIds:
    """Ids of topics as Kafka told them last, by one client that asks again."""

    def __init__(self, settings: KafkaSettings, topics: Sequence[str]) -> None:
        """Raises: BusUnavailable."""
        self._ids = topic_ids(settings, topics)
        self.client = AdminClient(settings.client() | QUIET, error_cb=ClientFaults())

    def __getitem__(self, topic: str) -> str:
        return self._ids[topic]

    def ask_again(self, topics: Collection[str]) -> None:
        """Ask for the ids of some topics. Raises: BusUnavailable."""
        if not topics:
            return
        try:
            answers = self.client.describe_topics(TopicCollection([*topics]), request_timeout=ASK_SECONDS)
            self._ids |= {topic: str(answer.result(ASK_SECONDS).topic_id) for topic, answer in answers.items()}
        except (KafkaException, AnswerTimeout) as error:
            raise BusUnavailable(f"Kafka does not tell of {', '.join(sorted(topics))}: {error}.", hint=HINT) from error


class PartitionEnd(NamedTuple):
    """The offset of a partition's next message, as Kafka told it at ``at_ns`` (ns UTC)."""

    offset: int
    at_ns: int


class PartitionEnds:
    """Ends of partitions as Kafka told them last. The client that reads knows them only of what it fetches: of a
    partition that stands still, whatever the reason, nothing would seem to wait."""

    def __init__(self, client: AdminClient) -> None:
        self._client, self._ends = client, dict[PartitionPlace, PartitionEnd]()
        self._asked: dict[PartitionPlace, Future[ListOffsetsResultInfo]] = {}

    def __getitem__(self, place: PartitionPlace) -> PartitionEnd:
        return self._ends.get(place) or PartitionEnd(0, time.time_ns())

    def note(self, place: PartitionPlace, offset: int) -> None:
        """Note an end that Kafka told just now."""
        self._ends[place] = PartitionEnd(offset, time.time_ns())

    def ask_again(self, places: Iterable[PartitionPlace]) -> None:
        """Note what was answered, and ask again where no answer is awaited; wait for none."""
        for place in [place for place, answer in self._asked.items() if answer.done()]:
            with suppress(KafkaException):  # how old the last answer is tells of it
                self.note(place, self._asked.pop(place).result().offset)
        new = {TopicPartition(*place): OffsetSpec.latest() for place in places if place not in self._asked}
        if new:
            answers = self._client.list_offsets(
                new, isolation_level=IsolationLevel.READ_COMMITTED, request_timeout=ASK_SECONDS
            )
            self._asked |= {(each.topic, each.partition): answer for each, answer in answers.items()}


def _described(settings: KafkaSettings, topic: str) -> tuple[str, int]:
    """Return a topic's id and its number of partitions."""
    names = TopicCollection([topic])
    try:
        described = ask(settings, lambda client: client.describe_topics(names, request_timeout=ASK_SECONDS)[topic])
    except KafkaException as error:
        raise BusUnavailable(f"{topic} at {settings.servers}: {error}.", hint=HINT) from error
    return str(described.topic_id), len(described.partitions)
