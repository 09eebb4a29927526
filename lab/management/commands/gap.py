"""`manage.py gap`: where a live book and its backtest part, trade by trade."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Sequence
from datetime import date

from lab.management.arguments import add_tick_arguments, fill_model, settings_of, ticks_of
from lab.operations.gap import GapAnswer, GapRequest, GapStep, find_gap
from lab.operations.try_stops import BOOKED
from timeseries.wiring import open_reader
from trading.errors import InvalidValue
from trading.management.base import VeloxCommand
from trading.management.output import Report, Table, add_format_arguments
from trading.management.report import Value
from trading.queries.accounts import get_account
from trading.queries.instruments import plain_name
from trading.transactions import ask

TOLERANCE_SECONDS_MAX = 86_400
STEPS = (
    "Backtest", "Missed", "Extra", "Timing in", "Slip in", "Timing out", "Slip out", "Quantity", "Charges", "Live",
)  # fmt: skip


class Command(VeloxCommand):
    help = (
        "Compare the trades of a strategy in an account with those of a backtest of the same ticks: pairs by symbol, "
        "side and order in time; what each pair lost on the way by timing, slips, quantity and charges adds up exactly."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--account", default="main", help="the live book (default: main)")
        parser.add_argument("--strategy", required=True, metavar="S", help="ema_cross, opening_range, module:Class")
        add_tick_arguments(parser)
        parser.set_defaults(ticks=None)
        parser.add_argument("--run", metavar="ID", help="a backtest's run (default: one is made now, without latency)")
        parser.add_argument(
            "--tolerance", type=int, default=60, metavar="SECONDS", help="how far apart the openings of a pair may be"
        )
        parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="parameters of the run")
        parser.add_argument(
            "--charges",
            default=BOOKED,
            metavar="PLAN|PERCENT|none|booked",
            help="how the run is charged (default: as the live trades were)",
        )
        add_format_arguments(parser)

    def answer(
        self,
        *,
        account: str,
        strategy: str,
        first: date,
        last: date | None,
        symbol: Sequence[str],
        source: str | None,
        ticks: str | None,
        run: str | None,
        tolerance: int,
        set: Sequence[str],
        charges: str,
    ) -> bool:
        if not 0 <= tolerance <= TOLERANCE_SECONDS_MAX:
            raise InvalidValue(
                f"tolerance is {tolerance}.", field="tolerance", hint=f"Give 0 to {TOLERANCE_SECONDS_MAX} seconds."
            )
        if run is not None and (set or charges != BOOKED):
            raise InvalidValue(
                "A run has its parameters and charges.", field="run", hint="Leave out --set and --charges, or --run."
            )
        book = ask(get_account, account)
        request = GapRequest(
            account=book,
            strategy=strategy,
            ticks=ticks_of(ticks or book.code, source, [plain_name(name) for name in symbol], first, last),
            run=run,
            settings=settings_of(set),
            charged=None if charges == BOOKED else fill_model(0, 0, charges),
            tolerance_seconds=tolerance,
        )
        self.emit(_report(find_gap(request, open_reader()), book.currency))
        return True


def _report(answer: GapAnswer, currency: str) -> Report:
    """Return the gap as tables: the waterfall, then the trades."""
    days = f"{answer['first_day']} to {answer['last_day']}"
    title = f"{answer['strategy']} · {answer['account']} · {days} · run {answer['run']}"
    coloured = frozenset(STEPS)
    trades: list[list[Value]] = [
        [row["kind"], row["symbol"], row["side"], row["opened_at"], row["backtest_opened_at"], row["trade_id"],
         row["backtest_trade_id"], *_amounts(row["waterfall"])]
        for row in answer["trades"]
    ]  # fmt: skip
    columns = ["Kind", "Symbol", "Side", "Opened", "Backtest opened", "Trade", "Backtest trade", *STEPS]
    sheet = Table("Trades", columns, trades, currency, coloured)
    counts = f"{answer['pairs']} pairs, {answer['missed']} missed, {answer['extra']} extra"
    notes = [f"{counts}, within {answer['tolerance_seconds']} s; charges: {answer['charges']}."]
    notes += [f"Left out: {count} {reason}." for reason, count in answer["left_out"].items()]
    if answer["trades_without_charges"]:
        notes.append(f"Of {answer['trades_without_charges']} live trades no charges are known.")
    whole = Table(f"Gap · {title}", STEPS, [_amounts(answer["waterfall"])], currency, coloured)
    return Report(f"Gap {answer['run']}", answer, [whole, sheet], notes, sheet=sheet)


def _amounts(step: GapStep) -> list[Value]:
    return [
        step["backtest_pnl"], step["missed"], step["extra"], step["timing_in"], step["slip_in"], step["timing_out"],
        step["slip_out"], step["quantity"], step["charges"], step["live_pnl"],
    ]  # fmt: skip
