"""`manage.py daily_summary`: what a trading day brought, by strategy, published once and versioned."""

from __future__ import annotations

from argparse import ArgumentParser
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

from trading.domain.shapes import DaySummary
from trading.errors import InvalidValue, LedgerReadOnly
from trading.management import figure_tables
from trading.management.base import VeloxCommand
from trading.management.figure_tables import figure_table, notes_of
from trading.management.output import Report, add_format_arguments
from trading.management.period_report import add_known_argument, cut_of, known_of, known_until, selection_of, title_of
from trading.models import Account
from trading.operations.publish_daily_summary import Publishing, publish_daily_summary
from trading.queries import daily_summary as queries
from trading.queries.day_end import end_of_day
from trading.queries.period import desk_date, parse_day

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

    def answer(self, **options: Any) -> bool:
        now = datetime.now(UTC)
        spanned = options["first"] is not None or options["last"] is not None
        _check_together(options, spanned=spanned)
        if spanned:
            span = queries.build_span(selection_of(options), now=known_until(options, now))
            made, agrees = span_report({**span, **known_of(options)}), True
        else:
            shown, agrees = self._one_day(options, now)
            made = report(shown)
        self.emit(made)
        return agrees

    def _one_day(self, options: dict[str, Any], now: datetime) -> tuple[dict[str, Any], bool]:
        """Return the summary as it is shown, and whether it agrees with what was published."""
        cut, strategy_id, symbol = replace(cut_of(options), strategy_id=None), options["strategy"], options["symbol"]
        day = self._day(options["date"], cut.account, now)
        if cut.known_at is None and symbol is None:
            summary, agrees = self._published(cut.account, day, options, now)
        else:
            end_of_day(cut.account, day, now=now)  # refuses a day that has not begun
            summary, agrees = queries.summary_of_cut(cut, day, now=known_until(options, now)), True
        summary = summary if strategy_id is None else queries.only(summary, strategy_id)
        return {**summary, **known_of(options), **({} if symbol is None else {"symbol": symbol})}, agrees

    def _day(self, text: str | None, account: Account, now: datetime) -> date:
        if text is not None:
            return parse_day(text)
        latest = queries.latest_day(account, now=now)
        if latest is None:
            self.say(f"Nothing was traded in account {account.code} yet.")
        return latest or desk_date(now)

    def _published(
        self, account: Account, day: date, options: dict[str, Any], now: datetime
    ) -> tuple[DaySummary, bool]:
        """Publish the day where it is new; return its summary, and whether the published report agrees with it."""
        publish, rebuild = options["publish"], options["rebuild"]
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


def _check_together(options: dict[str, Any], *, spanned: bool) -> None:
    if spanned and options["date"] is not None:
        raise InvalidValue("--date is one day.", field="date", hint="Give --date, or --from and --to.")
    for word in ("publish", "rebuild"):
        if options[word] and (spanned or options["symbol"] is not None):
            raise InvalidValue("Only a whole day is published.", field=word, hint=f"Give --{word} with --date alone.")


def report(summary: dict[str, Any]) -> Report:
    """Return a daily summary as a report: two tables for people, one wide one for a spreadsheet."""
    known = f" · as known on {summary['as_known_on']}" if "as_known_on" in summary else ""
    symbol = f" · {summary['symbol']}" if "symbol" in summary else ""
    title = f"{summary['date']} · {summary['account']}{symbol} · {summary['currency']}{known}"
    currency, total = summary["currency"], {**summary["total"], "strategy_id": "Total"}
    rows = [*summary["strategies"], total]
    tables = [
        figure_table(f"{name} {title}", columns, rows, currency=currency, last_is_total=True)
        for name, columns in (("Result", RESULT), ("Quality", QUALITY))
    ]
    sheet = figure_table(title, {**RESULT, **QUALITY}, rows, currency=currency, exact=True, last_is_total=True)
    return Report(f"Daily summary {title}", summary, tables, notes_of(total), sheet)


def span_report(made: dict[str, Any]) -> Report:
    """Return the summaries of several days as a report: in each table a row per day and strategy, then the total."""
    currency, total = made["currency"], {**made["total"], "date": "Total"}
    rows = [{**row, "date": day["date"]} for day in made["days"] for row in (*day["strategies"], _whole_day(day))]
    rows.append(total)
    title, first = title_of("Daily summaries", made), {"date": "Day"}
    tables = [
        figure_table(f"{name} · {title}", {**first, **columns}, rows, currency=currency, last_is_total=True)
        for name, columns in (("Result", RESULT), ("Quality", QUALITY))
    ]
    sheet = figure_table(title, {**first, **RESULT, **QUALITY}, rows, currency=currency, exact=True, last_is_total=True)
    return Report(title, made, tables, notes_of(total), sheet)


def _whole_day(day: dict[str, Any]) -> dict[str, Any]:
    return {**day["total"], "strategy_id": "All"}
