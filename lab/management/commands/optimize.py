"""`manage.py optimize`: search parameters walking forward, and say what the chosen ones are worth."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Sequence
from datetime import date

from lab.domain.fills import UNKNOWN, filled_as
from lab.domain.windows import Objective
from lab.management.arguments import add_fill_arguments, add_tick_arguments, fill_model, settings_of, ticks_of
from lab.optimise.engines import ENGINES, LOCAL
from lab.optimise.walk_forward import GRID, RANDOM, SEARCHES, SearchAnswer, SearchRequest, walk_forward
from timeseries.wiring import open_reader
from trading.errors import InvalidValue
from trading.management.base import VeloxCommand, refuse_idle
from trading.management.output import Report, Table, add_format_arguments
from trading.management.report import Value
from trading.queries.accounts import get_account
from trading.transactions import ask

JOBS_MAX = 64
SHOWN = 20  # sets of the surface in a table; JSON and CSV have all


class Command(VeloxCommand):
    help = (
        "Choose a strategy's parameters on past days, test them on the days after, and go on so over whole trading "
        "days: only the joined test days count. Each day is played by itself, from the beginning; what is open at its "
        "end is censored. Broken off, it goes on where it was when it is started again."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("strategy", metavar="STRATEGY", help="ema_cross, opening_range, module:Class")
        add_tick_arguments(parser)
        add_fill_arguments(parser)
        choices = [str(objective) for objective in Objective]
        parser.add_argument("--objective", choices=choices, default=choices[0], help=f"default: {choices[0]}")
        parser.add_argument("--search", choices=SEARCHES, default=RANDOM, help=f"default: {RANDOM}")
        parser.add_argument("--trials", type=int, default=100, metavar="N", help="sets at most (default: 100)")
        parser.add_argument("--train-days", type=int, default=20, metavar="N", help="default: 20")
        parser.add_argument("--test-days", type=int, default=5, metavar="N", help="default: 5")
        parser.add_argument(
            "--vary", action="append", default=[], metavar="NAME[=LOW:HIGH[:STEP]]", help="default: every parameter"
        )
        parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="one that does not vary")
        parser.add_argument("--seed", type=int, default=0, metavar="N", help="of the search (default: 0)")
        parser.add_argument("--jobs", type=int, default=1, metavar="N", help="processes (default: 1)")
        parser.add_argument("--engine", choices=ENGINES, default=LOCAL, help=f"whose processes (default: {LOCAL})")
        parser.add_argument(
            "--cluster",
            metavar="ADDRESS",
            help="of Ray or Dask that runs already, with this data folder (default: workers of this machine alone)",
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
        objective: str,
        search: str,
        trials: int,
        train_days: int,
        test_days: int,
        vary: Sequence[str],
        set: Sequence[str],
        seed: int,
        jobs: int,
        engine: str,
        cluster: str | None,
        account: str,
    ) -> bool:
        if not 1 <= jobs <= JOBS_MAX:
            raise InvalidValue(f"jobs is {jobs}.", field="jobs", hint=f"Give 1 to {JOBS_MAX}.")
        if seed < 0:
            raise InvalidValue(f"seed is {seed}.", field="seed", hint="Give a whole number from 0 on.")
        if search == GRID:
            refuse_idle("of a grid", {"--seed": seed or None})
        capital = ask(get_account, account)
        request = SearchRequest(
            strategy=strategy,
            ticks=ticks_of(ticks, source, symbol, first, last),
            capital=capital,
            model=fill_model(latency_ms, slippage_ticks, charges),
            objective=Objective(objective),
            search=search,
            trials=trials,
            train_days=train_days,
            test_days=test_days,
            vary=vary,
            settings=settings_of(set),
            seed=seed,
            jobs=jobs,
            engine=engine,
            cluster=cluster,
        )
        self.emit(_report(walk_forward(request, open_reader()), capital.currency))
        return True


def _report(answer: SearchAnswer, currency: str) -> Report:
    """Return a search as tables: the test days, what they are worth, the windows, the surface."""
    tested: dict[str, Value] = {
        "Test days": answer["test_days"],
        "Trades": answer["trades_closed"],
        "Open at the end": answer["censored"],
        "Unfilled": answer["unfilled"],
        "P&L": answer["total_pnl"],
        "Sharpe": answer["sharpe"],
    }
    odds: dict[str, Value] = {
        "Trials": answer["trials"],
        "of which differ": answer["trials_effective"],
        "PSR": answer["psr"],
        "Deflated": answer["dsr"],
        "Overfitted": answer["pbo"],
        "without skill": answer["pbo_null"],
        "from": answer["pbo_null_low"],
        "to": answer["pbo_null_high"],
        "Days for 95 %": answer["track_record_days"],
        "Years of luck": answer["minimum_backtest_years"],
    }
    windows: list[list[Value]] = [
        [row["train_from"], row["test_from"], row["test_to"], _text(row["parameters"]), row["train_objective"],
         row["test_trades"], row["test_pnl"]]
        for row in answer["windows"]
    ]  # fmt: skip
    surface: list[list[Value]] = [
        [_text(row["parameters"]), row["objective"], row["neighbours"]] for row in answer["surface"]
    ]
    title = f"{answer['strategy']} · {answer['first_day']} to {answer['last_day']}"
    columns = ["Trained from", "Tested from", "to", "Chosen", answer["objective"], "Trades", "P&L"]
    sets = ["Set", answer["objective"], "Its neighbours"]
    tables = [
        Table(f"Out of sample · {title}", list(tested), [list(tested.values())], currency, frozenset({"P&L"})),
        Table(f"What it is worth · run {answer['run']}", list(odds), [list(odds.values())]),
        Table("Windows", columns, windows, currency, frozenset({"P&L"})),
        Table(f"The best {min(SHOWN, len(surface))} of {len(surface)} sets, over all days", sets, surface[:SHOWN]),
    ]
    charged = "no charges are known" if answer["charges"] == UNKNOWN else f"charged {answer['charges']}"
    filled = f"Filled {filled_as(answer['latency_ms'], answer['slippage_ticks'])}, {charged}."
    failed = [f"{answer['failed']} sets failed; `trials` counts them."] if answer["failed"] else []
    reasons = [f"{name}: {reason}" for name, reason in answer["why"].items()]
    return Report(
        f"Search {answer['run']}", answer, tables, [filled, *failed, *reasons], sheet=Table("Sets", sets, surface)
    )


def _text(parameters: dict[str, int | float] | None) -> str | None:
    return None if parameters is None else " ".join(f"{name}={number}" for name, number in parameters.items())
