"""Ticks over HTTP and WebSocket, beside Django's application: bodies of any length are recorded as they come.

Django's own reads a request to its end before it asks who sends it, and works for one request at a time. Here a thread
records while the event loop receives; the tokens, their limits, the errors and the log are those of the other calls.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from functools import partial
from io import BytesIO
from typing import ParamSpec, TypeVar

import pydantic
from django.conf import settings
from django.http import HttpResponse

from trading.api.access import admit, known_token
from trading.api.asgi import (
    POLICY_VIOLATION,
    AsgiApplication,
    AsgiReceive,
    AsgiScope,
    AsgiSend,
    RequestBody,
    deny,
    header_of,
    query_of,
    refusal_of,
    respond,
)
from trading.api.problems import HttpsRequired, NotThere, TooManyRequests, WrongMediaType, no_token
from trading.api.tick_batches import (
    BatchAnswer,
    BatchPlace,
    MessageHead,
    SocketPlace,
    log_batches,
    newest_batch,
    record_batch,
)
from trading.domain.plain_json import to_json
from trading.errors import InvalidValue
from trading.ledger_thread import awaited
from trading.models import ApiToken, TokenScope

PATH, STREAM_PATH = "/api/v1/ticks", "/api/v1/ticks/stream"
LOOK_SECONDS = 1.0
BATCHES_AT_ONCE = 4  # of one token
RECORDING_THREADS = 32
HEAD_BYTES_MAX = 256  # of a message's first line
FORMS = {"ndjson": "application/x-ndjson", "csv": "text/csv", "arrow": "application/vnd.apache.arrow.stream"}
TRY_AGAIN_LATER = 1013  # why a WebSocket is closed, beside RFC 6455's own (its registry)

P = ParamSpec("P")
Answer = TypeVar("Answer")


class TickApplication:
    """An ASGI application that answers what belongs to ticks, and leaves the rest to the one behind it."""

    def __init__(self, behind: AsgiApplication) -> None:
        self._behind = behind
        self._threads = ThreadPoolExecutor(max_workers=RECORDING_THREADS, thread_name_prefix="velox-ticks")
        self._at_work: Counter[int] = Counter()

    async def __call__(self, scope: AsgiScope, receive: AsgiReceive, send: AsgiSend) -> None:
        """Answer a request or a WebSocket, unless the server ends and has waited long enough for it."""
        with suppress(asyncio.CancelledError):  # the server would log it as a fault
            if scope["type"] == "websocket":
                await self._answer_socket(scope, receive, send)
            elif scope["type"] == "http" and scope["method"] == "POST" and scope["path"] == PATH:
                await respond(await self._answer_batch(scope, receive), send)
            else:
                await self._behind(scope, receive, send)

    async def _answer_batch(self, scope: AsgiScope, receive: AsgiReceive) -> HttpResponse:
        """Record one batch and return the answer."""
        body = RequestBody(receive, asyncio.get_running_loop())
        try:
            token = admit(await awaited(_known, scope))
            place = BatchPlace.model_validate(query_of(scope))
            if header_of(scope, b"content-encoding"):
                raise WrongMediaType("The body is encoded.", hint="Send it as it is.")
            media_type = header_of(scope, b"content-type").partition(";")[0].strip().lower()
            with self._counted(token):
                await body.gather()
                answer = await self._in_a_thread(record_batch, token, place, body, media_type)
        except asyncio.CancelledError:
            body.cut()
            raise
        except Exception as error:
            await body.drain()  # or its sender, who still sends, would not hear the answer
            return refusal_of(error)
        log_batches(token, [answer])
        return HttpResponse(to_json(answer.model_dump()), content_type="application/json")

    async def _answer_socket(self, scope: AsgiScope, receive: AsgiReceive, send: AsgiSend) -> None:
        """Record the batches that come over a WebSocket and acknowledge each, until one is refused or it is closed."""
        await receive()  # that it wants to connect
        try:
            if scope["path"] != STREAM_PATH:
                raise NotThere("Nothing is streamed here.", hint=f"Ticks are, at {STREAM_PATH}.")
            token = admit(await awaited(_known, scope))
            place = SocketPlace.model_validate(query_of(scope))
            newest = await self._in_a_thread(newest_batch, token, place.stream)
        except Exception as error:
            await deny(refusal_of(error), scope, send)
            return
        await send({"type": "websocket.accept"})
        await asyncio.sleep(0)  # who left before it was accepted is known to have left at the loop's next turn
        looked, answers = time.monotonic(), list[BatchAnswer]()
        try:
            await send({"type": "websocket.send", "text": to_json({"stream": place.stream, "sequence": newest})})
            while (message := await receive())["type"] == "websocket.receive":
                if time.monotonic() > looked + LOOK_SECONDS:
                    await awaited(_known, scope)  # a token that has ended ends what it opened
                    log_batches(token, answers)
                    looked, answers = time.monotonic(), []
                text = message.get("bytes") or (message.get("text") or "").encode()
                answers.append(await self._in_a_thread(_record_message, token, place, text))
                await send({"type": "websocket.send", "text": to_json(answers[-1].model_dump())})
        except OSError:
            return  # the client is gone
        except Exception as error:
            refusal = refusal_of(error)
            await send({"type": "websocket.send", "text": refusal.content.decode()})
            code = TRY_AGAIN_LATER if refusal.status_code >= 429 else POLICY_VIOLATION
            await send({"type": "websocket.close", "code": code})
        finally:
            log_batches(token, answers)

    @contextmanager
    def _counted(self, token: ApiToken) -> Iterator[None]:
        """Count a batch of a token while it is recorded. Raises: TooManyRequests."""
        if self._at_work[token.pk] >= BATCHES_AT_ONCE:
            raise TooManyRequests(1.0)
        self._at_work[token.pk] += 1
        try:
            yield
        finally:
            self._at_work[token.pk] -= 1

    async def _in_a_thread(self, call: Callable[P, Answer], *arguments: P.args, **keywords: P.kwargs) -> Answer:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, partial(call, *arguments, **keywords))


def _record_message(token: ApiToken, place: SocketPlace, message: bytes) -> BatchAnswer:
    """Record a message: a line that has the batch's sequence alone, then the ticks."""
    end = message.find(b"\n", 0, HEAD_BYTES_MAX)
    first, ticks = (message, b"") if end < 0 else (message[:end], message[end + 1 :])
    try:
        sequence = MessageHead.model_validate_json(first).sequence
    except pydantic.ValidationError as error:
        hint = 'Begin a message with a line such as {"sequence": 7}.'
        raise InvalidValue("The message has no sequence.", field="sequence", hint=hint) from error
    batch = BatchPlace(**place.model_dump(exclude={"form"}), sequence=sequence)
    return record_batch(token, batch, BytesIO(ticks), FORMS[place.form])


def _known(scope: AsgiScope) -> ApiToken:
    """Return the token that a request shows. Raises: HttpsRequired, WrongToken, WrongNetwork, ScopeMissing."""
    if settings.SECURE_SSL_REDIRECT and header_of(scope, b"x-forwarded-proto") != "https":
        raise HttpsRequired("The desk is reached by https alone.", hint=f"Use {settings.VELOX_SITE_URL}.")
    kind, _, secret = header_of(scope, b"authorization").partition(" ")
    token = None
    if kind.lower() == "bearer" and secret:
        token = known_token(secret, TokenScope.RECORD, (scope.get("client") or ("",))[0])
    if token is None:
        raise no_token()
    return token
