"""`manage.py daily_summary` and the summary behind it."""

from __future__ import annotations

import csv
import io
import json
from datetime import UTC, date, datetime, timedelta, tzinfo
from decimal import Decimal
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection, connections
from django.test.utils import CaptureQueriesContext

from tests.trading import oracle
from tests.trading.desk import NOW, STRATEGIES, make, plans, trade
from trading.domain import display
from trading.errors import InvalidValue, UnknownAccount
from trading.models import DailySummary, Exchange, Instrument, JournalHead, Realisation
from trading.operations.add_fill import add_fill
from trading.operations.open_position import open_position
from trading.operations.publish_daily_summary import Publishing, publish_daily_summary
from trading.operations.write_day_note import write_day_note
from trading.queries import daily_summary as queries
from trading.queries.accounts import get_account
from trading.queries.daily_summary import build_daily_summary, day_report
from trading.queries.day_end import DayEnd, end_of_day
from trading.queries.reports import selection, strategy_report
from trading.queries.summary_span import build_span

MONDAY = datetime(2021, 4, 12, 4, tzinfo=UTC)
DAY = date(2021, 4, 12)
CLOSE = datetime(2021, 4, 12, 10, tzinfo=UTC)
ROW_KEYS = [
    "strategy_id",
    *("total_trades", "winning_trades", "losing_trades", "breakeven_trades", "win_rate"),
    *("total_pnl", "gross_pnl", "charges", "trades_without_charges", "profit_factor"),
    *("avg_win", "avg_loss", "largest_win", "largest_loss", "payoff_ratio"),
    *("expectancy", "expectancy_ratio", "expectancy_r", "max_drawdown", "max_drawdown_pct"),
    *("sqn", "avg_holding_seconds", "exposure_seconds"),
]


def run(*args: str) -> tuple[str, str, int]:
    out, err, code = io.StringIO(), io.StringIO(), 0
    try:
        call_command("daily_summary", *args, stdout=out, stderr=err)
    except SystemExit as stop:
        code = int(stop.code or 0)
    return out.getvalue(), err.getvalue(), code


