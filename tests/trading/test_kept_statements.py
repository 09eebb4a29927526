"""Statements whose SQL is written once: each time they answer for the account, day and instants that they are given."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.forms import model_to_dict

from tests.trading.book import AT, MINUTE, closed, opened
from trading.models import DayTotal, Trade, User
from trading.operations.create_account import create_account
from trading.operations.review_trade import review_trade
from trading.queries.accounts import get_account
from trading.queries.kept_statements import ACCOUNT, FirstValues, KeptModels, KeptStatement, Slot

pytestmark = [pytest.mark.ledger, pytest.mark.usefixtures("ledger")]


def test_each_time_the_answer_is_of_what_was_given() -> None:
    create_account("paper", book="paper", currency="INR", zone="Asia/Kolkata", capital=1, capital_date=AT.date())
    opened("early"), opened("late", entry_time=AT + 5 * MINUTE), opened("theirs", account_code="paper")
    closed("early")
    since = Trade.objects.filter(account=ACCOUNT, opened_at__gte=Slot("since")).order_by("opened_at")
    statement = KeptStatement(lambda: since.values_list("trade_id", "opened_at"))
    values = FirstValues(
        lambda: (
            DayTotal.objects.filter(account=ACCOUNT, day=Slot("day")).values("day"),
            since.order_by("-opened_at").values("opened_at"),
        )
    )
    main, paper, day = get_account("main"), get_account("paper"), AT.date()
    for _ in range(2):
        assert statement.rows(main, since=AT) == [("early", AT), ("late", AT + 5 * MINUTE)]
        assert statement.rows(main, since=AT + MINUTE) == [("late", AT + 5 * MINUTE)]
        assert statement.rows(paper, since=AT) == [("theirs", AT)]
        assert statement.rows(paper, since=AT + MINUTE) == []
        assert values.of(main, day=day, since=AT) == (day, AT + 5 * MINUTE)
        assert values.of(main, day=day + timedelta(days=1), since=AT + 9 * MINUTE) == (None, None)
        assert values.of(paper, day=day, since=AT) == (None, AT)


def test_models_come_with_those_they_are_joined_with_as_the_query_itself_tells_them(
    django_assert_num_queries: Any,
) -> None:
    opened("plain"), opened("reviewed", entry_time=AT + MINUTE)
    account, reviewed = get_account("main"), Trade.objects.get(trade_id="reviewed")
    review_trade(reviewed.pk, by=User.objects.create_user("asha"), rating=4)
    joined = Trade.objects.select_related("account", "strategy", "instrument__exchange", "review").order_by("pk")
    statement = KeptModels(lambda: joined.filter(account=ACCOUNT, opened_at__gte=Slot("since")))
    for since in (AT, AT + MINUTE, AT + 2 * MINUTE):
        statement.of(account, since=since)
        with django_assert_num_queries(1):
            answer = statement.of(account, since=since)
            relations = [(row.account, row.strategy, row.instrument.exchange, rating_of(row)) for row in answer]
        themselves = list(joined.filter(account=account, opened_at__gte=since))
        assert [model_to_dict(row) for row in answer] == [model_to_dict(row) for row in themselves]
        assert relations == [(row.account, row.strategy, row.instrument.exchange, rating_of(row)) for row in themselves]
        assert not any(row._state.adding for row in answer)
    assert [rating_of(row) for row in statement.of(account, since=AT)] == [None, 4]


def rating_of(row: Trade) -> int | None:
    return row.review.rating if hasattr(row, "review") else None
