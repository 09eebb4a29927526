"""Indicators that were recorded around a trade: as lines on its chart, and as they stood at its entry and its exit."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from timeseries.measurements import INDICATORS, TIMES
from timeseries.reader import Reader
from trading.domain.excursions import TickPrices, TickTimes
from trading.models import Trade
from trading.queries.chart_candles import Candle, ChartSpan
from trading.queries.excursions import ns, symbol_of

_AMONG = 0.1  # so far beyond the candles, in their own prices, a line still lies among them


@dataclass(frozen=True, slots=True)
class IndicatorLine:
    """One indicator: its last number of each candle by the candle's time, ascending, and its last numbers up to the
    trade's opening and its close, None where none was recorded. ``is_price`` where it lies among the prices."""

    name: str
    points: Sequence[tuple[int, float]]
    is_price: bool
    at_entry: float | None
    at_exit: float | None


def indicator_lines(trade: Trade, reader: Reader, span: ChartSpan, candles: Sequence[Candle]) -> list[IndicatorLine]:
    """Return the indicators recorded of a trade's symbol in a span, by name. Raises: StoreUnavailable."""
    table = reader.history(INDICATORS, span.start, span.stop, account=trade.account.code, symbol=symbol_of(trade))
    return list(_lines(table, trade, candles)) if len(table) else []


def _lines(table: pa.Table, trade: Trade, candles: Sequence[Candle]) -> Iterator[IndicatorLine]:
    times = table.column("exchange_time").cast(pa.int64()).to_numpy()
    starts = np.array([ns(candle.at) for candle in candles], dtype=np.int64)
    prices = [price for candle in candles for price in (candle.low, candle.high)] or [0.0]
    low, high = min(prices), max(prices)
    slack = _AMONG * max(abs(low), abs(high))
    series = sorted(set(zip(*(table.column(tag).to_pylist() for tag in ("timeframe", "source")), strict=True)))
    names = [name for name in table.column_names if name not in (*TIMES, *INDICATORS.series_tags)]
    for timeframe, source in series:
        is_series = pc.and_(pc.equal(table.column("timeframe"), timeframe), pc.equal(table.column("source"), source))
        for name in names:
            numbers = table.column(name).to_numpy(zero_copy_only=False).astype(np.float64)
            counts = is_series.to_numpy() & np.isfinite(numbers)
            order = np.argsort(times[counts], kind="stable")
            at, of = times[counts][order], numbers[counts][order]
            if not len(at):
                continue
            places = np.searchsorted(starts, at, side="right") - 1
            last = {int(place): float(number) for place, number in zip(places, of, strict=True) if place >= 0}
            label = " ".join(filter(None, (name, timeframe, source if len({s for _, s in series}) > 1 else "")))
            yield IndicatorLine(
                name=label,
                points=[(candles[place].time, number) for place, number in sorted(last.items())],
                is_price=bool(low - slack <= np.median(of) <= high + slack),
                at_entry=_last(at, of, ns(trade.opened_at)),
                at_exit=None if trade.closed_at is None else _last(at, of, ns(trade.closed_at)),
            )


def _last(times: TickTimes, numbers: TickPrices, at: int) -> float | None:
    place = int(np.searchsorted(times, at, side="right"))
    return float(numbers[place - 1]) if place else None
