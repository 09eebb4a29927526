"""One strategy's or symbol's period: the figures of its report, drawn, and every cut of the same exits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from django.http import HttpRequest, HttpResponse

from trading.domain import amounts
from trading.domain.cuts import TITLES
from trading.domain.drawing import Chart, drawing, histogram, scatter
from trading.domain.excursions import ExcursionPoint
from trading.domain.heat import heat_map
from trading.domain.money import from_units
from trading.domain.shapes import PartRow, PeriodParts, StrategyReport, SymbolReport
from trading.models import Account
from trading.queries.accounts import capital_flows
from trading.queries.excursion_report import excursion_points
from trading.queries.reports import Selection, period_parts
from trading.web.choice import AccountChoice, account_query, page
from trading.web.comparison import SECTIONS
from trading.web.drawn import drawn
from trading.web.period import PERIODS, ChosenPeriod

POINTS_MAX = 500
ROWS_MAX = 40  # of a cut by day or week, in the report as well: the calendar has them all


@dataclass(frozen=True, slots=True)
class CutTable:
    """One cut of the period's exits; ``left_off`` counts the older parts that the page leaves out."""

    name: str
    title: str
    rows: list[PartRow]
    left_off: int = 0


def period_page(
    request: HttpRequest,
    choice: AccountChoice,
    period: ChosenPeriod,
    selected: Selection,
    report: StrategyReport | SymbolReport,
    *,
    cut: str,
    name: str,
    address: str,
) -> HttpResponse:
    """Render a report of one strategy or symbol."""
    account, selection_cut = choice.account, selected.cut
    question = cut, selection_cut.strategy_id, selection_cut.instrument_id, selected.first, selected.last

    def pieces() -> dict[str, Any]:
        # Read here: parts of before the ledger moved must not be kept as those of after it.
        parts, sizes = period_parts(selected, cut, ROWS_MAX)
        points = excursion_points(selected, points_max=POINTS_MAX)
        about = {"account": account, "account_query": account_query(account), "cut": cut, "points": points}
        about["flows"] = flows_within(account, parts)
        return {**about, **_pieces(parts, points, account.currency), "cuts": cut_tables(parts, sizes, without=cut)}

    return page(
        request,
        "velox/period.html",
        SECTIONS[cut],
        choice,
        address=address,
        cut=cut,
        name=name,
        report=report,
        total=report["total"],
        periods=PERIODS,
        period=period,
        pieces=drawn(account, "velox/parts/period_pieces.html", question, pieces),
    )


def _pieces(parts: PeriodParts, points: list[ExcursionPoint], currency: str) -> dict[str, Any]:
    """Return what is drawn of a report: curves, distributions, excursions and hours."""
    days, steps = parts["days"], parts["distributions"]
    labels = [row["day"] for row in days]
    equity = Chart("Equity", labels, [row["equity"] for row in days], currency, is_line=True)
    falls = Chart(
        "Below the highest equity so far",
        labels,
        [-row["drawdown"] for row in days],
        currency,
        is_line=True,
        has_zero=True,
    )
    return {
        "curves": [drawing(chart) for chart in (equity, falls) if len(days) > 1],
        "distributions": [
            (histogram("P&L of closed trades", steps["pnl"], lambda end: amounts.money_text(end, currency)), "money"),
            (histogram("R of closed trades", steps["r"], amounts.signed), "r"),
        ],
        "steps": steps,
        "scatter": scatter(points, currency),
        "is_cut_off": len(points) == POINTS_MAX,
        "heat": heat_map(parts["weekday_hours"]),
    }


def flows_within(account: Account, parts: PeriodParts) -> list[tuple[date, Decimal]]:
    """Return what came into the account, or went out, while its curve was drawn: it moves equity and is no P&L."""
    if not parts["days"]:
        return []
    first, last = (date.fromisoformat(parts["days"][place]["day"]) for place in (0, -1))
    flows = capital_flows(account, until=last)
    return [(day, from_units(units)) for day, units in flows.items() if day > first and units]


def cut_tables(parts: PeriodParts, sizes: Mapping[str, int], *, without: str) -> list[CutTable]:
    """Return every cut that has a part but the one that the page is of, then those by condition."""
    tables = []
    for cut, title in TITLES.items():
        rows = parts["by"][cut]
        if rows and cut != without:
            tables.append(CutTable(cut, title, rows, sizes[cut] - len(rows)))
    tables += [
        CutTable(f"c-{place}", f"By condition {name}", rows)
        for place, (name, rows) in enumerate(parts["by_condition"].items())
    ]
    return tables
