"""`/health/`: for a load balancer, a container, `make run`. Open to all: it says one word, and looks once a second."""

from __future__ import annotations

import math
import threading
import time

from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, JsonResponse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from trading.health.report import report

DOWN = "down"
LIFETIME_SECONDS = 1.0


class RecentStatus:
    """The status of the last second. Of all who ask at once, one has every part looked at and the rest wait for it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._status, self._looked_at = "", -math.inf

    def get(self) -> str:
        with self._lock:
            if time.monotonic() - self._looked_at >= LIFETIME_SECONDS:
                self._status = report(now=timezone.now())["status"]
                self._looked_at = time.monotonic()
            return self._status


recent = RecentStatus()


@require_safe
@never_cache
@login_not_required
def health(request: HttpRequest) -> JsonResponse:
    """Answer `{"status"}`: 503 where it is `down`, else 200. What is wrong stands on the overview, behind the login."""
    status = recent.get()
    return JsonResponse({"status": status}, status=503 if status == DOWN else 200)
