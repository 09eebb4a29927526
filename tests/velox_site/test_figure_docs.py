"""docs/figures.md: current, and what is answered has its keys."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from tests.trading.desk import NOW, make, plans
from trading.domain import drawn_shapes, shapes
from trading.health.report import HealthReport, report
from trading.queries.accounts import get_account
from trading.queries.daily_summary import build_daily_summary
from trading.queries.excursion_report import excursion_report
from trading.queries.reports import selection, strategy_report, symbol_report
from trading.queries.statistics import strategy_stats, symbol_stats
from trading.queries.stats_by import stats_by
from trading.queries.summary_span import build_span
from velox_site.figure_docs import PARTS, figures_of, markdown

DOCUMENT = Path(__file__).parents[2] / "docs" / "figures.md"


def test_it_is_what_the_types_say() -> None:
    assert DOCUMENT.read_text() == markdown(), "make it anew: python -m velox_site.figure_docs > docs/figures.md"


def test_every_key_has_a_unit_and_a_formula() -> None:
    for shape in PARTS:
        for key, figure in figures_of(shape).items():
            assert figure.unit and figure.formula, key


def test_what_is_answered_has_the_keys_that_are_told(ledger: Any) -> None:
    for plan in plans(12):
        make(plan)
    main = get_account("main")
    april = selection(main, first="2021-04-01", last="2021-04-30")
    by_strategy, by_symbol = strategy_report(april), symbol_report(april)
    day, days = build_daily_summary(main, date(2021, 4, 12)), build_span(april, now=NOW)
    excursions = excursion_report(april)
    answers: list[tuple[Any, type]] = [
        (strategy_stats(main, "ema cross", 30, now=NOW), shapes.Stats),
        (symbol_stats(main, "RELIANCE", None, now=NOW), shapes.Stats),
        (stats_by(main, "month", 30, now=NOW)[0], shapes.PartTotals),
        (stats_by(main, "hour", 30, now=NOW)[0], shapes.PartTotals),
        (by_strategy, shapes.StrategyReport),
        (by_strategy["strategies"][0], shapes.StrategyRow),
        (by_strategy["total"], shapes.StrategyRow),
        (by_strategy["by"]["month"][0], shapes.PartRow),
        (by_strategy["days"][0], shapes.EquityDay),
        (by_strategy["distributions"]["pnl"][0], drawn_shapes.DistributionStep),
        (by_strategy["weekday_hours"][0], drawn_shapes.WeekdayHour),
        (by_symbol, shapes.SymbolReport),
        (by_symbol["symbols"][0], shapes.SymbolRow),
        (day, shapes.DaySummary),
        (days, shapes.DaySummaries),
        (days["days"][0]["strategies"][0], shapes.SummaryRow),
        (days["total"], shapes.SummaryRow),
        (excursions, shapes.ExcursionReport),
        (excursions["trades"][0], shapes.ExcursionRow),
    ]
    for answer, shape in answers:
        assert answer.keys() == figures_of(shape).keys(), shape


def test_the_health_report_has_its_keys(ledger: Any) -> None:
    assert report(now=datetime.now(UTC)).keys() == HealthReport.__annotations__.keys()
