"""Statements whose SQL is written once: each time they answer for the account, day and instants that they are given."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.trading.book import AT, MINUTE, closed, opened
from trading.models import DayTotal, Trade
from trading.operations.create_account import create_account
from trading.queries.accounts import get_account
from trading.queries.kept_statements import ACCOUNT, FirstValues, KeptStatement, Slot

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
