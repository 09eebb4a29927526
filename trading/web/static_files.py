"""The static files of the pages and of the admin, served where the apps keep them: no collecting, no manifest.

They are few and small, so each is read whole; a browser that has one asks whether it changed and is told no.
"""

from __future__ import annotations

import hashlib
import mimetypes
from pathlib import Path

from django.contrib.auth.decorators import login_not_required
from django.contrib.staticfiles import finders
from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.cache import cache_control
from django.views.decorators.http import condition, require_safe

MAX_AGE_SECONDS = 60


def _path(name: str) -> Path | None:
    place = finders.find(name)  # never outside the apps' own folders
    return Path(place) if isinstance(place, str) and Path(place).is_file() else None


def _etag(request: HttpRequest, name: str) -> str | None:
    path = _path(name)
    if path is None:
        return None
    facts = path.stat()
    return '"' + hashlib.blake2b(f"{facts.st_mtime_ns}-{facts.st_size}".encode(), digest_size=12).hexdigest() + '"'


@require_safe
@login_not_required
@cache_control(public=True, max_age=MAX_AGE_SECONDS)
@condition(etag_func=_etag)
def static_file(request: HttpRequest, name: str) -> HttpResponse:
    """Answer with one file, or 304 where the browser has it as it is."""
    path = _path(name)
    if path is None:
        raise Http404("There is no such file.")
    kind, encoding = mimetypes.guess_type(path.name)
    text = kind is not None and (kind.startswith("text/") or kind.endswith("javascript"))
    response = HttpResponse(path.read_bytes(), content_type=f"{kind}; charset=utf-8" if text else kind)
    if encoding:
        response["Content-Encoding"] = encoding
    return response
