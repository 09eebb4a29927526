"""Each report over 100,000 trades, as a command runs it, against what one writes first with the ORM: loops over trades.

The reference reads trades as objects with what belongs to them prefetched (a query per trade would take hours) and
computes in Python with Decimal. It tells less: counts, sums and averages of each cut, but no drawdown, no ratio of
days, no interval, no time in the market. What both tell is compared before the race.
"""

from __future__ import annotations

import csv
import json
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from statistics import fmean
from time import perf_counter
from typing import Any

from django.core.management import call_command
from django.db.models import QuerySet
from django.utils import timezone

from bench.book import TRADES, book_of_trades
from bench.harness import Figures, Pair, Pairs, Row
from trading.data_manager import DataManager
from trading.models import Fill, Signal, Trade

# Reports of a year take seconds, so few rounds: the race is long enough to be fair.
ROUNDS = 3


@contextmanager
def prepare() -> Iterator[Pairs]:
    with book_of_trades() as last, tempfile.TemporaryDirectory(prefix="velox-bench-reports-") as folder:
        middle = last - timedelta(weeks=20)
        commands = {
            "daily_summary of a day": (("daily_summary", "--date", f"{middle}"), lambda: naive_day(middle)),
            "daily_summary of a year": (("daily_summary", "--to", f"{last}"), naive_year),
            "strategy_report": (("strategy_report",), naive_report),
            "symbol_report": (("symbol_report",), naive_report),
            "signal_report": (("signal_report",), naive_signals),
        }
        pairs = {}
        for name, (arguments, naive) in commands.items():
            _same(name, _report(Path(folder), *arguments), naive())
            pairs[name] = Pair(_units(Path(folder), *arguments), _counted(naive)), MARKS[name]
        export = Path(folder) / "naive.csv"
        pair = Pair(_units(Path(folder), "trade_export", form="csv"), lambda: naive_export(export))
        pairs["trade_export"] = pair, MARKS["trade_export"]
        yield Pairs(pairs)


def _units(folder: Path, *arguments: str, form: str = "json") -> Callable[[], int]:
    def run() -> int:
        _run(folder, *arguments, form=form)
        return TRADES

    return run


def _counted(naive: Callable[[], Any]) -> Callable[[], int]:
    def run() -> int:
        naive()
        return TRADES

    return run


def _run(folder: Path, *arguments: str, form: str) -> Path:
    """Let a command write its report into a file, everything from the first query to the last byte on disk."""
    target = folder / f"{arguments[0]}.{form}"
    with (folder / "said").open("w") as log:
        call_command(*arguments, "--format", form, "--output", str(target), stdout=log, stderr=log)
    return target


def _report(folder: Path, *arguments: str) -> dict[str, Any]:
    report: dict[str, Any] = json.loads(_run(folder, *arguments, form="json").read_text())
    return report


def _same(name: str, ours: dict[str, Any], theirs: dict[str, dict[str, Any]]) -> None:
    """Compare what both tell: a row of ours for each of theirs, the same figures in it."""
    rows = _rows(ours)
    assert len(theirs) > 1, name
    for key, figures in theirs.items():
        for figure, value in figures.items():
            mine = rows[key][figure]
            close = mine == value or abs(float(mine) - float(value)) <= 1e-6 * max(1.0, abs(float(value)))
            assert close, (name, key, figure, mine, value)


