"""Breaks between ledger, broker and hot copy: those that are open, and for operators the way to settle them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime

from django import forms
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.debug import sensitive_post_parameters, sensitive_variables
from django.views.decorators.http import require_http_methods

from trading.brokers.files import read_statement
from trading.domain.breaks import BreakKind, Figures, OpenBreak, Remedy
from trading.errors import InvalidValue, VeloxError
from trading.operations.approve_breaks import APPROVE, AT_ONCE_MAX, approve_breaks
from trading.operations.find_breaks import BreaksSeen, find_breaks
from trading.queries.open_breaks import open_breaks, settled_breaks
from trading.queries.period import desk_zone
from trading.web.choice import AccountChoice, account_query, chosen_account, page
from trading.web.upload_stash import FILES_MAX

SETTLED_MAX = 20
REASON_MAX = 1000
KINDS = {
    BreakKind.FILL_NOT_IN_LEDGER: "Fill missing in the ledger",
    BreakKind.FILL_NOT_AT_BROKER: "Fill the broker does not have",
    BreakKind.FILL_DIFFERS: "Fill differs",
    BreakKind.FILL_TWICE: "Fill booked twice",
    BreakKind.FILL_ID_DIFFERS: "Fill under another id",
    BreakKind.BROKER_CONTRADICTS: "The broker contradicts itself",
    BreakKind.ORDER_DIFFERS: "Sum of the day differs",
    BreakKind.POSITION: "Position differs",
    BreakKind.REALISED: "Realised sum differs",
    BreakKind.CHARGES: "Charges differ",
    BreakKind.CHARGES_ESTIMATE: "Charges are not the schedule's",
    BreakKind.HOT_COPY: "Hot copy differs",
}


class CompareForm(forms.Form):
    """What to compare with beside what was imported; the password stays in this one request."""

    password = forms.CharField(
        required=False,
        max_length=128,
        widget=forms.PasswordInput(attrs={"autocomplete": "off"}),
        help_text="Only for a locked note. It is kept nowhere.",
    )


class ApproveForm(forms.Form):
    """Which breaks an operator settles, and why."""

    reason = forms.CharField(max_length=REASON_MAX, widget=forms.Textarea(attrs={"rows": 2}))

    def __init__(self, sent: Mapping[str, str] | None, open_now: list[OpenBreak]) -> None:
        super().__init__(sent, label_suffix="")
        names = [(each.difference.id, each.difference.id) for each in open_now]
        self.fields["breaks"] = forms.MultipleChoiceField(
            choices=names, error_messages={"required": "Choose at least one break."}
        )


@dataclass(frozen=True, slots=True)
class ShownFigure:
    """One figure of a side; ``differs`` where the ledger and the broker, or the hot copy, have another."""

    name: str
    text: str
    differs: bool


@dataclass(frozen=True, slots=True)
class ShownBreak:
    """A break as the page shows it: three columns, each None where that side has nothing."""

    id: str
    title: str
    day: date
    age: str
    opened_at: datetime
    name: str
    sides: list[tuple[str, list[ShownFigure] | None]]
    proposal: str
    is_booked: bool


@sensitive_variables("password")
@sensitive_post_parameters("password")
@require_http_methods(["GET", "HEAD", "POST"])
def reconcile(request: HttpRequest) -> HttpResponse:
    """Show the open breaks of an account; for an operator compare anew, and settle what was chosen."""
    choice = chosen_account(request)
    may_approve = request.user.has_perm(APPROVE)
    if request.method != "POST":
        return _shown(request, choice, may_approve=may_approve)
    if not may_approve:
        raise PermissionDenied("Only operators compare and approve.")
    now, by = datetime.now(UTC), request.user.get_username()
    if "compare" in request.POST:
        form = CompareForm(request.POST, label_suffix="")
        password = form.cleaned_data["password"] or None if form.is_valid() else None
        files = request.FILES.getlist("files")
        try:
            if len(files) > FILES_MAX:
                raise InvalidValue(f"{len(files)} files were given.", field="files", hint=f"Give at most {FILES_MAX}.")
            statements = [read_statement(file.read(), file.name or "file", password=password) for file in files]
            seen = find_breaks(choice.account.code, statements, by=by, now=now)
        except VeloxError as error:
            return _shown(request, choice, may_approve=True, error=f"{error} {error.hint}".strip())
        return _shown(request, choice, may_approve=True, seen=seen)
    form_sent = ApproveForm(request.POST, open_breaks(choice.account))
    if not form_sent.is_valid():
        return _shown(request, choice, may_approve=True, form=form_sent)
    try:
        approve_breaks(
            choice.account.code,
            form_sent.cleaned_data["breaks"],
            by=by,
            reason=form_sent.cleaned_data["reason"],
            as_it_is="as_it_is" in request.POST,
        )
    except VeloxError as error:
        return _shown(request, choice, may_approve=True, form=form_sent, error=f"{error} {error.hint}".strip())
    return redirect(reverse("reconcile") + account_query(choice.account))


def _shown(
    request: HttpRequest,
    choice: AccountChoice,
    *,
    may_approve: bool,
    form: ApproveForm | None = None,
    seen: BreaksSeen | None = None,
    error: str = "",
) -> HttpResponse:
    now = datetime.now(UTC)
    breaks = open_breaks(choice.account)
    return page(
        request,
        "velox/reconcile.html",
        "reconcile",
        choice,
        may_approve=may_approve,
        breaks=[_break(each, now) for each in breaks[:AT_ONCE_MAX]],
        count=len(breaks),
        form=form or ApproveForm(None, breaks),
        chosen=set(form["breaks"].value() or ()) if form is not None else set(),
        compare=CompareForm(label_suffix=""),
        seen=seen,
        settled=[(event, KINDS[BreakKind(event.kind)]) for event in settled_breaks(choice.account, SETTLED_MAX)],
        error=error,
    )


def _break(each: OpenBreak, now: datetime) -> ShownBreak:
    difference = each.difference
    key = [text for name, text in difference.key.items() if name not in ("account", "day")]
    columns = (("Ledger", difference.ledger), ("Broker", difference.broker), ("Hot copy", difference.hot))
    present = [side for _, side in columns if side is not None]
    return ShownBreak(
        id=difference.id,
        title=KINDS[difference.kind],
        day=difference.day,
        age=each.age(now),
        opened_at=each.opened_at,
        name=" · ".join(filter(None, key)),
        sides=[(title, None if side is None else _figures(side, present)) for title, side in columns],
        proposal=difference.proposal.text,
        is_booked=difference.proposal.action is not Remedy.LOOK,
    )


def _figures(side: Figures, present: list[Figures]) -> list[ShownFigure]:
    return [
        ShownFigure(
            name.replace("_", " "),
            _desk_time(text) if name == "at" else text,
            any(other[name] != text for other in present if name in other),
        )
        for name, text in side.items()
        if text
    ]


def _desk_time(text: str) -> str:
    """Return an instant at the desk, where the text is one."""
    try:
        return f"{datetime.fromisoformat(text).astimezone(desk_zone()):%Y-%m-%d %H:%M:%S}"
    except ValueError:
        return text
