"""What a token with the scope `read` sees of its account's trades and of the desk: the facade's answers and names."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from ninja import Query, Schema

from trading.api.asking import (
    MarketDayQuery,
    MaybeStrategy,
    OfTrade,
    PositionQuery,
    SignalQuery,
    StrategyName,
    TradeQuery,
    reading,
)
from trading.api.cursors import place_of, text_of
from trading.api.desk import facade_of
from trading.api.records import PositionAnswer, SignalAnswer, TradeAnswer
from trading.api.shapes import FieldTypes, answer_shape, list_shape, many
from trading.api.sheets import event_rows
from trading.api.tables import LIST_FORMS, answer_response, list_response
from trading.domain import limits as limit_values
from trading.domain import values
from trading.health.recent import recent
from trading.queries import market_day as market_days
from trading.queries.signals import signals_page
from trading.queries.trade_whole import FillFacts, StopMove, TradeWhole, trade_whole
from trading.queries.trades import trades_page

NEXT: FieldTypes = {"next": (str | None, ...)}

StopAnswer = answer_shape(values.TrailingStop)
CountersAnswer = answer_shape(values.StrategyCounters)
MarketDayAnswer = answer_shape(market_days.MarketDay)
LimitAnswer = answer_shape(limit_values.LimitState)
LimitsAnswer = answer_shape(limit_values.LimitsNow, limits=many(LimitAnswer))
FillAnswer, StepAnswer = answer_shape(FillFacts), answer_shape(StopMove)

PositionList = list_shape("PositionList", "positions", PositionAnswer, "Open trades, the oldest first.", {})
TradePage = list_shape(
    *("TradePage", "trades", TradeAnswer),
    "Some trades in the order of their opening; `next` asks for those behind them, null at the end.",
    NEXT,
)
SignalPage = list_shape(
    *("SignalPage", "signals", SignalAnswer),
    "Some signals in order of time; `next` asks for those behind them, null at the end.",
    NEXT,
)
StopList = list_shape("StopList", "stops", StopAnswer, "The last step of each open trade's trailing stop.", {})
CountersList = list_shape("CountersList", "strategies", CountersAnswer, "What each strategy did today.", {})
WholeAnswer = answer_shape(
    TradeWhole,
    trade=(TradeAnswer, ...),
    fills=many(FillAnswer),
    stops=many(StepAnswer),
    signals=many(SignalAnswer),
)


class PartStatus(Schema):
    """How one part of VELOX is, and since when; the words and cures are for people and for the scope `operate`."""

    status: str
    code: str
    since: str


class HealthAnswer(Schema):
    """How VELOX is as a whole, and each of its parts."""

    status: str
    checked_at: str
    parts: dict[str, PartStatus]


@reading("/positions", PositionList, "What is open, with the last price seen", forms=LIST_FORMS)
def positions(request: HttpRequest) -> HttpResponse:
    """`DataManager.get_open_positions`."""
    return list_response(request, "positions", PositionAnswer, facade_of(request).get_open_positions())


@reading("/position", PositionAnswer, "What a strategy holds of a symbol, as one")
def position(request: HttpRequest, asked: Query[PositionQuery]) -> values.Position:
    """`DataManager.get_position`."""
    return facade_of(request).get_position(asked.strategy_id, asked.symbol)


@reading("/trades", TradePage, "Trades by their opening, a page at a time", forms=LIST_FORMS)
def trades(request: HttpRequest, filters: Query[TradeQuery]) -> HttpResponse:
    """As `DataManager.get_trades`; a trade that opens meanwhile is never shown twice and moves none."""
    facade, asked = facade_of(request), filters.model_dump()
    after = place_of(filters.after, facade.account)
    rows, following = facade.ledger.read(trades_page, **asked | {"after": after})
    return list_response(request, "trades", TradeAnswer, rows, next=text_of(following, facade.account))


@reading("/trade", TradeAnswer, "One trade", forms=LIST_FORMS)
def trade(request: HttpRequest, filters: Query[OfTrade]) -> HttpResponse:
    """`DataManager.get_trade`."""
    row = facade_of(request).get_trade(filters.trade_id, strategy_id=filters.strategy_id)
    return answer_response(request, row.as_dict(), [row])


@reading(
    "/trade/whole", WholeAnswer, "One trade with its fills, the steps of its stop and its signals", forms=LIST_FORMS
)
def whole_trade(request: HttpRequest, filters: Query[OfTrade]) -> HttpResponse:
    """As `DataManager.get_trade`, `get_executions` and `get_trailing_sl_history`, exact."""
    ledger = facade_of(request).ledger
    whole = ledger.read(trade_whole, filters.trade_id, strategy_id=filters.strategy_id)
    signals = [signal.as_dict() for signal in whole["signals"]]
    answer = {**whole, "trade": whole["trade"].as_dict(), "signals": signals}
    return answer_response(request, answer, [*event_rows(whole)])


@reading("/signals", SignalPage, "Signals by time, a page at a time", forms=LIST_FORMS)
def signals(request: HttpRequest, filters: Query[SignalQuery]) -> HttpResponse:
    """As `DataManager.get_signals`, of one strategy or of all."""
    facade, asked = facade_of(request), filters.model_dump()
    after = place_of(filters.after, facade.account)
    rows, following = facade.ledger.read(signals_page, **asked | {"after": after})
    return list_response(request, "signals", SignalAnswer, rows, next=text_of(following, facade.account))


@reading("/stops", StopList, "The last step of each open trade's stop", forms=LIST_FORMS)
def stops(request: HttpRequest, filters: Query[MaybeStrategy]) -> HttpResponse:
    """`DataManager.get_trailing_stops`."""
    rows = facade_of(request).get_trailing_stops(strategy_id=filters.strategy_id)
    return list_response(request, "stops", StopAnswer, rows)


@reading("/counters", CountersList, "What each strategy did today", forms=LIST_FORMS)
def counters(request: HttpRequest, filters: Query[MaybeStrategy]) -> HttpResponse:
    """`DataManager.get_all_counters`, or of one strategy `get_strategy_counters`."""
    facade, strategy_id = facade_of(request), filters.strategy_id
    rows = facade.get_all_counters() if strategy_id is None else [facade.get_strategy_counters(strategy_id)]
    return list_response(request, "strategies", CountersAnswer, rows)


@reading("/limits", LimitsAnswer, "How far a strategy's and its account's limits are used")
def limits(request: HttpRequest, asked: Query[StrategyName]) -> limit_values.LimitsNow:
    """`DataManager.limits`."""
    return facade_of(request).limits(asked.strategy_id)


@reading("/market-day", MarketDayAnswer, "A symbol's trading day")
def market_day(request: HttpRequest, asked: Query[MarketDayQuery]) -> market_days.MarketDay:
    """`DataManager.get_market_day`."""
    return facade_of(request).get_market_day(asked.symbol, asked.at)


@reading("/health", HealthAnswer, "How VELOX is, part by part")
def health(request: HttpRequest) -> HealthAnswer:
    """`DataManager.health` without its words, which may name what is another account's; at most a second old."""
    report = recent.get()
    parts = {
        name: PartStatus(status=each["status"], code=each["code"], since=each["since"])
        for name, each in report["parts"].items()
    }
    return HealthAnswer(status=report["status"], checked_at=report["checked_at"], parts=parts)
