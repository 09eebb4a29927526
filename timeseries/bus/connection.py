"""How Kafka is reached: servers, TLS, SASL, as the client of librdkafka wants it said."""

from __future__ import annotations

from dataclasses import dataclass

from timeseries.errors import VeloxError


class BusUnavailable(VeloxError):
    """Kafka cannot be reached, or refuses what was asked of it."""

    code = "bus_unavailable"


@dataclass(frozen=True)
class KafkaSettings:
    """Where the brokers are and how to log in; what is empty is not said. Authority, certificate and key are texts of
    PEM. ``session_seconds`` is how long a member of a group may be silent before its partitions go to another."""

    servers: str
    security_protocol: str = ""
    ca: str = ""
    certificate: str = ""
    key: str = ""
    key_password: str = ""
    sasl_mechanism: str = ""
    sasl_username: str = ""
    sasl_password: str = ""
    session_seconds: float = 10.0

    def client(self) -> dict[str, str | int | float | bool]:
        """Return what every client is told."""
        names = {
            "bootstrap.servers": self.servers,
            "security.protocol": self.security_protocol,
            "ssl.ca.pem": self.ca,
            "ssl.certificate.pem": self.certificate,
            "ssl.key.pem": self.key,
            "ssl.key.password": self.key_password,
            "sasl.mechanism": self.sasl_mechanism,
            "sasl.username": self.sasl_username,
            "sasl.password": self.sasl_password,
        }
        return {name: text for name, text in names.items() if text}

    def member(self, group: str) -> dict[str, str | int | float | bool]:
        """Return what a member of a group is told: offsets are ours, a topic is read from its beginning."""
        session = round(self.session_seconds * 1000)
        return self.client() | {
            "group.id": group,
            "enable.auto.commit": False,
            "auto.offset.reset": "error",
            "enable.partition.eof": True,  # an end may lie behind the last message
            "check.crcs": True,  # else a bit that flipped on a broker's disk is another price
            "isolation.level": "read_committed",
            "session.timeout.ms": session,
            "heartbeat.interval.ms": session // 4,
            "partition.assignment.strategy": "range",
            "topic.metadata.refresh.interval.ms": 10_000,  # else a new partition waits five minutes for a member
        }

    def writer(self) -> dict[str, str | int | float | bool]:
        """Return what a producer is told: each message once and in order, on every replica before it counts."""
        return self.client() | {"enable.idempotence": True, "acks": "all", "linger.ms": 20, "compression.type": "lz4"}
