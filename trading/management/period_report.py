"""The reports over a period: their arguments, and how their figures become tables and charts."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, TypedDict, TypeVar, Unpack

from trading.domain.cuts import TITLES
from trading.domain.drawing import Chart
from trading.domain.shapes import StrategyReport, SymbolReport
from trading.management import figure_tables
from trading.management.base import VeloxCommand
from trading.management.figure_tables import figure_table, notes_of
from trading.management.output import FORMATS, add_format_arguments
from trading.management.report import Report
from trading.queries.accounts import get_account
from trading.queries.period import desk_date, end_of, parse_day
from trading.queries.reports import Selection, named_cut, selection
from trading.queries.statistics import Cut
from trading.replica import LedgerOrigin, may_be_older

Answer = TypeVar("Answer")

CUT = {"key": "", **figure_tables.RESULT, "expectancy": "Expectancy", "expectancy_low": "from", "expectancy_high": "to"}


class PeriodOptions(TypedDict):
    """The options that `add_period_arguments` gives a command; days as they were typed."""

    first: str | None
    last: str | None
    account: str
    strategy: str | None
    symbol: str | None


class KnownPeriodOptions(PeriodOptions):
    """The options of a period and that of `add_known_argument`."""

    as_known_on: str | None


class PeriodReport(VeloxCommand):
    """A command that shows the figures of a period, a row for each strategy or symbol, and cuts of the same trades.

    A subclass names the report, its rows: their ``key`` in JSON and the ``word`` above them, and the query ``figures``.
    """

    name: str
    rows: str
    key: str
    word: str
    figures: Callable[..., StrategyReport | SymbolReport]

    def add_arguments(self, parser: ArgumentParser) -> None:
        add_period_arguments(parser)
        add_known_argument(parser)

    def answer(self, **period: Unpack[KnownPeriodOptions]) -> bool:
        def read() -> StrategyReport | SymbolReport:
            return self.figures(selection_of(period), now=known_until(period, datetime.now(UTC)))

        figures, age = read_older(self, read)
        report = {**figures, **known_of(period), **age}
        self.emit(period_report(self.name, report, rows=self.rows, key=self.key, word=self.word))
        return True


def read_older(command: VeloxCommand, read: Callable[[], Answer]) -> tuple[Answer, dict[str, float]]:
    """Return what ``read`` returns, at the replica where one answers, and what that adds to a report's JSON:
    `replica_age_seconds`, or nothing. The command says where it was read."""

    def placed(origin: LedgerOrigin) -> tuple[Answer, LedgerOrigin]:
        return read(), origin

    answer, origin = may_be_older(placed)
    if origin.text:
        command.say(origin.text)
    return answer, {} if origin.age_seconds is None else {"replica_age_seconds": round(origin.age_seconds, 3)}


def add_period_arguments(parser: ArgumentParser, *, formats: tuple[str, ...] = FORMATS) -> None:
    """Give a report its period, its account and what it is narrowed to, ``--format`` and ``--output``."""
    parser.add_argument("--from", dest="first", metavar="YYYY-MM-DD", help="the first day (default: the first trade's)")
    parser.add_argument("--to", dest="last", metavar="YYYY-MM-DD", help="the last day (default: the last trade's)")
    parser.add_argument("--account", default="main", help="the account (default: main)")
    parser.add_argument("--strategy", metavar="ID", help="this strategy only")
    parser.add_argument("--symbol", metavar="S", help="this symbol only")
    add_format_arguments(parser, formats=formats)


def add_known_argument(parser: ArgumentParser, *, addition: str = "") -> None:
    """Give a report ``--as-known-on``; ``addition`` ends its help."""
    words = f"without what was recorded after that day{addition}"
    parser.add_argument("--as-known-on", metavar="YYYY-MM-DD", help=words)


def selection_of(
    options: Mapping[str, Any], *, watched: bool = False, with_void: bool = False, with_signals: bool = False
) -> Selection:
    """Return the trades that a report's options name; ``watched`` takes symbols that only ticked as well, ``with_void``
    days on which nothing but void trades was opened, ``with_signals`` those of signals alone.

    Raises: UnknownAccount, InvalidValue.
    """
    return selection(
        get_account(options["account"]),
        first=options["first"],
        last=options["last"],
        strategy_id=options["strategy"],
        symbol=options["symbol"],
        known_at=_known_at(options),
        today=desk_date(datetime.now(UTC)),
        watched=watched,
        with_void=with_void,
        with_signals=with_signals,
    )


def cut_of(options: Mapping[str, Any]) -> Cut:
    """Return the cut of an account that a report's options name. Raises: UnknownAccount, InvalidValue."""
    return named_cut(
        get_account(options["account"]),
        strategy_id=options["strategy"],
        symbol=options["symbol"],
        known_at=_known_at(options),
    )


