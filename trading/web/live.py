"""`/events/`: the overview's figures as they change, as server-sent events. The page works without it.

One thread of the web process looks for all who watch an account: at the journal's end and the counters of the spool
five times a second, and draws the sections only when one of them moved, or every other second for the state of health.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing
from dataclasses import dataclass, replace
from weakref import WeakValueDictionary

from django.conf import settings
from django.contrib.auth import get_user
from django.core.handlers.asgi import ASGIRequest
from django.db import close_old_connections
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.template.loader import render_to_string
from django.utils import timezone
from django.utils.module_loading import import_string
from django.views.decorators.http import require_GET

from timeseries import wiring
from trading.health.report import HealthReport, report
from trading.hot import cache
from trading.models import JournalHead
from trading.queries.accounts import get_account
from trading.web.channel import Channel, Picture, channels
from trading.web.choice import account_query, chosen_account
from trading.web.day_shown import DayShown, day_shown
from trading.web.guard import may_look

HEALTH_SECONDS = 2.0
FRESH_SECONDS = 1.0  # so old a look may be that a page shows in place of its own
CHECK_SECONDS = 20.0  # between two looks whether a viewer still may look: cut off within a minute, a slow look included
SECTIONS = ("tiles", "positions", "curve", "latest", "signals", "health")
NEEDS_ASGI = "Live figures need the ASGI server of `make serve`; this page shows those of its loading."

_looking = ThreadPoolExecutor(max_workers=1, thread_name_prefix="live")
_checking = ThreadPoolExecutor(max_workers=1, thread_name_prefix="live-check")

Footing = tuple[int, int, int, float]  # account, journal, spool, and the time where that alone tells


@dataclass(frozen=True, slots=True)
class Look:
    """What was seen of one account's newest day; ``began`` on the monotonic clock."""

    facts: DayShown
    health: HealthReport
    began: float


class OverviewLook:
    """Drawing the overview of one account, by one thread at a time."""

    def __init__(self, code: str) -> None:
        self.code = code
        self.newest: Look | None = None
        _looks[code] = self
        self._drawn: Footing | None = None
        self._health: tuple[float, HealthReport] | None = None

    def __call__(self, is_needed: bool) -> Picture | None:
        """Return the sections as they are now, None where nothing moved since the last time and none is needed."""
        close_old_connections()
        began = time.monotonic()
        account, now = get_account(self.code), timezone.now()
        sequence = JournalHead.objects.filter(account=account).values_list("sequence", flat=True).first() or 0
        recorded = sum(lane.issued() for lane in wiring.open_spool().lanes())
        ticking = time.monotonic() // HEALTH_SECONDS
        # With a shared hot state ticks may come from another machine, whose counters are not here.
        footing = (account.pk, sequence, recorded, time.monotonic() if cache.is_shared() else ticking)
        if footing == self._drawn and self.newest is not None and not is_needed:
            self.newest = replace(self.newest, began=began)
            return None
        if self._health is None or self._health[0] != ticking:
            self._health = (ticking, report(now=now))
        facts = day_shown(account, None, now=now)
        context = {
            **facts,
            "account": account,
            "account_query": account_query(account),
            "health": self._health[1],
        }
        sections = {f"live-{name}": render_to_string(f"velox/overview/{name}.html", context) for name in SECTIONS}
        self._drawn, self.newest = footing, Look(facts, self._health[1], began)
        return Picture({"day": facts["day"].isoformat(), "at": f"{timezone.localtime(now):%H:%M:%S}"}, sections)


_looks: WeakValueDictionary[str, OverviewLook] = WeakValueDictionary()  # by account, while somebody watches


def newest_look(code: str) -> Look | None:
    """Return what those who watch an account saw within the last second, None where nobody watches."""
    watching = _looks.get(code)
    newest = None if watching is None else watching.newest
    return newest if newest is not None and time.monotonic() - newest.began <= FRESH_SECONDS else None


@require_GET
def events(request: HttpRequest) -> HttpResponseBase:
    """Stream the overview's changes in one account until the viewer goes, or may look no more."""
    code = chosen_account(request).account.code
    if not isinstance(request, ASGIRequest):
        return HttpResponse(NEEDS_ASGI, status=501, content_type="text/plain; charset=utf-8")
    # A proxy that gathers an answer before it hands it on would hold every event back.
    return StreamingHttpResponse(
        _events(code, request.session.session_key),
        content_type="text/event-stream",
        headers={"X-Accel-Buffering": "no"},
    )


async def _events(code: str, session_key: str | None) -> AsyncGenerator[bytes]:
    loop, checked_at = asyncio.get_running_loop(), time.monotonic()
    async with aclosing(channels.stream(code, lambda: Channel(OverviewLook(code), _looking))) as stream:
        async for event in stream:
            if time.monotonic() - checked_at >= CHECK_SECONDS:
                if not await loop.run_in_executor(_checking, _may_still_look, session_key):
                    yield b"event: ended\ndata: {}\n\n"
                    return
                checked_at = time.monotonic()
            yield event


def _may_still_look(session_key: str | None) -> bool:
    """Tell whether the login of this session still stands, and its user still is in a group that may look."""
    close_old_connections()
    request = HttpRequest()
    request.session = import_string(f"{settings.SESSION_ENGINE}.SessionStore")(session_key)
    return may_look(get_user(request))
