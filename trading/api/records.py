"""What a token with the scope `record` writes into its account: the facade's ledger calls, each a POST.

A call that was answered is committed. The same call again, whatever became of the answer, changes nothing: trades,
fills, stops and signals have keys. Under an `Idempotency-Key` it hears the same answer, too.
"""

from __future__ import annotations

from typing import Literal

from django.http import HttpRequest, HttpResponse
from ninja import Schema

from trading.api.keys import IdempotencyKey, once
from trading.api.router import RECORD, router
from trading.api.shapes import Exact, Id, JsonObject, Moment, Name, Sent, answer_shape
from trading.data_manager import DataManager
from trading.domain import values

PositionAnswer = answer_shape(values.Position)
TradeAnswer = answer_shape(values.Trade)
SignalAnswer = answer_shape(values.Signal)


class OpeningBody(Sent):
    """The first fill of a trade."""

    trade_id: Id
    strategy_id: Name
    symbol: Name
    entry_price: Exact
    quantity: Exact
    entry_time: Moment
    signal_conditions: JsonObject | None = None
    side: Literal["LONG", "SHORT"] = "LONG"
    stop_price: Exact | None = None
    target_price: Exact | None = None
    charges: Exact | None = None
    fill_id: Id | None = None
    order_id: Id | None = None


class FillBody(Sent):
    """One more fill of an open trade, with an id: without one nobody can tell a repeat from another fill."""

    trade_id: Id
    side: Literal["BUY", "SELL"]
    price: Exact
    quantity: Exact
    at: Moment
    fill_id: Id
    strategy_id: Name | None = None
    charges: Exact | None = None
    order_id: Id | None = None
    flip_to: Id | None = None


class ClosingBody(Sent):
    """The exit of everything that is open of a trade."""

    trade_id: Id
    strategy_id: Name | None = None
    symbol: Name
    exit_price: Exact
    exit_time: Moment
    pnl: Exact | None = None
    pnl_percent: Exact | None = None
    exit_reason: str = ""
    charges: Exact | None = None
    fill_id: Id | None = None
    order_id: Id | None = None


class StopBody(Sent):
    """A step of an open trade's trailing stop."""

    trade_id: Id
    strategy_id: Name | None = None
    symbol: Name
    stop_price: Exact
    extreme_price: Exact
    method: str
    at: Moment


class StopAnswer(Schema):
    """The step is recorded, or was before."""

    recorded: Literal[True]


class SignalBody(Sent):
    """A signal with the conditions that were seen."""

    strategy_id: Name
    symbol: Name
    at: Moment
    conditions: JsonObject
    decision: Literal["TAKEN", "SKIPPED"]
    reason: str = ""


@router.post(
    "/positions", response=PositionAnswer, auth=RECORD, tags=["record"], summary="Open a trade with its first fill"
)
def open_position(
    request: HttpRequest, body: OpeningBody, key: IdempotencyKey = None
) -> HttpResponse | values.Position | values.Pending:
    """`DataManager.open_position`: answers the position, flagged `known_already` where it was recorded before."""
    return once(request, key, body, PositionAnswer, lambda desk: desk.open_position(**body.model_dump()))


@router.post(
    "/fills", response=PositionAnswer, auth=RECORD, tags=["record"], summary="Book one more fill on an open trade"
)
def add_fill(request: HttpRequest, body: FillBody, key: IdempotencyKey = None) -> HttpResponse | values.Position:
    """`DataManager.add_fill`: scaling in, a partial exit, the last exit, or with `flip_to` a reversal."""
    return once(request, key, body, PositionAnswer, lambda desk: desk.add_fill(**body.model_dump()))


@router.post("/closings", response=TradeAnswer, auth=RECORD, tags=["record"], summary="Close a trade")
def close_position(request: HttpRequest, body: ClosingBody, key: IdempotencyKey = None) -> HttpResponse | values.Trade:
    """`DataManager.close_position`: one exit of everything that is still open."""
    return once(request, key, body, TradeAnswer, lambda desk: desk.close_position(**body.model_dump()))


@router.post("/stops", response=StopAnswer, auth=RECORD, tags=["record"], summary="Move a trade's stop")
def update_trailing_sl(request: HttpRequest, body: StopBody, key: IdempotencyKey = None) -> HttpResponse | StopAnswer:
    """`DataManager.update_trailing_sl`."""

    def move(desk: DataManager) -> StopAnswer:
        desk.update_trailing_sl(**body.model_dump())
        return StopAnswer(recorded=True)

    return once(request, key, body, StopAnswer, move)


@router.post(
    "/signals", response=SignalAnswer, auth=RECORD, tags=["record"], summary="Record a signal, taken or skipped"
)
def record_signal(request: HttpRequest, body: SignalBody, key: IdempotencyKey = None) -> HttpResponse | values.Signal:
    """`DataManager.record_signal`."""
    return once(request, key, body, SignalAnswer, lambda desk: desk.record_signal(**body.model_dump()))
