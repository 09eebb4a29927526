"""The page of a model's card."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.views.decorators.http import require_safe

from lab.models import SignalModel
from lab.queries.signal_models import card_of
from lab.web.drawings import bars_of
from lab.web.files import asked_file
from lab.web.runs import SECTION, choice_of
from trading.domain.plain_json import to_json
from trading.web.choice import page
from trading.web.templatetags.velox import ratio


@require_safe
def model_page(request: HttpRequest, pk: int) -> HttpResponse:
    """Show what a model learned from, how far it is nearer than the mean, and what came of what it expected."""
    row = get_object_or_404(SignalModel, pk=pk)
    card, choice = card_of(row), choice_of(row.account)
    steps = card["calibration"]
    file = asked_file(request, f"model-{card['model']}", row.body, to_json(steps))
    unit = "R" if card["outcome"] == "r" else choice.account.currency
    labels = [f"expected {ratio(step['predicted'])}" for step in steps]
    chart = bars_of("What came, from the lowest expectation to the highest", labels,
                    [step["outcome"] for step in steps], "", unit=unit)  # fmt: skip
    best = max(card["learners"], key=lambda learner: float("-inf") if learner["r2"] is None else learner["r2"])
    return file or page(
        request, "lab/model.html", SECTION, choice, card=card, row=row, chart=chart, best=best, unit=unit
    )
