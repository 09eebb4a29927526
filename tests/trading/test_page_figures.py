"""Figures on a page are those of the matching command's JSON.

Here are the pages that no module of their own holds to it; `test_day_pages`, `test_period_pages`, `test_signal_page`,
`test_trade_list` and `test_system_page` do so for theirs.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from decimal import Decimal
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import call_command
from django.test import Client
from django.utils.html import escape

from tests import page_desk
from tests.routes import fill_desk, routes
from tests.trading.test_brokers_page import TRADEBOOK
from tests.trading.test_day_pages import answered
from tests.trading.test_web_pages import words
from trading.domain import amounts
from trading.models import Trade
from trading.web.templatetags.velox import ratio

pytestmark = pytest.mark.usefixtures("ledger", "alone")

DAY = page_desk.DAY.date().isoformat()


def money(text: str, *, signed: bool = False) -> str:
    return amounts.money_text(Decimal(text), "INR", signed=signed)


def name(text: str) -> str:
    return escape(text).replace("&amp;", "&")


def of_a_day(figures: Any) -> Iterator[str]:
    total = figures["total"]
    yield f"Realised P&L {money(total['total_pnl'], signed=True)}"
    yield f"{money(total['gross_pnl'], signed=True)} before charges"
    yield f"{money(total['charges'])} charges"
    yield f"Trades closed {total['total_trades']}"
    yield f"{total['winning_trades']} won · {total['losing_trades']} lost"


def of_a_comparison(figures: Any) -> Iterator[str]:
    rows = figures.get("strategies") or figures["symbols"]
    assert len(rows) >= 3
    for row in rows:
        pnl, gross = money(row["total_pnl"], signed=True), money(row["gross_pnl"], signed=True)
        counts = f"{row['total_trades']} {row['winning_trades']} {row['losing_trades']}"
        yield f"{name(row.get('strategy_id') or row['symbol'])} {pnl} {gross} {counts}"
        if row["win_rate"] is not None:
            yield f"{counts} {ratio(row['win_rate'], 1)}\u00a0%".replace("\u00a0", " ")


def of_a_trade(figures: Any) -> Iterator[str]:
    """MAE and MFE are not among them: the command measures at once, a page shows what the companion has measured."""
    yield money(figures["realised_pnl"], signed=True)
    yield name(figures["symbol"])
    yield name(figures["strategy_id"])
    if figures["r_multiple"] is not None:
        yield amounts.signed(Decimal(figures["r_multiple"]))
    for fill in figures["fills"]:
        yield amounts.amount(Decimal(fill["price"]), "INR")
        yield amounts.number(Decimal(fill["quantity"]), "INR")
        if fill["pnl"] is not None:
            yield money(fill["pnl"], signed=True)
        if fill["charges"] is not None:
            yield money(fill["charges"])
    for stop in figures["stops"]:
        yield amounts.amount(Decimal(stop["stop_price"]), "INR")


def of_a_journal(figures: Any) -> Iterator[str]:
    for row in figures["journal"]:
        yield f"{row['sequence']} {row['operation'].replace('_', ' ')}"


PAGES = {
    f"/?day={DAY}": (("daily_summary", "--date", DAY), of_a_day),
    "/strategies/?days=all": (("strategy_report",), of_a_comparison),
    "/symbols/?days=all": (("symbol_report",), of_a_comparison),
    "/trades/{T1}/": (("trade", "T1"), of_a_trade),
    "/trades/{held}/": (("trade", "held"), of_a_trade),
    "/trades/{T1}/journal/": (("trade", "T1"), of_a_journal),
}


@pytest.mark.parametrize("address", PAGES)
def test_a_page_has_the_figures_of_its_command(client: Client, address: str) -> None:
    fill_desk()
    command, expected = PAGES[address]
    client.force_login(page_desk.member("viewer"))
    keys = dict(Trade.objects.filter(account__code="main").values_list("trade_id", "pk"))
    page = words(client.get(address.format(**keys)).content.decode())
    assert [figure for figure in expected(answered(*command)) if figure not in page] == []


def test_the_file_of_trades_is_that_of_the_command(client: Client) -> None:
    fill_desk()
    client.force_login(page_desk.member("viewer"))
    for where in ("", "side=LONG", "result=loss"):
        output = StringIO()
        call_command("trade_export", *(("--where", where) if where else ()), "--format", "csv", stdout=output)
        file = client.get(f"/trades/csv/?{where}").getvalue().decode()
        assert sorted(file.splitlines()) == sorted(output.getvalue().splitlines()), where


def test_breaks_stand_on_the_page_as_in_the_command(client: Client, tmp_path: Path) -> None:
    client.force_login(page_desk.member("operator"))
    file = tmp_path / "AB1234-book.csv"
    file.write_text(TRADEBOOK)
    output = StringIO()
    with pytest.raises(SystemExit):  # for breaks are open
        call_command("reconcile", str(file), "--format", "json", stdout=output)
    breaks = json.loads(output.getvalue())["breaks"]
    assert len(breaks) == 2
    page = words(client.get("/reconcile/").content.decode())
    assert f"{len(breaks)} open, the oldest first" in page
    for each in breaks:
        (section,) = [section for section in page.split("open for ")[1:] if each["id"] in section]
        assert all(text in section for name, text in each["key"].items() if name != "account")
        assert each["proposal"]["text"] in section
        assert [each[side] is None for side in ("ledger", "hot")] == [True, True]
        shown = {f"{figure.replace('_', ' ')} {text}" for figure, text in each["broker"].items() if text}
        assert {figure for figure in shown if not figure.startswith("at ") and figure not in section} == set()


def test_files_to_book_stand_on_the_page_as_in_the_command(client: Client, tmp_path: Path) -> None:
    client.force_login(page_desk.member("operator"))
    file = tmp_path / "AB1234-book.csv"
    file.write_text(TRADEBOOK + "INFY,INE009A01021,2025-06-02,NSE,EQ,EQ,buy,false,none,1,1003,13,2025-06-02T10:30:00\n")
    output = StringIO()
    with pytest.raises(SystemExit):  # for a row is rejected
        call_command("broker_import", str(file), "--dry-run", "--format", "json", stdout=output)
    figures = json.loads(output.getvalue())
    (of_file,) = figures["files"]
    assert (of_file["rows_read"], of_file["fills"], of_file["rejected"]["total"]) == (3, 2, 1)
    handed = SimpleUploadedFile(file.name, file.read_bytes())
    page = words(client.post("/brokers/", {"files": [handed]}).content.decode())
    assert f"{figures['trades_opened']} trade opened, {figures['trades_closed']} closed" in page
    counts = (
        of_file["rows_read"],
        of_file["fills"],
        of_file["already_known"],
        of_file["rejected"]["total"],
        of_file["opening_sales"],
    )
    period = f"{of_file['period']['from']} – {of_file['period']['to']}"
    assert f"{of_file['broker']} {of_file['kind']} {period} {of_file['zone']} {' '.join(map(str, counts))}" in page
    (row,) = of_file["rows"]
    assert f"Row {row['row']}" in page and row["reason"] in page


HELD_ELSEWHERE = {
    "/calendar/": "test_day_pages",
    "/days/<str:day>/": "test_day_pages",
    "/trades/": "test_trade_list",
    "/strategies/<int:pk>/": "test_period_pages",
    "/symbols/<int:pk>/": "test_period_pages",
    "/signals/": "test_signal_page",
    "/system/": "test_system_page",
}


def test_the_modules_that_hold_other_pages_do_so() -> None:
    patterns = {route.pattern for route in routes()}
    for pattern, module in HELD_ELSEWHERE.items():
        source = (Path(__file__).parent / f"{module}.py").read_text()
        assert pattern in patterns
        assert "answered(" in source or '"json"' in source, module
