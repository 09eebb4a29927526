"""How VELOX itself is, for who looks after it: parts and cures, points, dead letters, backups; and the proof."""

from __future__ import annotations

from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.views.decorators.http import require_http_methods

from timeseries.wiring import open_pump
from trading.errors import VeloxError
from trading.health.system import system_state
from trading.proof.running import begin_proof, is_running, newest_run
from trading.web.choice import account_query, chosen_account, page
from trading.web.guard import MAINTAIN

# In the order of their balance: what was accepted is the sum of the others.
TERMS = ("stored", "spooled", "dead_lettered", "expired", "damaged", "cleared")
REFRESH_SECONDS = 2


@require_http_methods(["GET", "HEAD", "POST"])
def system(request: HttpRequest) -> HttpResponse:
    """Show the state of every part; for an operator offer the dead letters to the store once more."""
    choice, now = chosen_account(request), timezone.now()
    may_act = request.user.has_perm(MAINTAIN)
    retried, error = None, ""
    if request.method == "POST":
        if not may_act:
            raise PermissionDenied("Only operators offer dead letters again.")
        try:
            retried = open_pump().retry_dead_letters()
        except VeloxError as fault:
            error = str(fault)
    state = system_state(choice.account.code, now=now)
    counts = {name: number for name, number in state.health["points"].items() if name in TERMS}
    response = page(
        request,
        "velox/system.html",
        "system",
        choice,
        state=state,
        health=state.health,
        points=state.health["points"],
        counts=counts,
        proof=newest_run() if may_act else None,
        is_proving=may_act and is_running(),
        is_elsewhere=settings.VELOX_RECORDER_ELSEWHERE,
        may_act=may_act,
        retried=retried,
        error=error,
    )
    response.status_code = 400 if error else 200
    return response


@require_http_methods(["GET", "HEAD", "POST"])
def proof(request: HttpRequest) -> HttpResponse:
    """Show how far the newest proof is or what it found; begin another for an operator who asks."""
    if not request.user.has_perm(MAINTAIN):
        raise PermissionDenied("Only operators have the ledger proved.")
    choice, error = chosen_account(request), ""
    if request.method == "POST":
        try:
            begin_proof(request.user.get_username())
        except OSError as fault:
            error = f"The proof could not begin: {fault}"
        else:
            return redirect(f"{request.path}{account_query(choice.account)}")
    is_proving = is_running()  # first: what ends in between has its outcome kept by then
    response = page(
        request,
        "velox/proof.html",
        "system",
        choice,
        address=request.path,
        proof=newest_run(),
        is_proving=is_proving,
        error=error,
    )
    if is_proving:
        response["Refresh"] = str(REFRESH_SECONDS)  # without JavaScript as well
    return response
