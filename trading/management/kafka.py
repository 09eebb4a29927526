"""What the commands over Kafka share: the desk's settings for it, and its client where that is installed."""

from __future__ import annotations

import signal
import threading
from typing import TYPE_CHECKING

from django.conf import settings
from django.utils.module_loading import import_string

from timeseries.bus.connection import BusUnavailable, KafkaSettings

if TYPE_CHECKING:
    from timeseries.bus.consumer import TopicConsumer
    from timeseries.bus.partition import OpenRecorder
    from timeseries.bus.producer import BusProducer
    from timeseries.spool.hand_overs import HandOver

EXTRA = (
    "pip install --no-deps --require-hashes -r requirements-kafka.txt, or confluent-kafka beside the bot's packages."
)


def kafka_settings() -> KafkaSettings:
    """Return where Kafka is and how to log in. Raises: BusUnavailable, where no server is named."""
    if not settings.KAFKA_SERVERS:
        raise BusUnavailable("KAFKA_SERVERS is not set.", hint="Set it to host:port of one or more brokers.")
    return KafkaSettings(
        settings.KAFKA_SERVERS,
        security_protocol=settings.KAFKA_SECURITY_PROTOCOL,
        ca=settings.KAFKA_CA,
        certificate=settings.KAFKA_CERTIFICATE,
        key=settings.KAFKA_KEY,
        key_password=settings.KAFKA_KEY_PASSWORD,
        sasl_mechanism=settings.KAFKA_SASL_MECHANISM,
        sasl_username=settings.KAFKA_SASL_USERNAME,
        sasl_password=settings.KAFKA_SASL_PASSWORD,
    )


def consumer_class() -> type[TopicConsumer]:
    """Return the consumer. Raises: BusUnavailable, where Kafka's client is not installed."""
    try:
        consumer: type[TopicConsumer] = import_string("timeseries.bus.consumer.TopicConsumer")
    except ImportError as error:
        raise BusUnavailable(f"Kafka's client is not installed ({error.name}).", hint=EXTRA) from error
    return consumer


def hand_over(topic: str, number: int, taker: str, open_recorder: OpenRecorder, *, source: str) -> HandOver:
    """Hand a partition over; see `timeseries.bus.consumer.hand_over`."""
    consumer_class()
    give = import_string("timeseries.bus.consumer.hand_over")
    handed: HandOver = give(kafka_settings(), topic, number, taker, open_recorder, source=source)
    return handed


def producer_of(topic: str, *, partitions: int | None) -> BusProducer:
    """Return the producer of a topic, which is made with so many partitions where it is not there. Raises:
    BusUnavailable."""
    connection = kafka_settings()
    try:
        if partitions is not None:
            import_string("timeseries.bus.topics.create_topic")(connection, topic, partitions)
        producer: BusProducer = import_string("timeseries.bus.producer.BusProducer")(connection, topic)
    except ImportError as error:
        raise BusUnavailable(f"Kafka's client is not installed ({error.name}).", hint=EXTRA) from error
    return producer


def end_of_process() -> threading.Event:
    """Return what is set once somebody asks this process to end."""
    end = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: end.set())
    return end
