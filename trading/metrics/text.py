"""Series as text, written by prometheus-client: names and labels once while they stay, numbers at every scrape."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from threading import Lock

from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

from trading.metrics.series import LabelledNumber, MetricReading, MetricSeries

_END = b"# EOF\n"  # of OpenMetrics, once for all series

Encode = Callable[[Collector], bytes]
_number_text: Callable[[float], str] = floatToGoString


class _Single(Collector):
    def __init__(self, metric: Metric) -> None:
        self._metric = metric

    def collect(self) -> Iterator[Metric]:
        yield self._metric


@dataclass(slots=True)
class _Written:
    """One series as it was last written in one format: its samples, its text, and the names that stand in it."""

    head: str = ""
    names: dict[tuple[str, ...], str] = field(default_factory=dict)  # by the labels' values: what precedes a number
    samples: list[LabelledNumber] = field(default_factory=list)
    text: str = ""


class Texts:
    """The texts of one process: the last of each series in each format.

    To write a name with its labels costs ten times what its number costs, and a thousand strategies keep their names.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._written: dict[tuple[str, str], _Written] = {}

    def write(self, readings: Iterable[MetricReading], accept: str) -> tuple[bytes, str]:
        """Return the text that a scraper's Accept header asks for, and its content type."""
        encode, content_type = choose_encoder(accept)
        with self._lock:
            pieces = [self._text(reading, encode, content_type) for reading in readings if reading.samples]
        is_ended = content_type.startswith("application/openmetrics-text")
        return "".join(pieces).encode() + (_END if is_ended else b""), content_type

    def _text(self, reading: MetricReading, encode: Encode, content_type: str) -> str:
        written = self._written.setdefault((reading.series.name, content_type), _Written())
        if written.samples != reading.samples:
            names = written.names
            fresh = [labels for labels, _ in reading.samples if labels not in names]
            if fresh:
                written.head, fresh_names = _names(reading.series, fresh, encode)
                names = names | fresh_names
            # Only those of now are kept: symbols and strategies come and go.
            written.names = {labels: names[labels] for labels, _ in reading.samples}
            lines = [f"{names[labels]}{_number_text(number)}\n" for labels, number in reading.samples]
            written.samples, written.text = reading.samples, "".join([written.head, *lines])
        return written.text


def _names(
    series: MetricSeries, labels: list[tuple[str, ...]], encode: Encode
) -> tuple[str, dict[tuple[str, ...], str]]:
    """Return what precedes a series' samples, and by their labels what precedes each number."""
    text = encode(_Single(series.filled([(values, 0.0) for values in labels]))).decode().removesuffix(_END.decode())
    lines = text.split("\n")[:-1]  # in a label a newline stands escaped
    head, samples = lines[: -len(labels)], lines[-len(labels) :]
    return "".join(f"{line}\n" for line in head), {
        values: line.rpartition(" ")[0] + " " for values, line in zip(labels, samples, strict=True)
    }
