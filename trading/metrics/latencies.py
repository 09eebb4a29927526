"""How long calls took in every process of the desk, as histograms."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from itertools import accumulate

from timeseries import wiring
from timeseries.spool.latencies import BOUNDS_SECONDS
from trading.metrics import series
from trading.metrics.series import COUNT, SUM, LabelledNumber, MetricReading, MetricSeries

HISTOGRAMS: tuple[tuple[MetricSeries, dict[str, tuple[str, ...]]], ...] = (  # by the kind that processes count
    (series.LEDGER_CALLS, {"ledger_write": ("write",), "ledger_read": ("read",)}),
    (series.POINTS_READ, {"points_read": ()}),
    (series.SHIPPING, {"shipping": ()}),
    (series.REQUESTS, {"page": ("page",), "api": ("api",)}),
)
_BOUNDS = (*map(str, BOUNDS_SECONDS), "+Inf")


def latencies(*, now: datetime) -> Iterator[MetricReading]:
    """Yield how long calls at the ledger, readings of points, shipping and requests took."""
    counts = wiring.latency_counts()
    for histogram, kinds in HISTOGRAMS:
        samples = [sample for kind, labels in kinds.items() for sample in _samples(labels, counts[kind])]
        yield MetricReading(histogram, samples)


def _samples(labels: tuple[str, ...], words: list[int]) -> Iterator[LabelledNumber]:
    *buckets, nanoseconds = words
    for bound, below in zip(_BOUNDS, accumulate(buckets), strict=True):
        yield (*labels, bound), below
    yield (*labels, COUNT), sum(buckets)
    yield (*labels, SUM), nanoseconds / 10**9
