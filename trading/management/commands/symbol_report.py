"""`manage.py symbol_report`: the figures of each symbol over a period, and cuts of the same trades."""

from __future__ import annotations

from trading.management.period_report import PeriodReport
from trading.queries.reports import symbol_report


class Command(PeriodReport):
    help = "The figures of each symbol over a period, with intervals, and the same trades cut in every other way."
    name, rows, key, word = "Symbol report", "symbols", "symbol", "Symbol"
    figures = staticmethod(symbol_report)
