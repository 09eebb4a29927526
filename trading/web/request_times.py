"""How long pages and answers of the interface for programs take, counted for `/metrics`."""

from __future__ import annotations

import time
from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from timeseries import wiring

API, NOT_COUNTED = "/api/", ("/metrics", "/health/")  # who watches the desk is no part of what it does


def observed_requests(handle: Callable[[HttpRequest], HttpResponseBase]) -> Callable[[HttpRequest], HttpResponseBase]:
    """Return a middleware that counts how long each request took to be answered, files and streams aside."""

    def observed(request: HttpRequest) -> HttpResponseBase:
        started = time.perf_counter()
        response = handle(request)
        path = request.path_info
        if not response.streaming and not path.startswith((settings.STATIC_URL, *NOT_COUNTED)):
            wiring.observe("api" if path.startswith(API) else "page", time.perf_counter() - started)
        return response

    return observed
