"""The static files of the pages and of the admin, served where the apps keep them: no collecting, no manifest.

They are few and small, so each is read whole and sent packed; a browser that has one asks whether it changed and is
told no.
"""

from __future__ import annotations

import hashlib
import mimetypes
from pathlib import Path
from typing import NamedTuple

from django.contrib.auth.decorators import login_not_required
from django.contrib.staticfiles import finders
from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.cache import cache_control
from django.views.decorators.gzip import gzip_page
from django.views.decorators.http import condition, require_safe

MAX_AGE_SECONDS = 60


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
@gzip_page  # these alone: a page's packed length would tell of the secrets in it (BREACH)
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
