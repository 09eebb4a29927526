"""`/events`: what happens in the token's account as it happens, as server-sent events that are resumed by id.

`journal` is a row of the account's journal, its id the sequence; `health` is the state of each part, first of all and
whenever it changes; `beat` comes every few seconds in between, `fault` while nobody can look, `ended` once the token
has ended.
"""

from __future__ import annotations

import asyncio
import threading
from collections import defaultdict
from collections.abc import AsyncGenerator
from contextlib import aclosing
from datetime import UTC, datetime
from functools import partial
from typing import Annotated
from weakref import WeakSet

import structlog
from django.core.handlers.asgi import ASGIRequest
from django.http import HttpRequest, StreamingHttpResponse
from django.http.response import HttpResponseBase
from ninja import Header, Query
from pydantic import Field

from trading.api.asking import without_strangers
from trading.api.desk import token_of
from trading.api.problems import TooManyRequests, problem
from trading.api.router import READ, router
from trading.api.shapes import Sent
from trading.errors import InvalidValue, VeloxError
from trading.live.account_feed import feed_of, health_text
from trading.live.channel import Channel, channels
from trading.live.watching import looking, renew_connections, while_allowed
from trading.models import ApiToken
from trading.queries.accounts import get_account
from trading.queries.journal_events import journal_end
from trading.queries.tokens import is_alive, token_by_digest
from trading.transactions import ask

STREAMS_MAX = 10  # of one token and process, each of which holds a socket and a thread
Sequence = Annotated[int, Field(ge=0, lt=2**63)]
log = structlog.get_logger("system")
STREAM = {
    "responses": {
        200: {
            "description": "Events without end: `journal`, `health`, `beat`, `fault`, `ended`",
            "content": {"text/event-stream": {"schema": {"type": "string"}}},
        },
        501: {"description": "This server cannot stream: use `make serve`"},
    }
}


class Seat:
    """What a stream holds while it is open: one of a token's few. One whose program went before it began is freed
    with its answer."""


_seats: defaultdict[int, WeakSet[Seat]] = defaultdict(WeakSet)
_seating = threading.Lock()


def take_seat(token: ApiToken) -> Seat:
    """Return a token's seat for another stream. Raises: TooManyRequests."""
    with _seating:
        if len(_seats[token.pk]) >= STREAMS_MAX:
            raise TooManyRequests(60.0)
        seat = Seat()
        _seats[token.pk].add(seat)
        return seat


class EventQuery(Sent):
    """Behind which sequence of the journal; left out: from now on. The header `Last-Event-ID` says the same."""

    after: Sequence | None = None


@router.get(
    "/events", auth=READ, tags=["read"], summary="What happens in the account, as it happens", openapi_extra=STREAM
)
@without_strangers
def events(
    request: HttpRequest,
    asked: Query[EventQuery],
    last_event_id: Annotated[Sequence | None, Header(alias="Last-Event-ID")] = None,
) -> HttpResponseBase:
    """Stream the journal's rows and changes of health until the program goes, or its token ends."""
    token = token_of(request)
    after = asked.after if last_event_id is None else last_event_id
    end = ask(lambda: journal_end(get_account(token.account.code)))
    if after is not None and after > end:
        raise InvalidValue(f"The journal ends with {end}.", field="after", hint="Give the id of an event that came.")
    if not isinstance(request, ASGIRequest):
        return problem(501, "Events need the ASGI server of `make serve`.", code="no_streams")
    seat = take_seat(token)
    # A proxy that gathers an answer before it hands it on would hold every event back.
    return StreamingHttpResponse(
        _events(token, end if after is None else after, seat),
        content_type="text/event-stream",
        headers={"X-Accel-Buffering": "no"},
    )


async def _events(token: ApiToken, after: int, seat: Seat) -> AsyncGenerator[bytes]:
    try:
        async with aclosing(while_allowed(_watched(token.account.code, after), partial(_still_may, token))) as stream:
            async for event in stream:
                yield event
    finally:
        _seats[token.pk].discard(seat)


async def _watched(code: str, after: int) -> AsyncGenerator[bytes]:
    """Yield the events of an account behind a sequence, from what its feed keeps and else from the ledger."""
    loop, health, feed = asyncio.get_running_loop(), "", feed_of(code)
    yield b"retry: 1000\n\n"
    async with aclosing(channels.frames(f"journal {code}", lambda: Channel(feed, looking))) as frames:
        async for frame in frames:
            if isinstance(frame, bytes):
                yield frame
                continue
            while after < int(frame.picture.facts["sequence"]):
                try:
                    rows = feed.kept_after(after) or await loop.run_in_executor(looking, feed.read_after, after)
                except VeloxError as error:  # who comes back goes on where this ends
                    log.warning("a stream ends: the ledger cannot be read", error=str(error))
                    return
                if not rows:  # the account was cleared meanwhile
                    break
                for _, text in rows:
                    yield text
                after = rows[-1][0]
            if health != frame.picture.facts["health"]:
                health = frame.picture.facts["health"]
                yield health_text(health)


def _still_may(token: ApiToken) -> bool:
    """Tell whether a token is neither revoked nor past its end."""
    renew_connections()
    row = ask(token_by_digest, token.sha256)
    return row is not None and is_alive(row, datetime.now(UTC))
