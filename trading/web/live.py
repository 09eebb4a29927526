"""`/events/`: the overview's figures as they change, as server-sent events. The page works without it.

One thread of the web process looks for all who watch an account: at the journal's end and the counters of the spool
five times a second, and draws what follows from the one that moved, or every other second for the state of health.
"""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass, replace
from functools import partial
from typing import NamedTuple
from weakref import WeakValueDictionary

from django.conf import settings
from django.contrib.auth import get_user
from django.core.handlers.asgi import ASGIRequest
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.template.loader import render_to_string
from django.utils import timezone
from django.utils.module_loading import import_string
from django.views.decorators.http import require_GET

from timeseries import wiring
from trading.domain.limits import LimitState
from trading.health.report import HealthReport, report
from trading.hot import cache
from trading.live.channel import Channel, Picture, channels
from trading.live.watching import looking, renew_connections, while_allowed
from trading.models import Account
from trading.queries.accounts import get_account
from trading.queries.kept import LedgerMark, mark_of
from trading.transactions import ask
from trading.web.choice import account_query, chosen_account
from trading.web.day_shown import DayShown, Unrealised, day_shown
from trading.web.guard import may_look
from trading.web.kept_day import DayFacts
from trading.web.positions import OpenPosition

HEALTH_SECONDS = 2.0
FRESH_SECONDS = 1.0  # so old a look may be that a page shows in place of its own
SECTIONS = ("tiles", "positions", "curve", "latest", "signals", "limits", "health")
NEEDS_ASGI = "Live figures need the ASGI server of `make serve`; this page shows those of its loading."


class Footing(NamedTuple):
    """What a look stands on: it need not be drawn anew while none of it moves."""

    ledger: LedgerMark
    recorded: int
    clock: float  # where time alone tells


Facts = tuple[DayFacts, Unrealised | list[OpenPosition] | int | HealthReport | list[LimitState] | None]


@dataclass(frozen=True, slots=True)
class Section:
    """A section's HTML, and the facts that it was rendered from."""

    facts: Facts
    html: str


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
        self._sections: dict[str, Section] = {}

    def __call__(self, is_needed: bool) -> Picture | None:
        """Return the sections as they are now, None where nothing moved since the last time and none is needed.

        Raises: LedgerBusy, LedgerNotReady.
        """
        renew_connections()
        return ask(self._looked, is_needed)

    def _looked(self, is_needed: bool) -> Picture | None:
        began = time.monotonic()
        account, now = get_account(self.code), timezone.now()
        recorded = sum(lane.issued() for lane in wiring.open_spool().lanes())
        ticking = time.monotonic() // HEALTH_SECONDS
        # With a shared hot state ticks may come from another machine, whose counters are not here.
        clock = time.monotonic() if cache.is_shared() else ticking
        footing = Footing(mark_of(account), recorded, clock)
        if footing == self._drawn and self.newest is not None and not is_needed:
            self.newest = replace(self.newest, began=began)
            return None
        if self._health is None or self._health[0] != ticking:
            self._health = (ticking, report(now=now))
        facts, health = day_shown(account, None, now=now, mark=footing.ledger), self._health[1]
        sections = self._rendered(account, facts, health)
        self._drawn, self.newest = footing, Look(facts, health, began)
        return Picture({"day": facts["day"].isoformat(), "at": f"{timezone.localtime(now):%H:%M:%S}"}, sections)

    def _rendered(self, account: Account, facts: DayShown, health: HealthReport) -> dict[str, str]:
        """Return each section's HTML by id: of one whose facts are those of the last time, what was rendered then."""
        kept = facts["kept"]
        follows_from: dict[str, Facts] = {
            "tiles": (kept, facts["unrealised"]),
            "positions": (kept, facts["positions"]),
            "curve": (kept, None),
            "latest": (kept, facts["kept_trades"].number),  # none of its columns is a stop
            "signals": (kept, None),
            "limits": (kept, facts["limits"]),
            "health": (kept, health),
        }
        context = {**facts, "account": account, "account_query": account_query(account), "health": health}
        for name in SECTIONS:
            rendered = self._sections.get(name)
            if rendered is None or rendered.facts != follows_from[name]:
                html = render_to_string(f"velox/overview/{name}.html", context)
                self._sections[name] = Section(follows_from[name], html)
        return {f"live-{name}": self._sections[name].html for name in SECTIONS}


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
    stream = channels.stream(code, lambda: Channel(OverviewLook(code), looking))
    async with aclosing(while_allowed(stream, partial(_may_still_look, session_key))) as events_allowed:
        async for event in events_allowed:
            yield event


def _may_still_look(session_key: str | None) -> bool:
    """Tell whether the login of this session still stands, and its user still is in a group that may look."""
    renew_connections()
    request = HttpRequest()
    request.session = import_string(f"{settings.SESSION_ENGINE}.SessionStore")(session_key)
    return may_look(get_user(request))
