"""The ASGI entry point: Django's handler, with all of a request's middleware in the one thread that its view runs in.

Django's own takes each middleware to the thread and back, a score of changes per page, each of which waits for a
processor where strategies and the companion have them. And Django's own writes a request's body to the disk, however
large, before it asks who sends it.
"""

import os
from collections.abc import Awaitable, Callable, Mapping
from typing import IO

import django
from asgiref.sync import sync_to_async
from django.conf import settings
from django.core.exceptions import RequestDataTooBig
from django.core.handlers.asgi import ASGIHandler
from django.db import connections
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.utils.module_loading import import_string

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "velox_site.settings")

LIVE_PATH = "/health/live"
Message = Mapping[str, str | bytes | bool | int | list[tuple[bytes, bytes]]]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


class OneThreadHandler(ASGIHandler):
    """Django's ASGI handler over a synchronous chain of middleware; streamed answers stay asynchronous."""

    def load_middleware(self, is_async: bool = False) -> None:
        """Load the chain as a WSGI server would."""
        super().load_middleware(is_async=False)

    async def get_response_async(self, request: HttpRequest) -> HttpResponseBase:
        """Answer a request from its own thread."""
        return await sync_to_async(self._answered, thread_sensitive=True)(request)

    def _answered(self, request: HttpRequest) -> HttpResponseBase:
        """Return the answer; one that streams, perhaps for hours, keeps no connection to the ledger so long."""
        response = self.get_response(request)
        if response.streaming:
            connections.close_all()
        return response

    async def handle(self, scope: dict[str, str], receive: Receive, send: Send) -> None:
        """Answer a request; one that is larger than `REQUEST_BYTES_MAX` is told so (413).

        Whether this process lives is answered from here, not from the thread: a page that waits there for a dead
        database must not get the process restarted.
        """
        if scope["path"] == LIVE_PATH and scope["method"] in ("GET", "HEAD"):
            headers = [(b"content-type", b"application/json"), (b"cache-control", b"no-store")]
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            await send({"type": "http.response.body", "body": b'{"status": "alive"}'})
            return
        try:
            await super().handle(scope, receive, send)
        except RequestDataTooBig as error:
            await self.send_response(HttpResponse(f"{error}\n", status=413, content_type="text/plain"), send)

    async def read_body(self, receive: Receive) -> IO[bytes]:
        """Return a request's body. What is beyond the limit is received, so that its sender hears the answer, and
        kept nowhere.

        Raises: RequestAborted, RequestDataTooBig.
        """
        size, bytes_max = 0, settings.REQUEST_BYTES_MAX

        async def within_bounds() -> Message:
            nonlocal size
            message = await receive()
            piece = message.get("body")
            size += len(piece) if isinstance(piece, bytes) else 0
            return {**message, "body": b""} if size > bytes_max else message

        body = await super().read_body(within_bounds)
        if size > bytes_max:
            body.close()
            raise RequestDataTooBig(f"This is more than {bytes_max >> 20} MB: hand fewer files over at once.")
        return body


django.setup(set_prefix=False)
# By name: its room needs Django to be set up.
application = import_string("trading.api.tick_application.TickApplication")(OneThreadHandler())
