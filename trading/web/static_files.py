"""The static files of the pages and of the admin, served where the apps keep them: no collecting, no manifest.

They are few and small, so each is read whole, packed once and sent; a browser that has one asks whether it changed and
is told no.
"""

from __future__ import annotations

import gzip
import hashlib
import mimetypes
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.contrib.staticfiles import finders
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.middleware.gzip import re_accepts_gzip
from django.views.decorators.cache import cache_control
from django.views.decorators.http import condition, require_safe
from django.views.decorators.vary import vary_on_headers
from django_structlog.middlewares import RequestMiddleware

MAX_AGE_SECONDS, FILES_MAX = 60, 256


class Script(NamedTuple):
    """A script of another package: its static name, and the digest without which a browser runs nothing of it."""

    name: str
    integrity: str

    def is_served(self) -> bool:
        """Tell whether its package is installed."""
        return _path(self.name) is not None


# lightweight-charts 5.1.0, byte for byte as its makers publish it: docs/decisions/0021-charts.md.
CHART_LIBRARY = Script(
    "charts/lightweight-charts.js", "sha384-ExNwjbclSLY2LS3S2c6aDJDjpBHGZLct23WX65fLzj0ob1bRrCh9H90WThES5wQA"
)


def logged_requests(handle: Callable[[HttpRequest], HttpResponseBase]) -> Callable[[HttpRequest], HttpResponseBase]:
    """Return django-structlog's middleware, which binds a request and who asks to the lines of a log; of a static file
    nobody asks who, as that would take most of its time."""
    middleware = RequestMiddleware(handle)

    def bind_user(request: HttpRequest) -> None:
        if not request.path_info.startswith(settings.STATIC_URL):
            RequestMiddleware.bind_user_id(request)

    middleware.bind_user_id = bind_user
    logged: Callable[[HttpRequest], HttpResponseBase] = middleware
    return logged


def _path(name: str) -> Path | None:
    place = finders.find(name)  # never outside the apps' own folders
    return Path(place) if isinstance(place, str) and Path(place).is_file() else None


def _is_packed(request: HttpRequest, path: Path) -> bool:
    return _is_text(path) and re_accepts_gzip.search(request.headers.get("Accept-Encoding", "")) is not None


def _is_text(path: Path) -> bool:
    kind, encoding = mimetypes.guess_type(path.name)
    return encoding is None and kind is not None and (kind.startswith("text/") or kind.endswith("javascript"))


def _etag(request: HttpRequest, name: str) -> str | None:
    path = _path(name)
    if path is None:
        return None
    facts = path.stat()
    words = f"{facts.st_mtime_ns}-{facts.st_size}-{_is_packed(request, path)}"
    return '"' + hashlib.blake2b(words.encode(), digest_size=12).hexdigest() + '"'


@lru_cache(FILES_MAX)
def _packed(path: Path, mtime_ns: int) -> bytes:
    return gzip.compress(path.read_bytes(), mtime=0)


@require_safe
@login_not_required
@cache_control(public=True, max_age=MAX_AGE_SECONDS)
@vary_on_headers("Accept-Encoding")
@condition(etag_func=_etag)
def static_file(request: HttpRequest, name: str) -> HttpResponse:
    """Answer with one file, or 304 where the browser has it as it is.

    These alone are packed: a page's packed length would tell of the secrets in it (BREACH).
    """
    path = _path(name)
    if path is None:
        raise Http404("There is no such file.")
    kind, encoding = mimetypes.guess_type(path.name)
    is_packed = _is_packed(request, path)
    content = _packed(path, path.stat().st_mtime_ns) if is_packed else path.read_bytes()
    response = HttpResponse(content, content_type=f"{kind}; charset=utf-8" if _is_text(path) else kind)
    if is_packed:
        response["Content-Encoding"] = "gzip"
    elif encoding is not None:
        response["Content-Encoding"] = encoding
    return response
