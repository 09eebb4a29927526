"""`manage.py strategy_report`: the figures of each strategy over a period, and cuts of the same trades."""

from __future__ import annotations

from trading.management.period_report import PeriodReport
from trading.queries.reports import strategy_report


class Command(PeriodReport):
    help = "The figures of each strategy over a period, with intervals, and the same trades cut in every other way."
    name, rows, key, word = "Strategy report", "strategies", "strategy_id", "Strategy"
    figures = staticmethod(strategy_report)
