"""Requests and answers of an application beside Django's, by ASGI's own messages."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import CancelledError, Future
from contextlib import suppress
from typing import TypedDict
from urllib.parse import parse_qsl

import ninja.errors
import pydantic
from django.http import HttpRequest, HttpResponse

from trading.api import problems
from trading.api.problems import TooSlow
from trading.errors import InvalidValue, VeloxError

PIECE_SECONDS = 30.0  # a client that sends nothing for so long is gone
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
    """A request's body, which comes on the event loop and is read in a thread."""

    def __init__(self, receive: AsgiReceive, loop: asyncio.AbstractEventLoop) -> None:
        self._receive, self._loop = receive, loop
        self._rest, self._is_whole, self._size = b"", False, 0
        self._coming: Future[bytes] | None = None

    def read(self, size: int, /) -> bytes:
        """Return the next bytes, in a thread. Raises: TooSlow where no more come."""
        while not self._rest and not self._is_whole:
            self._coming = asyncio.run_coroutine_threadsafe(self._next(), self._loop)
            try:
                self._rest = self._coming.result()
            except CancelledError:
                raise TooSlow("The server ends.", hint="Send the batch again.") from None
        piece, self._rest = self._rest[:size], self._rest[size:]
        return piece

    def cut(self) -> None:
        """Let whoever waits for more hear that none comes."""
        if self._coming is not None:
            self._coming.cancel()

    async def drain(self) -> None:
        """Receive what is still on its way, within bounds, and keep it nowhere."""
        with suppress(TooSlow):
            while not self._is_whole and self._size < DRAINED_BYTES_MAX:
                await self._next()

    async def _next(self) -> bytes:
        """Return the next piece. Raises: TooSlow."""
        try:
            async with asyncio.timeout(PIECE_SECONDS):
                message = await self._receive()
        except TimeoutError:
            self._is_whole = True
            raise TooSlow(f"Nothing came for {PIECE_SECONDS:g} s.", hint="Send the batch again.") from None
        self._is_whole = not message.get("more_body", False)
        if message["type"] != "http.request":
            raise TooSlow("The connection was cut.", hint="Send the batch again.")
        piece: bytes = message.get("body", b"")
        self._size += len(piece)
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