def _rows(report: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return every row of a report by a name that the references use too."""
    if "conditions" in report:
        conditions = {
            f"{row['strategy_id']}/{row['condition']}/{row['bucket']}": row
            for row in report["conditions"]
            if row["bucket"] == "yes"
        }
        groups = {f"{row['strategy_id']}/{row['decision']}/{row['reason']}": row for row in report["signals"]}
        return conditions | groups
    if "by" in report:
        return {"total": report["total"]} | {
            f"{cut}/{row['key']}": row for cut, of in report["by"].items() for row in of
        }
    days = report.get("days", [report])
    rows = {f"{day['date']}/{row['strategy_id']}": row for day in days for row in day["strategies"]}
    return rows | {"total": report["total"]}


def naive_figures(trades: Iterable[Trade]) -> dict[str, Any]:
    """What a first version tells of some trades."""
    nets = [trade.realised_pnl - (trade.charges or Decimal(0)) for trade in trades]
    wins, losses = [net for net in nets if net > 0], [net for net in nets if net < 0]
    figures: dict[str, Any] = {
        "total_trades": len(nets),
        "winning_trades": len(wins),
        "losing_trades": len(losses),
        "win_rate": 100 * len(wins) / len(nets),
        "profit_factor": float(sum(wins) / -sum(losses)) if losses else None,
        "expectancy": sum(nets) / len(nets),
    }
    if wins:
        figures |= {"avg_win": sum(wins) / len(wins), "largest_win": max(wins)}
    if losses:
        figures |= {"avg_loss": sum(losses) / len(losses), "largest_loss": min(losses)}
    return {name: value for name, value in figures.items() if value is not None}


def closed_trades() -> QuerySet[Trade]:
    rows = Trade.objects.filter(account__code="main", state="CLOSED")
    return rows.select_related("strategy", "instrument").prefetch_related("fills")


def ended_on(trade: Trade) -> date:
    """The day of the trade's last fill: what one asks the related rows for."""
    return timezone.localdate(max(fill.at for fill in trade.fills.all()))


def naive_day(day: date) -> dict[str, dict[str, Any]]:
    """The summary of one day: the trades that closed on it, by strategy."""
    groups: dict[str, list[Trade]] = defaultdict(list)
    for trade in closed_trades().filter(closed_at__date=day):
        groups[f"{day}/{trade.strategy.code}"].append(trade)
        groups["total"].append(trade)
    return {key: naive_figures(trades) for key, trades in groups.items()}


def naive_year() -> dict[str, dict[str, Any]]:
    """A summary for each day: every trade by strategy and day."""
    groups: dict[str, list[Trade]] = defaultdict(list)
    for trade in closed_trades():
        groups[f"{ended_on(trade)}/{trade.strategy.code}"].append(trade)
        groups["total"].append(trade)
    return {key: naive_figures(trades) for key, trades in groups.items()}


def naive_report() -> dict[str, dict[str, Any]]:
    """The total and every cut but that by conditions: one loop over the trades, a list of them per part."""
    groups: dict[str, list[Trade]] = defaultdict(list)
    for trade in closed_trades().select_related("strategy", "instrument", "review"):
        day, opened = ended_on(trade), timezone.localtime(trade.opened_at)
        year, week, _ = day.isocalendar()
        review = getattr(trade, "review", None)
        keys = {
            "day": f"{day}",
            "week": f"{year}-W{week:02d}",
            "month": f"{day:%Y-%m}",
            "strategy": trade.strategy.code,
            "symbol": trade.instrument.symbol,
            "side": trade.side,
            "exit_reason": trade.exit_reason or "—",
            "tag": ", ".join(sorted(review.tags)) if review is not None and review.tags else "—",
            "hour": f"{opened:%H}:00",
            "weekday": f"{opened:%A}",
        }
        for cut, key in keys.items():
            groups[f"{cut}/{key}"].append(trade)
        groups["total"].append(trade)
    return {key: naive_figures(trades) for key, trades in groups.items()}


def naive_signals() -> dict[str, dict[str, Any]]:
    """Each true-or-false condition: the trades with it and without it; and the signals counted."""
    values: dict[tuple[str, str], tuple[list[Decimal], list[Decimal]]] = defaultdict(lambda: ([], []))
    counts: dict[str, int] = defaultdict(int)
    for signal in Signal.objects.filter(account__code="main").select_related("strategy", "instrument", "trade"):
        counts[f"{signal.strategy.code}/{signal.decision}/{signal.reason}"] += 1
        if signal.trade is None:
            continue
        net = signal.trade.realised_pnl - (signal.trade.charges or Decimal(0))
        for name, seen in signal.conditions.items():
            if isinstance(seen, bool):
                values[signal.strategy.code, name][not seen].append(net)
    conditions = {
        f"{strategy}/{name}/yes": {
            "trades_with": len(within),
            "expectancy_with": Decimal(fmean(within)),
            "trades_without": len(outside),
            "expectancy_without": Decimal(fmean(outside)),
        }
        for (strategy, name), (within, outside) in values.items()
    }
    return conditions | {key: {"signals": count} for key, count in counts.items()}


def naive_export(target: Path) -> int:
    """Write every trade with its fills' average prices as CSV."""
    with target.open("w", newline="") as file:
        writer = csv.writer(file)
        rows = Trade.objects.filter(account__code="main").order_by("opened_at")
        related = rows.select_related("account", "strategy", "instrument__exchange", "review__reviewed_by", "excursion")
        for trade in related.prefetch_related("fills"):
            writer.writerow(_line(trade))
    return TRADES


def _line(trade: Trade) -> list[Any]:
    fills = list(trade.fills.all())
    review, net = getattr(trade, "review", None), trade.realised_pnl - (trade.charges or Decimal(0))
    return [
        trade.account.code, trade.account.currency, trade.trade_id, trade.strategy.code, trade.instrument.symbol,
        trade.side, trade.state, "win" if net > 0 else "loss" if net < 0 else "breakeven", trade.trading_day,
        timezone.localtime(trade.opened_at), timezone.localtime(trade.closed_at), trade.entry_quantity,
        trade.open_quantity, _average(fill for fill in fills if fill.role == "ENTRY"), trade.stop_price,
        trade.target_price, trade.initial_risk, trade.realised_pnl, trade.charges,
        round(net / trade.initial_risk, 2) if trade.initial_risk else None, trade.exit_reason, trade.reported_pnl,
        " ".join(trade.flags), *((review.state, review.rating, ", ".join(review.tags), review.mistakes, review.notes,
        review.reviewed_by, review.reviewed_at) if review is not None else ()),
    ]  # fmt: skip


def _average(fills: Iterable[Fill]) -> Decimal:
    booked = list(fills)
    return sum(fill.price * fill.quantity for fill in booked) / sum(fill.quantity for fill in booked)


@contextmanager
def prepare_times() -> Iterator[Figures]:
    """What a strategy or a page asks for while it works: the account's figures by what day totals tell."""
    with book_of_trades() as last, DataManager() as dm:
        days = (datetime.now(UTC).date() - last).days + YEAR
        for cut in OF_DAY_TOTALS:
            assert sum(row["total_trades"] for row in dm.get_stats_by(cut, days)) == TRADES
        yield Figures(lambda: {f"by {cut}": _milliseconds(dm, cut, days) for cut in OF_DAY_TOTALS}, BOUNDS, "ms")


def _milliseconds(dm: DataManager, cut: str, days: int) -> float:
    started = perf_counter()
    dm.get_stats_by(cut, days)
    return 1000 * (perf_counter() - started)


YEAR = 366
OF_DAY_TOTALS = ("strategy", "symbol", "day", "week", "month")
BOUNDS = dict.fromkeys((f"by {cut}" for cut in OF_DAY_TOTALS), 50.0)
MARKS = {
    "daily_summary of a day": 1.0,
    "daily_summary of a year": 1.5,
    "strategy_report": 1.5,
    "symbol_report": 1.5,
    "signal_report": 1.0,
    "trade_export": 2.0,
}

ROWS = [
    Row(
        "reports",
        f"each report over {TRADES:,} trades as a command writes it, against loops over the ORM's objects",
        prepare,
        mark=1.0,
        stretch=5.0,
        unit="trades per second",
        rounds=ROUNDS,
        settings={"trades": f"{TRADES:,}"},
    ),
    Row(
        "statistics_ms",
        f"the facade's statistics over {TRADES:,} trades of a year, from day totals",
        prepare_times,
        unit="milliseconds",
        settings={"trades": f"{TRADES:,}"},
    ),
]
