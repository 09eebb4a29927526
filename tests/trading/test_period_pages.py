"""The pages of symbols and strategies: the reports' own figures, drawn and cut, of one account alone."""

from __future__ import annotations

import re
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client

from tests import page_desk
from tests.trading.desk import make, plans
from tests.trading.test_day_pages import answered
from tests.trading.test_web_pages import Read, queries, read, words
from trading.domain import amounts
from trading.domain.cuts import TITLES
from trading.models import Account, Excursion, Instrument, Strategy, Trade
from trading.operations.add_capital import add_capital
from trading.queries.accounts import get_account
from trading.queries.reports import period_parts, selection, strategy_report
from trading.queries.statistics import curves_by, totals_by
from trading.web.templatetags import velox

__all__ = ["read"]

pytestmark = pytest.mark.usefixtures("ledger")

FIRST, LAST = date(2021, 4, 1), date(2021, 7, 1)


@pytest.fixture
def main(ledger: None) -> Account:
    for plan in plans(40):
        make(plan)
    return get_account("main")


def measured() -> None:
    """Give every closed trade the excursions that a walk over its ticks would."""
    rows = [
        Excursion(
            trade=trade, mae=-5 - number, mae_price=90, mae_at=trade.opened_at, mfe=9 + number, mfe_price=110,
            mfe_at=trade.opened_at, ticks=7, measured_at=trade.closed_at,
        )
        for number, trade in enumerate(Trade.objects.filter(state="CLOSED", excursion=None).order_by("pk"))
    ]  # fmt: skip
    Excursion.objects.bulk_create(rows)


def pages() -> list[tuple[str, str, str]]:
    """Return (address, name, cut) of one strategy's and one symbol's page."""
    strategy = Strategy.objects.get(code="breakout")
    instrument = Instrument.objects.get(symbol="TCS")
    return [
        (f"/strategies/{strategy.pk}/", "breakout", "strategy"),
        (f"/symbols/{instrument.pk}/", "BSE:TCS", "symbol"),
    ]


@pytest.mark.ledger
def test_a_page_shows_the_figures_the_cuts_and_the_hours_of_its_report(read: Read, main: Account) -> None:
    for address, name, cut in pages():
        report = answered(f"{cut}_report", f"--{cut}", name)
        page, total = read(address, days="all"), report["total"]
        text = words(page)
        for key in ("total_pnl", "gross_pnl", "expectancy", "expectancy_low", "best_day", "worst_day"):
            assert amounts.money_text(Decimal(total[key]), "INR", signed=True) in text, (name, key)
        assert f"Trades closed {total['total_trades']} {total['winning_trades']} won" in text
        for part, title in TITLES.items():
            if part == cut:
                continue
            assert title in text
            assert set(figures_of(page, part)) == {cells(row) for row in report["by"][part]}, (name, part)
        for hour in report["weekday_hours"]:
            assert amounts.short(Decimal(hour["expectancy"]), "INR") in text
        looked_at = sum(hour["p"] is not None for hour in report["weekday_hours"])
        assert f"{looked_at} hours were compared with all others" in text
        steps = [row["trades"] for row in report["distributions"]["pnl"]]
        assert sum(steps) == total["total_trades"]
        assert f"{sum(steps)} trades" in text and f"at most {max(steps)} in a step" in text
        r = report["distributions"]["r"]
        assert sum(row["trades"] for row in r) == total["trades_with_initial_risk"]


def figures_of(page: str, cut: str) -> list[tuple[str, str, str]]:
    """Return part, P&L and trades of each row of a cut on a page."""
    section = page.partition(f'aria-labelledby="cut-{cut}"')[2].partition("</section>")[0]
    rows = re.findall(r"<tr><th scope=\"row\">(.*?)</tr>", section, flags=re.S)
    found = [re.split(r"\s*</t[hd]>\s*<td[^>]*>", row) for row in rows]
    return [(plain(part), plain(pnl), plain(trades)) for part, pnl, trades, *_ in found]


def plain(markup: str) -> str:
    return words(markup)


def cells(row: Any) -> tuple[str, str, str]:
    pnl = amounts.money_text(Decimal(row["total_pnl"]), "INR", signed=True)
    return row["key"], pnl, str(row["total_trades"])


@pytest.mark.ledger
def test_curve_and_drawdown_end_where_the_report_says(read: Read, main: Account) -> None:
    for address, name, cut in pages():
        report = answered(f"{cut}_report", f"--{cut}", name)
        days, peak = report["days"], Decimal(report["days"][0]["equity"]) - Decimal(report["days"][0]["pnl"])
        for day in days:
            peak = max(peak, Decimal(day["equity"]))
            assert Decimal(day["drawdown"]) == peak - Decimal(day["equity"])
        page = words(read(address, days="all"))
        assert f"at the end {amounts.money_text(Decimal(days[-1]['equity']), 'INR')}" in page
        assert f"lowest {amounts.money_text(-max(Decimal(day['drawdown']) for day in days), 'INR')}" in page


