"""A book of many trades answers with the sums of its rows: 2,000 of them here, a million in `make chaos`."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from itertools import islice
from typing import Any

import pytest
from django.db import transaction
from django.test import Client

from bench import book
from tests import page_desk
from trading.domain.money import to_units
from trading.models import Realisation
from trading.queries.accounts import get_account
from trading.queries.columns import UnitsSum
from trading.queries.reports import selection, strategy_report
from trading.queries.signal_report import condition_rows
from trading.queries.summary_span import build_span
from trading.queries.trade_export import export_blocks, exported

TRADES = int(os.environ.get("VELOX_BOOK_TRADES", "2000"))


@pytest.mark.chaos
@pytest.mark.ledger
def test_every_report_of_a_large_book_has_the_sums_of_its_rows(ledger: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(book, "TRADES", TRADES)
    with transaction.atomic():
        book.fill(list(islice(book._weekdays(), book.DAYS + 1)))
    chosen = selection(get_account("main"))
    report = strategy_report(chosen)
    booked = Realisation.objects.aggregate(pnl=UnitsSum("pnl"), charges=UnitsSum("charges"))
    total = report["total"]
    assert (total["total_trades"], to_units(total["gross_pnl"])) == (TRADES, booked["pnl"])
    assert to_units(total["charges"]) == booked["charges"]
    for parts in (*report["by"].values(), *report["by_condition"].values()):
        assert sum(part["total_trades"] for part in parts) == TRADES
        assert sum(to_units(part["total_pnl"]) for part in parts) == to_units(total["total_pnl"])
    span = build_span(chosen, now=datetime.now(UTC))
    assert span["total"]["total_pnl"] == total["total_pnl"] == sum(day["total"]["total_pnl"] for day in span["days"])
    conditions = condition_rows(chosen)
    assert sum(row["trades_with"] for row in conditions if row["bucket"] == "yes") == TRADES // 3
    assert sum(map(len, export_blocks(exported(chosen)))) == TRADES
    client = Client()
    client.force_login(page_desk.member("viewer"))
    assert all(client.get(address).status_code == 200 for address in ("/", "/trades/"))
