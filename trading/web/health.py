"""`/health/`: for a load balancer, a container, `make run`. Open to all: it says one word, and looks once a second.

`/health/live` looks at nothing: it is for who restarts a process that does not answer any more.
"""

from __future__ import annotations

from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from trading.health.recent import recent

DOWN = "down"


@require_safe
@never_cache
@login_not_required
def health(request: HttpRequest) -> JsonResponse:
    """Answer `{"status"}`: 503 where it is `down`, else 200. What is wrong stands on the overview, behind the login."""
    status = recent.get()["status"]
    return JsonResponse({"status": status}, status=503 if status == DOWN else 200)


@require_safe
@never_cache
@login_not_required
def live(request: HttpRequest) -> JsonResponse:
    """Answer that this process lives. `velox_site.asgi` says the same before any thread or middleware has a turn."""
    return JsonResponse({"status": "alive"})