@pytest.mark.ledger
def test_the_scatter_has_the_measured_trades_of_the_excursions(read: Read, main: Account) -> None:
    measured()
    for address, name, cut in pages():
        rows = answered("excursions", f"--{cut}", name)["trades"]
        page = read(address, days="all")
        assert page.count("<circle") + page.count('<path class="loss"') == len(rows)
        for row in rows:
            dot = ", ".join(
                f"{word} {amounts.money_text(Decimal(row[key]), 'INR', signed=True)}"
                for word, key in (("MAE", "mae"), ("MFE", "mfe"), ("P&amp;L before charges", "gross_pnl"))
            )
            assert f"<title>{row['trade_id']}: {dot}</title>" in page


@pytest.mark.ledger
def test_the_lists_compare_every_part_and_their_curves_end_at_its_sum(read: Read, main: Account) -> None:
    for address, cut in (("/strategies/", "strategy"), ("/symbols/", "symbol")):
        rows = answered(f"{cut}_report")["by"][cut]
        text = words(read(address, days="all"))
        curves = curves_by(main, FIRST, LAST, cut)
        assert set(curves) == {row["key"] for row in rows}
        for row in rows:
            pnls = (amounts.money_text(Decimal(row[key]), "INR", signed=True) for key in ("total_pnl", "gross_pnl"))
            assert " ".join((row["key"], *pnls)) in text
            assert curves[row["key"]][-1] == Decimal(row["total_pnl"])
        assert len({len(curve) for curve in curves.values()}) == 1
        assert read(address, days="all").count("<polyline") == len(totals_by(main, FIRST, LAST, cut))


def test_a_row_leads_to_its_page_in_the_same_account_and_period(read: Read, main: Account) -> None:
    for plan in plans(8):
        make(plan, account="replay")
    (strategy, *_), (symbol, *_) = pages()
    assert f'href="{strategy}?account=replay&amp;days=all"' in read("/strategies/", account="replay", days="all")
    page = read(symbol, account="replay", days="all")
    assert f'href="{symbol}?account=main"' in page and "Symbol of account replay" in words(page)


def test_a_period_without_exits_and_an_account_without_trades_say_what_would_fill_them(
    client: Client, read: Read, main: Account
) -> None:
    for address, _, _ in pages():
        assert "Nothing was realised in this period" in words(read(address))
        assert "Look at all of it" in words(read(address))
    assert "Nothing was realised in this period." in words(read("/symbols/"))
    unmeasured = words(read(pages()[0][0], days="all"))
    assert "manage.py excursions" in unmeasured


def test_what_an_account_never_traded_is_no_page_of_it(client: Client, main: Account) -> None:
    client.force_login(page_desk.member("viewer"))
    for address, name, _ in pages():
        assert client.get(address).status_code == 200
        other = client.get(address, {"account": "replay"})
        assert other.status_code == 404 and name not in other.content.decode()
    for address in ("/strategies/4711/", "/symbols/4711/", "/symbols/9223372036854775808/"):
        assert client.get(address).status_code == 404


def test_names_that_would_do_harm_are_shown_as_they_are_on_pages_of_a_period(read: Read) -> None:
    page_desk.trades(12)
    strategy = Strategy.objects.get(code=page_desk.EVIL_STRATEGY)
    instrument = Instrument.objects.get(symbol=page_desk.EVIL_SYMBOL)
    for address in ("/symbols/", f"/strategies/{strategy.pk}/", f"/symbols/{instrument.pk}/"):
        page = read(address, days="all")
        assert not {"<i>", "<b>", "<u>"} & {found.lower() for found in re.findall(r"<[a-z]>", page)}, address


def test_the_number_of_queries_does_not_follow_the_rows_of_a_period(read: Read) -> None:
    for plan in plans(24):
        make(plan)
    measured()
    addresses = ["/strategies/?days=all", "/symbols/?days=all", *(f"{page}?days=all" for page, _, _ in pages())]
    few = [queries(read, address) for address in addresses]
    assert max(few[:2]) <= 14 and max(few[2:]) <= 48, few
    for plan in list(plans(40))[24:]:
        make(plan)
    measured()
    many = [queries(read, address) for address in addresses]
    # One may be for the calendar of an exchange that came in with them.
    assert all(later - earlier in (0, 1) for earlier, later in zip(few, many, strict=True)), (few, many)


@pytest.mark.ledger
def test_capital_that_moved_is_told_beside_the_curve_that_it_moved(read: Read, main: Account) -> None:
    """A curve that falls by what was taken out would be read as a loss."""
    address = f"{pages()[0][0]}?days=all"
    sentence = "The account’s capital moved, which is no P&L:"
    assert sentence not in words(read(address))
    report = answered("strategy_report", "--strategy", "breakout")
    first, last = (date.fromisoformat(report["days"][place]["day"]) for place in (0, -1))
    add_capital("main", first, 500_000, by="asha")  # the curve begins with it
    assert sentence not in words(read(address))
    add_capital("main", last, Decimal("-4665.07"), by="asha")
    assert f"{sentence} −₹4,665.07 on {velox.day(last)}." in words(read(address))


def test_of_days_and_weeks_a_page_counts_the_newest_alone_and_tells_how_many_there_are(main: Account) -> None:
    chosen = selection(main)
    whole = strategy_report(chosen)["by"]
    parts, sizes = period_parts(chosen, "strategy", 1)
    assert parts["by"] == {cut: rows[-1:] if cut in ("day", "week") else rows for cut, rows in whole.items()}
    assert sizes == {cut: len(rows) for cut, rows in whole.items()}
    assert min(sizes["day"], sizes["week"]) > 1
