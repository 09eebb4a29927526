"""What a token with the scope `record` records beside the ledger: ticks in batches, indicators, snapshots.

Each is in the spool before it is answered. Ticks have a stream and a sequence, the others an `Idempotency-Key`: by
these the same call again adds nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256
from typing import Literal

import structlog
from django.http import HttpRequest
from ninja import Query, Schema

from timeseries.measurements import INDICATORS, POSITION_SNAPSHOTS, Measurement
from timeseries.recording.marked import MarkedStream, Marker
from trading.api.desk import facade_of, recorder_of, token_of
from trading.api.keys import IdempotencyKey
from trading.api.problems import KeyReused
from trading.api.router import RECORD, router
from trading.api.shapes import Exact, Id, Moment, Name, Sent
from trading.api.tick_batches import BatchAnswer, BatchPlace, log_batches, own_name, record_batch
from trading.api.tick_bodies import READERS
from trading.domain.plain_json import to_json
from trading.errors import InvalidValue

log = structlog.get_logger("market_data")

TICKS_BODY = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {"type": "array", "items": {}}
            },  # a tick that is no object is a rejected row
            **{kind: {"schema": {"type": "string", "format": "binary"}} for kind in list(READERS)[1:]},
        },
    }
}


class IndicatorsBody(Sent):
    """Named numbers of a symbol at an instant, else now."""

    symbol: Name
    values: dict[Name, Exact]
    at: Moment | None = None
    timeframe: str = ""


class SnapshotBody(Sent):
    """An open position's price, quantity and P&L at an instant, else now."""

    strategy_id: Id
    symbol: Name
    current_price: Exact
    quantity: Exact
    pnl: Exact | None = None
    pnl_percent: Exact | None = None
    at: Moment | None = None


class PointAnswer(Schema):
    """The point is recorded, or was before."""

    recorded: Literal[True]


@router.post(
    "/ticks", response=BatchAnswer, auth=RECORD, tags=["record"], summary="Record a batch of ticks",
    openapi_extra=TICKS_BODY,
)  # fmt: skip
def process_ticks(request: HttpRequest, place: Query[BatchPlace]) -> BatchAnswer:
    """`DataManager.process_ticks`, of a body in JSON, lines of JSON, CSV or an Arrow stream, each row recorded once."""
    if strangers := sorted(set(request.GET) - set(BatchPlace.model_fields)):
        raise InvalidValue(f"There is no {strangers[0]!r} here.", field=strangers[0])
    answer = record_batch(token_of(request), place, request, request.content_type or "")
    log_batches(token_of(request), [answer])
    return answer


@router.post(
    "/indicators", response=PointAnswer, auth=RECORD, tags=["record"], summary="Record the indicators of a symbol"
)
def cache_indicators(request: HttpRequest, body: IndicatorsBody, key: IdempotencyKey = None) -> PointAnswer:
    """`DataManager.cache_indicators`."""
    telemetry, fields = facade_of(request).telemetry, body.model_dump()
    return _once(request, key, body, INDICATORS, lambda marker: telemetry.cache_indicators(**fields, marker=marker))


@router.post(
    "/snapshots", response=PointAnswer, auth=RECORD, tags=["record"], summary="Record an open position's value"
)
def update_position_snapshot(request: HttpRequest, body: SnapshotBody, key: IdempotencyKey = None) -> PointAnswer:
    """`DataManager.update_position_snapshot`."""
    recorder, fields = facade_of(request).telemetry.recorder, body.model_dump()
    fields["price"] = fields.pop("current_price")
    return _once(request, key, body, POSITION_SNAPSHOTS, lambda marker: recorder.snapshot(**fields, marker=marker))


def _once(
    request: HttpRequest, key: str | None, body: Sent, measurement: Measurement, record: Callable[[Marker | None], bool]
) -> PointAnswer:
    """Record a point, with a key only where it is not marked yet. Raises: KeyReused, SourceBusy, SpoolFull, ..."""
    token = token_of(request)
    with recorder_of(token) as recorder:
        if key is None:
            record(None)
        else:
            digest = sha256(to_json(body.model_dump()).encode()).hexdigest()
            marker = Marker(own_name(token, key), 0, prefix=digest)
            stream = MarkedStream(recorder, measurement, marker.stream)
            done = stream.progress(0)
            if done is not None and digest not in (done.answer, done.prefix):
                raise KeyReused(
                    "This key came with another point.", field="Idempotency-Key", hint="Take a new one for each."
                )
            if done is None or not done.rows:
                record(marker)
                stream.end(0, 1, digest)
    log.info("a point was recorded", measurement=measurement.name, idempotency_key=key)
    return PointAnswer(recorded=True)
