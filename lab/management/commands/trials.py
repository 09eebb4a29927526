"""`manage.py trials`: how often each strategy was tried, and whether the registry is whole."""

from __future__ import annotations

from argparse import ArgumentParser
from dataclasses import asdict

from lab.domain.odds import minimum_backtest_years
from lab.queries.trials import trial_counts, trial_faults
from trading.management.base import VeloxCommand
from trading.management.output import Report, Table, add_format_arguments
from trading.management.report import Value
from trading.transactions import ask, reading


class Command(VeloxCommand):
    help = (
        "Tell how often each strategy was ever tried, whatever became of it, and prove the registry. Of so many tries "
        "the best is expected to show an annual Sharpe ratio of 1 by luck alone on less data than the years told. Exit "
        "1 where the registry is not whole."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        add_format_arguments(parser)

    def answer(self) -> bool:
        counts = ask(trial_counts)
        with reading():
            faults = list(trial_faults())
        years = [minimum_backtest_years(count.trials) for count in counts]
        strategies = [
            {**asdict(count), "minimum_backtest_years": of_luck} for count, of_luck in zip(counts, years, strict=True)
        ]
        rows: list[list[Value]] = [
            [count.strategy, count.trials, count.failed, count.pruned, count.first_day, count.last_day, of_luck]
            for count, of_luck in zip(counts, years, strict=True)
        ]
        columns = ["Strategy", "Trials", "Failed", "Pruned", "First day", "Last day", "Years of luck"]
        answer = {"strategies": strategies, "faults": faults}
        self.emit(Report("Trials", answer, [Table("Trials", columns, rows)], faults))
        return not faults
