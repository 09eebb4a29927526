"""`/metrics`: the numbers of this desk for Prometheus, for who has the token. Without a token there is no such page."""

from __future__ import annotations

import hmac

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from trading.metrics.snapshot import RecentSnapshot
from trading.metrics.text import Texts

recent, texts = RecentSnapshot(), Texts()


@require_safe
@never_cache
@login_not_required
def metrics(request: HttpRequest) -> HttpResponse:
    """Answer in Prometheus text, or in OpenMetrics where the scraper asks; 503 where nothing was read yet."""
    if not settings.VELOX_METRICS_TOKEN:
        raise Http404("Metrics are off: VELOX_METRICS_TOKEN is not set.")
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not hmac.compare_digest(
        token.strip().encode(), settings.VELOX_METRICS_TOKEN.encode()
    ):
        return _refusal(401, "Send the token of VELOX_METRICS_TOKEN as `Authorization: Bearer TOKEN`.\n")
    snapshot = recent.get()
    if snapshot is None:
        return _refusal(
            503, "Nothing was read yet: a part of VELOX hangs. Scrape again; `manage.py health` says more.\n"
        )
    text, content_type = texts.write(snapshot, request.headers.get("Accept", ""))
    return HttpResponse(text, content_type=content_type)


def _refusal(status: int, text: str) -> HttpResponse:
    response = HttpResponse(text, status=status, content_type="text/plain; charset=utf-8")
    if status == 401:
        response.headers["WWW-Authenticate"] = "Bearer"
    return response
