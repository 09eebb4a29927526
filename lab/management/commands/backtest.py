"""`manage.py backtest`: try a strategy on stored ticks, and say what the result is worth."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Sequence
from datetime import date

from lab.backtest.days import TickQuestion
from lab.domain.fills import UNKNOWN, filled_as
from lab.management.arguments import add_fill_arguments, add_tick_arguments, fill_model, settings_of, ticks_of
from lab.operations.backtest import BacktestAnswer, BacktestRequest, backtest
from lab.operations.keep_run import keep_run, replay_account
from timeseries.wiring import open_reader
from trading.domain.charge_heads import HEAD_TITLES, Head
from trading.management.base import VeloxCommand
from trading.management.output import Report, Table, add_format_arguments
from trading.management.report import Value
from trading.queries.accounts import get_account
from trading.transactions import ask


class Command(VeloxCommand):
    help = (
        "Try a strategy on stored ticks: orders are filled after a latency, a little worse, stops by the tick that "
        "reaches them. The trial is counted for good; the odds that the figure is luck stand beside it."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("strategy", metavar="STRATEGY", help="ema_cross, opening_range, module:Class")
        add_tick_arguments(parser)
        add_fill_arguments(parser)
        parser.add_argument(
            "--set", action="append", default=[], metavar="NAME=VALUE", help="one of the strategy's parameters"
        )
        parser.add_argument(
            "--keep",
            action="store_true",
            help="write the trades into --account, of book replay, made where it is missing",
        )
        parser.add_argument("--account", default="replay", help="whose capital counts (default: replay)")
        add_format_arguments(parser)

    def answer(
        self,
        *,
        strategy: str,
        first: date,
        last: date | None,
        symbol: Sequence[str],
        source: str | None,
        ticks: str,
        latency_ms: int,
        slippage_ticks: int,
        charges: str,
        set: Sequence[str],
        keep: bool,
        account: str,
    ) -> bool:
        question = ticks_of(ticks, source, symbol, first, last)
        model = fill_model(latency_ms, slippage_ticks, charges)
        capital = replay_account(account) if keep else ask(get_account, account)
        request = BacktestRequest(
            strategy=strategy, ticks=question, capital=capital, settings=settings_of(set), model=model
        )
        run = backtest(request, open_reader())
        if keep:
            self.say(f"{keep_run(run.desk, capital)} trades are kept in account {account}.")
        self.emit(_report(run.answer, question, capital.currency))
        return True


def _report(answer: BacktestAnswer, asked: TickQuestion, currency: str) -> Report:
    """Return a backtest as two tables: what came of it, and what that is worth."""
    outcome: dict[str, Value] = {
        "Days": answer["days"],
        "Ticks": answer["ticks"],
        "Trades": answer["trades_opened"],
        "Closed": answer["trades_closed"],
        "Open at the end": answer["censored"],
        "Unfilled": answer["unfilled"],
        "P&L": answer["total_pnl"],
        "Win rate": answer["statistics"]["win_rate"],
        "Profit factor": answer["statistics"]["profit_factor"],
        "Sharpe": answer["statistics"]["sharpe"],
    }
    odds: dict[str, Value] = {
        "Trials": answer["trials"],
        "of which differ": answer["trials_effective"],
        "PSR": answer["psr"],
        "Deflated": answer["dsr"],
        "Days for 95 %": answer["track_record_days"],
    }
    filled = filled_as(answer["latency_ms"], answer["slippage_ticks"])
    charged = "no charges are known" if answer["charges"] == UNKNOWN else f"charged {answer['charges']}"
    title = f"{answer['strategy']} · {answer['first_day']} to {answer['last_day']} · {answer['source']}"
    tables = [
        Table(f"Backtest · {title}", list(outcome), [list(outcome.values())], currency, frozenset({"P&L"})),
        Table(f"What it is worth · run {answer['run']}", list(odds), [list(odds.values())]),
    ]
    heads: dict[str, Value] = {HEAD_TITLES[Head(head)]: amount for head, amount in answer["charges_by_head"].items()}
    if heads:
        tables.insert(1, Table(f"Charges · {answer['charges']}", list(heads), [list(heads.values())], currency))
    reasons = [f"{name}: {reason}" for name, reason in answer["why"].items()]
    return Report(f"Backtest {answer['run']}", answer, tables, [f"Filled {filled}, {charged}.", *reasons])
