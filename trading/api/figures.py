"""What a token with the scope `read` sees of its account's figures: statistics, cuts, summaries of days, charges."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from django.http import HttpRequest, HttpResponse
from ninja import Query

from trading.api.asking import ChargesQuery, CutQuery, DayQuery, DaysQuery, StrategyQuery, SymbolQuery, reading
from trading.api.desk import facade_of
from trading.api.shapes import AnsweredNumber, JsonObject, answer_shape, list_shape, many
from trading.api.sheets import CHARGE_COLUMNS, charge_rows, day_rows, span_rows
from trading.api.tables import LIST_FORMS, answer_response, list_response
from trading.domain.chain import Body
from trading.domain.plain_json import to_json
from trading.domain.shapes import PartTotals, Stats
from trading.errors import InvalidValue
from trading.queries.charges_report import ChargeGap, ChargesDay, ChargesReport, charges_report
from trading.queries.reports import selection
from trading.queries.summary_span import build_span

DAYS_AT_ONCE = timedelta(days=366)

StatsAnswer = answer_shape(Stats)
PartAnswer = answer_shape(PartTotals)
CutAnswer = list_shape("CutAnswer", "parts", PartAnswer, "A row for each part of the cut.", {})
ChargesDayAnswer = answer_shape(ChargesDay, heads=(dict[str, AnsweredNumber | None], ...))
ChargeGapAnswer = answer_shape(ChargeGap)
ChargesAnswer = answer_shape(ChargesReport, days=many(ChargesDayAnswer), findings=many(ChargeGapAnswer))


def in_order(figures: Mapping[str, object]) -> HttpResponse:
    """Return figures in the order in which the facade tells them, which a schema does not keep."""
    return HttpResponse(to_json(figures), content_type="application/json")


@reading("/statistics/strategy", StatsAnswer, "Figures of a strategy")
def strategy_stats(request: HttpRequest, filters: Query[StrategyQuery]) -> HttpResponse:
    """`DataManager.get_strategy_stats`."""
    return in_order({**facade_of(request).get_strategy_stats(filters.strategy_id, filters.span())})


@reading("/statistics/symbol", StatsAnswer, "Figures of a symbol")
def symbol_stats(request: HttpRequest, filters: Query[SymbolQuery]) -> HttpResponse:
    """`DataManager.get_symbol_stats`."""
    return in_order({**facade_of(request).get_symbol_stats(filters.symbol, filters.span())})


@reading(
    "/statistics/by",
    CutAnswer,
    "Figures cut by day, week, month, strategy, symbol, reason and others",
    forms=LIST_FORMS,
)
def stats_by(request: HttpRequest, filters: Query[CutQuery]) -> HttpResponse:
    """`DataManager.get_stats_by`."""
    rows = facade_of(request).get_stats_by(filters.cut, filters.span(), condition=filters.condition)
    parts: list[Body] = [{**row} for row in rows]
    return list_response(request, "parts", PartAnswer, parts)


@reading("/statistics/today", JsonObject, "Today's figures so far")
def day_figures(request: HttpRequest) -> HttpResponse:
    """`DataManager.get_day_figures`."""
    return in_order(facade_of(request).get_day_figures())


@reading("/day", JsonObject, "The summary of a day", forms=LIST_FORMS)
def day(request: HttpRequest, filters: Query[DayQuery]) -> HttpResponse:
    """`DataManager.get_daily_summary`: keys as `daily_summary --format json` has them."""
    summary = facade_of(request).get_daily_summary(filters.day)
    return answer_response(request, {**summary}, [*day_rows(summary)])


@reading("/days", JsonObject, "The summaries of several days, and of all of them together", forms=LIST_FORMS)
def days(request: HttpRequest, asked: Query[DaysQuery]) -> HttpResponse:
    """As `daily_summary --from --to --format json`: days without a trade, an exit or a position are left out."""
    if asked.last - asked.first >= DAYS_AT_ONCE:
        raise InvalidValue("That is more than a year.", field="first", hint="Ask for at most 366 days at once.")
    ledger, now = facade_of(request).ledger, datetime.now(UTC)
    span = ledger.read(lambda account: build_span(selection(account, first=asked.first, last=asked.last), now=now))
    return answer_response(request, {**span}, [*span_rows(span)])


@reading("/charges", ChargesAnswer, "What trades cost in charges, by day, segment, market and head", forms=LIST_FORMS)
def charges(request: HttpRequest, asked: Query[ChargesQuery]) -> HttpResponse:
    """As `charges --format json`: what is stated, and estimates where nothing is; null is not known."""
    now = datetime.now(UTC)
    report = facade_of(request).ledger.read(charges_report, asked.first, asked.last, plan=asked.plan, now=now)
    return answer_response(request, {**report}, [*charge_rows(report)], CHARGE_COLUMNS)