def clock(monkeypatch: pytest.MonkeyPatch, now: datetime) -> None:
    """Let the command read this time."""

    class Clock(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> Any:
            return now

    monkeypatch.setattr("trading.management.commands.daily_summary.datetime", Clock)


def answer(*args: str) -> dict[str, Any]:
    out, _, code = run(*args, "--format", "json")
    assert code == 0
    return dict(json.loads(out))


@pytest.fixture
def day(ledger: Any) -> None:
    trade("40.5", at=MONDAY, charges=Decimal("1.25"), exit_charges=Decimal("1.75"), stop_price=Decimal(9_990))
    trade(-20, at=MONDAY + timedelta(minutes=5), symbol="M&M")
    trade(7, at=MONDAY + timedelta(minutes=30), strategy="breakout")
    open_position(
        "main", "held", "breakout", "M&M", entry_price=50, quantity=10, entry_time=MONDAY + timedelta(hours=5)
    )
    trade(999, at=MONDAY, account="replay")
    trade(888, at=MONDAY - timedelta(days=3))


@pytest.mark.ledger
class TestTheSummary:
    def test_it_has_the_shape_that_was_promised(self, day: None) -> None:
        summary = queries.build_daily_summary(get_account("main"), DAY)
        assert list(summary) == ["date", "account", "currency", "strategies", "total"]
        assert (summary["date"], summary["account"], summary["currency"]) == ("2021-04-12", "main", "INR")
        assert [row["strategy_id"] for row in summary["strategies"]] == ["breakout", "ema cross"]
        for row in (*summary["strategies"], summary["total"]):
            assert [key for key in ROW_KEYS if key not in row] == []
        assert summary["total"]["strategy_id"] is None

    def test_its_figures_are_the_days(self, day: None) -> None:
        total = queries.build_daily_summary(get_account("main"), DAY)["total"]
        assert (total["total_trades"], total["winning_trades"], total["losing_trades"]) == (3, 2, 1)
        assert (total["gross_pnl"], total["charges"], total["total_pnl"]) == (Decimal("27.5"), 3, Decimal("24.5"))
        assert total["trades_without_charges"] == 2
        assert total["expectancy_r"] == 3.75
        assert total["max_drawdown"] == 20

    def test_exposure_counts_what_is_open_once_and_ends_with_the_session(self, day: None) -> None:
        summary = queries.build_daily_summary(get_account("main"), DAY)
        breakout, ema = summary["strategies"]
        assert ema["exposure_seconds"] == 15 * 60  # 09:30 to 09:40 and 09:35 to 09:45
        assert breakout["exposure_seconds"] == (10 + 60) * 60  # 10:00 to 10:10, and 14:30 to the close at 15:30
        assert summary["total"]["exposure_seconds"] == (15 + 10 + 60) * 60
        early = queries.build_daily_summary(get_account("main"), DAY, now=MONDAY + timedelta(hours=5, minutes=20))
        assert early["strategies"][0]["exposure_seconds"] == (10 + 20) * 60

    def test_a_trade_held_over_night_is_in_the_market_on_both_days(self, day: None) -> None:
        next_day = queries.build_daily_summary(get_account("main"), DAY + timedelta(days=1))
        assert [row["strategy_id"] for row in next_day["strategies"]] == ["breakout"]
        assert next_day["total"]["exposure_seconds"] == 6.25 * 3600
        holiday = queries.build_daily_summary(get_account("main"), date(2021, 4, 14))
        assert holiday["strategies"] == [] and holiday["total"]["exposure_seconds"] == 0

    def test_another_account_has_a_day_of_its_own(self, day: None) -> None:
        assert queries.build_daily_summary(get_account("replay"), DAY)["total"]["total_pnl"] == 999
        with pytest.raises(UnknownAccount):
            queries.build_daily_summary(get_account("nobody"), DAY)

    def test_the_latest_day_is_one_with_a_trade_or_an_exit(self, day: None) -> None:
        assert queries.latest_day(get_account("main"), now=NOW) == DAY
        add_fill("main", "held", "SELL", 51, 4, MONDAY + timedelta(days=2))
        assert queries.latest_day(get_account("main"), now=NOW) == date(2021, 4, 14)
        assert queries.latest_day(get_account("replay"), now=NOW) == DAY


@pytest.mark.ledger
def test_every_day_of_the_desk_ties_out_with_its_fills_to_the_last_decimal(ledger: Any) -> None:
    for plan in plans(20):
        make(plan)
    book = oracle.book("main")
    for on in sorted(set(Realisation.objects.values_list("day", flat=True))):
        summary = queries.build_daily_summary(get_account("main"), on)
        for row in (summary["total"], *summary["strategies"]):
            told = oracle.figures("main", [on], book, strategy=row["strategy_id"])
            for key in ("gross_pnl", "charges", "total_pnl", "largest_win", "largest_loss", "max_drawdown"):
                assert row[key] == told[key], (on, key)
            for key in ("total_trades", "winning_trades", "losing_trades", "trades_without_charges"):
                assert row[key] == told[key], (on, key)
            for key in ("win_rate", "expectancy_r", "max_drawdown_pct", "avg_holding_seconds"):
                assert row[key] == (told[key] if told[key] is None else pytest.approx(float(told[key])))
        for key in ("gross_pnl", "charges", "total_pnl", "total_trades", "open_trades_pnl"):
            assert sum(row[key] for row in summary["strategies"]) == summary["total"][key], (on, key)


class TestTheCommand:
    @pytest.mark.ledger
    def test_json_is_the_summary_with_money_as_plain_text(self, day: None) -> None:
        def plain(value: Any) -> Any:
            return display.plain(value) if isinstance(value, Decimal) else value

        summary = queries.build_daily_summary(get_account("main"), DAY)
        told = answer()
        assert told["strategies"] == [
            {key: plain(value) for key, value in row.items()} for row in summary["strategies"]
        ]
        assert told["total"]["total_pnl"] == "24.5" and told["date"] == "2021-04-12"

    @pytest.mark.ledger
    def test_the_same_again_adds_no_version_and_says_the_same(self, day: None) -> None:
        first = answer()
        assert answer("--date", "2021-04-12") == answer("--rebuild") == first
        assert DailySummary.objects.filter(account__code="main").count() == 1

    @pytest.mark.ledger
    def test_a_finished_day_that_changed_ends_with_one_until_it_is_rebuilt(self, day: None) -> None:
        answer()
        trade(5, at=MONDAY + timedelta(hours=2))
        out, err, code = run("--format", "json")
        assert code == 1
        assert json.loads(out)["total"]["total_pnl"] == "29.5"
        assert err.count("\n") == 1 and "--rebuild" in err and "version 1" in err
        assert DailySummary.objects.count() == 1
        assert answer("--rebuild")["total"]["total_pnl"] == "29.5"
        assert list(DailySummary.objects.order_by("version").values_list("version", flat=True)) == [1, 2]
        assert answer() == answer("--rebuild")
        assert DailySummary.objects.count() == 2

    def test_what_was_published_is_kept_word_for_word(self, day: None) -> None:
        answer()
        row = DailySummary.objects.get()
        assert row.body == queries.canonical(queries.build_daily_summary(get_account("main"), DAY))
        assert json.loads(row.body)["total"]["total_pnl"] == "24.5"

    def test_one_strategy_is_shown_and_the_whole_day_published(self, day: None) -> None:
        told = answer("--strategy", "ema cross")
        assert [row["strategy_id"] for row in told["strategies"]] == ["ema cross"]
        assert told["total"]["total_pnl"] == told["strategies"][0]["total_pnl"] == "17.5"
        assert len(json.loads(DailySummary.objects.get().body)["strategies"]) == 2

    def test_a_strategy_that_did_nothing_that_day_has_zeros(self, day: None) -> None:
        told = answer("--date", "2021-04-09", "--strategy", "breakout")
        assert told["strategies"] == [] and told["total"]["total_pnl"] == "0"

    def test_a_day_without_anything_is_zeros_and_not_published(self, day: None) -> None:
        told = answer("--date", "2021-04-08")
        assert (told["date"], told["strategies"], told["total"]["total_trades"]) == ("2021-04-08", [], 0)
        assert DailySummary.objects.count() == 0

    def test_an_empty_ledger_answers_for_today(self, ledger: Any) -> None:
        told = answer()
        assert told["total"]["total_pnl"] == "0"
        assert run("--format", "json")[1].count("\n") == 1

    def test_the_table_groups_rupees_and_says_what_is_not_known(self, day: None) -> None:
        trade(123456, at=MONDAY + timedelta(hours=1), strategy="[bold]")
        out, _, _ = run()
        assert "1,23,456.00" in out and "[bold]" in out and "Total" in out and "0:10:00" in out
        assert "41,166.83" in out  # the average of three wins, to two decimals for people
        assert max(map(len, out.splitlines())) <= 150
        assert "The charges of 3 trades are unknown" in out
        assert "net" not in out.lower().split()

    def test_csv_has_a_row_per_strategy_and_a_total(self, day: None) -> None:
        rows = list(csv.DictReader(io.StringIO(run("--format", "csv")[0])))
        assert [row["Strategy"] for row in rows] == ["breakout", "ema cross", "Total"]
        assert rows[-1]["P&L"] == "24.5" and rows[0]["Most lost"] == ""
        assert (rows[1]["Held, avg"], rows[1]["In the market"]) == ("600.0", "900.0")

    def test_a_page_goes_to_a_file(self, day: None, tmp_path: Path) -> None:
        target = tmp_path / "the day.html"
        out, _, code = run("--format", "html", "--output", str(target))
        assert (out, code) == ("", 0)
        assert "ema cross" in target.read_text() and "<script" not in target.read_text()

    def test_what_cannot_run_ends_with_two_and_one_line(self, day: None) -> None:
        for *args, said in (
            ("--date", "12.04.2021", "YYYY-MM-DD"),
            ("--date", "2021-02-30", "YYYY-MM-DD"),
            ("--account", "nobody", "manage.py account"),
            ("--strategy", "nobody", "no strategy"),
            ("--output", "/nowhere/at/all", "cannot be written"),
        ):
            with pytest.raises(CommandError, match=said) as caught:
                run(*args)
            assert caught.value.returncode == 2
            assert "\n" not in str(caught.value)


class TestWhenADayIsPublished:
    """On Monday, NSE trades from 09:15 to 15:30 at the desk, which is 03:45 to 10:00 UTC."""

    def test_a_day_in_progress_is_shown_and_published_only_when_told_to(
        self, day: None, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        clock(monkeypatch, CLOSE - timedelta(seconds=1))
        out, err, code = run("--format", "json")
        assert (json.loads(out)["total"]["total_pnl"], code) == ("24.5", 0)
        assert err.count("\n") == 1 and "in progress" in err and "--publish" in err
        assert run("--rebuild")[2] == 0 and DailySummary.objects.count() == 0
        assert answer("--publish")["total"]["total_pnl"] == "24.5"
        assert DailySummary.objects.count() == 1

    @pytest.mark.ledger
    def test_it_is_published_once_its_session_is_over(self, day: None, monkeypatch: pytest.MonkeyPatch) -> None:
        clock(monkeypatch, CLOSE)
        assert run()[1:] == ("", 0)
        assert DailySummary.objects.get().created_at == CLOSE

    def test_what_was_published_on_the_day_is_followed_by_itself_until_the_date_is_over(
        self, day: None, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for hours, extra in ((-3, "--publish"), (1, "--date=2021-04-12"), (9, "--date=2021-04-12")):
            trade(5, at=CLOSE + timedelta(minutes=hours), minutes=1)
            clock(monkeypatch, CLOSE + timedelta(hours=hours))
            assert run(extra)[2] == 0
        assert DailySummary.objects.count() == 3
        trade(6, at=CLOSE + timedelta(minutes=30), minutes=1)
        clock(monkeypatch, CLOSE + timedelta(hours=10))
        assert run("--date=2021-04-12")[2] == 1 and DailySummary.objects.count() == 3

    def test_a_day_that_has_not_begun_is_refused(self, day: None, monkeypatch: pytest.MonkeyPatch) -> None:
        clock(monkeypatch, MONDAY)
        for more in ((), ("--publish",), ("--rebuild",), ("--symbol", "M&M")):
            with pytest.raises(CommandError, match="2021-04-13 has not begun") as caught:
                run("--date", "2021-04-13", *more)
            assert caught.value.returncode == 2
        for account, on in (("main", date(2030, 1, 1)), ("replay", DAY + timedelta(days=1))):
            with pytest.raises(InvalidValue, match="has not begun"):
                publish_daily_summary(get_account(account), on, now=MONDAY, in_progress=True)
            with pytest.raises(InvalidValue, match="has not begun"):
                queries.summary_of(get_account(account), on, now=MONDAY)
        assert DailySummary.objects.count() == 0

    @pytest.mark.ledger
    def test_the_operation_itself_leaves_a_day_in_progress_unpublished(self, day: None) -> None:
        main, early = get_account("main"), CLOSE - timedelta(seconds=1)
        assert publish_daily_summary(main, DAY, now=early).outcome is Publishing.IN_PROGRESS
        assert DailySummary.objects.count() == 0
        assert publish_daily_summary(main, DAY, now=early, in_progress=True).version == 1

    def test_where_an_exchange_has_no_session_the_date_must_be_over(self, ledger: Any) -> None:
        holiday = datetime(2021, 4, 14, 5, tzinfo=UTC)
        trade(5, at=holiday)
        midnight = datetime(2021, 4, 14, 18, 30, tzinfo=UTC)
        early = publish_daily_summary(get_account("main"), holiday.date(), now=midnight - timedelta(seconds=1))
        assert (early.outcome, DailySummary.objects.count()) == (Publishing.IN_PROGRESS, 0)
        assert publish_daily_summary(get_account("main"), holiday.date(), now=midnight).version == 1
        main = get_account("main")
        exchange = Exchange.objects.create(code="ALWAYS", zone="America/New_York")  # no session rows: it never closes
        Instrument.objects.create(exchange=exchange, symbol="COIN", currency="INR")
        assert end_of_day(main, DAY, now=CLOSE) == DayEnd(CLOSE, datetime(2021, 4, 12, 18, 30, tzinfo=UTC))
        trade(1, at=MONDAY + timedelta(hours=1), symbol="ALWAYS:COIN")
        assert end_of_day(main, DAY, now=CLOSE).session_at == datetime(2021, 4, 13, 4, tzinfo=UTC)

    def test_without_a_date_it_is_the_newest_day_that_has_begun(self, day: None) -> None:
        trade(5, at=MONDAY + timedelta(days=1))
        assert queries.latest_day(get_account("main"), now=MONDAY + timedelta(hours=6)) == DAY
        assert queries.latest_day(get_account("main"), now=MONDAY + timedelta(days=1)) == date(2021, 4, 13)


@pytest.mark.ledger
class TestWhatBecomesOfIt:
    def test_a_day_is_new_once_and_then_the_same(self, day: None) -> None:
        main = get_account("main")
        first, again = publish_daily_summary(main, DAY), publish_daily_summary(main, DAY, rebuild=True)
        assert (first.outcome, first.version) == (Publishing.NEW, 1)
        assert (again.outcome, again.version) == (Publishing.SAME, 1)
        assert first.summary == again.summary == queries.build_daily_summary(main, DAY)

    def test_one_that_differs_stays_until_it_is_rebuilt(self, day: None) -> None:
        main = get_account("main")
        publish_daily_summary(main, DAY)
        trade(5, at=MONDAY + timedelta(hours=2))
        differs, rebuilt = publish_daily_summary(main, DAY), publish_daily_summary(main, DAY, rebuild=True)
        assert (differs.outcome, differs.version) == (Publishing.DIFFERS, 1)
        assert differs.summary["total"]["total_pnl"] == Decimal("29.5")
        assert (rebuilt.outcome, rebuilt.version) == (Publishing.NEW, 2)

    def test_a_day_without_anything_is_empty(self, day: None) -> None:
        empty = publish_daily_summary(get_account("main"), date(2021, 4, 8))
        assert (empty.outcome, empty.version, empty.summary["strategies"]) == (Publishing.EMPTY, 0, [])
        assert DailySummary.objects.count() == 0

    def test_a_fact_that_comes_while_it_is_made_is_in_it(self, day: None, monkeypatch: pytest.MonkeyPatch) -> None:
        def overtaken(*arguments: Any, **keywords: Any) -> Any:
            summary = day_report(*arguments, **keywords)
            monkeypatch.undo()
            writer = Thread(target=lambda: (trade(5, at=MONDAY + timedelta(hours=2)), connections.close_all()))
            writer.start()
            writer.join()
            return summary

        monkeypatch.setattr("trading.operations.publish_daily_summary.day_report", overtaken)
        publication = publish_daily_summary(get_account("main"), DAY)
        assert publication.summary["total"]["total_pnl"] == Decimal("29.5")
        row = DailySummary.objects.get()
        assert json.loads(row.body)["total"]["total_pnl"] == "29.5"
        assert row.journal_sequence == JournalHead.objects.get(account__code="main").sequence - 1

    def test_the_first_one_asks_the_ledger_twenty_three_times_at_most(self, day: None) -> None:
        with CaptureQueriesContext(connection) as captured:
            answer()
        assert DailySummary.objects.count() == 1
        assert len(captured) <= 23, [query["sql"] for query in captured]


class TestASpan:
    @pytest.mark.ledger
    def test_each_day_with_data_is_what_the_day_alone_says_and_the_total_is_the_reports(self, ledger: Any) -> None:
        for plan in plans(20):
            make(plan)
        told = answer("--from", "2021-04-01", "--to", "2021-04-30")
        alone = [answer("--date", f"2021-04-{number:02d}") for number in range(1, 31)]
        assert told["days"] == [summary for summary in alone if summary["strategies"]]
        assert len(told["days"]) > 2
        whole = strategy_report(selection(get_account("main"), first="2021-04-01", last="2021-04-30"))["total"]
        for key in ("total_pnl", "charges", "max_drawdown", "largest_win", "total_trades", "sqn", "expectancy_r"):
            value = whole[key]
            assert told["total"][key] == (display.plain(value) if isinstance(value, Decimal) else value), key
        held = [day["total"]["exposure_seconds"] for day in told["days"]]
        assert told["total"]["exposure_seconds"] == pytest.approx(sum(held))

    @pytest.mark.ledger
    def test_a_position_carried_over_days_makes_each_of_them_a_day_and_no_other(self, day: None) -> None:
        add_fill("main", "held", "SELL", 51, 10, MONDAY + timedelta(days=3))
        told = answer("--from", "2021-04-10", "--to", "2021-04-20")
        assert [made["date"] for made in told["days"]] == ["2021-04-12", "2021-04-13", "2021-04-15"]  # 14th: closed
        assert [made["total"]["exposure_seconds"] for made in told["days"][1:]] == [6.25 * 3600, 15 * 60]
        assert (told["from"], told["to"], told["symbol"]) == ("2021-04-10", "2021-04-20", None)

    @pytest.mark.ledger
    def test_it_begins_and_ends_with_the_data_and_can_be_narrowed(self, day: None) -> None:
        told = answer("--from", "2021-04-01", "--to", "2021-04-12", "--strategy", "ema cross", "--symbol", "M&M")
        assert [made["date"] for made in told["days"]] == ["2021-04-12"]
        assert told["total"]["total_pnl"] == "-20"
        assert answer("--to", "2021-04-11")["total"]["total_pnl"] == "888"
        assert answer("--to", "2021-04-11")["from"] == "2021-04-09"

    @pytest.mark.ledger
    def test_days_that_hold_nothing_have_an_empty_span(self, day: None, ledger: Any) -> None:
        told = answer("--from", "2021-03-01", "--to", "2021-03-05")
        assert (told["days"], told["total"]["total_trades"]) == ([], 0)
        assert answer("--from", "2021-03-01", "--account", "replay")["days"] != []

    @pytest.mark.ledger
    def test_as_known_before_it_was_recorded_it_is_empty(self, day: None) -> None:
        told = answer("--from", "2021-04-01", "--to", "2021-04-12", "--as-known-on", "2021-05-01")
        assert (told["days"], told["as_known_on"]) == ([], "2021-05-01")

    def test_neither_a_span_nor_a_symbol_is_published(self, day: None) -> None:
        answer("--from", "2021-04-12", "--to", "2021-04-12")
        told = answer("--symbol", "M&M")
        assert (told["date"], told["symbol"], told["total"]["total_pnl"]) == ("2021-04-12", "M&M", "-20")
        assert DailySummary.objects.count() == 0
        answer()
        assert json.loads(DailySummary.objects.get().body)["total"]["total_pnl"] == "24.5"

    def test_tables_have_a_block_per_day_and_one_total(self, day: None) -> None:
        rows = list(
            csv.DictReader(io.StringIO(run("--from", "2021-04-09", "--to", "2021-04-12", "--format", "csv")[0]))
        )
        assert [(row["Day"], row["Strategy"]) for row in rows] == [
            ("2021-04-09", "ema cross"), ("2021-04-09", "All"),
            ("2021-04-12", "breakout"), ("2021-04-12", "ema cross"), ("2021-04-12", "All"),
            ("Total", ""),
        ]  # fmt: skip
        assert rows[-1]["P&L"] == "912.5"
        assert (
            "Daily summaries · main · 2021-04-09 to 2021-04-12" in run("--from", "2021-04-09", "--to", "2021-04-12")[0]
        )

    def test_what_contradicts_itself_is_said(self, day: None) -> None:
        for *args, said in (
            ("--date", "2021-04-12", "--from", "2021-04-12", "one day"),
            ("--from", "2021-04-12", "--rebuild", "whole day"),
            ("--symbol", "M&M", "--rebuild", "whole day"),
            ("--from", "2021-04-12", "--publish", "whole day"),
            ("--symbol", "UNHEARD", "no symbol"),
            ("--from", "2021-04-13", "--to", "2021-04-12", "lies after"),
        ):
            with pytest.raises(CommandError, match=said) as caught:
                run(*args)
            assert caught.value.returncode == 2


def test_strategies_of_the_desk_are_those_of_the_plans() -> None:
    assert {plan.strategy_id for plan in plans(30)} == set(STRATEGIES)


@pytest.mark.ledger
@pytest.mark.usefixtures("ledger")
def test_a_day_of_mumbai_counts_while_it_is_the_evening_before_at_a_desk_in_new_york(settings: Any) -> None:
    settings.TIME_ZONE = "America/New_York"
    main, day, opening = get_account("main"), date(2026, 3, 10), datetime(2026, 3, 10, 3, 45, tzinfo=UTC)
    minutes = [opening + timedelta(minutes=count) for count in range(1, 11)]
    for name, closed_at in (("T1", minutes[4]), ("T2", None)):
        open_position("main", name, "orb", "TCS", entry_price=100, quantity=1, entry_time=minutes[0])
        if closed_at is not None:
            add_fill("main", name, "SELL", 101, 1, closed_at)
    selected = selection(main, first=day, last=day)
    (of_span,) = build_span(selected, now=minutes[9])["days"]
    assert of_span["total"] == build_daily_summary(main, day, now=minutes[9])["total"]
    assert of_span["total"]["exposure_seconds"] == 540.0
    assert strategy_report(selected, now=minutes[9])["total"]["exposure_seconds"] == 540.0
    assert write_day_note(main, day, "Quiet.", by="asha", now=minutes[9]).day == day
    with pytest.raises(InvalidValue, match="2026-03-11 has no note"):
        write_day_note(main, day + timedelta(days=1), "Quiet.", by="asha", now=minutes[9])
