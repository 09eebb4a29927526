"""Candles of a trade's chart, from before its entry to after its exit.

A chart knows whole seconds of one kind and no zone: its times are seconds of the desk's wall clock, shifted by the
offset that the desk had when the trade was opened, so that they ascend also where the clocks change.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.utils import timezone

from timeseries.reader import Reader
from trading.domain.periods import PERIODS
from trading.models import Trade
from trading.queries.excursions import instant, ns, symbol_of
from trading.queries.sessions import candle_sessions

SCALES = ("1s", "5s", "15s", "1m", "5m", "15m", "30m", "1h", "1d")
CANDLES_USUAL, CANDLES_MAX = 400, 5000
AROUND = 20  # candles before the entry and after the exit
_SECOND = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class Candle:
    """One candle: its start in shifted seconds (see above) and as an instant, its prices, and how many ticks it has."""

    time: int
    at: datetime
    open: float
    high: float
    low: float
    close: float
    ticks: int


@dataclass(frozen=True, slots=True)
class ChartSpan:
    """The stretch of time that a chart shows, in ns UTC, half-open; ``every`` is what a candle spans, in ns."""

    start: int
    stop: int
    every: int


def chart_scales(trade: Trade, *, now: datetime) -> tuple[str, list[str]]:
    """Return the scale that shows a trade best, and all of `SCALES` that it is not too long for."""
    spans = {scale: chart_span(trade, scale, now=now) for scale in SCALES}
    counts = {scale: (span.stop - span.start) // span.every for scale, span in spans.items()}
    fitting = [scale for scale in SCALES if counts[scale] <= CANDLES_MAX] or [SCALES[-1]]
    return next((scale for scale in fitting if counts[scale] <= CANDLES_USUAL), fitting[-1]), fitting


def chart_span(trade: Trade, scale: str, *, now: datetime) -> ChartSpan:
    """Return the stretch that a trade's chart of this scale shows."""
    every, opened, closed = PERIODS[scale], ns(trade.opened_at), ns(trade.closed_at or now)
    around = max(AROUND * every, (closed - opened) // 4)
    return ChartSpan(opened - around, closed + around, every)


def desk_offset(trade: Trade) -> timedelta:
    """Return what the desk's wall clock was ahead of UTC when a trade was opened."""
    return trade.opened_at.astimezone(timezone.get_default_timezone()).utcoffset() or timedelta()


def candles_of(trade: Trade, reader: Reader, span: ChartSpan) -> list[Candle]:
    """Return the candles of a trade's symbol in a span, ascending. Raises: StoreUnavailable."""
    symbol, shift = symbol_of(trade), desk_offset(trade) // _SECOND
    table = reader.candles(
        symbol,
        every=span.every,
        start=span.start,
        stop=span.stop,
        account=trade.account.code,
        sessions=candle_sessions(symbol, span.start, span.stop),
    )
    columns = [table.column(name).to_pylist() for name in ("open", "high", "low", "close", "ticks")]
    starts = table.column("time").cast("int64").to_pylist()
    return [
        Candle(start // 10**9 + shift, instant(start), *prices) for start, *prices in zip(starts, *columns, strict=True)
    ]


def place_of(starts: Sequence[datetime], at: datetime) -> int | None:
    """Return the place of the last of some ascending starts at or before an instant, None where all come later."""
    place = bisect_right(starts, at)
    return place - 1 if place else None
