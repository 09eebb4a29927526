"""The reports over a period: they tie out with the trades, in every format and under every cut."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import duckdb
import pyarrow.parquet as pq
import pytest
from django.core.management import CommandError, call_command

from tests.trading import oracle
from tests.trading.desk import NOW, STRATEGIES, SYMBOLS, make, plans, trade
from trading.domain.cuts import CUTS
from trading.domain.shapes import StrategyReport, SymbolReport
from trading.errors import InvalidValue
from trading.models import Fill, Realisation, Signal, SignalCondition, Trade, User
from trading.operations.add_fill import add_fill
from trading.operations.amend import amend
from trading.operations.close_position import close_position
from trading.operations.open_position import open_position
from trading.operations.review_trade import review_trade
from trading.operations.void import void
from trading.queries import fill_export
from trading.queries.accounts import get_account
from trading.queries.daily_summary import build_daily_summary
from trading.queries.reports import selection, strategy_report, symbol_report
from trading.queries.statistics import account_stats, strategy_stats, symbol_stats, totals_by
from trading.queries.stats_by import stats_by
from trading.queries.trade_export import HEADER

ADDED = ("total_trades", "winning_trades", "losing_trades", "breakeven_trades", "trades_without_charges")
MONEY = ("total_pnl", "gross_pnl", "charges", "open_trades_pnl")
SPAN = {"first": "2021-04-01", "last": "2021-04-30"}


MONDAY = datetime(2021, 4, 12, 4, tzinfo=UTC)  # 09:30 at the desk


@pytest.fixture
def desk(ledger: Any) -> Iterator[None]:
    for plan in plans(24):
        make(plan)
    yield


def told(command: str, form: str, *options: str) -> str:
    out = io.StringIO()
    call_command(command, *options, "--format", form, stdout=out)
    return out.getvalue()


@pytest.mark.ledger
def test_rows_and_every_cut_add_up_to_the_total_and_the_total_is_the_ledgers(desk: None) -> None:
    for made, rows in (
        (strategy_report(selection(get_account("main"))), "strategies"),
        (symbol_report(selection(get_account("main"))), "symbols"),
    ):
        realised = Realisation.objects.filter(account__code="main").values_list("pnl", flat=True)
        assert made["total"]["gross_pnl"] == sum(realised)
        assert set(made["by"]) == set(CUTS)
        for cut, parts in {rows: made[rows], **made["by"]}.items():
            for figure in (*ADDED, *MONEY):
                assert sum(part[figure] for part in parts) == made["total"][figure], (cut, figure)
        assert sum(row["pnl"] for row in made["days"]) == made["total"]["total_pnl"]


@pytest.mark.ledger
def test_no_figure_of_days_counts_days_before_the_accounts_first_trade(ledger: Any) -> None:
    trade(900, at=MONDAY, minutes=375)  # from 09:30 to the close at 15:30, and a quarter of an hour beyond
    made = strategy_report(
        selection(get_account("main"), first="2021-01-01", last="2021-04-12"), now=MONDAY + timedelta(days=1)
    )
    for row in (made["total"], *made["strategies"]):
        assert (row["trading_days"], row["sharpe"], row["cagr"]) == (1, None, None)
        assert row["exposure_pct"] == 100 * 360 / 375
    assert [row["day"] for row in made["days"]] == ["2021-04-12"]


@pytest.mark.ledger
def test_a_row_is_what_the_statistics_of_that_strategy_and_symbol_tell(desk: None) -> None:
    by_name = {row["strategy_id"]: row for row in strategy_report(selection(get_account("main"), **SPAN))["strategies"]}
    by_instrument = {row["symbol"]: row for row in symbol_report(selection(get_account("main"), **SPAN))["symbols"]}
    pairs = [(by_name[name], strategy_stats(get_account("main"), name, 30, now=NOW)) for name in STRATEGIES]
    pairs += [(by_instrument[name], symbol_stats(get_account("main"), name, 30, now=NOW)) for name in SYMBOLS]
    pairs += [
        (
            strategy_report(selection(get_account("main"), **SPAN))["total"],
            account_stats(get_account("main"), 30, now=NOW),
        )
    ]
    for row, figures in pairs:
        for key in row.keys() & figures.keys():
            assert row[key] == figures[key], key
        assert len(row.keys() & figures.keys()) > 30


@pytest.mark.ledger
def test_day_totals_tell_each_symbol_the_same(desk: None) -> None:
    rows = symbol_report(selection(get_account("main"), **SPAN))["symbols"]
    totals = {row["key"]: row for row in totals_by(get_account("main"), date(2021, 4, 1), date(2021, 4, 30), "symbol")}
    assert totals.keys() == {row["symbol"] for row in rows}
    for row in rows:
        for key, figure in totals[row["symbol"]].items():
            assert key == "key" or row[key] == figure, key


@pytest.mark.ledger
@pytest.mark.parametrize("cut", ["week", "month"])
def test_day_totals_tell_each_week_and_month_what_single_trades_tell(cut: str, desk: None) -> None:
    trade(7, at=MONDAY + timedelta(days=40))
    span = {"first": "2021-04-07", "last": "2021-05-31"}  # from the middle of a week
    rows = strategy_report(selection(get_account("main"), **span))["by"][cut]
    totals = totals_by(get_account("main"), date(2021, 4, 7), date(2021, 5, 31), cut)
    assert [row["key"] for row in rows] == [row["key"] for row in totals]
    assert len(rows) > 1
    for row, figures in zip(rows, totals, strict=True):
        for key, figure in figures.items():
            assert row[key] == figure, key


@pytest.mark.ledger
@pytest.mark.parametrize("days", [5, 30, None])
def test_the_facade_tells_every_cut_and_all_have_one_total(days: int | None, desk: None) -> None:
    for number in range(8):
        conditions = {"above_vwap": number % 3 == 0, "rsi": number * 10}
        trade(number - 3, at=NOW - timedelta(days=number, hours=4), signal_conditions=conditions)
    whole = account_stats(get_account("main"), days, now=NOW)
    ways = [(cut, None) for cut in CUTS] + [("condition", name) for name in ("above_vwap", "rsi", "unheard of")]
    for cut, condition in ways:
        rows = stats_by(get_account("main"), cut, days, condition=condition, now=NOW)
        assert len({row["key"] for row in rows}) == len(rows) > 0
        for figure in (*ADDED, *MONEY[:3]):
            assert sum(row[figure] for row in rows) == whole[figure], (cut, condition, figure)
    assert [
        row["key"] for row in stats_by(get_account("main"), "condition", days, condition="unheard of", now=NOW)
    ] == ["—"]


@pytest.mark.ledger
def test_what_day_totals_tell_is_what_single_exits_tell(desk: None) -> None:
    made = strategy_report(selection(get_account("main"), **SPAN))["by"]
    for cut in ("day", "week", "month", "strategy", "symbol"):
        rows = stats_by(get_account("main"), cut, 30, now=NOW)
        assert [row["key"] for row in rows] == [part["key"] for part in made[cut]], cut
        for row, part in zip(rows, made[cut], strict=True):
            assert row == {name: part[name] for name in row}, cut


@pytest.mark.parametrize(
    ("cut", "condition"), [("year", None), ("", None), ("condition", None), ("day", "rsi"), ("condition", 5), (7, None)]
)
def test_a_cut_that_is_none_is_refused(cut: Any, condition: Any, ledger: Any) -> None:
    with pytest.raises(InvalidValue):
        stats_by(get_account("main"), cut, 30, condition=condition, now=NOW)
    assert (
        stats_by(get_account("main"), "day", None, now=NOW)
        == stats_by(get_account("main"), "hour", None, now=NOW)
        == []
    )


@pytest.mark.ledger
def test_a_report_is_narrowed_to_a_strategy_a_symbol_and_a_period(desk: None) -> None:
    whole = json.loads(told("strategy_report", "json"))
    assert (whole["account"], whole["currency"]) == ("main", "INR")
    one = json.loads(told("strategy_report", "json", "--strategy", "breakout", "--symbol", "M&M"))
    assert [row["strategy_id"] for row in one["strategies"]] == ["breakout"]
    assert (one["strategy"], one["symbol"]) == ("breakout", "M&M")
    assert {part["key"] for part in one["by"]["symbol"]} == {"M&M"}
    week = json.loads(told("strategy_report", "json", "--from", "2021-04-12", "--to", "2021-04-16"))
    assert 0 < week["total"]["total_trades"] < whole["total"]["total_trades"]
    assert all("2021-04-12" <= row["day"] <= "2021-04-16" for row in week["days"])
    book = oracle.book("main")
    figures = oracle.figures("main", [date.fromisoformat(row["day"]) for row in week["days"]], book)
    assert Decimal(week["total"]["total_pnl"]) == Decimal(float(figures["total_pnl"])).quantize(Decimal("1e-8"))


@pytest.mark.parametrize("command", ["strategy_report", "symbol_report", "trade_export"])
def test_an_account_without_a_trade_has_an_empty_report(command: str, ledger: Any) -> None:
    made = json.loads(told(command, "json"))
    assert made["from"] is None
    assert made.get("total", {"total_trades": 0})["total_trades"] == 0
    for form in ("table", "csv", "html"):
        assert told(command, form)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--account", "nobody"], "no account"),
        (["--strategy", "unheard of"], "no strategy"),
        (["--symbol", "UNHEARD"], "no symbol"),
        (["--from", "2021-05-01", "--to", "2021-04-01"], "lies after"),
        (["--from", "yesterday"], "YYYY-MM-DD"),
    ],
)
@pytest.mark.parametrize("command", ["strategy_report", "symbol_report", "trade_export"])
def test_what_is_not_there_is_said_in_one_line(command: str, options: list[str], message: str, ledger: Any) -> None:
    with pytest.raises(CommandError, match=message) as caught:
        told(command, "json", *options)
    assert caught.value.returncode == 2


@pytest.mark.ledger
@pytest.mark.parametrize("command", ["strategy_report", "symbol_report", "trade_export", "signal_report", "excursions"])
def test_days_that_have_not_come_and_days_of_long_ago_add_nothing(command: str, desk: None) -> None:
    made = json.loads(told(command, "json", "--from", "1066-10-14", "--to", "9998-12-31"))
    assert made["from"] == "2000-01-01"
    assert made["to"] == datetime.now().date().isoformat()
    if "total" in made:
        usual = json.loads(told(command, "json"))["total"]
        assert made["total"]["total_pnl"] == usual["total_pnl"]
        assert made["total"]["trading_days"] < 366 * (datetime.now().year - 1999)


@pytest.mark.ledger
@pytest.mark.parametrize("day", ["0001-01-01", "9999-12-31"])
def test_the_ends_of_the_calendar_are_refused_in_one_line(day: str, desk: None) -> None:
    for command, option in (("strategy_report", "--from"), ("daily_summary", "--date"), ("trade_export", "--to")):
        with pytest.raises(CommandError, match="date is") as caught:
            told(command, "json", option, day)
        assert caught.value.returncode == 2


def test_an_output_without_a_name_is_refused_in_one_line(desk: None) -> None:
    with pytest.raises(CommandError, match="names no file"):
        told("strategy_report", "html", "--output", "")


def test_money_is_read_in_cents_and_kept_exactly_in_csv_and_json(ledger: Any) -> None:
    for number in range(3):
        trade(10, at=MONDAY + timedelta(hours=number), charges=Decimal("0.12345678"))
    exact, read = "29.62962966", "29.63"
    assert read in told("strategy_report", "table") and exact not in told("strategy_report", "table")
    assert read in told("strategy_report", "html")
    assert json.loads(told("strategy_report", "json"))["total"]["total_pnl"] == exact
    assert exact in told("strategy_report", "csv")


@pytest.mark.ledger
def test_the_tags_of_a_review_are_a_cut(desk: None) -> None:
    trade = Trade.objects.filter(account__code="main", state="CLOSED").first()
    assert trade is not None
    review_trade(trade.pk, tags=["late", "fomo"], by=User.objects.create(username="meera"))
    tags = {row["key"]: row for row in strategy_report(selection(get_account("main")))["by"]["tag"]}
    assert tags["fomo, late"]["total_trades"] == 1
    assert set(tags) == {"fomo, late", "—"}


def test_the_page_stands_alone_with_charts_in_it(desk: None) -> None:
    class Page(HTMLParser):
        seen: list[str] = []

        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            self.seen.append(tag)
            assert not {"src", "href", "style"} & {name for name, _ in attrs}

    page = told("strategy_report", "html")
    Page().feed(page)
    assert {"svg", "polyline", "rect", "table", "figure"} <= set(Page.seen)
    assert not {"script", "img", "link"} & set(Page.seen)
    assert "@media print" in page and "prefers-color-scheme: dark" in page
    assert "http" not in page


@pytest.mark.ledger
def test_an_export_has_every_trade_and_the_same_in_csv_json_and_parquet(desk: None, tmp_path: Path) -> None:
    rows = json.loads(told("trade_export", "json"))["trades"]
    sheet = list(csv.DictReader(io.StringIO(told("trade_export", "csv"))))
    target = tmp_path / "trades.parquet"
    told("trade_export", "parquet", "--output", str(target))
    table = pq.read_table(target).to_pylist()
    in_ledger = Trade.objects.filter(account__code="main")
    assert len(rows) == len(sheet) == len(table) == in_ledger.count()
    assert tuple(rows[0]) == tuple(sheet[0]) == tuple(table[0]) == HEADER
    for row, line, record in zip(rows, sheet, table, strict=True):
        assert Decimal(row["gross_pnl"]) == Decimal(line["gross_pnl"]) == record["gross_pnl"]
        assert (row["charges"] is None, line["charges"] == "") == (record["charges"] is None,) * 2
        assert row["trade_id"] == line["trade_id"] == record["trade_id"]
    assert sum(record["gross_pnl"] for record in table) == sum(in_ledger.values_list("realised_pnl", flat=True))


def test_people_read_won_lost_and_even_and_tools_the_keys(desk: None) -> None:
    keys = {row["result"] for row in json.loads(told("trade_export", "json"))["trades"]}
    assert {"win", "loss"} <= keys <= {"win", "loss", "breakeven", "open", "void"}
    table = told("trade_export", "table")
    assert "│ won " in table and "│ lost " in table
    assert "│ win " not in table and "│ loss " not in table
    report = told("strategy_report", "table")
    assert "Won %" in report and "Avg lost" in report and "Lost in a row" in report


@pytest.mark.ledger
def test_an_export_tells_what_was_bought_and_sold_at_which_prices_and_why(ledger: Any) -> None:
    seen = {"ema": {"fast": 1.5}, "ok": True}
    open_position(
        "main", "s", "ema cross", "M&M", entry_price="100.5", quantity=10, entry_time=MONDAY, side="SHORT",
        signal_conditions=seen, charges=2,
    )  # fmt: skip
    add_fill("main", "s", "BUY", 99, 4, MONDAY + timedelta(minutes=5))
    (row,) = json.loads(told("trade_export", "json"))["trades"]
    assert (row["entry_quantity"], row["exit_quantity"], row["open_quantity"]) == ("10", "4", "6")
    assert (row["buy_value"], row["sell_value"], row["exit_price"], row["net_pnl"]) == ("396", "1005", "99", "4")
    close_position("main", "s", "ema cross", "M&M", exit_price="98", exit_time=MONDAY + timedelta(minutes=9), charges=1)
    (row,) = json.loads(told("trade_export", "json"))["trades"]
    assert (row["buy_value"], row["sell_value"], row["exit_price"], row["net_pnl"]) == ("984", "1005", "98.4", "18")
    assert row["conditions"] == seen
    (line,) = csv.DictReader(io.StringIO(told("trade_export", "csv")))
    assert json.loads(line["conditions"]) == seen and line["net_pnl"] == "18"
    trade(5, at=MONDAY + timedelta(hours=1))
    unknown = json.loads(told("trade_export", "json"))["trades"][1]
    assert (unknown["net_pnl"], unknown["conditions"], unknown["charges"]) == (None, {}, None)


@pytest.mark.ledger
def test_a_row_a_fill_adds_up_to_the_trades_as_corrections_left_them(desk: None, tmp_path: Path) -> None:
    held = Trade.objects.filter(account__code="main", state="CLOSED").order_by("opened_at").first()
    assert held is not None
    amend(held.pk, fill=1, price="1234.56", by="desk", reason="misread")
    rows = json.loads(told("trade_export", "json", "--fills"))["fills"]
    sheet = list(csv.DictReader(io.StringIO(told("trade_export", "csv", "--fills"))))
    told("trade_export", "parquet", "--fills", "--output", str(tmp_path / "fills.parquet"))
    table = pq.read_table(tmp_path / "fills.parquet").to_pylist()
    assert len(rows) == len(sheet) == len(table) == Fill.objects.filter(trade__account__code="main").count()
    assert tuple(rows[0]) == tuple(sheet[0]) == tuple(table[0]) == fill_export.HEADER
    assert "1234.56" in {row["price"] for row in rows}
    trades = json.loads(told("trade_export", "json"))["trades"]
    for name, value in {"BUY": "buy_value", "SELL": "sell_value"}.items():
        sides = sum(Decimal(row["value"]) for row in rows if row["side"] == name)
        assert sides == sum(Decimal(row[value]) for row in trades)
    assert sum(Decimal(row["gross_pnl"] or 0) for row in rows) == sum(Decimal(row["gross_pnl"]) for row in trades)
    void(held.pk, by="desk", reason="never was")
    voided = [row for row in json.loads(told("trade_export", "json", "--fills"))["fills"] if row["state"] == "VOID"]
    assert voided and {row["gross_pnl"] for row in voided} == {None}
    assert "Price" in told("trade_export", "table", "--fills")


def test_decimals_of_a_parquet_file_can_be_multiplied(desk: None, tmp_path: Path) -> None:
    for options, (price, quantity, value) in {
        ("--fills",): ("price", "quantity", "value"),
        (): ("entry_price", "entry_quantity", "gross_pnl"),
    }.items():
        target = tmp_path / f"{price}.parquet"
        told("trade_export", "parquet", "--output", str(target), *options)
        types = {field.name: str(field.type) for field in pq.read_schema(target)}
        assert (types[price], types[quantity], types["charges"]) == ("decimal128(19, 8)",) * 3
        assert types[value] == "decimal128(28, 8)"
        sql = f"SELECT {price}, {quantity}, {price} * {quantity}, sum({value}) OVER () * 2 FROM '{target}'"
        for one, other, product, doubled in duckdb.sql(sql).fetchall():
            assert product == one * other and isinstance(doubled, Decimal)


def test_an_export_of_names_that_could_run_runs_nothing(ledger: Any) -> None:
    make(replace(next(plans(1)), strategy_id="=1+1"))
    (row,) = csv.DictReader(io.StringIO(told("trade_export", "csv")))
    assert row["strategy"] == "'=1+1"


def test_parquet_needs_a_file(ledger: Any) -> None:
    with pytest.raises(CommandError, match="--output"):
        told("trade_export", "parquet")


@pytest.mark.ledger
def test_a_void_trade_is_exported_as_void_and_counts_nowhere(desk: None) -> None:
    trade = Trade.objects.filter(account__code="main", state="CLOSED").first()
    assert trade is not None
    before = strategy_report(selection(get_account("main")))["total"]
    void(trade.pk, by="desk", reason="never was")
    after = strategy_report(selection(get_account("main")))["total"]
    assert after["total_trades"] == before["total_trades"] - 1
    states = [row["state"] for row in json.loads(told("trade_export", "json"))["trades"]]
    assert states.count("VOID") == 1 and len(states) == Trade.objects.filter(account__code="main").count()


@pytest.mark.ledger
@pytest.mark.parametrize("days", [-20, 20], ids=["before", "after"])
def test_a_void_trade_outside_the_others_stretches_no_period(days: int, desk: None) -> None:
    """Ratios of days would have days in their sample on which nothing happened."""
    account, strategy = get_account("main"), STRATEGIES[0]

    def told_of_all(known_at: datetime | None = None) -> list[StrategyReport | SymbolReport]:
        narrowings = [{}, {"strategy_id": strategy}, {"symbol": "RELIANCE"}]
        selected = [selection(account, known_at=known_at, **narrowed) for narrowed in narrowings]
        return [report(of, now=NOW) for of in selected for report in (strategy_report, symbol_report)]

    before = told_of_all()
    trade(5, at=MONDAY + timedelta(days=days), strategy=strategy)
    booked, then = told_of_all(), datetime.now(UTC)
    row = Trade.objects.get(account__code="main", trade_id=f"{MONDAY + timedelta(days=days):%Y%m%d-%H%M%S}")
    void(row.pk, by="desk", reason="never was")
    assert told_of_all() == before != booked
    assert told_of_all(then) == booked
    exported = json.loads(told("trade_export", "json"))
    assert row.trading_day.isoformat() in (exported["from"], exported["to"])


@pytest.mark.ledger
def test_a_report_costs_a_fixed_number_of_queries(desk: None, django_assert_max_num_queries: Any) -> None:
    with django_assert_max_num_queries(80):
        strategy_report(selection(get_account("main")))


@pytest.mark.ledger
def test_the_time_in_the_market_is_the_sum_of_the_days_and_a_share_of_their_sessions(desk: None) -> None:
    made = strategy_report(selection(get_account("main"), **SPAN), now=NOW)
    days = [date(2021, 4, 1) + timedelta(days=number) for number in range(30)]
    summaries = [build_daily_summary(get_account("main"), day, now=NOW) for day in days]
    assert made["total"]["exposure_seconds"] == pytest.approx(
        sum(day["total"]["exposure_seconds"] for day in summaries)
    )
    for row in made["strategies"]:
        told = [one for day in summaries for one in day["strategies"] if one["strategy_id"] == row["strategy_id"]]
        assert row["exposure_seconds"] == pytest.approx(sum(one["exposure_seconds"] for one in told))
        assert 0 < row["exposure_pct"] <= made["total"]["exposure_pct"] <= 100


@pytest.mark.ledger
def test_two_positions_at_a_time_count_once_and_an_hour_outside_the_session_is_no_share_of_it(ledger: Any) -> None:
    trade(5, at=MONDAY, minutes=75)
    trade(5, at=MONDAY + timedelta(minutes=30), minutes=45, symbol="M&M")
    trade(5, at=MONDAY + timedelta(hours=7), minutes=60, strategy="late")  # 16:30: NSE has closed
    rows = {row["strategy_id"]: row for row in strategy_report(selection(get_account("main")))["strategies"]}
    assert (rows["ema cross"]["exposure_seconds"], rows["ema cross"]["exposure_pct"]) == (75 * 60, 20.0)  # of 375
    assert (rows["late"]["exposure_seconds"], rows["late"]["exposure_pct"]) == (3600, 0.0)
    total = strategy_report(selection(get_account("main")))["total"]
    assert (total["exposure_seconds"], total["exposure_pct"]) == (75 * 60 + 3600, 20.0)
    week = strategy_report(selection(get_account("main"), first="2021-04-12", last="2021-04-16"))["total"]
    assert week["exposure_pct"] == 5.0  # the 14th was a holiday: four sessions
    by_symbol = {row["symbol"]: row for row in symbol_report(selection(get_account("main")))["symbols"]}
    assert by_symbol["M&M"]["exposure_pct"] == 12.0


def test_an_open_position_is_in_the_market_until_now_of_the_session_until_now(ledger: Any) -> None:
    open_position("main", "held", "breakout", "M&M", entry_price=50, quantity=10, entry_time=MONDAY)
    noon = MONDAY + timedelta(hours=1, minutes=45)  # 11:15: two hours after the open
    total = strategy_report(selection(get_account("main")), now=noon)["total"]
    assert (total["exposure_seconds"], total["exposure_pct"]) == (105 * 60, 87.5)
    assert strategy_report(selection(get_account("main")))["total"]["exposure_pct"] == 96.0


@pytest.mark.ledger
def test_a_condition_is_a_cut_that_adds_up_too(desk: None) -> None:
    for number in range(12):
        conditions = {"above_vwap": number % 3 == 0, "ema": {"gap": number / 4}}
        trade(number - 6, at=MONDAY + timedelta(minutes=number), symbol="TCS", signal_conditions=conditions)
    made = strategy_report(selection(get_account("main")))
    assert list(made["by_condition"]) == ["above_vwap", "ema.gap"]
    for name, rows in made["by_condition"].items():
        for figure in (*ADDED, *MONEY):
            assert sum(row[figure] for row in rows) == made["total"][figure], (name, figure)
    assert [row["key"] for row in made["by_condition"]["above_vwap"]] == ["yes", "no", "—"]
    buckets = ["up to 0.5", "0.5 to 1.25", "1.25 to 2", "over 2", "—"]
    assert [row["key"] for row in made["by_condition"]["ema.gap"]] == buckets
    assert "By ema.gap" in told("strategy_report", "table") and "By ema.gap" in told("strategy_report", "html")


@pytest.mark.ledger
def test_conditions_are_of_the_periods_trades_and_of_two_signals_the_first_ones_count(ledger: Any) -> None:
    for number in range(3):
        conditions = {"is_up": number == 1, f"on_day_{number}": True}
        trade(number + 1, at=MONDAY + timedelta(days=number), symbol="TCS", signal_conditions=conditions)
    signal = Signal.objects.order_by("at")[0]
    SignalCondition.objects.create(signal=_earlier(signal), name="is_up", value=1)

    def told_of(**days: str) -> dict[str, dict[str, int]]:
        rows_of = strategy_report(selection(get_account("main"), **days))["by_condition"]
        return {name: {row["key"]: row["total_trades"] for row in rows} for name, rows in rows_of.items()}

    one = {"yes": 1, "—": 2}
    whole = {"is_up": {"yes": 2, "no": 1}, "on_day_0": one, "on_day_1": one, "on_day_2": one}
    assert told_of() == whole == told_of(first="2021-04-01", last="2021-04-30")
    for day in range(3):
        held_on = f"2021-04-{12 + day}"
        answer = "no" if day == 2 else "yes"
        assert told_of(first=held_on, last=held_on) == {"is_up": {answer: 1}, f"on_day_{day}": {"yes": 1}}


def _earlier(signal: Signal) -> Signal:
    """Record another signal that led to the same trade, an hour before."""
    of = {"account": signal.account, "strategy": signal.strategy, "instrument": signal.instrument}
    at, recorded_at = signal.at - timedelta(hours=1), signal.recorded_at
    return Signal.objects.create(
        **of, trade=signal.trade, at=at, recorded_at=recorded_at, decision="TAKEN", conditions={"is_up": True}
    )
