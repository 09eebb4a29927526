"""A transaction report of Dhan's in the ledger: what each real row came to, and nothing twice."""

from __future__ import annotations

import csv
import json
from decimal import Decimal
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import call_command

from tests.trading.book import snapshot
from tests.trading.brokers import test_dhan_transactions
from trading.models import Fill, Trade

pytestmark = [pytest.mark.ledger, pytest.mark.usefixtures("proved")]

FOOTER = "Net P&L,-3600.1201,Brokerage,140.30,Gross P&L,-2685.0145,Total Charges,915.1056"
SYMBOLS = (
    "company,symbol\nParas Defence,NSE:PARAS\nNACL Industries,NSE:NACLIND\nMade Up Funds,NSE:MADEUP\n"
    "Rajratan,BSE:RAJRATAN\n"
)


@pytest.fixture
def files(tmp_path: Path) -> list[str]:
    """Return the arguments that import the worked rows."""
    report, symbols = tmp_path / "report.csv", tmp_path / "symbols.csv"
    with report.open("w", newline="") as file:
        document = test_dhan_transactions.report(*test_dhan_transactions.ROWS, footer=FOOTER)
        csv.writer(file).writerows(document.sheets[0].rows)
    symbols.write_text(SYMBOLS)
    return [str(report), "--symbols", str(symbols)]


def imported(arguments: list[str]) -> dict[str, int]:
    """Import, and return what became of the file's fills."""
    stdout = StringIO()
    call_command("broker_import", *arguments, "--format", "json", stdout=stdout)
    (file,) = json.loads(stdout.getvalue())["files"]
    assert (file["agrees"], file["rejected"]["total"]) == (True, 0)
    return {name: file[name] for name in ("fills", "already_known", "opening_sales")}


def test_each_row_comes_to_the_gross_amount_that_the_report_prints(files: list[str]) -> None:
    assert imported(files) == {"fills": 9, "already_known": 0, "opening_sales": 1}

    trades = Trade.objects.select_related("instrument")
    net = {trade.instrument.symbol: trade.realised_pnl - (trade.charges or Decimal(0)) for trade in trades}
    assert net["PARAS"] == Decimal("-2645.76")
    assert net["LTM26JUL4400CE"] == Decimal("-1835.28")
    assert net["RAJRATAN"] == Decimal("-2.63")
    assert trades.get(instrument__symbol="NACLIND").charges == Decimal("685.60")


def test_the_same_report_again_changes_nothing(files: list[str]) -> None:
    imported(files)
    before, count = snapshot(), Fill.objects.count()

    assert imported(files)["fills"] == 0
    assert Fill.objects.count() == count
    assert snapshot() == before
