"""Series as text, by the encoders of prometheus-client; one whose samples stand as they stood is not written anew."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from threading import Lock

from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from trading.metrics.series import LabelledNumber, MetricReading

_END = b"# EOF\n"  # of OpenMetrics, once for all series

Encode = Callable[[Collector], bytes]


class _Single(Collector):
    def __init__(self, metric: Metric) -> None:
        self._metric = metric

    def collect(self) -> Iterator[Metric]:
        yield self._metric


class Texts:
    """The texts of one process: the last of each series in each format. Most of a thousand strategies stand still."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._texts: dict[tuple[str, str], tuple[list[LabelledNumber], bytes]] = {}

    def write(self, readings: Iterable[MetricReading], accept: str) -> tuple[bytes, str]:
        """Return the text that a scraper's Accept header asks for, and its content type."""
        encode, content_type = choose_encoder(accept)
        with self._lock:
            pieces = [self._text(reading, encode, content_type) for reading in readings if reading.samples]
        is_ended = content_type.startswith("application/openmetrics-text")
        return b"".join([*pieces, _END] if is_ended else pieces), content_type

    def _text(self, reading: MetricReading, encode: Encode, content_type: str) -> bytes:
        key = reading.series.name, content_type
        samples, text = self._texts.get(key, ([], b""))
        if samples != reading.samples:
            text = encode(_Single(reading.series.filled(reading.samples))).removesuffix(_END)
            self._texts[key] = reading.samples, text
        return text
