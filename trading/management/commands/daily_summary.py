"""`manage.py daily_summary`: publish the summary of a trading day by strategy, or show those of several days."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from datetime import date as Day
from typing import Any, Unpack

from trading.domain.shapes import DaySummary
from trading.errors import InvalidValue, LedgerReadOnly
from trading.management import figure_tables
from trading.management.base import VeloxCommand, refuse_idle_beside
from trading.management.figure_tables import figure_table, notes_of
from trading.management.output import Report, add_format_arguments
from trading.management.period_report import (
    KnownPeriodOptions,
    add_known_argument,
    cut_of,
    known_of,
    known_until,
    selection_of,
    title_of,
)
from trading.models import Account
from trading.moment import one_moment
from trading.operations.publish_daily_summary import Publishing, publish_daily_summary
from trading.queries import daily_summary as queries
from trading.queries.day_end import end_of_day
from trading.queries.period import desk_date, parse_day
from trading.queries.summary_span import build_span

RESULT = {"strategy_id": "Strategy", **figure_tables.RESULT, **figure_tables.DRAWDOWN}
QUALITY = {"strategy_id": "Strategy", **figure_tables.QUALITY, "exposure_seconds": "In the market"}


class Command(VeloxCommand):
    help = (
        "The summary of a trading day, computed from its trades. The first run after its session publishes it (version "
        "1); a later run changes nothing while the trades are the same. Exit 1 when they no longer agree with what was "
        "published: --rebuild then publishes the next version. A day in progress is shown; --publish publishes it."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--date", metavar="YYYY-MM-DD", help="the trading day (default: the latest that has data)")
        parser.add_argument("--from", dest="first", metavar="YYYY-MM-DD", help="every day from this one that has data")
        parser.add_argument("--to", dest="last", metavar="YYYY-MM-DD", help="every day up to this one that has data")
        parser.add_argument("--account", default="main", help="the account (default: main)")
        parser.add_argument("--strategy", metavar="ID", help="show this strategy only; the whole day is published")
        parser.add_argument("--symbol", metavar="S", help="this symbol only; publishes nothing, nor do --from and --to")
        add_known_argument(parser, addition="; publishes nothing")
        parser.add_argument(
            "--publish", action="store_true", help="publish a day that is still in progress as it stands"
        )
        parser.add_argument("--rebuild", action="store_true", help="publish a new version where the day has changed")
        add_format_arguments(parser)

    def answer(self, *, date: str | None, publish: bool, rebuild: bool, **period: Unpack[KnownPeriodOptions]) -> bool:
        now = datetime.now(UTC)
        is_span = period["first"] is not None or period["last"] is not None
        if is_span and date is not None:
            raise InvalidValue("--date is one day.", field="date", hint="Give --date, or --from and --to.")
        narrowing = {"--from": is_span, "--symbol": period["symbol"], "--as-known-on": period["as_known_on"]}
        refuse_idle_beside(
            narrowing, {"--publish": publish, "--rebuild": rebuild}, why=": only a whole day is published"
        )
        if is_span:
            with one_moment():
                summaries = build_span(selection_of(period), now=known_until(period, now))
            self.emit(_span_report({**summaries, **known_of(period)}))
            return True
        cut, strategy_id, symbol = replace(cut_of(period), strategy_id=None), period["strategy"], period["symbol"]
        latest = queries.latest_day(cut.account, now=now) if date is None else parse_day(date)
        if latest is None:
            self.say(f"Nothing was traded in account {cut.account.code} yet.")
        day = latest or desk_date(now)
        if cut.known_at is None and symbol is None:
            summary, agrees = self._published(cut.account, day, now, publish=publish, rebuild=rebuild)
        else:
            end_of_day(cut.account, day, now=now)  # refuses a day that has not begun
            with one_moment():
                summary, agrees = queries.summary_of_cut(cut, day, now=known_until(period, now)), True
        summary = summary if strategy_id is None else queries.only(summary, strategy_id)
        self.emit(report({**summary, **known_of(period), **({} if symbol is None else {"symbol": symbol})}))
        return agrees

    def _published(
        self, account: Account, day: Day, now: datetime, *, publish: bool, rebuild: bool
    ) -> tuple[DaySummary, bool]:
        """Publish the day where it is new; return its summary, and whether the published report agrees with it."""
        try:
            publication = publish_daily_summary(account, day, now=now, in_progress=publish, rebuild=rebuild)
        except LedgerReadOnly as error:
            if publish or rebuild:
                raise
            self.say(f"{day} is shown, not published. {error}")
            return queries.build_daily_summary(account, day, now=now), True
        if publication.outcome is Publishing.IN_PROGRESS:
            self.say(f"{day} is in progress: shown, not published; --publish publishes it as it stands.")
        if publication.outcome is Publishing.DIFFERS:
            self.say(
                f"{day} is not what was published as version {publication.version}: shown is what the trades say now; "
                f"--rebuild publishes it."
            )
        return publication.summary, publication.outcome is not Publishing.DIFFERS


def report(summary: Mapping[str, Any]) -> Report:
    """Return a daily summary as a report: two tables for people, one wide one for a spreadsheet."""
    ending = f" · as known on {summary['as_known_on']}" if "as_known_on" in summary else ""
    symbol = f" · {summary['symbol']}" if "symbol" in summary else ""
    title = f"{summary['date']} · {summary['account']}{symbol} · {summary['currency']}{ending}"
    currency, total = summary["currency"], {**summary["total"], "strategy_id": "Total"}
    rows = [*summary["strategies"], total]
    tables = [
        figure_table(f"{name} {title}", columns, rows, currency=currency, last_is_total=True)
        for name, columns in (("Result", RESULT), ("Quality", QUALITY))
    ]
    sheet = figure_table(title, {**RESULT, **QUALITY}, rows, currency=currency, exact=True, last_is_total=True)
    return Report(f"Daily summary {title}", summary, tables, notes_of(total), sheet)


def _span_report(summaries: Mapping[str, Any]) -> Report:
    """Return the summaries of several days as a report: in each table a row per day and strategy, then the total."""
    currency, total = summaries["currency"], {**summaries["total"], "date": "Total"}
    rows = [
        {**row, "date": day["date"]}
        for day in summaries["days"]
        for row in (*day["strategies"], {**day["total"], "strategy_id": "All"})
    ]
    rows.append(total)
    title, head = title_of("Daily summaries", summaries), {"date": "Day"}
    tables = [
        figure_table(f"{name} · {title}", {**head, **columns}, rows, currency=currency, last_is_total=True)
        for name, columns in (("Result", RESULT), ("Quality", QUALITY))
    ]
    sheet = figure_table(title, {**head, **RESULT, **QUALITY}, rows, currency=currency, exact=True, last_is_total=True)
    return Report(title, summaries, tables, notes_of(total), sheet)
