"""What the client tells of its connections by itself: once a minute in the log, and why a question got no answer."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

import structlog
from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient

from timeseries.bus.connection import BusUnavailable, KafkaSettings

ASK_SECONDS = 10.0
LOOK_SECONDS = 0.05
TOLD_AGAIN_SECONDS = 60.0
HINT = "Look at KAFKA_SERVERS, KAFKA_SECURITY_PROTOCOL, KAFKA_SASL_* and KAFKA_CA."
# The client writes each attempt to stderr, ten a second: it tells `ClientFaults` instead.
QUIET = {"log_level": 0}

Answer = TypeVar("Answer")
log = structlog.get_logger("system")


class ClientFaults:
    """The faults that a client calls this with; each kind is told in the log at most once a minute."""

    def __init__(self) -> None:
        self.newest: KafkaError | None = None
        self.refusal: KafkaError | None = None
        self._told: dict[int, float] = {}

    def __call__(self, fault: KafkaError) -> None:
        """Take a fault from the client."""
        code, now = fault.code(), time.monotonic()
        if code != KafkaError._ALL_BROKERS_DOWN or self.newest is None:  # it follows what says more
            self.newest = fault
        if code == KafkaError._AUTHENTICATION:
            self.refusal = fault
        if now - self._told.get(code, -TOLD_AGAIN_SECONDS) >= TOLD_AGAIN_SECONDS:
            self._told[code] = now
            log.warning("kafka", fault=fault.str())


def ask(settings: KafkaSettings, question: Callable[[AdminClient], Future[Answer]]) -> Answer:
    """Return what Kafka's administration answers; its own errors come as KafkaException.

    Raises: BusUnavailable where it does not answer, at once where it refuses the login.
    """
    faults, deadline = ClientFaults(), time.monotonic() + 2 * ASK_SECONDS
    try:
        client = AdminClient(settings.client() | QUIET, error_cb=faults)
    except KafkaException as error:
        raise BusUnavailable(f"Kafka's settings make no sense: {error.args[0].str()}.", hint=HINT) from error
    answer = question(client)
    while not answer.done() and faults.refusal is None and time.monotonic() < deadline:
        client.poll(LOOK_SECONDS)  # in which it tells of faults
    if answer.done():
        try:
            return answer.result()
        except KafkaException as error:
            if error.args[0].code() != KafkaError._TIMED_OUT:
                raise
    why = faults.refusal or faults.newest
    reason = f": {why.str()}" if why is not None else " in time"
    raise BusUnavailable(f"Kafka at {settings.servers} does not answer{reason}.", hint=HINT) from None
