"""What a token with the scope `read` sees of its account's points: candles, ticks, indicators, snapshots.

Each is a table, as JSON, as CSV or as an Arrow stream. A page is about as long as asked: it ends with an instant, and
the `start` of the next one is the instant behind it.
"""

from __future__ import annotations

from collections.abc import Callable

import pyarrow as pa
from django.http import HttpRequest, HttpResponse
from ninja import Query, Schema

from timeseries.measurements import TICKS, TIMES, Kind
from timeseries.stores.candles import SCHEMA as CANDLES
from trading.api.asking import (
    CandleQuery,
    IndicatorsQuery,
    MetricsQuery,
    NewestQuery,
    SnapshotQuery,
    SymbolSpan,
    TickQuery,
    TimeSpan,
    reading,
)
from trading.api.desk import facade_of
from trading.api.shapes import AnsweredNumber, AnsweredTime, FieldTypes, JsonObject, Name, list_shape, row_shape
from trading.api.tables import POINT_FORMS, instant_texts, number, table_response
from trading.domain.chain import Body
from trading.errors import InvalidValue

DAY = 86_400 * 10**9
SPAN_MAX = 3_700 * DAY  # a bound on the calendar that candles are counted by
NEXT: FieldTypes = {"next": (AnsweredTime | None, ...)}

TICK_COLUMNS: FieldTypes = {
    **dict.fromkeys(TIMES, (AnsweredTime, ...)),
    "source": (str, ...),
    **{field.name: ((str if field.kind is Kind.TEXT else AnsweredNumber) | None, ...) for field in TICKS.fields},
}
CANDLE_COLUMNS: FieldTypes = {
    name: ({"time": AnsweredTime, "ticks": int}.get(name, AnsweredNumber | None), ...) for name in CANDLES.names
}
about = "Rows by time; `next` is the `start` of the page behind them, null at the end."
TickPage = list_shape("TickPage", "ticks", row_shape("TickRow", TICK_COLUMNS), about, NEXT)
CandlePage = list_shape("CandlePage", "candles", row_shape("CandleRow", CANDLE_COLUMNS), about, NEXT)
PointPage = list_shape("PointPage", "points", JsonObject, about, NEXT)


class NewestTicks(Schema):
    """The newest tick of each symbol that has one, by exchange time: the fields that it has."""

    ticks: list[JsonObject]


class NewestIndicators(Schema):
    """The newest indicators of one symbol: numbers by name, and whether the spool, the store or the hot state told."""

    symbol: Name
    values: dict[str, AnsweredNumber]
    origin: str


class IndicatorList(Schema):
    """The newest indicators of each symbol that has some."""

    indicators: list[NewestIndicators]


@reading("/candles", CandlePage, "Candles of a symbol, counted from the session's open", forms=POINT_FORMS)
def candles(request: HttpRequest, asked: Query[CandleQuery]) -> HttpResponse:
    """`DataManager.get_candles`."""
    facade = facade_of(request)
    return _page(
        request,
        "candles",
        asked,
        lambda start, stop: facade.get_candles(asked.symbol, asked.every, start, stop, source=asked.source),
    )


@reading("/ticks", TickPage, "Ticks of a symbol", forms=POINT_FORMS)
def ticks(request: HttpRequest, asked: Query[TickQuery]) -> HttpResponse:
    """`DataManager.get_ticks`."""
    facade = facade_of(request)
    return _page(
        request, "ticks", asked, lambda start, stop: facade.get_ticks(asked.symbol, start, stop, source=asked.source)
    )


@reading("/ticks/newest", NewestTicks, "The newest tick of each symbol")
def newest_ticks(request: HttpRequest, asked: Query[NewestQuery]) -> dict[str, list[Body]]:
    """`DataManager.get_latest_ticks`."""
    rows = []
    for tick in facade_of(request).get_latest_ticks(asked.symbols).values():
        times = dict(zip(TIMES, instant_texts([tick[name] for name in TIMES]), strict=True))
        rows.append({name: number(each) if isinstance(each, float) else each for name, each in tick.items()} | times)
    return {"ticks": rows}


@reading("/indicators", PointPage, "Indicators that were recorded of a symbol", forms=POINT_FORMS)
def indicators(request: HttpRequest, asked: Query[SymbolSpan]) -> HttpResponse:
    """`DataManager.get_indicator_history`: a column for each name."""
    facade = facade_of(request)
    return _page(request, "points", asked, lambda start, stop: facade.get_indicator_history(asked.symbol, start, stop))


@reading("/indicators/newest", IndicatorList, "The newest indicators of each symbol")
def newest_indicators(request: HttpRequest, asked: Query[IndicatorsQuery]) -> dict[str, list[Body]]:
    """`DataManager.get_indicators_of`."""
    newest = facade_of(request).get_indicators_of(asked.symbols, timeframe=asked.timeframe or "")
    return {
        "indicators": [
            {
                "symbol": symbol,
                "values": {name: number(amount) for name, amount in of_symbol.items()},
                "origin": of_symbol.origin,
            }
            for symbol, of_symbol in newest.items()
        ]
    }


@reading("/snapshots", PointPage, "Snapshots of a strategy's position in a symbol", forms=POINT_FORMS)
def snapshots(request: HttpRequest, asked: Query[SnapshotQuery]) -> HttpResponse:
    """`DataManager.get_position_history`."""
    facade, strategy_id = facade_of(request), asked.strategy_id
    return _page(
        request,
        "points",
        asked,
        lambda start, stop: facade.get_position_history(strategy_id, asked.symbol, start, stop),
    )


@reading("/metrics", PointPage, "A strategy's day so far at each of its exit fills", forms=POINT_FORMS)
def metrics(request: HttpRequest, asked: Query[MetricsQuery]) -> HttpResponse:
    """`DataManager.get_strategy_metrics`."""
    facade = facade_of(request)
    return _page(
        request, "points", asked, lambda start, stop: facade.get_strategy_metrics(asked.strategy_id, start, stop)
    )


def _page(request: HttpRequest, name: str, asked: TimeSpan, read: Callable[[int, int], pa.Table]) -> HttpResponse:
    if asked.stop - asked.start > SPAN_MAX:
        raise InvalidValue("That is more than ten years.", field="start", hint="Ask for less at once.")
    page, following = page_of(read, asked.start, asked.stop, asked.limit)
    return table_response(request, name, page, None if following is None else instant_texts([following])[0])


def page_of(read: Callable[[int, int], pa.Table], start: int, stop: int, limit: int) -> tuple[pa.Table, int | None]:
    """Return at least ``limit`` rows by time, where there are as many, and the instant behind them; None at the end.

    They are read in stretches of a day, two, four and so on, so that no more is held than about twice what is asked.
    """
    tables, count, reach = [], 0, DAY
    while True:
        end = min(start + reach, stop)
        tables.append(read(start, end))
        count += len(tables[-1])
        if count > limit or end >= stop:
            break
        start, reach = end, reach * 2
    rows = pa.concat_tables(tables, promote_options="default").sort_by("time")
    if count <= limit:
        return rows, None
    times = rows.column("time").cast(pa.int64()).to_numpy()
    following = int(times[limit - 1]) + 1  # several points of one instant, of two timeframes say, stay together
    whole = int(times.searchsorted(following))
    return rows.slice(0, whole), following if whole < count or end < stop else None