def _known_at(options: Mapping[str, Any]) -> datetime | None:
    known_on = options.get("as_known_on")
    return None if known_on is None else end_of(parse_day(known_on))


def known_of(options: Mapping[str, Any]) -> dict[str, str]:
    """Return what ``--as-known-on`` adds to a report's JSON: `as_known_on`, or nothing."""
    known_on = options.get("as_known_on")
    return {} if known_on is None else {"as_known_on": parse_day(known_on).isoformat()}


def known_until(options: Mapping[str, Any], now: datetime) -> datetime:
    """Return the instant at which a report's knowledge ends: now, or the end of the day of ``--as-known-on``."""
    known_at = _known_at(options)
    return now if known_at is None else min(now, known_at)


def title_of(name: str, figures: Mapping[str, Any]) -> str:
    """Return the title of a report: its name, account, narrowing, period and currency."""
    narrowed = [figures[key] for key in ("strategy", "symbol") if figures.get(key)]
    period = f"{figures['from']} to {figures['to']}" if figures["from"] else "nothing was traded"
    ending = [f"as known on {figures['as_known_on']}"] if "as_known_on" in figures else []
    return " · ".join([name, figures["account"], *narrowed, period, figures["currency"], *ending])


def period_report(name: str, figures: Mapping[str, Any], *, rows: str, key: str, word: str) -> Report:
    """Return a report of `queries.reports` for people and spreadsheets: tables of figures, of cuts, and charts."""
    currency, total, head = figures["currency"], figures["total"], {key: word}
    lines = [*figures[rows], {**total, key: "Total"}]
    groups = {
        "Result": {**head, **figure_tables.RESULT, **figure_tables.DRAWDOWN},
        "Quality": {**head, **figure_tables.QUALITY},
        "Returns": {**head, **figure_tables.RETURNS},
        "Days and runs": {**head, **figure_tables.RUNS},
        "Excursions": {**head, **figure_tables.EXCURSIONS},
        "In the market": {**head, **figure_tables.EXPOSURE},
        "How sure (95 %)": {**head, "total_trades": "Trades", "win_rate": "Won %", **figure_tables.SURE},
    }
    tables = [
        figure_table(title, columns, lines, currency=currency, in_cents=True, last_is_total=True)
        for title, columns in groups.items()
    ]
    cuts = [
        (title, title.removeprefix("By ").capitalize(), figures["by"][cut])
        for cut, title in TITLES.items()
        if figures["by"][cut] and cut != word.lower()
    ]
    cuts += [(f"By {condition}", condition, parts) for condition, parts in figures["by_condition"].items()]
    tables += [
        figure_table(title, {**CUT, "key": heading}, parts, currency=currency, in_cents=True)
        for title, heading, parts in cuts
    ]
    every_figure = {key: word.lower()} | {figure: figure for figure in total if figure != key}
    sheet = figure_table(name, every_figure, lines, currency=currency, exact=True)
    days = [row["day"] for row in figures["days"]]
    charts = [
        Chart("Equity", days, [row["equity"] for row in figures["days"]], currency, is_line=True),
        Chart("P&L by day", days, [row["pnl"] for row in figures["days"]], currency),
    ]
    return Report(title_of(name, figures), figures, tables, notes_of(total), sheet, charts)
