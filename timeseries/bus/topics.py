"""Topics as Kafka's administration tells of them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from concurrent.futures import TimeoutError as AnswerTimeout

from confluent_kafka import KafkaError, KafkaException, TopicCollection
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

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
        self._client = AdminClient(settings.client() | QUIET, error_cb=ClientFaults())

    def __getitem__(self, topic: str) -> str:
        return self._ids[topic]

    def ask_again(self, topics: Collection[str]) -> None:
        """Ask for the ids of some topics. Raises: BusUnavailable."""
        if not topics:
            return
        try:
            answers = self._client.describe_topics(TopicCollection([*topics]), request_timeout=ASK_SECONDS)
            self._ids |= {topic: str(answer.result(ASK_SECONDS).topic_id) for topic, answer in answers.items()}
        except (KafkaException, AnswerTimeout) as error:
            raise BusUnavailable(f"Kafka does not tell of {', '.join(sorted(topics))}: {error}.", hint=HINT) from error


def _described(settings: KafkaSettings, topic: str) -> tuple[str, int]:
    """Return a topic's id and its number of partitions."""
    names = TopicCollection([topic])
    try:
        described = ask(settings, lambda client: client.describe_topics(names, request_timeout=ASK_SECONDS)[topic])
    except KafkaException as error:
        raise BusUnavailable(f"{topic} at {settings.servers}: {error}.", hint=HINT) from error
    return str(described.topic_id), len(described.partitions)
