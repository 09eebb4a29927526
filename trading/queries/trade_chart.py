"""One trade among its prices: what a chart draws, and the same as tables."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from timeseries.reader import Reader
from trading.domain import display
from trading.domain.chain import JSON
from trading.errors import InvalidValue
from trading.models import FeedGap, Trade
from trading.queries.chart_candles import Candle, candles_of, chart_scales, chart_span, desk_offset
from trading.queries.chart_indicators import IndicatorLine, indicator_lines
from trading.queries.chart_marks import ChartMark, joined_labels, marks_of, stop_line, stop_steps
from trading.queries.excursions import symbol_of

LINES_MAX = 8  # indicators that a chart draws; the tables have all


@dataclass(frozen=True, slots=True)
class PriceRow:
    """One candle as a row of a table: its start, its prices, how many ticks it has, the stop at its end, and what
    happened in it."""

    at: datetime
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    ticks: int
    stop: Decimal | None
    marks: Sequence[ChartMark]


@dataclass(frozen=True, slots=True, kw_only=True)
class TradeChart:
    """A trade among its prices. ``scales`` are those that it is not too long for, ``offset`` is the desk's (+05:30),
    ``decimals`` is how many its prices are shown with, ``stop`` the stop in force at each candle's end."""

    scale: str
    scales: Sequence[str]
    offset: str
    decimals: int
    candles: Sequence[Candle]
    marks: Sequence[ChartMark]
    stop: Sequence[tuple[int, Decimal]]
    target: Decimal | None
    indicators: Sequence[IndicatorLine]

    def rows(self) -> list[PriceRow]:
        """Return the candles as rows of a table."""
        stops, marks = dict(self.stop), defaultdict(list)
        for mark in self.marks:
            marks[mark.time].append(mark)
        return [
            PriceRow(
                at=bar.at,
                open=_exact(bar.open),
                high=_exact(bar.high),
                low=_exact(bar.low),
                close=_exact(bar.close),
                ticks=bar.ticks,
                stop=stops.get(bar.time),
                marks=marks.get(bar.time, ()),
            )
            for bar in self.candles
        ]

    def as_dict(self) -> dict[str, JSON]:
        """Return what a page's script draws, with nothing left to compute."""
        marks = [mark for mark in self.marks if mark.label and mark.time is not None]
        return {
            "scale": self.scale,
            "offset": self.offset,
            "decimals": self.decimals,
            "candles": [
                {"time": bar.time, "open": bar.open, "high": bar.high, "low": bar.low, "close": bar.close}
                for bar in self.candles
            ],
            "marks": [
                {
                    "kind": mark.kind,
                    "time": mark.time,
                    "price": _number(mark.price),
                    "text": label,
                    "is_below": mark.is_below,
                }
                for mark, label in zip(marks, joined_labels(marks, self.candles), strict=True)
            ],
            "stop": [{"time": time, "value": float(price)} for time, price in self.stop],
            "target": _number(self.target),
            "indicators": [
                {
                    "name": line.name,
                    "is_price": line.is_price,
                    "points": [{"time": time, "value": number} for time, number in line.points],
                }
                for line in self.indicators[:LINES_MAX]
            ],
            "indicators_left_out": max(0, len(self.indicators) - LINES_MAX),
        }


def trade_chart(trade: Trade, reader: Reader, *, scale: str = "", now: datetime) -> TradeChart:
    """Return a trade, loaded with `trade_list.related`, among its prices.

    Raises: InvalidValue for a scale that it cannot have, StoreUnavailable.
    """
    usual, scales = chart_scales(trade, now=now)
    scale = scale or usual
    if scale not in scales:
        raise InvalidValue(f"scale is {scale!r}.", field="scale", hint=f"Give one of {' '.join(scales)}.")
    span = chart_span(trade, scale, now=now)
    candles, steps = candles_of(trade, reader, span), stop_steps(trade)
    gaps = FeedGap.objects.filter(
        account=trade.account,
        symbol=symbol_of(trade),
        starts_at__lt=trade.closed_at or now,
        ends_at__gt=trade.opened_at,
    )
    return TradeChart(
        scale=scale,
        scales=scales,
        offset=_offset(trade),
        decimals=_decimals(trade),
        candles=candles,
        marks=marks_of(trade, steps, list(gaps), candles),
        stop=stop_line(trade, steps, candles, timedelta(microseconds=span.every // 1000)),
        target=trade.target_price,
        indicators=indicator_lines(trade, reader, span, candles),
    )


def _offset(trade: Trade) -> str:
    minutes = desk_offset(trade) // timedelta(minutes=1)
    return f"{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02}:{abs(minutes) % 60:02}"


def _decimals(trade: Trade) -> int:
    """Return the decimals of a trade's price tick, at least those of its currency."""
    tick = display.plain(trade.instrument.price_tick)
    return max(len(tick.partition(".")[2]), display.minor_unit(trade.account.currency))


def _exact(price: float) -> Decimal:
    """Return a stored price as it was written: the shortest decimal that makes this float."""
    return Decimal(repr(price))


def _number(price: Decimal | None) -> float | None:
    return None if price is None else float(price)
