"""`manage.py daily_summary`: what a trading day brought, by strategy, published once and versioned."""

from __future__ import annotations

from argparse import ArgumentParser
from datetime import UTC, date, datetime
from typing import Any

from trading.errors import InvalidValue
from trading.management import figure_tables
from trading.management.base import VeloxCommand
from trading.management.figure_tables import figure_table, notes_of
from trading.management.output import Report, add_format_arguments, emit
from trading.models import Strategy
from trading.operations.publish_daily_summary import publish_daily_summary
from trading.queries import daily_summary as queries
from trading.queries.period import desk_date, end_of, parse_day
from trading.queries.sessions import calendar_of

RESULT = {"strategy_id": "Strategy", **figure_tables.RESULT, **figure_tables.DRAWDOWN}
QUALITY = {"strategy_id": "Strategy", **figure_tables.QUALITY, "exposure_seconds": "In the market"}


class Command(VeloxCommand):
    help = (
        "The summary of a trading day, computed from its trades. The first run publishes it (version 1); a later run "
        "changes nothing while the trades are the same. Exit 1 when they no longer agree with what was published: "
        "--rebuild then publishes the next version."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--date", metavar="YYYY-MM-DD", help="the trading day (default: the latest that has data)")
        parser.add_argument("--account", default="main", help="the account (default: main)")
        parser.add_argument("--strategy", metavar="ID", help="show this strategy only; the whole day is published")
        parser.add_argument(
            "--as-known-on", metavar="YYYY-MM-DD", help="without what was recorded after that day; publishes nothing"
        )
        parser.add_argument("--rebuild", action="store_true", help="publish a new version where the day has changed")
        add_format_arguments(parser)

    def answer(self, **options: Any) -> bool:
        now, account = datetime.now(UTC), options["account"]
        day = self._day(options["date"], account, now)
        strategy = options["strategy"]
        if strategy is not None and not Strategy.objects.filter(code=strategy).exists():
            raise InvalidValue(f"There is no strategy {strategy!r}.", field="strategy")
        if options["as_known_on"] is not None:
            known_on = parse_day(options["as_known_on"])
            known = queries.build_daily_summary(account, day, now=min(now, end_of(known_on)), known_at=end_of(known_on))
            summary, agrees = {**known, "as_known_on": known_on.isoformat()}, True
        else:
            summary = queries.build_daily_summary(account, day, now=now)
            agrees = self._publish(summary, day, now=now, rebuild=options["rebuild"])
        shown = summary if strategy is None else queries.only(summary, strategy)
        emit(report(shown), form=options["format"], stdout=self.stdout, output=options["output"])
        return agrees

    def _day(self, text: str | None, account: str, now: datetime) -> date:
        if text is not None:
            return parse_day(text)
        latest = queries.latest_day(account)
        if latest is None:
            self.say(f"Nothing was traded in account {account} yet.")
        return latest or desk_date(now)

    def _publish(self, summary: dict[str, Any], day: date, *, now: datetime, rebuild: bool) -> bool:
        """Publish what is new; return whether the published report agrees with the trades."""
        account, body = summary["account"], queries.canonical(summary)
        published = queries.published_summary(account, day)
        if published is None and not summary["strategies"]:
            return True  # a day without anything is not published, so that it can still become one
        if published is not None and published.body == body:
            return True
        if published is None or rebuild or published.created_at < _end_of(day):
            publish_daily_summary(account, day, body)
            return True
        self.say(
            f"{day} is not what was published as version {published.version}: shown is what the trades say now; "
            f"--rebuild publishes it."
        )
        return False


def report(summary: dict[str, Any]) -> Report:
    """Return a daily summary as a report: two tables for people, one wide one for a spreadsheet."""
    known = f" · as known on {summary['as_known_on']}" if "as_known_on" in summary else ""
    title = f"{summary['date']} · {summary['account']} · {summary['currency']}{known}"
    currency, total = summary["currency"], {**summary["total"], "strategy_id": "Total"}
    rows = [*summary["strategies"], total]
    tables = [
        figure_table(f"{name} {title}", columns, rows, currency=currency, last_is_total=True)
        for name, columns in (("Result", RESULT), ("Quality", QUALITY))
    ]
    sheet = figure_table(title, {**RESULT, **QUALITY}, rows, currency=currency, exact=True, last_is_total=True)
    return Report(f"Daily summary {title}", summary, tables, notes_of(total), sheet)


def _end_of(day: date) -> datetime:
    """A report published before its day was over is followed by the next version without asking."""
    return calendar_of("").bounds(day)[1]
