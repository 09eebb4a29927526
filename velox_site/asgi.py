"""The ASGI entry point: Django's handler, with all of a request's middleware in the one thread that its view runs in.

Django's own takes each middleware to the thread and back, a score of changes per page, each of which waits for a
processor where strategies and the companion have them.
"""

import os

import django
from asgiref.sync import sync_to_async
from django.core.handlers.asgi import ASGIHandler
from django.http import HttpRequest, HttpResponseBase

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "velox_site.settings")


class OneThreadHandler(ASGIHandler):
    """Django's ASGI handler over a synchronous chain of middleware; streamed answers stay asynchronous."""

    def load_middleware(self, is_async: bool = False) -> None:
        """Load the chain as a WSGI server would."""
        super().load_middleware(is_async=False)

    async def get_response_async(self, request: HttpRequest) -> HttpResponseBase:
        """Answer a request from its own thread."""
        return await sync_to_async(self.get_response, thread_sensitive=True)(request)


django.setup(set_prefix=False)
application = OneThreadHandler()
