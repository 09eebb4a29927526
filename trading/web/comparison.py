"""The strategies or the symbols of one account beside each other, over a period."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from django.http import HttpRequest, HttpResponse

from trading.domain.drawing import Drawing, spark
from trading.domain.shapes import PartTotals, Stats
from trading.queries.kept import KeptAnswers
from trading.queries.statistics import curves_by, totals_by
from trading.web.choice import AccountChoice, page
from trading.web.period import PERIODS, ChosenPeriod

SECTIONS = {"strategy": "strategies", "symbol": "symbols"}  # the names of the lists; those of a page are the keys


@dataclass(frozen=True, slots=True)
class ComparedLine:
    """One strategy or symbol: the key of its page, its figures, and how its P&L went."""

    pk: int
    totals: PartTotals
    spark: Drawing | None


LINE_BYTES, BYTES_MAX = 2**13, 16 * 2**20  # a line with its curve of a thousand days
_kept_lines: KeptAnswers[list[ComparedLine]] = KeptAnswers(BYTES_MAX, lambda lines: LINE_BYTES * (1 + len(lines)))


def comparison(
    request: HttpRequest,
    choice: AccountChoice,
    period: ChosenPeriod,
    *,
    cut: str,
    keys: Mapping[str, int],
    name: str = "",
    figures: Stats | None = None,
) -> HttpResponse:
    """Render the parts of a cut (`strategy`, `symbol`); ``keys`` are those of their rows by name."""
    days = period.begins, period.last

    def compared() -> list[ComparedLine]:
        curves = curves_by(choice.account, *days, cut)
        return [
            ComparedLine(keys[totals["key"]], totals, spark(curves.get(totals["key"], [])))
            for totals in totals_by(choice.account, *days, cut)
        ]

    rows = _kept_lines.of(choice.account, (cut, *days), compared)
    return page(
        request,
        "velox/comparison.html",
        SECTIONS[cut],
        choice,
        cut=cut,
        rows=rows,
        periods=PERIODS,
        period=period,
        one=name,
        figures=figures,
    )
