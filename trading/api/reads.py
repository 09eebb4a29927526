"""What a token with the scope `read` sees of its account: the facade's answers, under the facade's names."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from functools import wraps
from itertools import chain
from typing import Annotated, Literal, ParamSpec, TypeVar

from django.http import HttpRequest, HttpResponse
from ninja import Query
from pydantic import Field

from trading.api.desk import facade_of
from trading.api.records import PositionAnswer, SignalAnswer, TradeAnswer
from trading.api.router import READ, router
from trading.api.shapes import Id, JsonObject, Moment, Name, Sent, answer_shape, list_shape
from trading.domain import values
from trading.domain.plain_json import to_json
from trading.domain.shapes import DaySummary, Stats
from trading.errors import InvalidValue
from trading.queries.trades import TradeCursor, trades_page

P = ParamSpec("P")
Reply = TypeVar("Reply")
Days = Annotated[int, Field(ge=1, le=100_000)]

StopAnswer = answer_shape(values.TrailingStop)
CountersAnswer = answer_shape(values.StrategyCounters)
StatsAnswer = answer_shape(Stats)


PositionList = list_shape("PositionList", "positions", PositionAnswer, "Open trades, the oldest first.", {})
TradePage = list_shape(
    *("TradePage", "trades", TradeAnswer),
    "Some trades in the order of their opening; `next` asks for those behind them, null at the end.",
    {"next": (str | None, ...)},
)
SignalList = list_shape("SignalList", "signals", SignalAnswer, "Signals in order of time.", {})
StopList = list_shape("StopList", "stops", StopAnswer, "The last step of each open trade's trailing stop.", {})
CountersList = list_shape("CountersList", "strategies", CountersAnswer, "What each strategy did today.", {})


class OfTrade(Sent):
    """Which trade: the open one of this id, else the newest."""

    trade_id: Id
    strategy_id: Name | None = None


class TradeQuery(Sent):
    """Which trades; what is left out does not matter."""

    strategy_id: Name | None = None
    symbol: Name | None = None
    start: Moment | None = None
    stop: Moment | None = None
    state: Literal["OPEN", "CLOSED", "VOID"] | None = None
    after: str | None = None
    limit: Annotated[int, Field(ge=1, le=1000)] = 100


class SignalQuery(Sent):
    """Which signals."""

    strategy_id: Name
    start: Moment | None = None
    stop: Moment | None = None


class StatsQuery(Sent):
    """Over how many calendar days; null: all."""

    days: Days | None = 30


class StrategyQuery(StatsQuery):
    """Figures of which strategy."""

    strategy_id: Name


class SymbolQuery(StatsQuery):
    """Figures of which symbol."""

    symbol: Name


class DayQuery(Sent):
    """Which day at the desk; left out: the latest with data."""

    day: date | None = None


def in_order(figures: Stats) -> HttpResponse:
    """Return figures in the order in which the facade tells them, which a schema does not keep."""
    return HttpResponse(to_json(figures), content_type="application/json")


def without_strangers(view: Callable[P, Reply]) -> Callable[P, Reply]:
    """Let a view refuse what its query does not have: a misspelt filter must not answer with everything."""

    @wraps(view)
    def answer(*arguments: P.args, **keywords: P.kwargs) -> Reply:
        request, *queries = chain(arguments, keywords.values())
        names = {name for query in queries if isinstance(query, Sent) for name in type(query).model_fields}
        asked = request.GET if isinstance(request, HttpRequest) else ()
        if strangers := sorted(set(asked) - names):
            hint = f"It takes {', '.join(sorted(names)) or 'nothing'}."
            raise InvalidValue(f"There is no {strangers[0]!r} here.", field=strangers[0], hint=hint)
        return view(*arguments, **keywords)

    return answer


@router.get(
    "/positions", response=PositionList, auth=READ, tags=["read"], summary="What is open, with the last price seen"
)
@without_strangers
def positions(request: HttpRequest) -> dict[str, list[values.Position]]:
    """`DataManager.get_open_positions`."""
    return {"positions": facade_of(request).get_open_positions()}


@router.get(
    "/trades", response=TradePage, auth=READ, tags=["read"], summary="Trades by their opening, a page at a time"
)
@without_strangers
def trades(request: HttpRequest, filters: Query[TradeQuery]) -> dict[str, list[values.Trade] | str | None]:
    """As `DataManager.get_trades`; a trade that opens meanwhile is never shown twice and moves none."""
    page = filters.model_dump()
    after = None if filters.after is None else TradeCursor.parse(filters.after)
    rows, following = facade_of(request).ledger.read(trades_page, **page | {"after": after})
    return {"trades": rows, "next": None if following is None else following.text()}


@router.get("/trade", response=TradeAnswer, auth=READ, tags=["read"], summary="One trade")
@without_strangers
def trade(request: HttpRequest, filters: Query[OfTrade]) -> values.Trade:
    """`DataManager.get_trade`."""
    return facade_of(request).get_trade(filters.trade_id, strategy_id=filters.strategy_id)


@router.get("/signals", response=SignalList, auth=READ, tags=["read"], summary="Signals of a strategy")
@without_strangers
def signals(request: HttpRequest, filters: Query[SignalQuery]) -> dict[str, list[values.Signal]]:
    """`DataManager.get_signals`."""
    return {"signals": facade_of(request).get_signals(filters.strategy_id, filters.start, filters.stop)}


@router.get("/stops", response=StopList, auth=READ, tags=["read"], summary="The last step of each open trade's stop")
@without_strangers
def stops(request: HttpRequest) -> dict[str, list[values.TrailingStop]]:
    """`DataManager.get_trailing_stops`."""
    return {"stops": facade_of(request).get_trailing_stops()}


@router.get("/counters", response=CountersList, auth=READ, tags=["read"], summary="What each strategy did today")
@without_strangers
def counters(request: HttpRequest) -> dict[str, list[values.StrategyCounters]]:
    """`DataManager.get_all_counters`."""
    return {"strategies": facade_of(request).get_all_counters()}


@router.get("/statistics/strategy", response=StatsAnswer, auth=READ, tags=["read"], summary="Figures of a strategy")
@without_strangers
def strategy_stats(request: HttpRequest, filters: Query[StrategyQuery]) -> HttpResponse:
    """`DataManager.get_strategy_stats`."""
    return in_order(facade_of(request).get_strategy_stats(filters.strategy_id, filters.days))


@router.get("/statistics/symbol", response=StatsAnswer, auth=READ, tags=["read"], summary="Figures of a symbol")
@without_strangers
def symbol_stats(request: HttpRequest, filters: Query[SymbolQuery]) -> HttpResponse:
    """`DataManager.get_symbol_stats`."""
    return in_order(facade_of(request).get_symbol_stats(filters.symbol, filters.days))


@router.get("/day", response=JsonObject, auth=READ, tags=["read"], summary="The summary of a day")
@without_strangers
def day(request: HttpRequest, filters: Query[DayQuery]) -> DaySummary:
    """`DataManager.get_daily_summary`: keys as `daily_summary --format json` has them."""
    return facade_of(request).get_daily_summary(filters.day)
