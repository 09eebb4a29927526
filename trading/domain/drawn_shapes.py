"""The keys of what pages draw of a report: distributions of its trades, and the hours of the week."""

from __future__ import annotations

from typing import Annotated, TypedDict

from trading.domain.figure_keys import Figure, Money, Ratio


class DistributionStep(TypedDict):
    """One step of a distribution of closed trades."""

    at_least: Annotated[Money, Figure("as its trades", "lower end, within; None: open")]
    below: Annotated[Money, Figure("as its trades", "upper end, without; None: open")]
    trades: Annotated[int, Figure("trades", "closed trades between the two")]


class Distributions(TypedDict):
    """How closed trades are distributed."""

    pnl: Annotated[list[DistributionStep], Figure("rows", "by P&L after known charges")]
    r: Annotated[list[DistributionStep], Figure("rows", "by R multiple, of trades with an initial risk")]


class WeekdayHour(TypedDict):
    """The closed trades opened in one hour of one weekday, beside all others of the report."""

    weekday: Annotated[str, Figure("name", "weekday of the opening at its exchange")]
    hour: Annotated[str, Figure("name", "hour of the opening, such as `09:00`")]
    trades: Annotated[int, Figure("trades", "closed trades; those of which only the day is known are in no hour")]
    expectancy: Annotated[Money, Figure("money a trade", "their mean P&L")]
    difference: Annotated[Money, Figure("money a trade", "their mean less that of all others", "Welch 1947")]
    p: Annotated[Ratio, Figure("share", "how likely a difference as large is by chance alone", "Welch 1947")]
    p_adjusted: Annotated[Ratio, Figure("share", "p for looking at all hours of the report", "Holm 1979")]
