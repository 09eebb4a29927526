"""Pages that may be read from a replica of the ledger: they say how old they are, and show who writes his own work."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from functools import wraps
from typing import Concatenate, ParamSpec

from django.db.utils import DatabaseError
from django.http import HttpRequest, HttpResponse

from trading import replica
from trading.replica import LedgerOrigin

OWN = "ledger_written_up_to"  # of the session: the primary's log as of what this person wrote last
SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
Arguments = ParamSpec("Arguments")
PageView = Callable[Concatenate[HttpRequest, Arguments], HttpResponse]


def may_be_older(view: PageView[Arguments]) -> PageView[Arguments]:
    """Let a page's GET be read at one moment, from the replica where that has what the person wrote last. It writes
    nothing."""

    @wraps(view)
    def look(request: HttpRequest, /, *arguments: Arguments.args, **keywords: Arguments.kwargs) -> HttpResponse:
        if request.method not in SAFE:
            return view(request, *arguments, **keywords)

        def read(origin: LedgerOrigin) -> HttpResponse:
            vars(request)["ledger_origin"] = origin.text  # the foot of each page says it
            return view(request, *arguments, **keywords)

        return replica.may_be_older(read, not_before=request.session.get(OWN, "") if replica.is_set() else "")

    return look


def own_writes(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """Remember with each login how far the ledger was written when this person last wrote (a middleware)."""

    def middleware(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        if request.method not in SAFE and replica.is_set() and request.session.session_key:
            with suppress(DatabaseError):
                request.session[OWN] = replica.written_up_to()
        return response

    return middleware
