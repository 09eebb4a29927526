"""Writing ticks onto a topic: each symbol to one partition, in order, and nothing told as written that is not there."""

from __future__ import annotations

from binascii import crc32
from collections.abc import Mapping, Sequence
from functools import cached_property

import numpy as np
import pyarrow as pa
from confluent_kafka import KafkaException, Producer

from timeseries.bus.client_faults import QUIET, ClientFaults
from timeseries.bus.connection import BusUnavailable, KafkaSettings
from timeseries.bus.messages import ARROW, JSON, Headers, arrow_message, headers_of, json_message
from timeseries.bus.topics import partition_count

FLUSH_SECONDS = 30.0


class StillUnwritten(BusUnavailable):
    """Messages that wait for the brokers yet, and may still be written."""


class BusProducer:
    """A producer of one topic. Messages of one symbol keep their order; `flush` raises for one that was not written."""

    def __init__(self, settings: KafkaSettings, topic: str) -> None:
        self.topic = topic
        self._settings, self._connection = settings, ClientFaults()
        self._producer = Producer(settings.writer() | QUIET, error_cb=self._connection)
        self._faults: list[str] = []

    @cached_property
    def partitions(self) -> int:
        """How many partitions the topic has, asked once. Raises: BusUnavailable."""
        return partition_count(self._settings, self.topic)

    def json(self, symbol: str, rows: Sequence[Mapping[str, str | int | float | None]]) -> None:
        """Write ticks of one symbol as a message of JSON."""
        key = symbol.encode()  # by which librdkafka's own partitioner would choose the same
        self.send(json_message(rows), headers_of(JSON), partition=crc32(key) % self.partitions, key=key)

    def arrow(self, table: pa.Table) -> None:
        """Write ticks, with a column ``symbol``, as a message of Arrow for each partition that they go to."""
        names = table.column("symbol").to_pylist()
        partitions = np.array([crc32(name.encode()) % self.partitions for name in names])
        for partition in np.unique(partitions).tolist():
            rows = table.filter(pa.array(partitions == partition))
            self.send(arrow_message(rows), headers_of(ARROW), partition=partition)

    def table(self, table: pa.Table, *, form: str, rows: int) -> int:
        """Write ticks in messages of at most so many, as `json` or as `arrow`; return how many there were."""
        for start in range(0, len(table), rows):
            share = table.slice(start, rows)
            if form == ARROW:
                self.arrow(share)
                continue
            place = share.schema.get_field_index("timestamp")
            ticks = share.set_column(place, "timestamp", share.column(place).cast(pa.int64())).to_pylist()
            for symbol in dict.fromkeys(tick["symbol"] for tick in ticks):
                self.json(symbol, [tick for tick in ticks if tick["symbol"] == symbol])
        return len(table)

    def send(self, content: bytes | None, headers: Headers, *, partition: int = -1, key: bytes | None = None) -> None:
        """Write a message; wait while the client's queue is full."""
        while True:
            try:
                self._producer.produce(
                    self.topic,
                    content,
                    key,
                    partition,
                    on_delivery=lambda error, _: self._faults.append(error.str()) if error is not None else None,
                    headers=list(headers),
                )
                self._producer.poll(0)
                return
            except BufferError:
                self._producer.poll(0.5)
            except KafkaException as error:
                raise BusUnavailable(f"{self.topic} cannot be written: {error}.") from error

    def flush(self, seconds: float = FLUSH_SECONDS) -> None:
        """Wait until every message is written. Raises: BusUnavailable where one was not, StillUnwritten where some wait
        yet."""
        left = self._producer.flush(seconds)
        if self._faults or left:
            kind = BusUnavailable if self._faults else StillUnwritten
            reason = self._faults[0] if self._faults else f"{left} messages wait after {seconds:.0f} s"
            if self._connection.newest is not None:
                reason += f": {self._connection.newest.str()}"
            self._faults.clear()
            raise kind(f"{self.topic} was not written: {reason}.", hint="Look at the brokers, and run again.")

    def is_waiting(self) -> bool:
        """Tell whether messages are neither written nor given up."""
        self._producer.poll(0)
        return len(self._producer) > 0
