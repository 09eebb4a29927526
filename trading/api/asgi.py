"""Requests and answers of an application beside Django's, by ASGI's own messages."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import CancelledError, Future
from contextlib import suppress
from io import BytesIO
from typing import TypedDict
from urllib.parse import parse_qsl

import ninja.errors
import pydantic
from django.http import HttpRequest, HttpResponse

from trading.api import problems
from trading.api.problems import TooSlow
from trading.errors import InvalidValue, VeloxError

PIECE_SECONDS = 30.0  # a client that sends nothing for so long is gone
BODY_SECONDS = 600.0  # one that sends a byte now and then must not keep its thread for ever
GATHERED_BYTES = 2 << 20
DRAINED_BYTES_MAX = 16 << 20
POLICY_VIOLATION = 1008  # why a WebSocket is closed (RFC 6455)
HEADERS = {"X-Content-Type-Options": "nosniff", "Cache-Control": "no-store"}


class AsgiScope(TypedDict):
    """What of a connection matters here (https://asgi.readthedocs.io/en/latest/specs/www.html)."""

    type: str
    method: str
    path: str
    query_string: bytes
    headers: Sequence[tuple[bytes, bytes]]
    client: tuple[str, int] | None
    extensions: Mapping[str, Mapping[str, str]]


class AsgiMessage(TypedDict, total=False):
    """What comes and goes on a connection."""

    type: str
    body: bytes
    more_body: bool
    status: int
    headers: Sequence[tuple[bytes, bytes]]
    text: str | None
    bytes: bytes | None
    code: int


AsgiReceive = Callable[[], Awaitable[AsgiMessage]]
AsgiSend = Callable[[AsgiMessage], Awaitable[None]]
AsgiApplication = Callable[[AsgiScope, AsgiReceive, AsgiSend], Awaitable[None]]


class RequestBody:
    """A request's body, which comes on the event loop and is read in a thread.

    The loop gathers many pieces before the thread hears of them: each change between the two waits for a processor.
    """

    def __init__(self, receive: AsgiReceive, loop: asyncio.AbstractEventLoop) -> None:
        self._receive, self._loop = receive, loop
        self._rest, self._is_whole = BytesIO(), False
        self._fault: TooSlow | None = None
        self._ends_at = loop.time() + BODY_SECONDS
        self._coming: Future[None] | None = None

    def read(self, size: int, /) -> bytes:
        """Return the next bytes, in a thread. Raises: TooSlow where no more come."""
        while not (piece := self._rest.read(size)) and size:
            if self._fault is not None:
                raise self._fault
            if self._is_whole:
                break
            self._coming = asyncio.run_coroutine_threadsafe(self.gather(), self._loop)
            try:
                self._coming.result()
            except CancelledError:
                raise TooSlow("The server ends.", hint="Send the batch again.") from None
        return piece

    def cut(self) -> None:
        """Let whoever waits for more hear that none comes."""
        if self._coming is not None:
            self._coming.cancel()

    async def gather(self) -> None:
        """Receive the next bytes, so many or to the end; what keeps them from coming is raised once they are read."""
        pieces, size = list[bytes](), 0
        while size < GATHERED_BYTES and not self._is_whole:
            try:
                pieces.append(await self._next())
            except TooSlow as fault:
                self._fault, self._is_whole = fault, True
            else:
                size += len(pieces[-1])
        self._rest = BytesIO(b"".join(pieces))

    async def drain(self) -> None:
        """Receive what is still on its way, within bounds, and keep it nowhere."""
        size = 0
        with suppress(TooSlow, TimeoutError):
            async with asyncio.timeout(PIECE_SECONDS):
                while not self._is_whole and size < DRAINED_BYTES_MAX:
                    size += len(await self._next())

    async def _next(self) -> bytes:
        """Return the next piece. Raises: TooSlow."""
        try:
            async with asyncio.timeout(min(PIECE_SECONDS, self._ends_at - self._loop.time())):
                message = await self._receive()
        except TimeoutError:
            text = f"Nothing came for {PIECE_SECONDS:g} s, or it was not there within {BODY_SECONDS:g} s."
            raise TooSlow(text, hint="Send the batch again, or smaller ones.") from None
        self._is_whole = not message.get("more_body", False)
        if message["type"] != "http.request":
            raise TooSlow("The connection was cut.", hint="Send the batch again.")
        piece: bytes = message.get("body", b"")
        return piece


def header_of(scope: AsgiScope, name: bytes) -> str:
    """Return a header, empty where it is absent."""
    return next((value.decode("latin-1") for key, value in scope["headers"] if key == name), "")


def query_of(scope: AsgiScope) -> dict[str, str]:
    """Return a query's fields. Raises: InvalidValue for one that stands twice."""
    try:
        pairs = parse_qsl(scope["query_string"].decode(), keep_blank_values=True, errors="strict", max_num_fields=20)
    except ValueError as error:
        raise InvalidValue(f"The query cannot be read: {error}.", field="query") from error
    fields = dict(pairs)
    if len(fields) < len(pairs):
        raise InvalidValue("A field of the query stands twice.", field="query")
    return fields


def refusal_of(error: Exception) -> HttpResponse:
    """Return the answer to a request that was not carried out."""
    request = HttpRequest()
    if isinstance(error, VeloxError):
        return problems.refused(request, error)
    if isinstance(error, pydantic.ValidationError):
        details = [{**each, "loc": ("query", *each["loc"])} for each in error.errors()]
        return problems.malformed(request, ninja.errors.ValidationError(details))
    return problems.fault(request, error)


async def respond(response: HttpResponse, send: AsgiSend, kind: str = "http.response") -> None:
    """Send an answer."""
    headers = {**dict(response.items()), "Content-Length": str(len(response.content)), **HEADERS}
    pairs = [(name.lower().encode(), text.encode("latin-1")) for name, text in headers.items()]
    await send({"type": f"{kind}.start", "status": response.status_code, "headers": pairs})
    await send({"type": f"{kind}.body", "body": response.content})


async def deny(refusal: HttpResponse, scope: AsgiScope, send: AsgiSend) -> None:
    """Refuse a WebSocket before it is one."""
    if "websocket.http.response" in scope.get("extensions", {}):
        await respond(refusal, send, "websocket.http.response")
    else:
        await send({"type": "websocket.close", "code": POLICY_VIOLATION})
