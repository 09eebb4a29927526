"""The figures of an account cut in one of the ways of `domain.cuts`: as many rows as it has parts, with one total."""

from __future__ import annotations

from datetime import date, datetime

from trading.domain import figures
from trading.domain.cuts import CUTS
from trading.domain.shapes import PartTotals
from trading.errors import InvalidValue
from trading.models import Account
from trading.queries.parts import exits_as_columns
from trading.queries.period import check_days, last_days
from trading.queries.statistics import TOTALS, Cut, totals_by, traded_span

CONDITION = "condition"


def stats_by(
    account: Account, cut: str, days: int | None = 30, *, condition: str | None = None, now: datetime
) -> list[PartTotals]:
    """Return a row per part of a cut over ``days`` calendar days ending today (None: first trade to last exit): `key`,
    as text, and the figures of `statistics.strategy_stats` that sums alone can tell. The rows of every cut add up to
    the same total.

    ``cut`` is one of `CUTS`, or `condition` with the name of one that signals recorded.

    Raises: InvalidValue for another cut, for a condition without its cut or the other way round, and for days that are
    not None or an int of at least 1.
    """
    check_days(days)
    if cut not in (*CUTS, CONDITION):
        raise InvalidValue(f"cut is {cut!r}.", field="cut", hint=f"Give one of {', '.join((*CUTS, CONDITION))}.")
    if (cut == CONDITION) != isinstance(condition, str):
        raise InvalidValue(
            f"condition is {condition!r}.", field="condition", hint="Name a condition with cut='condition', else none."
        )
    if cut in TOTALS:
        # A day has a total only where it has exits, so all of them are the whole span.
        first, last = last_days(days, now=now) if days is not None else (date.min, date.max)
        return sorted(totals_by(account, first, last, cut), key=lambda row: row["key"])
    span = last_days(days, now=now) if days is not None else traded_span(Cut(account)).to_last_exit
    if span is None:
        return []
    exits = exits_as_columns(Cut(account), *span, with_conditions=condition is not None)
    groups = exits.groups[cut] if condition is None else exits.by_condition(condition)
    rows: list[PartTotals] = []
    for key, sample in zip(groups.names, exits.samples(groups), strict=True):
        figures_of_part = figures.outcome_figures(
            sample.outcomes, gross=sample.gross, charges=sample.charges, unknown=sample.unknown
        )
        rows.append({"key": key, **figures_of_part})
    return rows
