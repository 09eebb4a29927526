"""What a token with the scope `operate` may do about points, and see of health. Nothing here corrects the ledger.

Dead letters, sending again and waiting are the data folder's, of all accounts, as the commands are.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Literal

import structlog
from django.http import HttpRequest, HttpResponse
from ninja import Schema
from pydantic import Field

from timeseries.shipping.resending import list_letters
from timeseries.wiring import open_pump, open_spool
from trading.api.desk import facade_of
from trading.api.router import OPERATE, router
from trading.api.shapes import JsonObject, Moment, Sent
from trading.domain.plain_json import to_json

log = structlog.get_logger("system")


class FlushBody(Sent):
    """How long to wait at most, in seconds."""

    timeout: Annotated[float, Field(ge=0, le=30, strict=True)] = 5.0


class FlushAnswer(Schema):
    """Every earlier point of the token's source is in the store."""

    flushed: Literal[True]


class ResendBody(Sent):
    """From which time on; null: only what damaged files of the store held."""

    since: Moment | None


class ResentAnswer(Schema):
    """How many points went again, how many of them were refused, and the damaged files with what became of each."""

    points: int
    refused: int
    files: list[JsonObject]


class LettersAnswer(Schema):
    """Each point that the store refused, with its line and the reason."""

    dead_letters: list[JsonObject]


class RetriedAnswer(Schema):
    """How many dead letters are stored now, were of cleared accounts, and were refused again."""

    stored: int
    cleared: int
    refused: int


@router.get("/health/full", response=JsonObject, auth=OPERATE, tags=["operate"], summary="Health with its words")
def full_health(request: HttpRequest) -> HttpResponse:
    """`DataManager.health`: each part with what is wrong and what cures it."""
    return HttpResponse(to_json(facade_of(request).health()), content_type="application/json")


@router.get("/dead-letters", response=LettersAnswer, auth=OPERATE, tags=["operate"], summary="What the store refused")
def dead_letters(request: HttpRequest) -> dict[str, list[dict[str, str | int]]]:
    """`manage.py dead_letters`."""
    return {"dead_letters": list_letters(open_spool())}


@router.post(
    "/dead-letters/retry", response=RetriedAnswer, auth=OPERATE, tags=["operate"], summary="Offer dead letters again"
)
def retry_dead_letters(request: HttpRequest) -> dict[str, int]:
    """`manage.py dead_letters --retry`. Raises: StoreUnavailable."""
    counts = asdict(open_pump().retry_dead_letters())
    log.info("dead letters were offered again", **counts)
    return counts


@router.post(
    "/flush", response=FlushAnswer, auth=OPERATE, tags=["operate"], summary="Wait until points are in the store"
)
def flush(request: HttpRequest, body: FlushBody) -> FlushAnswer:
    """`DataManager.flush`. Raises: FlushTimeout."""
    facade_of(request).flush(body.timeout)
    return FlushAnswer(flushed=True)


@router.post("/resend", response=ResentAnswer, auth=OPERATE, tags=["operate"], summary="Send kept points again")
def resend(request: HttpRequest, body: ResendBody) -> dict[str, int | list[JsonObject]]:
    """`manage.py resend --since`, or `--damaged`; a repeat changes nothing. Raises: StoreUnavailable."""
    pump = open_pump()
    if body.since is None:
        files = [asdict(mending) for mending in pump.heal()]
        log.info("damaged files were filled", files=len(files))
        return {"points": 0, "refused": 0, "files": files}
    sent = pump.resend(int(body.since.timestamp()) * 10**9)
    log.info("points were sent again", since=body.since.isoformat(), points=sent.points, refused=sent.refused)
    return {"points": sent.points, "refused": sent.refused, "files": []}
