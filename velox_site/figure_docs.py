"""docs/figures.md, made from the figures' types: `python -m velox_site.figure_docs > docs/figures.md`."""

from __future__ import annotations

import inspect
import sys
from typing import get_type_hints

from velox_site import desk  # noqa: F401  (first: it sets Django up)

# isort: split
from timeseries.shipping.balance import PointCounts
from trading.domain import drawn_shapes, shapes
from trading.domain.figure_keys import Figure
from trading.health.report import HealthReport
from trading.health.state import FeedReport, PartReport

HEAD = """\
# Figures

Made from `trading/domain/shapes.py` by `python -m velox_site.figure_docs`; do not edit it.

The keys of what `dm.get_strategy_stats`, `dm.get_symbol_stats`, `dm.get_stats_by` and `dm.get_daily_summary` answer,
and of the JSON of `manage.py daily_summary`, `strategy_report`, `symbol_report`, `signal_report` and
`excursions`. Money is in the account's currency,
Decimal in Python and text in JSON; ratios are floats. What is not defined (an average of nothing, a ratio without its
divisor, a ratio below its least sample) is None, in JSON null. A trade belongs to the day on which it closes, an exit's
money to the day of its fill. P&L is after known charges where it is not called gross.
"""
# The types whose keys are explained, and those that are put together from them.
PARTS: tuple[type, ...] = (
    shapes.Results,
    shapes.Extremes,
    shapes.Expectations,
    shapes.RMultiples,
    shapes.Drawdowns,
    shapes.DayRatios,
    shapes.Quality,
    shapes.Unfinished,
    shapes.DaySample,
    shapes.DrawdownDates,
    shapes.Growth,
    shapes.OrderFigures,
    shapes.Sureness,
    shapes.Excursions,
    shapes.ExposureTime,
    shapes.Exposure,
    shapes.EquityDay,
    drawn_shapes.DistributionStep,
    drawn_shapes.WeekdayHour,
    shapes.ConditionRow,
    shapes.SignalGroup,
    shapes.TradeExcursions,
    shapes.ExcursionRow,
    shapes.FeedGapRow,
)
WHOLES: dict[str, type] = {
    "a row of `dm.get_stats_by`": shapes.PartTotals,
    "`dm.get_strategy_stats`, `dm.get_symbol_stats`": shapes.Stats,
    "`dm.get_daily_summary`, `daily_summary --date`": shapes.DaySummary,
    "`daily_summary --from --to`": shapes.DaySummaries,
    "a row of a summary": shapes.SummaryRow,
    "`strategy_report`": shapes.StrategyReport,
    "a row of `strategy_report`": shapes.StrategyRow,
    "`symbol_report`": shapes.SymbolReport,
    "a row of `symbol_report`": shapes.SymbolRow,
    "`signal_report`": shapes.SignalReport,
    "`excursions`": shapes.ExcursionReport,
    "a part of `by` and `by_condition`": shapes.PartRow,
}


HEALTH: tuple[type, ...] = (HealthReport, PartReport, PointCounts, FeedReport)


def figures_of(shape: type) -> dict[str, Figure]:
    """Return the keys of a type, those of its bases first, each with its unit, formula and source."""
    hints = get_type_hints(shape, vars(shapes), include_extras=True)
    return {key: hint.__metadata__[0] for key, hint in hints.items()}


def markdown() -> str:
    """Return the whole document."""
    explained: set[tuple[str, Figure]] = set()
    lines = [HEAD]
    for shape in PARTS:
        lines += [f"## {inspect.getdoc(shape)}", "", "| key | unit | formula | source |", "|---|---|---|---|"]
        for key, figure in figures_of(shape).items():
            if (key, figure) not in explained:
                formula = figure.formula.replace("|", "\\|")  # which a table would take for its own
                lines.append(f"| `{key}` | {figure.unit} | {formula} | {figure.source or 'the desk'} |")
                explained.add((key, figure))
        lines.append("")
    lines.append("# Where they stand\n")
    for place, shape in WHOLES.items():
        named = [
            f"`{key}`" if (key, figure) in explained else f"`{key}` ({figure.formula})"
            for key, figure in figures_of(shape).items()
        ]
        lines.append(f"**{place[0].upper()}{place[1:]}**: {', '.join(named)}.\n")
    lines.append("# Health\n")
    for shape in HEALTH:
        keys = ", ".join(f"`{key}`" for key in get_type_hints(shape))
        lines.append(f"{inspect.getdoc(shape)} Keys: {keys}.\n")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.stdout.write(markdown())
