"""The figures of an account cut in one of the ways of `domain.cuts`: as many rows as it has parts, with one total."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import date, datetime
from typing import Any

from trading.domain import cuts, figures, statistics
from trading.domain.cuts import CUTS
from trading.domain.figures import Sheet
from trading.errors import InvalidValue
from trading.queries.accounts import get_account
from trading.queries.parts import parts_of
from trading.queries.period import check_days, last_days
from trading.queries.statistics import Cut, by_day, by_month, by_strategy, by_symbol, by_week, whole_span

CONDITION = "condition"
# The cuts that day totals alone can tell, however many trades there were, and by which name their rows go.
_OF_TOTALS: Mapping[str, tuple[str, Callable[[str, date, date], list[dict[str, Any]]]]] = {
    "day": ("day", by_day),
    "week": ("week", by_week),
    "month": ("month", by_month),
    "strategy": ("strategy_id", by_strategy),
    "symbol": ("symbol", by_symbol),
}


def stats_by(
    account_code: str, cut: str, days: int | None = 30, *, condition: str | None = None, now: datetime
) -> list[dict[str, Any]]:
    """Return a row per part of a cut over ``days`` calendar days ending today (None: first trade to last exit): `key`,
    as text, and the figures of `statistics.strategy_stats` that sums alone can tell. The rows of every cut add up to
    the same total.

    ``cut`` is one of `CUTS`, or `condition` with the name of one that signals recorded.

    Raises: UnknownAccount; InvalidValue for another cut, for a condition without its cut or the other way round, and
    for days that are not None or an int of at least 1.
    """
    check_days(days)
    if cut not in (*CUTS, CONDITION):
        raise InvalidValue(f"cut is {cut!r}.", field="cut", hint=f"Give one of {', '.join((*CUTS, CONDITION))}.")
    if (cut == CONDITION) != isinstance(condition, str):
        raise InvalidValue(
            f"condition is {condition!r}.", field="condition", hint="Name a condition with cut='condition', else none."
        )
    account = get_account(account_code)
    span = last_days(days, now=now) if days is not None else whole_span(Cut(account))
    if span is None:
        return []
    if cut not in _OF_TOTALS:
        return list(_of_exits(Cut(account), cut, condition, *span))
    name, told_by = _OF_TOTALS[cut]
    rows = told_by(account_code, *span)
    return sorted(({"key": str(row.pop(name)), **row} for row in rows), key=lambda row: str(row["key"]))


def _of_exits(cut: Cut, by: str, condition: str | None, first: date, last: date) -> Iterator[dict[str, Any]]:
    parts = parts_of(cut, first, last, with_conditions=condition is not None)
    sheet = Sheet([part.exit for part in parts])
    groups = cuts.by_condition_named(parts, condition) if condition is not None else cuts.places(parts, CUTS[by])
    for key, places in groups.items():
        sample = sheet.sample(places)
        made = statistics.outcomes(sample.nets)
        yield {
            "key": key,
            **figures.outcome_figures(made, gross=sample.gross, charges=sample.charges, unknown=sample.unknown),
        }
