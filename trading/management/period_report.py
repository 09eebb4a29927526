"""What the reports over a period share: their arguments, and how their figures become tables and charts."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from trading.management import figure_tables
from trading.management.figure_tables import figure_table, notes_of
from trading.management.output import FORMATS, add_format_arguments
from trading.management.report import Chart, Report
from trading.queries.accounts import get_account
from trading.queries.period import desk_date, end_of, parse_day
from trading.queries.reports import Selection, named_cut, selection
from trading.queries.statistics import Cut

CUT_TITLES = {
    "month": "By month",
    "week": "By week",
    "strategy": "By strategy",
    "symbol": "By symbol",
    "side": "By side",
    "exit_reason": "By exit reason",
    "tag": "By tags",
    "hour": "By hour of entry",
    "weekday": "By weekday of entry",
    "holding": "By time held",
    "day": "By day",
}
CUT = {"key": "", **figure_tables.RESULT, "expectancy": "Expectancy", "expectancy_low": "from", "expectancy_high": "to"}


def add_period_arguments(parser: ArgumentParser, *, formats: tuple[str, ...] = FORMATS) -> None:
    """Give a report its period, its account and what it is narrowed to, ``--format`` and ``--output``."""
    parser.add_argument("--from", dest="first", metavar="YYYY-MM-DD", help="the first day (default: the first trade's)")
    parser.add_argument("--to", dest="last", metavar="YYYY-MM-DD", help="the last day (default: the last trade's)")
    parser.add_argument("--account", default="main", help="the account (default: main)")
    parser.add_argument("--strategy", metavar="ID", help="this strategy only")
    parser.add_argument("--symbol", metavar="S", help="this symbol only")
    add_format_arguments(parser, formats=formats)


def add_known_argument(parser: ArgumentParser, *, more: str = "") -> None:
    """Give a report ``--as-known-on``."""
    parser.add_argument("--as-known-on", metavar="YYYY-MM-DD", help=f"without what was recorded after that day{more}")


def chosen(options: Mapping[str, Any], *, watched: bool = False) -> Selection:
    """Return what the arguments name; a symbol may be one that is only ``watched``. Raises: UnknownAccount,
    InvalidValue."""
    return selection(
        get_account(options["account"]),
        first=options["first"],
        last=options["last"],
        strategy_id=options["strategy"],
        symbol=options["symbol"],
        known_at=_known_at(options),
        today=desk_date(datetime.now(UTC)),
        watched=watched,
    )


def cut_of(options: Mapping[str, Any]) -> Cut:
    """Return the part of an account that the arguments name. Raises: UnknownAccount, InvalidValue."""
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
    """Return what a report says of ``--as-known-on``: `as_known_on`, or nothing."""
    known_on = options.get("as_known_on")
    return {} if known_on is None else {"as_known_on": parse_day(known_on).isoformat()}


def known_until(options: Mapping[str, Any], now: datetime) -> datetime:
    """What was not known yet had not happened: a position counts to the end of the day named."""
    known_on = options.get("as_known_on")
    return now if known_on is None else min(now, end_of(parse_day(known_on)))


def title_of(name: str, made: Mapping[str, Any]) -> str:
    """Return the title of a report: what, of whom, from when to when."""
    narrowed = [made[key] for key in ("strategy", "symbol") if made.get(key)]
    span = f"{made['from']} to {made['to']}" if made["from"] else "nothing was traded"
    known = [f"as known on {made['as_known_on']}"] if "as_known_on" in made else []
    return " · ".join([name, made["account"], *narrowed, span, made["currency"], *known])


def period_report(name: str, made: Mapping[str, Any], *, rows: str, key: str, word: str) -> Report:
    """Return a report of `queries.reports` for people and spreadsheets."""
    currency, first = made["currency"], {key: word}
    lines = [*made[rows], {**made["total"], key: "Total"}]
    groups = {
        "Result": {**first, **figure_tables.RESULT, **figure_tables.DRAWDOWN},
        "Quality": {**first, **figure_tables.QUALITY},
        "Returns": {**first, **figure_tables.RETURNS},
        "Days and runs": {**first, **figure_tables.RUNS},
        "Excursions": {**first, **figure_tables.EXCURSIONS},
        "In the market": {**first, **figure_tables.EXPOSURE},
        "How sure (95 %)": {**first, "total_trades": "Trades", "win_rate": "Win %", **figure_tables.SURE},
    }
    tables = [
        figure_table(title, columns, lines, currency=currency, in_cents=True, last_is_total=True)
        for title, columns in groups.items()
    ]
    tables += [
        figure_table(
            title,
            {**CUT, "key": title.removeprefix("By ").capitalize()},
            made["by"][cut],
            currency=currency,
            in_cents=True,
        )
        for cut, title in CUT_TITLES.items()
        if made["by"][cut] and cut != word.lower()
    ]
    tables += [
        figure_table(f"By {name}", {**CUT, "key": name}, parts, currency=currency, in_cents=True)
        for name, parts in made["by_condition"].items()
    ]
    sheet = figure_table(name, _everything(made["total"], key, word), lines, currency=currency, exact=True)
    return Report(title_of(name, made), made, tables, notes_of(made["total"]), sheet, _charts(made))


def _everything(total: Mapping[str, Any], key: str, word: str) -> dict[str, str]:
    """A spreadsheet gets every figure under its own name."""
    return {key: word.lower()} | {name: name for name in total if name != key}


def _charts(made: Mapping[str, Any]) -> list[Chart]:
    labels = [row["day"] for row in made["days"]]
    return [
        Chart("Equity", labels, [row["equity"] for row in made["days"]], made["currency"], is_line=True),
        Chart("P&L by day", labels, [row["pnl"] for row in made["days"]], made["currency"]),
    ]
