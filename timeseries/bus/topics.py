"""Topics as Kafka's administration tells of them."""

from __future__ import annotations

from collections.abc import Sequence

from confluent_kafka import KafkaError, KafkaException, TopicCollection
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from timeseries.bus.connection import BusUnavailable, KafkaSettings

ASK_SECONDS = 10.0
HINT = "Look at KAFKA_SERVERS and the topic's name; manage.py produce --create N makes a topic."


def create_topic(settings: KafkaSettings, topic: str, partitions: int, *, replicas: int = 1) -> None:
    """Make a topic; one that is there stays as it is. Raises: BusUnavailable."""
    client = AdminClient(settings.client())  # it has to outlive what it was asked
    new = NewTopic(topic, num_partitions=partitions, replication_factor=replicas)
    try:
        client.create_topics([new], request_timeout=ASK_SECONDS)[topic].result(timeout=2 * ASK_SECONDS)
    except (KafkaException, TimeoutError) as error:
        if not isinstance(error, KafkaException) or error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
            raise BusUnavailable(f"{topic} cannot be made: {error}.", hint="Look at KAFKA_SERVERS.") from error


def partition_count(settings: KafkaSettings, topic: str) -> int:
    """Return how many partitions a topic has. Raises: BusUnavailable."""
    client = AdminClient(settings.client())
    try:
        described = client.list_topics(topic, timeout=ASK_SECONDS).topics[topic]
    except KafkaException as error:
        raise BusUnavailable(f"Kafka at {settings.servers} does not answer: {error}.", hint=HINT) from error
    if described.error is not None or not described.partitions:
        raise BusUnavailable(f"There is no topic {topic}.", hint=HINT)
    return len(described.partitions)


def topic_ids(settings: KafkaSettings, topics: Sequence[str]) -> dict[str, str]:
    """Return the id of each topic: one that is deleted and made anew under its name has another. Raises:
    BusUnavailable."""
    client = AdminClient(settings.client())
    try:
        futures = client.describe_topics(TopicCollection(list(topics)), request_timeout=ASK_SECONDS)
        return {topic: str(future.result(timeout=2 * ASK_SECONDS).topic_id) for topic, future in futures.items()}
    except (KafkaException, TimeoutError) as error:
        names = ", ".join(topics)
        raise BusUnavailable(f"{names} at {settings.servers}: {error}.", hint=HINT) from error
