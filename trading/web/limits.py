"""The limits of an account: how far each is used now, what was said of them, and for operators the way to say more."""

from __future__ import annotations

from django import forms
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods

from trading.bookkeeping.arguments import TEXT_MAX
from trading.domain.limits import KIND_TITLES, MONEY_KINDS, LimitState, overall
from trading.errors import InvalidValue, VeloxError
from trading.models import Account
from trading.operations.set_limit import end_limit, set_limit
from trading.queries.kept import KeptAnswers, LedgerMark, mark_of
from trading.queries.limits import LimitFacts, limit_facts, limit_history, states_of
from trading.queries.period import account_date
from trading.web.choice import AccountChoice, account_query, chosen_account, page
from trading.web.guard import MAINTAIN
from trading.web.kept_day import STOPS
from trading.web.positions import OpenPosition, priced_positions

HISTORY_MAX = 50
BYTES_MAX, LIMIT_BYTES = 2**20, 2**10
FIELDS = {"amount": "amount", "strategy_id": "strategy", "first_day": "first_day", "reason": "reason", "kind": "kind"}


class LimitForm(forms.Form):
    """A limit to set; without an amount it is ended."""

    kind = forms.ChoiceField(choices=list(KIND_TITLES.items()), label="Limit")
    strategy = forms.CharField(required=False, max_length=64, help_text="Empty: the whole account.")
    amount = forms.CharField(required=False, max_length=40, help_text="Money or a number. Empty ends the limit.")
    first_day = forms.DateField(
        required=False, label="From", widget=forms.DateInput(attrs={"type": "date"}), help_text="Empty: today."
    )
    reason = forms.CharField(max_length=TEXT_MAX)


@require_http_methods(["GET", "HEAD", "POST"])
def limits(request: HttpRequest) -> HttpResponse:
    """Show the limits of an account; an operator sets one or ends it."""
    choice = chosen_account(request)
    if request.method != "POST":
        return _shown(request, choice, LimitForm(label_suffix=""))
    if not request.user.has_perm(MAINTAIN):
        raise PermissionDenied("Only operators set and end limits.")
    form = LimitForm(request.POST, label_suffix="")
    if form.is_valid():
        sent = form.cleaned_data
        keywords = {
            "by": request.user.get_username(),
            "reason": sent["reason"],
            "strategy_id": sent["strategy"] or None,
            "first_day": sent["first_day"],
        }
        try:
            if sent["amount"]:
                set_limit(choice.account.code, sent["kind"], sent["amount"], **keywords)
            else:
                end_limit(choice.account.code, sent["kind"], **keywords)
        except InvalidValue as error:
            form.add_error(FIELDS.get(error.field or "", "kind"), f"{error} {error.hint}".strip())
        except VeloxError as error:
            form.add_error("kind", str(error))
        else:
            return redirect(reverse("limits") + account_query(choice.account))
    response = _shown(request, choice, form)
    response.status_code = 400
    return response


def limits_now(
    account: Account, positions: list[OpenPosition] | None = None, *, mark: LedgerMark | None = None
) -> list[LimitState]:
    """Return the state of each of an account's limits, with its open ``positions`` where they were read just before."""
    day, mark = account_date(account, timezone.now()), mark or mark_of(account)

    def read() -> LimitFacts:
        return limit_facts(account, day, mark=mark)

    facts = _kept.of(account, day, read, mark=mark)
    if positions is None:
        positions = priced_positions(account, mark=mark) if facts.needs_prices else []
    return states_of(facts, [entry.position for entry in positions])


def _shown(request: HttpRequest, choice: AccountChoice, form: LimitForm) -> HttpResponse:
    states = limits_now(choice.account)
    history = Paginator(limit_history(choice.account), HISTORY_MAX).get_page(request.GET.get("page"))
    return page(
        request,
        "velox/limits.html",
        "limits",
        choice,
        limits=states,
        usage=str(overall(states)),
        history=[(row, KIND_TITLES[row.kind], row.kind in MONEY_KINDS) for row in history],
        history_page=history,
        form=form,
        today=account_date(choice.account, timezone.now()),
        may_set=request.user.has_perm(MAINTAIN),
    )


_kept: KeptAnswers[LimitFacts] = KeptAnswers(
    BYTES_MAX, lambda facts: LIMIT_BYTES * (1 + len(facts.limits)), beside=STOPS
)
