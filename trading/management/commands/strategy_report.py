"""`manage.py strategy_report`: the figures of each strategy over a period, and the same trades cut in other ways."""

from __future__ import annotations

from argparse import ArgumentParser
from datetime import UTC, datetime
from typing import Any

from trading.management.base import VeloxCommand
from trading.management.output import emit
from trading.management.period_report import (
    add_known_argument,
    add_period_arguments,
    chosen,
    known_of,
    known_until,
    period_report,
)
from trading.queries.reports import strategy_report


class Command(VeloxCommand):
    help = "The figures of each strategy over a period, with intervals, and the same trades cut in every other way."

    def add_arguments(self, parser: ArgumentParser) -> None:
        add_period_arguments(parser)
        add_known_argument(parser)

    def answer(self, **options: Any) -> bool:
        made = strategy_report(chosen(options), now=known_until(options, datetime.now(UTC))) | known_of(options)
        report = period_report("Strategy report", made, rows="strategies", key="strategy_id", word="Strategy")
        emit(report, form=options["format"], stdout=self.stdout, output=options["output"])
        return True
