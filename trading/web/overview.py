"""The first page: how the day goes in one account, what is open, what was last traded, and whether VELOX is well."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.http import require_safe

from trading.health.report import report
from trading.queries.kept import KeptAnswers
from trading.queries.opening_sales import opening_sales
from trading.queries.period import desk_date
from trading.queries.unreviewed import Unreviewed, unreviewed_names
from trading.web.choice import chosen_account, chosen_day, page
from trading.web.day_shown import day_shown
from trading.web.live import newest_look

BYTES_MAX, NAME_BYTES = 2**20, 100
_kept_names: KeptAnswers[Unreviewed] = KeptAnswers(BYTES_MAX, lambda names: NAME_BYTES * (1 + sum(map(len, names))))


@require_safe
def overview(request: HttpRequest) -> HttpResponse:
    """Show one day of one account, by default the latest that has data."""
    choice, now = chosen_account(request), timezone.now()
    account = choice.account
    asked = chosen_day(request)
    look = newest_look(account.code) if asked is None else None  # of those who watch: this page need not look again
    facts = day_shown(account, asked, now=now) if look is None else look.facts
    day = facts["day"]
    return page(
        request,
        "velox/overview.html",
        "overview",
        choice,
        **facts,
        is_today=day == desk_date(now),
        is_live=asked is None,
        opening_sales=opening_sales(account, day=day) if facts["may_have_opening_sales"] else [],
        unreviewed=_kept_names.of(account, "unreviewed", lambda: unreviewed_names(account)),
        health=report(now=now) if look is None else look.health,
    )
